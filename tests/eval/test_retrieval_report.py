import json

from eval.intervals import wilson
from eval.retrieval import MethodScores, Recall, RetrievalReport


def test_the_report_in_both_forms():
    recall = Recall(0.75, wilson(3, 4))
    report = RetrievalReport(4, {"bm25": MethodScores(recall, recall, 0.8125, ("多久查房一次",))})
    printed = json.loads(json.dumps(report.as_json()))
    assert printed["methods"]["bm25"]["recall_at_5"]["value"] == 0.75
    assert printed["methods"]["bm25"]["missed"] == ["多久查房一次"]
    assert "0.812" in report.as_text()
    assert report.as_text().startswith("问句 4 个")
