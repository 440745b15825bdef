"""The same delta against a small and against a large store, on both databases."""

from __future__ import annotations

import gc
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

SMALL, LARGE = 10_000, 1_000_000
DEALS, CHANGED, CUSTOMERS = 800, 100, 200
"""Deals of the delta, how many of them are worth another amount, and customers: 1,000 records."""

ROUNDS = 5
MARKED = 100_000


def measure(results: dict[str, dict[str, Any]]) -> None:
    """Play the same delta of 1,000 records, extract to commit, beside 10,000 and beside 1,000,000 links."""
    from postgres import Postgres

    with tempfile.TemporaryDirectory() as folder, Postgres(synced=True) as server:
        for name, postgres in (("SQLite", None), ("PostgreSQL", server)):
            small, large = (_Company(Path(folder) / f"{name}{size}", size, postgres) for size in (SMALL, LARGE))
            # In turns, and the best of each: what else the machine does slows both.
            seconds = [(small.delta(number), large.delta(number)) for number in range(ROUNDS)]
            few, many = (min(each) for each in zip(*seconds, strict=True))
            results[f"delta of 1,000 against 1M links on {name}"] = {
                "value": round(many / few, 2),
                "unit": f"times the {few:.1f} s against 10,000 links",
                "goal": "<= 1.2",
            }
            _weekly(results, large, name)
            _mark(results, large, name)
            small.end()
            large.end()


def _weekly(results: dict[str, dict[str, Any]], large: _Company, name: str) -> None:
    """The ids that the weekly look walks through, and how much memory that takes."""
    before, begun = _peak(), time.perf_counter()
    linked = large.store.linked_records
    deals = sum(map(len, linked.pages_of_sources(["invoice"], "Opportunity")))
    customers = sum(map(len, linked.pages_of_kashoo_ids("customer")))
    seconds = time.perf_counter() - begun
    if deals < 0.99 * LARGE or customers < LARGE / 4:
        raise SystemExit(f"only {deals} deals and {customers} customers were walked through")
    results[f"ids of 1M links in pages on {name}"] = {
        "value": round(seconds, 1),
        "unit": f"s, {_peak() - before} MiB more at the peak",
        "goal": "",
    }


def _mark(results: dict[str, dict[str, Any]], large: _Company, name: str) -> None:
    """What the weekly run notes of links that are as they were."""
    from airflow_provider_kashoo.core.rules.intents import Keep
    from airflow_provider_kashoo.core.values.record import Record

    pages = islice(large.store.linked_records.pages_of_sources(["invoice"], "Opportunity"), MARKED // 1_000)
    kept = [
        Keep(record=Record("invoice", "Opportunity", ident), link_version=1, source_read="2026-01-01T00:00:00+00:00")
        for page in pages
        for ident in page
    ]
    begun = time.perf_counter()
    overtaken = large.store.readings.mark(kept)
    seconds = time.perf_counter() - begun
    if len(kept) - len(overtaken) < 0.9 * MARKED:
        raise SystemExit(f"{len(overtaken)} of {len(kept)} links were overtaken")
    results[f"links marked as read on {name}"] = {
        "value": round(len(kept) / seconds),
        "unit": "links a second",
        "goal": "",
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


class _Company:
    """Both systems, and a store that has billed some deals, and many more before.

    :param size: how many.
    """

    def __init__(self, folder: Path, size: int, postgres: Any) -> None:
        from filled import fill
        from inprocess import in_process
        from records import add_account, add_deal
        from rounds import Rounds

        self._box = in_process()
        self._drive = Rounds(self._box, folder, postgres)
        self._customers = [add_account(self._box, f"Customer {number}") for number in range(CUSTOMERS)]
        self._deals = [
            add_deal(self._box, self._customers[number % CUSTOMERS], Name=f"Deal {number}") for number in range(DEALS)
        ]
        made = self._drive.run().outcome
        if made.get("created") != DEALS + CUSTOMERS:
            raise SystemExit(f"the first run made {made}")
        self._box.clock.advance(3600)
        self._drive.run()
        self.store = self._drive.store
        fill(self._drive.database, self.store.scope_id, size)

    def delta(self, number: int) -> float:
        """Let 1,000 records change; give the seconds of the run that reads, plans and writes them."""
        self._box.clock.advance(3600)
        for each in self._customers:
            self._box.org.update("Account", each, {"Description": f"another {number}"})
        for place, each in enumerate(self._deals):
            worth = {"Amount": f"{300 + number}.00"} if place < CHANGED else {}
            self._box.org.update("Opportunity", each, {"Description": f"another {number}"} | worth)
        with _without_pauses():
            begun = time.perf_counter()
            done = self._drive.run()
            seconds = time.perf_counter() - begun
        if done.outcome.get("updated") != CHANGED:
            raise SystemExit(f"the delta did {done.outcome}")
        return seconds

    def end(self) -> None:
        """Close the store."""
        self._drive.end()


@contextmanager
def _without_pauses() -> Iterator[None]:
    """Let no garbage collection fall into what is measured."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
