from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.records.model import DOCUMENT_TYPES, MedicalRecord, document_type


def record(**fields) -> MedicalRecord:
    return MedicalRecord.model_validate({"record_id": "R1", **fields})


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-05-06T10:20:00+08:00", datetime(2026, 5, 6, 2, 20, tzinfo=UTC)),
        ("2026-05-06 10:20", datetime(2026, 5, 6, 2, 20, tzinfo=UTC)),  # no offset: China Standard Time
        ("2026-05-06T10:20:00Z", datetime(2026, 5, 6, 10, 20, tzinfo=UTC)),
    ],
)
def test_times(written, moment):
    assert record(encounter={"admitted_at": written}).encounter.admitted_at == moment


@pytest.mark.parametrize("written", ["2026-02-30 10:00", "昨天", "2026-13-01", 20260506])
def test_a_time_that_does_not_exist(written):
    with pytest.raises(ValidationError, match="不是有效的 ISO 8601 时间"):
        record(encounter={"admitted_at": written})


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("病危（重）通知书", "病危(重)通知书"),
        ("入院记录", "入院记录"),
        ("营养评估单", "其他"),
        (" 出院记录 ", "出院记录"),
    ],
)
def test_document_types(written, kind):
    assert document_type(written) == kind


def test_unknown_fields_are_kept_where_they_stand():
    context: dict = {}
    read = MedicalRecord.model_validate(
        {
            "record_id": "R1",
            "hospital": "甲",
            "documents": [{"id": "D", "type": "其他", "text": "", "page": 3}],
        },
        context=context,
    )
    assert read.extra == {"hospital": "甲"}
    assert read.documents[0].extra == {"page": 3}
    assert context["unknown_fields"] == {"MedicalRecord.hospital", "Document.page"}


@pytest.mark.parametrize(
    ("fields", "delivered"),
    [
        ({}, set()),
        ({"orders": []}, {"orders"}),
        ({"orders": None}, set()),
        ({"documents": [{"id": "D", "type": "手术知情同意书", "text": ""}]}, {"documents", "consents"}),
        ({"documents": [{"id": "D", "type": "其他", "text": "", "signatures": []}]}, {"documents"}),
        (
            {"documents": [{"id": "D", "type": "其他", "text": "", "signatures": [{"name": "甲"}]}]},
            {"documents", "signatures"},
        ),
        ({"orders": [], "coverage": ["documents"]}, {"documents"}),
    ],
)
def test_what_was_delivered(fields, delivered):
    assert record(**fields).delivered == delivered


def test_document_ids_are_unique():
    twice = [{"id": "D", "type": "其他", "text": ""}] * 2
    with pytest.raises(ValidationError, match="文书编号 D 重复"):
        record(documents=twice)


@pytest.mark.parametrize(
    ("fields", "completed"),
    [
        ({"written_at": "2026-05-06 10:00"}, 10),
        (
            {
                "signatures": [
                    {"role": "记录者", "signed_at": "2026-05-06 12:00"},
                    {"role": "记录者", "signed_at": "2026-05-06 11:00"},
                ]
            },
            11,
        ),
        ({"signatures": [{"role": "患者", "signed_at": "2026-05-06 11:00"}]}, None),
        ({}, None),
    ],
)
def test_when_a_document_was_finished(fields, completed):
    document = record(documents=[{"id": "D", "type": "其他", "text": "", **fields}]).documents[0]
    assert (document.completed_at.hour if document.completed_at else None) == completed


texts = st.text(alphabet="患者，。\n３a𬌗", max_size=20)
documents = st.builds(
    lambda kind, text, title: {"type": kind, "text": text, "title": title},
    st.sampled_from([*DOCUMENT_TYPES, "自定义文书"]),
    texts,
    st.none() | texts,
)


@given(
    st.lists(documents, max_size=4),
    st.none() | st.lists(st.sampled_from(["documents", "orders"])),
    st.dictionaries(texts, texts, max_size=2),
)
def test_write_then_read_is_identity(contents, coverage, extra):
    numbered = [{"id": f"D{n}", **content} for n, content in enumerate(contents)]
    one = record(documents=numbered, coverage=coverage, extra=extra)
    assert MedicalRecord.model_validate_json(one.model_dump_json(by_alias=True)) == one
