import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.case import Case
from app.qc.checks.laterality import LateralityContradicted, OperationSiteContradicted
from app.records.model import MedicalRecord, document_type

TYPES = tuple(
    map(document_type, ("入院记录", "首次病程记录", "术前小结", "手术知情同意书", "手术记录", "出院记录"))
)


def rule(check, *texts, **parts):
    documents = [{"id": f"D{n}", "type": kind, "text": text} for n, (kind, text) in enumerate(texts, 1)]
    record = MedicalRecord.model_validate({"record_id": "R", "documents": documents, **parts})
    return check.rule_on(Case(record), TYPES)


@pytest.mark.parametrize(
    ("admission", "discharge", "expected"),
    [
        ("主诉：左侧肢体无力9小时。", "入院情况：因“右侧肢体无力9小时”入院。", "defect"),
        ("主诉：左侧肢体无力9小时。", "入院情况：左上肢肌力4级，右侧肌力5级。", "not_applicable"),
        ("初步诊断：1. 左肾结石", "出院诊断：1. 右肾结石", "defect"),
        ("初步诊断：1. 左肾结石", "出院诊断：1. 右肾囊肿", "pass"),
        ("初步诊断：1. 左肾结石", "出院诊断：1. 双肾结石", "pass"),
        ("初步诊断：1. 左肾结石；2. 右肾结石", "出院诊断：1. 右肾结石", "pass"),
        ("初步诊断：1. 右侧股骨颈骨折；2. 左侧股骨颈骨折术后", "出院诊断：1. 右侧股骨颈骨折", "pass"),
        (
            "初步诊断：1. 右侧基底节区脑梗死；2. 左侧偏瘫",
            "出院诊断：1. 右侧大脑半球脑梗死；2. 左侧偏瘫",
            "pass",
        ),
        ("初步诊断：1. 右侧基底节区脑梗死", "出院诊断：1. 左侧基底节区脑梗死", "defect"),
        ("主诉：右髋疼痛。", "入院情况：无左髋疼痛，右髋疼痛。", "pass"),
        ("主诉：左眼视物模糊。", "入院情况：右眼视物模糊。", "defect"),
        ("主诉：左室肥大，予左氧氟沙星。", "入院情况：右室增大。", "not_applicable"),
    ],
)
def test_two_documents(admission, discharge, expected):
    ruling = rule(LateralityContradicted(), ("入院记录", admission), ("出院记录", discharge))
    assert ruling.outcome == expected
    for hit in ruling.hits:
        assert {e.document_id for e in hit.evidence} == {"D1", "D2"}


def test_the_paper_of_the_fewer_is_at_fault():
    right = "拟施手术名称和方式：右侧人工全髋关节置换术"
    ruling = rule(
        LateralityContradicted(),
        ("术前小结", right),
        ("手术知情同意书", "拟行手术名称：左侧人工全髋关节置换术"),
        ("手术记录", "手术名称：右侧人工全髋关节置换术"),
    )
    assert [hit.document_id for hit in ruling.hits] == ["D2"]


def test_two_operations_on_either_side_do_not_contradict():
    procedures = [
        {"id": "PR1", "kind": "手术", "name": "左膝关节置换术", "started_at": "2026-05-01 09:00"},
        {"id": "PR2", "kind": "手术", "name": "右膝关节置换术", "started_at": "2026-05-08 09:00"},
    ]
    documents = [
        {"id": "D1", "type": "手术记录", "text": "手术名称：左膝关节置换术", "refers_to": ["PR1"]},
        {"id": "D2", "type": "手术记录", "text": "手术名称：右膝关节置换术", "refers_to": ["PR2"]},
        {"id": "D3", "type": "入院记录", "text": "主诉：左膝疼痛3年。"},
    ]
    record = MedicalRecord.model_validate(
        {"record_id": "R", "documents": documents, "procedures": procedures}
    )
    assert LateralityContradicted().rule_on(Case(record), TYPES).outcome == "pass"


def test_a_report_contradicts_a_document():
    ruling = rule(
        LateralityContradicted(),
        ("出院记录", "出院诊断：1. 左侧肋骨骨折 2. 左侧股骨颈骨折"),
        exam_reports=[{"modality": "CT", "impression": "右侧股骨颈骨折。"}],
    )
    assert ruling.outcome == "defect"
    assert ruling.hits[0].details["other_quote"] == "CT报告“右侧股骨颈骨折”"


pieces = st.lists(
    st.sampled_from(
        [
            "主诉：",
            "出院诊断：",
            "手术名称：",
            "左",
            "右侧",
            "双",
            "髋",
            "肾结石",
            "疼痛",
            "骨折",
            "。",
            "\n",
            "；",
        ]
    ),
    max_size=14,
).map("".join)


@given(pieces, pieces)
def test_mirrored_records_are_judged_alike(a, b):
    """Left for right everywhere changes no outcome."""
    swap = str.maketrans("左右", "右左")
    outcomes = {
        rule(LateralityContradicted(), ("入院记录", one), ("出院记录", other)).outcome == "defect"
        for one, other in ((a, b), (a.translate(swap), b.translate(swap)))
    }
    assert len(outcomes) == 1


@pytest.mark.parametrize(
    ("planned", "done", "expected"),
    [
        ("L4/5椎间盘髓核摘除术", "L5/S1椎间盘髓核摘除术", "pass"),  # L5 is common to both
        ("L3/4椎间盘髓核摘除术", "L5/S1椎间盘髓核摘除术", "defect"),
        ("腰4/5椎间盘髓核摘除术", "L4-5椎间盘髓核摘除术", "pass"),
        ("胃部分切除术", "右半结肠切除术", "defect"),
        ("胃部分切除术", "横结肠切除术\n手术经过：术中探查见肿块来自横结肠，遂改行横结肠切除。", "pass"),
        ("清创术", "清创缝合术", "undetermined"),
    ],
)
def test_levels_and_organs(planned, done, expected):
    ruling = rule(
        OperationSiteContradicted(),
        ("术前小结", f"拟施手术名称和方式：{planned}"),
        ("手术记录", f"手术名称：{done}"),
    )
    assert ruling.outcome == expected
