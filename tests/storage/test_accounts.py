"""Accounts, roles that run out, passwords and tokens that nobody can read out of the database."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.errors import Conflict, NotFound, UserError
from app.privacy.rights import Account, Grant, Role
from app.storage.accounts import TOKENS_HOLD_SECONDS, AccountStore, TokenKind
from app.storage.tables import AccountRow, TokenRow

PASSWORD = "correct horse battery"
HOUR = timedelta(hours=1)


def account(name: str = "U17", *roles: Role, **changes) -> Account:
    grants = tuple(Grant(role=role) for role in roles or (Role.PHYSICIAN,))
    return Account(name=name, display_name="王医师", department="心内科", grants=grants).model_copy(
        update=changes
    )


@pytest.fixture
def store(database) -> AccountStore:
    return AccountStore(database)


def test_an_account_comes_back_as_it_was_saved(store):
    until = datetime(2027, 1, 1, tzinfo=UTC)
    grants = (Grant(role=Role.HEAD, until=until), Grant(role=Role.PHYSICIAN))
    saved = store.save(account(grants=grants))
    assert saved == store.get("U17") == account(grants=grants, version=1)
    assert store.all() == (saved,)
    assert store.count() == 1


def test_a_name_that_is_taken_is_told(store):
    store.save(account())
    with pytest.raises(Conflict):
        store.save(account())


def test_the_second_of_two_changes_is_told(store):
    first = store.save(account())
    store.save(first.model_copy(update={"display_name": "甲"}))
    with pytest.raises(Conflict):
        store.save(first.model_copy(update={"display_name": "乙"}))


def test_the_last_administrator_stays(store):
    admin = store.save(account("root", Role.ADMINISTRATOR))
    with pytest.raises(UserError, match="管理员"):
        store.save(admin.model_copy(update={"is_disabled": True}))
    with pytest.raises(UserError, match="管理员"):
        store.save(admin.model_copy(update={"grants": ()}))
    store.save(account("second", Role.ADMINISTRATOR))
    assert store.save(admin.model_copy(update={"grants": ()})).grants == ()


@pytest.mark.parametrize(
    ("name", "password", "is_in"),
    [
        ("U17", PASSWORD, True),
        ("U17", PASSWORD.upper(), False),
        ("U17", "", False),
        ("u17", PASSWORD, False),
        ("nobody", PASSWORD, False),
        ("U18", PASSWORD, False),
        ("U17", PASSWORD + "\x00", False),
    ],
)
def test_only_the_right_name_and_password_sign_in(store, name, password, is_in):
    store.save(account(), password=PASSWORD, must_change=True)
    store.save(account("U18"))
    found = store.sign_in(name, password)
    assert (found is not None) is is_in
    assert found is None or (found.account.name == "U17" and found.must_change_password)


def test_whoever_is_disabled_neither_signs_in_nor_keeps_a_session(store):
    saved = store.save(account(), password=PASSWORD)
    token = store.open_token("U17", TokenKind.SESSION, HOUR)
    store.save(saved.model_copy(update={"is_disabled": True}))
    assert store.sign_in("U17", PASSWORD) is None
    assert store.by_token(token, TokenKind.SESSION) is None


def test_a_new_password_ends_every_session(store):
    store.save(account(), password=PASSWORD, must_change=True)
    token = store.open_token("U17", TokenKind.SESSION, HOUR)
    store.change_password("U17", PASSWORD, "another good one")
    assert store.by_token(token, TokenKind.SESSION) is None
    found = store.sign_in("U17", "another good one")
    assert found is not None
    assert not found.must_change_password


@pytest.mark.parametrize(
    ("old", "new"), [("wrong", "another good one"), (PASSWORD, "short"), (PASSWORD, PASSWORD)]
)
def test_a_password_that_will_not_do_changes_nothing(store, old, new):
    store.save(account(), password=PASSWORD)
    with pytest.raises(UserError):
        store.change_password("U17", old, new)
    assert store.sign_in("U17", PASSWORD) is not None


@pytest.mark.parametrize(
    ("kind", "later", "is_good"),
    [
        (TokenKind.API, timedelta(minutes=59), True),
        (TokenKind.API, timedelta(minutes=60, seconds=1), False),
        (TokenKind.SESSION, timedelta(0), False),
    ],
)
def test_a_token_stands_for_its_account_until_it_runs_out(store, kind, later, is_good):
    store.save(account())
    token = store.open_token("U17", TokenKind.API, HOUR, "HIS")
    found = store.by_token(token, kind, datetime.now(UTC) + later)
    assert (found is not None) is is_good


@pytest.mark.parametrize("forged", ["", "x", "\ud800", "\x00"])
def test_a_forged_token_stands_for_nobody(store, forged):
    store.save(account())
    store.open_token("U17", TokenKind.API, HOUR)
    assert store.by_token(forged, TokenKind.API) is None


def test_a_token_can_be_taken_back(store):
    store.save(account())
    first, second = (store.open_token("U17", TokenKind.API, HOUR, title) for title in "ab")
    store.close_token(first)
    assert [token.title for token in store.tokens("U17")] == ["b"]
    store.revoke(store.tokens("U17")[0].digest)
    assert store.by_token(second, TokenKind.API) is None


def test_what_another_process_takes_back_holds_soon(store, database, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("app.storage.accounts.time.monotonic", lambda: now)
    saved = store.save(account())
    token = store.open_token("U17", TokenKind.API, HOUR)
    assert store.by_token(token, TokenKind.API) == saved
    other = AccountStore(database)
    renamed = other.save(saved.model_copy(update={"display_name": "王主任"}))
    now += TOKENS_HOLD_SECONDS + 0.1
    assert store.by_token(token, TokenKind.API) == renamed
    other.close_token(token)
    now += TOKENS_HOLD_SECONDS + 0.1
    assert store.by_token(token, TokenKind.API) is None


def test_a_changed_account_is_known_at_once(store):
    saved = store.save(account())
    token = store.open_token("U17", TokenKind.API, HOUR)
    assert store.by_token(token, TokenKind.API) == saved
    renamed = store.save(saved.model_copy(update={"display_name": "王主任"}))
    assert store.by_token(token, TokenKind.API) == renamed
    store.close_token(token)
    assert store.by_token(token, TokenKind.API) is None


def test_neither_passwords_nor_tokens_stand_in_the_database(store, database):
    store.save(account(), password=PASSWORD)
    token = store.open_token("U17", TokenKind.API, HOUR)
    with database.reading() as session:
        row = session.scalar(select(AccountRow))
        digests = session.scalars(select(TokenRow.digest)).all()
    assert row.password.startswith("$argon2id$")
    assert PASSWORD not in row.password
    assert token not in digests


def test_a_subject_belongs_to_one_account(store):
    store.save(account())
    store.save(account("U18"))
    store.tie_subject("U17", "s1")
    store.tie_subject("U17", "s1")
    assert store.by_subject("s1") == store.get("U17")
    assert store.by_subject("s2") is None
    for name, subject in (("U18", "s1"), ("U17", "s2")):
        with pytest.raises(Conflict):
            store.tie_subject(name, subject)


def test_an_unknown_account_is_told(store):
    with pytest.raises(NotFound):
        store.get("nobody")
    with pytest.raises(NotFound):
        store.open_token("nobody", TokenKind.API, HOUR)
