"""What starts the DAGs between their scheduled runs: assets of changes, and watchers that look for changes.

An event says *when* to run, never *what* to read: the window of the run decides that. So after a lost
event the next run reads the change, and a duplicate event finds nothing to do.
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
"""Longest pause between two attempts to reach a side."""
MAX_DOUBLINGS = 10
"""Enough to get from the shortest to the longest pause; a float would overflow after a thousand."""

SOBJECTS = ("Account", "Opportunity", "OpportunityLineItem", "Order", "OrderItem", "Product2")
"""The objects whose changes the shipped mappings read."""


class _ChangeTrigger(BaseEventTrigger):
    """Checks one side for changes, forever.

    It never ends, even on errors: Airflow restarts a watcher a second after it ended, which would turn a
    wrong password into thousands of logins.

    :param conn_id: connection to use.
    :param objects: what to check.
    :param poll_seconds: time between two checks, at least 30.
    :raises ValueError: for a shorter time.
    """

    side: ClassVar[str]
    _sleep = staticmethod(asyncio.sleep)
    _clock = staticmethod(time.time)

    def __init__(self, conn_id: str, objects: Sequence[str], poll_seconds: int = 300) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow has no types for it
        if poll_seconds < MIN_SECONDS:
            raise ValueError(f"poll_seconds is {poll_seconds}; the minimum is {MIN_SECONDS}")
        # Airflow recognises an existing trigger by these, as read from its database: so lists, not tuples.
        self.conn_id, self.objects, self.poll_seconds = conn_id, list(objects), poll_seconds
        self._look: Look | None = None
        self._failures = 0
        self._logged: set[str] = set()
        self._can_store = True

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments."""
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
                # Stored after the event: if the triggerer dies in between, the event is sent twice, not never.
                if newer != cursor:
                    cursor = newer
                    await self._remember(cursor)
            await self._sleep(pause)

    @abstractmethod
    def open(self) -> Look:
        """Connect to the side; blocking."""

    async def _ask(self, cursor: Any) -> tuple[tuple[list[str], Any] | None, float]:
        """Check once.

        :returns: the result, None when the side could not be asked, and seconds until the next check.
        """
        from airflow_provider_kashoo.core.errors import BudgetSpent, SyncError, UnreachableError

        try:
            found = await asyncio.to_thread(self._blocking_look, cursor)
        except BudgetSpent as spent:
            return None, max(spent.until - self._clock(), self.poll_seconds)
        except UnreachableError as error:
            return None, self._failed("unreachable", str(error))
        except SyncError as error:
            self._look = None  # read the connection again, once a person corrected it
            return None, self._failed(type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001  it must not end; the message may contain SQL and values
            self._look = None
            return None, self._failed(type(error).__name__, f"{type(error).__name__}; its message is not shown.")
        if self._failures:
            self.log.info("%s answers again", self.side)
            self._failures = 0
            self._logged.clear()
        return found, self.poll_seconds

    def _blocking_look(self, cursor: Any) -> tuple[list[str], Any]:
        self._look = self._look or self.open()
        return self._look(cursor)

    def _failed(self, kind: str, message: str) -> float:
        """Log an error once per outage; return the pause, which doubles."""
        doubled = self.poll_seconds * 2.0 ** min(self._failures, MAX_DOUBLINGS)
        if kind not in self._logged:
            self.log.error("Watching %s: %s It tries again at growing intervals, up to an hour.", self.side, message)
        self._logged.add(kind)
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
        """Use the state of the watched asset; without it, the cursor is lost when this trigger ends."""
        if self.asset_state_store is None:
            return None
        try:
            return await call(self.asset_state_store)
        except Exception as error:  # noqa: BLE001  several assets may share this trigger, or the server may be down
            if self._can_store:
                self.log.warning("Watching %s: its cursor cannot be stored (%s)", self.side, type(error).__name__)
            self._can_store = False
            return None


class SalesforceChangeTrigger(_ChangeTrigger):
    """Looks for records with a newer time stamp; one request for five objects, by the server's clock.

    :param conn_id: connection to Salesforce.
    :param objects: such as ``Opportunity``.
    :param poll_seconds: time between two checks, at least 30.
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
    """Lists what is dated within the last week or later, and compares it with last time; uses the request budget.

    :param conn_id: connection to Kashoo.
    :param objects: ``invoices``, ``payments``, or both.
    :param poll_seconds: time between two checks, at least 30.
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
    """Return the asset for changes in Salesforce; it is watched when ``[kashoo] watch_seconds`` is set.

    :param watch: arguments of :class:`SalesforceChangeTrigger`.
    """
    return _asset("salesforce", SalesforceChangeTrigger, watch)


def kashoo_changes(**watch: Any) -> Asset:
    """Return the asset for changes in Kashoo; it is watched when ``[kashoo] watch_seconds`` is set.

    :param watch: arguments of :class:`KashooChangeTrigger`.
    """
    return _asset("kashoo", KashooChangeTrigger, watch)


def _asset(side: str, trigger: Callable[..., _ChangeTrigger], watch: dict[str, Any]) -> Asset:
    seconds = conf.getint("kashoo", "watch_seconds", fallback=0)
    watchers = []
    if seconds > 0 or "poll_seconds" in watch:
        # Too short a setting must not break the parsing of the DAG, and with it the nightly run.
        made = trigger(**{"poll_seconds": max(seconds, MIN_SECONDS)} | watch)
        watchers = [AssetWatcher(name=f"{side}_watcher", trigger=made)]
    return Asset(name=f"{side}_changes", uri=f"kashoo-sync://{side}/changes", watchers=watchers)
