"""Step four, towards Salesforce: collections of up to 200 updates by Id, each journalled before it is sent.

An update by Id may be repeated: one without an answer is sent again, where a create would be looked up.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.clients.refusals import TRANSIENT
from airflow_provider_kashoo.clients.salesforce import MAX_COLLECTION
from airflow_provider_kashoo.core.errors import Problem, StoppedError, SyncError
from airflow_provider_kashoo.core.mapping.write_back import NUMBER_FIELDS
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import STANDS_AGAIN
from airflow_provider_kashoo.core.rules.settlement import VOID
from airflow_provider_kashoo.store.journal import LostLease, OpenOperation, Sent, StaleRow
from airflow_provider_kashoo.sync.run.sync import BACKOFF_SECONDS, TRIES, Sync
from airflow_provider_kashoo.sync.tell.plan import OUT_OF_REACH
from airflow_provider_kashoo.sync.write.close_questions import close_questions

log = logging.getLogger(__name__)

NOT_ANSWERED = Problem("unreachable", "Salesforce did not answer", "Nothing: it is sent again by itself.")
DELETED = frozenset({"entity_is_deleted", "invalid_cross_reference_key", "not_found"})
"""What Salesforce says of a record that is not there: its invoice was voided because of that, and nobody is to look."""


class WriteBackApply:
    """Applies the plan of one run of ``kashoo_to_salesforce``.

    :param stopping: asked before each collection; True ends the step there.
    :param sleep: replaced in tests.
    """

    def __init__(
        self, sync: Sync, stopping: Callable[[], bool] = lambda: False, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.sync, self._stopping, self._sleep = sync, stopping, sleep
        self.lease = uuid.uuid4().hex
        self.counts: Counter[str] = Counter()

    def run(self) -> dict[str, int]:
        """Execute every row.

        :returns: outcome -> rows.
        :raises UnreachableError: when Salesforce stopped answering; run it again then.
        """
        journal, waiting, run_id = self.sync.store.journal, self.sync.store.waiting, self.sync.run.run_id
        done = journal.done_by(run_id)
        parked = journal.open_records(State.PARKED, State.RETRY)
        batch: list[PlanRow] = []
        rows = self.sync.files.read_plan()
        unchanged = [row for row in rows if row.action is Action.UNCHANGED]
        self.sync.store.links.told((row, self.sync.store.hashes.fields(row.document)) for row in unchanged)
        for row in rows:
            if row.action is Action.WRITE_BACK and row.write in done:
                self.counts["done before"] += 1
            elif row.action is Action.WRITE_BACK:
                batch.append(row)
            elif row.action is Action.PARK:
                waiting.park(row, row.problem, run_id)
            elif row.action is Action.UNCHANGED and (row.target, row.source_id) in parked:
                waiting.release(row)  # what was refused is not to be told any more
            elif row.action is Action.REVIEW:
                self.sync.store.reviews.open(row, row.problem, run_id)
            self.counts[row.action.value] += row.action is not Action.WRITE_BACK
        for start in range(0, len(batch), MAX_COLLECTION):
            if self._stopping():
                raise StoppedError
            self._send(batch[start : start + MAX_COLLECTION])
        close_questions(self.sync)
        return {outcome: count for outcome, count in self.counts.items() if count}

    def _send(self, rows: list[PlanRow]) -> None:
        """Send a collection; what was turned away for a moment, such as by a row lock, twice more after a pause."""
        for attempt in range(1, TRIES + 1):
            rows = self._once(rows, last=attempt == TRIES)
            if not rows:
                return
            self._sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))

    def _once(self, rows: list[PlanRow], *, last: bool) -> list[PlanRow]:
        with self.sync.salesforce.ready():
            sent = [operation for row in rows if (operation := self._journal(row))]
            records = [(each.row.target, {"Id": each.row.source_id, **self._typed(each.row)}) for each in sent]
            try:
                answers = self.sync.salesforce.update(records) if records else []
            except SyncError:
                for each in sent:
                    try:
                        self.sync.store.journal.failed(each, Event.TURNED_AWAY, NOT_ANSWERED)
                    except LostLease:  # whoever took it over told it, perhaps before Salesforce took this one
                        self.sync.store.journal.written_back_late(each)
                raise
        again = []
        for each, problem in zip(sent, answers, strict=True):
            try:
                if problem and problem.error_class.upper() in TRANSIENT and not last:
                    self.sync.store.journal.failed(each, Event.TURNED_AWAY, problem)
                    again.append(each.row)
                else:
                    self._settle(each, problem)
            except LostLease:
                self.sync.store.journal.written_back_late(each)
                log.warning("%s: answered late, it is told anew", each.row.record)
                self.counts["stale"] += 1
        return again

    def _settle(self, sent: Sent, problem: Problem | None) -> None:
        if problem is None:
            told = self.sync.store.hashes.fields(sent.row.document)
            self.sync.store.journal.written_back(sent, told, sent.row.settlement)
            if sent.row.settlement == VOID:
                self.sync.store.reviews.close("invoice", sent.row.source_id, [STANDS_AGAIN.error_class])
            self.counts["written_back"] += 1
            return
        if sent.row.settlement == VOID and problem.error_class in DELETED:
            self.sync.store.journal.out_of_reach(sent, problem, OUT_OF_REACH)
            self.counts["skip"] += 1
            return
        self.counts[self.sync.store.journal.failed(sent, Event.REFUSED, problem).value] += 1

    def _journal(self, row: PlanRow) -> Sent | None:
        try:
            return self.sync.store.journal.send(
                row,
                run_id=self.sync.run.run_id,
                lease=self.lease,
                deadline_seconds=self.sync.settings.send_deadline,
                payload_hash=self.sync.store.hashes.of(row.payload),
                fields=self.sync.store.hashes.fields(row.payload),
            )
        except OpenOperation:
            self.counts["in_doubt"] += 1
            return None
        except StaleRow:
            self.counts["stale"] += 1
            return None

    def _typed(self, row: PlanRow) -> dict[str, Any]:
        """Give numbers to number fields: a plan keeps amounts as text so that no digit moves."""
        fields = self.sync.salesforce.describe(row.target).fields
        return {
            name: Decimal(value) if value is not None and fields[name].type in NUMBER_FIELDS else value
            for name, value in row.payload.items()
        }
