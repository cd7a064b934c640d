"""How indicators are judged with adapters that have not seen them, and the calibration that follows from it.

For K = 1, 2, 3, then for all indicators, then this::

    python -m eval.adapt 条目.jsonl --indicators 指标.json --model FOLDER --out 适配器/K --fold K
    python -m eval.adapt 条目.jsonl --indicators 指标.json --model FOLDER --out 适配器/全部
    python -m eval.crossfit 条目.jsonl --indicators 指标.json --adapters 适配器 --store 校准

Every item is asked of the adapter that was trained without its indicator, and decided by a fit that has not seen it
either. Folds without an adapter are left out.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from app.qc.calibration import Calibration, store_calibration
from app.qc.specialty.fitting import Example, calibrate
from app.qc.specialty.indicator import Indicators
from app.qc.specialty.judging import DETECTORS, WITH_MODEL
from app.qc.specialty.opening import open_judge
from app.records.model import CHINA_TIME
from app.settings import Settings, go_offline, load_settings
from eval.adapt import FOLDS, unseen_indicators
from eval.facts import LabelledItem, accuracy, examples, is_usable, load_labelled


def unseen_by_fold(
    items: Sequence[LabelledItem], adapters: Path
) -> Iterator[tuple[Path, list[LabelledItem]]]:
    """The adapters that are there, each with the items of the indicators that it was not trained on."""
    for fold in range(1, FOLDS + 1):
        adapter = adapters / str(fold) / "statements.gguf"
        if adapter.is_file():
            unseen = unseen_indicators(items, fold)
            yield adapter, [item for item in items if item.indicator in unseen]


def observed(
    items: Sequence[LabelledItem],
    indicators: Indicators,
    settings: Settings,
    *,
    use_model: bool = True,
    adapter: Path | None = None,
) -> list[Example]:
    """What the words of the notes say and, with ``use_model``, what the model answers with ``adapter``."""
    given = settings.model_copy(update={"model_adapter": adapter})
    with open_judge(given, indicators, use_model=use_model) as judge:
        return [each for each in examples(judge, items) if is_usable(judge, each)]


def engine_of(settings: Settings, indicators: Indicators) -> str:
    """What answers in the program as it is installed."""
    with open_judge(settings, indicators, use_model=True) as judge:
        return str(judge.engine)


def main(arguments: Sequence[str]) -> int:
    """Run the comparison; prints one JSON object."""
    parser = argparse.ArgumentParser(description="用没有见过该指标的适配器评估指标判断，并据此校准。")
    parser.add_argument("labels", type=Path, help="带标注的条目")
    parser.add_argument("--indicators", type=Path, required=True, help="指标文件")
    parser.add_argument("--adapters", type=Path, required=True, help="放着 1、2、3 各折适配器的文件夹")
    parser.add_argument("--store", type=Path, default=None, help="写校准的文件夹；缺省只报告")
    given = parser.parse_args(arguments)
    go_offline()
    settings = load_settings()
    items, indicators = load_labelled(given.labels, given.indicators)
    folds = list(unseen_by_fold(items, given.adapters))
    asked = [item for _, unseen in folds for item in unseen]
    adapted = [
        each for adapter, unseen in folds for each in observed(unseen, indicators, settings, adapter=adapter)
    ]
    today = datetime.now(CHINA_TIME).date()
    calibration = calibrate(WITH_MODEL, engine_of(settings, indicators), adapted, today)
    plain = calibrate(WITH_MODEL, "plain", observed(asked, indicators, settings), today)
    words = calibrate(DETECTORS, DETECTORS, observed(asked, indicators, settings, use_model=False), today)
    told = {"words": _told(words), "plain": _told(plain), "adapted": _told(calibration)}
    sys.stdout.write(f"{json.dumps(told, ensure_ascii=False)}\n")
    if given.store:
        store_calibration(calibration, given.store / f"{WITH_MODEL}.json")
    return 0


def _told(calibration: Calibration) -> dict[str, Any]:
    scores = calibration.cross_validated
    return {
        **accuracy(scores.right, scores.n),
        "indicators": calibration.groups,
        "fact_accuracy": round(scores.fact_right / scores.fact_n, 4),
        "fact_n": scores.fact_n,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
