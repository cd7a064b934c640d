"""Signing in through an identity provider, as a browser does it."""

import pytest

from app.service.authentication import OIDC_COOKIE, SESSION_COOKIE
from tests.support.identity_provider import Provider
from tests.support.service import running

BEGIN, CALLBACK = "/login/oidc", "/login/oidc/callback"


@pytest.fixture
def provider():
    opened = Provider()
    yield opened
    opened.close()


@pytest.fixture
def service(tmp_path, provider):
    with running(tmp_path, oidc_issuer=provider.issuer) as started:
        started.client.follow_redirects = False
        yield started


def begun(service, provider, target="/ui/review"):
    """What the provider sends the browser back with."""
    answer = service.client.get(BEGIN, params={"next": target})
    assert answer.status_code == 303
    return provider.visit(answer.headers["location"])


def test_a_browser_goes_to_the_provider_and_comes_back_signed_in(service, provider):
    assert BEGIN in service.client.get("/login").text
    back = begun(service, provider)
    assert provider.asked["redirect_uri"] == f"http://testserver{CALLBACK}"
    answer = service.client.get(CALLBACK, params=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/review")
    assert provider.verifier_fits()
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE))
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
    assert service.client.get("/v1/records").status_code == 200
    entries = service.as_("qc").get("/v1/audit-log?action=sign_in").json()["items"]
    assert entries[0]["object_id"] == "U17"


def test_a_way_back_is_taken_once(service, provider):
    back = begun(service, provider)
    assert service.client.get(CALLBACK, params=back).status_code == 303
    assert service.client.get(CALLBACK, params=back).status_code == 403


@pytest.mark.parametrize("target", ["https://another.example/", "//another.example", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere(service, provider, target):
    answer = service.client.get(CALLBACK, params=begun(service, provider, target))
    assert answer.headers["location"] == "/ui/"


def stolen(service, back):
    service.client.cookies.clear()
    return back


def altered(service, back):
    sealed = service.client.cookies[OIDC_COOKIE]
    service.client.cookies.clear()
    service.client.cookies.set(OIDC_COOKIE, f"A{sealed[1:-1]}")
    return back


@pytest.mark.parametrize(
    "change",
    [
        stolen,
        altered,
        lambda service, back: back | {"state": "another"},
        lambda service, back: {"state": back["state"]},
        lambda service, back: {"state": back["state"], "error": "access_denied"},
        lambda service, back: {},
    ],
)
def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(service, provider, change):
    answer = service.client.get(CALLBACK, params=change(service, begun(service, provider)))
    assert answer.status_code == 403
    assert SESSION_COOKIE not in answer.headers.get("set-cookie", "")
    assert "Traceback" not in answer.text
    assert service.client.get("/v1/records").status_code == 401


@pytest.mark.parametrize("changes", [{"bingli_roles": []}, {"preferred_username": "qc"}, {"exp": 1}])
def test_whom_the_provider_does_not_vouch_for_stays_out(service, provider, changes):
    provider.changes = changes
    answer = service.client.get(CALLBACK, params=begun(service, provider))
    assert answer.status_code == 403
    assert service.client.get("/v1/records").status_code == 401


def test_a_provider_that_is_away_is_told(service, provider):
    provider.raw = b"<html>"
    answer = service.client.get(BEGIN)
    assert answer.status_code == 503
    assert "/login" in answer.text
