"""When the invoice of a deal that must no longer be billed may be voided without asking a person.

Only while it was never paid and is still as we wrote it. In all other cases a person is asked, with the
reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_kashoo.core.rules.diff import BaseHashes
from airflow_provider_kashoo.core.rules.settlement import OPEN, Invoice
from airflow_provider_kashoo.core.values.ids import KeyedHash

UNTOUCHED = frozenset({None, OPEN})
"""Settlements without any payment so far. The balance is not enough: after a refund it is the whole total again."""


def why_it_stays(
    invoice: Invoice | None,
    document: Mapping[str, Any],
    base: BaseHashes,
    hashes: KeyedHash,
    *,
    expected_total: int | None,
    settlement: str | None,
) -> str:
    """Return why an invoice must not be voided; empty when it may be.

    :param invoice: as the books hold it now; None when they do not show what is owed.
    :param document: the same, as a mapping's fields.
    :param base: field -> hashes of what we wrote last, as sent and as read back.
    :param expected_total: its total when it was written, minor units.
    :param settlement: the status last seen, see :mod:`.settlement`.
    """
    if invoice is None:
        return "Kashoo does not show what is owed"
    if invoice.paid or settlement not in UNTOUCHED:
        return "a payment was received"
    if not base:
        return "the sync store does not know what was written"
    now = hashes.fields(document)
    empty = hashes.of(None)
    if edited := sorted(name for name, (_, read) in base.items() if now.get(name, empty) != read):
        return f"{', '.join(edited)} changed in Kashoo"
    if expected_total is not None and invoice.total != expected_total:
        return "its total differs from the expected one"
    return ""
