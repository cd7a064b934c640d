"""Passwords are hashed, compared, and long enough."""

import pytest

from app.errors import UserError
from app.privacy.passwords import hash_password, one_time_password, password_fits


def test_a_password_fits_its_own_hash_and_no_other():
    kept = hash_password("一二三四五六七八九十")
    assert password_fits("一二三四五六七八九十", kept)
    assert not password_fits("一二三四五六七八九零", kept)
    assert kept != hash_password("一二三四五六七八九十")


@pytest.mark.parametrize("kept", [None, "", "x", "$argon2id$broken"])
def test_nothing_fits_what_is_no_hash(kept):
    assert not password_fits("0123456789", kept)


@pytest.mark.parametrize("password", ["", "012345678", "x" * 257])
def test_a_password_of_another_length_is_refused(password):
    with pytest.raises(UserError):
        hash_password(password)
    assert not password_fits(password, hash_password("0123456789"))


def test_one_time_passwords_differ_and_will_do():
    first, second = one_time_password(), one_time_password()
    assert first != second
    assert password_fits(first, hash_password(first))
