"""Write to Kashoo, one record at a time. A write without an answer is never sent again, but looked up later.

See :mod:`.look_up`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.clients.kashoo import Write as Request
from airflow_provider_kashoo.clients.kashoo import Written
from airflow_provider_kashoo.clients.outcomes import (
    NO_ANSWER,
    NOT_CHANGED,
    NOT_GONE,
    REFUSED_BY_STATUS,
    Outcome,
    WriteFailed,
)
from airflow_provider_kashoo.core import kinds
from airflow_provider_kashoo.core.errors import (
    BudgetSpent,
    ConfigurationError,
    Problem,
    UnreachableError,
    UnreadableError,
)
from airflow_provider_kashoo.core.rules.diff import base_hashes, written_base
from airflow_provider_kashoo.core.rules.intents import Ask, Create, Follow, Intent, Keep, Link, Update, Void
from airflow_provider_kashoo.core.rules.kept import Columns, columns_of, intents_of
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.rules.questions import (
    CLOSED_BY_WRITTEN,
    MARK_MISSING,
    TOTAL_DIFFERS,
    mark_missing,
    total_differs,
)
from airflow_provider_kashoo.core.values.ids import KeyedHash
from airflow_provider_kashoo.core.values.parents import (
    WAITING_FOR_PARENT,
    Parent,
    linked_parents,
    parents_of,
    resolve_parents,
)
from airflow_provider_kashoo.store.journal import LostLease, OpenOperation, Sent, StaleIntent
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.sync.bill.leaving import not_voided
from airflow_provider_kashoo.sync.bill.plan import waiting_for
from airflow_provider_kashoo.sync.bill.sales import BEING_BILLED
from airflow_provider_kashoo.sync.read.removed import Removed
from airflow_provider_kashoo.sync.run.record_links import links_to
from airflow_provider_kashoo.sync.write.engine import TRIES, Engine, Writer
from airflow_provider_kashoo.sync.write.paying import CHANGED_IN_BOOKS, with_invoice

log = logging.getLogger(__name__)

REFUSED = "refused"
"""Outcome of a write that Kashoo said no to, before it is known why."""

SILENCES = 3
"""After this many unanswered writes in a row Kashoo is assumed to be down."""

Write = Create | Update | Void

_PAST = {Create: "created", Update: "updated", Void: "voided"}


class KashooWriter(Writer):
    """Writes the intents of one plan to the books."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._linked: dict[Parent, int] = {}
        self._silences = 0
        self._removed = Removed(self._sync)

    def begin(self, intents: Sequence[Intent]) -> None:
        """Look up the links of the parents that documents name."""
        wanted: dict[str, set[str]] = {kind: set() for kind in kinds.PARENTS}
        for each in intents:
            for kind, ident in parents_of(getattr(each, "document", {})):
                wanted[kind].add(ident)
        for kind, ids in wanted.items():
            found = self._sync.store.links.of_sources(kind, ids)
            self._linked |= {(kind, ident): link.kashoo_id for ident, link in found.items()}

    def mark_read(self, kept: Columns) -> list[int]:
        """Note on each link when its record was read."""
        store, run_id = self._sync.store, self._sync.run.run_id
        overtaken = store.readings.mark(kept)
        intents = zip(overtaken, intents_of(kept, overtaken), strict=True)
        return [row for row, intent in intents if store.waiting.park_if_overtaken(intent, run_id)]

    def mark_asked(self, asked: Sequence[Ask]) -> None:
        """Note on each link when its record was read, and not its sources: it is compared with these again."""
        self._sync.store.readings.mark(columns_of([each.become(Keep, sources=None) for each in asked]))

    def is_overtaken(self, asked: Ask) -> bool:
        """Say whether the link changed since the plan; if so, the next run reads the record again."""
        return self._sync.store.waiting.park_if_overtaken(asked, self._sync.run.run_id)

    def link(self, intent: Link) -> str:
        """Link a record that is in the books."""
        document = resolve_parents(intent.document, self._linked)
        change = LinkChange(
            kashoo_id=intent.kashoo_id or 0,
            fields=base_hashes(document, intent.held, self._sync.store.hashes),
            sources=intent.sources,
            observed=intent.observed,
            currency=intent.currency,
            expected_total=intent.total,
            journal_date=intent.held.get("date") or intent.date,  # where the books list it
        )
        try:
            self._sync.store.journal.linked(intent, change, self._sync.run.run_id, alone=intent.alone)
        except StaleIntent:
            if self._linked.get(intent.record.named) == intent.kashoo_id:
                return "linked"  # by an earlier try of this run
            return self._engine.stale(intent)
        self._linked[intent.record.named] = change.kashoo_id
        self._engine.close_questions(intent, CLOSED_BY_WRITTEN)
        return "linked"

    def follow(self, intent: Follow) -> str:
        """Move a link."""
        try:
            self._sync.store.journal.followed(intent, self._sync.run.run_id)
        except StaleIntent:
            return self._engine.stale(intent)
        return "followed"

    def send(self, intents: list[Intent]) -> list[str]:
        """Write one record."""
        return [self._write(intent) for intent in intents if isinstance(intent, Write)]

    def _write(self, intent: Write) -> str:
        resolved = self._resolved(intent)
        if waiting := _unresolved(resolved):  # another run may have made the parent since
            self.begin([intent])
            resolved = self._resolved(intent)
        if waiting := _unresolved(resolved):
            cause, fix = f"Its {waiting} is not in Kashoo", f"Fix the parked {waiting} first."
            return self._engine.park(intent, Problem(WAITING_FOR_PARENT, cause, fix))
        if isinstance(resolved, Create) and not self._parents_hold(resolved):
            return self._engine.stale(resolved)
        try:
            outcome = self._send(resolved)
            return self._refused(resolved) if outcome == REFUSED else outcome
        except StaleIntent:
            return self._engine.stale(resolved)
        except OpenOperation:
            if intent.record.named not in self._sync.store.journal.open_records():
                self._engine.park(resolved, BEING_BILLED)
            return "in_doubt"
        except LostLease:
            return "in_doubt"

    def resolved(self, intent: Intent) -> Intent:
        """Give an intent with the Kashoo ids of its parents, as far as they are known."""
        return self._resolved(intent) if isinstance(intent, Write) else intent

    def _resolved(self, intent: Write) -> Write:
        if isinstance(intent, Void):
            return intent
        intent = replace(intent, document=resolve_parents(intent.document, self._linked))
        if isinstance(intent, Update):
            return replace(intent, changes=resolve_parents(intent.changes, self._linked))
        return intent

    def _prepare(self, intent: Write) -> tuple[Write, Request] | Problem:
        """Make the request of an intent, right before it is sent; a problem when the books changed since the plan.

        An update reads the record, changes it, and writes it whole (assumed to be what Kashoo needs). An invoice to be
        voided or paid is read once more: money may have come in since the plan. Every further try does the same.
        """
        books, kind = self._sync.kashoo, intent.record.kind
        if isinstance(intent, Create):
            complete = with_invoice(self._sync, intent) if kinds.is_payment(kind) else intent
            if isinstance(complete, Problem):
                return complete
            return complete, books.prepare_create(kind, complete.document, complete.reference)
        try:
            entry = books.read(kind, intent.kashoo_id or 0)
        except UnreadableError as error:
            return error.problem
        if entry is None or entry.fingerprint(self._sync.store.hashes) != intent.base:
            return CHANGED_IN_BOOKS
        if isinstance(intent, Void):
            return intent, books.prepare_remove(kind, entry.id)
        try:
            return intent, books.prepare_update(entry, intent.changes, intent.reference)
        except ValueError as error:
            return Problem("too_exact", f"Kashoo's record cannot be sent back: {error}", "Correct it in Kashoo.")

    def _send(self, intent: Write) -> str:
        reads = 0 if isinstance(intent, Create) and not kinds.is_payment(intent.record.kind) else 1
        for attempt in range(1, TRIES + 1):
            with self._sync.kashoo.ready(lambda: self._prepare(intent), reads) as prepared:
                if isinstance(prepared, Problem):
                    keep = self._engine.stale if prepared is CHANGED_IN_BOOKS else self._engine.park
                    return keep(intent, prepared)
                complete, request = prepared
                sent = self._engine.journal(complete, getattr(complete, "document", {}).get("contact"))
                try:
                    written = self._sync.kashoo.send(request)
                except WriteFailed as failure:
                    if self._not_confirmed(sent, failure, attempt):
                        continue
                    if isinstance(intent, Void) and failure.outcome.event is Event.REFUSED:
                        return self._not_voided(intent, failure.outcome.problem)
                    return self._outcome_of(failure)
            if isinstance(complete, Void):
                return self._confirm_void(sent, complete, written)
            return self._confirm(sent, complete, written)
        raise AssertionError("the last try always returns")

    def _not_confirmed(self, sent: Sent, failure: WriteFailed, attempt: int) -> bool:
        """Journal a write that was not confirmed; say whether to send it once more in this run."""
        outcome = failure.outcome
        last = outcome.event is Event.TURNED_AWAY and attempt == TRIES and not outcome.stop
        event = Event.REFUSED if last else outcome.event
        state = self._sync.store.journal.failed(sent, event, outcome.problem)
        if outcome.event is Event.REFUSED:
            self._sync.store.codes.forget()  # perhaps for a code: an account may be gone since the codes were read
        self._warn(sent.intent, f"{outcome.problem.unquoted}, now {state.value}")
        if outcome.stop:
            error = UnreachableError if outcome.problem.error_class == "unreachable" else ConfigurationError
            raise error(f"{outcome.problem.cause}.", record=str(sent.intent.record), remedy=outcome.problem.fix)
        if event is not Event.TURNED_AWAY:
            return False
        self._engine.pause(attempt)
        return True

    def _parents_hold(self, intent: Create) -> bool:
        """Say whether its customer and items are linked still: a person may have relinked one since the plan.

        A payment is for whichever customer its invoice has.
        """
        named = [] if kinds.is_payment(intent.record.kind) else [*linked_parents(intent.document)]
        held = {(kind, each) for kind, ident in named for each in self._sync.store.links.linked_ids(kind, [ident])}
        return held.issuperset(named)

    def _refused(self, intent: Write) -> str:
        """Look whether a write was refused because its customer or an item was removed; if so, ask a person."""
        with suppress(UnreadableError):
            asked = self._removed.ask_of(getattr(intent, "document", {}))
            if asked:
                self._sync.store.reviews.open(asked, asked.problem, self._sync.run.run_id)
                return self._engine.park(intent, waiting_for(asked.record.kind, asked.problem))
            named = self._removed.named_in(intent.record.kind, intent.kashoo_id or 0) if intent.kashoo_id else None
            if named:
                return self._engine.park(intent, named)
        return "parked"

    def _outcome_of(self, failure: WriteFailed) -> str:
        if failure.outcome.event is not Event.SILENCE:
            self._silences = 0
            return REFUSED
        self._silences += 1
        if self._silences == SILENCES:
            raise UnreachableError(
                f"Kashoo did not answer {SILENCES} writes in a row.",
                written="Those writes are in doubt; they are looked up before anything is sent again.",
                remedy="Nothing to do: the task is tried again and goes on with the other records.",
            )
        return "in_doubt"

    def _confirm(self, sent: Sent, intent: Create | Update, written: Written) -> str:
        hashes, record = self._sync.store.hashes, intent.record
        try:
            entry = self._read_back(intent, written)
        except (UnreachableError, BudgetSpent):
            return self._unread(sent, written.id)
        self._silences = 0
        if entry is None or (isinstance(intent, Update) and _is_unchanged(intent, entry, hashes)):
            problem = NO_ANSWER if entry is None else NOT_CHANGED
            self._sync.store.journal.failed(sent, Event.SILENCE, problem)
            self._warn(intent, f"{problem.cause}; it is looked up later", written.id)
            return "in_doubt"
        change = LinkChange(
            kashoo_id=written.id,
            fields=written_base(intent.written, intent.document, entry.fields, hashes),
            sources=intent.sources,
            observed=intent.observed,
            currency=intent.currency,
            expected_total=intent.total,
            journal_date=intent.date,
        )
        asked = _differences(intent, entry)
        try:
            self._sync.store.journal.answered(sent, change, intent.reason, *asked)
        except LostLease:
            return self._late(sent, replace(change, fields=base_hashes(intent.document, entry.fields, hashes)))
        self._linked[record.named] = written.id
        if any(each.error_class == TOTAL_DIFFERS.error_class for each in asked):
            self._sync.store.codes.forget()  # a tax may have another rate since the codes were read
        mended = {TOTAL_DIFFERS.error_class, MARK_MISSING.error_class} - {each.error_class for each in asked}
        self._engine.close_questions(intent, CLOSED_BY_WRITTEN | mended)
        log.info("%s: %s %s in Kashoo as %d", record, record.kind, _PAST[type(intent)], written.id)
        return _PAST[type(intent)]

    def _read_back(self, intent: Create | Update, written: Written) -> Entry | None:
        """Give the record as the books have it now; None when it cannot be the one that was sent.

        If the answer does not show that record with our reference, the record is read by its id.
        """
        entry = written.entry
        if entry is None or intent.reference not in entry.references:
            entry = self._sync.kashoo.read(intent.record.kind, written.id)
        if entry is None or entry.removed:
            return None
        if isinstance(intent, Create) and not entry.is_ours(intent.document, intent.reference):
            return None
        return entry

    def _unread(self, sent: Sent, kashoo_id: int) -> str:
        """Leave a write in doubt that could not be read back, and note the id that Kashoo answered with."""
        problem = replace(NO_ANSWER, cause=f"Kashoo answered with id {kashoo_id}, but that record could not be read")
        try:
            self._sync.store.journal.failed(sent, Event.SILENCE, problem)
        except LostLease:  # its contents are not known: take what was sent
            said = self._sync.store.hashes.fields(getattr(sent.intent, "document", {}))
            return self._late(sent, LinkChange(kashoo_id, {name: (value, value) for name, value in said.items()}))
        self._warn(sent.intent, problem.cause, kashoo_id)
        return self._outcome_of(WriteFailed(Outcome(Event.SILENCE, problem)))

    def _late(self, sent: Sent, change: LinkChange) -> str:
        late = self._sync.store.journal.late_answer(sent, change)
        self._warn(sent.intent, late.cause if late else "answered late", change.kashoo_id)
        return "review" if late else "stale"

    def _confirm_void(self, sent: Sent, intent: Void, written: Written) -> str:
        """Check a void by reading the invoice afterwards: that a removal voids it is assumed."""
        journal, ident = self._sync.store.journal, intent.kashoo_id or 0
        self._silences = 0
        try:
            gone = not self._sync.kashoo.stands(intent.record.kind, ident)
        except (UnreachableError, BudgetSpent):
            return self._unread(sent, ident)
        try:
            if gone:
                journal.answered(sent, LinkChange(ident, {}), intent.reason)
            elif written.known:
                journal.failed(sent, Event.SILENCE, NOT_GONE)
            else:
                journal.failed(sent, Event.REFUSED, REFUSED_BY_STATUS[404])
        except LostLease:
            journal.late_answer(sent, LinkChange(ident, {}))
            self._warn(intent, "its void was answered late")
            return "stale"
        if not gone:
            return "in_doubt" if written.known else self._not_voided(intent, REFUSED_BY_STATUS[404])
        log.info("%s: %s %s in Kashoo as %d", intent.record, intent.record.kind, _PAST[Void], ident)
        return _PAST[Void]

    def _warn(self, intent: Intent, said: str, kashoo_id: int | None = None) -> None:
        links = links_to(self._sync, intent.record, kashoo_id or intent.kashoo_id)
        log.warning("%s: %s%s", intent.record, said, links)

    def _not_voided(self, intent: Void, problem: Problem) -> str:
        """Ask a person about an invoice that Kashoo refused to remove; it is not tried again while nothing changes."""
        self._sync.store.reviews.open(intent, not_voided(intent, problem.cause), self._sync.run.run_id)
        self._sync.store.waiting.close(intent)
        return "review"


def _is_unchanged(intent: Update, entry: Entry, hashes: KeyedHash) -> bool:
    """Say whether an update did nothing, and not just because it changed what the books cut off."""
    return entry.fingerprint(hashes) == intent.base and not entry.shows_start_of(intent.changes)


def _differences(intent: Create | Update, entry: Entry) -> list[Problem]:
    """Say what a person has to look at in a record that was written."""
    total = total_differs(intent.record.kind, intent.total, entry.total, intent.currency)
    mark = mark_missing(intent.reference, entry.references, entry.reference_field)
    return [each for each in (total, mark) if each]


def _unresolved(intent: Write) -> str:
    return next((kind for kind, _ in parents_of(getattr(intent, "document", {}))), "")
