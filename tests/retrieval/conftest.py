"""A small corpus, and an embedder without a model."""

import pytest
from hashed_bigrams import HashedBigrams

SMALL_CORPUS = {
    "a.yaml": """
document: 病历书写基本规范
short_name: 规范
level: national
clauses:
  - {id: a-18-5, clause: 第十八条（五）, title: 个人史与婚育史, text: 写出生地、烟酒嗜好、婚姻状况和子女等情况。}
  - {id: a-22-1, clause: 第二十二条（一）, title: 首次病程记录, text: 入院八小时内由经治医师或值班医师完成首次病程记录。}
  - {id: a-22-8, clause: 第二十二条（八）, title: 抢救记录, text: 抢救结束后六小时内据实补记，并注明补记。}
""",
    "b.yaml": """
document: 病案管理质量控制指标（2021年版）
short_name: 指标
level: national
reported: true
clauses:
  - {id: b-1, clause: MER-TQ-07, title: 不合理复制病历发生率, text: 出现不合理复制内容的病历数除以出院患者病历总数。}
""",
}


@pytest.fixture
def embedder():
    return HashedBigrams()


@pytest.fixture
def small_corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, text in SMALL_CORPUS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
