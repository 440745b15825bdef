"""Write fields of Salesforce, in collections of up to 200 updates by Id.

An update by Id may be repeated, so one without an answer is simply sent again.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow_provider_kashoo.clients.refusals import TRANSIENT, Refused
from airflow_provider_kashoo.clients.salesforce import MAX_COLLECTION
from airflow_provider_kashoo.core.errors import Problem, SyncError, UnreachableError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.values.field_types import as_json
from airflow_provider_kashoo.core.rules.intents import Intent, Tell
from airflow_provider_kashoo.core.rules.kept import Columns
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.rules.questions import STANDS_AGAIN
from airflow_provider_kashoo.core.rules.settlement import OUT_OF_REACH, VOID
from airflow_provider_kashoo.store.journal import LostLease, OpenOperation, Sent, StaleIntent
from airflow_provider_kashoo.sync.run.record_links import links_to
from airflow_provider_kashoo.sync.write.engine import TRIES, Writer

log = logging.getLogger(__name__)

NOT_ANSWERED = Problem("unreachable", "Salesforce did not answer", "Nothing to do: the next run sends it again.")
REFUSED_TOGETHER = Problem(
    "refused_together",
    "Salesforce refused a request with several records, this one among them",
    "Nothing to do: they are sent in smaller parts.",
)
DELETED = frozenset({"entity_is_deleted", "invalid_cross_reference_key", "not_found"})
"""Salesforce's errors for a deleted record. Its invoice was voided for that reason, so nobody need look at it."""


class FieldsWriter(Writer):
    """Writes the intents of one plan to fields of Salesforce."""

    most = MAX_COLLECTION

    def mark_read(self, kept: Columns) -> list[int]:
        """Note what Salesforce has of each invoice, and when the books were read for that."""
        self._sync.store.written_back.note_kept(kept)
        return []

    def send(self, intents: list[Intent]) -> list[str]:
        """Write a collection; send twice more, after pauses, what Salesforce turned away, such as for a row lock."""
        left, outcomes = [each for each in intents if isinstance(each, Tell)], []
        for attempt in range(1, TRIES + 1):
            known, left = self._once(left, last=attempt == TRIES)
            outcomes += known
            if not left:
                break
            self._engine.pause(attempt)
        return outcomes

    def _once(self, intents: list[Tell], *, last: bool) -> tuple[list[str], list[Tell]]:
        """Write a collection once; give the outcomes, and those that are to be sent again."""
        outcomes: list[str] = []
        with self._sync.salesforce.ready():
            sent: list[tuple[Sent, Tell]] = []
            for intent in intents:
                try:
                    sent.append((self._engine.journal(intent), intent))
                except OpenOperation:
                    outcomes.append("in_doubt")
                except StaleIntent:
                    outcomes.append("stale")
            answers = self._answers(sent)
        if answers is None:
            known, again = self._halves([intent for _, intent in sent], last=last)
        else:
            known, again = self._record(sent, answers, last=last)
        return outcomes + known, again

    def _halves(self, intents: list[Tell], *, last: bool) -> tuple[list[str], list[Tell]]:
        """Write what was refused together in two parts, and so on, until the record that is wrong is alone.

        Each part is journalled anew and has a deadline of its own.
        """
        middle = len(intents) // 2
        first, again = self._once(intents[:middle], last=last)
        second, more = self._once(intents[middle:], last=last)
        return first + second, again + more

    def _record(
        self, sent: list[tuple[Sent, Tell]], answers: list[Problem | None], *, last: bool
    ) -> tuple[list[str], list[Tell]]:
        """Journal what Salesforce answered; give the outcomes, and those that are to be sent again."""
        outcomes: list[str] = []
        again: list[Tell] = []
        journal = self._sync.store.journal
        for (operation, intent), problem in zip(sent, answers, strict=True):
            try:
                if problem and problem.error_class.upper() in TRANSIENT and not last:
                    journal.failed(operation, Event.TURNED_AWAY, problem)
                    again.append(intent)
                else:
                    outcomes.append(self._close(operation, intent, problem))
            except LostLease:
                journal.written_back_late(operation)
                links = links_to(self._sync, intent.record)
                log.warning("%s: answered late, it is written again%s", intent.record, links)
                outcomes.append("stale")
        return outcomes, again

    def _answers(self, sent: list[tuple[Sent, Tell]]) -> list[Problem | None] | None:
        """Send; None when Salesforce refused the records together, without saying which of them is wrong."""
        records = [(each.record.kind, {"Id": each.record.id, **self._typed(each)}) for _, each in sent]
        try:
            return self._sync.salesforce.update(records) if records else []
        except SyncError as error:
            if isinstance(error, Refused) and error.is_about_the_content:
                self._turn_away(sent, REFUSED_TOGETHER)
                return None
            answered = not isinstance(error, UnreachableError)
            why = Problem("refused", error.what.removesuffix("."), error.remedy) if answered else NOT_ANSWERED
            self._turn_away(sent, why)
            raise

    def _turn_away(self, sent: list[tuple[Sent, Tell]], problem: Problem) -> None:
        for operation, _ in sent:
            try:
                self._sync.store.journal.failed(operation, Event.TURNED_AWAY, problem)
            except LostLease:  # another process wrote it, perhaps before this write arrived
                self._sync.store.journal.written_back_late(operation)

    def _close(self, operation: Sent, intent: Tell, problem: Problem | None) -> str:
        store = self._sync.store
        if problem is None:
            store.journal.written_back(operation, store.hashes.fields(intent.document), intent.settlement)
            if intent.settlement == VOID:
                store.reviews.close(INVOICE.name, intent.record.id, [STANDS_AGAIN.error_class])
            return "written_back"
        if intent.settlement == VOID and problem.error_class in DELETED:
            store.journal.out_of_reach(operation, problem, OUT_OF_REACH)
            return "skip"
        state = store.journal.failed(operation, Event.REFUSED, problem).value
        log.warning("%s: %s, now %s", intent.record, problem.unquoted, state)
        return state

    def _typed(self, intent: Tell) -> dict[str, Any]:
        """Give each field its JSON type: a plan keeps values as text so that no digit moves."""
        fields = self._sync.salesforce.describe(intent.record.kind).fields
        return {name: as_json(fields[name], value) for name, value in intent.changes.items()}
