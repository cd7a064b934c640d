"""Hints and findings as cards of CDS Hooks 2.0 (cds-hooks.hl7.org/2.0)."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import NotFound, UserError
from app.hints.hint import DueBy, Hint, HintRequest
from app.qc.render.text import basis_text
from app.qc.result import Finding
from app.qc.rule import Severity
from app.records.model import MedicalRecord
from app.service.desk import Desk
from app.storage.findings import FindingFilter
from app.storage.states import OPEN_STATES

_M = TypeVar("_M", bound=BaseModel)

Indicator = Literal["info", "warning", "critical"]

_INDICATORS: Mapping[Severity, Indicator] = {
    "veto": "critical", "major": "warning", "minor": "info", "hint": "info",
}  # fmt: skip
_LONGEST_SUMMARY = 140
_MOST_CARDS = 10
_SOON_MINUTES = 120
_WEIGHTY: tuple[Severity, ...] = ("veto", "major")
_REASONS = {
    "not_applicable": "不适用于本患者",
    "recorded_elsewhere": "已在别处记录",
    "wrong": "判断有误",
    "later": "稍后补写",
}
_REASON_SYSTEM = "urn:bingli:override-reasons"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:bingli:card")


class Service(BaseModel):
    """A service as discovery lists it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    hook: str
    title: str
    description: str
    id: str
    prefetch: dict[str, str] | None = None
    usageRequirements: str | None = None  # noqa: N815  # the standard's names


class Discovery(BaseModel):
    """All services."""

    services: tuple[Service, ...]


class HookRequest(BaseModel):
    """A call; ``context`` depends on the hook, ``prefetch`` may hold the stay as ``record``."""

    model_config = ConfigDict(extra="allow")

    hook: str
    hookInstance: str = Field(min_length=1, max_length=200)  # noqa: N815
    context: dict[str, Any]
    prefetch: dict[str, Any] = Field(default_factory=dict)


class Coding(BaseModel):
    """A code with its words."""

    model_config = ConfigDict(extra="allow")

    code: str
    system: str | None = None
    display: str | None = None


class Source(BaseModel):
    """Where the advice comes from."""

    label: str
    topic: Coding | None = None


class Suggestion(BaseModel):
    """How to mend it, in words; the user does it."""

    label: str
    uuid: str


class Card(BaseModel):
    """One card."""

    uuid: str
    summary: str
    indicator: Indicator
    detail: str
    source: Source
    suggestions: tuple[Suggestion, ...] = ()
    selectionBehavior: Literal["any"] | None = None  # noqa: N815
    overrideReasons: tuple[Coding, ...] = ()  # noqa: N815


class Cards(BaseModel):
    """The answer to a call."""

    cards: tuple[Card, ...]


class OverrideReason(BaseModel):
    """Why a card was set aside."""

    model_config = ConfigDict(extra="allow")

    reason: Coding | None = None
    userComment: str | None = Field(default=None, max_length=500)  # noqa: N815


class CardFeedback(BaseModel):
    """What became of one card."""

    model_config = ConfigDict(extra="allow")

    card: str = Field(max_length=64)
    outcome: Literal["accepted", "overridden"]
    overrideReason: OverrideReason | None = None  # noqa: N815


class Feedback(BaseModel):
    """What became of cards."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "feedback": [
                        {
                            "card": "4e0a3a1e-8b86-54a1-9f0c-5d0d3f0f0c55",
                            "outcome": "overridden",
                            "overrideReason": {
                                "reason": {"code": "not_applicable", "system": _REASON_SYSTEM}
                            },
                            "outcomeTimestamp": "2026-05-06T10:20:00Z",
                        }
                    ]
                }
            ]
        }
    )

    feedback: tuple[CardFeedback, ...] = Field(min_length=1, max_length=100)


_RECORD = "prefetch.record 可给出 bingli/record/1 病历；不给时按 encounterId 读已保存的病历。"

SERVICES: Mapping[str, Service] = {
    service.id: service
    for service in (
        Service(
            id="bingli-note",
            hook="cn.bingli.document-edit",
            title="书写提示",
            description="书写文书时的缺陷提示。context：userId、patientId、encounterId、document{text,type,cursor,id}。",
            usageRequirements=_RECORD,
        ),
        Service(
            id="bingli-stay",
            hook="patient-view",
            title="在院病历待办",
            description="打开患者时：没有处理完的缺陷。需要 encounterId。",
        ),
        Service(
            id="bingli-discharge",
            hook="encounter-discharge",
            title="出院前检查",
            description="办理出院时：单项否决和重要缺陷。",
            usageRequirements=_RECORD,
        ),
    )
}


def cards_for(desk: Desk, service: Service, request: HookRequest) -> Cards:
    """The cards of a call.

    Raises:
        UserError: the hook or the context is not the service's.
        Denied, NotFound: the stay is not there for this account.
    """
    if request.hook != service.hook:
        raise UserError(f"服务 {service.id} 用于 {service.hook}，不是 {request.hook}。")
    found = {"bingli-note": _note, "bingli-stay": _stay, "bingli-discharge": _discharge}[service.id](
        desk, request
    )
    return Cards(cards=tuple(found)[:_MOST_CARDS])


def take_feedback(desk: Desk, given: Feedback) -> None:
    """Keep what became of cards: a card set aside does not return on that stay.

    Raises:
        NotFound: a card was never given; what stands before it is kept.
    """
    for each in given.feedback:
        known = desk.shown_card(each.card)
        if known is None:
            raise NotFound(f"没有卡片 {each.card}，请使用返回卡片时的 uuid。")
        if each.outcome == "accepted":
            desk.follow(known["rule"], known["record_id"], known["quote"])
        else:
            desk.dismiss(known["rule"], known["quote"], _why(each.overrideReason), known["record_id"])


def _why(given: OverrideReason | None) -> str:
    reason = given.reason if given else None
    words = [_REASONS.get(reason.code, reason.display or reason.code)] if reason else []
    comment = [given.userComment] if given and given.userComment else []
    return "：".join(words + comment) or "未说明"


class _Advice(NamedTuple):
    """What a card says, from a hint or a finding; ``quote`` is the words that it is about."""

    rule: str
    quote: str
    severity: Severity
    title: str
    what: str
    how: str
    why: str

    @classmethod
    def of_hint(cls, hint: Hint) -> "_Advice":
        return cls(hint.rule, hint.quote, hint.severity, hint.title, hint.what, hint.how, hint.why)

    @classmethod
    def of_finding(cls, finding: Finding) -> "_Advice":
        quote = finding.evidence[0].quote if finding.evidence else ""
        why = "；".join(map(basis_text, finding.basis))
        said = (finding.title, finding.message, finding.suggestion, why)
        return cls(finding.rule, quote, finding.severity, *said)


def _note(desk: Desk, request: HookRequest) -> Iterator[Card]:
    document = request.context.get("document")
    if not isinstance(document, dict) or not isinstance(document.get("text"), str):
        raise UserError("context.document 缺少 text，请给出正在书写的全文。")
    record = _given_record(request)
    asked = {
        "text": document["text"],
        "type": document.get("type", "其他"),
        "cursor": document.get("cursor"),
        "record": record,
        "record_id": None if record else _known_encounter(desk, request),
    }
    if document.get("id"):
        asked["document_id"] = document["id"]
    wanted = _validated(HintRequest, asked, "context.document")
    hints = desk.hints(wanted)
    where = record.record_id if record else wanted.record_id
    yield from (_card(desk, _Advice.of_hint(hint), where) for hint in hints.hints)
    yield from (_due_card(due) for due in hints.due if due.minutes_left <= _SOON_MINUTES)


def _stay(desk: Desk, request: HookRequest) -> Iterator[Card]:
    record_id = _encounter(request)
    desk.record_summary(record_id)
    yield from _finding_cards(desk, record_id, ("veto", "major", "minor"))


def _discharge(desk: Desk, request: HookRequest) -> Iterator[Card]:
    record = _given_record(request)
    if record is None:
        record_id = _encounter(request)
        desk.recheck(record_id)
        yield from _finding_cards(desk, record_id, _WEIGHTY)
        return
    for finding in desk.check(record).result.findings:
        if finding.severity in _WEIGHTY:
            yield _card(desk, _Advice.of_finding(finding), record.record_id)


def _finding_cards(desk: Desk, record_id: str, severities: Iterable[Severity]) -> Iterator[Card]:
    for severity in severities:
        wanted = FindingFilter(record_id=record_id, severity=severity, states=OPEN_STATES)
        for work in desk.findings(wanted, limit=_MOST_CARDS).items:
            yield _card(desk, _Advice.of_finding(work.finding), record_id)


def _card(desk: Desk, advice: _Advice, record_id: str | None) -> Card:
    parts = (desk.account.name, record_id or "", advice.rule, advice.quote)
    number = str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))
    desk.note_card(number, {"rule": advice.rule, "quote": advice.quote, "record_id": record_id})
    return Card(
        uuid=number,
        summary=_cut(advice.what),
        indicator=_INDICATORS[advice.severity],
        detail=f"{_plain(advice.what)}\n\n依据：{_plain(advice.why)}",
        source=Source(
            label="bingli 病历质控",
            topic=Coding(code=advice.rule, system="urn:bingli:rules", display=advice.title),
        ),
        suggestions=(Suggestion(label=advice.how, uuid=str(uuid.uuid5(_NAMESPACE, number))),),
        selectionBehavior="any",
        overrideReasons=tuple(
            Coding(code=code, system=_REASON_SYSTEM, display=words) for code, words in _REASONS.items()
        ),
    )


def _due_card(due: DueBy) -> Card:
    left = f"还有 {due.minutes_left} 分钟" if due.minutes_left >= 0 else f"已超时 {-due.minutes_left} 分钟"
    return Card(
        uuid=str(uuid.uuid4()),
        summary=_cut(f"待书写：{due.what}，{left}"),
        indicator="warning",
        detail=f"{due.what} 须在 {due.due_at:%Y-%m-%d %H:%M} 前完成。",
        source=Source(label="bingli 病历质控", topic=Coding(code=due.rule, system="urn:bingli:rules")),
    )


def _cut(text: str) -> str:
    return text if len(text) < _LONGEST_SUMMARY else f"{text[: _LONGEST_SUMMARY - 2]}…"


def _plain(text: str) -> str:
    """Text that shows as it is in the Markdown of a card: no markup of a note gets through."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in text)


def _given_record(request: HookRequest) -> MedicalRecord | None:
    given = request.prefetch.get("record")
    return _validated(MedicalRecord, given, "prefetch.record") if given is not None else None


def _validated(model: type[_M], given: object, place: str) -> _M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"])) or "整个"
        raise UserError(f"{place} 的 {field} 缺失或类型不对，请按接口说明更正。") from error


def _encounter(request: HookRequest) -> str:
    given = request.context.get("encounterId")
    if not isinstance(given, str) or not given:
        raise UserError("context 缺少 encounterId，请给出住院的病案编号。")
    return given


def _known_encounter(desk: Desk, request: HookRequest) -> str | None:
    """The stay that the call names, if it is kept."""
    given = request.context.get("encounterId")
    if not isinstance(given, str):
        return None
    try:
        return desk.record_summary(given).record_id
    except NotFound:
        return None
