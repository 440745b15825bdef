"""An expression of a mapping over columns.

Arrow computes where its numbers have room for every digit; else it is done once for each distinct set of values, with
the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import partial, reduce
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.mapping.values.calculation import Applied, Calculation, Constant, Name, Tree
from airflow_provider_kashoo.core.mapping.values.cells import TEXT, Cells, Rows
from airflow_provider_kashoo.core.mapping.values.field_types import FIRST_YEAR, LAST_YEAR
from airflow_provider_kashoo.core.mapping.values.operations import MOST_PLACES, Unfit, words

NUMBER = pa.decimal128(38, 18)
WIDE = pa.decimal256(2 * MOST_PLACES, MOST_PLACES)

_FEW = 100
"""So many numbers are tried first: a cast of a whole column that fails takes Arrow several times as long as another."""

Function = Callable[[Sequence[Any]], Any]
"""Computes from single values."""

_FIRST_DAY, _LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)))
"""As columns count days."""

_SCALES = (0, 2, 4, 6, 9, 12, 18, 27)
"""Decimals that a column may have fewer of than its type; those of prices, rates and quantities."""


def computed(calculation: Calculation, given: Callable[[str], pa.Array], rows: int, zone: str) -> Cells:
    """Compute a value for every row.

    :param given: gives the values of a path, one for each row.
    :param zone: business time zone in which an instant becomes a date.
    :returns: numbers, texts, dates or checkboxes, and why a row has none.
    """
    cells = _of(calculation.tree, given, rows, zone)
    if pa.types.is_null(cells.values.type):
        return cells.with_values(pa.nulls(rows, TEXT))
    if not pa.types.is_string(cells.values.type):
        return cells
    return cells.with_values(_without_empty(pc.utf8_trim_whitespace(cells.values)))


def typed(values: pa.Array, zone: str) -> pa.Array:
    """Give values as they are computed with: an instant is its day, and a column without any value has no type."""
    if values.null_count == len(values):
        return pa.nulls(len(values))
    return days_of(values, zone) if pa.types.is_timestamp(values.type) else values


def days_of(instants: pa.Array, zone: str) -> pa.Array:
    """Turn instants into the days of the business."""
    local = pd.DatetimeIndex(instants.to_pandas()).tz_convert(zone).tz_localize(None)
    return pa.array(local.to_numpy().astype("datetime64[D]"), pa.date32(), from_pandas=True)


def column_of(found: Sequence[Any], like: pa.DataType | None = None) -> pa.Array:
    """Make a column of values of one kind.

    :param like: its type if there is no value at all.
    """
    first = next((value for value in found if value is not None), None)
    if isinstance(first, Decimal):
        return pa.array(found, NUMBER if all(value is None or _is_short(value) for value in found) else WIDE)
    kinds: dict[type, pa.DataType] = {bool: pa.bool_(), str: TEXT, date: pa.date32()}
    return pa.array(found, kinds.get(type(first), like or pa.null()))


def _of(tree: Tree, given: Callable[[str], pa.Array], rows: int, zone: str) -> Cells:
    match tree:
        case Name(path=path):
            return Cells(typed(given(path), zone))
        case Constant(value=value):
            one = column_of([value])
            one = _tight(one) if pa.types.is_decimal(one.type) else one
            return Cells(one.take(pa.array(np.zeros(rows, np.int64))))
        case Applied(name=name, parts=parts):
            cells = [_of(part, given, rows, zone) for part in parts]
            if name == "coalesce":
                return _first_of(tree, cells)
            known: dict[int, Problem] = {}
            for each in reversed(cells):
                known |= each.problems
            columns = [each.values for each in cells]
            values = _KERNELS[name](columns, tree.parameter) if name in _KERNELS else None
            made = _row_by_row(tree, columns) if values is None else Cells(values)
            return _with_problems(made, known)
    raise AssertionError(tree)


def _with_problems(made: Cells, known: dict[int, Problem]) -> Cells:
    if not known:
        return made
    mask = np.zeros(len(made.values), np.bool_)
    mask[list(known)] = True
    return Cells(pc.if_else(pa.array(mask), pa.scalar(None, made.values.type), made.values), {**made.problems, **known})


# -- by single values


def _row_by_row(tree: Applied, columns: Sequence[pa.Array], function: Function | None = None) -> Cells:
    """Compute once for each distinct set of values.

    :param function: what computes; that of the tree, if not given.
    """
    of = function or partial(tree.operation.of, parameter=tree.parameter)
    places, firsts = _distinct(columns)
    sets = list(zip(*(column.take(pa.array(firsts)).to_pylist() for column in columns), strict=True))
    found = [_one(tree.said, of, values) for values in sets]
    values = column_of([None if isinstance(value, Problem) else value for value in found])
    bad = [place for place, value in enumerate(found) if isinstance(value, Problem)]
    rows = np.flatnonzero(np.isin(places, bad)).tolist() if bad else []
    return Cells(values.take(pa.array(places)), {row: found[places[row]] for row in rows})


def _one(expression: str, function: Function, values: Sequence[Any]) -> Any:
    try:
        return function(values)
    except Unfit as why:
        said = " and ".join("nothing" if value is None else shown(words(value)) for value in values)
        cause = f"{shown(expression)} cannot be computed from {said}: {why}"
        fix = "Correct the values in Salesforce, or the expression in the mapping."
        return Problem("not_computed", cause, fix, said=said)


def _distinct(columns: Sequence[pa.Array]) -> tuple[Rows, Rows]:
    """Find the distinct sets of values; give the place of each row's among them, and the first row of each."""
    keys, most = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        if pa.types.is_null(column.type):
            continue
        encoded = column.dictionary_encode()
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        size = len(encoded.dictionary) + 1
        if most * size >= 2**62:
            found, keys = np.unique(keys, return_inverse=True)
            most = len(found)
        keys, most = keys * size + codes, most * size
    _, firsts, places = np.unique(keys, return_index=True, return_inverse=True)
    return places.astype(np.int64), firsts.astype(np.int64)


def _is_short(number: Decimal) -> bool:
    """Say whether a number fits the usual type; Arrow does not always notice when one does not."""
    most = NUMBER.precision - NUMBER.scale
    return bool(number.adjusted() < most and -int(number.as_tuple().exponent) <= NUMBER.scale)


# -- by columns


def _first_of(tree: Applied, cells: Sequence[Cells]) -> Cells:
    """Take of each row the first value that is not empty; what comes behind it does not matter."""
    filled = [each for each in cells if not pa.types.is_null(each.values.type)] or [cells[0]]
    kind = _common([each.values for each in filled])[0].type
    alike = [_as(each, kind, tree) for each in cells]
    return reduce(Cells.where_empty, alike)


def _as(cells: Cells, kind: pa.DataType, tree: Applied) -> Cells:
    """Give cells the type of others; values of another kind are problems."""
    if pa.types.is_null(cells.values.type):
        return cells.with_values(pa.nulls(len(cells.values), kind))
    if cells.values.type == kind or (pa.types.is_decimal(kind) and pa.types.is_decimal(cells.values.type)):
        return cells.with_values(cells.values.cast(kind))
    other = _row_by_row(tree, [cells.values], _unlike)
    return Cells(pa.nulls(len(cells.values), kind), {**other.problems, **cells.problems})


def _unlike(values: Sequence[Any]) -> None:
    if values[0] is not None:
        raise Unfit("it takes values of one kind")


def _common(columns: Sequence[pa.Array]) -> list[pa.Array]:
    """Give numbers one type, in which each has room."""
    kinds = {column.type for column in columns}
    if len(kinds) == 1 or not _are_numbers(columns):
        return list(columns)
    places = max(kind.scale for kind in kinds)
    kind = _decimal(max(map(_whole, kinds)) + places, places)
    return [column.cast(kind) for column in columns]


def _are_numbers(columns: Sequence[pa.Array]) -> bool:
    return all(pa.types.is_decimal(column.type) for column in columns)


def _short(numbers: pa.Array) -> pa.Array:
    """Give numbers the type with the fewest digits before the point, so that there is room for what is made of them."""
    ends = pc.min_max(numbers)
    most = max((end.as_py().copy_abs() for end in (ends["min"], ends["max"]) if end.is_valid), default=Decimal(0))
    whole = most.adjusted() + 1 if most >= 1 else 0
    return numbers.cast(_decimal(max(whole + numbers.type.scale, 1), numbers.type.scale))


def _tight(numbers: pa.Array) -> pa.Array:
    """Give numbers the narrowest type that has room for them."""
    numbers = _short(numbers)
    for scale in (each for each in _SCALES if each < numbers.type.scale):
        kind = _decimal(max(_whole(numbers.type) + scale, 1), scale)
        try:
            numbers[:_FEW].cast(kind)
            return numbers.cast(kind)
        except pa.ArrowInvalid:  # some have more decimals
            continue
    return numbers


def _decimal(digits: int, places: int) -> pa.DataType:
    return pa.decimal128(digits, places) if digits <= NUMBER.precision else pa.decimal256(digits, places)


def _whole(kind: pa.DataType) -> int:
    return int(kind.precision - kind.scale)


def _calculated(function: Any, columns: Sequence[pa.Array], _: int) -> pa.Array | None:
    """Add, subtract or multiply two columns; None when a result could have more digits than a column."""
    if not _are_numbers(columns):
        return None if function is pc.multiply else _days_moved(function, columns)
    for narrowed in (_short, _tight):  # the latter looks at every decimal, and is seldom needed
        one, other = map(narrowed, columns)
        whole, places = _room(function, one.type, other.type)
        if whole + places <= NUMBER.precision:
            return function(one, other)
    if whole > MOST_PLACES or places > MOST_PLACES:
        return None
    return function(*(each.cast(pa.decimal256(each.type.precision, each.type.scale)) for each in (one, other)))


def _days_moved(function: Any, columns: Sequence[pa.Array]) -> pa.Array | None:
    """Move days by whole numbers; None for anything else, and where a result may be outside of the known years."""
    day, number = columns[::-1] if function is pc.add and pa.types.is_date(columns[1].type) else columns
    if not (pa.types.is_date32(day.type) and pa.types.is_decimal(number.type)):
        return None
    try:
        whole = number.cast(pa.int64())
    except pa.ArrowInvalid:  # some are no whole numbers, or too large
        return None
    moved = function(day.cast(pa.int32()).cast(pa.int64()), whole)
    for column, (low, high) in ((whole, (-_LAST_DAY, _LAST_DAY)), (moved, (_FIRST_DAY, _LAST_DAY))):
        ends = pc.min_max(column)
        if ends["min"].is_valid and not low <= ends["min"].as_py() <= ends["max"].as_py() <= high:
            return None
    return moved.cast(pa.int32()).cast(pa.date32())


def _room(function: Any, one: pa.DataType, other: pa.DataType) -> tuple[int, int]:
    """Say how many digits a result may have before the point, and how many behind it."""
    if function is pc.multiply:
        return _whole(one) + _whole(other) + 1, one.scale + other.scale
    return max(_whole(one), _whole(other)) + 1, max(one.scale, other.scale)


def _negated(columns: Sequence[pa.Array], _: int) -> pa.Array | None:
    return pc.negate(columns[0]) if _are_numbers(columns) else None


def _rounded(columns: Sequence[pa.Array], places: int) -> pa.Array | None:
    if not _are_numbers(columns):
        return None
    numbers = _tight(columns[0])
    kind = numbers.type
    if kind.scale <= places:
        return numbers
    if _whole(kind) + 1 > MOST_PLACES or places < -_whole(kind):
        return None
    return pc.round(numbers.cast(_decimal(kind.precision + 1, kind.scale)), places, "half_towards_infinity")


def _extreme(function: Any, columns: Sequence[pa.Array], _: int) -> pa.Array | None:
    known = [column for column in columns if not pa.types.is_null(column.type)]
    if not known:
        return columns[0]
    alike = _are_numbers(known) or all(pa.types.is_date(column.type) for column in known)
    return function(*_common(known)) if alike else None


def _joined(columns: Sequence[pa.Array], _: int) -> pa.Array | None:
    known = [column for column in columns if not pa.types.is_null(column.type)]
    if not known or not all(pa.types.is_string(column.type) for column in known):
        return None
    return _without_empty(pc.binary_join_element_wise(*known, "", null_handling="skip"))


def _left(columns: Sequence[pa.Array], most: int) -> pa.Array | None:
    texts = columns[0]
    return _without_empty(pc.utf8_slice_codeunits(texts, 0, most)) if pa.types.is_string(texts.type) else None


def _in_case(function: Any, columns: Sequence[pa.Array], _: int) -> pa.Array | None:
    """Change the case of plain letters; of others Arrow and Python think differently, such as of the German sharp s."""
    texts = columns[0]
    if not pa.types.is_string(texts.type) or not pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return None
    return _without_empty(function(texts))


def _without_empty(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(pc.binary_length(texts), 0), pa.scalar(None, TEXT), texts)


_KERNELS: dict[str, Callable[[Sequence[pa.Array], int], pa.Array | None]] = {
    "+": partial(_calculated, pc.add),
    "-": partial(_calculated, pc.subtract),
    "*": partial(_calculated, pc.multiply),
    "minus": _negated,
    "round": _rounded,
    "min": partial(_extreme, pc.min_element_wise),
    "max": partial(_extreme, pc.max_element_wise),
    "concat": _joined,
    "left": _left,
    "lower": partial(_in_case, pc.ascii_lower),
    "upper": partial(_in_case, pc.ascii_upper),
}
"""What columns can do."""
