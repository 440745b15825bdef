"""What the rules of a mapping do with the deals that they catch: fields are set first, then lines added and divided.

Lines are in whole cents by then, and add up to what Salesforce says. What is added comes on top of that; what is
divided stays the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE, PAYMENT, TargetField
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import LINES, AddLine
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings, evaluate
from airflow_provider_kashoo.core.mapping.stages.lines import Lines
from airflow_provider_kashoo.core.mapping.stages.sections import Faults, apply_section, note_faults
from airflow_provider_kashoo.core.mapping.stages.select import Mask
from airflow_provider_kashoo.core.mapping.stages.shares import divided_by
from airflow_provider_kashoo.core.mapping.values.cells import MONEY, TEXT, Cells
from airflow_provider_kashoo.core.values import money
from airflow_provider_kashoo.core.values.distinct import each_once

PARKED_BY_RULE = "parked_by_rule"
_FIX = "Change the deal, or the rule in the mapping."


def parked(mapping: Mapping, caught: Sequence[Mask], faults: Faults) -> None:
    """Park what a rule says a person must look at."""
    for rule, mask in zip(mapping.rules, caught, strict=True):
        if rule.park is not None:
            problem = Problem(PARKED_BY_RULE, rule.park, _FIX)
            faults.note(dict.fromkeys(np.flatnonzero(mask).tolist(), problem))


def set_fields(
    mapping: Mapping,
    caught: Sequence[Mask],
    records: pa.Table,
    header: dict[str, Cells],
    lines: Lines,
    around: Surroundings,
) -> None:
    """Set fields of the invoice and of its lines; of several rules the last counts."""
    for rule, mask in zip(mapping.rules, caught, strict=True):
        for name, spec in (rule.set or {}).items():
            if not name.startswith(LINES):
                header[name] = _set(spec, INVOICE.fields[name], records, mask, header.get(name), around)
                continue
            field = name.removeprefix(LINES)
            made = _of_caught(spec, INVOICE.lines[field], records, mask, around).take(lines.owners)
            lines.cells[field] = lines.of(field).where(mask[lines.owners], made)


def _set(
    spec: Field, target: TargetField, records: pa.Table, mask: Mask, before: Cells | None, around: Surroundings
) -> Cells:
    given = before or Cells(pa.nulls(records.num_rows, TEXT))
    return given.where(mask, _of_caught(spec, target, records, mask, around))


def _of_caught(spec: Field, target: TargetField, records: pa.Table, mask: Mask, around: Surroundings) -> Cells:
    """Make a field of the caught records alone: a function fails for all that it gets. The others have any value."""
    if not mask.any():
        return Cells(pa.nulls(len(mask), TEXT))
    caught = evaluate(spec, records.filter(pa.array(mask)), target.type, around)
    return caught.take(np.maximum(np.cumsum(mask) - 1, 0))


def payments(
    mapping: Mapping, caught: Sequence[Mask], records: pa.Table, around: Surroundings, faults: Faults
) -> pa.Array | None:
    """Say into which account, and on which day, the invoice of each record was paid; of several rules the last counts.

    :returns: structs, empty where no rule says so; None for a mapping without such a rule.
    """
    paying = [(rule.mark_paid, mask) for rule, mask in zip(mapping.rules, caught, strict=True) if rule.mark_paid]
    if not paying:
        return None
    paid = np.zeros(records.num_rows, np.bool_)
    found = {name: Cells(pa.nulls(records.num_rows, TEXT)) for name in paying[0][0].fields()}
    for rule, mask in paying:
        named = {f"mark_paid {name}": (name, spec) for name, spec in rule.fields().items()}
        fields = {label: spec for label, (_, spec) in named.items()}
        target = {label: PAYMENT.fields[name] for label, (name, _) in named.items()}
        cells = {label: _of_caught(spec, target[label], records, mask, around) for label, spec in fields.items()}
        note_faults(cells, fields, target, faults, only=mask)
        found |= {name: found[name].where(mask, cells[label]) for label, (name, _) in named.items()}
        paid |= mask
    return pa.StructArray.from_arrays([each.values for each in found.values()], names=[*found], mask=pa.array(~paid))


def change_lines(
    mapping: Mapping,
    caught: Sequence[Mask],
    records: pa.Table,
    lines: Lines,
    others: MappingType[int, str],
    around: Surroundings,
    faults: Faults,
) -> Lines:
    """Add and divide lines, in the order of the rules.

    :param lines: their amounts are whole minor units.
    :param others: row -> currency, of records in one without hundredths.
    """
    for rule, mask in zip(mapping.rules, caught, strict=True):
        if rule.add_line:
            lines = _added(rule.add_line, mask, records, lines, others, around, faults, mapping.rounding)
        for name, shares in rule.split_lines.items():
            lines = _divided(name.removeprefix(LINES), shares, mask, lines)
    return lines


def _added(
    rule: AddLine,
    mask: Mask,
    records: pa.Table,
    lines: Lines,
    others: MappingType[int, str],
    around: Surroundings,
    faults: Faults,
    rounding: money.Rounding,
) -> Lines:
    rows = np.flatnonzero(mask)
    some = records.take(pa.array(rows))
    if rule.amount:
        given = evaluate(rule.amount, some, "money", around)
        faults.note(given.problems, rows, "add_line amount")
        amounts = zip(map(others.get, rows.tolist()), map(given.amount, range(len(rows))), strict=True)
        cents = [money.round_to_unit(money.in_units_of(code, each or Decimal(0)), rounding) for code, each in amounts]
    else:
        starts = lines.starts(records.num_rows)
        sums = np.add.reduceat(np.append(lines.of("amount").whole(), 0), starts)[:-1]
        sums = np.where(np.diff(starts) > 0, sums, 0)
        percent = rule.percent or Decimal(0)
        cents = each_once(partial(money.percent_of, percent=percent, rounding=rounding), sums[rows].tolist())
    kept = np.flatnonzero(np.array(cents, np.int64))
    cells = apply_section(rule.fields(), INVOICE.lines, some.take(pa.array(kept)), around)
    note_faults(cells, rule.fields(), INVOICE.lines, faults, rows[kept])
    added = Cells(pa.array([cents[place] for place in kept], MONEY))
    return lines.with_more(Lines(rows[kept], cells | {"amount": added}, np.zeros(len(kept), np.bool_)))


def _divided(field: str, shares: MappingType[str, Decimal], mask: Mask, lines: Lines) -> Lines:
    """Divide each line of the caught records by shares; the cents that are left go to the largest remainders."""
    caught = mask[lines.owners]
    times = np.where(caught, len(shares), 1)
    taken = np.repeat(np.arange(len(caught)), times)
    divided = lines.take(taken)
    place = np.arange(len(taken)) - np.repeat(np.cumsum(times) - times, times)  # which share, of a line that is divided
    amounts = lines.of("amount").whole()
    cents = amounts[taken].copy()
    here = caught[taken]
    cents[here] = divided_by(list(shares.values()), amounts[caught]).ravel()
    share = pa.array(np.where(here, place, 0))
    names = pa.array(list(shares)).take(share)
    said = pa.array([f"({each.normalize():f} %)" for each in shares.values()]).take(share)
    described = pc.binary_join_element_wise(divided.of("description").values, said, " ", null_handling="skip")
    quantities = divided.of("quantity").where(here, Cells(pa.nulls(len(taken), TEXT)))
    more = {
        "amount": Cells(pa.array(cents, MONEY)),
        "quantity": quantities,
        field: divided.of(field).where(here, Cells(names)),
        "description": divided.of("description").where(here, Cells(described)),
    }
    return replace(divided, cells=divided.cells | more)
