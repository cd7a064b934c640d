"""A stay to draft from, and what the tests of drafts ask of one."""

import json
from datetime import UTC, datetime

from app.drafting.assemble import Drafting
from app.drafting.entailment import ModelJudge
from app.drafting.write import Narrator
from app.labelling.labeller import Labeller
from app.llm.engines import open_model
from app.records.model import Evidence, MedicalRecord
from app.settings import Settings
from tests.support.model_server import ModelServer, Reply

KEY = b"k" * 32
NOW = datetime(2026, 5, 14, 10, 0, tzinfo=UTC)


def note(id_, type_, text, at):
    return {"id": id_, "type": type_, "text": text, "written_at": at}


def stay(**changes):
    record = {
        "format": "bingli/record/1",
        "record_id": "T1",
        "patient": {"name": "试某", "sex": "男", "age": "63岁"},
        "encounter": {
            "department": "呼吸内科",
            "admitted_at": "2026-05-06T10:20:00+08:00",
            "discharged_at": "2026-05-14T09:00:00+08:00",
            "disposition": "医嘱离院",
        },
        "documents": [
            note(
                "D1",
                "入院记录",
                "主诉：右侧胸痛3天。\n现病史：患者3天前受凉后出现右侧胸痛，伴咳嗽。无咯血。\n"
                "体格检查：T 38.6℃，P 96次/分，R 22次/分，BP 120/80mmHg。右下肺呼吸音减弱，未闻及干啰音。\n"
                "初步诊断：右下肺炎",
                "2026-05-06T12:00:00+08:00",
            ),
            note(
                "D2",
                "日常病程记录",
                "予头孢曲松2.0g静脉滴注每日1次抗感染。患者右侧胸痛较前减轻，无发热。",
                "2026-05-08T09:00:00+08:00",
            ),
            note(
                "D3",
                "日常病程记录",
                "复查白细胞6.8×10^9/L，较前下降。患者无胸痛、咳嗽，体温36.5℃。出院后2周门诊复查胸片。",
                "2026-05-13T09:00:00+08:00",
            ),
        ],
        "diagnoses": [
            {"id": "DX2", "stage": "出院", "rank": 2, "name": "高血压病2级"},
            {"id": "DX1", "stage": "出院", "rank": 1, "name": "右下肺炎"},
        ],
        "orders": [
            {
                "id": "O1",
                "kind": "出院带药",
                "category": "药品",
                "drug": {"name": "头孢地尼胶囊", "dose": 100, "unit": "mg", "route": "口服", "frequency": "tid"},
                "take_home": True,
            }
        ],
        "lab_results": [
            {"id": "L1", "panel": "血常规", "item": "白细胞", "value": "13.2", "unit": "10^9/L", "flag": "高",
             "sampled_at": "2026-05-06T11:00:00+08:00"},
            {"id": "L2", "panel": "血常规", "item": "血小板", "value": "210", "unit": "10^9/L", "flag": "正常"},
        ],
        "exam_reports": [
            {"id": "E1", "modality": "CT", "site": "胸部", "impression": "右下肺炎症",
             "performed_at": "2026-05-06T15:00:00+08:00"}
        ],
    }  # fmt: skip
    record.update(changes)
    return MedicalRecord.model_validate(record)


def finished(record, narrator=None, judge=None, document_type=None):
    drafting = Drafting(record, narrator, judge, document_type)
    list(drafting.sentences())
    return drafting, drafting.finish(Labeller("0011", KEY), NOW)


def words(draft, name):
    return [sentence.text for sentence in draft.section(name).sentences]


def resolves(record, citation):
    if isinstance(citation, Evidence):
        return (
            record.documents_by_id[citation.document_id].text[citation.start : citation.end] == citation.quote
        )
    collection, name = citation.resource.split("/")
    if collection == "encounter":
        return name in type(record.encounter).model_fields
    entries = getattr(record, collection)
    return any(getattr(entry, "id", None) == name for entry in entries) or int(name.removeprefix("#")) < len(
        entries
    )


def all_citations(draft):
    sentences = [sentence for section in draft.sections for sentence in section.sentences]
    return [c for s in sentences for c in s.citations] + [omission.source for omission in draft.missing]


def is_writing(request):
    return "诊疗经过" in request["messages"][0]["content"]


def drafted_by(server, record, tmp_path, cache=None):
    with open_model(Settings(model=server.url, data_dir=tmp_path)) as model:
        narrator, judge = Narrator(model, cache), ModelJudge(model, cache)
        return finished(record, narrator, judge)


def saying(*sentences):
    """A server that writes ``sentences`` for the first window and calls every claim supported."""

    def script(request):
        if not is_writing(request):
            return Reply('{"v":"支持"}')
        return Reply(
            json.dumps([{"t": text, "s": numbers} for text, numbers in sentences], ensure_ascii=False)
        )

    return ModelServer(script)
