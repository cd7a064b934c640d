"""What the detectors of the admission note say, and of which words."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.qc.facts.detectors import DETECTORS
from app.qc.facts.detectors.base import Detection
from app.qc.facts.detectors.chief_complaint import complaints, parts
from app.qc.facts.detectors.diagnosis_list import diagnoses_of
from app.qc.facts.detectors.missing_diagnoses import diagnosis_lists_differ, diagnosis_missing
from app.qc.facts.detectors.visits import visits
from app.records.readers.note import note_record
from app.text.reading import Reading


def read(text: str) -> Reading:
    return Reading(note_record(text, "入院记录", "R1").documents[0])


def detect(name: str, section: str, text: str) -> Detection:
    reading = read(text)
    found = DETECTORS[name](reading, reading.section(section))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("恶心呕吐", ("恶心", "呕吐")),
        ("恶心、呕吐", ("恶心", "呕吐")),
        ("尿频尿急", ("尿频", "尿急")),
        ("下肢水肿", ("下肢水肿",)),  # a site is no symptom
        ("右上腹痛", ("右上腹痛",)),
    ],
)
def test_joined_symptom_words(term, expected):
    assert parts(term) == expected


def test_complaints_leave_out_what_is_denied_and_the_disease():
    found = complaints(read("主诉：贲门恶性肿瘤术后1年，呕吐2天，无发热。"))
    assert [each.term for each in found] == ["呕吐"]


@pytest.mark.parametrize(
    ("complaint", "many"),
    [
        ("头晕、恶心、呕吐、耳鸣2天", True),
        ("恶心呕吐伴腹痛、腹泻1天", True),
        ("腹痛、嗳气、矢气频、腹胀1月", True),  # one of them is in no lexicon
        ("头晕、恶心、呕吐2天", False),
        ("车祸伤致左肘疼痛、肿胀、活动受限2小时", False),  # the injury is the cause
        ("停经38周，腹痛、阴道流液1小时", False),
        ("胃癌术后、化疗后、免疫治疗后，乏力1周", False),  # treatments are none
    ],
)
def test_number_of_symptoms(complaint, many):
    assert detect("chief_complaint_has_many_symptoms", "主诉", f"主诉：{complaint}。").value is many


@pytest.mark.parametrize(
    ("complaint", "recorded"),
    [
        ("反复头晕2年", True),
        ("停经*周+2天", True),
        ("月余前体检发现脾大", True),  # the masked number at the start is read as a bullet
        ("自幼听力差", True),
        ("反复头晕", False),
        ("咳嗽XX天", False),  # a template left unfilled
    ],
)
def test_duration_of_the_chief_complaint(complaint, recorded):
    assert detect("chief_complaint_duration_recorded", "主诉", f"主诉：{complaint}。").value is recorded


@pytest.mark.parametrize(
    ("complaint", "colloquial"),
    [("咳痰喘半月", "咳痰喘"), ("拉肚子2天", "拉肚子"), ("左腿疼痛2天", ""), ("咳嗽、咳痰、气喘半月", "")],
)
def test_colloquial_words(complaint, colloquial):
    found = detect("chief_complaint_is_colloquial", "主诉", f"主诉：{complaint}。")
    assert found.value is bool(colloquial)
    assert colloquial in found.detail


@pytest.mark.parametrize(
    ("illness", "recorded"),
    [
        ("患者3天前无明显诱因下出现胸闷。", True),
        ("患者3天前提重物时突发胸闷。", True),
        ("患者3天前与邻居争执后即感胸闷。", True),
        ("患者3天前出现胸闷，活动后加重，休息时缓解。", False),  # what aggravates is no trigger
        ("患者3天前出现胸闷。昨日受凉后胸闷加重。", False),  # a later attack
        ("患者1周前治疗后出现胸闷。", False),  # 治疗后 only says when
    ],
)
def test_trigger_at_onset(illness, recorded):
    note = f"主诉：胸闷3天。\n现病史：{illness}"
    assert detect("trigger_recorded", "现病史", note).value is recorded


def test_what_an_examination_found_needs_no_trigger_but_the_symptom_beside_it_does():
    found = detect(
        "trigger_recorded", "现病史", "主诉：体检发现血糖高8年，口干1月。\n现病史：患者1月前出现口干。"
    )
    assert found.value is False
    assert "口干" in found.detail
    assert "血糖" not in found.detail


@pytest.mark.parametrize(
    ("complaint", "illness", "lacking"),
    [
        ("腹痛1天", "1天前出现右上腹阵发性绞痛，难以忍受。", ""),
        ("腹痛1天", "1天前出现腹痛，较剧烈。", "性质"),
        ("腹痛1天", "1天前出现腹部胀痛，阵发性加剧。", "程度"),
        ("气喘1天", "1天前出现气喘，爬楼即喘。", ""),
        ("气喘1天", "1天前出现气喘。查CT示胸腔少量积液。", "程度"),  # the words of a report
        ("气喘1天", "1天前出现乏力。", ""),  # not mentioned: asked elsewhere
        ("血尿1天", "1天前出现肉眼血尿。", ""),
    ],
)
def test_attributes_of_the_main_symptom(complaint, illness, lacking):
    found = detect("main_symptoms_described", "现病史", f"主诉：{complaint}。\n现病史：{illness}")
    assert found.value is not bool(lacking)
    assert lacking in found.detail


@pytest.mark.parametrize(
    ("illness", "missing"),
    [
        ("3天前腹痛，至市立医院就诊，予补液治疗后好转。", ""),
        ("3天前腹痛，至市立医院就诊，查B超无殊，治疗不详。", ""),
        ("3天前腹痛，遂至当地卫生院，建议上级医院就诊。", ""),
        ("3天前腹痛，未就诊。今来我院就诊，门诊拟“腹痛”收住入院。", ""),
        ("3天前腹痛，查腹部CT示胆囊结石。", "地点、治疗"),
        ("3天前腹痛，至市立医院查B超示胆囊结石，为进一步治疗收住入院。", "治疗"),  # a wish is no treatment
        ("3天前腹痛，至市立医院予补液。2天前至省医院查CT示胆管扩张。", "治疗"),  # the last one counts
        ("停经12周至我院产检，B超查胎儿无异常。", ""),  # antenatal care
    ],
)
def test_last_visit(illness, missing):
    found = detect("last_visit_complete", "现病史", f"主诉：腹痛3天。\n现病史：患者{illness}")
    assert found.value is not bool(missing)
    assert found.detail.endswith(missing)


def test_each_visit_is_told_up_to_the_next():
    reading = read("现病史：5天前至甲医院就诊，予补液。2天前至乙医院就诊，予止痛。病程中精神可。")
    section = reading.section("现病史")
    assert section is not None
    texts = [each.account.of(reading.document.text) for each in visits(reading, section)]
    assert texts == ["5天前至甲医院就诊，予补液。", "2天前至乙医院就诊，予止痛。"]


@pytest.mark.parametrize(
    ("illness", "past", "contradicted"),
    [
        ("2年前行胆囊切除术。", "否认手术、外伤史。", True),
        ("2年前行胆囊切除术。", "否认其他手术史。", False),
        ("拟行胆囊切除术。", "否认手术史。", False),
        ("2年前行胆囊切除术。", "有胆囊切除术史。", False),
        ("昨日行胸腔闭式引流术。", "否认手术史。", False),  # a bedside procedure
        ("2年前行肝穿刺活检术。", "否认手术史。", False),
    ],
)
def test_operations_told_and_denied(illness, past, contradicted):
    found = detect("surgery_contradicted", "既往史", f"现病史：{illness}\n既往史：{past}")
    assert found.value is contradicted
    assert len(found.spans) == 2 * contradicted


@pytest.mark.parametrize(
    ("complaint", "illness", "differ"),
    [
        ("头痛4天", "10天前受凉后出现头痛，4天前再发头痛。", True),
        ("头痛4天", "4天余前出现头痛。", False),
        ("头痛4天", "10天前出现发热，4天前出现头痛。", False),  # another symptom
        ("头痛*天", "10天前出现头痛。", None),
        ("头痛4天", "2026年5月1日出现头痛。", False),  # a date is not compared
    ],
)
def test_times_of_onset(complaint, illness, differ):
    reading = read(f"主诉：{complaint}。\n现病史：患者{illness}")
    found = DETECTORS["onset_times_differ"](reading, reading.section("现病史"))
    assert (found.value if found else None) is differ


@pytest.mark.parametrize(
    ("past", "lacking"),
    [
        ("高血压、糖尿病病史5年，服药控制。", "高血压、糖尿病"),
        ("高血压5年，口服氨氯地平5mg qd；糖尿病2年，口服二甲双胍。", "糖尿病没有写剂量"),
        ("高血压5年，口服氨氯地平5mg qd；糖尿病2年，治疗不详。", ""),
        ("血压正常，最高血压120/80mmHg。", ""),
        ("否认高血压病史。父亲有糖尿病。", ""),
        ("口服参芍片治疗高血压。", "高血压"),  # 片 of the name is no dose
    ],
)
def test_treatment_of_chronic_diseases(past, lacking):
    found = detect("chronic_disease_without_treatment", "既往史", f"既往史：{past}")
    assert found.value is bool(lacking)
    assert lacking in found.detail


@pytest.mark.parametrize(
    ("past", "lacking"),
    [
        ("2年前行阑尾切除术，恢复好。", True),
        ("18岁行颈部肿物切除。", True),
        ("2年前全麻下行阑尾切除术，恢复好。", False),
        ("阑尾切除术史，具体不详。", False),
        ("手术史：否认。", False),
        ("否认手术史。", False),
    ],
)
def test_account_of_operations(past, lacking):
    assert detect("operation_without_account", "既往史", f"既往史：{past}").value is lacking


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("['肺炎,胸闷\\r\\r,5日\\r']", ["肺炎", "胸闷"]),
        ("['(左侧)乳腺恶性肿瘤', '高血压2级']", ["(左侧)乳腺恶性肿瘤", "高血压2级"]),
        ("1.肺炎 2.心房颤动[心房纤颤]", ["肺炎", "心房颤动[心房纤颤]"]),
        ("肺部阴影(右下肺，待排)；糖尿病", ["肺部阴影(右下肺,待排)", "糖尿病"]),
        ("['']", []),
        ("None", []),
        ("(双眼)", []),
    ],
)
def test_diagnoses_as_a_list(written, names):
    reading = read(f"主诉：咳嗽。\n入院诊断：{written}")
    section = reading.section("入院诊断")
    assert section is not None
    found = diagnoses_of(reading, section)
    assert [each.name for each in found] == names
    assert all(each.span.of(reading.half) == each.name for each in found)


@pytest.mark.parametrize(
    ("note", "named"),
    [
        ("既往史：高血压6年。\n入院诊断：肺炎", "高血压"),
        ("既往史：高血压6年。\n入院诊断：肺炎，高血压3级", ""),
        ("既往史：否认高血压。\n入院诊断：肺炎", ""),
        ("辅助检查：胸部CT：两侧胸腔少量积液。\n入院诊断：肺炎", "胸腔积液"),
        ("辅助检查：胸部CT：未见胸腔积液。\n入院诊断：肺炎", ""),
        ("辅助检查：胸部CT：肺气肿。\n入院诊断：慢性阻塞性肺疾病", ""),  # contained
        ("现病史：查乙肝表面抗原阴性。\n入院诊断：肺炎", ""),  # a test, no disease
        ("既往史：有胆囊结石手术史。\n入院诊断：肺炎", ""),  # removed with the organ
    ],
)
def test_diagnoses_left_out(note, named):
    reading = read(f"主诉：咳嗽。\n{note}")
    found = diagnosis_missing(reading, None)
    assert found.value is bool(named)
    assert named in found.detail


@pytest.mark.parametrize(
    ("note", "quotes"),
    [
        ("既往史：胃溃疡6年。\n辅助检查：胃镜：胃窦溃疡。", ["胃溃疡"]),  # one disease, told and seen
        ("既往史：胃溃疡6年。\n辅助检查：胃镜：食管静脉曲张。", ["胃溃疡", "食管静脉曲张"]),
    ],
)
def test_a_disease_of_two_names_is_missing_once(note, quotes):
    reading = read(f"主诉：黑便。\n{note}\n入院诊断：贫血")
    found = diagnosis_missing(reading, None)
    assert [span.of(reading.document.text) for span in found.spans] == quotes


def test_every_missing_diagnosis_is_quoted_verbatim():
    reading = read("主诉：咳嗽。\n既往史：高血压６年。\n辅助检查：ＣＴ：脂肪肝，肝囊肿。\n入院诊断：肺炎")
    found = diagnosis_missing(reading, None)
    quotes = [span.of(reading.document.text) for span in found.spans]
    assert quotes == ["高血压", "肝囊肿", "脂肪肝"]


@pytest.mark.parametrize(
    ("admission", "preliminary", "differ"),
    [
        ("肺炎", "肺炎，低钾血症", True),
        ("肺炎，低钾血症", "肺炎", True),
        ("肺炎", "肺炎", False),
        ("肺炎", "", False),  # blank is another matter
        ("社区获得性肺炎", "肺炎", False),
    ],
)
def test_two_lists_of_diagnoses(admission, preliminary, differ):
    reading = read(f"主诉：咳嗽。\n入院诊断：{admission}\n初步诊断：{preliminary}")
    assert diagnosis_lists_differ(reading, None).value is differ


@pytest.mark.parametrize(
    ("written", "missing"),
    [
        ("2026-05-03 市立医院胸部CT：左上肺占位。", ""),
        ("胸部CT：左上肺占位。", "检查地点、检查时间"),
        ("（本院）胸部CT：左上肺占位。", "检查时间"),
        ("2026-05-03 本院：左上肺占位。", "检查项目"),
        ("血型（本院，）：A型。\n胸部CT（2026-05-03，本院）：无殊。", "检查时间"),
        ("暂无。", ""),
        ("见现病史。", ""),
        ("-", ""),
    ],
)
def test_what_a_result_needs(written, missing):
    found = detect("examinations_incomplete", "辅助检查", f"辅助检查：{written}")
    assert found.value is bool(missing)
    assert missing in found.detail


ADMISSION_DETECTORS = sorted(
    name
    for name, function in DETECTORS.items()
    if function.__module__.rsplit(".", 1)[1] not in ("course", "discharge")
)
SECTIONS = ("主诉", "现病史", "既往史", "专科检查", "辅助检查", "入院诊断", "初步诊断")
bodies = st.text(
    alphabet="右左腹痛发热3天前至医院予，。、：（*行切除术后否认高血压病史肺结节\n無\r\\['肿１𬌗", max_size=50
)


@hypothesis_settings(deadline=None)
@given(st.lists(bodies, min_size=len(SECTIONS), max_size=len(SECTIONS)))
def test_no_note_makes_a_detector_fail_and_every_span_is_in_the_text(written):
    text = "主诉：\n" + "\n".join(f"{name}：{body}" for name, body in zip(SECTIONS, written, strict=True))
    reading = read(text)
    for name in ADMISSION_DETECTORS:
        for section in (None, *(reading.section(title) for title in SECTIONS)):
            found = DETECTORS[name](reading, section)
            assert found is None or all(0 <= span.start <= span.end <= len(text) for span in found.spans)
