"""The last result of each record, whole enough to be shown again."""

from datetime import UTC, datetime

from app.errors import NotFound
from app.qc.result import Report, Result
from app.records.model import MedicalRecord
from app.storage.database import Database
from app.storage.tables import RecordRow, RecordVersionRow, ResultRow


class ResultStore:
    """Results in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, report: Report) -> None:
        """Keep the result of a stored record in place of an older one.

        Raises:
            NotFound: the record is not stored.
        """
        record_id = report.record.record_id
        content = {
            "result": report.result.model_dump(mode="json"),
            "reasons": dict(report.reasons),
            "judged_share": report.judged_share,
            "deductions": dict(report.deductions),
            "deciding_vetoes": list(report.deciding_vetoes),
            "assessed_points": report.assessed_points,
            "total_points": report.total_points,
        }
        with self._database.session() as session:
            record = session.get(RecordRow, record_id)
            if record is None:
                raise NotFound(f"没有病案 {record_id}，请先保存病历。")
            session.merge(
                ResultRow(
                    record_id=record_id,
                    record_version=record.version,
                    score=report.result.score,
                    grade=report.result.grade,
                    content=content,
                    checked_at=datetime.now(UTC),
                )
            )

    def get(self, record_id: str) -> Report:
        """The last report, with the record as it was checked.

        Raises:
            NotFound: the record was never checked.
        """
        with self._database.reading() as session:
            row = session.get(ResultRow, record_id)
            if row is None:
                raise NotFound(f"病案 {record_id} 还没有质控结果，请先检查。")
            record = session.get_one(RecordVersionRow, (record_id, row.record_version))
            return Report(
                record=MedicalRecord.model_validate(record.content),
                result=Result.model_validate(row.content["result"]),
                reasons=row.content["reasons"],
                judged_share=row.content["judged_share"],
                deductions=row.content["deductions"],
                deciding_vetoes=tuple(row.content["deciding_vetoes"]),
                assessed_points=row.content["assessed_points"],
                total_points=row.content["total_points"],
            )
