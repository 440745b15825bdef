"""What is written back to Salesforce about an invoice: a write-back mapping applied to settlements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import SETTLEMENT_SOURCE
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.mapping.transform import Surroundings, evaluate
from airflow_provider_kashoo.core.values.money import CENTS

NUMBER = pa.decimal128(38, 2)
NUMBER_FIELDS = frozenset({"currency", "double", "percent", "int"})
"""Salesforce's types of number fields."""

NOT_A_NUMBER = "not_a_number"
"""Error class; only a person can correct it, no payment does."""

NOT_KEPT = frozenset({"number", "due_date"})
"""Unknown for an invoice that the books no longer show."""

OF_PAYMENTS = frozenset({"status", "last_payment_date"})
"""Known only from an invoice's payments."""

OWED = frozenset({"paid", "balance"})


def documents(
    mapping: Mapping, settlements: Sequence[dict[str, Any]], numbers: Collection[str], around: Surroundings
) -> list[dict[str, str | Problem | None]]:
    """Apply a mapping.

    :param settlements: results of :func:`~.settlement.settlement_of`; amounts in minor units.
    :param numbers: the number fields of the Salesforce object; any other value for one is a problem.
    :returns: Salesforce field -> text, for each invoice; amounts in major units, never converted to float.
    """
    types = {name: NUMBER if kind == "money" else pa.string() for name, kind in SETTLEMENT_SOURCE.items()}
    rows = [
        {name: _major(value) if types[name] == NUMBER else value for name, value in each.items()}
        for each in settlements
    ]
    frame = pa.Table.from_pylist(rows, schema=pa.schema(list(types.items()))).to_pandas(types_mapper=pd.ArrowDtype)
    columns = {
        name: [_number(name, value) if name in numbers else value for value in evaluate(field, frame, "text", around)]
        for name, field in mapping.fields.items()
    }
    unknown = {name for name, field in mapping.fields.items() if NOT_KEPT & _paths(field)}
    return [
        {name: values[row] for name, values in columns.items() if "number" in each or name not in unknown}
        for row, each in enumerate(settlements)
    ]


def told_by_the_invoice(mapping: Mapping) -> set[str]:
    """List the fields that do not depend on payments; none, unless one of them shows what is paid or owed."""
    alone = {name: _paths(field) for name, field in mapping.fields.items() if not OF_PAYMENTS & _paths(field)}
    return set(alone) if any(OWED & paths for paths in alone.values()) else set()


def as_told(value: Any) -> str | None:
    """Convert a value that Salesforce holds to the text that would be written back."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | int):
        return format(Decimal(value).normalize(), "f")
    return value or None


def _number(name: str, value: str | Problem | None) -> str | Problem | None:
    """Normalise a number, so that Salesforce's value can be compared with what was written back."""
    if not isinstance(value, str):
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if number.is_finite():
        return as_told(number)
    fix = f"Map {name} to a value that is always a number, or make it a text field in Salesforce."
    return Problem(NOT_A_NUMBER, f"{name} is a number field, but the mapping produces text", fix)


def _paths(field: Any) -> set[str]:
    return {path for path, _ in field.paths()}


def _major(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents) / CENTS
