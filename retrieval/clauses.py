"""Finding the chunk of a cited clause, however the citation is written."""

import re
import unicodedata
from collections.abc import Iterable

from retrieval.corpus import Chunk, Document

Key = tuple[str, ...]

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = re.compile(r"[零〇一二三四五六七八九十百千]+")
_PARTS = re.compile(r"[a-z&]+(?:-[a-z&]+)*-\d+|\d+|[a-z]+|[^\W\da-z_]+")
_NO_PARTS = re.compile(r"[第条款项点()《》“”\s]+")
_BRACKETED_LIST = re.compile(r"(\([^()]*\))(?:\([^()]*\))+")
_EDITION = re.compile(r"\([^()]*\)")


def clause_key(clause: str) -> Key:
    """The parts of a clause number: 第二十二条（八）, 22(8) and 二十二（八） are all ``("22", "8")``.

    Of a list (（五）（六） or 第五条、第九条) the first is taken.
    """
    plain = unicodedata.normalize("NFKC", clause).casefold()
    first = re.split(r"[、,;]", plain, maxsplit=1)[0]
    first = _BRACKETED_LIST.sub(r"\1", re.sub(r"附件\d+", "", first))
    spaced = _NO_PARTS.sub(" ", first)
    return tuple(_PARTS.findall(_NUMERAL.sub(lambda match: f" {_number(match[0])} ", spaced)))


def source_key(source: str) -> str:
    """A document's name without brackets' width, quotation marks and spaces."""
    return re.sub(r"[《》\s]", "", unicodedata.normalize("NFKC", source)).casefold()


class ClauseTable:
    """Chunks by document and clause."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents: dict[str, Document] = {}
        self._clauses: dict[str, dict[Key, Chunk]] = {}
        for document in documents:
            for name in (document.name, *document.aliases):
                self._documents.setdefault(source_key(name), document)
                self._documents.setdefault(_EDITION.sub("", source_key(name)), document)
            self._clauses.setdefault(document.name, _by_key(document))

    def document(self, source: str) -> Document | None:
        """The document of a full or short name, with or without its edition (（2021年版）)."""
        key = source_key(source)
        return self._documents.get(key) or self._documents.get(_EDITION.sub("", key))

    def find(self, source: str, clause: str) -> Chunk | None:
        """The chunk of a clause; else of the nearest clause around it; else the first within it."""
        document = self.document(source)
        key = clause_key(clause)
        if document is None or not key:
            return None
        chunks = self._clauses[document.name]
        for length in range(len(key), 0, -1):
            if key[:length] in chunks:
                return chunks[key[:length]]
        return next((chunk for other, chunk in chunks.items() if other[: len(key)] == key), None)


def _by_key(document: Document) -> dict[Key, Chunk]:
    chunks: dict[Key, Chunk] = {}
    by_id = {chunk.id: chunk for chunk in document.chunks}
    for chunk in document.chunks:
        chunks.setdefault(clause_key(chunk.clause), chunk)
    for clause, identifier in document.also.items():
        chunks.setdefault(clause_key(clause), by_id[identifier])
    return chunks


def _number(numeral: str) -> str:
    """一千二百一十九 → 1219; digits in a row (二〇二一) are read one by one."""
    if not set(numeral) & _UNITS.keys():
        return "".join(str(_DIGITS[character]) for character in numeral)
    total, digit = 0, 0
    for character in numeral:
        if character in _DIGITS:
            digit = _DIGITS[character]
        else:
            total += (digit or 1) * _UNITS[character]
            digit = 0
    return str(total + digit)
