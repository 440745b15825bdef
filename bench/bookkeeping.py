"""What the store costs for one write."""

from __future__ import annotations

import statistics
import tempfile
import time
from typing import Any


def measure(results: dict[str, dict[str, Any]]) -> None:
    """The whole bookkeeping of one write: budget slot, journal, link and audit."""
    from postgres import Postgres

    from airflow_provider_kashoo.store.database import Database

    with tempfile.TemporaryDirectory() as folder:
        measure = {"SQLite": Database(f"sqlite:///{folder}/store.db")}
        with Postgres(synced=True) as server:
            measure["PostgreSQL"] = Database(server.fresh())
            for name, database in measure.items():
                database.migrate()
                value = round(statistics.median(_bookkeeping(database)) * 1000, 2)
                results[f"bookkeeping of one write on {name}"] = {"value": value, "unit": "ms", "goal": "<= 5"}
                database.dispose()


def _bookkeeping(database: Any) -> list[float]:
    from airflow_provider_kashoo.core.rules.intents import Create
    from airflow_provider_kashoo.core.rules.pace import Limit
    from airflow_provider_kashoo.core.values.record import Record
    from airflow_provider_kashoo.store.budget import Budget
    from airflow_provider_kashoo.store.links import LinkChange
    from airflow_provider_kashoo.store.store import SyncStore

    store = SyncStore(database, "00D000000000001EAA", "1")
    budget = Budget(database, "bench", [Limit(10**6, 3600), Limit(10**6, 1)])
    took = []
    for number in range(200):
        ident = f"006{number:012d}AAA"
        intent = Create(record=Record("invoice", "Opportunity", ident), reason="won", sale=ident, total=100)
        begun = time.perf_counter()
        (slot,) = budget.acquire(60)
        sent = store.journal.send(
            intent, run_id="r", lease="l", deadline_seconds=60, payload_hash="h", fields={"memo": "x"}
        )
        budget.release(slot)
        store.journal.answered(sent, LinkChange(kashoo_id=number, fields={"memo": ("x", "x")}), "won")
        took.append(time.perf_counter() - begun)
    return took[50:]
