"""Number the invoices of a record: after a void the next one has the next generation, and another reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Link


class Generations:
    """The generations of each record's invoices: voided by this store, removed from the books, or still there.

    :param ended: references of links that ended by a void.
    """

    def __init__(self, ended: Iterable[Reference]) -> None:
        self._voided: Counter[tuple[str, int]] = Counter()
        self._removed: Counter[tuple[str, int]] = Counter()
        self._standing: Counter[tuple[str, int]] = Counter()
        _raise(self._voided, ended)

    def removed(self, references: Iterable[Reference]) -> None:
        """Note references of removed invoices: a new or restored store may not know them."""
        _raise(self._removed, references)

    def stand(self, references: Iterable[Reference]) -> None:
        """Note references of invoices that are in the books."""
        _raise(self._standing, references)

    def knows(self, reference: Reference, link: Link | None) -> bool:
        """Say whether this store linked or voided the invoice with a reference, or a later one of its record.

        :param link: the live link of the record.
        """
        voided = self._voided[reference.source_id, reference.part]
        return reference.generation <= max(voided, link.generation if link else 0)

    def next(self, record: Record) -> int:
        """Give the generation of the next invoice: that of one in the books, else one above the last that ended."""
        named = record.id, record.part
        return max(self._voided[named] + 1, self._standing[named] or self._removed[named] + 1)

    def stands_again(self, intent: Intent) -> bool:
        """Say whether the books hold an invoice with the reference of one that was voided."""
        return 0 < self._standing[intent.record.id, intent.record.part] < intent.generation


def _raise(highest: Counter[tuple[str, int]], found: Iterable[Reference]) -> None:
    for each in found:
        highest[each.source_id, each.part] = max(highest[each.source_id, each.part], each.generation)
