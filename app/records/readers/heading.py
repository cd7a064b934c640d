"""What the head of a typed note says of the patient and of its own times."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.records.model import Document
from app.text.times import find_dates

_HEAD_CHARACTERS = 800
_SEX = re.compile(r"性\s*别\s*[:：]?\s*([男女])")
_AGE = re.compile(r"年\s*龄\s*[:：]?\s*(\d{1,3}\s*(?:岁|月|天))")
_NAME = re.compile(r"姓\s*名\s*[:：]\s*([\u4e00-\u9fff·]{2,8})")
_DEPARTMENT = re.compile(r"(?:科\s*别|科\s*室)\s*[:：]\s*([\u4e00-\u9fff]{2,12})")
_TIME_LABELS = {
    "admitted_at": re.compile(r"入\s*院\s*(?:时间|日期)\s*[:：]?"),
    "discharged_at": re.compile(r"出\s*院\s*(?:时间|日期)\s*[:：]?"),
    "written_at": re.compile(r"(?:记录|书写|完成)\s*(?:时间|日期)\s*[:：]?"),
}


def labelled_time(text: str, label: str) -> datetime | None:
    """The time to the minute behind a label (``admitted_at``, ``discharged_at``, ``written_at``), if any."""
    for match in _TIME_LABELS[label].finditer(text):
        dates = find_dates(text[match.end() : match.end() + 24], None)
        if dates and dates[0].precision == "minute" and dates[0].span.start <= 2:
            return dates[0].value
    return None


def patient_of(texts: Sequence[str]) -> dict[str, Any]:
    """Name, sex and age as the first note that gives each says."""
    heads = [text[:_HEAD_CHARACTERS] for text in texts]
    return {
        name: found
        for name, pattern in (("name", _NAME), ("sex", _SEX), ("age", _AGE))
        if (found := next((m.group(1) for head in heads if (m := pattern.search(head))), None))
    }


def encounter_of(documents: Sequence[Document]) -> dict[str, Any]:
    """Department and the times of the stay as the first note that gives each says."""
    texts = [document.text for document in documents]
    times = {
        name: found
        for name in ("admitted_at", "discharged_at")
        if (found := next((t for text in texts if (t := labelled_time(text, name))), None))
    }
    department = next(
        (m.group(1) for text in texts if (m := _DEPARTMENT.search(text[:_HEAD_CHARACTERS]))), None
    )
    return {**times, **({"department": department} if department else {})}
