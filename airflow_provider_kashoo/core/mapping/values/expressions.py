"""Conditions in a mapping: a small part of Python's syntax, compiled to vectorised pandas.

Only comparisons, ``in``, ``and``, ``or``, ``not``, names, and constants. Empty values compare as
``None`` does in Python: nothing is greater or smaller than an empty value, and it equals only ``None``.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.core.errors import MOST_SHOWN, shown
from airflow_provider_kashoo.core.values.dates import parse_instant

_ORDERED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class ExpressionError(ValueError):
    """An expression uses syntax that is not allowed, or puts together values of different types.

    :param offset: characters of the expression before the part that is meant.
    """

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def parse(text: str, noun: str) -> ast.expr:
    """Parse an expression; the ``col_offset`` of each node counts characters of the text.

    :param noun: what it is called in messages.
    :raises ExpressionError: when it is no Python.
    """
    flat = re.sub(r"[\r\n]", " ", text)
    start = len(flat) - len(flat.lstrip())
    try:
        tree = ast.parse(flat[start:], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at_end = len(flat) - start  # where something is missing, Python gives no place
        place = (error.offset - 1 if error.offset else at_end) if isinstance(error, SyntaxError) else 0
        said = repr(text) if len(text) <= MOST_SHOWN else shown(text)
        raise ExpressionError(f"{said} is not a valid {noun}{_slip(text)}", start + place) from None
    encoded = flat[start:].encode()
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            node.col_offset = start + len(encoded[: node.col_offset].decode())
            node.end_col_offset = start + len(encoded[: node.end_col_offset].decode())
    return tree


class Comparison(NamedTuple):
    """A field that a condition compares with constants; a checkbox that stands alone is compared with true.

    :param op: ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in`` or ``not in``.
    :param offset: where it begins in the text of the condition, in characters.
    """

    path: str
    op: str
    constants: list[Any]
    offset: int

    @property
    def opposite(self) -> Comparison | None:
        """What holds where this does not, if one comparison says it."""
        op = {"==": "!=", "!=": "==", "in": "not in", "not in": "in"}.get(self.op)
        return self._replace(op=op) if op else None


class Condition:
    """One ``when`` line.

    :param text: such as ``Amount >= 100 and Account.BillingCountry not in ["US"]``.
    :raises ExpressionError: naming the part that is not allowed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.paths: set[str] = set()
        self._tree = parse(text, "condition")
        self._check(self._tree)

    @property
    def parts(self) -> list[Condition]:
        """What is joined by ``and``, each as a condition; the condition itself if nothing is."""
        match self._tree:
            case ast.BoolOp(op=ast.And(), values=values):
                return [Condition(ast.unparse(value)) for value in values]
        return [self]

    def misfits(self, types: Mapping[str, pa.DataType]) -> Iterator[str]:
        """List the comparisons that no value of their field can be put to.

        :param types: path -> what it is read as.
        """
        for node in ast.walk(self._tree):
            match node:
                case ast.Compare(left=left, ops=[op], comparators=[right]):
                    kind, said = types[path_of(left)], ast.unparse(node)
                    constants = _constant(right) if isinstance(op, ast.In | ast.NotIn) else [_constant(right)]
                    yield from (fault for each in constants if (fault := _misfit(said, path_of(left), kind, each)))
        yield from (
            f"{path} is {_noun(types[path])}, and stands alone as if it were a checkbox. Compare it with a value."
            for path in sorted(self._alone(self._tree))
            if not pa.types.is_boolean(types[path])
        )

    @property
    def written(self) -> str:
        """The condition without what spaces and quotes people like."""
        return ast.unparse(self._tree)

    @property
    def comparisons(self) -> list[Comparison]:
        """All comparisons in it."""
        return [found for node in ast.walk(self._tree) if isinstance(node, ast.Compare) and (found := _compared(node))]

    @property
    def single(self) -> Comparison | None:
        """The comparison that is all it says; None if it says more."""
        match self._tree:
            case ast.UnaryOp(operand=part):
                return found.opposite if (found := _compared(part)) else None
        return _compared(self._tree)

    def _alone(self, node: ast.expr) -> set[str]:
        """Name the fields that stand without a comparison."""
        match node:
            case ast.BoolOp(values=parts):
                return {path for part in parts for path in self._alone(part)}
            case ast.UnaryOp(operand=part):
                return self._alone(part)
            case ast.Name() | ast.Attribute():
                return {path_of(node)}
        return set()

    def holds(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Evaluate for every row; never null.

        :raises ExpressionError: when a column and a constant have types that cannot be compared.
        """
        try:
            return self._evaluate(self._tree, frame)
        except (TypeError, ValueError, pa.ArrowException):
            raise ExpressionError(f"{self.text!r} compares values of different types") from None

    def _check(self, node: ast.expr) -> None:
        match node:
            case ast.BoolOp(values=parts):
                for part in parts:
                    self._check(part)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                self._check(part)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                self.paths.add(path_of(left))
                if isinstance(op, ast.In | ast.NotIn) != isinstance(_constant(right), list):
                    raise ExpressionError(
                        f"{ast.unparse(node)!r}: in takes a list, other operators one value", node.col_offset
                    )
            case ast.Name() | ast.Attribute():
                self.paths.add(path_of(node))
            case _:
                fault = f"{ast.unparse(node)!r} is not allowed in a condition; write: field operator constant"
                raise ExpressionError(f"{fault}{_slip(self.text)}", node.col_offset)

    def _evaluate(self, node: ast.expr, frame: pd.DataFrame) -> pd.Series[bool]:
        match node:
            case ast.BoolOp(op=op, values=parts):
                results = [self._evaluate(part, frame) for part in parts]
                total = results[0]
                for result in results[1:]:
                    total = total & result if isinstance(op, ast.And) else total | result
                return total
            case ast.UnaryOp(operand=part):
                return ~self._evaluate(part, frame)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _compare(frame[path_of(left)], op, _constant(right))
            case _:
                return _compare(frame[path_of(node)], ast.Eq(), constant=True)


def _compared(node: ast.expr) -> Comparison | None:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            constants = _constant(right) if isinstance(op, ast.In | ast.NotIn) else [_constant(right)]
            return Comparison(ast.unparse(left), _WRITTEN[type(op)], constants, node.col_offset)
        case ast.Name() | ast.Attribute():
            return Comparison(ast.unparse(node), "==", [True], node.col_offset)
    return None


_WRITTEN: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "==",
    ast.IsNot: "!=",
}
"""An operator -> how it is written here."""

_SLIPS = {
    r"(?<![<>=!])=(?!=)": "is equal is written ==",
    r"<>": "is not equal is written !=",
    r"\b(AND|OR|NOT|IN)\b": "and, or, not and in are written in small letters",
    r"&&|\|\|": "and, or are written as words",
    r"(?i)\blike\b": "there is no like; compare with whole values, by == or in [..]",
    r"\b(true|false|null|NULL|TRUE|FALSE)\b": "the words are True, False and None; a checkbox stands alone",
    "[\u201c\u201d\u201e\u2018\u2019]": "quotes are \" or '",
    r"\d,\d{3}\b|[$€£¥]": "an amount is a plain number, such as 1000",
    r"\b\d{4} ?- ?\d\d? ?- ?\d\d?\b": 'a date stands in quotes: "2026-01-31"',
    r"\b(TODAY|NOW|today|now)\b": "there is no date of today; write a date in quotes",
}
"""What people write who know SOQL or a spreadsheet -> how it is written here."""


def _slip(text: str) -> str:
    """Say how what was probably meant is written."""
    outside = re.sub(r"\"[^\"]*\"|'[^']*'|\[[\d, ]*\]", '""', text)
    return "".join(f"; {fix}" for slip, fix in _SLIPS.items() if re.search(slip, outside))


def _misfit(said: str, path: str, kind: pa.DataType, constant: Any) -> str | None:
    try:
        _fit(kind, constant)
    except (TypeError, ValueError, ArithmeticError):
        what = "empty" if constant is None else repr(constant) if isinstance(constant, str) else str(constant)
        return f"{said!r} compares {path}, which is {_noun(kind)}, with {what}. {_wanted(kind)}"
    return None


def _noun(kind: pa.DataType) -> str:
    names = {pa.types.is_date: "a date", pa.types.is_timestamp: "a date with a time", pa.types.is_boolean: "a checkbox"}
    found = next((noun for is_kind, noun in names.items() if is_kind(kind)), None)
    return found or ("a number" if pa.types.is_decimal(kind) else "a text")


def _wanted(kind: pa.DataType) -> str:
    wanted = {
        "a number": "Write a number without quotes.",
        "a text": "Write the text in quotes.",
        "a checkbox": "Write True or False, or the field alone.",
        "a date": 'Write a day such as "2026-01-31".',
    }
    return wanted.get(_noun(kind), 'Write an instant such as "2026-01-31T08:00:00Z".')


def _compare(column: pd.Series[Any], op: ast.cmpop, constant: Any) -> pd.Series[bool]:
    if isinstance(op, ast.In | ast.NotIn):
        inside = pd.Series(data=False, index=column.index, dtype=bool)
        for value in constant:
            inside |= _compare(column, ast.Eq(), value)
        return inside if isinstance(op, ast.In) else ~inside
    if isinstance(op, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
        equal = column.isna() if constant is None else _plain(column == _like(column, constant))
        return equal if isinstance(op, ast.Eq | ast.Is) else ~equal
    return _plain(_ORDERED[type(op)](column, _like(column, constant)))


def _plain(result: pd.Series[Any]) -> pd.Series[bool]:
    return result.fillna(False).astype(bool)


def _like(column: pd.Series[Any], constant: Any) -> Any:
    """Bring a constant to the column's type: text that is compared with a date is an ISO date, an instant is UTC.

    :raises TypeError: for another type; Arrow would treat them as unequal and exclude every record.
    """
    kind = getattr(column.dtype, "pyarrow_dtype", None)
    return constant if kind is None else _fit(kind, constant)


def _fit(kind: pa.DataType, constant: Any) -> Any:
    """Bring a constant to a type; see :func:`_like`."""
    if constant is None:
        return None
    if pa.types.is_date(kind):
        return date.fromisoformat(constant)
    if pa.types.is_timestamp(kind):
        return parse_instant(constant)
    if isinstance(constant, bool) != pa.types.is_boolean(kind) or isinstance(constant, str) != _is_text(kind):
        raise TypeError
    return Decimal(constant) if pa.types.is_decimal(kind) else constant


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def path_of(node: ast.expr) -> str:
    """Give the path that names stand for.

    :raises ExpressionError: when it is something else.
    """
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{path_of(node.value)}.{node.attr}"
    raise ExpressionError(f"{ast.unparse(node)!r} is not a field; write the field on the left", node.col_offset)


def _constant(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=float()):
            return Decimal(ast.unparse(node))
        case ast.Constant(value=str() | bool() | int() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return -_constant(node.operand)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_constant(part) for part in parts]
        case _:
            said = ast.unparse(node)
            raise ExpressionError(f"{said!r} is not a constant value{_slip(said)}", node.col_offset)
