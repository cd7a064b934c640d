"""The embedded model itself: constrained, confident, cached, and honest about its limits."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.llm.catalogue import ModelState, model_folder, model_spec, model_state
from app.llm.client import Answer, LanguageModel, ModelFailure, choice_probabilities
from app.llm.engines import open_model
from app.llm.prompts import Prompt
from app.settings import Settings, load_settings

pytestmark = pytest.mark.model

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


@pytest.fixture(scope="module")
def model() -> Iterator[LanguageModel]:
    settings = load_settings(model=Settings.model_fields["model"].default)
    spec = model_spec(settings.model)
    if model_state(spec, model_folder(settings)) is not ModelState.VERIFIED:
        pytest.skip(f"模型 {spec.name} 不在 {model_folder(settings)}，先运行 bingli models pull")
    with open_model(settings) as opened:
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


def test_tokens_are_counted_exactly(model: LanguageModel) -> None:
    assert model.count_tokens("患者3天前受凉") == 6
    assert model.context_tokens == 4096


def test_the_engine_prints_nothing(model: LanguageModel, capfd: pytest.CaptureFixture[str]) -> None:
    ask(model)
    assert capfd.readouterr() == ("", "")
