"""The description of the interface: every example in it works as it stands."""

import pytest

from tests.support.service import running


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("openapi")) as started:
        yield started


def operations(schema):
    return [
        (method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_says_in_chinese_what_it_does(service):
    schema = service.client.get("/openapi.json").json()
    assert [path for _, path, each in operations(schema) if each.get("summary", "").isascii()] == []


def test_every_body_example_is_accepted(service):
    schema = service.client.get("/openapi.json").json()
    sent = 0
    for method, path, operation in operations(schema):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for name, example in content.get("examples", {}).items():
            target = path.format(service_id="bingli-note", record_id="ZY-EXAMPLE-1")
            caller = service.as_("qc")
            answer = caller.request(method.upper(), target, json=example["value"])
            assert answer.status_code == 200, (path, name, answer.text)
            sent += 1
    assert sent >= 7


def test_examples_of_the_models_fit_the_models(service):
    """Examples in schemas (steps, dismissals, decisions) pass the validation of the endpoint that takes them."""
    schema = service.client.get("/openapi.json").json()
    checked = 0
    for method, path, operation in operations(schema):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        model = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        for example in schema["components"]["schemas"].get(model, {}).get("examples", []):
            target = path
            for part in ("recall_id", "finding_id", "draft_id", "record_id", "name", "code"):
                target = target.replace(f"{{{part}}}", "none")
            target = target.replace("{service_id}", "bingli-note")
            answer = service.as_("qc").request(method.upper(), target, json=example)
            assert answer.status_code in (200, 201, 403, 404), (path, answer.text)
            checked += 1
    assert checked >= 7
