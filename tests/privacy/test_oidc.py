"""Signing in through an identity provider: a real one on this machine, honest or not."""

import pytest
from joserfc import jwk

from app.errors import Conflict, Denied, UserError
from app.privacy.oidc import Identity, OidcClient, account_of
from app.privacy.rights import Account, Grant, Role
from app.settings import Settings
from app.storage.accounts import AccountStore
from app.storage.database import Database
from tests.support.identity_provider import Provider

REDIRECT = "http://127.0.0.1:8000/oidc/callback"
OTHER_KEY = jwk.RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})


@pytest.fixture
def provider():
    opened = Provider()
    yield opened
    opened.close()


@pytest.fixture
def client(provider) -> OidcClient:
    return OidcClient(Settings(oidc_issuer=provider.issuer), REDIRECT)


def test_somebody_signs_in(provider, client):
    pending = client.begin()
    answer = provider.visit(pending.url)
    identity = client.finish(pending, answer)
    assert identity[1:] == ("U17", "王医师", "心内科", (Role.PHYSICIAN, Role.QC))
    assert provider.asked["redirect_uri"] == provider.posted["redirect_uri"] == REDIRECT
    assert (provider.asked["code_challenge_method"], provider.asked["response_type"]) == ("S256", "code")
    assert provider.verifier_fits()
    assert provider.posted["code"] == "c0de"


def test_a_secret_is_sent_as_basic_authentication(provider):
    client = OidcClient(Settings(oidc_issuer=provider.issuer, oidc_client_secret="geheim"), REDIRECT)
    pending = client.begin()
    client.finish(pending, provider.visit(pending.url))
    assert provider.posted["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://another.example"},
        {"aud": "another"},
        {"aud": ["bingli", "another"]},
        {"aud": ["bingli", "another"], "azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"nbf": 99999999999},
    ],
)
def test_a_token_that_is_not_for_us_now_is_refused(provider, client, changes):
    provider.changes = changes
    pending = client.begin()
    with pytest.raises(Denied):
        client.finish(pending, provider.visit(pending.url))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
def test_a_token_that_the_provider_did_not_sign_is_refused(provider, client, algorithm):
    provider.algorithm, provider.key = algorithm, OTHER_KEY
    pending = client.begin()
    with pytest.raises(Denied):
        client.finish(pending, provider.visit(pending.url))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"code": "c0de"},
        {"code": "c0de", "state": "x"},
        {"code": "c0de", "state": "状"},
        {"error": "access_denied"},
    ],
)
def test_an_answer_to_no_question_of_ours_is_refused(client, answer):
    pending = client.begin()
    with pytest.raises(Denied):
        client.finish(pending, answer)


def test_a_refusal_of_the_provider_is_told(provider, client):
    pending = client.begin()
    state = provider.visit(pending.url)["state"]
    with pytest.raises(Denied):
        client.finish(pending, {"error": "access_denied", "state": state})
    provider.status = 400
    with pytest.raises(Denied, match="400"):
        client.finish(pending, {"code": "old", "state": state})


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"{}", b"null"])
def test_a_provider_that_talks_nonsense_is_told(provider, client, raw):
    provider.raw = raw
    with pytest.raises(UserError):
        client.begin()


@pytest.mark.parametrize(
    "described", [{"issuer": "https://another.example"}, {"token_endpoint": "http://another.example/t"}]
)
def test_a_provider_that_describes_itself_oddly_is_refused(provider, client, described):
    provider.described = described
    with pytest.raises(UserError):
        client.begin()


@pytest.mark.parametrize("issuer", [None, "http://idp.example", "ftp://127.0.0.1", "idp"])
def test_only_https_or_this_machine_is_an_issuer(issuer):
    with pytest.raises(UserError):
        OidcClient(Settings(oidc_issuer=issuer), REDIRECT)


def test_a_provider_that_is_not_there_is_told():
    with pytest.raises(UserError, match="无法连接"):
        OidcClient(Settings(oidc_issuer="http://127.0.0.1:1"), REDIRECT).begin()


WANG = Identity("s1", "U17", "王医师", "心内科", (Role.PHYSICIAN,))


@pytest.fixture
def store(tmp_path):
    with Database(f"sqlite:///{tmp_path}/bingli.sqlite") as database:
        database.migrate()
        yield AccountStore(database)


def test_the_first_sign_in_makes_the_account_and_later_ones_take_the_roles_over(store):
    first = account_of(WANG, store)
    assert (first.name, first.department, first.grants) == ("U17", "心内科", (Grant(role=Role.PHYSICIAN),))
    assert account_of(WANG, store).version == first.version
    later = account_of(WANG._replace(roles=(Role.QC,), department=None), store)
    assert (later.grants, later.department) == ((Grant(role=Role.QC),), "心内科")


def test_whoever_has_no_role_or_is_disabled_stays_out(store):
    with pytest.raises(Denied):
        account_of(WANG._replace(roles=()), store)
    account = account_of(WANG, store)
    store.save(account.model_copy(update={"is_disabled": True}))
    with pytest.raises(Denied):
        account_of(WANG, store)


def test_a_local_account_is_not_taken_over(store):
    store.save(Account(name="U17", display_name="别人"))
    with pytest.raises(Conflict):
        account_of(WANG, store)


def test_a_name_that_is_none_for_an_account_is_told(store):
    with pytest.raises(UserError):
        account_of(WANG._replace(name="王 医师"), store)
