"""One field of a mapping evaluated: columns in, a value for every row out; the same for both directions."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.kinds import FieldType
from airflow_provider_kashoo.core.mapping.convert import convert, filled, looked_up, moved, pieces_of
from airflow_provider_kashoo.core.mapping.model import Field
from airflow_provider_kashoo.core.values.distinct import each_once
from airflow_provider_kashoo.core.values.ids import is_record_id, to_18
from airflow_provider_kashoo.core.values.parents import symbolic

Column = list[Any]


@dataclass(frozen=True)
class Surroundings:
    """What a transform needs besides the records.

    :param zone: business time zone in which a DateTime becomes a date.
    :param org_currency: ISO code used where an org without multi-currency gives none.
    :param targets: mapping name -> kind that it makes, to resolve links.
    :param room: kind -> the field to which our reference is added, and how many characters of text fit before it.
    :param line_text: most characters of a line's description that the books keep; None if that is not known.
    """

    zone: str
    org_currency: str | None
    targets: MappingType[str, str]
    room: MappingType[str, tuple[str, int]] = field(default_factory=dict)
    line_text: int | None = None


def evaluate(spec: Field, frame: pd.DataFrame, kind: FieldType, around: Surroundings) -> Column:
    """Return a field's value for every record of a frame; see :func:`values_of`."""
    return values_of(spec, partial(column, frame), len(frame), kind, around)


def values_of(spec: Field, given: Callable[[str], Column], rows: int, kind: FieldType, around: Surroundings) -> Column:
    """Return a field's value for every row, None where empty.

    A value that cannot be converted is replaced by its :class:`Problem`.

    :param given: gives the values of a path, one for each row.
    """
    if spec.value is not None:
        values: Column = [spec.value] * rows
    elif spec.text is not None:
        values = _texts(spec.text, given, rows)
    else:
        values = given(str(spec.link or spec.from_))
    if spec.map is not None:
        values = each_once(partial(looked_up, spec=spec), values)
    if spec.link is not None:
        values = each_once(partial(_linked, around.targets[str(spec.mapping)]), values)
    else:
        values = each_once(partial(convert, kind=kind, zone=around.zone), values)
    if spec.default is not None:
        fallback = values_of(spec.default, given, rows, kind, around)
        values = [other if value is None else value for value, other in zip(values, fallback, strict=True)]
    if spec.max_length is not None:
        values = [value[: spec.max_length].rstrip() if isinstance(value, str) else value for value in values]
    if spec.add_days is not None:
        days = values_of(spec.add_days, given, rows, "number", around)
        values = [moved(value, count) for value, count in zip(values, days, strict=True)]
    return values


def column(frame: pd.DataFrame, path: str) -> Column:
    """Give the values of a path, texts trimmed, None where empty or where no record has it."""
    if path not in frame.columns:
        return [None] * len(frame)
    cells: Any = pa.array(frame[path], from_pandas=True)
    if pa.types.is_decimal(cells.type):  # by way of texts, because Arrow makes its decimals ten times as slowly
        return each_once(lambda text: text and Decimal(text), cells.cast(pa.string()).to_pylist())
    if pa.types.is_string(cells.type):
        return [text or None for text in pc.utf8_trim_whitespace(cells).to_pylist()]
    given: Column = cells.to_pylist()
    return given


def _texts(template: str, given: Callable[[str], Column], rows: int) -> Column:
    pieces = pieces_of(template)
    paths = sorted({path for _, path in pieces if path})
    values = zip(*map(given, paths), strict=True) if paths else [()] * rows
    return each_once(lambda row: filled(pieces, dict(zip(paths, row, strict=True))), values)


def _linked(target: str, value: Any) -> Any:
    ident = record_id(value)
    return symbolic((target, ident)) if isinstance(ident, str) else ident


def record_id(value: Any) -> str | Problem | None:
    """Normalise a record id to 18 characters; the problem when it is none, None when it is empty."""
    if value is None or isinstance(value, Problem):
        return value
    why = "is not a Salesforce id: those have 15 or 18 letters and digits"
    try:
        ident = to_18(str(value))
        if is_record_id(ident):
            return ident
        why = "is not a Salesforce id: its last three characters do not match the others"
    except ValueError:
        pass
    said = shown(value)
    return Problem("wrong_type", f"{said} {why}", "Correct the field in Salesforce or the mapping.", said)
