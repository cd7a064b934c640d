"""Files of claims: reading and verifying them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from app.drafting.verify import Judge, Verification, verify
from app.errors import UserError


class Claim(BaseModel):
    """One line of a claims file."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    id: str
    claim: str
    sources: tuple[str, ...]
    label: Literal["supported", "not_supported", "not_addressed"] | None = None
    kind: str | None = None


class VerifiedClaim(NamedTuple):
    """A claim and what the verifier says."""

    claim: Claim
    verification: Verification

    def as_json(self) -> dict[str, Any]:
        """The output line; ``checks`` maps each check that had something to look at to its outcome."""
        result = self.verification
        checks: dict[str, str] = {c.name: c.outcome for c in result.checks if c.outcome != "not_applicable"}
        if result.was_judged:
            checks["entailment"] = "agrees" if result.verdict == "supported" else "contradicts"
        return {
            "id": self.claim.id, "verdict": result.verdict, "probability": result.probability, "checks": checks,
        }  # fmt: skip


def read_claims(path: Path) -> list[Claim]:
    """Read a JSONL file of claims; blank lines are skipped.

    Raises:
        UserError: the file or one of its lines cannot be read; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"找不到 {path}，请检查路径。") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"无法读取 {path}，应为 UTF-8 编码的 JSONL 文件，请检查。") from error
    claims = [_read_line(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not claims:
        raise UserError(f"{path} 中没有陈述，请每行写一个含 id、claim、sources 的 JSON 对象。")
    return claims


def _read_line(path: Path, number: int, line: str) -> Claim:
    try:
        return Claim.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} 第{number}行不是有效的 JSON，请更正。") from error
    except ValidationError as error:
        name = ".".join(map(str, error.errors()[0]["loc"])) or "整行"
        raise UserError(f"{path} 第{number}行的 {name} 缺少或格式不对，请更正。") from error


def verify_claims(claims: Iterable[Claim], judge: Judge | None) -> Iterator[VerifiedClaim]:
    """Verify claims one after another."""
    for claim in claims:
        yield VerifiedClaim(claim, verify(claim.claim, claim.sources, judge))
