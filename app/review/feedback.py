"""What the decisions of people say about the rules."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.qc.intervals import Interval, wilson
from app.storage.database import Database
from app.storage.dismissals import DismissalStore
from app.storage.findings import FindingStore, RuleVerdicts
from app.storage.fixes import FixStore
from app.storage.states import Verdict

LABEL_FORMAT = "bingli/finding-label/1"


class RuleFeedback(BaseModel):
    """How a rule fared with people.

    Attributes:
        accepted, refused: records in which its findings stood, and in which at least one was none.
        refused_share: the share of the refused, 0–1; ``None`` where nothing was decided.
        interval: its 95 % interval (Wilson), records being independent of one another.
        dismissed, fixed: hints of the rule that writers dismissed, and that they followed by mending the text; they
            do not enter the share.
        is_mostly_refused: the whole interval lies above one half.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    accepted: int
    refused: int
    refused_share: float | None
    interval: Interval
    dismissed: int
    fixed: int
    is_mostly_refused: bool


def feedback(database: Database) -> tuple[RuleFeedback, ...]:
    """Every rule that people decided about, dismissed or followed, the most refused first."""
    verdicts = {found.rule: found for found in FindingStore(database).verdicts()}
    dismissed, fixed = DismissalStore(database).counts(), FixStore(database).counts()
    rules = [
        _of_rule(
            verdicts.get(code) or RuleVerdicts(rule=code, accepted=0, refused=0),
            dismissed.get(code, 0),
            fixed.get(code, 0),
        )
        for code in verdicts.keys() | dismissed.keys() | fixed.keys()
    ]
    return tuple(sorted(rules, key=lambda rule: (-rule.interval.low, -rule.dismissed, rule.rule)))


def labels(database: Database) -> Iterator[dict[str, Any]]:
    """Every decided finding as one labelled example, in the order they were raised; no record text but the quotes."""
    for work in FindingStore(database).decided():
        yield {
            "format": LABEL_FORMAT,
            "finding": work.id,
            "record_id": work.record_id,
            "rule": work.finding.rule,
            "engine": work.finding.engine,
            "confidence": work.finding.confidence,
            "document_id": work.finding.document_id,
            "section": work.finding.section,
            "evidence": [evidence.model_dump() for evidence in work.finding.evidence],
            "is_defect": work.verdict is Verdict.ACCEPTED,
        }


def _of_rule(found: RuleVerdicts, dismissed: int, fixed: int) -> RuleFeedback:
    n = found.accepted + found.refused
    interval = wilson(found.refused, n)
    return RuleFeedback(
        rule=found.rule,
        accepted=found.accepted,
        refused=found.refused,
        refused_share=found.refused / n if n else None,
        interval=interval,
        dismissed=dismissed,
        fixed=fixed,
        is_mostly_refused=interval.low > 0.5,
    )
