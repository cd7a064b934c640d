"""Whether the papers of one operation agree: what was done, how, by whom, under which anaesthesia, with what loss."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from app.qc.case import Case
from app.qc.checks.base import Check
from app.qc.ruling import PASSED, Hit, Ruling, combine, defect, not_applicable, undetermined
from app.records.model import Document, DocumentType, Evidence, Procedure, Span
from app.text.anaesthesia import kinds_of_anaesthesia, same_anaesthesia
from app.text.operations import read_operation, same_operation, split_operations, ways_in_differ
from app.text.patterns import regex
from app.text.reading import Reading
from app.text.times import find_dates
from app.text.width import half_width

_EXPLAINED = regex(
    "中转|改行|改为|改开|变更|追加|扩大(?:手术)?|加行|另行|遂行|故行|术中(?:发现|探查|见|冰冻|快速)[^。\n]{0,60}(?:故|遂|因此|决定|改|加)"
    "|(?:告知|征得|沟通)[^。\n]{0,20}(?:家属|患者|授权|受托)[^。\n]{0,20}(?:同意|签字|理解)"
)
_LISTED_SECTIONS = ("拟施手术", "手术名称", "手术方案", "替代方案", "主持人小结", "讨论意见")


def _title(document: Document) -> str:
    return document.title or document.kind


def _by_procedure(case: Case, types: tuple[DocumentType, ...]) -> Iterator[list[Document]]:
    """The documents of each operation; all together where at most one operation is known."""
    procedures = [p for p in case.record.procedures or () if p.kind in (None, "手术", "介入")]
    if len(procedures) <= 1:
        yield list(case.documents_of(*types))
        return
    for procedure in procedures:
        yield list(case.documents_for(procedure, *types))


def _of_kind(documents: Iterable[Document], *kinds: DocumentType) -> list[Document]:
    return [document for document in documents if document.kind in kinds]


class _Place(NamedTuple):
    document: Document
    span: Span

    @property
    def words(self) -> str:
        return self.span.of(self.document.text)

    @property
    def evidence(self) -> Evidence:
        return self.document.evidence(self.span)


def _first_line(reading: Reading, *names: str) -> _Place | None:
    """The first line of the first filled section of ``names``."""
    section = reading.section(*names)
    if section is None or section.body.start == section.body.end:
        return None
    newline = reading.half.find("\n", *section.body)
    return _Place(reading.document, Span(section.body.start, newline if newline > 0 else section.body.end))


class OperationNotAgreed(Check, name="operation_not_agreed"):
    """An operation was done that neither the discussion nor the consent lists, and nothing explains the change.

    Alternatives listed anywhere in the consent or the discussion count; a change explained in the operation note
    (中转, 改行, 术中发现…故) or told to the family does too.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation note against the consents and discussions of its operation."""
        groups = _by_procedure(case, applies_to)
        rulings = (self._judge(case, group) for group in groups)
        return combine(rulings, none_reason="没有手术记录")

    def _judge(self, case: Case, documents: Sequence[Document]) -> Ruling:
        notes = _of_kind(documents, "手术记录")
        agreed = _of_kind(documents, "手术知情同意书", "术前讨论记录", "术前小结")
        consents = _of_kind(agreed, "手术知情同意书") or agreed
        if not notes or not agreed:
            return not_applicable("没有可与术前文书比对的手术记录")
        done = _first_line(case.reading(notes[0]), "手术名称")
        planned = [place for d in consents for place in _planned(case.reading(d))]
        if done is None or not planned:
            return undetermined("手术名称缺失")
        if _EXPLAINED.search(notes[0].text):
            return PASSED
        hits = [self._hit(done, planned[0], operation) for operation in self._not_listed(done, planned)]
        return defect(*hits) if hits else PASSED

    def _not_listed(self, done: _Place, planned: Sequence[_Place]) -> Iterator[str]:
        listed = [name for place in planned for name in split_operations(place.words)]
        whole = "".join(place.document.text for place in planned)
        for operation in split_operations(done.words):
            if not read_operation(operation).organs or any(_named_in(operation, place) for place in planned):
                continue
            same = [name for name in listed if same_operation(operation, name)]
            doubtful = any(same_operation(operation, name) is None for name in listed)
            if same:
                opened = "开放" in read_operation(operation).approaches
                told = re.search("开腹|开胸|开放|中转", whole)
                if all(ways_in_differ(operation, name) for name in same) and not (opened and told):
                    yield operation
            elif not doubtful:
                yield operation

    def _hit(self, done: _Place, planned: _Place, operation: str) -> Hit:
        details = {
            "operation": operation,
            "other": _title(planned.document),
            "planned": planned.words.strip()[:40],
        }
        return Hit(done.document.id, "手术名称", (done.evidence, planned.evidence), details)


def _planned(reading: Reading) -> Iterator[_Place]:
    for name in _LISTED_SECTIONS:
        place = _first_line(reading, name)
        if place is not None:
            yield place


def _named_in(operation: str, place: _Place) -> bool:
    core = read_operation(operation).core
    said = half_width(place.document.text)
    return (
        len(core) >= 3
        and core in said
        and not (
            "开放" in read_operation(operation).approaches and not re.search("开腹|开胸|开放|中转|剖腹", said)
        )
    )


class AnaesthesiaDisagrees(Check, name="anaesthesia_disagrees"):
    """The anaesthesia given is named differently in the papers of one operation, or was not consented to."""

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Compare, operation by operation, with the anaesthesia record (else the structured data)."""
        rulings = (self._judge(case, group) for group in _by_procedure(case, applies_to))
        return combine(rulings, none_reason="没有麻醉、手术文书")

    def _judge(self, case: Case, documents: Sequence[Document]) -> Ruling:
        records = _of_kind(documents, "麻醉记录", "手术记录")
        places = [p for d in records if (p := _first_line(case.reading(d), "麻醉方法", "拟施麻醉"))]
        named = [
            (place, kinds) for place in places if (kinds := kinds_of_anaesthesia(_one_clause(place.words)))
        ]
        if not named:
            return not_applicable("没有麻醉文书") if not records else undetermined("文书没有写明麻醉方式")
        given, kinds = named[0]
        if any(re.search("改全|改为|改行|改用|变更", place.words) for place, _ in named):
            return PASSED
        hits = [self._hit(place, given) for place, others in named[1:] if not same_anaesthesia(kinds, others)]
        hits += self._not_consented(case, documents, given, kinds)
        hits += self._against_data(case, given, kinds)
        if hits:
            return defect(*hits)
        compared = len(named) + len(_of_kind(documents, "麻醉知情同意书")) + len(case.record.procedures or ())
        return PASSED if compared > 1 else not_applicable("麻醉方式只有一处写明")

    def _not_consented(
        self, case: Case, documents: Sequence[Document], given: _Place, kinds: frozenset[str]
    ) -> Iterator[Hit]:
        for document in _of_kind(documents, "麻醉知情同意书"):
            reading = case.reading(document)
            section = reading.section("拟施麻醉", "麻醉方法")
            told = kinds_of_anaesthesia(document.text)
            if section and told and not kinds <= told and not same_anaesthesia(kinds, told):
                yield self._hit(given, _Place(document, section.body))

    def _against_data(self, case: Case, given: _Place, kinds: frozenset[str]) -> Iterator[Hit]:
        procedures = [p for p in case.record.procedures or () if p.anesthesia]
        if len(procedures) != 1:
            return
        page = case.record.front_page
        fields = (page.model_extra if page else None) or {}
        sources = (
            ("手术资料", procedures[0].anesthesia),
            ("病案首页", fields.get("operation_main_anesthesia")),
        )
        for source, words in sources:
            others = kinds_of_anaesthesia(str(words or ""))
            if others and not same_anaesthesia(kinds, others):
                details = {"document": _title(given.document), "given": given.words.strip()[:20]}
                yield Hit(
                    given.document.id,
                    "麻醉方法",
                    (given.evidence,),
                    {**details, "other": source, "otherwise": words},
                )

    def _hit(self, place: _Place, other: _Place) -> Hit:
        details = {
            "document": _title(place.document),
            "given": _one_clause(place.words).strip()[:20],
            "other": _title(other.document),
            "otherwise": _one_clause(other.words).strip()[:20],
        }
        return Hit(place.document.id, "麻醉方法", (place.evidence, other.evidence), details)


def _one_clause(words: str) -> str:
    return re.split(r"[;；。\n]|[　 ]{1,}(?=[\u4e00-\u9fff]+[:：])", words)[0]


_PERSON = regex(r"[\u4e00-\u9fff·*]{2,4}?(?=主任|副主任|主治|住院|医师|医生|[\s、,，;；。(（/及和与]|$)")
_NOT_A_NAME = frozenset(
    {"手术", "医师", "术者", "主刀", "主任", "同前", "同上", "见上", "陈述", "签名", "意见"}
)


class SurgeonsDisagree(Check, name="surgeons_disagree"):
    """Operation note, anaesthesia record, safety check and front page name different surgeons or first assistants.

    Also where the one who signed the note as surgeon (术者) is not the surgeon it names.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation's papers."""
        rulings = (self._judge(case, group) for group in _by_procedure(case, applies_to))
        return combine(rulings, none_reason="没有手术记录")

    def _judge(self, case: Case, documents: Sequence[Document]) -> Ruling:
        notes = _of_kind(documents, "手术记录")
        if not notes:
            return not_applicable("没有手术记录")
        note, reading = notes[0], case.reading(notes[0])
        hits: list[Hit] = []
        judged = False
        for role, headings in (("术者", ("手术者",)), ("第一助手", ("手术助手",))):
            place = _person(reading, *headings)
            if place is None:
                continue
            if "*" in place.words:
                return undetermined("姓名被脱敏")
            judged = True
            hits += self._elsewhere(case, documents, note, role, place, headings)
            hits += self._in_data(case, role, place)
            hits += self._signed(note, role, place)
        if not judged:
            return undetermined("手术记录没有写术者")
        return defect(*hits) if hits else PASSED

    def _elsewhere(
        self,
        case: Case,
        documents: Sequence[Document],
        note: Document,
        role: str,
        place: _Place,
        headings: tuple[str, ...],
    ) -> Iterator[Hit]:
        for document in _of_kind(documents, "麻醉记录", "手术安全核查记录"):
            other = _person(case.reading(document), *headings)
            if other and "*" not in other.words and place.words not in _people_after(other):
                yield self._hit(role, place, _title(document), other.words, (other.evidence,))

    def _in_data(self, case: Case, role: str, place: _Place) -> Iterator[Hit]:
        procedures = [p for p in case.record.procedures or () if p.kind in (None, "手术", "介入")]
        if len(procedures) != 1:
            return
        page = (case.record.front_page.model_extra if case.record.front_page else None) or {}
        first = (procedures[0].assistants or (None,))[0]
        named = (
            (("手术资料", procedures[0].surgeon), ("病案首页", page.get("operation_main_surgeon")))
            if role == "术者"
            else (("手术资料", first), ("病案首页", page.get("operation_main_first_assistant")))
        )
        for source, name in named:
            said = str(name or "").strip(" -—/")
            if said and "*" not in said and said != place.words:
                yield self._hit(role, place, source, said, ())

    def _signed(self, note: Document, role: str, place: _Place) -> Iterator[Hit]:
        signed = [s.name for s in note.signatures or () if s.role == role and s.name and "*" not in s.name]
        if signed and place.words not in signed:
            yield self._hit(role, place, "手术记录签名", "、".join(signed), ())

    def _hit(self, role: str, place: _Place, source: str, other: str, evidence: tuple[Evidence, ...]) -> Hit:
        details = {"role": role, "name": place.words, "other": source, "otherwise": other}
        return Hit(place.document.id, "手术者", (place.evidence, *evidence), details)


def _person(reading: Reading, *headings: str) -> _Place | None:
    """The first name in a section that names people."""
    section = reading.section(*headings)
    if section is None:
        return None
    match = _PERSON.match(reading.half, section.body.start, min(section.body.end, section.body.start + 8))
    if not match or match.group() in _NOT_A_NAME:
        return None
    return _Place(reading.document, Span(*match.span()))


def _people_after(place: _Place) -> str:
    """The words from a name to the end of its line: everyone listed there."""
    end = place.document.text.find("\n", place.span.end)
    return place.document.text[place.span.start : end if end >= 0 else len(place.document.text)]


_AMOUNTS = {
    "出血量": regex(r"(?:出血量?|失血量?)(?:约|共|计|为|:|\s)*(?P<amount>\d{1,5}(?:\.\d)?)\s*(?P<unit>ml|mL|毫升|ML|L)"),
    "输血量": regex(
        r"输(?:注|入)?(?:[\u4e00-\u9fff]{0,8}(?:红细胞|血浆|全血)|血量?)(?:约|共|计|为|:|\s)*(?P<amount>\d{1,5}(?:\.\d)?)\s*(?P<unit>ml|mL|毫升|ML|U|u|单位)"
    ),
    "输液量": regex(r"(?:补液|输液|入液|输入液体)量?[^。;,，\n]{0,30}?(?:共|约|计|为|:|\s)*(?P<amount>\d{2,5})\s*(?P<unit>ml|mL|毫升|ML)(?![^。\n]{0,30}共\d)"),
}  # fmt: skip
_TOTAL = regex(r"共\s*(?P<amount>\d{2,5})\s*(?P<unit>ml|mL|毫升|ML)")


class AmountsDisagree(Check, name="amounts_disagree"):
    """Operation note and anaesthesia record differ in blood loss, blood or fluid given.

    Attributes:
        tolerance: the share of the larger amount that two notes may differ by.
        least: the difference in mL (for blood in units: one unit) below which nothing counts.
    """

    tolerance: float = 0.2
    least: float = 100.0

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge each operation's two papers."""
        rulings = (self._judge(case, group) for group in _by_procedure(case, applies_to))
        return combine(rulings, none_reason="没有手术记录和麻醉记录")

    def _judge(self, case: Case, documents: Sequence[Document]) -> Ruling:
        notes, records = _of_kind(documents, "手术记录"), _of_kind(documents, "麻醉记录")
        if not notes or not records:
            return not_applicable("没有可比对的手术记录和麻醉记录")
        hits, judged = [], False
        for what, pattern in _AMOUNTS.items():
            mine, theirs = (
                _amount(case.reading(notes[0]), pattern),
                _amount(case.reading(records[0]), pattern),
            )
            if mine is None or theirs is None or mine.unit != theirs.unit:
                continue
            judged = True
            if self._differ(mine, theirs):
                details = {
                    "what": what,
                    "mine": mine.place.words,
                    "theirs": theirs.place.words,
                }
                hits.append(Hit(notes[0].id, None, (mine.place.evidence, theirs.place.evidence), details))
        if hits:
            return defect(*hits)
        return PASSED if judged else not_applicable("两份记录没有同时写明出入量")

    def _differ(self, mine: "_Amount", theirs: "_Amount") -> bool:
        difference, larger = abs(mine.value - theirs.value), max(mine.value, theirs.value)
        least = self.least if mine.unit == "ml" else 0.999
        return difference > least and difference > self.tolerance * larger


class _Amount(NamedTuple):
    place: _Place
    value: float
    unit: str


def _amount(reading: Reading, pattern: re.Pattern[str]) -> _Amount | None:
    match = pattern.search(reading.half)
    if match is None:
        return None
    clause_end = min(
        (i for i in (reading.half.find(m, match.end()) for m in "。;\n") if i >= 0), default=match.end()
    )
    total = _TOTAL.search(reading.half, match.end(), clause_end) if "液" in match.group() else None
    value, unit = (total or match)["amount"], (total or match)["unit"]
    place = _Place(reading.document, Span(match.start(), (total or match).end()))
    amount = float(value) * (1000 if unit == "L" else 1)
    return _Amount(place, amount, "U" if unit in ("U", "u", "单位") else "ml")


class DischargeCourseDisagrees(Check, name="discharge_course_disagrees"):
    """The course told in the discharge record puts an operation on another day, or another way in, than it was.

    Only sentences that name one of the operations of the stay are judged.
    """

    def rule_on(self, case: Case, applies_to: tuple[DocumentType, ...]) -> Ruling:
        """Judge the discharge record against the procedures."""
        documents = case.documents_of(*applies_to)
        if not documents:
            return not_applicable(f"没有{'、'.join(applies_to)}")
        procedures = [p for p in case.record.procedures or () if p.name and p.started_at]
        if not procedures:
            if "procedures" in case.record.delivered:
                return not_applicable("没有手术、操作")
            return undetermined("没有可比对的原始记录")
        hits = [hit for d in documents for hit in self._hits(case, d, procedures)]
        return defect(*hits) if hits else PASSED

    def _hits(self, case: Case, document: Document, procedures: Sequence[Procedure]) -> Iterator[Hit]:
        reading = case.reading(document)
        section = reading.section("诊疗经过")
        if section is None:
            return
        for sentence in reading.sentences_of(section):
            for procedure in procedures:
                named = [
                    o for o in _operations_done(sentence.quote) if same_operation(o, procedure.name or "")
                ]
                alike = [p for p in procedures if any(same_operation(o, p.name or "") for o in named)]
                if len(alike) == 1 and alike[0] is procedure:
                    yield from self._compare(document, sentence, named, procedure)

    def _compare(
        self, document: Document, sentence: "tuple[int, int, str]", named: Sequence[str], procedure: Procedure
    ) -> Iterator[Hit]:
        start, end, quote = sentence
        started = procedure.started_at
        days = {
            d.value.date()
            for d in find_dates(quote, started.year if started else None)
            if d.value and d.precision in ("day", "minute")
        }
        done = {started.date(), (procedure.ended_at or started).date()} if started else set()
        details = {"document": _title(document), "operation": procedure.name or ""}
        if days and done and days.isdisjoint(done) and len(days) == 1:
            what = f"写作{min(days):%Y-%m-%d}，实为{min(done):%Y-%m-%d}"
            yield Hit(
                document.id,
                "诊疗经过",
                (document.evidence(Span(start, end)),),
                {**details, "difference": what},
            )
        elif all(ways_in_differ(name, procedure.name or "") for name in named):
            what = f"写作“{named[0]}”，与手术资料的入路不同"
            yield Hit(
                document.id,
                "诊疗经过",
                (document.evidence(Span(start, end)),),
                {**details, "difference": what},
            )


_DONE = regex(r"(?:行|施行|实施|完成|接受)(?:了)?(?P<name>[^,，。;；\n]{2,40}?(?:术|切除|修补|造影|手术))")


def _operations_done(sentence: str) -> list[str]:
    return [part for match in _DONE.finditer(sentence) for part in split_operations(match["name"])]
