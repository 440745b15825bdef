"""The Salesforce record that an intent, link or operation is about, and its kind in the books."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Record:
    """One record.

    :param kind: its kind in the books (:mod:`~airflow_provider_kashoo.core.kinds`); for a write-back, the Salesforce
        object.
    :param object: the Salesforce object it is read from.
    :param id: 18-character Salesforce id.
    :param part: 1, or the number of the part of a split deal.
    """

    kind: str
    object: str
    id: str
    part: int = 1

    def __str__(self) -> str:
        return f"{self.object} {self.id}" + (f", part {self.part}" if self.part > 1 else "")

    @property
    def named(self) -> tuple[str, str]:
        """Kind and id: the key by which plans and tables look a record up."""
        return self.kind, self.id

    @property
    def numbered(self) -> tuple[str, str, int]:
        """Kind, id and part: the key of one of several invoices of a deal."""
        return self.kind, self.id, self.part
