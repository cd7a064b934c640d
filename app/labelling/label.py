"""The label of generated content after GB 45438-2025: what it says, how it is made, how it is sealed.

A label has two halves. The *explicit* one is the notice that a reader sees. The *implicit* one is the
``AIGC`` object in the metadata of the file. How each file format carries both is the business of the format's
own module.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from app.errors import UserError
from app.privacy.keys import kept_key
from app.settings import Settings

NOTICE = "本内容由AI生成，须经医师审核确认"

_SEAL_PREFIX = "HMAC-SHA256:v1:"
_SEAL_FORM = re.compile(rf"(?P<key>{_SEAL_PREFIX}[0-9a-f]{{8}}:)[0-9a-f]{{64}}")
_KEY_FILE = "label.key"
_INTELLIGENCE = re.compile(r"人工智能|(?<![A-Za-z])AI(?:GC)?(?![A-Za-z])")
_GENERATION = re.compile(r"生成|合成")
_SENTENCE_END = re.compile(r"[。！？；\r\n]")
_SINGLE_BYTE = r"[\x21\x23-\x5b\x5d-\x7e]"

Code = Annotated[str, StringConstraints(pattern=rf"\A{_SINGLE_BYTE}+\z")]
OptionalCode = Annotated[str, StringConstraints(pattern=rf"\A{_SINGLE_BYTE}*\z")]


class LabelError(UserError):
    """A label that does not comply, or one that could not be written whole."""


class AIGC(BaseModel):
    """The implicit label: exactly the seven keys of GB 45438-2025, appendix E, under their names there.

    Values use the visible single-byte characters 0x21 to 0x7E without double quote and backslash, so no
    Chinese and no space. The three fields of the producer must say something; those of a propagator and the
    reserved ones may be empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    Label: Literal["1", "2", "3"]
    ContentProducer: Code
    ProduceID: Code
    ReservedCode1: OptionalCode
    ContentPropagator: OptionalCode
    PropagateID: OptionalCode
    ReservedCode2: OptionalCode


class Label(BaseModel):
    """Both halves of a label; ``notice`` is the line that the reader sees, empty where it was switched off."""

    model_config = ConfigDict(frozen=True)

    AIGC: AIGC
    notice: str = NOTICE


class Seal(Enum):
    """What the integrity value says about a content."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_OURS = "not_ours"


def has_explicit_elements(text: str) -> bool:
    """Whether one sentence of ``text`` names both elements of GB 45438-2025, 5.1.

    They are 人工智能 or AI, and 生成 or 合成. AI counts as a word of its own: ``AIDS`` does not name it.
    """
    return any(_INTELLIGENCE.search(part) and _GENERATION.search(part) for part in _SENTENCE_END.split(text))


def notice_among(lines: Iterable[str]) -> str:
    """The first line that is an explicit notice, stripped; empty when there is none."""
    return next((line.strip() for line in lines if has_explicit_elements(line)), "")


def new_label(
    producer: str, key: bytes, content: bytes | str, at: datetime | None = None, notice: str = NOTICE
) -> Label:
    """Make the label of a newly generated content, sealed over it.

    ``ProduceID`` is the UTC second of generation and the first 24 hex digits of the SHA-256 of the content:
    the same content made twice is two productions, unless both fall into one second. A copy or an export of
    the content keeps the number; the writers of the formats only seal it anew over what their file shows.

    Args:
        producer: code of the service provider (27 characters are advised).
        key: secret of the integrity value.
        content: what was generated; text counts as UTF-8.
        at: aware time of generation; now, if not given.
        notice: the explicit half; empty only where ``Labeller`` found it switched off.

    Raises:
        LabelError: ``producer`` has a character that the label must not have.
    """
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    number = f"{moment:%Y%m%dT%H%M%SZ}-{_digest(content)[:24]}"
    aigc = _validated(
        {
            "Label": "1",
            "ContentProducer": producer,
            "ProduceID": number,
            "ReservedCode1": "",
            "ContentPropagator": producer,
            "PropagateID": number,
            "ReservedCode2": "",
        }
    )
    return sealed(Label(AIGC=aigc, notice=notice), key, content)


def sealed(label: Label, key: bytes, content: bytes | str) -> Label:
    """The same label with an integrity value over ``content`` in ``ReservedCode1``.

    The value is ``HMAC-SHA256:v1:<key id>:<64 hex digits>``. It covers the other six fields and the SHA-256
    of the content; the contents of the file formats include the notice. The key id (8 hex digits, derived
    from the key one way) tells a changed file from one that was sealed with another key.
    """
    aigc = label.AIGC.model_copy(update={"ReservedCode1": _seal(label.AIGC, key, content)})
    return label.model_copy(update={"AIGC": aigc})


def seal_of(aigc: AIGC, key: bytes, content: bytes | str) -> Seal:
    """Check the integrity value of ``aigc`` against ``content``.

    Returns:
        ``NOT_OURS`` when there is no value of our form, or one made with another key.
    """
    mine = _seal(aigc, key, content)
    if hmac.compare_digest(aigc.ReservedCode1, mine):
        return Seal.HOLDS
    theirs = _SEAL_FORM.fullmatch(aigc.ReservedCode1)
    if theirs and not mine.startswith(theirs["key"]):
        return Seal.NOT_OURS
    return Seal.BROKEN if aigc.ReservedCode1.startswith(_SEAL_PREFIX) else Seal.NOT_OURS


def to_json(aigc: AIGC) -> str:
    """The seven keys as one line of plain JSON, as the containers named ``AIGC`` hold it."""
    return json.dumps(aigc.model_dump(), separators=(",", ":"))


def parse_aigc(text: str) -> AIGC:
    """Read an implicit label, bare or wrapped as ``{"AIGC": {…}}``.

    Raises:
        LabelError: no JSON object, a key missing, unknown or twice, or a value with a forbidden character.
    """
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise LabelError("隐式标识不是有效的 JSON") from error
    if isinstance(value, dict) and value.keys() == {"AIGC"}:
        value = value["AIGC"]
    return _validated(value)


def label_key(settings: Settings) -> bytes:
    """The secret of the integrity value: the setting ``label_key``, else one kept in the data folder.

    The kept one is made at the first call, readable by its owner only.

    Raises:
        UserError: the key file cannot be made or read, or holds no key.
    """
    if settings.label_key:
        return settings.label_key.encode()
    return kept_key(settings.data_dir / _KEY_FILE, "标识密钥", "，或设置 BINGLI_LABEL_KEY")


def _seal(aigc: AIGC, key: bytes, content: bytes | str) -> str:
    message = aigc.model_dump(exclude={"ReservedCode1"}) | {"content": _digest(content)}
    canonical = json.dumps(message, sort_keys=True, separators=(",", ":"))
    key_id = hmac.digest(key, b"bingli label key id", "sha256").hex()[:8]
    return f"{_SEAL_PREFIX}{key_id}:{hmac.digest(key, canonical.encode(), 'sha256').hex()}"


def _digest(content: bytes | str) -> str:
    data = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LabelError(f"隐式标识的键 {'、'.join(twice)} 重复")
    return dict(pairs)


def _validated(value: object) -> AIGC:
    try:
        return AIGC.model_validate(value)
    except ValidationError as error:
        raise LabelError("；".join(_complaint(detail) for detail in error.errors())) from error


def _complaint(detail: ErrorDetails) -> str:
    name = ".".join(str(part) for part in detail["loc"])
    match detail["type"]:
        case "missing":
            return f"隐式标识缺少键 {name}"
        case "extra_forbidden":
            return f"隐式标识有未知的键 {name}"
        case "literal_error":
            return f"隐式标识 {name} 的值应为 1、2 或 3"
        case "string_pattern_mismatch":
            return f"隐式标识 {name} 的值为空或有不允许的字符（不得有汉字、空格、双引号和反斜线）"
        case "string_type":
            return f"隐式标识 {name} 的值不是字符串"
        case _:
            return "隐式标识不是含七个键的对象"
