"""What is written back to Salesforce about an invoice: a write-back mapping applied to settlements.

Amounts stay whole minor units until a field takes them. A value is made once for all invoices that say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as MappingType
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias, TypeVar

import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import TOLD_TYPES
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import values_of
from airflow_provider_kashoo.core.mapping.values.computed import column_of
from airflow_provider_kashoo.core.mapping.values.expressions import Condition
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo, fitted
from airflow_provider_kashoo.core.values.distinct import each_once
from airflow_provider_kashoo.core.values.ids import canonical
from airflow_provider_kashoo.core.values.money import as_decimal

Value = str | Problem | None
Settlements = Sequence[MappingType[str, Any]]
"""Results of :func:`~.settlement.settlement_of`; amounts in minor units."""

NOT_KEPT = frozenset({"number", "date", "due_date", "unallocated", "currency", "last_payment_date", "account"})
"""May be unknown: of what the books no longer show, or of a customer without a payment lately."""

OF_PAYMENTS = frozenset({"status", "last_payment_date"})
"""Known only from an invoice's payments."""

OWED = frozenset({"paid", "balance"})

T = TypeVar("T")

Fields: TypeAlias = MappingType[str, Field]


def columns(
    specs: Fields,
    settlements: Settlements,
    types: MappingType[str, FieldInfo],
    zone: str,
    names: Collection[str] | None = None,
) -> dict[str, list[Value]]:
    """Fill the fields of a mapping.

    :param specs: Salesforce field -> how it gets its value.
    :param types: the fields of the Salesforce object; a value that one of them does not take is a problem.
    :param zone: business time zone, see :func:`~.field_types.fitted`.
    :param names: only these fields; all of the mapping, if not given.
    :returns: Salesforce field -> the text of each invoice; amounts in major units, never converted to float.
    """
    specs = {name: spec for name, spec in specs.items() if names is None or name in names}
    texts, typed = _Read(settlements, _texts), _Read(settlements, _typed)
    made = {
        name: values_of(spec, typed if spec.computes else texts, len(settlements), "text", zone).to_list()
        for name, spec in specs.items()
    }
    return {name: each_once(partial(_fitted, types[name], zone), values) for name, values in made.items()}


def _texts(path: str, settlements: Settlements) -> pa.Array:
    """Give what each invoice says of one thing, empty texts as None; the only place that formats amounts."""
    said = [each.get(path) for each in settlements]
    if TOLD_TYPES[path] == "money":
        amounts = zip(said, settlements, strict=True)
        texts = [None if amount is None else as_decimal(amount, each.get("currency")) for amount, each in amounts]
        return pa.array(texts, pa.string())
    if TOLD_TYPES[path] == "number":
        return pa.array([None if count is None else str(count) for count in said], pa.string())
    return pa.array([(text.strip() or None) if text else None for text in said], pa.string())


def _typed(path: str, settlements: Settlements) -> pa.Array:
    """Give the same as numbers and dates, for what computes with them."""
    texts, kind = _texts(path, settlements), TOLD_TYPES[path]
    if kind == "date":
        return texts.cast(pa.date32())
    return column_of([text and Decimal(text) for text in texts.to_pylist()]) if kind in {"money", "number"} else texts


class _Read(dict[str, pa.Array]):
    """What the invoices say of each path, read once."""

    def __init__(self, settlements: Settlements, read: Callable[[str, Settlements], pa.Array]) -> None:
        super().__init__()
        self._settlements, self._read = settlements, read

    def __missing__(self, path: str) -> pa.Array:
        found = self[path] = self._read(path, self._settlements)
        return found

    def __call__(self, path: str) -> pa.Array:
        return self[path]


def _fitted(into: FieldInfo, zone: str, value: Value) -> Value:
    return value if isinstance(value, Problem) else fitted(into, value, zone)


def rows(specs: Fields, settlements: Settlements, found: MappingType[str, Sequence[T]]) -> list[dict[str, T]]:
    """Turn columns into a document for each invoice, without the fields that are unknown for it.

    :param found: Salesforce field -> something of each invoice.
    """
    names = tuple(found)
    documents = [dict(zip(names, each, strict=True)) for each in zip(*found.values(), strict=True)]
    if not names:
        documents = [{} for _ in settlements]
    reads = {name: kept for name in names if (kept := NOT_KEPT & paths_of(specs[name]))}
    for each, document in zip(settlements, documents, strict=True) if reads else ():
        for name, kept in reads.items():
            if not kept <= each.keys():
                del document[name]
    return documents


def met(conditions: Sequence[Condition], settlements: Settlements) -> list[bool]:
    """Say of which all conditions hold."""
    read = _Read(settlements, _typed)
    paths = {path for condition in conditions for path in condition.paths}
    frame = pd.DataFrame({path: pd.Series(pd.arrays.ArrowExtensionArray(read(path))) for path in sorted(paths)})
    masks = [condition.holds(frame) for condition in conditions]
    return [all(each) for each in zip(*masks, strict=True)] if masks else [True] * len(settlements)


def told_by_the_invoice(mapping: Mapping) -> set[str]:
    """List the fields that do not depend on payments; none, unless one of them shows what is paid or owed."""
    alone = {name: paths_of(field) for name, field in mapping.fields.items() if not OF_PAYMENTS & paths_of(field)}
    return set(alone) if any(OWED & paths for paths in alone.values()) else set()


def as_told(value: Any) -> str | None:
    """Convert a value that Salesforce holds to the text that would be written back."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal | int):
        return format(Decimal(value).normalize(), "f")
    if isinstance(value, dict | list):  # no field of such a type is written back: it is like nothing that would be
        return canonical(value)
    return value or None


def paths_of(field: Field) -> set[str]:
    """Name what a field reads."""
    return {path for path, _ in field.paths()}
