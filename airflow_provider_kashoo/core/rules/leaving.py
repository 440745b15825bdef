"""When the invoice of a deal that is no longer to be billed may be voided without a person.

Only while nobody would miss it: no money touched it, and it still says what we wrote. Everything else
is for a person, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_kashoo.core.rules.diff import BaseHashes
from airflow_provider_kashoo.core.rules.settlement import OPEN
from airflow_provider_kashoo.core.values.ids import KeyedHash

UNTOUCHED = frozenset({None, OPEN})
"""Settlements under which no payment was ever seen: one that came and was refunded leaves the balance whole."""


def why_it_stays(
    invoice: Mapping[str, Any],
    document: Mapping[str, Any],
    base: BaseHashes,
    hashes: KeyedHash,
    *,
    expected_total: int | None,
    settlement: str | None,
) -> str:
    """Say why an invoice must not be voided; empty when it may be.

    :param invoice: as the books give it now, amounts in minor units.
    :param document: the same, in the words of a mapping.
    :param base: field -> hashes as sent and as read back, of what we wrote last.
    :param expected_total: what it came to when it was written, minor units.
    :param settlement: the status last seen, see :mod:`.settlement`.
    """
    total, balance = invoice.get("totalDue"), invoice.get("balanceDue")
    if total is None or balance is None:
        return "the books do not say what is owed"
    if balance != total or settlement not in UNTOUCHED:
        return "money came in for it"
    if not base:
        return "this store does not know what was written"
    now = hashes.fields(document)
    empty = hashes.of(None)
    if edited := sorted(name for name, (_, read) in base.items() if now.get(name, empty) != read):
        return f"{', '.join(edited)} changed in Kashoo"
    if expected_total is not None and total != expected_total:
        return "its total is not the one that was expected"
    return ""
