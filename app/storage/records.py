"""Records, each with all its versions."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Select, and_, delete, false, or_, select, tuple_
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound, UserError
from app.privacy.rights import EVERYTHING, Bounds, Scope, scope_of
from app.records.model import MedicalRecord, Moment
from app.storage.columns import column_text
from app.storage.database import Database
from app.storage.paging import Page, page_limit, page_of
from app.storage.states import Stage
from app.storage.tables import RecordPersonRow, RecordRow, RecordVersionRow, ResultRow

_LONGEST_ID = 128


class RecordSummary(BaseModel):
    """What a list shows of a record.

    Attributes:
        version: of the content; a save states the version that it saw.
        is_locked: filed (归档); it takes a recall to change it.
        score, grade: of the last check; ``None`` before it, or where nothing could be judged.
    """

    model_config = ConfigDict(frozen=True)

    record_id: str
    version: int
    stage: Stage
    department: str | None
    patient_name: str | None
    ward: str | None
    bed: str | None
    main_diagnosis: str | None
    admitted_at: datetime | None
    discharged_at: datetime | None
    archived_at: datetime | None
    is_locked: bool
    is_deidentified: bool
    score: float | None
    grade: str | None
    updated_at: datetime


class RecordFilter(BaseModel):
    """Which records; ``None`` does not ask. ``text`` is part of the id, the name or the main diagnosis."""

    model_config = ConfigDict(frozen=True)

    department: str | None = None
    person: str | None = None
    stage: Stage | None = None
    text: str | None = None
    updated_since: Moment | None = None


class RecordStore:
    """Records in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self,
        record: MedicalRecord,
        stage: Stage,
        by: str,
        *,
        version: int | None = None,
        is_deidentified: bool = False,
    ) -> RecordSummary:
        """Keep a record as a new version; saving what is there already changes nothing.

        Args:
            by: the account that saves.
            version: the version that the change starts from; ``None`` writes over whatever is there.

        Raises:
            Conflict: somebody else saved meanwhile, or the record is filed.
            UserError: the id is too long.
        """
        if column_text(record.record_id, _LONGEST_ID) != record.record_id:
            raise UserError(f"病案编号过长或含有不可用的字符，请改为 {_LONGEST_ID} 个字以内的编号。")
        content = record.model_dump(mode="json", by_alias=True)
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        with self._database.session() as session:
            row = session.get(RecordRow, record.record_id, with_for_update=True)
            if row is None:
                row = _new_row(record, by)
                session.add(row)
            elif version is not None and version != row.version:
                raise Conflict(f"病案 {record.record_id} 已被他人保存，请刷新后再改。")
            elif row.digest == digest and row.stage == stage:
                return _summary(row, session.get(ResultRow, row.record_id))
            elif row.is_locked and row.digest != digest:
                raise Conflict(f"病案 {record.record_id} 已归档，请先申请召回，批准后再改。")
            _describe(row, record, stage, by, is_deidentified=is_deidentified)
            if row.digest != digest:
                row.digest, row.version = digest, row.version + 1
                session.flush()
                session.add(
                    RecordVersionRow(
                        record_id=row.record_id,
                        version=row.version,
                        content=content,
                        saved_by=by,
                        saved_at=row.updated_at,
                    )
                )
                _set_people(session, record)
            return _summary(row, session.get(ResultRow, row.record_id))

    def get(self, record_id: str, version: int | None = None) -> MedicalRecord:
        """A record as it is, or as it was in a version.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            row = _row(session, record_id)
            kept = session.get(RecordVersionRow, (record_id, version or row.version))
            if kept is None:
                raise NotFound(f"病案 {record_id} 没有第 {version} 版。")
            return MedicalRecord.model_validate(kept.content)

    def summary(self, record_id: str) -> RecordSummary:
        """What lists show of a record.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            return _summary(_row(session, record_id), session.get(ResultRow, record_id))

    def version(self, record_id: str) -> int:
        """The version of a record as it is now.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            return _row(session, record_id).version

    def scope(self, record_id: str) -> Scope:
        """Who the stored record belongs to.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as session:
            row = _row(session, record_id)
            people = session.scalars(
                select(RecordPersonRow.person).where(RecordPersonRow.record_id == record_id)
            )
            return Scope(
                department=row.department, people=frozenset(people), is_deidentified=row.is_deidentified
            )

    def page(
        self,
        wanted: RecordFilter,
        cursor: str | None = None,
        limit: int = 50,
        bounds: Bounds | None = EVERYTHING,
    ) -> Page[RecordSummary]:
        """Records, the last changed first.

        Args:
            bounds: what the reader may see (``rights.bounds``).

        Raises:
            UserError: the cursor or the limit is impossible.
        """
        query = (
            select(RecordRow, ResultRow)
            .outerjoin(ResultRow, ResultRow.record_id == RecordRow.record_id)
            .where(*_conditions(wanted), within(bounds))
            .order_by(RecordRow.updated_at.desc(), RecordRow.record_id.desc())
            .limit(page_limit(limit) + 1)
        )
        with self._database.reading() as session:
            rows = session.execute(_after(query, cursor)).all()
        return page_of(rows, limit, lambda row: _summary(row[0], row[1]), lambda row: _cursor(row[0]))


def within(limits: Bounds | None) -> ColumnElement[bool]:
    """The condition on ``RecordRow`` that says what a reader may see."""
    if limits is None:
        return false()
    if limits.is_unlimited:
        return RecordRow.record_id.is_not(None)
    parts: list[ColumnElement[bool]] = []
    if limits.department is not None:
        parts.append(RecordRow.department == limits.department)
    if limits.person is not None:
        parts.append(RecordRow.record_id.in_(_records_of(limits.person)))
    if limits.named is not None:
        parts.append(
            and_(
                RecordRow.department == limits.named_department,
                RecordRow.record_id.in_(_records_of(limits.named)),
            )
        )
    if limits.deidentified:
        parts.append(RecordRow.is_deidentified.is_(True))
    return or_(false(), *parts)


def _records_of(person: str) -> Select[str]:
    return select(RecordPersonRow.record_id).where(RecordPersonRow.person == person)


def _conditions(wanted: RecordFilter) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.department is not None:
        conditions.append(RecordRow.department == wanted.department)
    if wanted.person is not None:
        conditions.append(RecordRow.record_id.in_(_records_of(wanted.person)))
    if wanted.stage is not None:
        conditions.append(RecordRow.stage == wanted.stage)
    if wanted.updated_since is not None:
        conditions.append(RecordRow.updated_at >= wanted.updated_since)
    if wanted.text:
        columns = (RecordRow.record_id, RecordRow.patient_name, RecordRow.main_diagnosis)
        conditions.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
    return conditions


def _after(query: Select[RecordRow, ResultRow], cursor: str | None) -> Select[RecordRow, ResultRow]:
    if cursor is None:
        return query
    moment, _, record_id = cursor.partition("|")
    try:
        at = datetime.fromtimestamp(int(moment) / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        raise UserError("翻页标记不可用，请从第一页重新查询。") from None
    return query.where(tuple_(RecordRow.updated_at, RecordRow.record_id) < tuple_(at, record_id))


def _cursor(row: RecordRow) -> str:
    return f"{round(row.updated_at.timestamp() * 1_000_000)}|{row.record_id}"


def _row(session: Session, record_id: str) -> RecordRow:
    row = session.get(RecordRow, record_id)
    if row is None:
        raise NotFound(f"没有病案 {record_id}，请核对编号。")
    return row


def _new_row(record: MedicalRecord, by: str) -> RecordRow:
    return RecordRow(
        record_id=record.record_id, version=0, digest="", created_at=datetime.now(UTC), saved_by=by
    )


def _describe(row: RecordRow, record: MedicalRecord, stage: Stage, by: str, *, is_deidentified: bool) -> None:
    stay = record.encounter
    row.stage, row.saved_by, row.updated_at = stage, by, datetime.now(UTC)
    row.department, row.ward, row.bed = (
        column_text(stay.department, 64),
        column_text(stay.ward, 64),
        column_text(stay.bed, 32),
    )
    row.patient_name = column_text(record.patient.name, 64)
    row.main_diagnosis = column_text(_main_diagnosis(record), 128)
    row.admitted_at, row.discharged_at = stay.admitted_at, stay.discharged_at or stay.died_at
    row.archived_at, row.is_locked = record.archived_at, record.archived_at is not None
    row.is_deidentified = is_deidentified


def _main_diagnosis(record: MedicalRecord) -> str | None:
    """The first diagnosis of the latest stage that has one."""
    stages = ("出院", "死亡", "修正", "入院", "初步", "门诊")
    named = [
        diagnosis for diagnosis in record.diagnoses or () if diagnosis.name and diagnosis.stage in stages
    ]
    named.sort(key=lambda diagnosis: (stages.index(diagnosis.stage or ""), diagnosis.rank or 99))
    return named[0].name if named else None


def _set_people(session: Session, record: MedicalRecord) -> None:
    session.execute(delete(RecordPersonRow).where(RecordPersonRow.record_id == record.record_id))
    people = sorted(person[:_LONGEST_ID] for person in scope_of(record).people)
    session.add_all(
        RecordPersonRow(record_id=record.record_id, person=column_text(person, _LONGEST_ID) or "")
        for person in people
    )


def _summary(row: RecordRow, result: ResultRow | None) -> RecordSummary:
    return RecordSummary(
        record_id=row.record_id,
        version=row.version,
        stage=Stage(row.stage),
        department=row.department,
        patient_name=row.patient_name,
        ward=row.ward,
        bed=row.bed,
        main_diagnosis=row.main_diagnosis,
        admitted_at=row.admitted_at,
        discharged_at=row.discharged_at,
        archived_at=row.archived_at,
        is_locked=row.is_locked,
        is_deidentified=row.is_deidentified,
        score=result.score if result else None,
        grade=result.grade if result else None,
        updated_at=row.updated_at,
    )
