"""What wakes the DAGs between their hours: assets that may be told of a change, and watchers that look for one.

An event says *when* to run, never *what* to read: the window of the run decides that. So a lost event
waits for the next run and a doubled one finds nothing to do.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, AssetWatcher, conf
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from airflow_provider_kashoo.runtime.watching import Look

MIN_SECONDS = 30
MAX_PAUSE_SECONDS = 3600.0
"""The longest pause between two attempts to reach a side."""
MAX_DOUBLINGS = 10
"""Enough to get from the shortest pause to the longest; a float overflows after a thousand."""

SOBJECTS = ("Account", "Opportunity", "OpportunityLineItem", "Order", "OrderItem", "Product2")
"""What the shipped mappings read a delta of."""


class _ChangeTrigger(BaseEventTrigger):
    """Looks at one side for ever.

    It never ends, whatever happens: Airflow starts a watcher that ended again a second later, which would
    turn a wrong password into thousands of logins.

    :param conn_id: connection to look through.
    :param objects: what to look at.
    :param poll_seconds: from one look to the next, at least 30.
    :raises ValueError: for a shorter time.
    """

    side: ClassVar[str]
    _sleep = staticmethod(asyncio.sleep)
    _clock = staticmethod(time.time)

    def __init__(self, conn_id: str, objects: Sequence[str], poll_seconds: int = 300) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own has no types
        if poll_seconds < MIN_SECONDS:
            raise ValueError(f"poll_seconds is {poll_seconds}; the shortest is {MIN_SECONDS}")
        # Airflow finds a trigger that is there already by these, as they come back from its database: a list stays one.
        self.conn_id, self.objects, self.poll_seconds = conn_id, list(objects), poll_seconds
        self._look: Look | None = None
        self._failures = 0
        self._said: set[str] = set()
        self._kept = True

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give class and arguments."""
        arguments = {"conn_id": self.conn_id, "objects": self.objects, "poll_seconds": self.poll_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event whenever something changed: ``side``, ``objects`` and ``cursor``, no data."""
        cursor = await self._remembered()
        while True:
            found, pause = await self._ask(cursor)
            if found is not None:
                changed, newer = found
                if changed:
                    yield TriggerEvent({"side": self.side, "objects": changed, "cursor": newer})
                # Kept after the event: a triggerer that dies between the two says it twice rather than never.
                if newer != cursor:
                    cursor = newer
                    await self._remember(cursor)
            await self._sleep(pause)

    @abstractmethod
    def open(self) -> Look:
        """Connect to the side; blocks."""

    async def _ask(self, cursor: Any) -> tuple[tuple[list[str], Any] | None, float]:
        """Look once.

        :returns: what was found, None when the side could not be asked, and seconds to the next look.
        """
        from airflow_provider_kashoo.core.errors import BudgetSpent, SyncError, UnreachableError

        try:
            found = await asyncio.to_thread(self._blocking_look, cursor)
        except BudgetSpent as spent:
            return None, max(spent.until - self._clock(), self.poll_seconds)
        except UnreachableError as error:
            return None, self._failed("unreachable", str(error))
        except SyncError as error:
            self._look = None  # what a person mends is read anew
            return None, self._failed(type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001  it must not end; the message may hold statements and values
            self._look = None
            return None, self._failed(type(error).__name__, f"{type(error).__name__}; its message is not shown.")
        if self._failures:
            self.log.info("%s answers again", self.side)
            self._failures = 0
            self._said.clear()
        return found, self.poll_seconds

    def _blocking_look(self, cursor: Any) -> tuple[list[str], Any]:
        self._look = self._look or self.open()
        return self._look(cursor)

    def _failed(self, kind: str, message: str) -> float:
        """Say a fault once per outage; give the pause, which doubles."""
        doubled = self.poll_seconds * 2.0 ** min(self._failures, MAX_DOUBLINGS)
        if kind not in self._said:
            self.log.error("Watching %s: %s It looks again, each time later, up to an hour.", self.side, message)
        self._said.add(kind)
        self._failures += 1
        return min(doubled, max(MAX_PAUSE_SECONDS, self.poll_seconds))

    async def _remembered(self) -> Any:
        return await self._state(lambda store: store.aget(self._key))

    async def _remember(self, cursor: Any) -> None:
        await self._state(lambda store: store.aset(self._key, cursor))

    @property
    def _key(self) -> str:
        return f"cursor.{self.conn_id}"

    async def _state(self, call: Callable[[Any], Any]) -> Any:
        """Use the state of the asset that is watched; without it the cursor lives as long as this trigger."""
        if self.asset_state_store is None:
            return None
        try:
            return await call(self.asset_state_store)
        except Exception as error:  # noqa: BLE001  several assets may share this trigger, or the server may be away
            if self._kept:
                self.log.warning("Watching %s: its cursor cannot be kept (%s)", self.side, type(error).__name__)
            self._kept = False
            return None


class SalesforceChangeTrigger(_ChangeTrigger):
    """Looks for records whose stamp moved; one request for five objects, in the server's own time.

    :param conn_id: connection to Salesforce.
    :param objects: such as ``Opportunity``.
    :param poll_seconds: from one look to the next, at least 30.
    """

    side = "Salesforce"

    def __init__(
        self, conn_id: str = "salesforce_default", objects: Sequence[str] = SOBJECTS, poll_seconds: int = 300
    ) -> None:
        super().__init__(conn_id, objects, poll_seconds)

    def open(self) -> Look:
        """Log in."""
        from airflow_provider_kashoo.runtime.watching import salesforce_look

        return salesforce_look(self.conn_id, self.objects)


class KashooChangeTrigger(_ChangeTrigger):
    """Lists what is dated a week back or later and compares it with last time; pays from the request budget.

    :param conn_id: connection to Kashoo.
    :param objects: of ``invoices`` and ``payments``.
    :param poll_seconds: from one look to the next, at least 30.
    """

    side = "Kashoo"

    def __init__(
        self,
        conn_id: str = "kashoo_default",
        objects: Sequence[str] = ("invoices", "payments"),
        poll_seconds: int = 300,
    ) -> None:
        super().__init__(conn_id, objects, poll_seconds)

    def open(self) -> Look:
        """Open the store and the session."""
        from airflow_provider_kashoo.runtime.watching import kashoo_look

        return kashoo_look(self.conn_id, self.objects)


def salesforce_changes(**watch: Any) -> Asset:
    """Give the asset of what changed in Salesforce; it is watched when ``[kashoo] watch_seconds`` says so.

    :param watch: arguments of :class:`SalesforceChangeTrigger`.
    """
    return _asset("salesforce", SalesforceChangeTrigger, watch)


def kashoo_changes(**watch: Any) -> Asset:
    """Give the asset of what changed in Kashoo; it is watched when ``[kashoo] watch_seconds`` says so.

    :param watch: arguments of :class:`KashooChangeTrigger`.
    """
    return _asset("kashoo", KashooChangeTrigger, watch)


def _asset(side: str, trigger: Callable[..., _ChangeTrigger], watch: dict[str, Any]) -> Asset:
    seconds = conf.getint("kashoo", "watch_seconds", fallback=0)
    watchers = []
    if seconds > 0 or "poll_seconds" in watch:
        # Too short a setting must not keep the nightly run from being parsed.
        made = trigger(**{"poll_seconds": max(seconds, MIN_SECONDS)} | watch)
        watchers = [AssetWatcher(name=f"{side}_watcher", trigger=made)]
    return Asset(name=f"{side}_changes", uri=f"kashoo-sync://{side}/changes", watchers=watchers)
