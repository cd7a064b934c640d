import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.qc.render.html import flatten, render_html
from app.qc.render.marked import in_sentence
from app.qc.render.text import render_text
from app.qc.result import Finding, Report, Result
from app.qc.rule import Basis
from app.records.model import Document, Evidence, MedicalRecord

TEXT = "主诉：右侧肢体无力3天。\n现病史：3天前<b>晨起</b>出现左侧肢体无力，无头痛。"
LEFT = (TEXT.index("左侧"), TEXT.index("左侧") + 2)


def finding(*spans: tuple[int, int], text: str = TEXT, **changes) -> Finding:
    evidence = tuple(Evidence(document_id="D1", start=s, end=e, quote=text[s:e]) for s, e in spans)
    fields = {
        "id": "f1",
        "rule": "L-401",
        "title": "左右侧别互相矛盾",
        "category": "logic",
        "severity": "major",
        "points": 5.0,
        "document_id": "D1",
        "section": "现病史",
        "evidence": evidence,
        "message": "主诉写右侧，现病史写左侧。",
        "suggestion": "核对后更正。",
        "basis": (Basis(source="病历书写基本规范", clause="第三条", level="national"),),
        "engine": "rule",
        "confidence": 1.0,
    }
    return Finding(**{**fields, **changes})


def report(*findings: Finding, text: str = TEXT, **changes) -> Report:
    record = MedicalRecord.model_validate(
        {
            "record_id": "R1",
            "documents": [
                {
                    "id": "D1",
                    "type": "入院记录",
                    "title": "入院记录",
                    "text": text,
                    "written_at": "2026-05-06 14:02",
                }
            ],
        }
    )
    fields = {
        "score": 95.0,
        "grade": "甲",
        "vetoes": (),
        "outcomes": {"L-401": "defect", "F-101": "undetermined"},
    }
    result = Result(record_id="R1", profile="national", findings=findings, **{**fields, **changes})
    return Report(record, result, {"F-101": "未提供入院时间"}, 0.5, {"L-401": 5.0})


def test_text():
    shown = render_text(
        report(finding((3, 5), LEFT)),
        clause_text=lambda _: "病历书写应当客观、真实、准确。",
        explain=True,
    )
    assert shown == (
        "病历 R1    评分方案 national\n"
        "得分 95    等级 甲级    可判定比例 50%\n"
        "规则结论  缺陷 1  无法判定 1\n"
        "\n"
        "1. [重要] L-401 左右侧别互相矛盾（扣 5 分）\n"
        "   位置  入院记录（05-06 14:02） › 现病史\n"
        "   原文  主诉：【右侧】肢体无力3天。\n"
        "   原文  现病史：3天前<b>晨起</b>出现【左侧】肢体无力，无头痛。\n"
        "   问题  主诉写右侧，现病史写左侧。\n"
        "   建议  核对后更正。\n"
        "   依据  病历书写基本规范第三条［国家］\n"
        "         病历书写应当客观、真实、准确。\n"
        "\n"
        "无法判定或执行出错的规则\n"
        "   F-101  未提供入院时间\n"
    )


def test_a_finding_by_a_model_says_so():
    shown = render_text(report(finding((3, 5), engine="llm", confidence=0.93)))
    assert "由AI生成的判断，把握 93%，须经人工审核" in shown


def test_nothing_judged():
    assert "得分 —（没有可以判定的规则）" in render_text(report(score=None, grade=None))


def test_html_escapes_the_record_and_loads_nothing():
    page = render_html(report(finding((3, 5), LEFT)))
    assert "&lt;b&gt;晨起&lt;/b&gt;" in page
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)


def test_every_link_in_the_html_has_its_target():
    page = render_html(report(finding((3, 5), LEFT), finding((4, 8))))
    targets = set(re.findall(r' id="([^"]+)"', page))
    links = re.findall(r'href="#([^"]+)"', page)
    assert links
    assert set(links) <= targets


@pytest.mark.parametrize(
    ("spans", "numbers"),
    [
        ([], [()]),
        ([(3, 5)], [(), (1,), ()]),
        ([(0, 5), (3, 8)], [(1,), (1, 2), (2,), ()]),  # overlapping
        ([(0, 5), (0, 5)], [(1, 2), ()]),
        ([(3, 3)], [()]),  # empty evidence marks nothing
    ],
)
def test_overlapping_evidence_is_flattened(spans, numbers):
    document = Document(id="D1", type="入院记录", text=TEXT)
    pieces = flatten(document, [finding(span) for span in spans])
    assert [piece.numbers for piece in pieces] == numbers


places = st.integers(0, len(TEXT))


@given(st.lists(st.tuples(places, places).map(sorted).map(tuple), max_size=6))
def test_flattening_loses_and_doubles_nothing(spans):
    document = Document(id="D1", type="入院记录", text=TEXT)
    findings = [finding(span) for span in spans]
    pieces = flatten(document, findings)
    assert "".join(piece.text for piece in pieces) == TEXT
    for number, (start, end) in enumerate(spans, 1):
        assert "".join(p.text for p in pieces if number in p.numbers) == TEXT[start:end]


@given(st.text(alphabet="患者，。；\n 腹痛", min_size=1, max_size=300), st.data())
def test_evidence_is_always_shown(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    shown = in_sentence(
        report(text=text).record, Evidence(document_id="D1", start=start, end=end, quote=text[start:end])
    )
    assert shown.marked.replace("…", "")[:10] == text[start:end].replace("\n", " ")[:10]
