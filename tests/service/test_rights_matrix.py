"""Every role against every endpoint: a new endpoint without a row here fails."""

import pytest

from app.privacy.rights import MATRIX, Action, Role
from tests.support.service import OWN, running, stay

PUBLIC, SIGNED = "public", "signed"

NEEDS = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/cds-services"): PUBLIC,
    ("POST", "/cds-services/{service_id}"): SIGNED,
    ("POST", "/cds-services/{service_id}/feedback"): SIGNED,
    ("POST", "/v1/check"): Action.CHECK,
    ("POST", "/v1/hints"): Action.HINT,
    ("POST", "/v1/hints/stream"): Action.HINT,
    ("POST", "/v1/hints/dismissals"): Action.DISMISS,
    ("PUT", "/v1/records/{record_id}"): Action.WRITE_RECORD,
    ("GET", "/v1/records"): Action.READ_RECORD,
    ("GET", "/v1/records/{record_id}"): Action.READ_RECORD,
    ("GET", "/v1/records/{record_id}/report"): Action.READ_RECORD,
    ("POST", "/v1/records/{record_id}/check"): Action.CHECK,
    ("POST", "/v1/records/{record_id}/deidentified"): Action.WRITE_RECORD,
    ("POST", "/v1/records/{record_id}/recalls"): Action.RECALL_REQUEST,
    ("GET", "/v1/records/{record_id}/recalls"): Action.READ_RECORD,
    ("GET", "/v1/recalls"): Action.RECALL_APPROVE,
    ("POST", "/v1/recalls/{recall_id}/decision"): Action.RECALL_APPROVE,
    ("GET", "/v1/findings"): Action.READ_FINDINGS,
    ("GET", "/v1/findings/counts"): Action.READ_FINDINGS,
    ("GET", "/v1/findings/overdue"): Action.READ_FINDINGS,
    ("GET", "/v1/findings/labels"): Action.CHANGE_RULES,
    ("GET", "/v1/findings/{finding_id}"): Action.READ_FINDINGS,
    ("GET", "/v1/findings/{finding_id}/explanation"): Action.READ_FINDINGS,
    ("POST", "/v1/findings/{finding_id}/steps"): Action.READ_FINDINGS,
    ("POST", "/v1/audits"): Action.AUDIT_BATCH,
    ("GET", "/v1/audits"): Action.AUDIT_BATCH,
    ("GET", "/v1/audits/{audit_id}"): Action.AUDIT_BATCH,
    ("POST", "/v1/audits/{audit_id}/resume"): Action.AUDIT_BATCH,
    ("GET", "/v1/audits/{audit_id}/events"): Action.AUDIT_BATCH,
    ("GET", "/v1/audits/{audit_id}/files/{name}"): Action.AUDIT_BATCH,
    ("POST", "/v1/records/{record_id}/drafts"): Action.DRAFT,
    ("POST", "/v1/records/{record_id}/drafts/stream"): Action.DRAFT,
    ("GET", "/v1/records/{record_id}/drafts"): Action.READ_RECORD,
    ("GET", "/v1/drafts/{draft_id}"): Action.READ_RECORD,
    ("POST", "/v1/drafts/{draft_id}/sentences"): Action.REVIEW_DRAFT,
    ("POST", "/v1/drafts/{draft_id}/acceptance"): Action.REVIEW_DRAFT,
    ("GET", "/v1/drafts/{draft_id}/export"): Action.READ_RECORD,
    ("GET", "/v1/kb/search"): Action.SEARCH,
    ("GET", "/v1/kb/documents"): Action.SEARCH,
    ("POST", "/v1/kb/documents"): Action.ADD_KNOWLEDGE,
    ("GET", "/v1/rules"): Action.READ_RULES,
    ("GET", "/v1/rules/feedback"): Action.READ_RULES,
    ("GET", "/v1/rules/{code}/page"): Action.READ_RULES,
    ("PUT", "/v1/rules/{code}"): Action.CHANGE_RULES,
    ("POST", "/v1/evaluations/{format}"): Action.EVALUATE,
    ("GET", "/v1/me"): SIGNED,
    ("GET", "/v1/accounts"): Action.MANAGE_ACCOUNTS,
    ("POST", "/v1/accounts"): Action.MANAGE_ACCOUNTS,
    ("PUT", "/v1/accounts/{name}"): Action.MANAGE_ACCOUNTS,
    ("POST", "/v1/accounts/{name}/password"): Action.MANAGE_ACCOUNTS,
    ("GET", "/v1/accounts/{name}/tokens"): Action.MANAGE_ACCOUNTS,
    ("POST", "/v1/accounts/{name}/tokens"): Action.MANAGE_ACCOUNTS,
    ("DELETE", "/v1/accounts/{name}/tokens/{digest}"): Action.MANAGE_ACCOUNTS,
    ("GET", "/v1/audit-log"): Action.READ_AUDIT_LOG,
    ("GET", "/v1/audit-log/verification"): Action.READ_AUDIT_LOG,
}
IDS = {
    "service_id": "bingli-stay", "record_id": OWN, "recall_id": "none", "finding_id": "none", "audit_id": "none",
    "name": "nobody", "draft_id": "none", "code": "N-999", "format": "none", "digest": "none",
}  # fmt: skip
BODIES = {
    "/v1/check": stay(),
    "/v1/hints": {"text": "主诉：", "type": "入院记录"},
    "/v1/hints/stream": {"text": "主诉：", "type": "入院记录"},
    "/v1/hints/dismissals": {"rule": "N-107", "reason": "昏迷"},
    "/v1/records/{record_id}": stay(),
    "/v1/records/{record_id}/recalls": {"reason": "补正"},
    "/v1/recalls/{recall_id}/decision": {"version": 1, "is_approved": True},
    "/v1/findings/{finding_id}/steps": {"step": "appeal", "version": 1, "reason": "有"},
    "/v1/records/{record_id}/drafts": {"use_model": False},
    "/v1/records/{record_id}/drafts/stream": {"use_model": False},
    "/v1/drafts/{draft_id}/sentences": {"version": 1, "section": "出院诊断", "state": "accepted"},
    "/v1/drafts/{draft_id}/acceptance": {"version": 1},
    "/v1/rules/{code}": {"is_enabled": True},
    "/v1/accounts": {"name": "x", "display_name": "新账号"},
    "/v1/accounts/{name}": {"name": "nobody", "display_name": "无"},
    "/v1/accounts/{name}/tokens": {"title": "x"},
    "/cds-services/{service_id}": {
        "hook": "patient-view",
        "hookInstance": "1",
        "context": {"encounterId": OWN},
    },
    "/cds-services/{service_id}/feedback": {"feedback": [{"card": "x", "outcome": "accepted"}]},
}
FILES = ("/v1/audits", "/v1/kb/documents", "/v1/evaluations/{format}")
ROLES = {Role(name): name for name in Role}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("matrix")) as started:
        assert started.as_("qc").put(f"/v1/records/{OWN}", json=stay()).status_code == 200
        yield started


def endpoints(app):
    paths = app.openapi()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def call(caller, method, path):
    address = path.format(**IDS) + ("?q=病程&document=没有这份" if path.endswith("/search") else "")
    if method == "POST" and path in FILES:
        return caller.request(method, address, files={"file": ("a.xyz", b"")})
    body = BODIES.get(path) if method in ("POST", "PUT") else None
    return caller.request(method, address, json=body)


def test_every_endpoint_has_a_row(service):
    assert endpoints(service.app) == set(NEEDS)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_a_role_reaches_what_its_rights_say(service, role, method, path):
    needed = NEEDS[method, path]
    status = call(service.as_(ROLES[role]), method, path).status_code
    may = not isinstance(needed, Action) or bool(MATRIX[needed][tuple(Role).index(role)])
    if needed is SIGNED:
        assert status != 401
    elif may:
        assert status not in (401, 403, 405, 500)
    else:
        assert status == 403


@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_nobody_and_forged_tokens_reach_nothing_but_the_public(service, method, path):
    wanted = {True: {200}, False: {401}}[NEEDS[method, path] is PUBLIC]
    forged = {"Authorization": "Bearer " + "A" * 43}
    for headers in ({}, forged, {"Cookie": "bingli_session=" + "A" * 43}):
        service.client.cookies.clear()
        assert call_with(service.client, headers, method, path).status_code in wanted


def call_with(client, headers, method, path):
    class Bare:
        def request(self, *arguments, **named):
            return client.request(*arguments, headers=headers, **named)

    return call(Bare(), method, path)


@pytest.mark.parametrize(("method", "path"), [key for key, need in NEEDS.items() if isinstance(need, Action)])
def test_rights_that_have_run_out_reach_nothing(service, method, path):
    assert call(service.as_("former"), method, path).status_code == 403
