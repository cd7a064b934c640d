import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.diagnoses import agreeing, find_diagnoses, same_disease

LISTS = [
    ("1. 急性脑梗死（右侧基底节区，大脑中动脉狭窄）；2. 高血压3级（很高危）。", ["急性脑梗死（右侧基底节区，大脑中动脉狭窄）", "高血压3级（很高危）"]),
    ("1.股骨颈骨折（Garden Ⅳ型） 2.骨质疏松症 3.2型糖尿病", ["股骨颈骨折（Garden Ⅳ型）", "骨质疏松症", "2型糖尿病"]),
    ("\n① 颈动脉粥样硬化、高胆固醇血症\n② 低钾血症", ["颈动脉粥样硬化", "高胆固醇血症", "低钾血症"]),
    ("高血压病3级，很高危，2型糖尿病", ["高血压病3级，很高危", "2型糖尿病"]),
    ("双肾、输尿管结石", ["双肾、输尿管结石"]),
    ("['血尿', '泌尿道感染']", ["血尿", "泌尿道感染"]),
    ("冠心病,心功能Ⅱ级(NYHA分级),高血压1级", ["冠心病,心功能Ⅱ级(NYHA分级)", "高血压1级"]),
    ("", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "names"), LISTS)
def test_lists_are_cut_into_diagnoses(text, names):
    assert [mention.name for mention in find_diagnoses(text)] == names


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2型糖尿病", "Ⅱ型糖尿病"),
        ("高血压病3级（很高危）", "原发性高血压"),
        ("右肺上叶恶性肿瘤", "肺癌"),
        ("急性ST段抬高型心肌梗死", "冠状动脉粥样硬化性心脏病"),
        ("上消化道出血待查", "十二指肠溃疡伴出血"),
        ("胆囊结石伴慢性胆囊炎", "慢性胆囊炎伴胆囊结石"),
        ("左侧股骨颈骨折", "右股骨颈骨折"),  # sides are laterality's affair
        ("肺部感染", "社区获得性肺炎"),
        ("慢性阻塞性肺病伴有急性加重", "COPD"),
        ("多脏器功能衰竭", "MODS"),
    ],
)
def test_names_of_one_disease_agree(a, b):
    assert same_disease(a, b)
    assert same_disease(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1型糖尿病", "2型糖尿病"),
        ("脑梗死", "脑出血"),
        ("急性胰腺炎", "急性胆囊炎"),
        ("肝囊肿", "肾囊肿"),
        ("低钾血症", "低钠血症"),
        ("股骨颈骨折", "股骨粗隆间骨折"),
        ("胃炎", "阑尾炎"),
        ("甲状腺功能亢进症", "甲状腺功能减退症"),
        ("待查", "肺炎"),
    ],
)
def test_names_of_two_diseases_do_not(a, b):
    assert not same_disease(a, b)
    assert not same_disease(b, a)


def test_the_agreeing_name_is_given():
    assert agreeing("Ⅱ型糖尿病", ["高血压病", "2型糖尿病"]) == "2型糖尿病"
    assert agreeing("肺炎", ["高血压病"]) is None


words = st.text(alphabet="高血压病糖尿结石炎癌1.2（）()，、；\n ①待查？*A", max_size=40)


@given(words)
def test_mentions_are_places_of_the_text(text):
    previous = 0
    for mention in find_diagnoses(text):
        assert mention.span.of(text) == mention.name
        assert mention.span.start >= previous
        previous = mention.span.end


@given(words, words)
def test_agreement_is_mutual(a, b):
    assert same_disease(a, b) == same_disease(b, a)
