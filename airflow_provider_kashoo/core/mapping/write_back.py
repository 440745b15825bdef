"""What is written back to Salesforce about an invoice: a write-back mapping applied to settlements."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import SETTLEMENT_SOURCE
from airflow_provider_kashoo.core.mapping.evaluate import Surroundings, evaluate
from airflow_provider_kashoo.core.mapping.field_types import FieldInfo, fitted
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.values.money import CENTS

NUMBER = pa.decimal128(38, 2)
NOT_KEPT = frozenset({"number", "due_date"})
"""Unknown for an invoice that the books no longer show."""

OF_PAYMENTS = frozenset({"status", "last_payment_date"})
"""Known only from an invoice's payments."""

OWED = frozenset({"paid", "balance"})


def documents(
    mapping: Mapping, settlements: Sequence[dict[str, Any]], types: MappingType[str, FieldInfo], around: Surroundings
) -> list[dict[str, str | Problem | None]]:
    """Apply a mapping.

    :param settlements: results of :func:`~.settlement.settlement_of`; amounts in minor units.
    :param types: the fields of the Salesforce object; a value that one of them does not take is a problem.
    :returns: Salesforce field -> text, for each invoice; amounts in major units, never converted to float.
    """
    kinds = {name: NUMBER if kind == "money" else pa.string() for name, kind in SETTLEMENT_SOURCE.items()}
    rows = [
        {name: _major(value) if kinds[name] == NUMBER else value for name, value in each.items()}
        for each in settlements
    ]
    frame = pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items()))).to_pandas(types_mapper=pd.ArrowDtype)
    columns = {
        name: [
            value if isinstance(value, Problem) else fitted(types[name], value, around.zone)
            for value in evaluate(field, frame, "text", around)
        ]
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


def _paths(field: Any) -> set[str]:
    return {path for path, _ in field.paths()}


def _major(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents) / CENTS
