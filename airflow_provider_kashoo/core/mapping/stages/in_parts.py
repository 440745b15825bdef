"""One deal, several invoices: each child record that a rule names takes its share of every line.

The children of a deal are its parts 1, 2, 3 in the order of their ids, which Salesforce gives in the order of creation
(assumed). What is divided are the lines in whole cents, as the last of all rules: so the parts of each line add up to
that line, and all invoices together to the deal.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, FieldType
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import WHOLE, InParts
from airflow_provider_kashoo.core.mapping.stages.charge import as_lists, charge, described
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings, evaluate
from airflow_provider_kashoo.core.mapping.stages.lines import EXACT, Lines
from airflow_provider_kashoo.core.mapping.stages.sections import Faults
from airflow_provider_kashoo.core.mapping.stages.select import Mask
from airflow_provider_kashoo.core.mapping.values.cells import MONEY, TEXT, Cells, Rows
from airflow_provider_kashoo.core.mapping.values.odd import odd_paths, with_one_of
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.distinct import each_once
from airflow_provider_kashoo.core.values.texts import cut

TYPES: dict[str, FieldType] = {"share": "number", "date": "date", "dueDate": "date", "memo": "text"}
"""What is read of a child, and how it is converted."""

NEEDED = ("share", "date")
NAMED = 12
"""How many shares a message names."""

SPLIT_TWICE = Problem(
    "split_twice",
    "two rules would split it into invoices",
    "Change their `when` in the mapping so that only one of them catches it.",
)
_BETWEEN = "|"


@dataclass(frozen=True)
class _Children:
    """The children of the records that are divided.

    :param owners: the row of each one's record; never falls.
    :param of: ``Id``, what is read of each, and ``shares``, those of all parts of its record as one text.
    """

    owners: Rows
    of: dict[str, pa.Array]


def in_parts(
    mapping: Mapping,
    caught: Sequence[Mask],
    records: pa.Table,
    lines: Lines,
    children: MappingType[str, pa.Table],
    around: Surroundings,
    longest: int | None,
    faults: Faults,
) -> pa.Array | None:
    """Divide the records that a rule catches.

    :param lines: as one invoice would have them; their amounts are whole cents.
    :param children: child relationship -> of any records and in any order, each with the id of its ``parent``.
    :param longest: most characters of a line's description; None for no limit.
    :param faults: takes why a record cannot be divided.
    :returns: for each record a list of its parts, each with its lines; empty for one that stays whole. None if the
        mapping has no such rule.
    """
    chosen = [(rule.invoices, mask) for rule, mask in zip(mapping.rules, caught, strict=True) if rule.invoices]
    if not chosen:
        return None
    faults.note(
        dict.fromkeys(np.flatnonzero(sum(mask.astype(np.int64) for _, mask in chosen) > 1).tolist(), SPLIT_TWICE)
    )
    found = [_children(spec, mask, records, children.get(spec.from_), around, faults) for spec, mask in chosen]
    divided = _without_faults(pa.concat_tables(found), records.num_rows, faults)
    starts = np.searchsorted(divided.owners, np.arange(records.num_rows + 1))
    parts = divided.of | {"lines": _lines(divided, starts, lines, longest)}
    structs = pa.StructArray.from_arrays(list(parts.values()), names=list(parts))
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), structs)


def _children(
    spec: InParts, mask: Mask, records: pa.Table, given: pa.Table | None, around: Surroundings, faults: Faults
) -> pa.Table:
    """Read the children of the caught records, and note what is wrong with them."""
    names = ["owner", "Id", *TYPES]
    nothing = pa.table({name: pa.array([], pa.int64() if name == "owner" else TEXT) for name in names})
    found, owners = nothing, np.array([], np.int64)
    if given is not None:
        rows = pc.index_in(given["parent"], records["Id"].combine_chunks()).combine_chunks()
        given = given.append_column("owner", rows.cast(pa.int64())).filter(rows.is_valid())
        given = given.filter(pa.array(mask[given["owner"].to_numpy()]))
        given = given.sort_by([("owner", "ascending"), ("Id", "ascending")]).combine_chunks()
        owners = given["owner"].to_numpy()
        _note_odd(spec, records, given, faults)
        read = {key: _read(spec, key, path, given, owners, around, faults) for key, path in spec.paths().items()}
        texts = {key: read.get(key, pa.nulls(given.num_rows, TEXT)) for key in TYPES}
        found = pa.table({"owner": owners, "Id": given["Id"], **texts})
    without = np.setdiff1d(np.flatnonzero(mask), owners)
    fix = f"Add {spec.from_} in Salesforce; their {spec.share} must add up to {WHOLE}."
    faults.note(dict.fromkeys(without.tolist(), Problem("no_parts", f"it has no {spec.from_}", fix)))
    return _with_whole_shares(spec, found, records.num_rows, faults)


def _note_odd(spec: InParts, records: pa.Table, given: pa.Table, faults: Faults) -> None:
    odd = with_one_of(odd_paths(given, "parent"), spec.paths().values())
    rows = pc.index_in(pa.array(list(odd), TEXT), records["Id"].combine_chunks()).to_pylist()
    faults.note(dict(zip(rows, odd.values(), strict=True)), name=spec.from_)


def _read(
    spec: InParts, key: str, path: str, given: pa.Table, owners: Rows, around: Surroundings, faults: Faults
) -> pa.Array:
    """Read one thing of each child; what is needed may not be empty."""
    cells = evaluate(Field(from_=path), given, TYPES[key], around)
    problems = dict(cells.problems)
    if key in NEEDED:
        missing = Problem("missing_value", "it is empty", f"Fill {path} in Salesforce.")
        problems |= dict.fromkeys(np.flatnonzero(cells.empty()).tolist(), missing)
    ids = given["Id"].combine_chunks()
    placed = {
        row: replace(problem, cause=f"{path} of its {spec.from_} {ids[row].as_py()}: {problem.cause}")
        for row, problem in problems.items()
    }
    faults.note(placed, owners)
    field, most = around.room.get(INVOICE.name, ("", 0))
    return (cells.each(lambda text: cut(text, most)) if key == field else cells).values


def _with_whole_shares(spec: InParts, found: pa.Table, records: int, faults: Faults) -> pa.Table:
    """Add to each child the shares of all parts of its record, and note which do not add up to 100."""
    owners = found["owner"].to_numpy()
    starts = np.searchsorted(owners, np.arange(records + 1))
    shares = pc.fill_null(found["share"].combine_chunks(), "0")
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(starts, pa.int32()), shares), _BETWEEN)
    with_some = np.flatnonzero(np.diff(starts))
    wrong = each_once(partial(_wrong, spec), joined.take(pa.array(with_some)).to_pylist())
    faults.note({row: problem for row, problem in zip(with_some.tolist(), wrong, strict=True) if problem})
    return found.append_column("shares", joined.take(pa.array(owners)))


def _wrong(spec: InParts, joined: str) -> Problem | None:
    """Say what is wrong with the shares of one record."""
    shares = _shares(joined)
    total = sum(shares, Decimal(0))
    if min(shares) > 0 and total == WHOLE:
        return None
    said = ", ".join(f"{share:f}" for share in shares[:NAMED])
    said += f" and {len(shares) - NAMED} more" if len(shares) > NAMED else ""
    what = f"add up to {total.normalize():f}, not {WHOLE}" if min(shares) > 0 else "are not all above 0"
    fix = f"Correct {spec.share} of its {spec.from_} in Salesforce."
    return Problem("shares_do_not_add_up", f"the shares of its {spec.from_} {what}: {said}", fix)


def _shares(joined: str) -> list[Decimal]:
    return [Decimal(share) for share in joined.split(_BETWEEN)]


def _without_faults(found: pa.Table, records: int, faults: Faults) -> _Children:
    """Keep the children of records that can be billed, those of one record together."""
    fit = np.ones(records, np.bool_)
    fit[list(faults.of)] = False
    found = found.filter(pa.array(fit[found["owner"].to_numpy()]))
    found = found.sort_by([("owner", "ascending"), ("Id", "ascending")]).combine_chunks()
    columns = {name: found[name].combine_chunks() for name in ("Id", *TYPES, "shares")}
    return _Children(found["owner"].to_numpy(), columns)


def _lines(divided: _Children, starts: Rows, lines: Lines, longest: int | None) -> pa.Array:
    """Give the lines of each child: all lines of its record, each with its share."""
    owners, first = divided.owners, lines.starts(len(starts) - 1)
    counts = np.diff(first)[owners]
    child = np.repeat(np.arange(len(owners)), counts)
    taken = first[owners][child] + np.arange(len(child)) - (np.cumsum(counts) - counts)[child]
    said = divided.of["share"].take(pa.array(child)).to_pylist()
    texts = lines.of("description").values.take(pa.array(taken)).to_pylist()
    cells = {name: each.take(taken) for name, each in lines.cells.items() if name != EXACT}
    cells |= {
        "amount": Cells(pa.array(_cents(divided, starts, lines, taken, child), MONEY)),
        "quantity": Cells(pa.nulls(len(taken), TEXT)),
        "description": Cells(pa.array(each_once(partial(_with_share, longest), zip(texts, said, strict=True)), TEXT)),
    }
    own = Lines(child, cells, lines.single[taken])
    return as_lists(own, charge(own, np.ones(len(owners), np.bool_), longest), len(owners))


def _with_share(longest: int | None, line: tuple[str | None, str]) -> str:
    text, share = line
    return described(text, f"{share} %", longest)


def _cents(divided: _Children, starts: Rows, lines: Lines, taken: Rows, child: Rows) -> Rows:
    """Divide each line by the shares of its record; the cents that are left go to the largest remainders.

    :returns: of each line of each child its amount.
    """
    parts = np.diff(starts)[lines.owners]
    shared = np.flatnonzero(parts)
    shares = divided.of["shares"].take(pa.array(starts[lines.owners[shared]])).to_pylist()
    by_part = each_once(_divide, zip(lines.of("amount").whole()[shared].tolist(), shares, strict=True))
    cents = np.array([cent for each in by_part for cent in each], np.int64)
    found: Rows = cents[(np.cumsum(parts) - parts)[taken] + child - starts[divided.owners[child]]]
    return found


def _divide(line: tuple[int, str]) -> list[int]:
    amount, joined = line
    return money.round_together([money.share_of(amount, share) for share in _shares(joined)], Decimal(amount))
