"""What a file says about its label, and the judgement of it; the same for every format."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from app.labelling.label import AIGC, Label, LabelError, Seal, parse_aigc, seal_of

Status = Literal["whole", "implicit", "tampered", "incomplete", "absent", "unverifiable"]
STATUS_NAMES: dict[Status, str] = {
    "whole": "标识完整",
    "implicit": "只有隐式标识",
    "tampered": "内容或标识已被改动",
    "incomplete": "标识不全",
    "absent": "没有标识",
    "unverifiable": "不能核验",
}


class Found(NamedTuple):
    """What a format's reader finds in one file.

    Attributes:
        copies: the JSON text of every implicit label in the file.
        notice: the first visible line that is an explicit notice, else empty.
        content: canonical form of what a reader sees, the notice included; this is what the seal covers.
        problems: what is wrong with the way the format carries the label, as Chinese sentences.
        has_metadata: whether the format has a place for an implicit label at all.
    """

    copies: tuple[str, ...]
    notice: str
    content: str
    problems: tuple[str, ...] = ()
    has_metadata: bool = True


class Judgement(NamedTuple):
    """The state of a label, why, and the label itself where it can be read."""

    status: Status
    problems: tuple[str, ...]
    label: Label | None


def judge(found: Found, key: bytes) -> Judgement:
    """Judge what was found.

    A broken seal outweighs everything else; then whatever does not comply; a compliant label with no seal of
    ours (another producer's, or another key's) is ``unverifiable``, not tampered. A file sealed without a notice
    is ``implicit``: the notice was switched off when it was made, for taking it out later breaks the seal.
    """
    if not found.copies:
        return _judge_without_metadata(found)
    problems = list(found.problems)
    if len(found.copies) > 1:
        problems.append(f"隐式标识有 {len(found.copies)} 份，只应有一份")
    try:
        aigc = parse_aigc(found.copies[0])
    except LabelError as error:
        return Judgement("incomplete", (*problems, *_missing_notice(found.notice), str(error)), None)
    return _judge_seal(aigc, seal_of(aigc, key, found.content), problems, found.notice)


def read_back(read: Callable[[bytes], Found], written: bytes, label: Label, key: bytes) -> bytes:
    """``written``, once it is certain that the label can be read from it whole.

    Raises:
        LabelError: it cannot; nothing may be delivered then.
    """
    judgement = judge(read(written), key)
    if judgement.status != ("whole" if label.notice else "implicit"):
        raise LabelError(
            f"生成内容标识写入后读回不符（{'；'.join(judgement.problems)}），没有导出，请先更正要导出的内容。"
        )
    if judgement.label != label:
        raise LabelError("生成内容标识写入后读回的不是所写的标识，没有导出，请先更正要导出的内容。")
    return written


def _judge_without_metadata(found: Found) -> Judgement:
    if not found.notice:
        return Judgement("absent", ("既没有隐式标识，也没有显式提示",), None)
    if not found.has_metadata:
        return Judgement("unverifiable", ("有显式提示；这种文件放不下隐式标识，无从核对内容是否改动",), None)
    return Judgement("incomplete", ("有显式提示，没有隐式标识",), None)


def _judge_seal(aigc: AIGC, seal: Seal, problems: list[str], notice: str) -> Judgement:
    label = Label(AIGC=aigc, notice=notice)
    if seal is Seal.HOLDS and not problems and not notice:
        return Judgement("implicit", ("生成时按设置关闭了显式提示",), label)
    problems += _missing_notice(notice)
    if seal is Seal.BROKEN:
        return Judgement("tampered", ("完整性校验值与内容或标识不符", *problems), label)
    if problems:
        return Judgement("incomplete", tuple(problems), label)
    if seal is Seal.NOT_OURS:
        return Judgement("unverifiable", ("没有用本机密钥算出的完整性校验值",), label)
    return Judgement("whole", (), label)


def _missing_notice(notice: str) -> list[str]:
    return [] if notice else ["没有同时写明“AI”和“生成”的显式提示"]
