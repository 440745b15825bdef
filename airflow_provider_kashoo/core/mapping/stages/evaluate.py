"""One field of a mapping evaluated: columns in, a value for every row out; the same for both directions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.kinds import FieldType
from airflow_provider_kashoo.core.mapping.file.field import Field, Piece, pieces_of
from airflow_provider_kashoo.core.mapping.values.cells import LARGE, MONEY, TEXT, Cells
from airflow_provider_kashoo.core.mapping.values.computed import computed, days_of, typed
from airflow_provider_kashoo.core.mapping.values.convert import convert, moved
from airflow_provider_kashoo.core.mapping.values.formats import Format, format_of
from airflow_provider_kashoo.core.mapping.values.operations import words
from airflow_provider_kashoo.core.mapping.values.own_functions import called
from airflow_provider_kashoo.core.values.id_columns import are_record_ids
from airflow_provider_kashoo.core.values.ids import OPENING, is_record_id, to_18
from airflow_provider_kashoo.core.values.money import MINOR_DIGITS


@dataclass(frozen=True)
class Surroundings:
    """What a transform needs besides the records.

    :param zone: business time zone in which a DateTime becomes a date.
    :param org_currency: ISO code used where an org without multi-currency gives none.
    :param targets: mapping name -> kind that it makes, to resolve links.
    :param room: kind -> the field to which our reference is added, and how many characters of text fit before it.
    :param line_text: most characters of a line's description that the books keep; None if that is not known.
    :param counted: currencies without two decimals that the books count in their own minor unit.
    """

    zone: str
    org_currency: str | None
    targets: MappingType[str, str]
    room: MappingType[str, tuple[str, int]] = field(default_factory=dict)
    line_text: int | None = None
    counted: Collection[str] = ()


def evaluate(spec: Field, table: pa.Table, kind: FieldType, around: Surroundings) -> Cells:
    """Return a field's value for every record of a table; see :func:`values_of`."""
    return values_of(spec, partial(column, table), table.num_rows, kind, around.zone)


def values_of(spec: Field, given: Callable[[str], pa.Array], rows: int, kind: FieldType, zone: str) -> Cells:
    """Return a field's value for every row; a link is the id of the record that it leads to.

    :param given: gives the values of a path, one for each row.
    :param zone: business time zone in which an instant becomes a date.
    """
    if spec.value is not None:
        value = looked_up(spec.value, spec) if spec.map is not None else spec.value
        cells = Cells.repeated(convert(value, kind, zone), _stored_as(kind), rows)
    else:
        cells = _source(spec, given, rows, zone)
        known = cells.problems
        if spec.map is not None:
            then = record_id if spec.link is not None else partial(convert, kind=kind, zone=zone)
            cells = cells.each(lambda value: then(looked_up(value, spec)), _stored_as(kind))
        else:
            cells = record_ids(cells) if spec.link is not None else _converted(cells, kind, zone)
        cells = replace(cells, problems={**cells.problems, **known}) if known else cells
    if spec.default is not None:
        cells = cells.where_empty(values_of(spec.default, given, rows, kind, zone))
    if spec.max_length is not None and pa.types.is_string(cells.values.type):
        cut = pc.utf8_slice_codeunits(cells.values, 0, spec.max_length)
        cells = cells.with_values(pc.utf8_rtrim_whitespace(cut))
    if spec.add_days is not None:
        cells = _moved(cells, values_of(spec.add_days, given, rows, "number", zone))
    return cells


def column(table: pa.Table, path: str) -> pa.Array:
    """Give the values of a path, texts trimmed; empty where a record says nothing, or if none has it."""
    if path not in table.column_names:
        return pa.nulls(table.num_rows, TEXT)
    cells = table[path].combine_chunks()
    return trimmed(cells) if pa.types.is_string(cells.type) else cells


def trimmed(texts: pa.Array) -> pa.Array:
    """Remove blanks around texts; one without anything else is empty."""
    texts = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(pc.binary_length(texts), 0), pa.scalar(None, TEXT), texts)


def looked_up(value: Any, spec: Field) -> Any:
    """Look a value up in the map of its field; one that is not listed is a problem, unless the field has a default."""
    if value is None or isinstance(value, Problem):
        return value
    found = (spec.map or {}).get(said := words(value))
    if found is not None or spec.default is not None:
        return found
    cause = f"the value {shown(said)} of {spec.from_ or spec.expr or 'its source'} is not listed in map"
    fix = "Add the value, or a default, to the map in the mapping file."
    return Problem("unmapped_value", cause, fix, said=shown(said))


def record_ids(cells: Cells) -> Cells:
    """Normalise record ids to 18 characters; what is none is a problem."""
    texts = cells.values
    if pa.types.is_string(texts.type):
        whole = pc.and_(pc.equal(pc.binary_length(texts), 18), are_record_ids(texts))
        if pc.all(whole, min_count=0).as_py():  # what is empty does not count
            return cells
    return cells.each(record_id)


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


def _source(spec: Field, given: Callable[[str], pa.Array], rows: int, zone: str) -> Cells:
    """Give what a field is made of, before it gets its type."""
    if spec.text is not None:
        return _filled(pieces_of(spec.text), given, rows, zone)
    if spec.call is not None and spec.returns is not None:
        inputs = [given(path) for path in spec.inputs]
        return called(spec.call, inputs, zone, spec.returns, spec.length, nulls=spec.nulls)
    calculation = spec.calculation
    cells = computed(calculation, given, rows, zone) if calculation else Cells(given(str(spec.link or spec.from_)))
    return cells if spec.format is None else _written(cells, format_of(spec.format), zone)


def _written(cells: Cells, by: Format, zone: str) -> Cells:
    """Write values by a format: numbers by the column if it has room for them, else once for each distinct value."""
    values = typed(cells.values, zone)
    written = by.write_column(values)
    return cells.with_values(values).each(by.of) if written is None else Cells(written, cells.problems)


def _filled(pieces: Sequence[Piece], given: Callable[[str], pa.Array], rows: int, zone: str) -> Cells:
    """Fill a template; an empty value leaves a gap."""
    parts: list[Any] = []
    problems: dict[int, Problem] = {}
    for piece in pieces:
        parts.append(piece.words)
        if piece.path:
            said = Cells(given(piece.path))
            if piece.format:
                said = _written(said, piece.format, zone)
                problems = {**said.problems, **problems}
            parts.append(said.values if pa.types.is_string(said.values.type) else said.each(words).values)
    if not any(isinstance(part, pa.Array) for part in parts):
        return Cells(pa.array(["".join(parts).strip() or None] * rows, TEXT))
    texts = trimmed(pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement=""))
    return _without(Cells(texts), problems)


def _without(cells: Cells, problems: dict[int, Problem]) -> Cells:
    """Empty the rows that have a problem."""
    if not problems:
        return cells
    mask = np.zeros(len(cells.values), np.bool_)
    mask[list(problems)] = True
    return Cells(pc.if_else(pa.array(mask), pa.scalar(None, cells.values.type), cells.values), problems)


def _converted(cells: Cells, kind: FieldType, zone: str) -> Cells:
    """Convert by the column what a column can; each distinct value of the rest is converted once."""
    values = cells.values
    if kind == "money" and pa.types.is_decimal(values.type):
        return _minor(values)
    if pa.types.is_string(values.type):
        if kind == "code" or (kind == "text" and not pc.any(pc.match_substring(values, OPENING)).as_py()):
            return cells
    elif kind == "date" and pa.types.is_timestamp(values.type):
        cells = Cells(days_of(values, zone))
    return cells.each(partial(convert, kind=kind, zone=zone), _stored_as(kind))


def _minor(amounts: pa.Array) -> Cells:
    """Count amounts in minor units: whole ones in the column, the others one by one."""
    try:
        exact = amounts.cast(pa.decimal128(38, 18))
        whole = exact.cast(pa.decimal128(38, MINOR_DIGITS), safe=False)
    except pa.ArrowInvalid:  # more digits than that
        return Cells(amounts).each(partial(convert, kind="money", zone=""), MONEY)
    low, high = np.frombuffer(whole.buffers()[1], np.int64).reshape(-1, 2)[whole.offset :][: len(whole)].T
    plain = (high == low >> 63) & (np.abs(low) < LARGE)
    plain &= pc.fill_null(pc.equal(whole.cast(exact.type), exact), fill_value=True).to_numpy(zero_copy_only=False)
    empty = amounts.is_null().to_numpy(zero_copy_only=False)
    rest = np.flatnonzero(~plain & ~empty)
    found = {int(row): convert(amounts[row].as_py(), "money", "") for row in rest}
    return Cells(
        pa.array(low, mask=empty | ~plain),
        {row: value for row, value in found.items() if isinstance(value, Problem)},
        {row: value for row, value in found.items() if not isinstance(value, Problem)},
    )


def _moved(cells: Cells, days: Cells) -> Cells:
    """Add days to dates, once for each distinct pair of the two."""
    pairs = pc.binary_join_element_wise(cells.values, days.values, "|")
    made = Cells(pairs).each(lambda pair: moved(*pair.split("|")))
    wrong = {
        row: replace(problem, cause=f"add_days: {problem.cause}")
        for row, problem in days.problems.items()
        if cells.values[row].is_valid
    }
    return replace(made, problems={**made.problems, **wrong}).where_empty(cells)


def _stored_as(kind: FieldType) -> pa.DataType:
    return MONEY if kind == "money" else TEXT
