"""Three-valued (Kleene) conditions over named facts.

A condition is written in words: ``not has_trigger and (has_onset or is_injury)``. A fact is ``True``,
``False`` or ``None`` (unknown); so is a condition. Source: Kleene, Introduction to Metamathematics, §64.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

Truth = bool | None


def negation(value: Truth) -> Truth:
    """Unknown stays unknown."""
    return None if value is None else not value


def conjunction(*values: Truth) -> Truth:
    """False as soon as one is false; else unknown as soon as one is unknown."""
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def disjunction(*values: Truth) -> Truth:
    """True as soon as one is true; else unknown as soon as one is unknown."""
    return negation(conjunction(*(negation(value) for value in values)))


@dataclass(frozen=True)
class Condition:
    """A parsed condition.

    Raises:
        ValueError: the text uses anything but names, ``and``, ``or``, ``not`` and brackets.
    """

    text: str

    def __post_init__(self) -> None:
        for node in ast.walk(self._tree):
            if not isinstance(
                node,
                ast.BoolOp | ast.And | ast.Or | ast.UnaryOp | ast.Not | ast.Name | ast.Load | ast.Expression,
            ):
                raise ValueError(f"条件“{self.text}”只能由事实名、and、or、not 和括号组成")

    @cached_property
    def _tree(self) -> ast.Expression:
        try:
            return ast.parse(self.text.strip(), mode="eval")
        except (SyntaxError, ValueError):
            raise ValueError(f"条件“{self.text}”不是完整的逻辑式") from None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The facts named, each once, in the order written."""
        found = [(n.lineno, n.col_offset, n.id) for n in ast.walk(self._tree) if isinstance(n, ast.Name)]
        return tuple(dict.fromkeys(name for *_, name in sorted(found)))

    def evaluate(self, values: Mapping[str, Truth]) -> Truth:
        """The truth of the condition.

        Raises:
            KeyError: a named fact has no value at all.
        """
        return _evaluate(self._tree.body, values)

    def grounds(self, values: Mapping[str, Truth]) -> tuple[str, ...]:
        """The facts that a decided condition rests on: of a true ``a or b``, those that hold.

        Raises:
            KeyError: a named fact has no value at all.
        """
        return tuple(dict.fromkeys(_grounds(self._tree.body, values)))


def _evaluate(node: ast.expr, values: Mapping[str, Truth]) -> Truth:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(operand=operand):
            return negation(_evaluate(operand, values))
        case ast.BoolOp(op=ast.And(), values=parts):
            return conjunction(*(_evaluate(part, values) for part in parts))
        case ast.BoolOp(values=parts):
            return disjunction(*(_evaluate(part, values) for part in parts))
    raise AssertionError(f"not a condition: {ast.dump(node)}")


def _grounds(node: ast.expr, values: Mapping[str, Truth]) -> list[str]:
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.UnaryOp(operand=operand):
            return _grounds(operand, values)
        case ast.BoolOp(values=parts):
            whole = _evaluate(node, values)
            return [n for part in parts if _evaluate(part, values) is whole for n in _grounds(part, values)]
    raise AssertionError(f"not a condition: {ast.dump(node)}")
