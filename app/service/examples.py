"""Examples for the interface description; the tests send every one of them."""

from typing import Any

_NOTE = "主诉：反复上腹痛2月，加重3天。\n现病史：患者2月前进食生冷后出现上腹隐痛，3天前加重，于我院门诊就诊，予抑酸治疗后无好转。\n既往史："

_RECORD: dict[str, Any] = {
    "format": "bingli/record/1",
    "record_id": "ZY-EXAMPLE-1",
    "patient": {"name": "张某", "sex": "男", "age": "52岁"},
    "encounter": {"department": "消化内科", "admitted_at": "2026-05-06T10:20:00+08:00"},
    "documents": [
        {
            "id": "D01",
            "type": "入院记录",
            "text": _NOTE,
            "written_at": "2026-05-06T14:02:00+08:00",
            "author": {"id": "doctor", "name": "李医生", "title": "住院医师"},
        }
    ],
}

RECORD_EXAMPLES: dict[str, Any] = {
    "一份入院记录": {"summary": "在院患者，只有入院记录", "value": _RECORD},
}
HINT_EXAMPLES: dict[str, Any] = {
    "只有正在写的文书": {
        "summary": "光标在末尾",
        "value": {"text": _NOTE, "type": "入院记录", "cursor": len(_NOTE)},
    },
    "连同病历": {
        "summary": "写首次病程时，与已有的入院记录对照",
        "value": {
            "text": "病例特点：患者，男，52岁，反复上腹痛2月。",
            "type": "首次病程记录",
            "record": _RECORD,
            "is_finished": True,
        },
    },
}
HOOK_EXAMPLES: dict[str, Any] = {
    "正在写入院记录": {
        "summary": "bingli-note：hook cn.bingli.document-edit",
        "value": {
            "hook": "cn.bingli.document-edit",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {
                "userId": "Practitioner/doctor",
                "patientId": "P001",
                "encounterId": "ZY-EXAMPLE-1",
                "document": {"id": "D01", "type": "入院记录", "text": _NOTE, "cursor": len(_NOTE)},
            },
            "prefetch": {"record": _RECORD},
        },
    },
}
