"""A mapping applied to records: columns in, documents for the books out.

A document is a JSON value in the target's own words: money in integer minor units, dates as
``YYYY-MM-DD``, quantities as decimal text, links in the form of :mod:`.parents`.
A record that cannot become a document is a :class:`~.errors.Problem`; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import Any

import pandas as pd

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, TargetField
from airflow_provider_kashoo.core.mapping.amounts import charge, do_not_add_up
from airflow_provider_kashoo.core.mapping.evaluate import Surroundings, column, evaluate, record_id
from airflow_provider_kashoo.core.mapping.expressions import Condition
from airflow_provider_kashoo.core.mapping.model import Field, Mapping
from airflow_provider_kashoo.core.mapping.odd import odd_paths, with_one_of
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.distinct import each_once
from airflow_provider_kashoo.core.values.texts import cut

Document = dict[str, Any]


@dataclass(frozen=True)
class Credit:
    """What a record with a negative total asks for.

    :param amount: of the credit, minor units; positive.
    :param currency: ISO code; None if not known.
    :param sale: id of the record's sale.
    :param reduces: id of the record that it reduces; None if not known.
    """

    amount: int
    currency: str | None
    sale: str
    reduces: str | None


@dataclass
class Transformed:
    """The result for each record of a mapping's source object, by its Salesforce id.

    :param documents: the records that match ``when`` and can be written.
    :param problems: those that match but cannot be written.
    :param excluded: those excluded, with the ``when`` line that excluded them; credits among them.
    :param credits: those with a negative total that meet every part of ``when`` which looks at more than the total.
    :param sales: the id of each record's sale.
    :param rounded: how the total was rounded, in words, of the records where it was.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    credits: dict[str, Credit] = field(default_factory=dict)
    sales: dict[str, str] = field(default_factory=dict)
    rounded: dict[str, str] = field(default_factory=dict)


def transform(mapping: Mapping, records: pd.DataFrame, lines: pd.DataFrame | None, around: Surroundings) -> Transformed:
    """Apply one mapping.

    :param records: one row per record; columns are SOQL paths, ``Id`` among them.
    :param lines: one row per line, with the parent's id in column ``parent``; None when it has none.
    :raises ExpressionError: when a ``when`` line compares values of different types.
    """
    result = Transformed()
    records, totals = _sift(mapping, records, around, result)
    if records.empty:
        return result
    ids = column(records, "Id")
    unfit = with_one_of(odd_paths(records), mapping.header_paths())
    unfit |= with_one_of(odd_paths(lines, "parent"), mapping.line_paths())
    result.problems |= {ident: unfit[ident] for ident in ids if ident in unfit}
    result.sales = dict(zip(ids, _sales(mapping, records, around, result.problems), strict=True))
    headers = dict(_documents(mapping.fields, KINDS[mapping.to].fields, records, ids, around, result.problems))
    _make_room(headers.values(), *around.room.get(mapping.to, ("", 0)))
    if mapping.bills:
        _add_lines(mapping, headers, records, lines, around, result.problems)
        sums = {
            ident: money.add_up(line["amount"] for line in document["lines"])
            for ident, document in headers.items()
            if ident not in result.problems
        }
        if not mapping.total:
            totals = sums
            _note_credits(mapping, records, totals, around, result)
        _add_totals(mapping, headers, sums, totals, around.line_text, result)
    left = result.problems.keys() | result.credits.keys()
    result.documents = {key: doc for key, doc in headers.items() if key not in left}
    return result


def _sift(
    mapping: Mapping, records: pd.DataFrame, around: Surroundings, result: Transformed
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Leave out what ``when`` excludes, and credits.

    :returns: what is left, and the total in Salesforce of each record, if the mapping has one.
    """
    matching = pd.Series(data=True, index=records.index, dtype=bool)
    apart = matching.copy()  # whatever is said of the total alone
    odd = odd_paths(records)
    for condition in mapping.conditions:
        holds = _holds(condition, records, odd)
        for ident in column(records.loc[matching & ~holds], "Id"):
            result.excluded[ident] = condition.text
        matching &= holds
        for part in condition.parts:
            if not part.paths <= mapping.total_paths:
                apart &= holds if part is condition else _holds(part, records, odd)
    totals: dict[str, Any] = {}
    if mapping.bills and mapping.total:
        known = records.loc[apart].reset_index(drop=True)
        totals = dict(zip(column(known, "Id"), evaluate(mapping.total, known, "money", around), strict=True))
        _note_credits(mapping, known, totals, around, result)
        matching &= ~records["Id"].isin(list(result.credits))
    return records.loc[matching].reset_index(drop=True), totals


def _holds(condition: Condition, records: pd.DataFrame, odd: dict[str, set[str]]) -> pd.Series[bool]:
    """Evaluate a condition; a part with an odd value in it leaves nothing out, because nobody knows what it meets."""
    met = [part.holds(records) | records["Id"].isin(list(with_one_of(odd, part.paths))) for part in condition.parts]
    return reduce(and_, met)


def _note_credits(
    mapping: Mapping,
    records: pd.DataFrame,
    totals: MappingType[str, Any],
    around: Surroundings,
    result: Transformed,
) -> None:
    """Note the records with a negative total.

    :param totals: record -> exact total, minor units, or why it has none.
    """
    below = {ident: total for ident, total in totals.items() if isinstance(total, Decimal) and total < 0}
    negative = {ident: amount for ident, total in below.items() if (amount := -money.round_half_up(total))}
    if not negative:
        return
    records = records.loc[records["Id"].isin(list(negative))].reset_index(drop=True)
    reduced = evaluate(mapping.reduces, records, "text", around) if mapping.reduces else [None] * len(records)
    for ident, currency, sale, original in zip(
        records["Id"],
        evaluate(mapping.fields["currency"], records, "text", around),
        _sales(mapping, records, around, {}),
        map(record_id, reduced),
        strict=True,
    ):
        result.credits[ident] = Credit(
            amount=negative[ident],
            currency=currency if isinstance(currency, str) else around.org_currency,
            sale=sale,
            reduces=original if isinstance(original, str) else None,
        )
        result.excluded.setdefault(ident, f"{_origin(mapping.total) if mapping.total else 'total'} >= 0")


def _sales(mapping: Mapping, records: pd.DataFrame, around: Surroundings, problems: dict[str, Problem]) -> list[str]:
    own: list[str] = column(records, "Id")
    if mapping.sale is None:
        return own
    sales = each_once(record_id, evaluate(mapping.sale, records, "text", around))
    for ident, sale in zip(own, sales, strict=True):
        if isinstance(sale, Problem):
            problems[ident] = replace(sale, cause=f"sale: {sale.cause}")
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
                problems.setdefault(owner, replace(given, cause=f"{name}: {given.cause}"))
            elif given is not None:
                row[name] = given
    return list(zip(owners, rows, strict=True))


def _make_room(documents: Iterable[Document], name: str, most: int) -> None:
    """Cut a text so that the books do not cut our reference; here, so that the same record always says the same."""
    for document in documents:
        if name in document:
            document[name] = cut(document[name], most)


def _origin(spec: Field | None) -> str:
    return (spec and (spec.from_ or spec.link)) or "its source field"


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
        owners = column(own, "parent")
        for owner, line in _documents(mapping.lines, INVOICE.lines, own, owners, around, problems):
            headers[owner]["lines"].append(line)
    bare = records[~records["Id"].isin([key for key, header in headers.items() if header["lines"]])]
    if bare.empty:
        return
    owners = column(bare, "Id")
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
    sums: MappingType[str, Decimal],
    totals: MappingType[str, Any],
    kept: int | None,
    result: Transformed,
) -> None:
    """Round each record's lines together, after checking that they add up to its total.

    :param sums: record -> exact sum of its lines, minor units; without those that have a problem.
    :param totals: record -> exact total, minor units, or why it has none.
    :param kept: most characters of a line's description that the books keep; None if that is not known.
    """
    limits = (
        section["description"].max_length
        for section in (mapping.lines, mapping.single_line)
        if "description" in section
    )
    longest = min(filter(None, [kept, *limits]), default=None)
    for ident in sums:
        if ident in result.credits:
            continue
        document, total = headers[ident], totals[ident]
        if problem := _unbillable(mapping, document["currency"], sums[ident], total):
            result.problems[ident] = problem
        elif rounded := charge(document["lines"], total, longest):
            result.rounded[ident] = rounded


def _unbillable(mapping: Mapping, currency: str, found: Decimal, total: Any) -> Problem | None:
    """Return why a record with this total cannot be billed.

    :param found: exact sum of its lines, minor units.
    """
    try:
        money.check_currency(currency)
    except money.NotMoney as error:
        return Problem("currency", str(error), "Bill this deal by hand.")
    if total is None or isinstance(total, Problem):
        missing = Problem("missing_value", "its total is empty", f"Fill {_origin(mapping.total)} in Salesforce.")
        return total or missing
    return do_not_add_up(found, total, _origin(mapping.total))
