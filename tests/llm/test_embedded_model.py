"""The embedded model itself: constrained, confident, cached, and honest about its limits."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.llm.catalogue import ModelState, model_folder, model_spec, model_state
from app.llm.client import Answer, LanguageModel, ModelFailure, choice_probabilities
from app.llm.engines import ModelUnavailable, open_model
from app.llm.prompts import Prompt
from app.qc.specialty.asking import indicator_prompts
from app.settings import Settings, load_settings
from eval.adapt import RANK, write_gguf

pytestmark = pytest.mark.model

LAYERS, HIDDEN_SIZE = 28, 1536  # of the embedded model

SCHEMA = {
    "type": "object",
    "properties": {
        "v": {"enum": ["T", "F", "U"]},
        "s": {"type": "array", "items": {"enum": [1, 2, 3, 4]}, "maxItems": 2},
    },
    "required": ["v", "s"],
    "additionalProperties": False,
}
PROMPT = Prompt(
    file="test.md",
    name="test",
    version=1,
    description="",
    schema=SCHEMA,
    system='你核对病历。只用一行紧凑 JSON 作答：v 取 T（写明）、F（未写明）；s 是依据的句号。例：{"v":"T","s":[9]}',
    user="{{ record }}\n问题：{{ question }}",
)
RECORD = "[1]患者两天前淋雨后开始咳嗽。\n[2]咳少量白痰，无胸痛。\n[3]自服止咳糖浆未见好转。\n[4]既往有青霉素过敏史。"
QUESTION = "这段病史是否写明药物过敏？"


@contextmanager
def open_embedded(**options: object) -> Iterator[LanguageModel]:
    settings = load_settings(model=Settings.model_fields["model"].default, **options)
    spec = model_spec(settings.model)
    if model_state(spec, model_folder(settings)) is not ModelState.VERIFIED:
        pytest.skip(f"模型 {spec.name} 不在 {model_folder(settings)}，先运行 bingli models pull")
    with open_model(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def model() -> Iterator[LanguageModel]:
    with open_embedded() as opened:
        yield opened


def ask(model: LanguageModel, record: str = RECORD, question: str = QUESTION, max_tokens: int = 24) -> Answer:
    return model.answer(
        PROMPT, {"record": record, "question": question}, schema=SCHEMA, max_tokens=max_tokens
    )


@pytest.fixture(scope="module")
def answer(model: LanguageModel) -> Answer:
    return ask(model)


def test_the_identity_names_the_weights(model: LanguageModel) -> None:
    assert model.identity == "qwen2.5-coder-1.5b@cc324af0"


def test_an_answer_is_constrained_compact_and_right(answer: Answer) -> None:
    assert answer.data == {"v": "T", "s": [4]}
    assert answer.text == '{"v":"T","s":[4]}'


def test_the_confidence_of_the_verdict_and_of_a_sentence_can_be_read(answer: Answer) -> None:
    verdicts = choice_probabilities(answer, answer.text.index("T"), ["T", "F", "U"])
    sentences = choice_probabilities(answer, answer.text.index("4"), ["1", "2", "3", "4"])
    assert 0.3 < verdicts["T"] < 1
    assert 0.3 < sentences["4"] < 1


def test_the_same_question_has_the_same_answer_and_confidence(model: LanguageModel, answer: Answer) -> None:
    second = ask(model)
    assert second.text == answer.text
    assert [t.logprob for t in second.tokens] == pytest.approx([t.logprob for t in answer.tokens], abs=0.1)


def test_a_further_question_on_the_same_record_reuses_the_prefix(
    model: LanguageModel, answer: Answer
) -> None:
    assert answer.usage.prompt_tokens > 0
    usage = ask(model, question="是否写明咳嗽的时间？").usage
    assert usage.cached_tokens > usage.prompt_tokens / 2


def test_too_long_a_prompt_is_a_failure_and_the_next_call_works(model: LanguageModel) -> None:
    with pytest.raises(ModelFailure) as failure:
        ask(model, record="患者一般情况可。" * 2000)
    assert failure.value.kind == "too_long"
    assert ask(model).data["v"] in {"T", "F", "U"}


def test_an_answer_without_room_is_truncated(model: LanguageModel) -> None:
    with pytest.raises(ModelFailure) as failure:
        ask(model, max_tokens=3)
    assert failure.value.kind == "truncated"


def test_threads_wait_for_their_turn(model: LanguageModel) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask(model).data, range(2)))
    assert answers[0] == answers[1]


STATEMENT = {"note": "患者3天前受凉后咳嗽，已行胸部CT检查，未查血常规。", "question": "血常规 = True"}


def chance_of_yes(model: LanguageModel) -> float:
    prompt = indicator_prompts().fact
    answer = model.answer(prompt, STATEMENT, schema={"enum": ["是", "否"]}, max_tokens=8)
    return choice_probabilities(answer, answer.text.index(answer.data), ("是", "否"))["是"]


def random_adapter(path: Path) -> Path:
    """Additions to the query of every layer, so large that they show."""
    torch = pytest.importorskip("torch", reason="需要 pip install 'bingli[adapt]'")
    generator = torch.Generator().manual_seed(1)
    shapes = {"A": (RANK, HIDDEN_SIZE), "B": (HIDDEN_SIZE, RANK)}
    named = {
        f"layers.{layer}.self_attn.q_proj.lora_{matrix}.weight": torch.randn(shape, generator=generator) / 10
        for layer in range(LAYERS)
        for matrix, shape in shapes.items()
    }
    write_gguf(path, named)
    return path


def test_an_adapter_answers_when_it_is_asked_for_and_leaves_the_plain_model_alone(tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf")
    with open_embedded(model_adapter=adapter) as model:
        adapted = model.adapted()
        assert re.fullmatch(r"qwen2\.5-coder-1\.5b@cc324af0\+statements@[0-9a-f]{8}", adapted.identity)
        plain, other, again = (chance_of_yes(each) for each in (model, adapted, model))
    assert again == pytest.approx(plain, abs=0.001)
    assert abs(other - plain) > 0.05


def test_an_adapter_of_another_model_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(100))
    with (
        pytest.raises(ModelUnavailable, match="适配器"),
        open_embedded(model_adapter=tmp_path / "a.gguf"),
    ):
        pass


def test_tokens_are_counted_exactly(model: LanguageModel) -> None:
    assert model.count_tokens("患者3天前受凉") == 6
    assert model.context_tokens == 4096


def test_the_engine_prints_nothing(model: LanguageModel, capfd: pytest.CaptureFixture[str]) -> None:
    ask(model)
    assert capfd.readouterr() == ("", "")
