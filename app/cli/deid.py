"""``bingli deid``: records and notes without what gives people away."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from app.cli.output import EXIT_FAILED, Format, say, warn
from app.errors import UserError

if TYPE_CHECKING:
    from app.privacy.deidentify import Deidentifier
    from app.privacy.recognisers import Identifier, Kind

_KEY_FILE = "deid.key"


class _Done(NamedTuple):
    """One source done: what to write, under which name, and what was replaced."""

    content: str
    name: str
    counts: "Mapping[Kind, int]"
    left_out: tuple[str, ...] = ()


def deid(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="病历 JSON、放文书 .txt 的文件夹，或单份文书", metavar="FILE…", show_default=False
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="写入的文件夹；缺省写到标准输出", show_default=False)
    ] = None,
    output_format: Annotated[
        Format,
        typer.Option(
            "--format", help="单份文书的输出：text 为文本，json 另列出替换了哪些位置；病历总是 JSON"
        ),
    ] = Format.TEXT,
) -> int:
    """去标识：替换姓名、证件号、电话、地址、住院号、医疗机构，日期按整周平移。

    同一病历中同一人、同一编号的替代处处相同；同一患者的日期平移相同，间隔和星期不变。密钥在数据文件夹的
    deid.key：丢失后再做的结果与以前对不上。自由文本的识别不能保证无遗漏，对外提供前请人工抽查。

    例：bingli deid examples/02-神经内科-脑梗死.json --out 去标识

    例：bingli deid 入院记录.txt
    """
    from app.privacy.deidentify import Deidentifier
    from app.privacy.keys import kept_key
    from app.settings import load_settings

    deidentifier = Deidentifier(kept_key(load_settings().data_dir / _KEY_FILE))
    done = failed = 0
    for path in _sources(files):
        try:
            result = _deidentified(path, deidentifier, output_format, done + 1)
            _deliver(result, out)
        except UserError as error:
            failed += 1
            warn(str(error))
        else:
            done += 1
            warn(f"{path}：{_summary(result)}")
    return EXIT_FAILED if failed else 0


def _sources(files: Iterable[Path]) -> Iterator[Path]:
    from app.records.readers import sources_in

    for file in files:
        yield from sources_in(file)


def _deidentified(path: Path, deidentifier: "Deidentifier", wanted: Format, number: int) -> _Done:
    from app.records.readers import read_source
    from app.records.readers.text_file import read_text

    if path.is_file() and path.suffix.lower() != ".json":
        return _note(read_text(path), path, deidentifier, wanted, number)
    result = deidentifier.record(read_source(path).record)
    content = result.record.model_dump_json(by_alias=True, indent=2)
    return _Done(content, f"{result.record.record_id}.json", result.counts, result.left_out)


def _note(text: str, path: Path, deidentifier: "Deidentifier", wanted: Format, number: int) -> _Done:
    from collections import Counter

    replaced = deidentifier.text(text, path.stem)
    counts = Counter(identifier.kind for identifier in replaced.identifiers)
    if wanted is Format.TEXT:
        return _Done(replaced.text, f"文书{number:03d}.txt", counts)
    content = {"text": replaced.text, "replaced": [_as_json(each) for each in replaced.identifiers]}
    return _Done(json.dumps(content, ensure_ascii=False), f"文书{number:03d}.json", counts)


def _as_json(identifier: "Identifier") -> dict[str, object]:
    kind, span, why = identifier[:3]
    return {"kind": kind, "start": span.start, "end": span.end, "why": why}


def _deliver(result: _Done, out: Path | None) -> None:
    if out is None:
        say(result.content)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / result.name).write_text(result.content, "utf-8")
    except OSError as error:
        raise UserError(f"无法写入 {out}（{error.strerror}），请检查路径和权限。") from error


def _summary(result: _Done) -> str:
    from app.privacy.recognisers import KIND_TITLES

    counted = [f"{KIND_TITLES[kind]} {count} 处" for kind, count in result.counts.items()]
    replaced = f"正文替换了{'、'.join(counted)}" if counted else "正文没有要替换的内容"
    left_out = f"；没有保留含义不明的字段 {'、'.join(result.left_out)}" if result.left_out else ""
    return f"{replaced}{left_out}。"
