"""How a value is computed, as a mapping writes it: ``Quantity * UnitPrice``. Parsed, and checked without any record.

Numbers, texts, names, ``+ - * /``, and the functions of :mod:`.operations`; nothing else of Python.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from airflow_provider_kashoo.core.errors import shown
from airflow_provider_kashoo.core.mapping.values.expressions import ExpressionError, parse, path_of
from airflow_provider_kashoo.core.mapping.values.operations import (
    FUNCTIONS,
    MOST_PLACES,
    NOTHING,
    OPERATIONS,
    OPERATORS,
    TEXT,
    Kind,
    Operation,
    kind_of,
)
from airflow_provider_kashoo.core.values.texts import nearest

LONGEST = 2_000
"""Characters of an expression."""

DEEPEST = 50
"""Levels of an expression; nobody reads more."""

_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.FloorDiv: "//", ast.Mod: "%",
    ast.MatMult: "@", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
    ast.USub: "minus", ast.UAdd: "plus", ast.Not: "not", ast.Invert: "~",
}  # fmt: skip
_SIGNS = ("minus", "plus")
_INSTEAD = {
    ast.BoolOp: "conditions stand in when",
    ast.Compare: "conditions stand in when",
    ast.IfExp: "use a rule with when, or map",
    ast.JoinedStr: "join texts with concat",
}


@dataclass(frozen=True)
class Part:
    """A part of an expression.

    :param said: as it is written.
    :param offset: characters before it.
    """

    said: str
    offset: int


@dataclass(frozen=True)
class Constant(Part):
    """A number, a text, or None."""

    value: Decimal | str | None


@dataclass(frozen=True)
class Name(Part):
    """The value of a field."""

    path: str


@dataclass(frozen=True)
class Applied(Part):
    """An operator or a function with the parts that it takes.

    :param name: see :data:`~.operations.OPERATIONS`.
    :param parameter: the whole number that stands behind them; 0 if it takes none.
    """

    name: str
    parts: tuple[Tree, ...]
    parameter: int = 0

    @property
    def operation(self) -> Operation:
        """What is done."""
        return OPERATIONS[self.name]


Tree = Constant | Name | Applied


@dataclass(frozen=True)
class Calculation:
    """An expression that gives a value.

    :param paths: the fields that it reads.
    """

    text: str
    tree: Tree
    paths: tuple[str, ...]

    def kind(self, kinds: Mapping[str, Kind]) -> Kind:
        """Say what it gives.

        :param kinds: path -> of what kind its values are.
        :raises ExpressionError: when an operator or a function does not take what it gets.
        """
        return _kind(self.tree, kinds)

    @property
    def may_be_empty(self) -> bool:
        """Say whether there may be nothing for a record; not if a constant stands in for what is empty."""
        match self.tree:
            case Applied(parts=parts) if self.tree.operation.skips:
                return not any(isinstance(part, Constant) and part.value for part in parts)
            case Constant(value=value):
                return value is None
        return True


@lru_cache(maxsize=1024)
def calculation(text: str) -> Calculation:
    """Parse an expression.

    :raises ExpressionError: naming the part that is not allowed, and what is.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression has {len(text)} characters; at most {LONGEST} are read", LONGEST)
    if "#" in (bare := re.sub(r"\"[^\"]*\"|'[^']*'", lambda quoted: " " * len(quoted[0]), text)):
        raise ExpressionError("'#' is not allowed in an expression; put texts in quotes", bare.index("#"))
    paths: dict[str, None] = {}
    tree = _Reader(text, paths).read(parse(text, "expression"), DEEPEST)
    return Calculation(text, tree, tuple(paths))


class _Reader:
    """Turns Python's tree into ours, and refuses what is not allowed.

    :param paths: gets the fields that are read.
    """

    def __init__(self, text: str, paths: dict[str, None]) -> None:
        self._text, self._paths = text, paths

    def read(self, node: ast.expr, depth: int) -> Tree:
        if not depth:
            raise self._refused(node, f"more than {DEEPEST} levels deep; split it over several fields")
        match node:
            case ast.Name() | ast.Attribute():
                return self._name(node)
            case ast.Constant():
                return self._constant(node)
            case ast.UnaryOp() | ast.BinOp():
                return self._operator(node, depth)
            case ast.Call():
                return self._call(node, depth)
        instead = _INSTEAD.get(type(node), f"write fields, numbers, texts, + - * / and {', '.join(FUNCTIONS)}")
        raise self._refused(node, f"not allowed in an expression; {instead}")

    def _constant(self, node: ast.Constant) -> Constant:
        said, offset, value = self._said(node), node.col_offset, node.value
        if isinstance(value, str | None):
            return Constant(said, offset, value or None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refused(node, "not allowed in an expression; write numbers, texts, fields or None")
        return Constant(said, offset, self._number(node))

    def _operator(self, node: ast.UnaryOp | ast.BinOp, depth: int) -> Tree:
        said, offset = self._said(node), node.col_offset
        symbol = _SYMBOLS[type(node.op)]
        if isinstance(node, ast.BinOp):
            if symbol not in OPERATORS:
                raise self._refused(node, f"not allowed in an expression: it computes with + - * /, not {symbol}")
            return Applied(said, offset, symbol, (self.read(node.left, depth - 1), self.read(node.right, depth - 1)))
        part = self.read(node.operand, depth - 1)
        if symbol not in _SIGNS:
            raise self._refused(node, "not allowed in an expression; conditions stand in when")
        if isinstance(part, Constant) and isinstance(part.value, Decimal):
            return Constant(said, offset, part.value.copy_negate() if symbol == "minus" else part.value)
        return Applied(said, offset, symbol, (part,)) if symbol == "minus" else part

    def _call(self, node: ast.Call, depth: int) -> Applied:
        if not isinstance(node.func, ast.Name):
            raise self._refused(node.func, f"no function of an expression; known: {', '.join(FUNCTIONS)}")
        name, given = node.func.id, node.args
        if name not in FUNCTIONS:
            raise self._refused(node.func, f"no function of an expression. {nearest(name, FUNCTIONS)}")
        operation = FUNCTIONS[name]
        if node.keywords or any(isinstance(each, ast.Starred) for each in given):
            raise self._refused(node, f"not allowed in an expression; write the values only: {name}(...)")
        parameter = 0
        if operation.parameter:
            given, parameter = given[: operation.least], self._parameter(node, name, operation.parameter)
        if not operation.least <= len(given) <= (operation.most or len(given)):
            raise self._incomplete(node, name)
        parts = tuple(self.read(each, depth - 1) for each in given)
        return Applied(self._said(node), node.col_offset, name, parts, parameter)

    def _parameter(self, node: ast.Call, name: str, bounds: tuple[int, int]) -> int:
        """Give the whole number behind the values of a function."""
        operation = FUNCTIONS[name]
        behind = node.args[operation.least :]
        if not behind and operation.assumed is not None:
            return operation.assumed
        number = self.read(behind[0], DEEPEST) if len(behind) == 1 else None
        value = number.value if isinstance(number, Constant) else None
        if not isinstance(value, Decimal) or value != int(value) or not bounds[0] <= value <= bounds[1]:
            raise self._incomplete(node, name)
        return int(value)

    def _incomplete(self, node: ast.Call, name: str) -> ExpressionError:
        operation = FUNCTIONS[name]
        takes = f"two or more {operation.takes}" if operation.most is None else operation.takes
        if operation.parameter:
            takes += ", and a whole number from {} to {}".format(*operation.parameter)
        return self._refused(node, f"no use of {name}: it takes {takes}")

    def _name(self, node: ast.expr) -> Name:
        try:
            path = path_of(node)
        except ExpressionError as error:
            raise ExpressionError(f"{self._said(node)!r} is no field", error.offset) from None
        if not self._said(node).isascii() or any(step.startswith("_") for step in path.split(".")):
            raise self._refused(node, "no field; write one name, or a path such as Account.Name")
        self._paths[path] = None
        return Name(self._said(node), node.col_offset, path)

    def _number(self, node: ast.Constant) -> Decimal:
        """Read a number as it is written: Python's own would have 17 digits only."""
        try:
            number = Decimal(self._said(node))
        except ArithmeticError:  # such as 0x1F or 5j
            raise self._refused(node, "no number; write digits with a decimal point") from None
        if number.adjusted() >= MOST_PLACES or -int(number.normalize().as_tuple().exponent) > MOST_PLACES:
            raise self._refused(node, f"too long; a number has at most {MOST_PLACES} digits on each side of its point")
        return number

    def _said(self, node: ast.expr) -> str:
        return self._text[node.col_offset : node.end_col_offset]

    def _refused(self, node: ast.expr, why: str) -> ExpressionError:
        return ExpressionError(f"{shown(self._said(node))} is {why}", node.col_offset)


def _kind(tree: Tree, kinds: Mapping[str, Kind]) -> Kind:
    match tree:
        case Constant(value=value):
            return kind_of(value)
        case Name(path=path):
            return kinds[path]
        case Applied(name=name, parts=parts):
            given = [_kind(part, kinds) for part in parts]
            if (found := tree.operation.gives(given)) is not None:
                return found
            said = " and ".join(
                f"{part.said} is {kind}" for part, kind in zip(parts, given, strict=True) if kind != NOTHING
            )
            hint = "; texts are joined with concat" if name == "+" and TEXT in given else ""
            raise ExpressionError(f"{tree.said!r} takes {tree.operation.takes}, and {said}{hint}", tree.offset)
    raise AssertionError(tree)
