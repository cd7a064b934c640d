"""How fast the deterministic audit is, against a floor measured in the same run (``make bench``).

Times are processor time of one core, on stays that were never seen before; ``again_ms`` is the same stays once more,
which shows what caches would add where texts repeat. The floor is what no audit can do without: parsing the JSON of a
stay and one pass of a regular expression over its text; it is measured in turn with the audit, so that a busy machine
slows both.
"""

import argparse
import cProfile
import gc
import json
import pstats
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from app.assembly import open_checker
from app.qc.case import Case
from app.qc.engine import Checker
from app.qc.recheck import Rechecker
from app.qc.result import Report
from app.qc.rule import Rule
from app.records.model import MedicalRecord
from app.records.readers.json_record import parse_record
from app.resources import ROOT
from app.settings import Settings, go_offline
from app.text.lexicons import load_tree
from eval.synthetic import synthetic_stay

LARGEST_MULTIPLE = 10.0
STAYS_A_SECOND = 100.0
RECHECK_MILLISECONDS = 20.0

_CLAUSE = re.compile(r"[^。；！？\n]+")
_WARMING = 10
_DIAGNOSIS = "股骨转子间骨折"  # of the generated stays
_MEMORY_DOCUMENT = "首次病程记录"
_NO_DATA = ("orders", "lab_results", "exam_reports", "procedures", "vitals")
_EXAMPLE = ROOT / "examples" / "02-神经内科-脑梗死.json"
_DEAREST_RULES = 20
_DEAREST_FUNCTIONS = 12


class RuleCost(NamedTuple):
    """Milliseconds of one rule on one stay; what rules share is charged to the first that asks for it."""

    code: str
    milliseconds: float
    share: float


class FunctionCost(NamedTuple):
    """Milliseconds spent in one function itself on one stay, under the profiler."""

    name: str
    milliseconds: float
    calls: float


class Memory(NamedTuple):
    """The highest resident memory of an audit of so many short records, copying between patients included, in MiB."""

    records: int
    peak_mib: float


class Bench(NamedTuple):
    """What was measured; milliseconds of processor time for one stay."""

    stays: int
    documents: float
    characters: float
    rules: int
    floor_ms: float
    reading_ms: float
    checking_ms: float
    writing_ms: float
    again_ms: float
    recheck_ms: float
    start_seconds: float
    rule_costs: tuple[RuleCost, ...]
    function_costs: tuple[FunctionCost, ...]
    memory: tuple[Memory, ...]

    @property
    def audit_ms(self) -> float:
        """Reading, checking and writing together."""
        return self.reading_ms + self.checking_ms + self.writing_ms

    @property
    def multiple(self) -> float:
        """How many floors an audit takes."""
        return self.audit_ms / self.floor_ms

    @property
    def stays_a_second(self) -> float:
        """On one core."""
        return 1000 / self.audit_ms

    def as_json(self) -> dict[str, Any]:
        """Everything, with the aims it is measured against."""
        listed = {
            "rule_costs": [cost._asdict() for cost in self.rule_costs],
            "function_costs": [cost._asdict() for cost in self.function_costs],
            "memory": [memory._asdict() for memory in self.memory],
        }
        derived = {name: getattr(self, name) for name in ("audit_ms", "multiple", "stays_a_second")}
        aims = {
            "multiple": LARGEST_MULTIPLE,
            "stays_a_second": STAYS_A_SECOND,
            "recheck_ms": RECHECK_MILLISECONDS,
        }
        return self._asdict() | derived | listed | {"aims": aims}


def bench(n: int, memory_records: Sequence[int]) -> Bench:
    """Measure on ``n`` stays, and the memory at each number of records."""
    lines = [_line(synthetic_stay(number)) for number in range(n)]
    texts = [[document["text"] for document in json.loads(line)["documents"]] for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        with open_checker(settings, use_model=False) as checker:
            for number in range(n, n + _WARMING):  # patterns compiled, lexicons read
                checker.check(_record(_line(synthetic_stay(number))))
            gc.collect()
            gc.freeze()
            parts = [_parts(checker, line) for line in lines]
            others = [_line(synthetic_stay(number)) for number in range(n + _WARMING, 2 * n + _WARMING)]
            return Bench(
                stays=n,
                documents=sum(map(len, texts)) / n,
                characters=sum(len(text) for stay in texts for text in stay) / n,
                rules=len(checker.rules),
                **{name: sum(part[name] for part in parts) / n for name in parts[0]},
                again_ms=_milliseconds(checker.check, (_record(line) for line in lines)),
                recheck_ms=_recheck_ms(checker, others),
                start_seconds=_start_seconds(),
                rule_costs=_rule_costs(checker, others),
                function_costs=_function_costs(checker, others),
                memory=_memories(memory_records),
            )


def _line(stay: Mapping[str, Any]) -> bytes:
    return json.dumps(stay, ensure_ascii=False).encode()


def _parts(checker: Checker, line: bytes) -> dict[str, float]:
    """Milliseconds of the floor and of each part of the audit of one stay."""
    floor = _milliseconds(_floor, (line,))
    record = _record(line)
    reports: list[Report] = []
    return {
        "reading_ms": _milliseconds(_record, (line,)),
        "checking_ms": _milliseconds(lambda given: reports.append(checker.check(given)), (record,)),
        "writing_ms": _milliseconds(lambda report: report.result.model_dump_json(), reports),
        "floor_ms": (floor + _milliseconds(_floor, (line,))) / 2,
    }


def _recheck_ms(checker: Checker, lines: Sequence[bytes]) -> float:
    """The mean of checking a record again after an edit of one of its documents, another in each record."""
    spent = []
    for number, line in enumerate(lines):
        record, again = _record(line), Rechecker(checker)
        again.check(record)
        spent.append(_milliseconds(again.check, (_edited(record, number % len(record.documents or ())),)))
    return sum(spent) / len(spent)


def _start_seconds() -> float:
    """Processor time of ``bingli check`` on an example, from the start of the process to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = "import sys; from app.cli.main import run; sys.exit(run())"
    command = [sys.executable, "-c", program, "check", str(_EXAMPLE), "--no-model"]
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - ourselves
    if not done.stdout:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def table(found: Bench) -> str:
    """The measurements as a table for a person."""
    lines = [
        f"病历 {found.stays} 份，每份 {found.documents:.0f} 份文书、{found.characters:.0f} 字；规则 {found.rules} 条；时间为单核处理器时间",
        "",
        f"{'下限（解析 JSON＋一遍正则）':<24}{found.floor_ms:>9.2f} 毫秒/份",
        f"{'读入（JSON → 病历）':<24}{found.reading_ms:>9.2f} 毫秒/份",
        f"{'检查':<24}{found.checking_ms:>9.2f} 毫秒/份",
        f"{'写出结果':<24}{found.writing_ms:>9.2f} 毫秒/份",
        f"{'合计':<24}{found.audit_ms:>9.2f} 毫秒/份  为下限的 {found.multiple:.1f} 倍（目标 ≤{LARGEST_MULTIPLE:g}）"
        f"，每秒 {found.stays_a_second:.1f} 份（目标 ≥{STAYS_A_SECOND:g}）",
        f"{'同样的病历再查一遍':<24}{found.again_ms:>9.2f} 毫秒/份（文字重复时缓存的作用；上面各项的病历都是第一次见）",
        f"{'改一份文书后重查':<24}{found.recheck_ms:>9.2f} 毫秒（目标 <{RECHECK_MILLISECONDS:g}）",
        f"{'bingli check 从启动到结束':<24}{found.start_seconds:>9.2f} 秒",
        "",
        "最费时的规则（共用的部分记在先用到的规则上）",
        *(
            f"  {c.code}  {c.milliseconds:>8.3f} 毫秒/份  {c.share:>6.1%}"
            for c in found.rule_costs[:_DEAREST_RULES]
        ),
        "",
        "最费时的函数（不含所调用的；剖析器会放大次数多的）",
        *(
            f"  {c.milliseconds:>8.3f} 毫秒/份  {c.calls:>9.0f} 次/份  {c.name}"
            for c in found.function_costs[:_DEAREST_FUNCTIONS]
        ),
        "",
        "批量审核的内存峰值（每份只有一份首次病程记录，含患者之间的雷同比对）",
        *(f"  {m.records:>7} 份  {m.peak_mib:>7.0f} MiB" for m in found.memory),
    ]
    return "\n".join(lines)


def _record(line: bytes) -> MedicalRecord:
    return parse_record(json.loads(line), "合成病历")[0]


def _floor(line: bytes) -> None:
    for document in json.loads(line)["documents"]:
        for _ in _CLAUSE.finditer(document["text"]):
            pass


def _edited(record: MedicalRecord, number: int) -> MedicalRecord:
    """The record after a sentence was added to one of its documents."""
    documents = list(record.documents or ())
    text = f"{documents[number].text}\n补充：患者夜间睡眠好转。"
    documents[number] = documents[number].model_copy(update={"text": text})
    return record.model_copy(update={"documents": tuple(documents)})


def _milliseconds(work: Callable[[Any], object], items: Iterable[Any]) -> float:
    """The mean over the items; making an item is not counted."""
    spent = 0.0
    n = 0
    for item in items:
        begun = time.process_time()
        work(item)
        spent += time.process_time() - begun
        n += 1
    return 1000 * spent / n


class _TimedChecker(Checker):
    """Keeps the time of every rule."""

    spent: Counter[str]

    @classmethod
    def of(cls, checker: Checker) -> "_TimedChecker":
        timed = cls.__new__(cls)
        timed.__dict__.update(checker.__dict__)
        timed.spent = Counter()
        return timed

    def _rule_on(self, rule: Rule, case: Case, questions: Any) -> Any:  # noqa: ANN401 - as the engine passes them
        begun = time.process_time()
        try:
            return super()._rule_on(rule, case, questions)
        finally:
            self.spent[rule.code] += time.process_time() - begun  # type: ignore[assignment]


def _rule_costs(checker: Checker, lines: Sequence[bytes]) -> tuple[RuleCost, ...]:
    timed = _TimedChecker.of(checker)
    for line in lines:
        timed.check(_record(line))
    whole = sum(timed.spent.values())
    return tuple(
        RuleCost(code, 1000 * spent / len(lines), spent / whole) for code, spent in timed.spent.most_common()
    )


def _function_costs(checker: Checker, lines: Sequence[bytes]) -> tuple[FunctionCost, ...]:
    records = [_record(line) for line in lines]
    with cProfile.Profile() as profile:
        for record in records:
            checker.check(record)
    n = len(lines)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    costs = [
        FunctionCost(_function_name(*place), 1000 * own / n, calls / n)
        for place, (_, calls, own, _, _) in stats.items()
    ]
    return tuple(sorted(costs, key=lambda cost: -cost.milliseconds)[:30])


def _function_name(path: str, line: int, name: str) -> str:
    return name if path == "~" else f"{'/'.join(Path(path).parts[-3:])}:{line} {name}"


def _memories(counts: Sequence[int]) -> tuple[Memory, ...]:
    with ThreadPoolExecutor(max_workers=2) as pool:
        return tuple(pool.map(_memory, counts))


def _memory(count: int) -> Memory:
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "stays.jsonl"
        with given.open("w", encoding="utf-8") as file:
            file.writelines(f"{_short(number)}\n" for number in range(count))
        command = [sys.executable, "-m", "eval.bench", "--audit-for-memory", str(given), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ourselves
    return Memory(count, float(done.stdout.split()[-1]))


def _short(number: int) -> str:
    """A stay with its first course note alone, as JSON; its diagnosis is one of the many that a hospital sees."""
    stay = synthetic_stay(number)
    first_course = [d for d in stay["documents"] if d["type"] == _MEMORY_DOCUMENT]
    short = {name: part for name, part in stay.items() if name not in _NO_DATA} | {"documents": first_course}
    diseases = list(load_tree("disease_names")["synonyms"])
    return json.dumps(short, ensure_ascii=False).replace(_DIAGNOSIS, diseases[number % len(diseases)])


def _audit_for_memory(given: str, folder: str) -> float:
    """Audit in this process; gives its peak of resident memory in MiB."""
    from app.batch.audit import audit

    settings = Settings(data_dir=Path(folder) / "data")
    audit(
        given,
        Path(folder) / "out",
        settings,
        use_model=False,
        workers=1,
        resume=False,
        on_progress=lambda _: None,
    )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, print a table, and write the numbers where ``--out`` says."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench")
    parser.add_argument("--stays", type=int, default=60)
    parser.add_argument("--memory-records", type=int, nargs="*", default=[1000, 10000, 50000])
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--audit-for-memory", nargs=2, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    go_offline()
    if given.audit_for_memory:
        sys.stdout.write(f"{_audit_for_memory(*given.audit_for_memory)}\n")
        return
    found = bench(given.stays, given.memory_records)
    sys.stdout.write(table(found) + "\n")
    if given.out:
        given.out.write_text(json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
