"""What writing back costs in Salesforce's own limit: calls for many changed balances, over HTTP to the sandbox."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from driver import Driver

from airflow_provider_kashoo.core.rules.intents import Tell, Upsert
from airflow_provider_kashoo.core.rules.order import in_order
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE
from airflow_provider_kashoo.sync.write.engine import Engine
from airflow_provider_kashoo.sync.write.fields import FieldsWriter

DEALS = 10_000
READ = "2026-03-01T00:00:00+00:00"

Results = dict[str, dict[str, Any]]


def measure(results: Results) -> None:
    """Write 10,000 balances to deals, and 10,000 records of invoices by external id."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(dataset=f"scale:{3 * DEALS}") as box:
        drive = Driver(box, Path(folder))
        deals = [row["Id"] for row in box.org.rows("Opportunity")][:DEALS]
        if len(deals) < DEALS:
            raise SystemExit(f"The sandbox made {len(deals):,} deals, not {DEALS:,}.")
        told = [_tell(number, deal) for number, deal in enumerate(deals)]
        made = [_make(number, deal) for number, deal in enumerate(deals)]
        for intents, what in ((told, "changed balances"), (made, "new records of invoices")):
            sync = drive.sync(TO_SALESFORCE)
            before = sync.salesforce.requests_sent
            outcome = Engine(sync, FieldsWriter).run(in_order(intents))
            if outcome != {"written_back": DEALS}:
                raise SystemExit(f"Not all was written: {outcome}")
            calls = sync.salesforce.requests_sent - before
            results[f"Salesforce calls for 10,000 {what}"] = {"value": calls, "unit": "requests", "goal": "<= 55"}


def _tell(number: int, deal: str) -> Tell:
    balance = {"Kashoo_Balance__c": f"{number}.5"}
    record = Record("Opportunity", "Opportunity", deal)
    own: dict[str, Any] = {"changes": balance, "document": balance, "settlement": "Partly Paid", "kashoo_id": number}
    return Tell(record=record, sync=TO_SALESFORCE, source_read=READ, **own)


def _make(number: int, deal: str) -> Upsert:
    document = {"Name": f"INV-{number}", "Opportunity__c": deal, "Balance__c": f"{number}.5"}
    own: dict[str, Any] = {"changes": document, "document": document, "settlement": "Open", "kashoo_id": number}
    named = {"match": "Kashoo_Id__c", "external_id": f"1:{number}", "mapping": "payment_to_opportunity"}
    return Upsert(
        record=Record("Kashoo_Invoice__c", "Opportunity", deal), sync=TO_SALESFORCE, source_read=READ, **own, **named
    )
