"""The state of both systems and the clock, kept and put back: a crash test begins again at a boundary many times."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.kashoo.books import Books
from airflow_provider_kashoo.sandbox.salesforce.org import Org

_INDEXED = ("rows", "refs", "unique")


@dataclass(frozen=True)
class Snapshot:
    """What was kept. Opaque, and only good for the sandbox that took it."""

    instant: float
    systems: bytes
    locators: dict[str, Any]
    jobs: dict[str, Any]


def take(clock: Clock, org: Org, books: Books, sessions: Any) -> Snapshot:
    """Keep rows, ids, tokens, limits and settings; ``sessions`` is what the Salesforce API keeps besides the org."""
    with org.lock, books.lock:
        kept = {name: value for name, value in vars(books).items() if name not in {"clock", "lock"}}
        tables = {name: [getattr(table, part) for part in _INDEXED] for name, table in org.tables.items()}
        writes, bin_ = (org.writes.held, org.writes.number), (org.graves.rows, org.schema.hidden)
        settings = (org.own_rules, org.storage_full)
        state = (kept, tables, org.ids, org.api_requests, sessions.tokens, settings, writes, bin_)
        # Open queries and jobs hold functions, which no pickle takes, over rows that are replaced and never edited.
        return Snapshot(
            clock.time(), pickle.dumps(state, pickle.HIGHEST_PROTOCOL), dict(sessions.locators), dict(sessions.jobs)
        )


def put_back(snapshot: Snapshot, clock: Clock, org: Org, books: Books, sessions: Any) -> None:
    """Make everything as it was; businesses got from the books before are not theirs any more."""
    with org.lock, books.lock:
        kept, tables, *rest = pickle.loads(snapshot.systems)  # noqa: S301 - ours
        org.ids, org.api_requests, sessions.tokens, settings, writes, (org.graves.rows, hidden) = rest
        org.own_rules, org.storage_full = settings
        org.writes.held, org.writes.number = writes
        org.schema.restore(hidden)
        vars(books).update(kept)
        for name, parts in tables.items():
            vars(org.tables[name]).update(zip(_INDEXED, parts, strict=True))
        sessions.locators, sessions.jobs = dict(snapshot.locators), dict(snapshot.jobs)
        clock.restore(snapshot.instant)
