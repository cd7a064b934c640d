"""Records with findings, made without checking anything."""

from collections.abc import Sequence

from app.qc.result import Finding, Report, Result
from app.records.model import Evidence, MedicalRecord

TEXT = "主诉：胸痛3天。现病史：胸痛。"


def simple_record(
    record_id: str = "R1", department: str = "心内科", author: str = "U17", **changes
) -> MedicalRecord:
    """A record of one admission note by ``author``."""
    document = {"id": "D1", "type": "入院记录", "text": TEXT, "author": {"id": author, "name": "王医师"}}
    given = {"record_id": record_id, "encounter": {"department": department}, "documents": [document]}
    return MedicalRecord.model_validate(given | changes)


def finding(
    rule: str = "N-001", start: int = 0, section: str = "主诉", finding_id: str | None = None, **changes
) -> Finding:
    """A finding on the first characters from ``start`` of ``TEXT``."""
    evidence = Evidence(document_id="D1", start=start, end=start + 2, quote=TEXT[start : start + 2])
    given = {
        "id": finding_id or f"{rule}-{section}-{start}",
        "rule": rule,
        "title": "主诉缺少持续时间",
        "category": "content",
        "severity": "minor",
        "points": 1.0,
        "document_id": "D1",
        "section": section,
        "evidence": (evidence,),
        "message": "主诉未写明持续时间。",
        "suggestion": "补写持续时间。",
        "basis": (),
        "engine": "rule",
        "confidence": 1.0,
    }
    return Finding.model_validate(given | changes)


def report_of(
    findings: Sequence[Finding] = (),
    record: MedicalRecord | None = None,
    outcomes: dict[str, str] | None = None,
) -> Report:
    """A report with these findings; rules without a finding passed unless ``outcomes`` says otherwise."""
    stay = record or simple_record()
    judged = {
        "N-001": "pass",
        "N-002": "pass",
        **{each.rule: "defect" for each in findings},
        **(outcomes or {}),
    }
    result = Result(
        record_id=stay.record_id,
        profile="national",
        score=90.5,
        grade="甲",
        vetoes=(),
        outcomes=judged,
        findings=tuple(findings),
    )
    return Report(stay, result, {"N-002": "没有"}, 0.5, {"N-001": 1.0}, (), 80.0, 100.0)
