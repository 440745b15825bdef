"""A mapping applied to records: columns in, documents for the books out.

A document is a JSON value in the target's own words: money in integer minor units, dates as
``YYYY-MM-DD``, quantities as decimal text, links in the form of :mod:`.parents`.
A record that cannot become a document is a :class:`~.errors.Problem`; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pandas as pd

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, KINDS, TargetField
from airflow_provider_kashoo.core.mapping.amounts import charge, do_not_add_up
from airflow_provider_kashoo.core.mapping.evaluate import Surroundings, evaluate, record_id
from airflow_provider_kashoo.core.mapping.model import Field, Mapping
from airflow_provider_kashoo.core.mapping.odd import odd_paths, with_one_of
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.texts import cut

Document = dict[str, Any]


@dataclass
class Transformed:
    """The result for each record of a mapping's source object, by its Salesforce id.

    :param documents: the records that match ``when`` and can be written.
    :param problems: those that match but cannot be written.
    :param excluded: those excluded, with the ``when`` line that excluded them.
    :param sales: the id of each record's sale.
    :param rounded: how the total was rounded, in words, of the records where it was.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    sales: dict[str, str] = field(default_factory=dict)
    rounded: dict[str, str] = field(default_factory=dict)


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
        for ident in records.loc[matching & ~holds, "Id"]:
            result.excluded[ident] = condition.text
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
        totals = dict(zip(ids, evaluate(mapping.total, records, "money", around), strict=True)) if mapping.total else {}
        _add_totals(mapping, headers, totals, result)
    result.documents = {key: doc for key, doc in headers.items() if key not in result.problems}
    return result


def _sales(mapping: Mapping, records: pd.DataFrame, around: Surroundings, problems: dict[str, Problem]) -> list[str]:
    own: list[str] = records["Id"].tolist()
    if mapping.sale is None:
        return own
    sales = [record_id(value) for value in evaluate(mapping.sale, records, "text", around)]
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
    totals: MappingType[str, Any],
    result: Transformed,
) -> None:
    """Round each record's lines together, after checking that they add up to its total in Salesforce.

    :param totals: record -> total in Salesforce; empty when the mapping has none.
    """
    limits = (
        section["description"].max_length
        for section in (mapping.lines, mapping.single_line)
        if "description" in section
    )
    longest = min(filter(None, limits), default=None)
    for ident, document in headers.items():
        if ident in result.problems:
            continue
        found = money.add_up(line["amount"] for line in document["lines"])
        total = totals[ident] if mapping.total else found
        if problem := _unbillable(mapping, document["currency"], found, total):
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
