"""The logical rules of an indicator, read into one condition over statements.

Rules are written by hand in many styles: ``Fact 1 = True``, ``(盆腔MRI = 已进行) ∧ …``, ``Logical Rule 1 ∨ Logical
Rule 2``, ``Count ≥ 3``, ``C < 3``, ``If Fact 3 ∈ {PCI, 静脉溶栓}, then True.`` What is compared or said in words becomes
a statement of its own, so that every atom of the condition is a sentence that a note supports or not.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from app.qc.specialty.indicator import Indicator, LogicalRule
from app.text.width import half_width

Operator = Literal["<", "<=", ">", ">="]
MAX_DEPTH = 40


class Comparison(NamedTuple):
    """A number that the note gives for ``left`` against a limit, or against the number given for ``right``."""

    left: str
    operator: Operator
    right: str
    limit: float | None


class Statement(NamedTuple):
    """A sentence that a note supports or does not.

    Attributes:
        text: the sentence, in Chinese.
        fact: the index (from 0) of the fact it comes from; ``None`` where it compares facts.
        comparison: the comparison it makes, where it makes one in numbers.
    """

    text: str
    fact: int | None = None
    comparison: Comparison | None = None


class Constant(NamedTuple):
    """``True`` or ``False``, as written into a rule."""

    value: bool


class Negation(NamedTuple):
    """Holds where ``part`` does not."""

    part: "Node"


class AtLeast(NamedTuple):
    """Holds where at least ``needed`` of ``parts`` hold: all of them, one of them, or a number."""

    needed: int
    parts: "tuple[Node, ...]"


Node = Statement | Constant | Negation | AtLeast


def conjunction(parts: Sequence[Node]) -> Node:
    """All of ``parts``."""
    return parts[0] if len(parts) == 1 else AtLeast(len(parts), tuple(parts))


def disjunction(parts: Sequence[Node]) -> Node:
    """One of ``parts``."""
    return parts[0] if len(parts) == 1 else AtLeast(1, tuple(parts))


def statements_of(node: Node) -> tuple[Statement, ...]:
    """The statements of a condition, each once, in order."""
    return tuple(dict.fromkeys(_statements(node)))


def _statements(node: Node) -> Iterator[Statement]:
    match node:
        case Statement():
            yield node
        case Negation(part):
            yield from _statements(part)
        case AtLeast(_, parts):
            for part in parts:
                yield from _statements(part)


class Compiled(NamedTuple):
    """An indicator's condition, and in Chinese what could not be read as written."""

    condition: Node
    problems: tuple[str, ...]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """See ``statements_of``."""
        return statements_of(self.condition)


def compile_indicator(indicator: Indicator) -> Compiled:
    """Read the deciding (last) rule, with the rules it names.

    Where it cannot be read, the condition is that all facts hold, and ``problems`` says so.
    """
    return _Compiler(indicator).compiled()


_OPTIONS = re.compile(
    r"\s*=\s*(?P<options>(?:True|False|T|F|是|否|有|无|[\u4e00-\u9fff]{1,6})\s*/\s*[^。(（\s]+)",
    re.IGNORECASE,
)
_ASSUMED = re.compile(r"[(（]\s*假设[^()（）]*[)）]")
_VARIABLE = re.compile(
    r"\s*=\s*(?!(?:True|False|Yes|No)\b)(?P<name>[A-Za-z]\w{0,4}?)\s*[%％\u4e00-\u9fff]{0,4}\s*$", re.I
)
_LEAD = re.compile(r"^(?:确定|判断|评估|确认|检查)(?=.{0,12}是否)")
_TRUTHS = {"true": True, "t": True, "真": True, "是": True, "1": True, "yes": True}
_FALSITIES = {"false": False, "f": False, "假": False, "否": False, "0": False, "no": False}
_TRUTH = _TRUTHS | _FALSITIES


@dataclass(frozen=True)
class _Fact:
    """A fact as written: its name, the values it may take (words), the letter that stands for its value."""

    index: int
    written: str

    @cached_property
    def _plain(self) -> str:
        return _ASSUMED.sub("", self.written).strip().rstrip("。；;. ")

    @cached_property
    def options(self) -> tuple[str, ...]:
        found = _OPTIONS.search(self._plain)
        return tuple(part.strip() for part in found["options"].split("/")) if found else ()

    @cached_property
    def variable(self) -> str | None:
        found = _VARIABLE.search(self._plain)
        return found["name"] if found else None

    @cached_property
    def name(self) -> str:
        return re.sub(r"\s*=.*$", "", self._plain, flags=re.DOTALL).strip()

    def statement(self, value: str | None = None) -> Node:
        """That the fact holds, or that it has ``value`` (first option: by default)."""
        value = (value or "").strip(" \"'“”‘’\\") or None
        truth = _TRUTH.get(value.lower()) if value else None
        options = [option for option in self.options if option.lower() not in _TRUTH]
        if value is None and options:
            value = options[0]
        if truth is not None or value is None:
            node = Statement(_asserted(self.name), self.index)
            return Negation(node) if truth is False else node
        if len(options) == 2 and value in options and value != options[0] and value[0] in "未无非不":
            return Negation(Statement(_valued(self.name, options[0]), self.index))
        return Statement(_valued(self.name, value), self.index)


def _asserted(name: str) -> str:
    return _LEAD.sub("", name).replace("是否", "")


def _valued(name: str, value: str) -> str:
    joint = "" if re.match(r"[已未有无]", value) else "为"
    return f"{name}{joint}{value}"


_BRACKETS = str.maketrans("[]【】", "()()", "\\")
_REFERENCES = (
    (re.compile(r"facts?\s*(\d+)|事实\s*(\d+)|(?<![A-Za-z0-9«])F(\d+)(?![A-Za-z0-9»])", re.IGNORECASE), "F"),
    (
        re.compile(r"logical\s*rules?\s*(\d+)|逻辑?规则\s*(\d+)|(?<![A-Za-z])rules?\s*(\d+)", re.IGNORECASE),
        "R",
    ),
)
_SIGNS = (
    (re.compile(r"∧|⋀|∩|&&?|\bAND\b|(?<=[»)\s])(?:且|并且|和)(?=[«(\s])", re.IGNORECASE), " ∧ "),
    (re.compile(r"∨|⋁|∪|\|\|?|\bOR\b|(?<=[»)\s])(?:或者?)(?=[«(\s])", re.IGNORECASE), " ∨ "),
    (re.compile(r"¬|￢|[~～∼]|!(?!=)|\bNOT\b", re.IGNORECASE), " ¬ "),
    (re.compile(r"≥|=>|⩾|>="), " >= "),
    (re.compile(r"≤|=<|⩽|<="), " <= "),
)
_TOKEN = re.compile(r"[()∧∨¬]|[^()∧∨¬]+")
_IF = re.compile(
    r"^\s*(?:if|如果)\s*(?P<condition>.*?)(?:\s*[,，]?\s*(?:\bthen\b|(?<=[,，])则).*)?$",
    re.IGNORECASE | re.DOTALL,
)
_ARROW = re.compile(r"\s*(?:→|⇒|=>|->|⟹).*$", re.DOTALL)
_FACT = re.compile(r"\s*«F(?P<fact>\d+)»\s*(?:(?:==?|is|为|≡)\s*(?P<value>[^<>=+\-]+?))?\s*", re.IGNORECASE)
_MEMBER = re.compile(r"\s*«F(?P<fact>\d+)»\s*(?:∈|in)\s*\{(?P<values>[^}]*)\}?\s*", re.IGNORECASE)
_RULE = re.compile(r"\s*«R(?P<rule>\d+)»\s*(?:(?:==?|is|为)\s*(?P<value>\w+))?\s*", re.IGNORECASE)
_COMPARED = re.compile(
    r"\s*(?:«F(?P<fact>\d+)»|(?P<variable>[A-Za-z]\w{0,4}))\s*(?P<operator><=|>=|<|>)\s*"
    r"(?:(?P<limit>\d+(?:\.\d+)?)\s*(?P<unit>[^\s\d]*)|«F(?P<other>\d+)»|(?P<other_variable>[A-Za-z]\w{0,4}))\s*"
)
_COUNTED = re.compile(
    r"(?P<name>[\w\u4e00-\u9fff]*?(?:count|计数|数量|项数|个数|总数|总分))\s*(?P<operator>>=|>|==?)\s*(?P<n>\d+)",
    re.IGNORECASE,
)
_SUMMED = re.compile(r"(?:sum|计数|\+)", re.IGNORECASE)
_ARITHMETIC = re.compile(r"»\s*[-+]\s*«")
_HEADING = re.compile(
    r"^\s*(?:(?:final\s*)?(?:result|output|decision)|结果|结论|判定|(?:logical\s*)?rules?\s*\d*(?=\s*:))\s*:?=?\s*"
    r"(?=\S)(?<=[:=\s])",
    re.IGNORECASE,
)
_LIST = r"\(?\s*(?P<list>«[FR]\d+»(?:\s*=+\s*\w+)?(?:\s*[,，、+]\s*«[FR]\d+»(?:\s*=+\s*\w+)?)+)\s*\)?"
_TALLIED = re.compile(
    rf"(?:count|sum|number of|总数|计数|求和)?\s*{_LIST}\s*(?P<operator>>=|>|==?)\s*(?P<n>\d+)\s*",
    re.IGNORECASE,
)
_AT_LEAST = re.compile(rf"(?:at\s*least|至少)\s*(?P<n>\d+)\s*(?:of|项|个)?\s*{_LIST}\s*", re.IGNORECASE)
_TOGETHER = re.compile(
    rf"(?P<all>all|均|全部)?(?P<any>any|任一|任意)?\s*{_LIST}\s*(?P<all_after>均|都|全部?|同时)?(?P<any_after>任[一意何]|之一)?"
    r"\s*(?:为|成立|=+)?\s*(?:True|T|真|是)?\s*",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"(\d+(?:\.\d+)?)\s*(<=?)\s*([^<>=∧∨()]+?)\s*(<=?)\s*(\d+(?:\.\d+)?)")
_NUMBER_FIRST = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*(<=|>=|<|>)\s*(«F\d+»|[A-Za-z]\w{0,4})(?![\w»])")
_LONGEST_LETTER = 2
"""A longer variable is the name of a measure (SBP); a shorter one stands for a fact that says so."""
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WORDED = re.compile(r"[如若]果?(?P<condition>.+?)[,，](?:那么|则)")
_WORDS_OF = {"<": "小于", "<=": "小于或等于", ">": "大于", ">=": "大于或等于"}


class _Compiler:
    def __init__(self, indicator: Indicator) -> None:
        self._facts = [_Fact(index, written) for index, written in enumerate(indicator.facts)]
        self._rules = indicator.logical_rules
        self._problems: list[str] = []

    def compiled(self) -> Compiled:
        condition = self._rule(len(self._rules) - 1, frozenset())
        if condition is None or not statements_of(condition):
            self._problems.append("最后一条规则无法识别，按“全部事实成立”处理")
            condition = conjunction([fact.statement() for fact in self._facts])
        return Compiled(condition, tuple(dict.fromkeys(self._problems)))

    def _rule(self, index: int, seen: frozenset[int]) -> Node | None:
        """The condition of a rule; ``None`` where it cannot be read."""
        rule = self._rules[index]
        symbols = self._marked(_HEADING.sub("", rule.symbols))
        counted = self._tallied(symbols, rule, seen | {index}) or self._counted(symbols)
        if counted is not None:
            return counted
        if _ARITHMETIC.search(symbols) and not re.search(r"[∧∨¬]", symbols):
            return self._said(symbols, rule)
        if not re.search(r"[«∧∨¬=<>\w]", symbols):
            return self._from_words(rule, index, seen)
        return self._parsed(symbols, rule, seen | {index})

    def _marked(self, symbols: str) -> str:
        """The symbols in half-width, with ``«F2»`` for the second fact and ``«R1»`` for the first rule."""
        text = half_width(symbols).translate(_BRACKETS)
        for fact in sorted(self._facts, key=lambda fact: -len(fact.name)):
            if len(fact.name) > 1:
                text = text.replace(half_width(fact.name), f"«F{fact.index + 1}»")
        for pattern, letter in _REFERENCES:
            text = pattern.sub(lambda m, letter=letter: f"«{letter}{next(g for g in m.groups() if g)}»", text)  # type: ignore[misc]
        for pattern, sign in _SIGNS:
            text = pattern.sub(sign, text)
        text = _BETWEEN.sub(r"\3 \4 \5 ∧ \1 \2 \3", text)
        text = _NUMBER_FIRST.sub(lambda m: f"{m[3]} {_FLIPPED[m[2]]} {m[1]}", text)
        found = _IF.match(_ARROW.sub("", text.split("//")[0]))
        return (found["condition"] if found else _ARROW.sub("", text)).strip().rstrip("。.")

    def _tallied(self, symbols: str, rule: LogicalRule, seen: frozenset[int]) -> Node | None:
        """A number of facts or rules that are to hold: sum(Fact 1, Fact 2) >= 1, at least 2 of (…), 均为真."""
        found = _TALLIED.fullmatch(symbols) or _AT_LEAST.fullmatch(symbols)
        together = None if found else _TOGETHER.fullmatch(symbols)
        listed = found or together
        if listed is None or (found and self._is_arithmetic(listed["list"])):
            return None
        atoms = (self._atom(text, rule, seen) for text in re.split(r"[,，、+]", listed["list"]))
        parts = [atom for atom in atoms if atom is not None]
        if together:
            if together["any"] or together["any_after"]:
                return disjunction(parts)
            return conjunction(parts) if together["all"] or together["all_after"] else None
        needed = int(listed["n"]) + (listed.groupdict().get("operator") == ">")
        return AtLeast(needed, tuple(parts)) if 0 < needed <= len(parts) else None

    def _is_arithmetic(self, listed: str) -> bool:
        """Whether the facts listed are numbers, so that adding them up counts nothing."""
        numbers = (int(n) - 1 for n in re.findall(r"«F(\d+)»", listed))
        return any(self._facts[n].variable for n in numbers if n < len(self._facts))

    def _counted(self, symbols: str) -> Node | None:
        found = _COUNTED.search(symbols)
        if not found:
            return None
        counting = " ".join(
            self._marked(rule.symbols) for rule in self._rules if _SUMMED.search(rule.symbols)
        )
        named = [int(n) - 1 for n in re.findall(r"«F(\d+)»", counting)]
        facts = [self._facts[i] for i in dict.fromkeys(named) if i < len(self._facts)] or self._facts
        count = int(found["n"]) + (found["operator"] == ">")
        return AtLeast(min(count, len(facts)), tuple(fact.statement() for fact in facts))

    def _from_words(self, rule: LogicalRule, index: int, seen: frozenset[int]) -> Node | None:
        """A rule without symbols: 且/均 or 或/任一 over the facts or rules that its words name."""
        marked = self._marked(rule.words.split("，则")[0])
        parts = [
            self._atom(f"«{kind}{n}»", rule, seen | {index})
            for kind, n in re.findall(r"«([FR])(\d+)»", marked)
        ]
        known = [part for part in parts if part is not None]
        if not known:
            return None
        return disjunction(known) if re.search(r"或|任[何一意]", rule.words) else conjunction(known)

    def _parsed(self, symbols: str, rule: LogicalRule, seen: frozenset[int]) -> Node | None:
        tokens = [token for token in _TOKEN.findall(symbols) if token.strip()]
        parser = _Parser(tokens, lambda text: self._atom(text, rule, seen))
        condition = parser.parsed()
        if parser.rest.strip("()"):
            self._problems.append(f"规则“{rule.symbols.strip()}”从“{parser.rest}”起无法识别")
        return condition

    def _atom(self, text: str, rule: LogicalRule, seen: frozenset[int]) -> Node | None:
        truth = _TRUTH.get(text.strip().lower())
        if truth is not None:
            return Constant(truth)
        if found := _RULE.fullmatch(text):
            return self._rule_named(int(found["rule"]) - 1, found["value"], seen)
        if found := _MEMBER.fullmatch(text):
            values = "或".join(part.strip(" \"'") for part in re.split(r"[,，、]", found["values"]))
            return self._of_fact(int(found["fact"]) - 1, values)
        if found := _FACT.fullmatch(text):
            return self._of_fact(int(found["fact"]) - 1, found["value"])
        if found := _COMPARED.fullmatch(text):
            return self._compared(found)
        return self._said(text, rule)

    def _rule_named(self, index: int, value: str | None, seen: frozenset[int]) -> Node | None:
        if not 0 <= index < len(self._rules):
            self._problems.append(f"规则引用了不存在的 Logical Rule {index + 1}")
            return None
        if index in seen:
            self._problems.append(f"Logical Rule {index + 1} 引用了自己")
            return None
        node = self._rule(index, seen)
        return Negation(node) if node is not None and _TRUTH.get((value or "").lower()) is False else node

    def _of_fact(self, index: int, value: str | None) -> Node | None:
        if not 0 <= index < len(self._facts):
            self._problems.append(f"规则引用了不存在的 Fact {index + 1}")
            return None
        return self._facts[index].statement(value)

    def _compared(self, found: re.Match[str]) -> Node | None:
        left = self._operand(found["fact"], found["variable"])
        if left is None:
            return None
        operator: Operator = found["operator"]  # type: ignore[assignment]
        if found["limit"]:
            limit, right = float(found["limit"]), ""
            compared = f"{found['limit']}{found['unit']}"
        else:
            other = self._operand(found["other"], found["other_variable"])
            if other is None:
                return None
            limit, right = None, other.name
            compared = other.name
        text = f"{left.name}{_WORDS_OF[operator]}{compared}"
        return Statement(text, None, Comparison(left.name, operator, right, limit))

    def _operand(self, number: str | None, variable: str | None) -> "_Fact | None":
        if number:
            index = int(number) - 1
            found = self._facts[index] if index < len(self._facts) else None
        else:
            found = next((fact for fact in self._facts if fact.variable == variable), None)
        if found is None and variable and len(variable) > _LONGEST_LETTER:
            return _Fact(-1, variable)
        if found is None:
            self._problems.append(f"规则中的“{number or variable}”不是任何事实")
        return found

    def _said(self, text: str, rule: LogicalRule) -> Node | None:
        """An atom in other words: the fact it resembles, or the condition as the rule's words put it."""
        plain = re.sub(r"\s*(?:==?|is)\s*(?:True|T|真|是)\s*$", "", text.strip(), flags=re.IGNORECASE)
        if "«" not in plain and not re.search(r"[<>=+\-]", plain):
            alike = max(self._facts, key=lambda fact: _likeness(plain, fact.name))
            if _likeness(plain, alike.name) >= 0.5:
                return alike.statement()
            if len(re.findall(r"\w", plain)) > 1:
                return Statement(plain)
        words = _WORDED.search(rule.words)
        if words and not re.search(r"Logical|Fact", words["condition"], re.IGNORECASE):
            return Statement(words["condition"].strip())
        self._problems.append(f"规则“{rule.symbols.strip()}”中的“{text.strip()}”无法识别")
        return None


_FILLERS = re.compile(r"患者|病人|是否|已经?|完成|进行|了")


def _likeness(a: str, b: str) -> float:
    """Dice coefficient of the character pairs, but for words that every fact has."""
    plain = (_FILLERS.sub("", half_width(text)) for text in (a, b))
    first, second = ({text[i : i + 2] for i in range(len(text) - 1)} for text in plain)
    return 2 * len(first & second) / (len(first) + len(second)) if first and second else 0.0


class _Parser:
    """Recursive descent; ``∧`` binds tighter than ``∨``; a missing bracket at the end is forgiven."""

    def __init__(self, tokens: Sequence[str], atom: Callable[[str], Node | None]) -> None:
        self._tokens = tokens
        self._atom = atom
        self._position = 0
        self._depth = 0

    @property
    def rest(self) -> str:
        """What was not read."""
        return "".join(self._tokens[self._position :]).strip()

    def parsed(self) -> Node | None:
        return self._joined("∨", lambda: self._joined("∧", self._factor, conjunction), disjunction)

    def _peek(self) -> str:
        return self._tokens[self._position].strip() if self._position < len(self._tokens) else ""

    def _joined(
        self, sign: str, operand: Callable[[], Node | None], join: Callable[[Sequence[Node]], Node]
    ) -> Node | None:
        parts = [operand()]
        while self._peek() == sign:
            self._position += 1
            parts.append(operand())
        known = [part for part in parts if part is not None]
        return join(known) if known else None

    def _factor(self) -> Node | None:
        sign = self._peek()
        self._position += 1
        if sign == "¬":
            inner = self._factor()
            return None if inner is None else Negation(inner)
        if sign != "(":
            return None if sign in ("", ")", "∧", "∨") else self._atom(sign)
        self._depth += 1
        inner = self.parsed() if self._depth <= MAX_DEPTH else None
        if self._peek() == ")":
            self._position += 1
        return inner
