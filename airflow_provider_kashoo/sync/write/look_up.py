"""Look up in the books whether an unanswered write arrived, before anything is sent again.

One listing of a kind serves all its unanswered creates. *Found* needs our reference on exactly one record. *Absent*
needs all of this: the deadline and the settle time have passed, two listings over the journalled date +- 400 days show
neither our reference nor a record without reference that looks the same and was made since, and this business has shown
our reference in a listing before, and dropped it from no record since. Everything else stays *in doubt*, for a person.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import is_dated
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.questions import MARK_MISSING, total_differs
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.run.record_links import links_to
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

Operation = Mapping[str, Any]
REACH = timedelta(days=400)
"""How far the accountant may have moved a date."""

CLOCK_SKEW = 300.0
"""Seconds by which Kashoo's clock may differ from ours."""


def look_up(sync: Sync) -> dict[str, int]:
    """Look up every write that got no answer and is old enough to be looked up.

    :returns: outcome -> operations.
    """
    cutoff = sync.store.now() - sync.settings.settle
    due: dict[str, list[Operation]] = defaultdict(list)
    outcomes: Counter[str] = Counter()
    for operation in sync.store.journal.unsettled(State.SENT, State.IN_DOUBT):
        if Action(operation["action"]).repeatable or operation["deadline"] > cutoff:
            continue
        if operation["action"] in _BY_ID:
            try:
                outcomes[_BY_ID[operation["action"]](sync, operation)] += 1
            except UnreadableError as error:
                of = Record(operation["target"], operation["source_object"], operation["source_id"], operation["part"])
                log.warning("%s: %s%s", of, error.problem.cause, links_to(sync, of, operation["kashoo_id"]))
                outcomes["unreadable"] += 1
        else:
            due[operation["target"]].append(operation)
    for target, operations in due.items():
        outcomes.update(_Creates(sync, target, operations).look_up())
    if outcomes:
        log.info("Looked up writes without an answer: %s", dict(outcomes))
    return dict(outcomes)


def _look_up_update(sync: Sync, operation: Operation) -> str:
    """Take an update as written when the record has the values that were sent; otherwise plan it again."""
    target, ident = operation["target"], operation["kashoo_id"]
    entry = sync.kashoo.read(target, ident)
    sent = operation["fields"] or {}
    if entry is not None:
        read = sync.store.hashes.fields(entry.fields)
        if all(read.get(name) == value for name, value in sent.items()):
            review = total_differs(target, operation["expected_total"], entry.total, operation["currency"])
            return _close(sync, operation, Event.FOUND, "the record has the values that were sent", ident, review)
    return _close(sync, operation, Event.ABSENT, "the record has other values than were sent; it is planned again")


def _look_up_void(sync: Sync, operation: Operation) -> str:
    """Take a void as done when the record is gone, whoever removed it; otherwise it may be voided again."""
    if not sync.kashoo.stands(operation["target"], operation["kashoo_id"]):
        return _close(sync, operation, Event.FOUND, "the record is removed", operation["kashoo_id"])
    return _close(sync, operation, Event.ABSENT, "the record is still there; its deal is planned again")


_BY_ID = {Action.UPDATE: _look_up_update, Action.VOID: _look_up_void}


def reference_of(operation: Operation) -> Reference:
    """Give the mark that an operation's record carries in the books."""
    return Reference(operation["source_id"], operation["part"], operation["generation"])


@dataclass(frozen=True)
class _Listed:
    """What is kept of each listed record, of which there may be very many."""

    references: list[Reference]
    created: float | None
    total: int | None
    contact: int | None
    name: Any

    @classmethod
    def of(cls, entry: Entry) -> _Listed:
        return cls(entry.references, entry.created, entry.total, entry.contact, entry.fields.get("name"))


class _Creates:
    """The unanswered creates of one target, looked up in one listing."""

    def __init__(self, sync: Sync, target: str, operations: list[Operation]) -> None:
        self.sync, self.target, self.operations = sync, target, operations

    def look_up(self) -> Counter[str]:
        rows = self._read()
        if missing := [each for each in self.operations if not self._bearers(each, rows)]:
            # A record that moved between pages during the first listing is found by the second.
            rows |= self._read()
            log.info("%d of %d %ss were not found; listing again", len(missing), len(self.operations), self.target)
        return Counter(self._look_up(each, rows) for each in self.operations)

    def _look_up(self, operation: Operation, rows: dict[int, _Listed]) -> str:
        bearers = self._bearers(operation, rows)
        if len(bearers) == 1:
            review = total_differs(
                self.target, operation["expected_total"], rows[bearers[0]].total, operation["currency"]
            )
            return _close(self.sync, operation, Event.FOUND, "it carries our reference", bearers[0], review)
        if len(bearers) > 1:
            return self._doubt(operation, f"{len(bearers)} records in Kashoo carry its reference")
        if not self.sync.store.has_seen_reference(self.target):
            return self._doubt(
                operation, "Kashoo has never shown our reference in a list, so that it is missing proves nothing"
            )
        if self.sync.store.reviews.sources(self.target, MARK_MISSING):
            return self._doubt(operation, "Kashoo dropped our reference from another record, see mark_missing")
        if self.sync.kashoo.nameless(self.target):
            return self._doubt(operation, "Kashoo lists a record without an id, which may be it")
        if any(self._is_twin(operation, row) for row in rows.values()):
            return self._doubt(operation, "a record without our reference looks like it")
        return _close(self.sync, operation, Event.ABSENT, "two listings do not show it; it is planned again")

    def _doubt(self, operation: Operation, reason: str) -> str:
        if operation["state"] == State.SENT or operation["cause"] != reason:
            return _close(self.sync, operation, Event.SILENCE, reason)
        return State.IN_DOUBT.value

    def _bearers(self, operation: Operation, rows: dict[int, _Listed]) -> list[int]:
        return [ident for ident, row in rows.items() if reference_of(operation) in row.references]

    def _is_twin(self, operation: Operation, row: _Listed) -> bool:
        """Say whether a record may be ours with its reference cleared by hand."""
        if row.references or (row.created or float("inf")) < operation["sent_at"] - CLOCK_SKEW:
            return False
        if is_dated(self.target):
            return bool(row.contact == operation["contact_id"] and row.total == operation["expected_total"])
        return bool(self.sync.store.hashes.of(row.name) == (operation["fields"] or {}).get("name"))

    def _read(self) -> dict[int, _Listed]:
        start, end = None, None
        if is_dated(self.target):
            dates = [date.fromisoformat(each["journal_date"]) for each in self.operations]
            start, end = (min(dates) - REACH).isoformat(), (max(dates) + REACH).isoformat()
        listed = self.sync.kashoo.listing(self.target, start=start, end=end)
        rows = {each.id: _Listed.of(each) for each in listed}
        if any(row.references for row in rows.values()):
            self.sync.store.mark_reference_seen(self.target)
        return rows


def _close(
    sync: Sync,
    operation: Operation,
    event: Event,
    reason: str,
    kashoo_id: int | None = None,
    review: Problem | None = None,
) -> str:
    sync.store.journal.settle(operation, event, reason, kashoo_id, review)
    return event.value
