"""Which guideline passage a finding of a content rule cites, for the diagnosis at hand."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path

from app.qc.case import Case
from app.qc.checks.specialty import confirmed_diagnoses
from app.qc.rule import Basis, BasisLevel, Rule
from app.qc.ruling import Hit
from app.records.model import DocumentType
from app.text.diagnoses import canonical
from retrieval.corpus import Aspect, Chunk, GuidelineDigest, Scope, load_guidelines

_ASPECTS_OF_SECTIONS: Mapping[Aspect, tuple[str, ...]] = {
    "history": ("主诉", "现病史", "既往史", "病史", "病例特点"),
    "examination": ("体格检查", "专科检查", "查体"),
    "tests": ("辅助检查", "检查结果"),
    "diagnosis": ("初步诊断", "入院诊断", "修正诊断", "补充诊断", "诊断依据", "鉴别诊断", "拟诊讨论"),
    "treatment": ("诊疗计划", "诊疗经过", "治疗经过", "手术经过", "手术指征", "手术方案", "处理措施"),
    "discharge": ("出院情况", "出院医嘱", "出院诊断", "出院带药"),
}  # fmt: skip
_ASPECT_OF_SECTION = {name: aspect for aspect, names in _ASPECTS_OF_SECTIONS.items() for name in names}
_ASPECT_OF_DOCUMENT: Mapping[DocumentType, Aspect] = {
    "首次病程记录": "diagnosis",
    "日常病程记录": "treatment",
    "上级医师查房记录": "treatment",
    "阶段小结": "treatment",
    "疑难病例讨论记录": "diagnosis",
    "术前小结": "treatment",
    "术前讨论记录": "treatment",
    "手术记录": "treatment",
    "术后首次病程记录": "treatment",
    "出院记录": "discharge",
}
_OF_LISTS: tuple[Aspect, ...] = ("diagnosis", "discharge")
_BASIS_LEVELS: Mapping[str, BasisLevel] = {"guideline": "inferred"}
"""A society's guideline is no regulation: that the record must show what it asks for is our inference."""

Lookup = Callable[[str], Chunk | None]
"""A passage of the hospital's own files on a diagnosis."""


class Guidance:
    """Cites one passage a finding: of the first diagnosis that a guideline covers, main diagnosis first.

    Nothing is searched by meaning: the name of each diagnosis is looked up once, in the scopes of the guidelines,
    then among the hospital's own files. The guidelines are read when the first finding asks for them.
    """

    def __init__(self, corpus: Path, own: Lookup) -> None:
        """Look in the guidelines of ``corpus`` first, and by ``own`` for diagnoses that they do not cover."""
        self._corpus = corpus
        self._own = lru_cache(maxsize=4096)(own)
        self._covering = lru_cache(maxsize=4096)(self._guidelines_on)
        self._on_topic = cache(self._guidelines_of_rule)

    def basis(self, case: Case, rule: Rule, hit: Hit) -> tuple[Basis, ...]:
        """What a finding cites besides its rule's own basis: one passage, or none."""
        aspect = _aspect(case, rule, hit) if rule.category == "content" else None
        if aspect is None:
            return ()
        return tuple(_cited(chunk) for chunk in itertools.islice(self._passages(case, rule, aspect, hit), 1))

    def _passages(self, case: Case, rule: Rule, aspect: Aspect, hit: Hit) -> Iterator[Chunk]:
        yield from (g.passages[aspect] for g in self._on_topic(rule.code) if aspect in g.passages)
        for diagnosis in _diagnoses(case, aspect, hit):
            name = canonical(diagnosis)
            covering = [g for g in self._covering(name) if _is_for_age(g.scope, case.age_years)]
            yield from (g.passages[aspect] for g in covering if aspect in g.passages)
            own = self._own(name) if not covering and len(name) > 1 else None
            if own:
                yield own

    @cached_property
    def _guidelines(self) -> tuple[GuidelineDigest, ...]:
        return load_guidelines(self._corpus)

    def _guidelines_of_rule(self, code: str) -> tuple[GuidelineDigest, ...]:
        return tuple(each for each in self._guidelines if _matches(each.scope.rules, code))

    def _guidelines_on(self, diagnosis: str) -> tuple[GuidelineDigest, ...]:
        return tuple(
            each
            for each in self._guidelines
            if _found(each.scope.diagnoses, diagnosis) and not _found(each.scope.not_diagnoses, diagnosis)
        )


def _diagnoses(case: Case, aspect: Aspect, hit: Hit) -> Iterator[str]:
    """The diagnoses that a finding may be about: that which it quotes from a list, else all, the main one first."""
    quoted = hit.evidence[0].quote if hit.evidence else ""
    listed = sorted(case.remembered(confirmed_diagnoses).last, key=lambda each: not each.is_main)
    names = [each.name for each in listed]
    if aspect in _OF_LISTS and canonical(quoted) in map(canonical, names):
        names = [quoted]
    yield from names


def _found(pattern: str | None, name: str) -> bool:
    return pattern is not None and re.search(pattern, name) is not None


def _matches(pattern: str | None, code: str) -> bool:
    return pattern is not None and re.fullmatch(pattern, code) is not None


def _is_for_age(scope: Scope, years: float | None) -> bool:
    """Whether the patient is of the age; one of unknown age counts as grown up."""
    if years is None:
        return scope.age_below is None
    return (scope.age_from or 0) <= years and (scope.age_below is None or years < scope.age_below)


def _aspect(case: Case, rule: Rule, hit: Hit) -> Aspect | None:
    """What of the record a finding speaks of; specialty rules speak of treatment where nothing else is said."""
    otherwise: Aspect | None = "treatment" if rule.code.startswith("S") else None
    if hit.section:
        return _ASPECT_OF_SECTION.get(hit.section, otherwise)
    document = case.record.documents_by_id.get(hit.document_id or "")
    return _ASPECT_OF_DOCUMENT.get(document.kind, otherwise) if document else otherwise


def _cited(chunk: Chunk) -> Basis:
    level: BasisLevel = _BASIS_LEVELS.get(chunk.level, chunk.level)  # type: ignore[arg-type]
    return Basis(source=chunk.document, clause=chunk.clause, level=level)
