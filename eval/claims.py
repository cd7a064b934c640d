"""How often the verifier of claims is right: accuracy by kind, and what was taken for what."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from app.drafting.claims import Claim, VerifiedClaim, verify_claims
from app.drafting.draft import VERDICT_NAMES, Verdict
from app.drafting.verify import Judge
from app.errors import UserError
from eval.intervals import Interval, wilson

_LABELS: tuple[Verdict, ...] = ("supported", "not_supported", "not_addressed")
_VERDICTS: tuple[Verdict, ...] = (*_LABELS, "unverified")


class Accuracy(NamedTuple):
    """Right verdicts of the scored ones; claims that are unverified or have no label are unscored and outside."""

    right: int
    scored: int
    unscored: int

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval."""
        return wilson(self.right, self.scored)

    def summary(self) -> dict[str, Any]:
        """``{n, unscored, accuracy}``, four digits; ``accuracy`` is ``null`` where nothing was scored."""
        accuracy = round(self.right / self.scored, 4) if self.scored else None
        return {"n": self.scored + self.unscored, "unscored": self.unscored, "accuracy": accuracy}

    def as_json(self) -> dict[str, Any]:
        """The summary with the number of right verdicts and the interval."""
        return {**self.summary(), "right": self.right, "interval": [round(end, 4) for end in self.interval]}


class Evaluation(NamedTuple):
    """Claims with their verdicts, against their labels."""

    verified: tuple[VerifiedClaim, ...]

    @property
    def total(self) -> Accuracy:
        """Over all claims."""
        return _accuracy(self.verified)

    @property
    def by_kind(self) -> dict[str, Accuracy]:
        """By the kind that the file gives, in alphabetical order."""
        kinds = sorted({each.claim.kind for each in self.verified if each.claim.kind})
        return {kind: _accuracy([v for v in self.verified if v.claim.kind == kind]) for kind in kinds}

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Label → verdict → how often."""
        counts = Counter((str(v.claim.label), str(v.verification.verdict)) for v in self.verified)
        return {
            label: {verdict: counts[label, verdict] for verdict in _VERDICTS}
            for label in _LABELS
        }  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """The object that ``bingli verify --summary`` prints: ``{n, unscored, accuracy, by_kind}``."""
        kinds = {kind: accuracy.summary() for kind, accuracy in self.by_kind.items()}
        return {**self.total.summary(), "by_kind": kinds}

    def as_json(self) -> dict[str, Any]:
        """The object that ``bingli eval claims`` prints."""
        kinds = {kind: accuracy.as_json() for kind, accuracy in self.by_kind.items()}
        return {**self.total.as_json(), "by_kind": kinds, "confusion": self.confusion}

    def as_text(self) -> str:
        """The same for a reader."""
        rows = [("全部", self.total), *self.by_kind.items()]
        lines = [f"{'n':>4} {'未判':>4}  准确率（95% 区间）  类别"]
        lines += [f"{a.scored + a.unscored:>4} {a.unscored:>6}  {_told(a):<18}  {name}" for name, a in rows]
        lines += ["", f"{'标注＼判定':<6}" + "".join(f"{VERDICT_NAMES[v]:>6}" for v in _VERDICTS)]
        lines += [
            f"{VERDICT_NAMES[label]:<8}" + "".join(f"{self.confusion[label][v]:>8}" for v in _VERDICTS)
            for label in _LABELS
        ]
        return "\n".join(lines)


def evaluate(claims: Sequence[Claim], judge: Judge | None) -> Evaluation:
    """Verify the claims; those without a label count as unscored.

    Raises:
        UserError: no claim has a label.
    """
    if not any(claim.label for claim in claims):
        raise UserError("陈述都没有 label，无从评测，请每行标 supported、not_supported 或 not_addressed。")
    return Evaluation(tuple(verify_claims(claims, judge)))


def _accuracy(verified: Sequence[VerifiedClaim]) -> Accuracy:
    scored = [v for v in verified if v.claim.label and v.verification.verdict != "unverified"]
    right = sum(v.verification.verdict == v.claim.label for v in scored)
    return Accuracy(right, len(scored), len(verified) - len(scored))


def _told(accuracy: Accuracy) -> str:
    if not accuracy.scored:
        return "—"
    low, high = accuracy.interval
    return f"{accuracy.right / accuracy.scored:.3f}（{low:.3f}–{high:.3f}）"
