"""After silence or a crash: was it written? Looked up in the books before anything is sent again.

One sweep of a target resolves all of its unanswered creates. *Found* needs our reference on exactly one
record. *Absent* needs all of this: the deadline and the settle time have passed, two sweeps over the
journalled date +- 400 days show neither our reference nor an unreferenced twin made since, and this
business has shown our reference in a listing before. Everything else stays *in doubt*, for a person.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from airflow_provider_kashoo.clients.documents import is_gone, to_document
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.plan import Action
from airflow_provider_kashoo.core.rules.questions import total_differs
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

Operation = Mapping[str, Any]
REACH = timedelta(days=400)
"""How far the accountant may have moved a date since."""

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
        if operation["action"] == Action.WRITE_BACK or operation["deadline"] > cutoff:
            continue
        if operation["action"] in _BY_ID:
            try:
                outcomes[_BY_ID[operation["action"]](sync, operation)] += 1
            except UnreadableError as error:
                log.warning("%s", error)
                outcomes["unreadable"] += 1
        else:
            due[operation["target"]].append(operation)
    for target, operations in due.items():
        outcomes.update(_Creates(sync, target, operations).settle())
    if outcomes:
        log.info("Looked up what was sent without an answer: %s", dict(outcomes))
    return dict(outcomes)


def _look_up_update(sync: Sync, operation: Operation) -> str:
    """Take an update for found when the record now says what was sent; otherwise it is planned afresh."""
    target, ident = operation["target"], operation["kashoo_id"]
    entity = sync.kashoo.read(target, ident)
    sent = operation["fields"] or {}
    if entity is not None:
        read = sync.store.hashes.fields(to_document(target, entity, sync.kashoo.profile))
        if all(read.get(name) == value for name, value in sent.items()):
            review = total_differs(target, operation["expected_total"], entity.get("totalDue"))
            return _book(sync, operation, Event.FOUND, "the record says what was sent", ident, review)
    return _book(sync, operation, Event.ABSENT, "the record does not say what was sent; it is planned afresh")


def _look_up_void(sync: Sync, operation: Operation) -> str:
    """Take a void for done when the record is gone, whoever removed it; one that stands may be voided again."""
    if is_gone(sync.kashoo.read(operation["target"], operation["kashoo_id"])):
        return _book(sync, operation, Event.FOUND, "the record is removed", operation["kashoo_id"])
    return _book(sync, operation, Event.ABSENT, "the record still stands; its deal is planned afresh")


_BY_ID = {Action.UPDATE: _look_up_update, Action.VOID: _look_up_void}


def reference_of(operation: Operation) -> Reference:
    """Give the mark that an operation's record carries in the books."""
    return Reference(operation["source_id"], operation["part"], operation["generation"])


class _Creates:
    """The unanswered creates of one target, looked up in one listing."""

    def __init__(self, sync: Sync, target: str, operations: list[Operation]) -> None:
        self.sync, self.target, self.operations = sync, target, operations

    def settle(self) -> Counter[str]:
        rows = self._read()
        if missing := [each for each in self.operations if not self._bearers(each, rows)]:
            # What moved over an edge during the first sweep stands still in the second, or is in doubt.
            rows |= self._read()
            log.info("%d of %d %ss not found at first, read again", len(missing), len(self.operations), self.target)
        return Counter(self._settle(each, rows) for each in self.operations)

    def _settle(self, operation: Operation, rows: dict[int, dict[str, Any]]) -> str:
        bearers = self._bearers(operation, rows)
        if len(bearers) == 1:
            review = total_differs(self.target, operation["expected_total"], rows[bearers[0]]["totalDue"])
            return _book(self.sync, operation, Event.FOUND, "our reference stands on it", bearers[0], review)
        if len(bearers) > 1:
            return self._doubt(operation, f"{len(bearers)} records carry its reference")
        if not self.sync.store.has_seen_reference(self.target):
            return self._doubt(operation, "this business has never shown a reference of ours")
        if any(self._is_twin(operation, row) for row in rows.values()):
            return self._doubt(operation, "a record without reference looks like it")
        return _book(self.sync, operation, Event.ABSENT, "two sweeps do not show it; it is planned afresh")

    def _doubt(self, operation: Operation, reason: str) -> str:
        if operation["state"] == State.SENT or operation["cause"] != reason:
            return _book(self.sync, operation, Event.SILENCE, reason)
        return State.IN_DOUBT.value

    def _bearers(self, operation: Operation, rows: dict[int, dict[str, Any]]) -> list[int]:
        return [ident for ident, row in rows.items() if reference_of(operation) in row["references"]]

    def _is_twin(self, operation: Operation, row: dict[str, Any]) -> bool:
        """Say whether a record may be ours with its reference cleared by hand."""
        if row["references"] or (row["creation"] or float("inf")) < (operation["sent_at"] - CLOCK_SKEW) * 1000:
            return False
        if self.target == "invoice":
            return bool(row["contact"] == operation["contact_id"] and row["totalDue"] == operation["expected_total"])
        return bool(self.sync.store.hashes.of(row.get("name")) == (operation["fields"] or {}).get("name"))

    def _read(self) -> dict[int, dict[str, Any]]:
        start, end = None, None
        if self.target == "invoice":
            dates = [date.fromisoformat(each["journal_date"]) for each in self.operations]
            start, end = (min(dates) - REACH).isoformat(), (max(dates) + REACH).isoformat()
        rows = {}
        for row in self.sync.kashoo.listing(self.target, start=start, end=end):
            document = to_document(self.target, row, self.sync.kashoo.profile)
            kept = {name: row.get(name) for name in ("creation", "totalDue", "contact")}
            rows[row["id"]] = {**kept, "name": document.get("name"), "references": document["references"]}
        if any(row["references"] for row in rows.values()):
            self.sync.store.saw_reference(self.target)
        return rows


def _book(
    sync: Sync,
    operation: Operation,
    event: Event,
    reason: str,
    kashoo_id: int | None = None,
    review: Problem | None = None,
) -> str:
    sync.store.journal.settle(operation, event, reason, kashoo_id, review)
    return event.value
