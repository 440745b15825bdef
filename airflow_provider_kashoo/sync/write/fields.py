"""Write to records of Salesforce, in collections of up to 200: updates by Id, and records of our own by external id.

Both may be repeated, so one without an answer is simply sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import Any, TypeAlias

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.describe import written_fields
from airflow_provider_kashoo.clients.refusals import TRANSIENT, Refused
from airflow_provider_kashoo.clients.salesforce_writes import MAX_COLLECTION, Written, upsert
from airflow_provider_kashoo.clients.transport import NoAnswer
from airflow_provider_kashoo.core.errors import Problem, SyncError, UnreachableError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.values.field_types import as_json
from airflow_provider_kashoo.core.rules.intents import Intent, Tell, Upsert
from airflow_provider_kashoo.core.rules.kept import Columns
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.rules.questions import STANDS_AGAIN
from airflow_provider_kashoo.core.rules.settlement import OUT_OF_REACH, VOID
from airflow_provider_kashoo.reports.invoice_pdf.document import NoPdf
from airflow_provider_kashoo.store.journal import LostLease, OpenOperation, Sent, StaleIntent
from airflow_provider_kashoo.sync.run.record_links import links_to
from airflow_provider_kashoo.sync.tell.follow_ups import CASE, COMMENT, FILE, PARENT, case_of
from airflow_provider_kashoo.sync.write.engine import TRIES, Writer
from airflow_provider_kashoo.sync.write.looked_up import commented
from airflow_provider_kashoo.sync.write.printed import NotSetUp, Printer

log = logging.getLogger(__name__)

NOT_ANSWERED = Problem("unreachable", "Salesforce did not answer", "Nothing to do: the next run sends it again.")
REFUSED_TOGETHER = Problem(
    "refused_together",
    "Salesforce refused a request with several records, this one among them",
    "Nothing to do: they are sent in smaller parts.",
)
Write: TypeAlias = Tell | Upsert
Answer: TypeAlias = Problem | Written | None
"""Why a record was not written; or that it was, with its id if that was not known."""

NOT_SET_UP = Problem("pdf_not_set_up", "{what}", "{fix} The next run attaches it.")

LOOKED_UP = frozenset({COMMENT, FILE})
"""What Salesforce finds by no external id."""

DELETED = frozenset({"entity_is_deleted", "invalid_cross_reference_key", "not_found"})
"""Salesforce's errors for a deleted record. Its invoice was voided for that reason, so nobody need look at it."""


class FieldsWriter(Writer):
    """Writes the intents of one plan to fields of Salesforce."""

    most = MAX_COLLECTION

    @cached_property
    def _printer(self) -> Printer:
        return Printer(self._sync)

    def mark_read(self, kept: Columns) -> list[int]:
        """Note what Salesforce has of each invoice, and when the books were read for that."""
        self._sync.store.written_back.note_kept(kept)
        return []

    def send(self, intents: list[Intent]) -> list[str]:
        """Write intents; those that go the same way are sent together, in their order."""
        writes = (each for each in intents if isinstance(each, Tell | Upsert))
        outcomes = list[str]()
        for (kind, _), some in groupby(writes, _way):
            if kind in LOOKED_UP:
                outcomes += [self._sent_once(each) for each in some if isinstance(each, Upsert)]
            else:
                outcomes += self._collection(some)
        return outcomes

    def _sent_once(self, intent: Upsert) -> str:
        """Look for what may be there already, and make it if it is not; without an answer it is looked for again."""
        try:
            if intent.record.kind == FILE:
                make = self._printer.attached(intent)
            elif self._sync.store.own_records.is_newer(CASE, case_of(intent), intent.source_read):
                return self._engine.stale(intent)  # its Case was written, and perhaps closed, since
            else:
                make = commented(intent)
        except NoPdf as error:
            return self._engine.park(intent, error.problem)
        except NotSetUp as error:
            return self._engine.park(intent, NOT_SET_UP.of(what=error.what.rstrip("."), fix=error.remedy))
        with self._sync.salesforce.ready():
            try:
                operation = self._engine.journal(intent)
            except OpenOperation:
                return "in_doubt"
            except StaleIntent:
                return "stale"
            try:
                answer = make(self._sync.salesforce)
            except NoAnswer:
                raise  # it stays sent until its deadline
            except SyncError as error:
                self._turn_away([(operation, intent)], _not_written(error))
                raise
        (outcome,), _ = self._record([(operation, intent)], [answer], last=True)
        return outcome

    def _collection(self, writes: Iterable[Write]) -> list[str]:
        """Write a collection; send twice more, after pauses, what Salesforce turned away, such as for a row lock."""
        left, outcomes = list(writes), list[str]()
        for attempt in range(1, TRIES + 1):
            known, left = self._once(left, last=attempt == TRIES)
            outcomes += known
            if not left:
                break
            self._engine.pause(attempt, jitter=True)
        return outcomes

    def _once(self, intents: list[Write], *, last: bool) -> tuple[list[str], list[Write]]:
        """Write a collection once; give the outcomes, and those that are to be sent again."""
        outcomes: list[str] = []
        with self._sync.salesforce.ready():
            sent: list[tuple[Sent, Write]] = []
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

    def _halves(self, intents: list[Write], *, last: bool) -> tuple[list[str], list[Write]]:
        """Write what was refused together in two parts, and so on, until the record that is wrong is alone.

        Each part is journalled anew and has a deadline of its own.
        """
        middle = len(intents) // 2
        first, again = self._once(intents[:middle], last=last)
        second, more = self._once(intents[middle:], last=last)
        return first + second, again + more

    def _record(
        self, sent: list[tuple[Sent, Write]], answers: list[Answer], *, last: bool
    ) -> tuple[list[str], list[Write]]:
        """Journal what Salesforce answered; give the outcomes, and those that are to be sent again."""
        outcomes: list[str] = []
        again: list[Write] = []
        journal = self._sync.store.journal
        for (operation, intent), answer in zip(sent, answers, strict=True):
            problem = answer if isinstance(answer, Problem) else None
            try:
                if problem and problem.error_class.upper() in TRANSIENT and not last:
                    journal.failed(operation, Event.TURNED_AWAY, problem)
                    again.append(intent)
                else:
                    outcomes.append(self._close(operation, intent, answer))
            except LostLease:
                journal.written_back_late(operation)
                links = links_to(self._sync, intent.record)
                log.warning("%s: answered late, it is written again%s", intent.record, links)
                outcomes.append("stale")
        return outcomes, again

    def _answers(self, sent: list[tuple[Sent, Write]]) -> list[Answer] | None:
        """Send; None when Salesforce refused the records together, without saying which of them is wrong."""
        writes = [intent for _, intent in sent]
        if not writes:
            return []
        client, (kind, match) = self._sync.salesforce, _way(writes[0])
        try:
            if match:
                named = [{match: each.external_id, **self._typed(each)} for each in writes if isinstance(each, Upsert)]
                assign = self._sync.mappings[writes[0].mapping].auto_assign
                return list[Answer](upsert(client, kind, match, named, assign=assign))
            known = [(each.record.kind, {"Id": _id_of(each), **self._typed(each)}) for each in writes]
            return list[Answer](client.update(known))
        except SyncError as error:
            if isinstance(error, Refused) and error.is_about_the_content:
                self._turn_away(sent, REFUSED_TOGETHER)
                return None
            self._turn_away(sent, _not_written(error))
            raise

    def _turn_away(self, sent: list[tuple[Sent, Write]], problem: Problem) -> None:
        for operation, _ in sent:
            try:
                self._sync.store.journal.failed(operation, Event.TURNED_AWAY, problem)
            except LostLease:  # another process wrote it, perhaps before this write arrived
                self._sync.store.journal.written_back_late(operation)

    def _close(self, operation: Sent, intent: Write, answer: Answer) -> str:
        store = self._sync.store
        if not isinstance(answer, Problem):
            if isinstance(intent, Upsert) and answer:
                operation = replace(operation, intent=replace(intent, salesforce_id=answer.id))
            store.journal.written_back(operation, store.hashes.fields(intent.document), intent.settlement)
            if isinstance(intent, Tell) and intent.settlement == VOID:
                store.reviews.close(INVOICE.name, intent.record.id, [STANDS_AGAIN.error_class])
            return "written_back"
        if answer.error_class in DELETED and self._is_gone(intent):
            store.journal.out_of_reach(operation, answer, OUT_OF_REACH)
            return "skip"
        state = store.journal.failed(operation, Event.REFUSED, answer).value
        log.warning("%s, %s: %s, now %s", intent.record, intent.record.kind, answer.unquoted, state)
        return state

    def _is_gone(self, intent: Write) -> bool:
        """Say whether a person deleted the record, and nobody need look at it; Salesforce's error may be of another."""
        if isinstance(intent, Tell):
            return intent.settlement == VOID
        kind, ident = intent.record.kind, intent.salesforce_id
        if kind == COMMENT:
            kind, ident = CASE, str(intent.document[PARENT])
        return bool(ident) and not list(self._sync.salesforce.query(next(soql.by_ids(kind, ["Id"], [ident]))))

    def _typed(self, intent: Write) -> dict[str, Any]:
        """Give each field its JSON type: a plan keeps values as text so that no digit moves."""
        fields = written_fields(self._sync.salesforce, intent.record.kind, intent.changes)
        typed: dict[str, Any] = {}
        for name, value in intent.changes.items():
            relationship, _, field = name.partition(".")
            given = as_json(fields[name], value)
            typed[relationship] = given if not field else given and {field: given}
        return typed


def _not_written(error: SyncError) -> Problem:
    answered = not isinstance(error, UnreachableError)
    return Problem("refused", error.what.removesuffix("."), error.remedy) if answered else NOT_ANSWERED


def _way(intent: Write) -> tuple[str, str]:
    """Name what is written together: of updates by Id any objects, of records of our own those of one object."""
    kind = intent.record.kind
    if isinstance(intent, Upsert) and (kind in LOOKED_UP or (intent.match and not intent.salesforce_id)):
        return kind, intent.match
    return "", ""


def _id_of(intent: Write) -> str:
    return intent.salesforce_id if isinstance(intent, Upsert) and intent.salesforce_id else intent.record.id
