"""Tell people what is new, each channel by itself: one that cannot be reached keeps none of the others waiting."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.sdk import BaseNotifier, conf

from airflow_provider_kashoo.core.errors import SyncError, UnreachableError
from airflow_provider_kashoo.core.rules.alerts import News, news, told_after
from airflow_provider_kashoo.core.values.ids import KeyedHash
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.reports.digest import Billed, Digest
from airflow_provider_kashoo.reports.page import digest_page
from airflow_provider_kashoo.runtime.channels import Channel, channels_of
from airflow_provider_kashoo.runtime.open_run import open_sync
from airflow_provider_kashoo.settings import empty_runs, late_after_hours, open_database, staging_root, tells
from airflow_provider_kashoo.store import alerts, figures
from airflow_provider_kashoo.store.alerts import Alerts, Taken
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.figures import Pair
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.store import keyed_hash
from airflow_provider_kashoo.sync.notify.billed import billed_between
from airflow_provider_kashoo.sync.notify.compose import Composer, Namer
from airflow_provider_kashoo.sync.notify.troubles import Found, Limits, troubles_of
from airflow_provider_kashoo.sync.read.names import Named, names_of
from airflow_provider_kashoo.sync.run.staging import WORKED_ON, Staging
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

log = logging.getLogger(__name__)

SENT, FAILED, NOTHING_NEW, TAKEN = "sent", "failed", "nothing_new", "being_sent"
"""How it went with a channel."""

RunFailed = Callable[[str, str], bool]
"""DAG id and run id -> whether Airflow says that the run failed."""


def tell_people(
    given: Sequence[BaseNotifier],
    context: Mapping[str, Any],
    run_failed: RunFailed,
    connections: tuple[str, str],
    *,
    is_test: bool = False,
) -> dict[str, int]:
    """Tell each channel what is new to it, of every org and business.

    :param given: notifiers besides those of ``[kashoo] notify``.
    :param context: of the task.
    :param connections: Kashoo's and Salesforce's, by which names are read if they are asked for.
    :param is_test: send a message to each channel, whether there is news or not.
    :returns: how it went -> channels.
    :raises ConfigurationError: for a setting that is wrong; nothing was sent.
    :raises UnreachableError: when a channel could not be told; the others were.
    """
    channels, limits = channels_of(given), Limits(late_after_hours(), empty_runs())
    tells()
    if not channels:
        log.info("Nobody is told of anything: [kashoo] notify is empty, and the operator got no notifier.")
        return {}
    database = open_database()
    try:
        database.check()
        outcome: Counter[str] = Counter()
        hashes = keyed_hash(database)
        for pair in figures.pairs(database):
            found = troubles_of(database, pair, limits, _failed_of(pair, run_failed))
            teller = _Teller(database, pair, found, hashes, context, connections, is_test=is_test)
            outcome.update(teller.tell(each) for each in channels)
    finally:
        database.dispose()
    if outcome[FAILED]:
        raise UnreachableError(
            f"{outcome[FAILED]} of {outcome.total()} channels could not be told; the log says which, and why.",
            written="The others were told, and are not told again.",
            remedy="The next try tells these. If it lasts, look at the connections of their notifiers.",
        )
    return dict(outcome)


@dataclass(frozen=True)
class _Teller:
    """Tells channels about one org and business."""

    database: Database
    pair: Pair
    found: Found
    hashes: KeyedHash
    context: Mapping[str, Any]
    connections: tuple[str, str]
    is_test: bool

    def tell(self, channel: Channel) -> str:
        """Tell one channel what is new to it.

        :returns: how it went.
        """
        table = Alerts(Scope(self.database, self.pair.id))
        up_to = alerts.newest_end(self.database, self.pair.id, TO_KASHOO)
        taken = table.take(self.hashes.of([channel.identity])[:64], up_to)
        if taken is None:
            log.info("%s: another task tells it just now.", channel.label)
            return TAKEN
        try:
            new = news(self.found.troubles, taken.told, self.found.unknown)
            billed = self._billed(taken, up_to)
            if not (new.is_new or not billed.is_empty or self.is_test):
                table.said(taken, told_after(taken.told, new))
                return NOTHING_NEW
            digest = self._composer.compose(new, billed, is_test=self.is_test)
            channel.send(self._message(digest, channel, taken, new), self.context)
        except SyncError:
            table.not_sent(taken)
            raise
        except Exception as error:  # noqa: BLE001  notifiers are anybody's, and the others are to be told
            table.not_sent(taken)
            log.warning("%s could not be told: %s", channel.label, _short(error))
            return FAILED
        table.said(taken, told_after(taken.told, new))
        log.info("%s: sent.", channel.label)
        return SENT

    def _billed(self, taken: Taken, up_to: float | None) -> Billed:
        if not tells().billed or up_to is None or up_to <= taken.billed_after:
            return Billed()
        return billed_between(self.database, self.pair.id, taken.billed_after, up_to)

    @property
    def _composer(self) -> Composer:
        base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
        return Composer(self.database, self.pair, base, self._namer() if tells().names else None)

    def _message(self, digest: Digest, channel: Channel, taken: Taken, new: News) -> dict[str, Any]:
        """Give it for templates; its id is the same if the same is sent again."""
        told = [[*each.key, each.since] for each in (*new.bad, *new.worse)], [each.key for each in new.well]
        ident = self.hashes.of([channel.identity, taken.billed_after, taken.until * self.is_test, *told])[:32]
        return {**digest.data, "text": digest.text, "html": digest_page(digest), "id": ident}

    def _namer(self) -> Namer:
        def named(records: Iterable[Record]) -> tuple[Mapping[str, Named], str]:
            try:
                with open_sync(TO_KASHOO, RunFacts("notify"), *self.connections, begins=True) as sync:
                    if (sync.store.org_id, sync.store.business_id) != (self.pair.org_id, self.pair.business_id):
                        return {}, "the connections lead to another org or business."
                    return names_of(sync, records), ""
            except SyncError as error:
                return {}, error.what

        return named


def _failed_of(pair: Pair, run_failed: RunFailed) -> RunFailed:
    """Ask for runs by their sync; which DAG it was stands in the staging folder."""
    root = staging_root()

    def failed(sync: str, run_id: str) -> bool:
        note = Staging(root, sync, f"{pair.org_id}-{pair.business_id}", run_id).read_json(WORKED_ON) or {}
        return run_failed(str(note.get("dag_id") or sync), run_id)

    return failed


def _short(error: Exception) -> str:
    """Say it in one line, but no address: that of a webhook is a secret."""
    words = " ".join(str(error).split())[:300]
    return type(error).__name__ if "/" in words else f"{type(error).__name__}: {words}"
