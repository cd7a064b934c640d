import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.qc.copying_index import CopyingIndex, with_peers
from app.records.model import MedicalRecord

WORDS = "餐后右上腹绞痛反复发作体征局限于胆囊区超声见颈部结石囊壁增厚血象升高诊断成立胆总管不宽胰腺炎溃疡鉴别支持排除"


def discussion(seed: int, length: int = 180) -> str:
    chooser = random.Random(seed)
    return "".join(chooser.choice(WORDS) for _ in range(length))


def record(
    number: int, text: str, *, department: str = "普外科", main: str = "胆囊结石", features: str = "中年女性"
):
    note = f"病例特点：{features}。\n拟诊讨论：{text}\n初步诊断：1. {main}\n诊疗计划：手术。"
    return MedicalRecord.model_validate(
        {
            "record_id": f"R{number}",
            "patient": {"name": f"林{number}舟"},
            "encounter": {"department": department},
            "documents": [{"id": "D1", "type": "首次病程记录", "text": note}],
        }
    )


def pairs(records) -> set[frozenset[str]]:
    with CopyingIndex() as index:
        for each in records:
            index.add(each)
        return {
            frozenset((each.record_id, peer.place.record_id))
            for each in records
            for peer in index.peers(each) or ()
        }


BASE = discussion(1)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (record(2, BASE), True),
        (record(2, BASE, main="胆囊多发结石"), True),
        (record(2, f"林2舟，{BASE}"), True),
        (record(2, BASE.replace(BASE[40:44], "某某某某")), True),
        (record(2, discussion(2)), False),
        (record(2, BASE[:90] + discussion(3, 90)), False),
        (record(2, BASE, department="骨科"), False),
        (record(2, BASE, main="急性阑尾炎"), False),
        (record(2, BASE[:20]), False),
    ],
)
def test_what_is_a_copy(other, found):
    assert bool(pairs([record(1, BASE), other])) is found


def test_numbers_of_their_own_make_discussions_individual():
    a = record(1, f"{BASE}淀粉酶56单位，胆红素17.6，结石1.1厘米", features="淀粉酶56，胆红素17.6，结石1.1")
    b = record(2, f"{BASE}淀粉酶88单位，胆红素12.4，结石2.3厘米", features="淀粉酶88，胆红素12.4，结石2.3")
    c = record(3, f"{BASE}淀粉酶88单位，胆红素12.4，结石2.3厘米", features="中年女性")
    assert pairs([a, b]) == set()
    assert pairs([a, c]) == {frozenset(("R1", "R3"))}


BATCH = [
    record(n, text)
    for n, text in enumerate(
        [
            BASE,
            discussion(2),
            BASE[:100] + "某" + BASE[100:],
            discussion(4),
            BASE,
            discussion(2) + "终",
            discussion(5),
        ]
    )
]


@settings(deadline=None, max_examples=30)
@given(st.permutations(BATCH))
def test_the_order_of_patients_changes_nothing(shuffled):
    assert pairs(shuffled) == pairs(BATCH)
    assert len(pairs(BATCH)) == 4


def test_a_record_added_again_replaces_itself():
    with CopyingIndex() as index:
        index.add(record(1, discussion(2)))
        index.add(record(1, BASE))
        assert len(index) == 1
        assert [peer.content.text for peer in index.peers(record(2, BASE))] == [BASE]


def test_the_index_survives_on_disk(tmp_path):
    with CopyingIndex(tmp_path / "copies.sqlite") as index:
        index.add(record(1, BASE))
    with CopyingIndex(tmp_path / "copies.sqlite") as index:
        (peer,) = index.peers(record(2, BASE))
    assert peer.place.record_id == "R1"
    note = record(1, BASE).documents[0].text
    assert peer.place.span.of(note) == BASE


def test_peers_of_a_whole_batch():
    alone = record(9, BASE, department="眼科")
    with CopyingIndex() as index:
        for each in (*BATCH, alone):
            index.add(each)
        assert index.peers(alone) is None
        assert index.peers(BATCH[3]) == ()
        copied = with_peers(BATCH[0], index.peers(BATCH[0]) or ())
    assert [peer["record_id"] for peer in copied.extra["peers"]] == ["R2", "R4"]
