"""What is open about records: what is parked, and what a person is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.rules.intents import Ask, Keep, Release
from airflow_provider_kashoo.core.rules.kept import Columns, intents_of
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import CLOSED_BY_SKIPPED, CLOSED_BY_UNCHANGED
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.store import SyncStore


@dataclass(frozen=True)
class Pending:
    """What is open at one moment.

    :param parked: (kind, source id) of parked records.
    :param asked: (kind, source id, part) -> error classes of the open questions.
    """

    parked: set[tuple[str, str]]
    asked: dict[tuple[str, str, int], set[str]]

    @classmethod
    def of(cls, store: SyncStore) -> Pending:
        """Read it from the store."""
        asked: dict[tuple[str, str, int], set[str]] = {}
        for item in store.reviews.all_open():
            asked.setdefault((item["target"], item["source_id"], item["part"]), set()).add(item["error_class"])
        return cls(store.journal.open_records(State.PARKED, State.RETRY), asked)

    def ask_again(self, questions: Iterable[Ask]) -> None:
        """Leave open what a plan asks again."""
        for each in questions:
            self.asked.get(each.record.numbered, set()).discard(each.error_class)

    def answered(self, record: Record, answers: frozenset[str]) -> frozenset[str]:
        """List the open questions of a record that are among these error classes."""
        return answers & self.asked.get(record.numbered, set())

    def is_closed_by(self, intent: Keep | Release) -> bool:
        """Say whether there is something that an intent closes."""
        return intent.record.named in self.parked or bool(self.answered(intent.record, closed_by(intent)))

    def let_go(self, kind: str) -> set[str]:
        """List the source ids of one kind of which something ends when they are skipped."""
        asked = {(each, ident) for (each, ident, _), classes in self.asked.items() if classes & CLOSED_BY_SKIPPED}
        return {ident for each, ident in self.parked | asked if each == kind}

    def rows_of(self, kept: Columns) -> list[int]:
        """List the rows of unchanged records that close something."""
        if not kept.num_rows:  # before version 26, Arrow stumbles over a column without a part
            return []
        ids = pa.array({named[1] for named in (*self.parked, *self.asked)}, pa.string())
        rows = pc.indices_nonzero(pc.is_in(kept["id"], value_set=ids)).to_pylist()
        intents = intents_of(kept, rows)
        return [row for row, intent in zip(rows, intents, strict=True) if self.is_closed_by(intent)]


def closed_by(intent: Keep | Release) -> frozenset[str]:
    """Name the questions that a record at rest answers."""
    return CLOSED_BY_UNCHANGED if isinstance(intent, Keep) else CLOSED_BY_SKIPPED
