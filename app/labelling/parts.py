"""Labels inside JSON: the ``ai_label`` of findings and of notes, and files of one object a line.

An ``ai_label`` is sealed over the words that were generated: the message of a finding, the text of a note. A file is
as good as the worst label in it; objects without generated content need none.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.labelling import json_file
from app.labelling.found import Found, Judgement, Status, judge
from app.labelling.text import decode

_GENERATED = {"findings": ("message", "发现"), "documents": ("text", "文书")}
"""Collections whose entries may carry a label: the field with the generated words, and what an entry is called."""
_WORST_FIRST: tuple[Status, ...] = ("tampered", "incomplete", "unverifiable", "implicit", "whole")
_MOST_PROBLEMS = 20


class Labelled(NamedTuple):
    """One label of a file; ``where`` tells a reader which one, empty for that of the whole file."""

    where: str
    judgement: Judgement


def judge_json(data: bytes, key: bytes) -> Judgement:
    """Judge a JSON file: the label of the whole object and those of its findings and notes.

    Raises:
        UserError: no valid JSON object.
    """
    return _worst(list(_labels(data, key, "")))


def judge_lines(data: bytes, key: bytes) -> Judgement:
    """Judge a file of one JSON object a line.

    Raises:
        UserError: a line is no valid JSON object.
    """
    lines = enumerate(decode(data).splitlines(), start=1)
    return _worst(
        [
            found
            for number, line in lines
            if line.strip()
            for found in _labels(line.encode(), key, f"第{number}行")
        ]
    )


def is_lines(data: bytes) -> bool:
    """Whether the data are several JSON objects, one a line."""
    lines = [line for line in decode(data).splitlines() if line.strip()]
    return len(lines) > 1 and all(_is_object(line) for line in lines[:2])


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _labels(data: bytes, key: bytes, where: str) -> Iterator[Labelled]:
    own = json_file.read(data)
    if own.copies or own.notice:
        yield Labelled(where, judge(own, key))
    for place, label, text in _parts(json.loads(decode(data))):
        found = Found(_copies(label), str(label.get("notice") or ""), text)
        yield Labelled(f"{where}{place}", judge(found, key))


def _parts(whole: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for collection, (field, name) in _GENERATED.items():
        for number, entry in enumerate(whole.get(collection) or (), start=1):
            label = entry.get("ai_label") if isinstance(entry, dict) else None
            if isinstance(label, dict):
                yield f"{name}{entry.get('id') or number}", label, str(entry.get(field, ""))


def _copies(label: Mapping[str, Any]) -> tuple[str, ...]:
    return (json.dumps(label["AIGC"]),) if "AIGC" in label else ()


def _worst(labels: Sequence[Labelled]) -> Judgement:
    if not labels:
        return Judgement("absent", ("既没有隐式标识，也没有显式提示",), None)
    by_status = {
        status: [each for each in labels if each.judgement.status == status] for status in _WORST_FIRST
    }
    worst = next((each for found in by_status.values() for each in found), labels[0])
    problems = [
        f"{each.where}：{problem}" if each.where else problem
        for each in labels
        for problem in each.judgement.problems
    ]
    more = [f"另有{len(problems) - _MOST_PROBLEMS}处"] if len(problems) > _MOST_PROBLEMS else []
    return Judgement(worst.judgement.status, (*problems[:_MOST_PROBLEMS], *more), worst.judgement.label)
