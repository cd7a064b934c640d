"""A condition over facts in Chinese words."""

import ast
from collections.abc import Mapping


def in_words(condition: str, titles: Mapping[str, str]) -> str:
    """The condition with every fact in its question's words: 非“…” 且（“…” 或 “…”）."""
    return _said(ast.parse(condition.strip(), mode="eval").body, titles)


def _said(node: ast.expr, titles: Mapping[str, str], *, is_inner: bool = False) -> str:
    match node:
        case ast.BoolOp(op=op, values=values):
            joined = (" 且 " if isinstance(op, ast.And) else " 或 ").join(
                _said(value, titles, is_inner=True) for value in values
            )
            return f"（{joined}）" if is_inner else joined
        case ast.UnaryOp(operand=ast.Name(id=name)):
            return f"“{titles.get(name, name)}”为否"
        case ast.UnaryOp(operand=operand):
            return f"并非{_said(operand, titles, is_inner=True)}"
        case ast.Name(id=name):
            return f"“{titles.get(name, name)}”为是"
        case _:
            raise ValueError(f"not a condition over facts: {ast.dump(node)}")
