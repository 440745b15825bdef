"""The moments at which a process can die, so that others see something half done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rounds import Killed, Rounds

from airflow_provider_kashoo.store.database import Database


class Boundaries:
    """The moments between two things that others see: it dies at one of them.

    :param at: at which one; at none if not given.
    """

    def __init__(self, at: int | None = None) -> None:
        self.at, self.count = at, 0

    def reach(self, _: str = "") -> None:
        self.count += 1
        if self.count == self.at:
            raise Killed


@contextmanager
def dying(drive: Rounds, boundaries: Boundaries, side: str = "kashoo") -> Iterator[None]:
    """Let what is called within die at a stage of a request to one side, or before or after a commit of the store."""
    original, faults = Database.begin, drive.sandbox.faults[side]

    @contextmanager
    def begin(self: Database) -> Iterator[Any]:
        with original(self) as connection:
            before = connection.connection.driver_connection.total_changes
            yield connection
            wrote = connection.connection.driver_connection.total_changes > before
            if wrote:
                boundaries.reach()
        if wrote:
            boundaries.reach()

    Database.begin, faults.hook = begin, boundaries.reach  # type: ignore[method-assign]
    try:
        with suppress(Killed):
            yield
    finally:
        Database.begin, faults.hook = original, None  # type: ignore[method-assign]
