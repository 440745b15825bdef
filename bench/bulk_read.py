"""Read every Opportunity of an org in bulk into Parquet; prints seconds, records, bytes and peak memory as JSON.

Run by ``bench/extract.py`` in a process of its own, so that its memory is only what reading takes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import requests
from memory import peak
from simple_salesforce.api import Salesforce

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.clients.bulk import BulkQueries
from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.clients.transport import Unlimited, new_session
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read.bulk import Query, start
from airflow_provider_kashoo.sync.read.columns import NUMBER
from airflow_provider_kashoo.sync.read.staged import Parts
from airflow_provider_kashoo.sync.run.staging import Staging

STAMP = pa.timestamp("us", "UTC")
TYPES = {
    "Id": pa.string(),
    "SystemModstamp": STAMP,
    "IsDeleted": pa.bool_(),
    "Name": pa.string(),
    "StageName": pa.string(),
    "IsWon": pa.bool_(),
    "Amount": NUMBER,
    "CurrencyIsoCode": pa.string(),
    "CloseDate": pa.date32(),
    "AccountId": pa.string(),
    "Account.Name": pa.string(),
    "CreatedDate": STAMP,
}
ALWAYS = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), moves=False, note="")


def log_in(extra: dict[str, Any], session: requests.Session | None = None) -> Session:
    """Log in as the hook does."""
    connection = Salesforce(session=session or new_session(Unlimited(), 60), **extra)
    return Session(str(connection.session_id), f"https://{connection.sf_instance}")


def connect(extra: dict[str, Any]) -> SalesforceClient:
    """Give a client that logs in by itself."""
    session = new_session(Unlimited(), 60)
    return SalesforceClient(session, lambda: log_in(extra, session), "67.0")


def main() -> None:
    """Read, and print the figures; the time until Salesforce has found the records is not part of them."""
    client = connect(json.loads(sys.argv[1]))
    query = Query("records", soql.in_window("Opportunity", list(TYPES), ALWAYS), TYPES, deleted=True)
    with tempfile.TemporaryDirectory() as folder:
        files = Staging(Path(folder), "bench", "bench", "bench")
        job = start(client, query)
        BulkQueries(client).wait(job.job)
        files.write_json("bulk.records.Opportunity", asdict(job))  # as a worker leaves it that dies while it waits
        begun = time.perf_counter()
        records = sum(part.num_rows for _, part in Parts(files, "Opportunity").keep_job(client, query))
        seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "records": records, "peak": peak()}))


if __name__ == "__main__":
    main()
