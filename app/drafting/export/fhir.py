"""The draft as FHIR R4 document: a Bundle of Composition, Patient, Encounter, Device and Provenance."""

import json
from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from app.drafting.draft import Draft
from app.drafting.export.view import SOURCES_HEADING, Block, DraftView
from app.labelling import fhir as fhir_label
from app.labelling.fhir import AI_ASSERTED
from app.labelling.label import Label
from app.records.model import CHINA_TIME, DocumentType, Evidence, MedicalRecord

Resource = dict[str, Any]

_RECORD_SYSTEM = "urn:bingli:record"
_PRODUCTION_SYSTEM = "urn:bingli:production"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_LOINC = "http://loinc.org"
_SHARED_DOCUMENTS = "urn:oid:2.16.156.10011.2.4"
"""Document codes of WS/T 500-2016."""
_CODES: dict[DocumentType, tuple[str, str | None]] = {
    "出院记录": ("C0053", "18842-5"),
    "24小时内入出院记录": ("C0035", "18842-5"),
    "24小时内入院死亡记录": ("C0036", None),
    "死亡记录": ("C0050", None),
    "转科记录": ("C0042", "18761-7"),
    "阶段小结": ("C0043", "11506-3"),
}
"""WS/T 500 code and, where one fits, LOINC code."""
_GENDERS = {"男": "male", "女": "female"}
_DISPOSITIONS = {
    "医嘱离院": ("home", "Home"), "医嘱转院": ("other-hcf", "Other healthcare facility"),
    "非医嘱离院": ("aadvice", "Left against advice"), "死亡": ("exp", "Expired"), "其他": ("oth", "Other"),
}  # fmt: skip


def render(draft: Draft, record: MedicalRecord, key: bytes) -> bytes:
    """The labelled Bundle; ``draft``'s label is taken over, sealed anew over what this Bundle says."""
    label = Label.model_validate(draft.label)
    bundle = _Document(DraftView(draft, record), label).bundle()
    return fhir_label.write(json.dumps(bundle, ensure_ascii=False).encode(), label, key)


class _Document:
    """The resources of one document, which name each other by ``urn:uuid``."""

    def __init__(self, view: DraftView, label: Label) -> None:
        self._view, self._draft, self._record = view, view.draft, view.record
        self._production = label.AIGC.ProduceID
        self._at = _instant(self._draft.created_at)

    def bundle(self) -> Resource:
        """The Bundle; its Composition stands first, as a document's must."""
        resources = (
            self._composition(),
            self._patient(),
            self._encounter(),
            self._device(),
            self._provenance(),
        )
        return {
            "resourceType": "Bundle",
            "meta": {"security": [AI_ASSERTED]},
            "identifier": {"system": _PRODUCTION_SYSTEM, "value": self._production},
            "type": "document",
            "timestamp": self._at,
            "entry": [{"fullUrl": self._url(r["resourceType"]), "resource": r} for r in resources],
        }

    def _url(self, resource_type: str) -> str:
        return uuid5(NAMESPACE_URL, f"{self._production}/{resource_type}").urn

    def _to(self, resource_type: str) -> Resource:
        return {"reference": self._url(resource_type)}

    def _composition(self) -> Resource:
        sections = [_section(block) for block in self._view.blocks if block.lines]
        return {
            "resourceType": "Composition",
            "meta": {"security": [AI_ASSERTED]},
            "language": "zh-CN",
            "text": _narrative(self._view.notice, self._view.patient_line, self._view.date_line),
            "status": "preliminary",
            "type": self._type(),
            "subject": self._to("Patient"),
            "encounter": self._to("Encounter"),
            "date": self._at,
            "author": [self._to("Device")],
            "title": self._view.title,
            "section": [*sections, self._sources(), *self._notices()],
        }

    def _notices(self) -> list[Resource]:
        return [_titled("提示", [self._view.notice])] if self._view.notice else []

    def _type(self) -> Resource:
        name = self._draft.document_type
        shared, loinc = _CODES[name]
        codings = [{"system": _SHARED_DOCUMENTS, "code": shared}]
        return {"coding": codings + ([{"system": _LOINC, "code": loinc}] if loinc else []), "text": name}

    def _sources(self) -> Resource:
        lines = (f"[{s.number}] {s.where}{f'：“{s.quote}”' if s.quote else ''}" for s in self._view.sources)
        return _titled(SOURCES_HEADING, lines)

    def _patient(self) -> Resource:
        patient = self._record.patient
        return _given(
            resourceType="Patient",
            identifier=[{"system": _RECORD_SYSTEM, "value": patient.id}] if patient.id else None,
            name=[{"text": patient.name}] if patient.name else None,
            gender=_GENDERS.get(patient.sex or "", "unknown"),
            birthDate=patient.birth_date.isoformat() if patient.birth_date else None,
        )

    def _encounter(self) -> Resource:
        stay = self._record.encounter
        end = stay.discharged_at or stay.died_at
        disposition = _DISPOSITIONS.get(stay.disposition or "")
        period = _given(
            start=_instant(stay.admitted_at) if stay.admitted_at else None, end=_instant(end) if end else None
        )
        return _given(
            resourceType="Encounter",
            identifier=[{"system": _RECORD_SYSTEM, "value": self._record.record_id}],
            status="finished" if end else "in-progress",
            **{"class": {"system": f"{_TERMINOLOGY}v3-ActCode", "code": "IMP"}},
            subject=self._to("Patient"),
            period=period or None,
            serviceType={"text": stay.department} if stay.department else None,
            hospitalization=_disposition(*disposition) if disposition else None,
        )

    def _device(self) -> Resource:
        device: Resource = {
            "resourceType": "Device",
            "deviceName": [{"name": "bingli", "type": "manufacturer-name"}],
        }
        if self._draft.model:
            device["version"] = [{"value": f"{self._draft.model} {self._draft.prompt_version or ''}".strip()}]
        return device

    def _provenance(self) -> Resource:
        return _given(
            resourceType="Provenance",
            meta={"security": [AI_ASSERTED]},
            target=[self._to("Composition")],
            recorded=self._at,
            activity={"coding": [{"system": f"{_TERMINOLOGY}v3-DataOperation", "code": "CREATE"}]},
            agent=[_agent("author", self._to("Device")), *self._reviewers()],
            entity=[{"role": "source", "what": what} for what in self._cited_documents()] or None,
        )

    def _reviewers(self) -> list[Resource]:
        steps = (step for section in self._draft.sections for s in section.sentences for step in s.review)
        return [_agent("verifier", {"display": name}) for name in dict.fromkeys(step.by for step in steps)]

    def _cited_documents(self) -> list[Resource]:
        citations = (source.citation for source in self._view.sources)
        ids = dict.fromkeys(c.document_id for c in citations if isinstance(c, Evidence))
        named = ((id_, self._view.document_name(self._record.documents_by_id[id_])) for id_ in ids)
        return [
            {
                "identifier": {"system": _RECORD_SYSTEM, "value": f"{self._record.record_id}/{id_}"},
                "display": name,
            }
            for id_, name in named
        ]


def _given(**elements: object) -> Resource:
    """The elements that have a value; FHIR has no null."""
    return {name: value for name, value in elements.items() if value is not None}


def _instant(moment: datetime) -> str:
    return moment.astimezone(CHINA_TIME).isoformat(timespec="seconds")


def _section(block: Block) -> Resource:
    groups = [[line] for line in block.lines] if block.is_list else block.paragraphs
    return _titled(block.name, ("".join(line.text + line.mark for line in lines) for lines in groups))


def _titled(title: str, lines: Iterable[str]) -> Resource:
    return {"title": title, "text": _narrative(*lines)}


def _narrative(*lines: str) -> Resource:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs or "<p>—</p>"}</div>',
    }


def _disposition(code: str, display: str) -> Resource:
    coding = {"system": f"{_TERMINOLOGY}discharge-disposition", "code": code, "display": display}
    return {"dischargeDisposition": {"coding": [coding]}}


def _agent(kind: str, who: Resource) -> Resource:
    coding = {"system": f"{_TERMINOLOGY}provenance-participant-type", "code": kind}
    return {"type": {"coding": [coding]}, "who": who}
