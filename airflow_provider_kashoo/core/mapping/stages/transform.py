"""A mapping applied to records: columns in, columns out, in stages: select, fields, lines, totals, rules.

What is made is in the target's own words: money in integer minor units, dates as ``YYYY-MM-DD``, quantities as decimal
text, links as the Salesforce id of the record they lead to. A record that cannot become one is a
:class:`~.errors.Problem`; the others go on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import KINDS, LINKED_KINDS
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.amounts import add_up, unequal
from airflow_provider_kashoo.core.mapping.stages.apply_rules import change_lines, parked, payments, set_fields
from airflow_provider_kashoo.core.mapping.stages.charge import as_lists, charge, in_whole_cents
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.stages.in_parts import in_parts
from airflow_provider_kashoo.core.mapping.stages.lines import Lines, lines_of, note_faults_of
from airflow_provider_kashoo.core.mapping.stages.sections import Faults, apply_section, note_faults
from airflow_provider_kashoo.core.mapping.stages.select import (
    Credit,
    Mask,
    Selected,
    Why,
    among,
    credits_of,
    origin,
    sales_of,
    select,
)
from airflow_provider_kashoo.core.mapping.values.cells import Cells
from airflow_provider_kashoo.core.mapping.values.odd import odd_paths, with_one_of
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.currencies import OTHER_DECIMALS
from airflow_provider_kashoo.core.values.parents import symbolic
from airflow_provider_kashoo.core.values.texts import cut

Document = dict[str, Any]

PAID = "payment"
"""Column with the payments that rules make: account and day of each, see :func:`~.apply_rules.payments`."""

NO_FIELDS = ("Id", "sale", "rules", "parts", PAID)
"""Columns of what is made that are no fields of a document."""

PAID_IN_PARTS = Problem(
    "paid_in_parts",
    "a rule marks it as paid, and another one makes several invoices of it; a payment pays one invoice",
    "Let only one of the two rules catch it.",
)

_NONE_MADE = pa.table(
    {"Id": pa.array([], pa.string()), "sale": pa.array([], pa.string()), "rules": pa.array([], pa.int64())}
)


@dataclass
class Transformed:
    """The result for the records of a mapping's source object.

    :param made: those that can be written: ``Id``, ``sale``, a column for each field; of invoices ``lines`` as lists
        of structs, ``rules``, a bit for each rule that caught one, where a rule makes several invoices of a record
        ``parts``, a list of structs, and ``payment``, if a rule may make one.
    :param problems: id -> why a record that meets ``when`` cannot be written.
    :param undivided: id -> why a record cannot become several invoices, as a rule wants; of one invoice it is made.
    :param unfit_sales: id -> the sale of such a record.
    :param excluded: why -> ids of those that a ``when`` line or a rule leaves out.
    :param credits: id -> what a record with a negative total asks for, if it meets every part of ``when`` that looks at
        more than the total.
    :param rounded: id -> how the total was rounded, in words, of the records where it was.
    """

    made: pa.Table = field(default_factory=lambda: _NONE_MADE)
    problems: dict[str, Problem] = field(default_factory=dict)
    undivided: dict[str, Problem] = field(default_factory=dict)
    unfit_sales: dict[str, str] = field(default_factory=dict)
    excluded: dict[Why, pa.Array] = field(default_factory=dict)
    credits: dict[str, Credit] = field(default_factory=dict)
    rounded: dict[str, str] = field(default_factory=dict)


def documents(made: pa.Table) -> dict[str, Document]:
    """Write what was made of records as JSON values, by their ids; links in the form of :mod:`.parents`.

    :param made: rows of :attr:`Transformed.made`.
    """
    rows = made.drop_columns([name for name in NO_FIELDS if name in made.column_names]).to_pylist()
    documents_ = [_document(row) for row in rows]
    return dict(zip(made["Id"].to_pylist(), documents_, strict=True))


@dataclass(frozen=True)
class PartDocument:
    """One of several invoices of a record.

    :param child: id of the child record that makes it.
    :param read: what was read of the child; ``shares`` are those of all parts.
    """

    child: str
    read: MappingType[str, str | None]
    document: Document


def part_documents(made: pa.Table) -> dict[str, list[PartDocument]]:
    """Give the invoices of records that become several, by their ids, in the order of the parts.

    :param made: as for :func:`documents`.
    """
    if "parts" not in made.column_names:
        return {}
    wholes, rows = documents(made), made.select(["Id", "parts"]).to_pylist()
    return {row["Id"]: [_part(wholes[row["Id"]], part) for part in row["parts"]] for row in rows if row["parts"]}


def _part(whole: Document, part: Document) -> PartDocument:
    """Give one invoice; what its child does not say is as in the whole, and as many days after its date."""
    lines, read = part["lines"], {name: value for name, value in part.items() if name not in {"Id", "lines"}}
    own = {name: read[name] for name in ("date", "dueDate", "memo") if read[name] is not None}
    if "dueDate" in whole:
        days = date.fromisoformat(whole["dueDate"]) - date.fromisoformat(whole["date"])
        own = {"dueDate": (date.fromisoformat(own["date"]) + days).isoformat()} | own
    return PartDocument(part["Id"], read, whole | own | {"lines": [_document(line) for line in lines]})


def _document(row: Document) -> Document:
    document: Document = {
        name: symbolic((LINKED_KINDS[name], value)) if name in LINKED_KINDS else value
        for name, value in row.items()
        if value is not None
    }
    if "lines" in document:
        document["lines"] = [_document(line) for line in document["lines"]]
    return document


def transform(
    mapping: Mapping,
    records: pa.Table,
    lines: pa.Table | None,
    around: Surroundings,
    children: MappingType[str, pa.Table] = MappingProxyType({}),
) -> Transformed:
    """Apply one mapping.

    :param records: one row per record; columns are SOQL paths, ``Id`` among them.
    :param lines: one row per line, with the parent's id in column ``parent``; None when it has none.
    :param children: those that make invoices of their own, by their relationship, as ``lines``.
    :raises MappingMistakes: when a condition compares values of different types.
    """
    selected = select(mapping, records, around)
    result = Transformed(excluded=selected.excluded, credits=selected.credits)
    records, caught = selected.records, selected.caught
    if not records.num_rows:
        return result
    faults, ids = Faults(), records["Id"].combine_chunks()
    sales = sales_of(mapping, records, around)
    header = apply_section(mapping.fields, KINDS[mapping.to].fields, records, around)
    own = lines_of(mapping, records, lines, around) if mapping.bills else None
    if own:
        parked(mapping, caught, faults)
        set_fields(mapping, caught, records, header, own, around)
    faults.note(sales.problems, name="sale")
    faults.note(_odd(mapping, records, lines, ids))
    fields = {name: spec for name, spec in mapping.ruled.items() if name in header} | mapping.fields
    note_faults(header, fields, KINDS[mapping.to].fields, faults)
    columns = {name: cells.values for name, cells in _with_room(header, *around.room.get(mapping.to, ("", 0))).items()}
    if own:
        billed = _bill(mapping, selected, own, header["currency"], children, faults, around, result)
        columns |= {name: column for name, column in billed.items() if column is not None}
        columns["rules"] = _as_bits(caught, len(ids))
        if (paid := payments(mapping, caught, records, around, faults)) is not None:
            columns[PAID] = paid
    result.problems = {ids[row].as_py(): problem for row, problem in sorted(faults.of.items())}
    own_sales = pc.coalesce(sales.values, ids)
    result.unfit_sales = {ids[row].as_py(): own_sales[row].as_py() for row in faults.of}
    left_out = {*result.problems, *result.credits}
    result.made = pa.table({"Id": ids, "sale": own_sales, **columns}).filter(pa.array(~among(ids, left_out)))
    return result


def _bill(
    mapping: Mapping,
    selected: Selected,
    lines: Lines,
    currencies: Cells,
    children: MappingType[str, pa.Table],
    faults: Faults,
    around: Surroundings,
    result: Transformed,
) -> dict[str, pa.Array | None]:
    """Charge the lines of each record, after checking that they add up to its total, and divide what is split."""
    records, ids = selected.records, selected.records["Id"].combine_chunks()
    note_faults_of(mapping, lines, len(ids), faults)
    sums = add_up(lines, len(ids), faults.of)
    totals = selected.totals or sums
    if not mapping.total:
        result.credits = credits_of(mapping, records, totals, around, np.ones(len(ids), np.bool_))
    billed = ~among(ids, result.credits)
    others = _without_hundredths(currencies)
    _check(mapping, currencies, sums, totals, others, faults, billed, around)
    billed[list(faults.of)] = False
    lines, rounded, problems = in_whole_cents(lines, sums, totals, billed, others, mapping.rounding)
    result.rounded = {ids[row].as_py(): said for row, said in rounded.items()}
    faults.note(problems)
    lines = change_lines(mapping, selected.caught, records, lines, others, around, faults)
    billed[list(faults.of)] = False
    longest = _longest(mapping, around)
    caught = [mask & billed for mask in selected.caught]
    apart = Faults()
    parts = in_parts(mapping, caught, records, lines, children, around, longest, apart)
    apart.note(dict.fromkeys(_paid_in_parts(mapping, caught), PAID_IN_PARTS))
    result.undivided = {ids[row].as_py(): problem for row, problem in sorted(apart.of.items())}
    return {"lines": as_lists(lines, charge(lines, billed, longest), len(ids)), "parts": parts}


def _paid_in_parts(mapping: Mapping, caught: Sequence[Mask]) -> list[int]:
    """Find the records of which one rule makes several invoices, and another one payment."""
    paid = divided = np.zeros(len(caught[0]) if caught else 0, np.bool_)
    for rule, mask in zip(mapping.rules, caught, strict=True):
        paid = paid | mask if rule.mark_paid else paid
        divided = divided | mask if rule.invoices else divided
    return [int(row) for row in np.flatnonzero(paid & divided)]


def _as_bits(caught: Sequence[Mask], records: int) -> pa.Array:
    """Say of each record which rules caught it: the first in the lowest bit."""
    bits = np.zeros(records, np.int64)
    for place, mask in enumerate(caught):
        bits |= mask.astype(np.int64) << place
    return pa.array(bits)


def _odd(mapping: Mapping, records: pa.Table, lines: pa.Table | None, ids: pa.Array) -> dict[int, Problem]:
    """Find records with an odd value in what the mapping reads, by their rows."""
    unfit = with_one_of(odd_paths(records), mapping.header_paths())
    unfit |= with_one_of(odd_paths(lines, "parent"), mapping.line_paths())
    rows = pc.index_in(pa.array(list(unfit), pa.string()), ids).to_pylist()
    return {row: problem for row, problem in zip(rows, unfit.values(), strict=True) if row is not None}


def _with_room(header: MappingType[str, Cells], name: str, most: int) -> dict[str, Cells]:
    """Cut a text so that the books do not cut our reference; here, so that the same record always says the same."""
    if name not in header:
        return {**header}
    texts = header[name]
    long = pc.any(pc.greater(pc.binary_length(texts.values), most)).as_py()
    return {**header, name: texts.each(lambda text: cut(text, most)) if long else texts}


def _without_hundredths(currencies: Cells) -> dict[int, str]:
    """Give the currencies that are counted in another minor unit, by the rows of the records that are in one."""
    rows = pc.index_in(currencies.values, pa.array([*OTHER_DECIMALS])).is_valid().to_numpy(zero_copy_only=False)
    return {int(row): currencies.values[row].as_py() for row in np.flatnonzero(rows)}


def _check(
    mapping: Mapping,
    currencies: Cells,
    sums: Cells,
    totals: Cells,
    others: MappingType[int, str],
    faults: Faults,
    billed: Mask,
    around: Surroundings,
) -> None:
    """Note which records cannot be billed with what they add up to.

    :param sums: exact sum of each record's lines, in hundredths; without those that have a problem.
    :param totals: exact total of each record, in hundredths, or why it has none.
    :param others: row -> currency, of records in one without hundredths.
    :param billed: the others are credits.
    """
    problems = currencies.each(partial(_no_currency, counted=around.counted)).problems
    faults.note({row: problem for row, problem in problems.items() if billed[row]})
    if mapping.total:
        missing = Problem("missing_value", "its total is empty", f"Fill {origin(mapping.total)} in Salesforce.")
        faults.note({**dict.fromkeys(np.flatnonzero(totals.empty()).tolist(), missing), **totals.problems})
        faults.note(unequal(sums, totals, others, origin(mapping.total)))


def _longest(mapping: Mapping, around: Surroundings) -> int | None:
    """Say how many characters a line's description may have; None for no limit."""
    sections = (mapping.lines, mapping.single_line)
    limits = (section["description"].max_length for section in sections if "description" in section)
    return min(filter(None, [around.line_text, *limits]), default=None)


def _no_currency(code: str, counted: Collection[str]) -> Problem | None:
    try:
        money.check_currency(code, counted)
    except money.NotMoney as error:
        return Problem("currency", str(error), "Bill this deal by hand.")
    return None
