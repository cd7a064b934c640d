"""``bingli eval tokens``: what judging records costs in model tokens."""

import json
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Model
from app.cli.output import Format, say, with_progress

if TYPE_CHECKING:
    from app.records.model import MedicalRecord


class MaterialFormat(StrEnum):
    """The formats of what is measured."""

    CHIP2025 = "chip2025"
    BINGLI = "bingli"


def evaluate_tokens(
    path: Annotated[
        Path,
        typer.Argument(
            help="病历，或 chip2025 格式的入院记录（不用其标注）", metavar="FILE", show_default=False
        ),
    ],
    material: Annotated[
        MaterialFormat, typer.Option("--format", help="资料的格式")
    ] = MaterialFormat.CHIP2025,
    kind: Annotated[
        str | None, typer.Option("--type", help="只量这一类文书（bingli 格式），缺省量整份病历")
    ] = None,
    limit: Annotated[int, typer.Option("--records", min=1, help="量几份")] = 10,
    timed: Annotated[
        int, typer.Option("--timed", min=0, help="其中几份也真的一条规则问一次，用来比时间（很慢）")
    ] = 0,
    output_format: Annotated[Format, typer.Option("--format-out", help="输出格式")] = Format.TEXT,
    profile: Annotated[str | None, typer.Option("--profile", help="评分方案")] = None,
    model: Model = None,
) -> None:
    """量一份病历要用多少模型词元：各规则共用事实，与一条规则一个提示词，同一批病历、同一次运行。

    例：bingli eval tokens 入院记录.json --records 10 --timed 1

    例：bingli eval tokens examples --format bingli --type 入院记录
    """
    from app.assembly import open_checker
    from app.llm.engines import open_model
    from app.settings import load_settings
    from eval.tokens import MeteredModel, measure, report

    records = tuple(islice(_records(path, material, kind), limit))
    settings = load_settings(profile=profile, model=model)
    with open_model(settings) as opened, tempfile.TemporaryDirectory() as folder:
        metered = MeteredModel(opened)
        cold = settings.model_copy(update={"data_dir": Path(folder)})
        with open_checker(cold, use_model=True, model=metered) as checker:
            found = report(with_progress(measure(checker, metered, records, timed), "判断", len(records)))
    whole = found.as_json()
    if output_format is Format.JSON:
        say(json.dumps(whole, ensure_ascii=False))
        return
    say(f"{'每份病历':<14}{'调用':>6}{'读入词元':>10}{'写出词元':>10}")
    for name, row in (("共用事实", whole["facts"]), ("一条规则一次", whole["one_prompt_per_rule"])):
        say(f"{name:<14}{row['calls']:>8}{row['prompt_tokens']:>12}{row['answer_tokens']:>12}")
    say(
        f"病历 {whole['n']} 份（平均 {whole['characters']:.0f} 字、按事实判定的问题 {whole['questions']:.0f} 个）；"
        f"词元之比 {whole['token_share']:.3f}（目标不超过 {whole['largest_share']:.1f}）"
    )
    if whole["time_share"] is not None:
        say(f"时间之比 {whole['time_share']:.3f}（{whole['timed_records']} 份）")


def _records(path: Path, material: MaterialFormat, kind: str | None) -> "Iterator[MedicalRecord]":
    from app.records.readers import read_source, sources_in
    from app.records.readers.note import note_record
    from eval.qc import load_notes

    if material is MaterialFormat.CHIP2025:
        yield from (note_record(note.emr_content, "入院记录", note.record_id) for note in load_notes(path))
        return
    for source in sources_in(path):
        record = read_source(source).record
        notes = (d for d in record.documents or () if d.kind == kind)
        yield from (note_record(d.text, d.kind, record.record_id) for d in notes) if kind else (record,)
