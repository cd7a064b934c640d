"""Does a LoRA adapter for the fact task pay? Trains one, and measures it on indicators that it was not trained on.

The fact task: a note, one statement of an indicator's condition, 是 or 否. What is trained and measured is the
log-odds of the two answers at the place where the engines choose between them. Run as a program, reproducibly::

    bingli models convert
    python -m eval.adapt 条目.jsonl --indicators 指标.json --model FOLDER --out 适配器 --minutes 60

``FOLDER`` is what ``bingli models convert`` names. Needs ``pip install 'bingli[adapt]'``; without a GPU a step of some
300 tokens takes about 4 s on two quiet cores.
"""

# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
import argparse
import json
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.llm.prompts import Message
from app.qc.facts.answering import NO, YES
from app.qc.specialty.asking import indicator_prompts
from app.qc.specialty.indicator import Indicators, load_indicators
from app.qc.specialty.judging import IndicatorJudge
from app.settings import go_offline
from eval.facts import LabelledItem, fact_labels, load_items, require_indicators

RANK = 8
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_LEARNING_RATE = 2e-4
_STATEMENTS_A_STEP = 4
_PASSES = 3
_HELD_OUT_EVERY = 3
_SEED = 1
_RESAMPLES = 1000
_LONGEST_TOKENS = 2048


class Question(NamedTuple):
    """One statement about one note, as a model is asked; ``group`` is the indicator."""

    group: str
    messages: tuple[Message, ...]
    is_yes: bool


class Measured(NamedTuple):
    """How well log-odds tell 是 from 否: area under the curve with its 95 % interval, and accuracy at zero.

    The interval is a bootstrap over indicators, whose statements resemble one another.
    """

    n: int
    groups: int
    auc: float
    low: float
    high: float
    accuracy: float


class Split(NamedTuple):
    """Questions to train on, and questions of other indicators."""

    train: list[Question]
    held_out: list[Question]


def questions(items: Iterable[LabelledItem], indicators: Indicators) -> Iterator[Question]:
    """Every statement that an annotator has answered with yes or no (无法判断 counts as no)."""
    judge = IndicatorJudge(indicators, None)
    prompt = indicator_prompts().fact
    for item in items:
        for statement, truth in fact_labels(item, judge.statements(item.indicator)).items():
            messages = prompt.messages({"note": item.note, "question": statement.text})
            yield Question(item.indicator, messages, truth)


def split(asked: Sequence[Question]) -> Split:
    """Hold out every third indicator, by name."""
    held_out = set(sorted({question.group for question in asked})[::_HELD_OUT_EVERY])
    return Split(
        [question for question in asked if question.group not in held_out],
        [question for question in asked if question.group in held_out],
    )


def measure(asked: Sequence[Question], log_odds: Sequence[float]) -> Measured:
    """Compare log-odds with the truth.

    Raises:
        ValueError: there are not both kinds of truth.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    truths = np.array([question.is_yes for question in asked])
    odds = np.array(log_odds)
    groups = np.array([question.group for question in asked])
    names = np.unique(groups)
    places = {name: np.flatnonzero(groups == name) for name in names}
    generator = np.random.default_rng(_SEED)
    resampled = []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([places[name] for name in generator.choice(names, len(names))])
        if 0 < truths[drawn].sum() < len(drawn):
            resampled.append(roc_auc_score(truths[drawn], odds[drawn]))
    low, high = np.quantile(resampled, (0.025, 0.975))
    auc = float(roc_auc_score(truths, odds))
    return Measured(
        len(asked), len(names), auc, float(low), float(high), float(((odds > 0) == truths).mean())
    )


class Model:
    """A language model that is asked for the log-odds of 是 against 否."""

    def __init__(self, folder: Path) -> None:
        """Load the model of ``folder``, in bfloat16, onto a GPU where there is one."""
        import torch
        import transformers

        named: dict[str, Any] = {"pretrained_model_name_or_path": str(folder), "local_files_only": True}
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(**named)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(**named, dtype=torch.bfloat16)
        self._model = model.to(self._device)
        self._answers = [self._tokenizer.encode(answer, add_special_tokens=False)[0] for answer in (YES, NO)]

    def log_odds(self, question: Question) -> Any:  # noqa: ANN401 - a scalar of torch
        """The log-odds, differentiable; the answer begins with the quotation mark that engines are held to."""
        turns = [message._asdict() for message in question.messages]
        text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False) + '"'
        tokens = self._tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        tokens = tokens[:, -_LONGEST_TOKENS:].to(self._device)
        logits = self._model(input_ids=tokens, logits_to_keep=1, use_cache=False).logits[0, -1].float()
        yes, no = self._answers
        return logits[yes] - logits[no]

    def ask(self, asked: Iterable[Question]) -> list[float]:
        """The log-odds of every question."""
        import torch

        self._model.eval()
        with torch.inference_mode():
            return [float(self.log_odds(question)) for question in asked]

    def adapt(self, asked: Sequence[Question], seconds: float) -> int:
        """Train an adapter on ``asked``, three times over or until the time is up; give the steps done."""
        import peft
        import torch

        torch.manual_seed(_SEED)
        settings = peft.LoraConfig(
            r=RANK, lora_alpha=2 * RANK, target_modules=list(ATTENTION), task_type="CAUSAL_LM"
        )
        self._model = peft.get_peft_model(self._model, settings)
        self._model.train()
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=_LEARNING_RATE, weight_decay=0.0)
        until = time.monotonic() + seconds
        steps = 0
        for batch in _batches(asked):
            if time.monotonic() > until:
                break
            for question in batch:
                odds = self.log_odds(question)
                truth = torch.tensor(float(question.is_yes), device=odds.device)
                loss: Any = torch.nn.functional.binary_cross_entropy_with_logits(odds, truth)
                (loss / len(batch)).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad()
            steps += 1
        return steps

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as vLLM loads it (``--enable-lora --lora-modules``)."""
        self._model.save_pretrained(str(folder))


def _batches(asked: Sequence[Question]) -> Iterator[list[Question]]:
    order = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    for _ in range(_PASSES):
        shuffled = order.sample(list(asked), len(asked))
        for start in range(0, len(shuffled), _STATEMENTS_A_STEP):
            yield shuffled[start : start + _STATEMENTS_A_STEP]


def main(arguments: Sequence[str]) -> int:
    """Run the comparison; prints one JSON object."""
    parser = argparse.ArgumentParser(description="训练并评估事实判断的 LoRA 适配器（按指标留出）。")
    parser.add_argument("labels", type=Path, help="带标注的条目")
    parser.add_argument("--indicators", type=Path, required=True, help="指标文件")
    parser.add_argument("--model", type=Path, required=True, help="safetensors 模型文件夹")
    parser.add_argument("--out", type=Path, required=True, help="写适配器的文件夹")
    parser.add_argument("--minutes", type=float, default=60.0, help="训练至多多少分钟")
    parser.add_argument("--most", type=int, default=None, help="留出部分至多问多少题")
    given = parser.parse_args(arguments)
    go_offline()
    items, indicators = load_items(given.labels), load_indicators(given.indicators)
    require_indicators(items, indicators)
    parts = split(list(questions(items, indicators)))
    held_out = random.Random(_SEED).sample(parts.held_out, len(parts.held_out))[: given.most]  # noqa: S311
    model = Model(given.model)
    before = measure(held_out, model.ask(held_out))
    steps = model.adapt(parts.train, given.minutes * 60)
    after = measure(held_out, model.ask(held_out))
    model.save_adapter(given.out)
    told = {
        "trained_on": len(parts.train),
        "steps": steps,
        "before": before._asdict(),
        "after": after._asdict(),
    }
    sys.stdout.write(f"{json.dumps(told, ensure_ascii=False)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
