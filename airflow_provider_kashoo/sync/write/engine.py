"""Execute a plan, intent by intent; each write is journalled before it is sent.

It may be run again at any point: an intent whose record was written meanwhile is stale and is not sent, one whose
outcome is not known is not sent again, one that was turned away is sent again. How a write is sent, and what its answer
means, is up to the writer of each channel: :mod:`.kashoo`, :mod:`.fields`.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from airflow_provider_kashoo.core.errors import Problem, StoppedError
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    WRITES,
    Ask,
    Follow,
    Intent,
    Keep,
    Link,
    Park,
    Release,
    Wait,
)
from airflow_provider_kashoo.core.rules.kept import Columns, columns_of, intents_of
from airflow_provider_kashoo.core.rules.order import in_order
from airflow_provider_kashoo.core.rules.questions import NO_LONGER_BILLABLE, OF_BILLABLE
from airflow_provider_kashoo.store.journal import Done, Sent
from airflow_provider_kashoo.store.waiting import CHANGED_MEANWHILE
from airflow_provider_kashoo.sync.run.pending import Pending, closed_by
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

TRIES = 3
"""How often a run sends a write that the other side turns away for the moment, before it is parked."""

BACKOFF_SECONDS = 2.0
"""The pause before the second try; it doubles."""

PROGRESS = 25
"""Writes between two lines of the log."""


class Writer:
    """What a channel does in its own way; one that links nothing leaves out what belongs to links.

    :cvar most: how many intents it sends together.
    """

    most = 1

    def __init__(self, engine: Engine) -> None:
        self._engine, self._sync = engine, engine.sync

    def begin(self, intents: Sequence[Intent]) -> None:
        """Look up what the intents of a plan need."""

    def mark_read(self, kept: Columns) -> list[int]:
        """Note when unchanged records were read; return the rows of those that changed since the plan."""
        raise NotImplementedError

    def mark_asked(self, asked: Sequence[Ask]) -> None:
        """Note when records that a person is asked about were read."""

    def is_overtaken(self, asked: Ask) -> bool:  # noqa: ARG002
        """Say whether a question is out of date, because a link changed."""
        return False

    def resolved(self, intent: Intent) -> Intent:
        """Give an intent as it would be sent, as far as that is known."""
        return intent

    def link(self, intent: Link) -> str:
        """Link a record that is in the books; give the outcome."""
        raise NotImplementedError

    def follow(self, intent: Follow) -> str:
        """Move a link to another record or sale; give the outcome."""
        raise NotImplementedError

    def send(self, intents: list[Intent]) -> Iterable[str]:
        """Send them; give the outcome of each."""
        raise NotImplementedError


class Engine:
    """Executes the plan of one run.

    :param writer: makes the writer of the channel that the plan is for.
    :param stopping: asked before each intent, and each part of the unchanged records; True ends the step there.
    :param sleep: replaced in tests.
    :param rejection: says why a person does not want an intent to be written; None for those that are.
    """

    def __init__(
        self,
        sync: Sync,
        writer: Callable[[Engine], Writer],
        stopping: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = time.sleep,
        rejection: Callable[[Intent], Problem | None] = lambda _: None,
    ) -> None:
        self.sync, self._stopping, self._sleep, self._rejection = sync, stopping, sleep, rejection
        self.lease = uuid.uuid4().hex
        self.counts: Counter[str] = Counter()
        self._writer = writer(self)
        self._done: set[Done] = set()
        self._overtaken: set[Done] = set()
        self._pending = Pending(set(), {})
        self._wanted: set[tuple[str, str, int]] = set()

    def run(self, intents: Sequence[Intent], kept: Iterable[Columns] = ()) -> dict[str, int]:
        """Execute every intent, in order.

        :param kept: the unchanged records of the plan that are no intents, in parts; see :mod:`~.rules.kept`.
        :returns: outcome -> records.
        :raises BudgetSpent: when the budget needs a longer wait; nothing is lost, run it again after that.
        :raises UnreachableError: when the other side stopped answering.
        :raises ConfigurationError: when the user may not write.
        :raises StoppedError: when it was asked to stop.
        """
        self._prepare(intents)
        more = [each for part in kept for each in self._mark_kept(part)]
        batch: list[Intent] = []
        for intent in in_order([*intents, *more]) if more else intents:
            if self._stopping():
                raise StoppedError
            if intent.action not in WRITES:
                self.counts[self._store(intent)] += 1
            elif intent.write in self._done:
                self.counts["done before"] += 1
            elif rejection := self._rejection(intent):
                self.counts[self._reject(intent, rejection)] += 1
            else:
                batch.append(intent)
            if self._writer.most == 1:  # otherwise all that sends nothing comes first
                self._send(batch)
                batch = []
        for start in range(0, len(batch), self._writer.most):
            if self._stopping():
                raise StoppedError
            self._send(batch[start : start + self._writer.most])
        return {outcome: count for outcome, count in self.counts.items() if count}

    def journal(self, intent: Intent, contact_id: int | None = None) -> Sent:
        """Journal that an intent is about to be sent; see :meth:`.Journal.send`."""
        hashes = self.sync.store.hashes
        return self.sync.store.journal.send(
            intent,
            run_id=self.sync.run.run_id,
            lease=self.lease,
            deadline_seconds=self.sync.settings.send_deadline,
            payload_hash=hashes.of(intent.written),
            fields=hashes.fields(intent.written),
            contact_id=contact_id,
        )

    def pause(self, attempt: int, *, jitter: bool = False) -> None:
        """Wait before the next try of what was turned away.

        :param jitter: up to half as long again, so that two that wait for one row do not come together again.
        """
        longer = 1 + random.random() / 2 if jitter else 1  # noqa: S311
        self._sleep(BACKOFF_SECONDS * 2 ** (attempt - 1) * longer)

    def park(self, intent: Intent, problem: Problem) -> str:
        """Park an intent that cannot be sent, with its cause and fix; give the outcome."""
        kept = self.sync.store.waiting.park_unless_newer(intent, problem, self.sync.run.run_id)
        if kept and problem is not CHANGED_MEANWHILE:  # that one needs nobody
            log.warning("%s: %s parked: %s", intent.record, intent.record.kind, problem.unquoted)
        return "parked" if kept else "stale"

    def stale(self, intent: Intent, problem: Problem = CHANGED_MEANWHILE) -> str:
        """Park an intent that is out of date, so that the next run reads its record whatever its window is."""
        self.park(intent, problem)
        return "stale"

    def close_questions(self, intent: Intent, answered: frozenset[str]) -> None:
        """Close what was asked of a record, unless this plan asks it again."""
        record = intent.record
        if found := self._pending.answered(record, answered):
            self.sync.store.reviews.close(record.kind, record.id, found, record.part)

    def _prepare(self, intents: Sequence[Intent]) -> None:
        """Read from the store what was done before, what is parked, and what was asked."""
        store = self.sync.store
        self._done = store.journal.done_by(self.sync.run.run_id)
        self._pending = Pending.of(store)
        self._wanted = {each.record.numbered for each in intents if each.action in WRITES | {Action.PARK}}
        asked = [each for each in intents if isinstance(each, Ask)]
        self._pending.ask_again(asked)
        self._writer.begin(intents)
        self._mark(columns_of([each for each in intents if isinstance(each, Keep)]))
        self._writer.mark_asked(asked)

    def _mark_kept(self, part: Columns) -> list[Keep]:
        """Mark unchanged records; give those of which there is more to do, and those that are stale, as intents."""
        if self._stopping():
            raise StoppedError
        more = sorted({*self._mark(part), *self._pending.rows_of(part)})
        self.counts[Action.UNCHANGED.value] += part.num_rows - len(more)
        return intents_of(part, more)

    def _mark(self, part: Columns) -> list[int]:
        stale = self._writer.mark_read(part)
        self._overtaken |= {each.write for each in intents_of(part, stale)}
        return stale

    def _send(self, batch: list[Intent]) -> None:
        for outcome in self._writer.send(batch) if batch else ():
            self.counts[outcome] += 1
            if sum(self.counts.values()) % PROGRESS == 0:
                log.info("So far: %s", dict(self.counts))

    def _store(self, intent: Intent) -> str:
        """Execute an intent that sends nothing; give the outcome."""
        match intent:
            case Link():
                return self._writer.link(intent)
            case Follow():
                return self._writer.follow(intent)
            case Park():
                return self.park(intent, intent.problem)
            case Ask():
                return self._ask(intent)
            case Wait():
                self.sync.store.waiting.wait(intent, self.sync.run.run_id)
            case Keep() | Release():
                return self._rest(intent)
        return intent.action.value

    def _reject(self, intent: Intent, rejection: Problem) -> str:
        """Park what a person rejected, and note what just that is: planned again, it is neither written nor asked."""
        payload_hash = self.sync.store.hashes.of(self._writer.resolved(intent).written)
        kept = self.sync.store.waiting.park_unless_newer(intent, rejection, self.sync.run.run_id, payload_hash)
        return "rejected" if kept else "stale"

    def _ask(self, intent: Ask) -> str:
        if self._writer.is_overtaken(intent):
            return "stale"
        self.sync.store.reviews.open(intent, intent.problem, self.sync.run.run_id)
        log.warning("%s: a person is asked about the %s: %s", intent.record, intent.record.kind, intent.unquoted)
        if intent.error_class in OF_BILLABLE:
            self.close_questions(intent, frozenset({NO_LONGER_BILLABLE.error_class}))
        if intent.record.numbered not in self._wanted:
            self._end_waiting(intent)
        return intent.action.value

    def _rest(self, intent: Keep | Release) -> str:
        if intent.write in self._overtaken:
            return "stale"
        self._end_waiting(intent)
        self.close_questions(intent, closed_by(intent))
        return intent.action.value

    def _end_waiting(self, intent: Ask | Keep | Release) -> None:
        if intent.ends_waiting and intent.record.named in self._pending.parked:
            self.sync.store.waiting.close(intent)
