"""``bingli draft``: a cited discharge record."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import progress_console, say, warn

if TYPE_CHECKING:
    from app.drafting.assemble import Drafting
    from app.records.model import DocumentType, MedicalRecord
    from app.settings import Settings


def draft(
    record: Annotated[Path, typer.Argument(help="病历：JSON 文件或文本文件夹", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="写到哪里；后缀决定格式：.docx .pdf .html .md .json .fhir.json",
            show_default=False,
        ),
    ],
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="起草哪种文书：出院记录、死亡记录、24小时内入出院记录、24小时内入院死亡记录、阶段小结、转科记录；"
            "缺省按离院情况选择",
            show_default=False,
        ),
    ] = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="不用语言模型，诊疗经过照录原文")] = False,
    model: Annotated[str | None, typer.Option("--model", help="模型名称，或 OpenAI 协议服务的网址")] = None,
) -> None:
    """起草出院记录等文书：句句有出处，查无实据的不写，漏写的列出。

    例：bingli draft examples/01-普外科-胆囊结石.json --out 出院记录.docx

    bingli draft examples/01-普外科-胆囊结石.json --type 阶段小结 --out 阶段小结.pdf
    """
    from app.drafting.export import check_suffix
    from app.drafting.plan import plan_for
    from app.records.model import document_type
    from app.records.readers import read_record
    from app.settings import load_settings

    check_suffix(out)
    settings = load_settings(model=model)
    stay = read_record(record)
    # Refuse before the model is loaded.
    wanted = plan_for(stay, document_type(type_) if type_ else None).document_type
    if no_model:
        _draft_quoted(stay, wanted, settings, out)
    else:
        _draft_written(stay, wanted, settings, out)


def _draft_quoted(stay: "MedicalRecord", wanted: "DocumentType", settings: "Settings", out: Path) -> None:
    from app.drafting.assemble import Drafting

    _write(Drafting(stay, document_type=wanted), settings, out, prompts=None)


def _draft_written(stay: "MedicalRecord", wanted: "DocumentType", settings: "Settings", out: Path) -> None:
    from app.drafting.assemble import Drafting
    from app.drafting.entailment import ModelJudge
    from app.drafting.write import Narrator
    from app.llm.engines import open_model
    from app.storage.cache import ContentCache

    with open_model(settings) as language_model, ContentCache(settings.data_dir / "drafts.sqlite") as cache:
        narrator, judge = Narrator(language_model, cache), ModelJudge(language_model, cache)
        drafting = Drafting(stay, narrator, judge, wanted)
        _write(drafting, settings, out, prompts=f"{narrator.prompt_key},{judge.prompt_key}")
        for reason in dict.fromkeys(narrator.failures):
            warn(f"提示：部分诊疗经过照录了原文（{reason}）。")


def _write(drafting: "Drafting", settings: "Settings", out: Path, prompts: str | None) -> None:
    from datetime import datetime

    from app.drafting.export import export
    from app.labelling.label import label_key
    from app.records.model import CHINA_TIME

    _follow(drafting)
    key = label_key(settings)
    finished = drafting.finish(settings.label_producer, key, datetime.now(CHINA_TIME), prompts)
    export(finished, drafting.stay.record, out, key)
    _summarise(drafting, out)


def _follow(drafting: "Drafting") -> None:
    """Run the drafting; on a terminal each sentence shows as soon as it stands."""
    section = None
    for placed in drafting.sentences():
        if not progress_console.is_terminal:
            continue
        if placed.section != section:
            section = placed.section
            progress_console.print(f"【{section}】", style="bold", markup=False)
        progress_console.print(f"  {placed.sentence.text}", markup=False)


def _summarise(drafting: "Drafting", out: Path) -> None:
    found, tally = drafting.coverage(), drafting.tally
    verdicts = [sentence.verdict for sentence in drafting.drafted]
    say(
        f"{out}：共{len(verdicts)}句，有出处支持{verdicts.count('supported')}句，"
        f"改用原文{len(tally.replaced)}句，舍去{len(tally.left_out)}句，"
        f"重要内容{found.salient}条、未提及{len(found.missing)}条（覆盖{found.share:.0%}）。"
    )
    for removed in (*tally.replaced, *tally.left_out):
        warn(f"未采用：{removed.text}（{removed.reason}）")
    if tally.invented_numbers:
        warn(f"已剔除模型编造的出处编号{tally.invented_numbers}个。")
