"""Passwords: kept as argon2id hashes only."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.errors import UserError

SHORTEST_PASSWORD = 10
_LONGEST_PASSWORD = 256
_ONE_TIME_BYTES = 12
_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The hash of a new password.

    Raises:
        UserError: it is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise UserError(f"口令需要 {SHORTEST_PASSWORD} 到 {_LONGEST_PASSWORD} 个字符，请换一个。")
    return _hasher.hash(password)


def password_fits(password: str, kept: str | None) -> bool:
    """Whether a password belongs to a hash; without one it takes as long and is never right."""
    if len(password) > _LONGEST_PASSWORD:
        return False
    try:
        return _hasher.verify(kept or _nobody(), password) and kept is not None
    except (Argon2Error, InvalidHashError):
        return False


def one_time_password() -> str:
    """A password nobody can guess, for a first sign-in."""
    return secrets.token_urlsafe(_ONE_TIME_BYTES)


@cache
def _nobody() -> str:
    """The hash of a password that nobody knows."""
    return _hasher.hash(secrets.token_hex(16))
