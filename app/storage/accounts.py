"""Accounts, their roles, and the sessions and API tokens that stand for them."""

import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound, UserError
from app.privacy.passwords import hash_password, password_fits
from app.privacy.rights import Account, Grant, Role
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.tables import AccountRow, GrantRow, TokenRow

TOKENS_HOLD_SECONDS = 2.0
_TOKENS_KEPT = 10_000


class TokenKind(StrEnum):
    """What a token opens: a browser's session, or the API for another system."""

    SESSION = "session"
    API = "api"


class SignIn(NamedTuple):
    """Who signed in, and whether a new password has to be chosen first."""

    account: Account
    must_change_password: bool


class TokenInfo(BaseModel):
    """A token as lists show it; the token itself is shown once, when it is made."""

    model_config = ConfigDict(frozen=True)

    digest: str
    account: str
    kind: TokenKind
    title: str
    created_at: datetime
    expires_at: datetime


class _Owner(NamedTuple):
    """Whom a token stood for when it was last looked up; ``read_at`` is of the monotonic clock."""

    account: Account
    expires_at: datetime
    read_at: float


class AccountStore:
    """Accounts in the database.

    Whom a token stands for is remembered for ``TOKENS_HOLD_SECONDS``, and forgotten at once when an account changes
    or a token ends here; what another process changes holds after that time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owners: dict[tuple[str, TokenKind], _Owner] = {}

    def count(self) -> int:
        """How many accounts there are."""
        with self._database.reading() as session:
            return session.scalar(select(func.count()).select_from(AccountRow)) or 0

    def all(self) -> tuple[Account, ...]:
        """Every account, by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(AccountRow).order_by(AccountRow.name)).all()
            return tuple(_account(session, row) for row in rows)

    def get(self, name: str) -> Account:
        """An account.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            return _account(session, _row(session, name))

    def save(self, account: Account, *, password: str | None = None, must_change: bool = False) -> Account:
        """Keep a new account (``version`` 0) or a changed one; whoever is disabled is signed out at once.

        Args:
            password: a new password; ``None`` leaves it as it is.
            must_change: whether it has to be changed at the next sign-in.

        Raises:
            Conflict: somebody else changed the account meanwhile, or the name is taken.
            UserError: the password is too short, or nobody could manage accounts any more.
        """
        now = datetime.now(UTC)
        kept = hash_password(password) if password is not None else None
        with self._database.session() as session:
            row = session.get(AccountRow, account.name, with_for_update=True)
            if (row.version if row else 0) != account.version:
                raise Conflict(f"账号 {account.name} 已存在或刚被他人改过，请刷新后再操作。")
            was_managed = _administrators(session, now) > 0
            row = row or AccountRow(name=account.name, created_at=now, must_change_password=False)
            row.display_name, row.department = account.display_name, account.department
            row.is_disabled, row.version, row.updated_at = account.is_disabled, account.version + 1, now
            if kept:
                row.password, row.must_change_password = kept, must_change
            session.add(row)
            session.flush()
            _set_grants(session, account)
            if was_managed and not _administrators(session, now):
                raise UserError("至少要有一个可用的管理员账号，请先设好另一个管理员。")
            if account.is_disabled or kept:
                session.execute(delete(TokenRow).where(TokenRow.account == account.name))
            saved = _account(session, row)
        self._forget()
        return saved

    def sign_in(self, name: str, password: str) -> SignIn | None:
        """The account that name and password belong to; ``None`` without saying what was wrong."""
        with self._database.reading() as session:
            row = session.get(AccountRow, name)
            if not password_fits(password, row.password if row else None):
                return None
            if row is None or row.is_disabled:
                return None
            return SignIn(_account(session, row), row.must_change_password)

    def change_password(self, name: str, old: str, new: str) -> None:
        """Choose a new password; every session and token of the account ends.

        Raises:
            UserError: the old password is wrong, or the new one is too short or the same.
        """
        if self.sign_in(name, old) is None:
            raise UserError("原口令不对，请重新输入。")
        if old == new:
            raise UserError("新口令与原口令相同，请换一个。")
        kept = hash_password(new)
        with self._database.session() as session:
            row = _row(session, name)
            row.password, row.must_change_password = kept, False
            session.execute(delete(TokenRow).where(TokenRow.account == name))
        self._forget()

    def open_token(self, name: str, kind: TokenKind, lifetime: timedelta, title: str = "") -> str:
        """A new token for an account; what is stored does not tell it.

        Raises:
            NotFound: there is no such account.
        """
        token = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        with self._database.session() as session:
            session.execute(delete(TokenRow).where(TokenRow.expires_at <= now))
            session.add(
                TokenRow(
                    digest=_digest(token),
                    account=_row(session, name).name,
                    kind=kind,
                    title=column_text(title, 128) or "",
                    created_at=now,
                    expires_at=now + lifetime,
                )
            )
        return token

    def by_token(self, token: str, kind: TokenKind, now: datetime | None = None) -> Account | None:
        """Whom a token stands for; ``None`` when it is unknown, of another kind, run out or the account disabled."""
        key = (_digest(token), kind)
        owners = self._owners
        owner = owners.get(key)
        if owner is None or time.monotonic() - owner.read_at > TOKENS_HOLD_SECONDS:
            owner = self._owner(*key)
            if owner is None:
                owners.pop(key, None)
                return None
            if len(owners) >= _TOKENS_KEPT:
                owners.clear()
            owners[key] = owner
        return owner.account if owner.expires_at > (now or datetime.now(UTC)) else None

    def close_token(self, token: str) -> None:
        """End a session, or take a token back."""
        with self._database.session() as session:
            session.execute(delete(TokenRow).where(TokenRow.digest == _digest(token)))
        self._forget()

    def revoke(self, digest: str) -> None:
        """Take back the token that a list shows."""
        with self._database.session() as session:
            session.execute(delete(TokenRow).where(TokenRow.digest == digest))
        self._forget()

    def tokens(self, name: str) -> tuple[TokenInfo, ...]:
        """The tokens of an account, the newest first."""
        query = select(TokenRow).where(TokenRow.account == name).order_by(TokenRow.created_at.desc())
        with self._database.reading() as session:
            return tuple(
                TokenInfo(
                    digest=row.digest,
                    account=row.account,
                    kind=TokenKind(row.kind),
                    title=row.title,
                    created_at=row.created_at,
                    expires_at=row.expires_at,
                )
                for row in session.scalars(query)
            )

    def by_subject(self, subject: str) -> Account | None:
        """The account that an identity provider's subject was tied to."""
        with self._database.reading() as session:
            row = session.scalar(select(AccountRow).where(AccountRow.subject == subject))
            return None if row is None else _account(session, row)

    def tie_subject(self, name: str, subject: str) -> None:
        """Tie an account to an identity provider's subject.

        Raises:
            Conflict: the account is tied to another subject, or the subject to another account.
            NotFound: there is no such account.
        """
        with self._database.session() as session:
            row = _row(session, name)
            other = session.scalar(select(AccountRow.name).where(AccountRow.subject == subject))
            if row.subject not in (None, subject) or other not in (None, name):
                raise Conflict(f"账号 {name} 已与另一个统一身份关联，请联系管理员。")
            row.subject = subject

    def _owner(self, digest: str, kind: TokenKind) -> _Owner | None:
        read_at = time.monotonic()
        with self._database.reading() as session:
            row = session.get(TokenRow, digest)
            if row is None or row.kind != kind:
                return None
            owner = session.get_one(AccountRow, row.account)
            if owner.is_disabled:
                return None
            return _Owner(_account(session, owner), row.expires_at, read_at)

    def _forget(self) -> None:
        """Begin a new memory: a lookup that is under way writes into the old one."""
        self._owners = {}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _row(session: Session, name: str) -> AccountRow:
    row = session.get(AccountRow, name)
    if row is None:
        raise NotFound(f"没有账号 {name}，请核对。")
    return row


def _set_grants(session: Session, account: Account) -> None:
    session.execute(delete(GrantRow).where(GrantRow.account == account.name))
    session.add_all(
        GrantRow(account=account.name, role=grant.role, until=grant.until)
        for grant in {grant.role: grant for grant in account.grants}.values()
    )
    session.flush()


def _administrators(session: Session, now: datetime) -> int:
    in_force = (GrantRow.until.is_(None)) | (GrantRow.until > now)
    query = (
        select(func.count())
        .select_from(GrantRow)
        .join(AccountRow, AccountRow.name == GrantRow.account)
        .where(GrantRow.role == Role.ADMINISTRATOR, in_force, AccountRow.is_disabled.is_(False))
    )
    return session.scalar(query) or 0


def _account(session: Session, row: AccountRow) -> Account:
    grants = session.scalars(select(GrantRow).where(GrantRow.account == row.name).order_by(GrantRow.role))
    return Account(
        name=row.name,
        display_name=row.display_name,
        department=row.department,
        grants=tuple(Grant(role=Role(grant.role), until=grant.until) for grant in grants),
        is_disabled=row.is_disabled,
        version=row.version,
    )
