"""How well drafts are written: support, citations, omissions, quotes, time; beside one call with the whole record."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from app.drafting.assemble import Placed
from app.drafting.draft import Draft
from app.drafting.drafter import Drafter
from app.drafting.plan import plan_for
from app.drafting.sources import Stay
from app.drafting.verify import Judge
from app.errors import UserError
from app.llm.client import LanguageModel
from app.storage.cache import ContentCache, content_key
from eval.citations import Cited, cited_sentences, judge_citations, unresolved
from eval.clustered import Count, Share, share
from eval.gold import GoldStay, omitted
from eval.whole_record import RecordJudge, judged, write_at_once


class Tools(NamedTuple):
    """What an evaluation runs.

    Attributes:
        judge: decides where code cannot; ``None`` leaves those sentences unscored.
        model: writes the other arm; ``None`` leaves it out.
        cache: remembers what ``model`` wrote.
    """

    drafter: Drafter
    judge: Judge | None = None
    model: LanguageModel | None = None
    cache: ContentCache | None = None


class ArmScores(BaseModel):
    """One arm on one stay; counts of sentences, and of gold facts.

    Attributes:
        unscored: sentences that no judge could decide.
        omitted: names of the gold facts that are not told.
        seconds: ``None`` where part of the text came from the cache.
        failure: why there is no text, in Chinese; else empty.
    """

    model_config = ConfigDict(frozen=True)

    sentences: int
    unsupported: int
    unscored: int
    omitted: tuple[str, ...]
    seconds: float | None
    failure: str = ""


class StayScores(BaseModel):
    """One stay.

    Attributes:
        first_sentence_seconds: until the first sentence could be shown.
        cited, fully_cited, cited_unscored: sentences that cite, of them supported by their citations, and undecided.
        citations, relevant: citations of decided sentences, and of them those that the sentence needs.
        unresolved: citations that point at nothing or quote what is not there.
        quoted_windows: windows that the model could not write.
        share_read: of the record by the other arm.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    facts: int
    draft: ArmScores
    whole_record: ArmScores | None
    share_read: float | None
    first_sentence_seconds: float
    cited: int
    fully_cited: int
    cited_unscored: int
    citations: int
    relevant: int
    all_citations: int
    unresolved: int
    quoted_windows: int


class _Timed(NamedTuple):
    draft: Draft
    seconds: float | None
    first_sentence_seconds: float
    quoted_windows: int


def evaluate_stays(stays: Iterable[GoldStay], tools: Tools, keep: Path | None = None) -> Iterator[StayScores]:
    """Draft and judge stay after stay.

    Args:
        stays: what to draft.
        tools: with what.
        keep: folder for each draft and the other arm's sentences, for whoever reads them; ``None`` keeps nothing.

    Raises:
        UserError: a file cannot be written there.
    """
    for gold in stays:
        yield _evaluate(gold, tools, keep)


def _evaluate(gold: GoldStay, tools: Tools, keep: Path | None) -> StayScores:
    plan = plan_for(gold.record)
    stay = Stay(gold.record, without=(plan.document_type,), until=plan.until(gold.record))
    timed = _drafted(gold, tools)
    told = [(section.name, [s.text for s in section.sentences]) for section in timed.draft.sections]
    cited = cited_sentences(timed.draft, stay)
    record_judge = RecordJudge(stay, tools.judge)
    citing = [judge_citations(sentence, tools.judge) for sentence in cited]
    missing = omitted(gold.facts, [texts for _, texts in told])
    verdicts = [
        True if each.is_supported else record_judge.is_supported(sentence.text)
        for sentence, each in zip(cited, citing, strict=True)
    ]
    own = _arm(verdicts, [fact.what for fact in missing], timed.seconds)
    other, share_read, sentences = _other_arm(gold, stay, record_judge, tools)
    if keep:
        _write(keep / f"{gold.name}.draft.json", timed.draft.model_dump(mode="json"))
        _write(keep / f"{gold.name}.whole.json", {"sentences": sentences})
    decided = [each for each in citing if each.is_supported is not None]
    return StayScores(
        name=gold.name,
        facts=len(gold.facts),
        draft=own,
        whole_record=other,
        share_read=share_read,
        first_sentence_seconds=timed.first_sentence_seconds,
        cited=len(decided),
        fully_cited=sum(bool(each.is_supported) for each in decided),
        cited_unscored=len(citing) - len(decided),
        citations=sum(len(each.relevant) for each in decided),
        relevant=_relevant(decided),
        all_citations=sum(len(s.citations) for section in timed.draft.sections for s in section.sentences),
        unresolved=len(unresolved(timed.draft, stay)),
        quoted_windows=timed.quoted_windows,
    )


def _relevant(decided: Iterable[Cited]) -> int:
    return sum(sum(each.relevant) for each in decided)


def _drafted(gold: GoldStay, tools: Tools) -> _Timed:
    began = time.perf_counter()
    shown: list[float] = []

    def note(placed: Placed) -> None:
        shown.append(time.perf_counter() - began)

    drafted = tools.drafter.draft(gold.record, on_sentence=note)
    seconds = None if drafted.remembered else time.perf_counter() - began
    if tools.cache and drafted.draft.model:
        seconds = _remembered_seconds(gold, drafted.draft, seconds, tools.cache)
    return _Timed(drafted.draft, seconds, shown[0], drafted.tally.quoted_windows)


def _remembered_seconds(
    gold: GoldStay, draft: Draft, seconds: float | None, cache: ContentCache
) -> float | None:
    """The seconds of the one time that the stay was drafted without remembered answers, so that a run can resume."""
    record = gold.record.model_dump_json()
    key = content_key("eval_draft_seconds", record, draft.model or "", draft.prompt_version or "")
    if seconds is None:
        known: float | None = cache.get(key)
        return known
    cache.put(key, seconds)
    return seconds


def _other_arm(
    gold: GoldStay, stay: Stay, judge: RecordJudge, tools: Tools
) -> tuple[ArmScores | None, float | None, tuple[str, ...]]:
    if tools.model is None or tools.cache is None:
        return None, None, ()
    answer = write_at_once(tools.model, stay, tools.cache)
    missing = [fact.what for fact in omitted(gold.facts, [answer.sentences])]
    scores = _arm(judged(judge, answer.sentences), missing, answer.seconds, answer.failure)
    return scores, round(answer.share_read, 4), answer.sentences


def _arm(
    verdicts: Sequence[bool | None], missing: Sequence[str], seconds: float | None, failure: str = ""
) -> ArmScores:
    return ArmScores(
        sentences=len(verdicts), unsupported=verdicts.count(False), unscored=verdicts.count(None),
        omitted=tuple(missing), seconds=None if seconds is None else round(seconds, 2), failure=failure,
    )  # fmt: skip


def _write(path: Path, content: object) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    except OSError as error:
        raise UserError(f"{path} 无法写入（{error.strerror}），请检查路径和权限。") from error


class Evaluation:
    """The scores of all stays, and what they come to."""

    def __init__(self, scores: Sequence[StayScores]) -> None:
        self.scores = tuple(scores)

    @property
    def unsupported(self) -> Share:
        """Share of the draft's sentences that the record does not support."""
        return _unsupported([s.draft for s in self.scores])

    @property
    def citation_recall(self) -> Share:
        """Share of the sentences that their own citations support (ALCE)."""
        return share(
            [Count(s.fully_cited, s.cited) for s in self.scores], sum(s.cited_unscored for s in self.scores)
        )

    @property
    def citation_precision(self) -> Share:
        """Share of the citations that their sentence needs (ALCE)."""
        return share([Count(s.relevant, s.citations) for s in self.scores])

    @property
    def verbatim(self) -> Share:
        """Share of the citations that resolve, every quote verbatim."""
        return share([Count(s.all_citations - s.unresolved, s.all_citations) for s in self.scores])

    @property
    def omitted(self) -> Share:
        """Share of the gold facts that the draft does not tell."""
        return share([Count(len(s.draft.omitted), s.facts) for s in self.scores])

    @property
    def _others(self) -> list[tuple[StayScores, ArmScores]]:
        """The stays for which the other arm gave a text."""
        return [(s, s.whole_record) for s in self.scores if s.whole_record and not s.whole_record.failure]

    @property
    def other_unsupported(self) -> Share:
        """The same of the other arm."""
        return _unsupported([arm for _, arm in self._others])

    @property
    def other_omitted(self) -> Share:
        """The same of the other arm."""
        return share([Count(len(arm.omitted), s.facts) for s, arm in self._others])

    @property
    def other_failures(self) -> int:
        """Stays for which the other arm gave no text."""
        return sum(bool(s.whole_record and s.whole_record.failure) for s in self.scores)

    def as_json(self) -> dict[str, Any]:
        """Everything, stay by stay too."""
        return {
            "n_records": len(self.scores),
            "draft": {
                "sentences": sum(s.draft.sentences for s in self.scores),
                "unsupported": self.unsupported.as_json(),
                "citation_recall": self.citation_recall.as_json(),
                "citation_precision": self.citation_precision.as_json(),
                "verbatim": self.verbatim.as_json(),
                "omitted": self.omitted.as_json(),
                "seconds": [s.draft.seconds for s in self.scores],
                "first_sentence_seconds": [round(s.first_sentence_seconds, 2) for s in self.scores],
                "quoted_windows": sum(s.quoted_windows for s in self.scores),
            },
            "whole_record": {
                "n_records": len(self._others),
                "failures": self.other_failures,
                "sentences": sum(arm.sentences for _, arm in self._others),
                "unsupported": self.other_unsupported.as_json(),
                "omitted": self.other_omitted.as_json(),
                "seconds": [arm.seconds for _, arm in self._others],
            },
            "records": [s.model_dump(mode="json") for s in self.scores],
        }

    def as_text(self) -> str:
        """The side-by-side table."""
        rows: list[tuple[str, str, str]] = [
            ("", "逐句起草并核验", "整份病历一次生成"),
            ("句数", *_both(self, lambda arm: arm.sentences)),
            ("病历不支持的句子", self.unsupported.as_text(), self.other_unsupported.as_text()),
            ("关键事实遗漏", self.omitted.as_text(), self.other_omitted.as_text()),
            ("引文召回", self.citation_recall.as_text(), "—（没有出处）"),
            ("引文精确", self.citation_precision.as_text(), "—（没有出处）"),
            ("出处逐字无误", self.verbatim.as_text(), "—（没有出处）"),
            ("每份秒数（中位）", _median(s.draft.seconds for s in self.scores),
             _median(arm.seconds for _, arm in self._others)),
            ("首句秒数（最长）", _longest(s.first_sentence_seconds for s in self.scores), "—"),
            ("没有成文的病历", "0", str(self.other_failures)),
        ]  # fmt: skip
        table = "\n".join(f"| {name} | {own} | {other} |" for name, own, other in rows)
        return f"{table}\n\n{self._omissions()}"

    def _omissions(self) -> str:
        lines = [f"{s.name}：{'、'.join(s.draft.omitted)}" for s in self.scores if s.draft.omitted]
        return "遗漏的关键事实\n" + ("\n".join(lines) or "无")


def _unsupported(arms: Sequence[ArmScores]) -> Share:
    counts = [Count(arm.unsupported, arm.sentences - arm.unscored) for arm in arms]
    return share(counts, sum(arm.unscored for arm in arms))


def _both(evaluation: Evaluation, number: Callable[[ArmScores], int]) -> tuple[str, str]:
    own = sum(number(s.draft) for s in evaluation.scores)
    other = sum(number(s.whole_record) for s in evaluation.scores if s.whole_record)
    return str(own), str(other)


def _median(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.1f}（最长 {max(known):.1f}，n={len(known)}）" if known else "—"


def _longest(values: Iterable[float]) -> str:
    return f"{max(values, default=0.0):.1f}"
