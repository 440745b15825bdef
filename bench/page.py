"""What the page in Airflow waits for, on a store with a million writes: each call, as the API makes it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

WRITES = 1_000_000
INVOICES = 770_000
"""With their customers and items as tests/support/filled.py makes them, a million writes."""

ROUNDS = 5
GOAL = 300
ORG, BUSINESS = "00D000000000001EAA", "9990000001"


def measure(results: dict[str, dict[str, Any]]) -> None:
    """Give the slowest of all calls, each as its median, and how long the count in the background takes."""
    from postgres import Postgres

    with tempfile.TemporaryDirectory() as folder, Postgres(synced=True) as server:
        for name, url in (("SQLite", f"sqlite:///{folder}/store.db"), ("PostgreSQL", server.fresh())):
            _measure(results, name, url)


def _measure(results: dict[str, dict[str, Any]], name: str, url: Any) -> None:
    from filled import fill

    from airflow_provider_kashoo.plugins.kept import Kept
    from airflow_provider_kashoo.store import figures
    from airflow_provider_kashoo.store.database import Database
    from airflow_provider_kashoo.store.find_invoices import find_invoices
    from airflow_provider_kashoo.store.store import SyncStore
    from airflow_provider_kashoo.sync.by_hand.story import tell

    database = Database(url)
    database.migrate()
    store = SyncStore(database, ORG, BUSINESS)
    fill(database, store.scope_id, INVOICES)
    scope, kept = store.scope_id, Kept()
    if (writes := sum(figures.states(database, scope).values())) < WRITES:
        raise SystemExit(f"only {writes} writes")

    def counts() -> tuple[Any, Any]:
        return figures.money(database, scope), figures.states(database, scope)

    ids = [f"old {number}" for number in range(14)]
    _spread(database)
    day = "2025-03-31"
    deal = find_invoices(database, scope, day=day).rows[0]["source_id"]
    calls: dict[str, Callable[[], Any]] = {
        "check": database.check,
        "runs": lambda: (figures.newest_runs(database, scope, 14), figures.outcomes(database, scope, ids)),
        "questions": lambda: (figures.questions(database, scope), figures.watermarks(database, scope)),
        "first page": lambda: find_invoices(database, scope),
        "late page": lambda: find_invoices(database, scope, before=("2024-07-02", 500_000)),
        "a day": lambda: find_invoices(database, scope, day=day),
        "no such day": lambda: find_invoices(database, scope, day="2024-06-30"),
        "an amount": lambda: find_invoices(database, scope, amount=Decimal(1)),
        "a day and an amount": lambda: find_invoices(database, scope, day=day, amount=Decimal(1)),
        "a story": lambda: tell(deal, database, [], None),
        "sums": lambda: kept.get(name, counts),  # the last: what it begins goes on behind the others
    }
    took = {call: sorted(_seconds(each) for _ in range(ROUNDS))[ROUNDS // 2] * 1000 for call, each in calls.items()}
    slowest = max(took, key=lambda call: took[call])
    results[f"slowest call of the page at 1M writes on {name}"] = {
        "value": round(took[slowest]),
        "unit": f"ms ({slowest})",
        "goal": f"<= {GOAL}",
    }
    results[f"sums of the page at 1M writes on {name}"] = {
        "value": round(_seconds(counts), 1),
        "unit": "s, in the background",
        "goal": "",
    }
    database.dispose()


def _spread(database: Any) -> None:
    """Date the invoices over a year."""
    from sqlalchemy import text

    sqlite = database.url.get_backend_name() == "sqlite"
    day = (
        "date('2025-06-30', '-' || (id % 365) || ' days')" if sqlite else "(date '2025-06-30' - (id % 365)::int)::text"
    )
    with database.begin() as connection:
        connection.execute(text(f"UPDATE links SET journal_date = {day}"))  # noqa: S608  no text of anybody
    if not sqlite:  # as its autovacuum does
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun
