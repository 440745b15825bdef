"""Step four, towards the books: execute the rows of the plan, each journalled before it is sent.

Running it again is safe at any point: a row whose record was written meanwhile is stale and is left
out, one whose outcome is not known is not sent again, and one that was turned away goes on.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_kashoo.clients.documents import is_gone, is_ours, to_document, to_json
from airflow_provider_kashoo.clients.kashoo import Written
from airflow_provider_kashoo.clients.outcomes import (
    NO_ANSWER,
    NOT_CHANGED,
    NOT_GONE,
    REFUSED_BY_STATUS,
    Outcome,
    WriteFailed,
)
from airflow_provider_kashoo.core.errors import (
    BudgetSpent,
    ConfigurationError,
    Problem,
    StoppedError,
    UnreachableError,
    UnreadableError,
)
from airflow_provider_kashoo.core.mapping.transform import Document
from airflow_provider_kashoo.core.rules.diff import base_hashes, written_base
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.plan import WRITES, Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import (
    CLOSED_BY_SKIPPED,
    CLOSED_BY_UNCHANGED,
    CLOSED_BY_WRITTEN,
    NO_LONGER_BILLABLE,
    OF_BILLABLE,
    TOTAL_DIFFERS,
    total_differs,
)
from airflow_provider_kashoo.core.values.parents import WAITING_FOR_PARENT, parents_of, resolve_parents
from airflow_provider_kashoo.store.journal import Done, LostLease, OpenOperation, Sent, StaleRow
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.waiting import CHANGED_MEANWHILE
from airflow_provider_kashoo.sync.bill.leaving import not_voided
from airflow_provider_kashoo.sync.bill.plan import BOOKS_SEARCHED
from airflow_provider_kashoo.sync.bill.sales import BEING_BILLED
from airflow_provider_kashoo.sync.run.sync import BACKOFF_SECONDS, TRIES, Sync

log = logging.getLogger(__name__)

CHANGED_IN_BOOKS = replace(CHANGED_MEANWHILE, cause="it changed in the books since the plan")

SILENCES = 3
"""After this many unanswered writes in a row the other side is taken to be down."""


class BooksApply:
    """Applies the plan of one run of ``salesforce_to_kashoo``.

    :param stopping: asked before each row; True ends the step there.
    :param sleep: replaced in tests.
    """

    def __init__(
        self, sync: Sync, stopping: Callable[[], bool] = lambda: False, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.sync, self._stopping, self._sleep = sync, stopping, sleep
        self.lease = uuid.uuid4().hex
        self.counts: Counter[str] = Counter()
        self._linked: dict[tuple[str, str], int] = {}
        self._wanted: set[tuple[str, str]] = set()
        self._reviewed: dict[tuple[str, str], set[str]] = {}
        self._done: set[Done] = set()
        self._overtaken: set[Done] = set()
        self._silences = 0

    def run(self) -> dict[str, int]:
        """Execute every row.

        :returns: outcome -> rows.
        :raises BudgetSpent: when the budget needs a longer wait; nothing is lost, run it again then.
        :raises UnreachableError: when Kashoo stopped answering.
        :raises ConfigurationError: when the user may not write.
        :raises StoppedError: when it was asked to stop.
        """
        rows, journal, run_id = self.sync.files.read_plan(), self.sync.store.journal, self.sync.run.run_id
        self._done = journal.done_by(run_id)
        self._remember_links(rows)
        self._remember_reviews(rows)
        self._wanted = {(row.target, row.source_id) for row in rows if row.action in WRITES | {Action.PARK}}
        # A test batch ends no waiting: what it leaves out may have to be written.
        parked = journal.open_records(State.PARKED, State.RETRY) if not self.sync.run.limit else set()
        unheld = self.sync.store.links.saw([row for row in rows if row.action is Action.UNCHANGED])
        self.sync.store.links.saw([row for row in rows if row.action is Action.REVIEW])
        self._overtaken = {row.write for row in unheld if self.sync.store.waiting.park_if_overtaken(row, run_id)}
        for done, row in enumerate(rows, start=1):
            if self._stopping():
                raise StoppedError
            outcome = self._row(row, was_parked=(row.target, row.source_id) in parked)
            self.counts[outcome] += 1
            if row.requests and done % 25 == 0:
                log.info("%d of %d rows: %s", done, len(rows), dict(self.counts))
        if (self.sync.files.read_json(BOOKS_SEARCHED) or {}).get("whole"):
            self.sync.store.mark_books_known()
        return dict(self.counts)

    def _row(self, row: PlanRow, *, was_parked: bool) -> str:
        match row.action:
            case Action.CREATE | Action.UPDATE | Action.VOID:
                return "done before" if row.write in self._done else self._write(row)
            case Action.LINK:
                return self._link(row)
            case Action.FOLLOW:
                return self._follow(row)
            case Action.PARK:
                return self._block(row, row.problem)
            case Action.REVIEW:
                return self._review(row, was_parked=was_parked)
            case _:
                return "stale" if row.write in self._overtaken else self._leave(row, was_parked=was_parked)

    def _review(self, row: PlanRow, *, was_parked: bool) -> str:
        if self.sync.store.waiting.park_if_overtaken(row, self.sync.run.run_id):
            return "stale"
        self.sync.store.reviews.open(row, row.problem, self.sync.run.run_id)
        if row.error_class in OF_BILLABLE:
            self._close_reviews(row, frozenset({NO_LONGER_BILLABLE.error_class}))
        if was_parked and (row.target, row.source_id) not in self._wanted:
            self.sync.store.waiting.release(row)  # it waits for a person now, not for another try
        return "review"

    def _leave(self, row: PlanRow, *, was_parked: bool) -> str:
        if row.action is Action.WAIT:
            self.sync.store.waiting.wait(row, self.sync.run.run_id)
            return row.action.value
        if was_parked:
            self.sync.store.waiting.release(row)
        self._close_reviews(row, CLOSED_BY_UNCHANGED if row.action is Action.UNCHANGED else CLOSED_BY_SKIPPED)
        return row.action.value

    def _write(self, row: PlanRow) -> str:
        document = resolve_parents(row.document, self._linked)
        if _unresolved(document):  # another run may have made the parent since
            self._remember_links([row])
            document = resolve_parents(row.document, self._linked)
        if waiting := _unresolved(document):
            cause = f"its {waiting} is not in the books"
            return self._block(row, Problem(WAITING_FOR_PARENT, cause, f"Settle the {waiting}."))
        row = replace(row, document=document, payload=resolve_parents(row.payload, self._linked))
        try:
            return self._send(row)
        except StaleRow:
            return self._stale(row)
        except OpenOperation:
            if (row.target, row.source_id) not in self.sync.store.journal.open_records():
                self._block(row, BEING_BILLED)
            return "in_doubt"
        except LostLease:
            return "in_doubt"

    def _prepare(self, row: PlanRow) -> Callable[[], Written] | Problem:
        """Make the request of a row, right before it is sent; a problem when the books are not as the plan saw them.

        An update is read whole, changed, and written whole (assumed to be what Kashoo needs); what is to be voided
        is read once more, so that money that came in since the plan keeps it. So does every further try.
        """
        kashoo = self.sync.kashoo
        if row.action is Action.CREATE:
            body = to_json(row.target, row.payload, row.reference, kashoo.profile)
            return lambda: kashoo.create(row.target, body)
        try:
            theirs = kashoo.read(row.target, row.kashoo_id or 0)
        except UnreadableError as error:
            return error.problem
        if theirs is None or self.sync.store.hashes.of(theirs) != row.base:
            return CHANGED_IN_BOOKS
        if row.action is Action.VOID:
            return lambda: kashoo.remove(row.target, row.kashoo_id or 0)
        body = to_json(row.target, row.payload, row.reference, kashoo.profile, base=theirs)
        return lambda: kashoo.update(row.target, row.kashoo_id or 0, body)

    def _send(self, row: PlanRow) -> str:
        call: Callable[[], Written] | Problem = CHANGED_IN_BOOKS

        def prepare() -> None:
            nonlocal call
            call = self._prepare(row)

        for attempt in range(1, TRIES + 1):
            with self.sync.kashoo.ready(prepare, reads=0 if row.action is Action.CREATE else 1):
                if isinstance(call, Problem):
                    return self._stale(row, call) if call is CHANGED_IN_BOOKS else self._block(row, call)
                sent = self._journal(row)
                try:
                    written = call()
                except WriteFailed as failure:
                    if self._not_confirmed(sent, failure, attempt):
                        continue
                    if row.action is Action.VOID and failure.outcome.event is Event.REFUSED:
                        return self._not_voided(sent, failure.outcome.problem)
                    return self._settled_without_answer(failure)
            return self._confirm(sent, written)
        raise AssertionError("the last try always returns")

    def _stale(self, row: PlanRow, problem: Problem = CHANGED_MEANWHILE) -> str:
        """Keep a row that does not hold any more, so that the next run reads its record whatever its window is."""
        self.sync.store.waiting.park(row, problem, self.sync.run.run_id)
        return "stale"

    def _block(self, row: PlanRow, problem: Problem) -> str:
        kept = self.sync.store.waiting.park(row, problem, self.sync.run.run_id)
        return "parked" if kept else "stale"

    def _journal(self, row: PlanRow) -> Sent:
        return self.sync.store.journal.send(
            row,
            run_id=self.sync.run.run_id,
            lease=self.lease,
            deadline_seconds=self.sync.settings.send_deadline,
            payload_hash=self.sync.store.hashes.of(row.payload),
            fields=self.sync.store.hashes.fields(row.payload),
            contact_id=row.document.get("contact"),
        )

    def _not_confirmed(self, sent: Sent, failure: WriteFailed, attempt: int) -> bool:
        """Journal a write that was not confirmed; say whether to send it once more in this run."""
        outcome = failure.outcome
        last = outcome.event is Event.TURNED_AWAY and attempt == TRIES and not outcome.stop
        event = Event.REFUSED if last else outcome.event
        state = self.sync.store.journal.failed(sent, event, outcome.problem)
        log.warning("%s: %s, now %s", sent.row.record, outcome.problem.cause, state.value)
        if outcome.stop:
            error = UnreachableError if outcome.problem.error_class == "unreachable" else ConfigurationError
            raise error(f"{outcome.problem.cause}.", record=sent.row.record, remedy=outcome.problem.fix)
        if event is not Event.TURNED_AWAY:
            return False
        self._sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))
        return True

    def _settled_without_answer(self, failure: WriteFailed) -> str:
        if failure.outcome.event is not Event.SILENCE:
            self._silences = 0
            return "parked"
        self._silences += 1
        if self._silences == SILENCES:
            raise UnreachableError(
                f"Kashoo did not answer {SILENCES} writes in a row.",
                written="Those writes are in doubt; they are looked up before anything is sent again.",
                remedy="The task tries the others again by itself.",
            )
        return "in_doubt"

    def _confirm(self, sent: Sent, written: Written) -> str:
        row = sent.row
        if row.action is Action.VOID:
            self._silences = 0
            return self._confirm_void(sent, known=written.known)
        try:
            entity = self._read_back(row, written)
        except (UnreachableError, BudgetSpent):
            return self._unread(sent, written.id)
        self._silences = 0
        if entity is None or self.sync.store.hashes.of(entity) == row.base:
            problem = NO_ANSWER if entity is None else NOT_CHANGED
            self.sync.store.journal.failed(sent, Event.SILENCE, problem)
            log.warning("%s: %s, it is looked up later", row.record, problem.cause)
            return "in_doubt"
        read = to_document(row.target, entity, self.sync.kashoo.profile)
        change = LinkChange(
            kashoo_id=written.id,
            fields=written_base(row.payload, row.document, read, self.sync.store.hashes),
            currency=row.currency,
            expected_total=row.total,
            journal_date=row.document.get("date"),
        )
        review = total_differs(row.target, row.total, entity.get("totalDue"))
        try:
            self.sync.store.journal.answered(sent, change, row.reason, review)
        except LostLease:
            return self._late(sent, replace(change, fields=base_hashes(row.document, read, self.sync.store.hashes)))
        self._linked[row.target, row.source_id] = written.id
        self._close_reviews(row, CLOSED_BY_WRITTEN if review else CLOSED_BY_WRITTEN | {TOTAL_DIFFERS.error_class})
        log.info("%s: %s %s in Kashoo as %d", row.record, row.target, _PAST[row.action], written.id)
        return _PAST[row.action]

    def _read_back(self, row: PlanRow, written: Written) -> dict[str, Any] | None:
        """Give the record that was written as the books have it now; None when it cannot be the one that was sent.

        An answer that is not surely the record is not believed: what has its id is read.
        """
        kashoo = self.sync.kashoo

        def is_own(found: dict[str, Any] | None) -> bool:
            return is_ours(row.target, found, row.document, row.reference, kashoo.profile)

        entity = written.entity if is_own(written.entity) else kashoo.read(row.target, written.id)
        return None if is_gone(entity) or (row.action is Action.CREATE and not is_own(entity)) else entity

    def _unread(self, sent: Sent, kashoo_id: int) -> str:
        """Leave in doubt what could not be read back; the id that was answered is noted for whoever looks."""
        problem = replace(NO_ANSWER, cause=f"answered as {kashoo_id}, which could not be read back")
        try:
            self.sync.store.journal.failed(sent, Event.SILENCE, problem)
        except LostLease:
            said = self.sync.store.hashes.fields(sent.row.document)  # what it says now is not known: as it was sent
            return self._late(sent, LinkChange(kashoo_id, {name: (value, value) for name, value in said.items()}))
        log.warning("%s: %s", sent.row.record, problem.cause)
        return self._settled_without_answer(WriteFailed(Outcome(Event.SILENCE, problem)))

    def _late(self, sent: Sent, change: LinkChange) -> str:
        late = self.sync.store.journal.late_answer(sent, change)
        log.warning("%s: %s", sent.row.record, late.cause if late else "answered late")
        return "review" if late else "stale"

    def _confirm_void(self, sent: Sent, *, known: bool) -> str:
        """Settle a removal by what can be read afterwards: that it voids an invoice is assumed.

        :param known: False when the books answered that they do not have it.
        """
        journal, row = self.sync.store.journal, sent.row
        try:
            gone = is_gone(self.sync.kashoo.read(row.target, row.kashoo_id or 0))
        except (UnreachableError, BudgetSpent):
            return self._unread(sent, row.kashoo_id or 0)
        try:
            if gone:
                journal.answered(sent, LinkChange(row.kashoo_id or 0, {}), row.reason)
            elif known:
                journal.failed(sent, Event.SILENCE, NOT_GONE)
            else:
                journal.failed(sent, Event.REFUSED, REFUSED_BY_STATUS[404])
        except LostLease:
            journal.late_answer(sent, LinkChange(row.kashoo_id or 0, {}))
            log.warning("%s: its void was answered late", row.record)
            return "stale"
        if not gone:
            return "in_doubt" if known else self._not_voided(sent, REFUSED_BY_STATUS[404])
        log.info("%s: %s %s in Kashoo as %d", row.record, row.target, _PAST[row.action], row.kashoo_id)
        return _PAST[row.action]

    def _not_voided(self, sent: Sent, problem: Problem) -> str:
        """Put an invoice to a person that Kashoo would not remove: it is not tried again while nothing changes."""
        self.sync.store.reviews.open(sent.row, not_voided(sent.row, problem.cause), self.sync.run.run_id)
        self.sync.store.waiting.release(sent.row)
        return "review"

    def _link(self, row: PlanRow) -> str:
        document = resolve_parents(row.document, self._linked)
        change = LinkChange(
            kashoo_id=row.kashoo_id or 0,
            fields=base_hashes(document, row.payload, self.sync.store.hashes),
            currency=row.currency,
            expected_total=row.total,
            journal_date=row.document.get("date"),
        )
        try:
            self.sync.store.journal.linked(row, change, self.sync.run.run_id)
        except StaleRow:
            if self._linked.get((row.target, row.source_id)) == row.kashoo_id:
                return "linked"  # by an earlier try of this run
            return self._stale(row)
        self._linked[row.target, row.source_id] = change.kashoo_id
        self._close_reviews(row, CLOSED_BY_WRITTEN)
        return "linked"

    def _follow(self, row: PlanRow) -> str:
        try:
            self.sync.store.journal.followed(row, self.sync.run.run_id)
        except StaleRow:
            return self._stale(row)
        return "followed"

    def _remember_links(self, rows: list[PlanRow]) -> None:
        wanted: dict[str, set[str]] = {"customer": set(), "item": set()}
        for row in rows:
            for target, ident in parents_of(row.document):
                wanted[target].add(ident)
        for target, ids in wanted.items():
            found = self.sync.store.links.of_sources(target, ids)
            self._linked |= {(target, ident): link.kashoo_id for ident, link in found.items()}

    def _remember_reviews(self, rows: list[PlanRow]) -> None:
        """Note what is open for each record, without what this plan finds again."""
        for item in self.sync.store.reviews.all_open():
            self._reviewed.setdefault((item["target"], item["source_id"]), set()).add(item["error_class"])
        for row in rows:
            if row.action is Action.REVIEW:
                self._reviewed.get((row.target, row.source_id), set()).discard(row.error_class)

    def _close_reviews(self, row: PlanRow, gone: frozenset[str]) -> None:
        if found := gone & self._reviewed.get((row.target, row.source_id), set()):
            self.sync.store.reviews.close(row.target, row.source_id, found)


_PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.VOID: "voided"}


def _unresolved(document: Document) -> str:
    return next((target for target, _ in parents_of(document)), "")
