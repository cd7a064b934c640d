"""``bingli draft``: a cited discharge record."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import progress_console, say, warn

if TYPE_CHECKING:
    from app.drafting.assemble import Placed
    from app.drafting.drafter import Drafted
    from app.drafting.missing import Coverage


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
    from app.drafting.drafter import open_drafter
    from app.drafting.export import check_suffix, export
    from app.drafting.plan import plan_for
    from app.records.model import document_type
    from app.records.readers import read_record
    from app.settings import load_settings

    check_suffix(out)
    settings = load_settings(model=model)
    stay = read_record(record)
    # Refuse before the model is loaded.
    wanted = plan_for(stay, document_type(type_) if type_ else None).document_type
    with open_drafter(settings, use_model=not no_model) as drafter:
        drafted = drafter.draft(stay, wanted, on_sentence=_Follower())
    export(drafted.draft, stay, out, drafted.key)
    _summarise(drafted, out)


class _Follower:
    """Shows each sentence on a terminal as soon as it stands."""

    def __init__(self) -> None:
        self._section = ""

    def __call__(self, placed: "Placed") -> None:
        if not progress_console.is_terminal:
            return
        if placed.section != self._section:
            self._section = placed.section
            progress_console.print(f"【{placed.section}】", style="bold", markup=False)
        progress_console.print(f"  {placed.sentence.text}", markup=False)


def _summarise(drafted: "Drafted", out: Path) -> None:
    tally = drafted.tally
    verdicts = [sentence.verdict for section in drafted.draft.sections for sentence in section.sentences]
    say(
        f"{out}：共{len(verdicts)}句，有出处支持{verdicts.count('supported')}句，"
        f"改用原文{len(tally.replaced)}句，舍去{len(tally.left_out)}句，{_coverage(drafted.coverage)}。"
    )
    for removed in (*tally.replaced, *tally.left_out):
        warn(f"未采用：{removed.text}（{removed.reason}）")
    if tally.invented_numbers:
        warn(f"已剔除模型编造的出处编号{tally.invented_numbers}个。")
    if tally.quoted_windows:
        reasons = "；".join(dict.fromkeys(drafted.failures))
        warn(f"提示：诊疗经过有{tally.quoted_windows}处照录了原文（{reasons}）。")


def _coverage(found: "Coverage") -> str:
    if not found.salient:
        return "病历中无须核对是否漏写的重要内容"
    return f"重要内容{found.salient}条、未提及{len(found.missing)}条（覆盖{found.share:.0%}）"
