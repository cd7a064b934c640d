"""Does a LoRA adapter for the fact task pay? Trains one, and measures it on indicators that it was not trained on.

The fact task: a note, one statement of an indicator's condition, 是 or 否. What is trained and measured is the
log-odds of the two answers at the place where the engines choose between them. Run as a program, reproducibly::

    bingli models convert
    python -m eval.adapt 条目.jsonl --indicators 指标.json --model FOLDER --out 适配器 --minutes 60 --fold 1

``FOLDER`` is what ``bingli models convert`` names. Without ``--fold`` all indicators are trained on, and nothing is
measured. Needs ``pip install 'bingli[adapt]'``. All statements about a note
are read in one go, the note once.
"""

# mypy: disable-error-code="import-not-found,import-untyped,unused-ignore"
import argparse
import json
import random
import re
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from app.llm.prompts import Message
from app.qc.facts.answering import NO, YES
from app.qc.specialty.asking import indicator_prompts
from app.qc.specialty.indicator import Indicators
from app.qc.specialty.judging import IndicatorJudge
from app.settings import go_offline
from eval.facts import LabelledItem, fact_labels, load_labelled

RANK = 8
_ALPHA = 2 * RANK
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_OF_LLAMA = dict(zip(ATTENTION, ("attn_q", "attn_k", "attn_v", "attn_output"), strict=True))
_LORA_TENSOR = re.compile(r"layers\.(?P<layer>\d+)\.self_attn\.(?P<module>\w+)\.lora_(?P<matrix>[AB])\.")
_LEARNING_RATE = 2e-4
_PASSES = 3
FOLDS = 3
_SEED = 1
_RESAMPLES = 1000
_LONGEST_TOKENS = 2048


class Question(NamedTuple):
    """One statement about one note, as a model is asked; ``group`` is the indicator."""

    group: str
    messages: tuple[Message, ...]
    is_yes: bool


Sheet = tuple[Question, ...]
"""All questions about one note."""


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
    """Notes to train on, and notes of other indicators."""

    train: list[Sheet]
    held_out: list[Sheet]


def sheets(items: Iterable[LabelledItem], indicators: Indicators) -> Iterator[Sheet]:
    """For each note every statement that an annotator has answered with yes or no (无法判断 counts as no)."""
    judge = IndicatorJudge(indicators, None)
    prompt = indicator_prompts().fact
    for item in items:
        labels = fact_labels(item, judge.statements(item.indicator))
        sheet = tuple(
            Question(item.indicator, prompt.messages({"note": item.note, "question": statement.text}), truth)
            for statement, truth in labels.items()
        )
        if sheet:
            yield sheet


def split(asked: Iterable[Sheet], held_out: Collection[str]) -> Split:
    """Part the notes by whether their indicator is held out."""
    parts = Split([], [])
    for sheet in asked:
        (parts.held_out if sheet[0].group in held_out else parts.train).append(sheet)
    return parts


def unseen_indicators(items: Iterable[LabelledItem], fold: int) -> frozenset[str]:
    """The indicators that the adapter of a fold (1–3) has not seen: every third by name."""
    names = sorted({item.indicator for item in items})
    return frozenset(names[fold - 1 :: FOLDS])


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

    def log_odds(self, sheet: Sheet) -> Any:  # noqa: ANN401 - a tensor
        """The log-odds of every question about a note, differentiable, ``(n,)``; the note is read once."""
        import torch

        asked = [self._tokens(question) for question in sheet]
        shared = _shared(asked)
        note = torch.tensor([asked[0][max(0, shared - _LONGEST_TOKENS) : shared]], device=self._device)
        read = self._model(input_ids=note, logits_to_keep=1, use_cache=True).past_key_values
        read.batch_repeat_interleave(len(sheet))
        ends = [torch.tensor(tokens[shared:], device=self._device) for tokens in asked]
        padded = torch.nn.utils.rnn.pad_sequence(ends, batch_first=True)
        lengths = torch.tensor([len(end) for end in ends], device=self._device)
        is_word = torch.arange(padded.shape[1], device=self._device) < lengths[:, None]
        mask = torch.cat([torch.ones(len(sheet), note.shape[1], device=self._device), is_word], dim=1)
        logits = self._model(input_ids=padded, attention_mask=mask, past_key_values=read).logits
        last = logits[torch.arange(len(sheet), device=self._device), lengths - 1].float()
        yes, no = self._answers
        return last[:, yes] - last[:, no]

    def _tokens(self, question: Question) -> list[int]:
        """Up to the answer, which begins with the quotation mark that engines are held to."""
        turns = [message._asdict() for message in question.messages]
        text = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False) + '"'
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def ask(self, asked: Iterable[Sheet]) -> list[float]:
        """The log-odds of every question, note by note."""
        import torch

        self._model.eval()
        with torch.inference_mode():
            return [odds for sheet in asked for odds in self.log_odds(sheet).tolist()]

    def adapt(self, asked: Sequence[Sheet], seconds: float) -> int:
        """Train an adapter on ``asked``, a note a step, three times over or until the time is up; give the steps."""
        import peft
        import torch

        torch.manual_seed(_SEED)
        settings = peft.LoraConfig(
            r=RANK, lora_alpha=_ALPHA, target_modules=list(ATTENTION), task_type="CAUSAL_LM"
        )
        self._model = peft.get_peft_model(self._model, settings)
        self._model.train()
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=_LEARNING_RATE, weight_decay=0.0)
        until = time.monotonic() + seconds
        steps = 0
        for sheet in _passes(asked):
            if time.monotonic() > until:
                break
            odds = self.log_odds(sheet)
            truths = torch.tensor([float(question.is_yes) for question in sheet], device=odds.device)
            loss: Any = torch.nn.functional.binary_cross_entropy_with_logits(odds, truths)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad()
            steps += 1
        return steps

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as vLLM loads it (``--enable-lora --lora-modules``), and ``statements.gguf`` for llama.cpp."""
        self._model.save_pretrained(str(folder))
        write_gguf(folder / "statements.gguf", self._model.state_dict())


def write_gguf(path: Path, tensors: Mapping[str, Any]) -> None:
    """The low-rank matrices in half precision, under the names that llama.cpp gives the layers of Qwen2."""
    import gguf

    file = gguf.GGUFWriter(path, "qwen2")
    file.add_string("general.type", "adapter")
    file.add_string("adapter.type", "lora")
    file.add_float32("adapter.lora.alpha", _ALPHA)
    for name, tensor in tensors.items():
        if found := _LORA_TENSOR.search(name):
            own = f"blk.{found['layer']}.{_OF_LLAMA[found['module']]}.weight.lora_{found['matrix'].lower()}"
            file.add_tensor(own, tensor.detach().cpu().half().numpy())
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _shared(asked: Sequence[Sequence[int]]) -> int:
    """How many tokens all begin with; each keeps at least one of its own."""
    shortest = min(map(len, asked)) - 1
    return next((i for i in range(shortest) if len({tokens[i] for tokens in asked}) > 1), shortest)


def _passes(asked: Sequence[Sheet]) -> Iterator[Sheet]:
    order = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    for _ in range(_PASSES):
        yield from order.sample(list(asked), len(asked))


def _measured(model: Model, held_out: Sequence[Sheet]) -> dict[str, float] | None:
    asked = list(chain.from_iterable(held_out))
    return measure(asked, model.ask(held_out))._asdict() if asked else None


def main(arguments: Sequence[str]) -> int:
    """Run the comparison; prints one JSON object."""
    parser = argparse.ArgumentParser(description="训练并评估事实判断的 LoRA 适配器（按指标留出）。")
    parser.add_argument("labels", type=Path, help="带标注的条目")
    parser.add_argument("--indicators", type=Path, required=True, help="指标文件")
    parser.add_argument("--model", type=Path, required=True, help="safetensors 模型文件夹")
    parser.add_argument("--out", type=Path, required=True, help="写适配器的文件夹")
    parser.add_argument("--minutes", type=float, default=60.0, help="训练至多多少分钟")
    parser.add_argument(
        "--fold", type=int, choices=range(1, FOLDS + 1), default=None, help="留出哪三分之一指标"
    )
    parser.add_argument("--most", type=int, default=None, help="留出部分至多问多少份")
    given = parser.parse_args(arguments)
    go_offline()
    items, indicators = load_labelled(given.labels, given.indicators)
    unseen = unseen_indicators(items, given.fold) if given.fold else frozenset()
    parts = split(sheets(items, indicators), unseen)
    held_out = random.Random(_SEED).sample(parts.held_out, len(parts.held_out))[: given.most]  # noqa: S311
    model = Model(given.model)
    before = _measured(model, held_out)
    steps = model.adapt(parts.train, given.minutes * 60)
    model.save_adapter(given.out)
    told = {
        "notes": len(parts.train),
        "steps": steps,
        "before": before,
        "after": _measured(model, held_out),
    }
    sys.stdout.write(f"{json.dumps(told, ensure_ascii=False)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
