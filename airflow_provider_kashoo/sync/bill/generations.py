"""Which generation a record's next invoice has: after a void it is another invoice, with another reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from airflow_provider_kashoo.core.rules.plan import PlanRow
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.store.links import Link


class Generations:
    """Generations of each record's invoices: linked and voided by this store, removed, or standing in the books.

    :param ended: links that ended by a void.
    """

    def __init__(self, ended: Iterable[Link]) -> None:
        self._voided: Counter[tuple[str, int]] = Counter()
        self._removed: Counter[tuple[str, int]] = Counter()
        self._standing: Counter[tuple[str, int]] = Counter()
        for link in ended:
            _raise(self._voided, link.source_id, link.part, link.generation)

    def removed(self, references: Iterable[Reference]) -> None:
        """Remember references of removed invoices: a store that is new or was restored may have forgotten them."""
        for each in references:
            _raise(self._removed, each.source_id, each.part, each.generation)

    def stand(self, references: Iterable[Reference]) -> None:
        """Remember that invoices with these references stand in the books."""
        for each in references:
            _raise(self._standing, each.source_id, each.part, each.generation)

    def knows(self, reference: Reference, link: Link | None) -> bool:
        """Say whether an invoice of a record's generation, or of a later one, was linked or voided by this store.

        :param link: the live link of the record.
        """
        voided = self._voided[reference.source_id, reference.part]
        return reference.generation <= max(voided, link.generation if link else 0)

    def next(self, row: PlanRow) -> PlanRow:
        """Set the generation of a new invoice: that of one in the books, else one above the last that ended."""
        record = row.source_id, row.part
        generation = max(self._voided[record] + 1, self._standing[record] or self._removed[record] + 1)
        return replace(row, generation=generation)

    def stands_again(self, row: PlanRow) -> bool:
        """Say whether an invoice stands in the books that carries the reference of one that was voided."""
        return 0 < self._standing[row.source_id, row.part] < row.generation


def _raise(highest: Counter[tuple[str, int]], ident: str, part: int, value: int) -> None:
    highest[ident, part] = max(highest[ident, part], value)
