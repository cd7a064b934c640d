"""Opening the model that the settings name, and the sentence for every model that cannot be opened."""

from pathlib import Path

import pytest

from app.errors import UserError
from app.llm import catalogue, engines
from app.llm.catalogue import model_folder, partial_file
from app.llm.engines import ModelUnavailable, compact_grammar, open_model
from app.llm.prompts import Prompt
from app.settings import Settings
from tests.support.model_server import ModelServer, Reply

PROMPT = Prompt("p.md", "p", 1, "", None, system="答", user="{{ q }}")
GARBAGE = b"GGUF" + b"\0" * 100


def settings(tmp_path: Path, **options) -> Settings:
    return Settings(data_dir=tmp_path, **options)


@pytest.mark.parametrize("suffix", ["", "/"])
@pytest.mark.parametrize("has_path", [True, False])
def test_any_server_is_a_model(tmp_path: Path, suffix: str, has_path: bool) -> None:
    with ModelServer(Reply("好"), models=["first", "second"], api_key="k1") as server:
        url = server.url if has_path else server.url.removesuffix("/v1")
        with open_model(settings(tmp_path, model=url + suffix, model_api_key="k1")) as model:
            assert model.answer(PROMPT, {"q": "？"}, schema=None, max_tokens=5).text == "好"
            assert model.identity == f"first@{server.url.split('/')[2]}"
    assert server.requests[0]["model"] == "first"


@pytest.mark.parametrize("models", [["first", "second"], []])
def test_the_settings_can_name_the_servers_model(tmp_path: Path, models: list[str]) -> None:
    with (
        ModelServer(Reply("好"), models=models) as server,
        open_model(settings(tmp_path, model=server.url, model_name="second")) as model,
    ):
        model.answer(PROMPT, {"q": "？"}, schema=None, max_tokens=5)
    assert server.requests[0]["model"] == "second"


@pytest.mark.parametrize(
    ("owner", "constraint", "is_told_not_to_think"),
    [
        ("vllm", "response_format", True),
        ("llamacpp", "grammar", True),
        ("somebody", "response_format", False),
    ],
)
def test_each_engine_is_asked_in_its_own_way(
    tmp_path: Path, owner: str, constraint: str, is_told_not_to_think: bool
) -> None:
    schema = {"type": "string", "enum": ["是", "否"]}
    with (
        ModelServer(Reply('"是"'), owner=owner) as server,
        open_model(settings(tmp_path, model=server.url)) as model,
    ):
        assert model.answer(PROMPT, {"q": "？"}, schema=schema, max_tokens=5).data == "是"
    (request,) = server.requests
    assert {"response_format", "grammar"} & request.keys() == {constraint}
    fields = {"chat_template_kwargs": {"enable_thinking": False}} if is_told_not_to_think else {}
    assert {name: request[name] for name in request if name == "chat_template_kwargs"} == fields


@pytest.mark.parametrize(
    ("owner", "adapters", "fields"),
    [
        ("vllm", ["statements"], ({"model": "double"}, {"model": "statements"})),
        ("vllm", ["other"], None),
        (
            "llamacpp",
            ["/a/other.gguf", "/a/statements.gguf"],
            ({"lora": [{"id": 1, "scale": 0.0}]}, {"lora": [{"id": 1, "scale": 1.0}]}),
        ),
        ("llamacpp", ["/a/other.gguf"], None),
        ("somebody", [], None),
    ],
)
def test_the_adapter_of_a_server_is_found(tmp_path: Path, owner: str, adapters: list[str], fields) -> None:
    with (
        ModelServer(Reply("好"), owner=owner, adapters=adapters) as server,
        open_model(settings(tmp_path, model=server.url)) as model,
    ):
        adapted = model.adapted()
        assert (adapted is model) is (fields is None)
        for each in (model, adapted):
            each.answer(PROMPT, {"q": "？"}, schema=None, max_tokens=5)
    for request, expected in zip(server.requests, fields or ({"model": "double"},) * 2, strict=True):
        assert request | expected == request
    if fields:
        assert adapted.identity == f"{model.identity}+statements"


def test_the_list_of_adapters_may_be_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(Reply("好"), owner="llamacpp") as server:
        monkeypatch.setattr(server, "adapters", [None])
        with open_model(settings(tmp_path, model=server.url)) as model:
            assert model.adapted() is model


def test_a_server_without_models_is_unavailable(tmp_path: Path) -> None:
    with (
        ModelServer(models=[]) as server,
        pytest.raises(ModelUnavailable, match="BINGLI_MODEL_NAME"),
        open_model(settings(tmp_path, model=server.url)),
    ):
        pass


def test_a_wrong_key_is_named(tmp_path: Path) -> None:
    with (
        ModelServer(api_key="right") as server,
        pytest.raises(ModelUnavailable, match="BINGLI_MODEL_API_KEY"),
        open_model(settings(tmp_path, model=server.url, model_api_key="wrong")),
    ):
        pass


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://127.0.0.1:99999/v1", "http://"])
def test_a_server_that_does_not_answer_is_unavailable(tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelUnavailable, match="网址"), open_model(settings(tmp_path, model=url)):
        pass


@pytest.mark.parametrize(
    ("file", "said"),
    [(None, "还没有"), (".part", "还没有"), ("", "损坏")],
    ids=["absent", "partial", "corrupt"],
)
def test_a_model_file_that_cannot_serve_is_named_with_the_cure(
    tmp_path: Path, file: str | None, said: str
) -> None:
    given = settings(tmp_path)
    spec = catalogue.model_spec(given.model)
    if file is not None:
        model_folder(given).mkdir()
        (partial_file(spec, model_folder(given)).with_name(spec.file + file)).write_bytes(b"GGUF")
    with pytest.raises(ModelUnavailable, match=rf"{said}.*bingli models pull"), open_model(given):
        pass


def test_an_unknown_model_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gpt-9"), open_model(settings(tmp_path, model="gpt-9")):
        pass


def test_a_file_that_the_engine_cannot_load_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "garbage.gguf").write_bytes(GARBAGE)
    monkeypatch.setattr(engines, "verified_file", lambda spec, folder: tmp_path / "garbage.gguf")
    with pytest.raises(ModelUnavailable, match="无法载入"), open_model(settings(tmp_path)):
        pass
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def has_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engines, "verified_file", lambda spec, folder: tmp_path / "model.gguf")


@pytest.mark.usefixtures("has_model")
def test_an_adapter_that_is_not_there_is_named_with_the_setting(tmp_path: Path) -> None:
    given = settings(tmp_path, model_adapter=tmp_path / "我的.gguf")
    with pytest.raises(ModelUnavailable, match=r"我的\.gguf.*BINGLI_MODEL_ADAPTER"), open_model(given):
        pass


def test_the_compact_grammar_allows_no_white_space() -> None:
    grammar = compact_grammar({"type": "object", "properties": {"v": {"enum": ["T"]}}})["grammar"]
    assert '"whitespace_flexible":false' in grammar
