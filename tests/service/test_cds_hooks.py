"""CDS Hooks: discovery, cards, feedback."""

import pytest

from tests.support.service import NOTE, OWN, running, stay

REQUIRED = {"summary", "indicator", "source"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("cds")) as started:
        assert started.as_("qc").put(f"/v1/records/{OWN}", json=stay()).status_code == 200
        yield started


def note_call(text=NOTE, **more):
    context = {
        "userId": "Practitioner/physician",
        "patientId": "P1",
        "encounterId": OWN,
        "document": {"id": "D01", "text": text, "type": "入院记录", "cursor": len(text)},
    }
    return {"hook": "cn.bingli.document-edit", "hookInstance": "1", "context": context, **more}


def cards(service, name, who="physician", call=None):
    answer = service.as_(who).post(f"/cds-services/{name}", json=call or note_call())
    assert answer.status_code == 200
    return answer.json()["cards"]


def test_discovery_is_open_and_names_hook_and_id(service):
    services = service.client.get("/cds-services").json()["services"]
    assert {each["id"]: each["hook"] for each in services} == {
        "bingli-note": "cn.bingli.document-edit",
        "bingli-stay": "patient-view",
        "bingli-discharge": "encounter-discharge",
    }
    assert all(each["description"] and each["title"] for each in services)


def test_a_note_gets_cards_with_all_that_the_standard_asks(service):
    found = cards(service, "bingli-note", call=note_call(NOTE.partition("\n")[0] + "\n现病史：患者2月前"))
    complaint = next(card for card in found if card["source"]["topic"]["code"] == "N-101")
    assert complaint["indicator"] in ("info", "warning", "critical")
    assert len(complaint["summary"]) < 140
    assert complaint["suggestions"][0]["label"].startswith("主诉写明")
    assert complaint["selectionBehavior"] == "any"
    assert {reason["code"] for reason in complaint["overrideReasons"]} >= {"not_applicable"}
    assert "第十八条" in complaint["detail"]
    assert all(card.keys() >= REQUIRED for card in found)


def test_a_card_set_aside_does_not_return_and_is_counted(service):
    card = next(each for each in cards(service, "bingli-note") if each.get("suggestions"))
    assert card["uuid"] in {each["uuid"] for each in cards(service, "bingli-note")}
    given = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": {"code": "not_applicable"}, "userComment": "昏迷"},
        "outcomeTimestamp": "2026-05-06T10:20:00Z",
    }
    answer = service.as_("physician").post("/cds-services/bingli-note/feedback", json={"feedback": [given]})
    assert answer.status_code == 200
    assert card["uuid"] not in {each["uuid"] for each in cards(service, "bingli-note")}
    heard = {each["rule"]: each for each in service.as_("qc").get("/v1/rules/feedback").json()}
    assert heard[card["source"]["topic"]["code"]]["dismissed"] == 1


def test_an_accepted_card_is_kept_in_the_log(service):
    card = next(c for c in cards(service, "bingli-stay", call=patient_view()) if c.get("suggestions"))
    given = {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [{"id": "x"}]}
    answer = service.as_("physician").post("/cds-services/bingli-stay/feedback", json={"feedback": [given]})
    assert answer.status_code == 200
    rule = card["source"]["topic"]["code"]
    entries = service.as_("qc").get("/v1/audit-log?action=follow").json()["items"]
    assert entries[0]["object_id"] == rule
    heard = {each["rule"]: each for each in service.as_("qc").get("/v1/rules/feedback").json()}
    assert heard[rule]["fixed"] == 1


def test_feedback_on_a_card_that_was_never_given_is_refused(service):
    given = {"feedback": [{"card": "00000000-0000-5000-8000-000000000000", "outcome": "accepted"}]}
    assert service.as_("qc").post("/cds-services/bingli-note/feedback", json=given).status_code == 404


def patient_view(encounter=OWN):
    context = {"userId": "Practitioner/physician", "patientId": "P1", "encounterId": encounter}
    return {"hook": "patient-view", "hookInstance": "1", "context": context}


def test_a_stay_of_others_gives_no_card(service):
    answer = service.as_("colleague").post("/cds-services/bingli-stay", json=patient_view())
    assert answer.status_code == 404


def test_before_discharge_only_what_weighs_is_shown(service):
    call = {**patient_view(), "hook": "encounter-discharge", "prefetch": {"record": stay()}}
    found = cards(service, "bingli-discharge", call=call)
    assert all(card["indicator"] in ("warning", "critical") for card in found)


@pytest.mark.parametrize(
    "change",
    [
        {"hook": "patient-view"},
        {"context": {}},
        {"context": {"document": {"text": 7}}},
        {"context": {"document": {"text": "x", "cursor": "end"}}},
        {"prefetch": {"record": {"record_id": 7}}},
    ],
)
def test_a_wrong_call_is_told(service, change):
    answer = service.as_("physician").post("/cds-services/bingli-note", json=note_call() | change)
    assert answer.status_code == 422
