"""A mapping applied to records: columns in, documents for the books out.

A document is a JSON value in the target's own words: money in integer minor units, dates as
``YYYY-MM-DD``, quantities as decimal text, links in the form of :mod:`.parents`.
A record that cannot become a document is a :class:`~.errors.Problem`; the others go on.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, FieldType, TargetField
from airflow_provider_kashoo.core.mapping.field_types import FIRST_YEAR, LAST_YEAR, MAX_DIGITS
from airflow_provider_kashoo.core.mapping.model import Field, Mapping
from airflow_provider_kashoo.core.mapping.odd import odd_paths, with_one_of
from airflow_provider_kashoo.core.rules.totals import net_total
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.core.values.ids import Reference, is_record_id, to_18
from airflow_provider_kashoo.core.values.parents import symbolic
from airflow_provider_kashoo.core.values.texts import cut

Document = dict[str, Any]
Column = list[Any]


@dataclass
class Transformed:
    """The result for each record of a mapping's source object, by its Salesforce id.

    :param documents: the records that match ``when`` and can be written.
    :param problems: those that match but cannot be written.
    :param excluded: those excluded, with the ``when`` line that excluded them.
    :param sales: the id of each record's sale.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    sales: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Surroundings:
    """What a transform needs besides the records.

    :param zone: business time zone in which a DateTime becomes a date.
    :param org_currency: ISO code used where an org without multi-currency gives none.
    :param targets: mapping name -> kind that it makes, to resolve links.
    :param room: kind -> the field to which our reference is added, and how many characters of text fit before it.
    """

    zone: str
    org_currency: str | None
    targets: MappingType[str, str]
    room: MappingType[str, tuple[str, int]] = field(default_factory=dict)


def transform(mapping: Mapping, records: pd.DataFrame, lines: pd.DataFrame | None, around: Surroundings) -> Transformed:
    """Apply one mapping.

    :param records: one row per record; columns are SOQL paths, ``Id`` among them.
    :param lines: one row per line, with the parent's id in column ``parent``; None when it has none.
    :raises ExpressionError: when a ``when`` line compares values of different types.
    """
    result = Transformed()
    matching = pd.Series(data=True, index=records.index, dtype=bool)
    odd = odd_paths(records)
    for condition in mapping.conditions:
        holds = condition.holds(records) | records["Id"].isin(list(with_one_of(odd, condition.paths)))
        for record_id in records.loc[matching & ~holds, "Id"]:
            result.excluded[record_id] = condition.text
        matching &= holds
    records = records.loc[matching].reset_index(drop=True)
    if records.empty:
        return result
    ids = records["Id"].tolist()
    unfit = with_one_of(odd, mapping.header_paths()) | with_one_of(odd_paths(lines, "parent"), mapping.line_paths())
    result.problems |= {ident: unfit[ident] for ident in ids if ident in unfit}
    result.sales = dict(zip(ids, _sales(mapping, records, around, result.problems), strict=True))
    headers = dict(_documents(mapping.fields, KINDS[mapping.to].fields, records, ids, around, result.problems))
    _make_room(headers.values(), *around.room.get(mapping.to, ("", 0)))
    if mapping.bills:
        _add_lines(mapping, headers, records, lines, around, result.problems)
        _add_totals(mapping, headers, records, ids, around, result.problems)
    result.documents = {key: doc for key, doc in headers.items() if key not in result.problems}
    return result


def evaluate(spec: Field, frame: pd.DataFrame, kind: FieldType, around: Surroundings) -> Column:
    """Return a field's value for every row, None where empty.

    A value that cannot be converted is replaced by its :class:`Problem`.
    """
    if spec.value is not None:
        values: Column = [spec.value] * len(frame)
    elif spec.text is not None:
        values = _texts(spec.text, frame)
    elif spec.link is not None:
        target = around.targets[str(spec.mapping)]
        ids = [_record_id(value) for value in _column(frame, spec.link)]
        values = [symbolic((target, ident)) if isinstance(ident, str) else ident for ident in ids]
    else:
        values = _column(frame, str(spec.from_))
    if spec.map is not None:
        values = _mapped(values, spec)
    values = [_convert(value, kind, around.zone) for value in values]
    if spec.default is not None:
        fallback = evaluate(spec.default, frame, kind, around)
        values = [other if value is None else value for value, other in zip(values, fallback, strict=True)]
    if spec.max_length is not None:
        values = [value[: spec.max_length].rstrip() if isinstance(value, str) else value for value in values]
    if spec.add_days is not None:
        days = evaluate(spec.add_days, frame, "number", around)
        values = [_moved(value, count) for value, count in zip(values, days, strict=True)]
    return values


def _column(frame: pd.DataFrame, path: str) -> Column:
    if path not in frame.columns:
        return [None] * len(frame)
    column = frame[path].astype(object)
    return [value.strip() or None if isinstance(value, str) else value for value in column.where(column.notna(), None)]


def _texts(template: str, frame: pd.DataFrame) -> Column:
    pieces = [(literal, path) for literal, path, _, _ in string.Formatter().parse(template)]
    columns = {path: _column(frame, path) for _, path in pieces if path}
    return [
        "".join(literal + (_words(columns[path][row]) if path else "") for literal, path in pieces).strip() or None
        for row in range(len(frame))
    ]


def _mapped(values: Column, spec: Field) -> Column:
    table = spec.map or {}
    missing = (
        None
        if spec.default
        else Problem(
            "unmapped_value",
            f"the value of {spec.from_} is not listed in map",
            "Add the value, or a default, to the map in the mapping file.",
        )
    )
    return [None if value is None else table.get(_words(value), missing) for value in values]


def _convert(value: Any, kind: FieldType, zone: str) -> Any:
    if value is None or isinstance(value, Problem | dict):
        return value
    try:
        return _CONVERTERS[kind](value, zone)
    except money.NotMoney as error:
        return Problem("not_money", str(error), "Correct the amount in Salesforce.")
    except (TypeError, ValueError, ArithmeticError):
        return Problem("wrong_type", f"the value is not a {kind}", "Correct it in Salesforce or in the mapping.")


def _to_date(value: Any, zone: str) -> str:
    if isinstance(value, datetime):
        value = business_date(value, zone)
    day = value if isinstance(value, date) else date.fromisoformat(value)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError
    return day.isoformat()


def _to_text(value: Any, _: str) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def _to_own_text(value: Any, zone: str) -> str | None:
    """Remove references: one that a person typed in Salesforce would look like our own in the books."""
    return Reference.without(_to_text(value, zone)) or None


def _words(value: Any) -> str:
    return "" if value is None else _to_text(value, "")


def _record_id(value: Any) -> str | Problem | None:
    if value is None or isinstance(value, Problem):
        return value
    try:
        ident = to_18(str(value))
    except ValueError as error:
        return Problem("wrong_type", str(error), "Correct the field in Salesforce or the mapping.")
    if is_record_id(ident):
        return ident
    cause = "the last three characters of the Salesforce id do not match the others"
    return Problem("wrong_type", cause, "Correct the field in Salesforce or the mapping.")


def _to_number(value: Any, _: str) -> str:
    number = Decimal(value)
    if not number.is_finite() or len(number.normalize().as_tuple().digits) > MAX_DIGITS:
        raise ValueError
    return format(number.normalize(), "f")


_CONVERTERS: dict[FieldType, Callable[[Any, str], Any]] = {
    "text": _to_own_text,
    "code": _to_text,
    "link": _to_text,
    "date": _to_date,
    "number": _to_number,
    "money": lambda value, _: money.to_minor(Decimal(value) if isinstance(value, str) else value),
}


def _moved(value: Any, days: Any) -> Any:
    if not isinstance(value, str) or days is None:
        return value
    if isinstance(days, Problem) or Decimal(days) != int(Decimal(days)):
        return Problem("wrong_type", "the number of days is not a whole number", "Correct it in Salesforce.")
    try:
        return _to_date(date.fromisoformat(value) + timedelta(days=int(Decimal(days))), "")
    except (OverflowError, ValueError):
        return Problem("wrong_type", "the date with its days is out of range", "Correct it in Salesforce.")


def _sales(mapping: Mapping, records: pd.DataFrame, around: Surroundings, problems: dict[str, Problem]) -> list[str]:
    own: list[str] = records["Id"].tolist()
    if mapping.sale is None:
        return own
    sales = [_record_id(value) for value in evaluate(mapping.sale, records, "text", around)]
    for ident, sale in zip(own, sales, strict=True):
        if isinstance(sale, Problem):
            problems[ident] = Problem(sale.error_class, f"sale: {sale.cause}", sale.fix)
    return [sale if isinstance(sale, str) else ident for ident, sale in zip(own, sales, strict=True)]


def _documents(
    fields: MappingType[str, Field],
    target: MappingType[str, TargetField],
    frame: pd.DataFrame,
    owners: list[str],
    around: Surroundings,
    problems: dict[str, Problem],
) -> list[tuple[str, Document]]:
    """Build one document per row, with its owner; a problem of a row counts for its owner."""
    rows: list[Document] = [{} for _ in owners]
    for name, spec in fields.items():
        kind = target[name].type
        for row, owner, value in zip(rows, owners, evaluate(spec, frame, kind, around), strict=True):
            given = around.org_currency if value is None and name == "currency" else value
            if given is None and target[name].required:
                fix = f"Fill {_origin(spec)} in Salesforce, or add a default to the mapping."
                given = Problem("missing_value", "it is empty", fix)
            if isinstance(given, Problem):
                problems.setdefault(owner, Problem(given.error_class, f"{name}: {given.cause}", given.fix))
            elif given is not None:
                row[name] = given
    return list(zip(owners, rows, strict=True))


def _make_room(documents: Iterable[Document], name: str, most: int) -> None:
    """Cut a text so that the books do not cut our reference; here, so that the same record always says the same."""
    for document in documents:
        if name in document:
            document[name] = cut(document[name], most)


def _origin(spec: Field) -> str:
    return spec.from_ or spec.link or "its source field"


def _add_lines(
    mapping: Mapping,
    headers: dict[str, Document],
    records: pd.DataFrame,
    lines: pd.DataFrame | None,
    around: Surroundings,
    problems: dict[str, Problem],
) -> None:
    for header in headers.values():
        header["lines"] = []
    if mapping.lines and lines is not None and not lines.empty:
        own = lines[lines["parent"].isin(list(headers))].reset_index(drop=True)
        owners = own["parent"].tolist()
        for owner, line in _documents(mapping.lines, INVOICE.lines, own, owners, around, problems):
            headers[owner]["lines"].append(line)
    bare = records[~records["Id"].isin([key for key, header in headers.items() if header["lines"]])]
    if bare.empty:
        return
    owners = bare["Id"].tolist()
    if not mapping.single_line:
        for owner in owners:
            problems.setdefault(
                owner, Problem("no_lines", "it has no lines", "Add products, or add single_line to the mapping.")
            )
        return
    bare = bare.reset_index(drop=True)
    for owner, line in _documents(mapping.single_line, INVOICE.lines, bare, owners, around, problems):
        headers[owner]["lines"].append(line)


def _add_totals(
    mapping: Mapping,
    headers: dict[str, Document],
    records: pd.DataFrame,
    ids: list[str],
    around: Surroundings,
    problems: dict[str, Problem],
) -> None:
    """Compute each line's rate, and check that the lines add up to the total in Salesforce."""
    totals = evaluate(mapping.total, records, "money", around) if mapping.total else [None] * len(ids)
    for ident, total in zip(ids, totals, strict=True):
        if ident in problems:
            continue
        if mapping.total and total is None:
            fix = f"Fill {_origin(mapping.total)} in Salesforce."
            problems[ident] = Problem("missing_value", "its total is empty", fix)
        elif problem := total if isinstance(total, Problem) else _complete(mapping, headers[ident], total):
            problems[ident] = problem


def _complete(mapping: Mapping, document: Document, total: int | None) -> Problem | None:
    try:
        money.check_currency(document["currency"])
    except money.NotMoney as error:
        return Problem("currency", str(error), "Bill this deal by hand.")
    for line in document["lines"]:
        quantity, rate = money.rate_of(line.pop("amount"), Decimal(line.get("quantity", "1")))
        line["quantity"], line["rate"] = format(quantity.normalize(), "f"), rate
    if mapping.total and net_total(document) != total:
        fix = f"Compare the sum of its lines with {_origin(mapping.total)} in Salesforce, and correct one of them."
        return Problem("lines_do_not_add_up", "its lines do not add up to its total", fix)
    return None
