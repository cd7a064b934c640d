"""A claim against its own sources: code checks first, then the model as a closed fact question."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from app.drafting.checks import CHECK_TITLES, CheckResult, run_checks
from app.drafting.draft import VERDICT_NAMES, Verdict
from app.drafting.normal import NormalText

SPOKEN_OF = 0.4
"""Coverage of the claim's content by its sources below which they do not speak of it."""
SAID = 0.8
"""Coverage from which code alone calls a claim supported when no check objects."""

SAID_EXACTLY = 0.6
"""The same, of every clause, where numbers, dates, names or denials of the claim were found in its sources."""

UNHEARD_OF = 0.2
"""Coverage of one clause below which the sources do not speak of what it adds."""
_SHORTEST = 3
"""Characters from which a clause adds something."""

_EXACT = frozenset({"numbers", "dates", "drugs", "operations", "negation"})
_NAMES_ONLY = frozenset({"drugs", "doses", "diagnoses", "operations"})
"""Checks that compare a name with any other of its kind, not with what is said of the same thing."""


class Opinion(NamedTuple):
    """What a judge says: the probabilities of the three answers, which sum to 1."""

    supported: float
    not_supported: float
    not_addressed: float

    @property
    def verdict(self) -> Verdict:
        """The most probable answer; of equal ones the more cautious."""
        if self.supported > max(self.not_supported, self.not_addressed):
            return "supported"
        return "not_supported" if self.not_supported >= self.not_addressed else "not_addressed"


class Judge(Protocol):
    """Decides whether sources entail a claim."""

    def judge(self, claim: str, sources: Sequence[str]) -> Opinion | None:
        """The opinion, or ``None`` where none could be had."""


class Verification(NamedTuple):
    """A verdict with what led to it.

    Attributes:
        probability: of ``supported``, 0 to 1; ``None`` when unverified.
        checks: the code checks, in order.
        was_judged: whether a model gave its opinion.
    """

    verdict: Verdict
    probability: float | None
    checks: tuple[CheckResult, ...]
    was_judged: bool = False

    @property
    def reason(self) -> str:
        """Why it is not supported, in Chinese; empty where it is."""
        wrong = next((check for check in self.checks if check.outcome in ("contradicts", "absent")), None)
        if self.verdict == "supported":
            return ""
        return (
            f"{CHECK_TITLES[wrong.name]}与出处不符（{wrong.about}）"
            if wrong
            else f"出处{VERDICT_NAMES[self.verdict]}"
        )

    @property
    def check_names(self) -> tuple[str, ...]:
        """The checks that had something to look at, in the draft's words."""
        looked = tuple(check.name for check in self.checks if check.outcome != "not_applicable")
        return (*looked, "entailment") if self.was_judged else looked


def verify(claim: str, sources: Sequence[str], judge: Judge | None = None) -> Verification:
    """Verify a claim.

    Args:
        claim: one sentence.
        sources: the texts that it must follow from; nothing else is known.
        judge: asked only where code cannot tell: no check objects and the wording overlaps in part. Asked alone,
            the embedded 1.5 B model calls nearly everything supported (27 % right on 44 claims).
    """
    if not sources or not claim.strip():
        return Verification("unverified", None, ())
    told, known = NormalText.of(claim), NormalText.of(*sources)
    checks = run_checks(told, known)
    objection = _objection(told, known, checks)
    told = _without_levels(told, checks)
    coverage = told.coverage_by(known)
    if objection or _least_coverage(told, known) < UNHEARD_OF:
        return Verification(objection or "not_addressed", 0.02, checks)
    if coverage >= SAID or (_agrees_exactly(checks) and _least_coverage(told, known) >= SAID_EXACTLY):
        return Verification("supported", round(coverage, 3), checks)
    if coverage < SPOKEN_OF:
        return Verification("not_addressed", round(coverage / 4, 3), checks)
    opinion = judge.judge(claim, sources) if judge else None
    if opinion is None:
        return Verification("unverified", None, checks)
    return Verification(opinion.verdict, round(opinion.supported, 3), checks, was_judged=True)


def _without_levels(told: NormalText, checks: Sequence[CheckResult]) -> NormalText:
    """The claim without the clauses whose words the sources give as numbers."""
    settled = {
        c
        for check in checks
        if (check.name, check.outcome) == ("levels", "agrees")
        for c in check.about.split("，")
    }
    return (
        NormalText("，".join(clause for clause in told.clauses if clause not in settled)) if settled else told
    )


def _agrees_exactly(checks: Sequence[CheckResult]) -> bool:
    return any(check.name in _EXACT and check.outcome == "agrees" for check in checks)


def _least_coverage(told: NormalText, known: NormalText) -> float:
    """The coverage of that clause which the sources cover least, however well they cover the rest."""
    clauses = (NormalText(clause) for clause in told.clauses)
    return min((c.coverage_by(known) for c in clauses if len(c.words) >= _SHORTEST), default=1.0)


def _objection(told: NormalText, known: NormalText, checks: Sequence[CheckResult]) -> Verdict | None:
    """What the checks alone decide; another name contradicts only where sources speak of the rest of the claim."""
    wrong = [check for check in checks if check.outcome == "contradicts"]
    if any(check.name not in _NAMES_ONLY for check in wrong):
        return "not_supported"
    if wrong:
        rest = told.text
        for check in wrong:
            rest = rest.replace(check.about, "")
        frame = NormalText(rest)
        is_about = len(frame.words) < 2 or frame.coverage_by(known) >= SPOKEN_OF
        return "not_supported" if is_about else "not_addressed"
    return "not_addressed" if any(check.outcome == "absent" for check in checks) else None
