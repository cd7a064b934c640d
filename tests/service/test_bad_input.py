"""What a service gets that it should not: a correct status, one Chinese sentence, nothing lost, nothing leaked."""

import json

import pytest

from tests.support.service import NOTE, OTHERS, OWN, PASSWORD, running, stay

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    with running(folder, largest_body_mib=1, requests_per_minute=100_000) as started:
        qc = started.as_("qc")
        assert qc.put(f"/v1/records/{OWN}", json=stay()).status_code == 200
        others = stay(OTHERS, author="colleague", department="神经内科")
        assert qc.put(f"/v1/records/{OTHERS}", json=others).status_code == 200
        yield started


def problem(response):
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == response.status_code
    assert not told["detail"].isascii()
    assert "Traceback" not in response.text
    return told


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/check", "{", 422),
        ("/v1/check", "", 422),
        ("/v1/check", "null", 422),
        ("/v1/check", "[1, 2]", 422),
        ("/v1/check", '{"record_id": 7}', 422),
        ("/v1/check", '{"record_id": ""}', 422),
        ("/v1/check", '{"record_id": "A", "documents": "无"}', 422),
        ("/v1/check", '{"record_id": "A", "patient": {"sex": "未定"}}', 422),
        ("/v1/check", '{"record_id": "A", "encounter": {"admitted_at": "昨天"}}', 422),
        ("/v1/check", "[" * 5000, 400),
        ("/v1/hints", '{"text": 7, "type": "入院记录"}', 422),
        ("/v1/hints", '{"text": "主诉"}', 422),
        ("/v1/hints", '{"text": "主诉", "type": "入院记录", "cursor": -1}', 422),
        ("/v1/hints", '{"text": "主诉", "type": "入院记录", "curser": 1}', 422),
        ("/v1/hints", '{"text": "主诉", "type": "入院记录", "record_id": "没有"}', 404),
        ("/v1/hints", json.dumps({"text": "主" * 50_001, "type": "入院记录"}), 422),
        ("/v1/hints/dismissals", '{"rule": "N-107", "reason": ""}', 422),
        ("/v1/hints/dismissals", '{"rule": "N-107", "reason": "   "}', 422),
        ("/v1/hints/dismissals", '{"rule": "N-999", "reason": "无"}', 404),
        ("/v1/findings/none/steps", '{"step": "dance", "version": 1}', 422),
        ("/v1/findings/none/steps", '{"step": "assign", "version": 1}', 404),
        ("/cds-services/none", '{"hook": "x", "hookInstance": "1", "context": {}}', 404),
        ("/cds-services/bingli-note", '{"hook": "x", "hookInstance": "1", "context": {}}', 422),
        ("/v1/nothing", "{}", 404),
    ],
)
def test_wrong_bodies_get_a_status_and_a_sentence(service, path, body, status):
    headers = {"Content-Type": "application/json"}
    response = service.as_("qc").post(path, content=body.encode(), headers=headers)
    assert response.status_code == status
    problem(response)


def test_a_wrong_method_is_told(service):
    response = service.as_("qc").delete("/v1/check")
    assert response.status_code == 405
    problem(response)


@pytest.mark.parametrize("announces", [True, False])
def test_an_oversized_body_is_refused_announced_or_not(service, announces):
    body = b'{"record_id": "' + b"A" * (1 << 20) + b'"}'

    def in_pieces():
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    content = body if announces else in_pieces()
    response = service.as_("qc").post("/v1/check", content=content)
    assert response.status_code == 413
    assert "1 MiB" in problem(response)["detail"]


def test_the_largest_body_is_still_taken(service):
    body = json.dumps({"record_id": "A" * 1000, "documents": []}).encode()
    response = service.as_("qc").post(
        "/v1/check", content=body.ljust(1 << 20), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "ä" * 10, "' OR 1=1 --", "null", "A" * 10_000])
def test_forged_tokens_are_nobody(service, token):
    headers = {"Authorization": f"Bearer {token}".encode()}
    response = service.client.get("/v1/me", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_session_is_no_api_token_and_an_api_token_no_session(service):
    client = service.client
    client.cookies.clear()
    client.cookies.set("bingli_session", service.tokens["qc"])
    assert client.get("/v1/me").status_code == 401
    client.cookies.clear()


def test_a_record_of_others_is_as_if_it_were_not_there(service):
    mine = service.as_("physician")
    theirs = next(
        f for f in service.as_("qc").get("/v1/findings?limit=200").json()["items"] if f["record_id"] == OTHERS
    )
    for path in (
        "/v1/records/{}",
        "/v1/records/{}/report",
        "/v1/records/{}/drafts",
        "/v1/records/{}/recalls",
    ):
        denied, missing = mine.get(path.format(OTHERS)), mine.get(path.format("ZY-NONE"))
        assert denied.status_code == missing.status_code == 404
        assert denied.json()["detail"].replace(OTHERS, "") == missing.json()["detail"].replace("ZY-NONE", "")
    assert mine.get(f"/v1/findings/{theirs['id']}").status_code == 404
    assert {item["record_id"] for item in mine.get("/v1/records").json()["items"]} == {OWN}
    assert {item["record_id"] for item in mine.get("/v1/findings").json()["items"]} == {OWN}
    hints = mine.post("/v1/hints", json={"text": "主诉：", "type": "日常病程记录", "record_id": OTHERS})
    assert hints.status_code == 404
    taken_over = mine.put(f"/v1/records/{OTHERS}", json=stay(OTHERS))
    assert taken_over.status_code == 404


def test_a_head_sees_the_department_and_an_evaluator_what_names_nobody(service):
    assert {r["record_id"] for r in service.as_("head").get("/v1/records").json()["items"]} == {OWN}
    evaluator = service.as_("evaluator")
    assert evaluator.get("/v1/records").json()["items"] == []
    copy = service.as_("qc").post(f"/v1/records/{OWN}/deidentified").json()
    seen = evaluator.get("/v1/records").json()["items"]
    assert [record["record_id"] for record in seen] == [copy["record_id"]] != [OWN]
    text = evaluator.get(f"/v1/records/{copy['record_id']}").text
    assert "钱守仁" not in text
    assert "李明德" not in text


def test_scripts_in_a_note_come_back_as_data_and_are_escaped_in_pages(service):
    record = stay("ZY-SCRIPT")
    record["documents"][0]["text"] = NOTE.replace("反复上腹痛", f"反复上腹痛{SCRIPT}")
    record["patient"]["name"] = SCRIPT
    qc = service.as_("qc")
    saved = qc.put("/v1/records/ZY-SCRIPT", json=record)
    assert saved.status_code == 200
    answer = qc.get("/v1/records/ZY-SCRIPT")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = service.as_("physician")
    made = head.post("/v1/records/ZY-SCRIPT/drafts", json={"use_model": False})
    assert made.status_code == 201
    page = head.get(f"/v1/drafts/{made.json()['id']}/export?format=html")
    assert "attachment" in page.headers["content-disposition"]
    assert SCRIPT not in page.text
    assert "<script>alert" not in page.text


def test_scripts_in_cards_are_no_markup(service):
    context = {
        "userId": "x",
        "document": {"text": f"主诉：{SCRIPT}\n现病史：**粗**\n既往史：无", "type": "入院记录"},
    }
    call = {"hook": "cn.bingli.document-edit", "hookInstance": "1", "context": context}
    for card in service.as_("qc").post("/cds-services/bingli-note", json=call).json()["cards"]:
        assert "<script>" not in card["detail"].replace("\\<", "")
        assert len(card["summary"]) < 140


def test_of_two_edits_of_one_finding_the_second_is_told(service):
    qc = service.as_("qc")
    work = qc.get(f"/v1/findings?record_id={OWN}").json()["items"][0]
    step = {"step": "assign", "version": work["version"]}
    first = qc.post(f"/v1/findings/{work['id']}/steps", json=step)
    second = qc.post(f"/v1/findings/{work['id']}/steps", json=step)
    assert (first.status_code, second.status_code) == (200, 409)
    problem(second)
    history = qc.get(f"/v1/findings/{work['id']}").json()["history"]
    assert [each["action"] for each in history] == ["raise", "assign"]


def test_of_two_saves_from_one_version_the_second_is_told(service):
    qc, record = service.as_("qc"), stay("ZY-TWICE")
    assert qc.put("/v1/records/ZY-TWICE?version=0", json=record).status_code == 200
    changed = record | {"patient": {"name": "另一人"}}
    assert qc.put("/v1/records/ZY-TWICE?version=1", json=changed).json()["version"] == 2
    assert qc.put("/v1/records/ZY-TWICE?version=1", json=record).status_code == 409


def test_a_repeated_write_is_done_once(service):
    qc = service.as_("qc")
    body, key = {"rule": "N-107", "reason": "昏迷", "record_id": "ZY-ONCE"}, {"Idempotency-Key": "once-1"}
    first = qc.post("/v1/hints/dismissals", json=body, headers=key)
    again = qc.post("/v1/hints/dismissals", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    other = qc.post("/v1/hints/dismissals", json=body | {"reason": "另"}, headers=key)
    assert other.status_code == 409
    entries = qc.get("/v1/audit-log?action=dismiss&limit=200").json()["items"]
    assert sum(entry["detail"] == "ZY-ONCE" for entry in entries) == 1


def test_a_write_that_failed_may_be_repeated_with_its_key(service):
    qc, key = service.as_("qc"), {"Idempotency-Key": "again-1"}
    wrong = qc.post("/v1/hints/dismissals", json={"rule": "N-999", "reason": "无"}, headers=key)
    right = qc.post("/v1/hints/dismissals", json={"rule": "N-107", "reason": "无"}, headers=key)
    assert (wrong.status_code, right.status_code) == (404, 201)


def test_reads_and_refusals_are_in_the_audit_log(service):
    service.as_("physician").get(f"/v1/records/{OWN}")
    service.as_("physician").get(f"/v1/records/{OTHERS}")
    entries = service.as_("qc").get("/v1/audit-log?actor=physician&limit=200").json()["items"]
    told = {(entry["action"], entry["object_id"]) for entry in entries}
    assert {("read_record", OWN), ("denied", OTHERS)} <= told
    assert "上腹痛" not in json.dumps(entries, ensure_ascii=False)
    assert service.as_("qc").get("/v1/audit-log/verification").json()["is_whole"] is True


def test_too_many_requests_are_told_when_to_come_back(tmp_path):
    with running(tmp_path, requests_per_minute=3) as few:
        caller = few.as_("qc")
        statuses = [caller.get("/v1/me").status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        late = caller.get("/v1/me")
        assert 1 <= int(late.headers["retry-after"]) <= 60
        problem(late)
        assert few.as_("head").get("/v1/me").status_code == 200


def test_what_breaks_inside_is_a_problem_without_a_trace(service, monkeypatch, caplog):
    def fails(*_):
        raise ValueError(f"秘密：{NOTE}")

    monkeypatch.setattr(service.parts.records, "page", fails)
    response = service.as_("qc").get("/v1/records")
    assert response.status_code == 500
    assert "秘密" not in response.text + caplog.text
    assert "ValueError" in caplog.text
    problem(response)


def form_token(client):
    page = client.get("/login")
    return page.text.split('name="csrf" value="')[1].split('"')[0]


def sign_in(client, name, password, **more):
    form = {"name": name, "password": password, "csrf": form_token(client), **more}
    return client.post("/login", data=form, follow_redirects=False)


def test_signing_in_by_form_and_changing_by_cookie_takes_the_session_s_token(service):
    client = service.client
    client.cookies.clear()
    assert client.post("/login", data={"name": "qc", "password": PASSWORD}).status_code == 403
    assert sign_in(client, "qc", "wrong password").status_code == 401
    done = sign_in(client, "qc", PASSWORD, next="https://elsewhere.example/")
    assert (done.status_code, done.headers["location"]) == (303, "/ui/")
    assert "httponly" in done.headers["set-cookie"].lower()
    assert client.get("/v1/me").json()["account"]["name"] == "qc"
    body = {"rule": "N-107", "reason": "昏迷"}
    assert client.post("/v1/hints/dismissals", json=body).status_code == 403
    client.cookies.clear()


def test_a_one_time_password_opens_nothing_but_the_change(service):
    client = service.client
    client.cookies.clear()
    made = service.as_("administrator").post(
        "/v1/accounts", json={"name": "new", "display_name": "新人", "grants": [{"role": "qc"}]}
    )
    password = made.json()["password"]
    begun = sign_in(client, "new", password)
    assert begun.headers["location"] == "/password"
    assert client.get("/v1/me").status_code == 401
    page = client.get("/password")
    csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
    form = {"old": password, "new": "a longer password", "again": "a longer password", "csrf": csrf}
    assert client.post("/password", data=form | {"again": "x"}).status_code == 422
    changed = client.post("/password", data=form, follow_redirects=False)
    assert changed.status_code == 303
    assert client.get("/v1/me").json()["account"]["name"] == "new"
    client.cookies.clear()


def test_guessing_passwords_is_slowed_down(service):
    client = service.client
    client.cookies.clear()
    statuses = [sign_in(client, "head", f"guess number {n}").status_code for n in range(6)]
    assert statuses == [401] * 5 + [429]
    assert sign_in(client, "head", PASSWORD).status_code == 429
    client.cookies.clear()


def test_who_is_disabled_is_out_at_once(service):
    admin = service.as_("administrator")
    account = next(a for a in admin.get("/v1/accounts").json() if a["name"] == "colleague")
    assert service.as_("colleague").get("/v1/me").status_code == 200
    assert admin.put("/v1/accounts/colleague", json=account | {"is_disabled": True}).status_code == 200
    assert service.as_("colleague").get("/v1/me").status_code == 401
