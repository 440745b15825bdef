"""Conditions in a mapping: a small part of Python's syntax, compiled to vectorised pandas.

Only comparisons, ``in``, ``and``, ``or``, ``not``, names, and constants. Empty values compare as
``None`` does in Python: nothing is greater or smaller than an empty value, and it equals only ``None``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.core.values.dates import parse_instant

_ORDERED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class ExpressionError(ValueError):
    """A condition uses syntax that is not allowed, or compares values of different types."""


class Condition:
    """One ``when`` line.

    :param text: such as ``Amount >= 100 and Account.BillingCountry not in ["US"]``.
    :raises ExpressionError: naming the part that is not allowed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.paths: set[str] = set()
        try:
            self._tree = ast.parse(text, mode="eval").body
        except SyntaxError:
            raise ExpressionError(f"{text!r} is not a valid condition") from None
        self._check(self._tree)

    @property
    def parts(self) -> list[Condition]:
        """What is joined by ``and``, each as a condition; the condition itself if nothing is."""
        match self._tree:
            case ast.BoolOp(op=ast.And(), values=values):
                return [Condition(ast.unparse(value)) for value in values]
        return [self]

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
                self.paths.add(_path(left))
                if isinstance(op, ast.In | ast.NotIn) != isinstance(_constant(right), list):
                    raise ExpressionError(f"{ast.unparse(node)!r}: in takes a list, other operators one value")
            case ast.Name() | ast.Attribute():
                self.paths.add(_path(node))
            case _:
                raise ExpressionError(
                    f"{ast.unparse(node)!r} is not allowed in a condition; write: field operator constant"
                )

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
                return _compare(frame[_path(left)], op, _constant(right))
            case _:
                return _compare(frame[_path(node)], ast.Eq(), constant=True)


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
    if kind is None or constant is None:
        return constant
    if pa.types.is_date(kind):
        return date.fromisoformat(constant)
    if pa.types.is_timestamp(kind):
        return parse_instant(constant)
    if isinstance(constant, bool) != pa.types.is_boolean(kind) or isinstance(constant, str) != _is_text(kind):
        raise TypeError
    return Decimal(constant) if pa.types.is_decimal(kind) else constant


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _path(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value)}.{node.attr}"
    raise ExpressionError(f"{ast.unparse(node)!r} is not a field; write the field on the left")


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
            raise ExpressionError(f"{ast.unparse(node)!r} is not a constant value")
