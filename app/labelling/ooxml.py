"""The implicit label of Office Open XML packages: the custom property ``AIGC`` (docx and xlsx alike).

Three parts belong together: ``docProps/custom.xml`` holds the property, ``[Content_Types].xml`` says what
that part is, and ``_rels/.rels`` ties it to the package. All other parts keep their bytes.
"""

import io
import zipfile
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from app.errors import UserError

Parts = dict[str, bytes]

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONSHIP_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

_CUSTOM = "docProps/custom.xml"
_CONTENT_TYPES = "[Content_Types].xml"
_PACKAGE_RELATIONSHIPS = "_rels/.rels"
_PROPERTY_NAME = "AIGC"
_PROPERTY_FORMAT = "{D5CDD505-2E9C-101B-9397-08002B2CF9AE}"  # the user-defined set, ECMA-376 part 1, 22.3
_PROPERTIES = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
_VARIANT = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
_CUSTOM_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/custom-properties"
_CUSTOM_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_LARGEST_UNPACKED_BYTES = 512 * 1024 * 1024


def unpack(data: bytes) -> Parts:
    """The parts of a package by name, in order.

    Raises:
        UserError: damaged, encrypted, with two parts of one name, or beyond 512 MiB unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            entries = package.infolist()
            if sum(entry.file_size for entry in entries) > _LARGEST_UNPACKED_BYTES:
                raise UserError("Office 文件解开后过大，不予读取，请检查文件来源。")
            parts = {entry.filename: package.read(entry) for entry in entries}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise UserError("Office 文件已损坏或已加密，请检查文件是否完整。") from error
    if len(parts) != len(entries):
        raise UserError("Office 文件里有重名的部件，不能确定以哪一个为准，请重新导出。")
    return parts


def pack(parts: Parts) -> bytes:
    """A package of the parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(name, data)
    return stream.getvalue()


def xml_of(parts: Parts, name: str) -> Any:  # noqa: ANN401 - lxml has no types
    """The root element of a part; entities stay unresolved.

    Raises:
        UserError: the part is missing or no XML.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(parts[name], parser)
    except (KeyError, etree.XMLSyntaxError) as error:
        raise UserError(f"Office 文件的部件 {name} 缺失或已损坏，请检查文件是否完整。") from error


def to_bytes(root: Any) -> bytes:  # noqa: ANN401
    """A part as its file holds it."""
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))


def label_copies(parts: Parts) -> tuple[str, ...]:
    """The value of every custom property ``AIGC``."""
    if _CUSTOM not in parts:
        return ()
    return tuple("".join(found.itertext()) for found in _label_properties(xml_of(parts, _CUSTOM)))


def with_label(parts: Parts, value: str) -> Parts:
    """The parts with ``value`` as the one custom property ``AIGC``; other properties stay."""
    root = (
        xml_of(parts, _CUSTOM)
        if _CUSTOM in parts
        else etree.Element(f"{{{_PROPERTIES}}}Properties", nsmap=_prefixes())
    )
    for old in _label_properties(root):
        root.remove(old)
    number = max((int(other.get("pid", "1")) for other in root), default=1) + 1
    new = etree.SubElement(
        root, f"{{{_PROPERTIES}}}property", fmtid=_PROPERTY_FORMAT, pid=str(number), name=_PROPERTY_NAME
    )
    etree.SubElement(new, f"{{{_VARIANT}}}lpwstr", nsmap={"vt": _VARIANT}).text = value
    return parts | {
        _CUSTOM: to_bytes(root),
        _CONTENT_TYPES: _with_content_type(parts),
        _PACKAGE_RELATIONSHIPS: _with_relation(parts),
    }


def _prefixes() -> dict[str | None, str]:
    return {None: _PROPERTIES, "vt": _VARIANT}


def _label_properties(root: Any) -> list[Any]:  # noqa: ANN401
    return [
        found for found in root.findall(f"{{{_PROPERTIES}}}property") if found.get("name") == _PROPERTY_NAME
    ]


def _with_content_type(parts: Parts) -> bytes:
    root = xml_of(parts, _CONTENT_TYPES)
    if not any(found.get("PartName") == f"/{_CUSTOM}" for found in root):
        etree.SubElement(root, f"{{{_TYPES}}}Override", PartName=f"/{_CUSTOM}", ContentType=_CUSTOM_TYPE)
    return to_bytes(root)


def _with_relation(parts: Parts) -> bytes:
    root = xml_of(parts, _PACKAGE_RELATIONSHIPS)
    if not any(found.get("Type") == _CUSTOM_RELATION for found in root):
        taken = {found.get("Id") for found in root}
        free = next(name for name in (f"rId{n}" for n in range(1, len(taken) + 2)) if name not in taken)
        etree.SubElement(
            root, f"{{{_RELATIONSHIPS}}}Relationship", Id=free, Type=_CUSTOM_RELATION, Target=_CUSTOM
        )
    return to_bytes(root)
