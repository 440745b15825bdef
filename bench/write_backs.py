"""Plan the write-backs of many invoices: what ``make bench`` promises of ``kashoo_to_salesforce``.

The store is a real one; both sides are plain dictionaries, so that planning is what is measured. As a program it runs
one case in its own process, such as ``bench/write_backs.py changed``, and prints seconds and memory as JSON;
``--profile`` also says where the time goes.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from memory import peak
from sqlalchemy import insert

from airflow_provider_kashoo.clients.describe import ObjectInfo
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo
from airflow_provider_kashoo.core.rules.settlement import OPEN, STATUSES
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.tables import links
from airflow_provider_kashoo.sync.read.books import ALLOCATION_COLUMNS, INVOICE_COLUMNS
from airflow_provider_kashoo.sync.run.deltas import Delta
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE, Settings, Sync
from airflow_provider_kashoo.sync.run.waits import Reads
from airflow_provider_kashoo.sync.tell.plan import plan

Results = dict[str, dict[str, Any]]

INVOICES = 100_000
PART = 5_000
READ = "2026-03-02T12:00:00+00:00"
DAY, DUE, PAID_ON = "2026-03-01", "2026-03-31", "2026-03-02"
FIELDS = {  # Salesforce field -> its source, its type and what was written there before
    "Kashoo_Id__c": ("invoice_id", "string", None),
    "Kashoo_Invoice__c": ("number", "string", None),
    "Kashoo_Status__c": ("status", "picklist", OPEN),
    "Kashoo_Currency__c": ("currency", "string", "USD"),
    "Kashoo_Due__c": ("due_date", "date", DUE),
    "Kashoo_Total__c": ("total", "currency", None),
    "Kashoo_Paid__c": ("paid", "currency", "0"),
    "Kashoo_Balance__c": ("balance", "currency", None),
    "Kashoo_Last_Payment__c": ("last_payment_date", "date", None),
}
MAPPING = "version: 1\nname: back\nfrom: {object: invoice}\nto: Opportunity\nfields:\n" + "".join(
    f"  {name}: {{from: {source}}}\n" for name, (source, _, _) in FIELDS.items()
)
CASES = {
    "changed": "changed invoices, planned",
    "weekly": "changed invoices, planned and compared with what Salesforce holds",
    "unchanged": "unchanged invoices, planned",
}


def measure(results: Results) -> None:
    """Plan each case in a process of its own, so that its memory is only what planning takes."""
    for case, what in CASES.items():
        command = [sys.executable, str(Path(__file__)), case]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        name = f"{INVOICES:,} {what}"
        results[name] = {"value": found["seconds"], "unit": "s", "goal": "<= 10"}
        results[f"{name}, memory"] = {"value": found["peak"], "unit": "MiB at the peak, all of Python", "goal": ""}


def _ident(number: int) -> str:
    return f"006{number:012d}AAA"


def _own(number: int) -> dict[str, str]:
    """Give what no other invoice has; each has its own amount."""
    owed = str(_total(number) // 100)
    return {
        "Kashoo_Id__c": str(number),
        "Kashoo_Invoice__c": f"INV-{number}",
        "Kashoo_Total__c": owed,
        "Kashoo_Balance__c": owed,
    }


def _held(number: int) -> dict[str, str | None]:
    """Give what Salesforce was told last of an invoice: it was open."""
    return {name: value for name, (_, _, value) in FIELDS.items()} | _own(number)


def _total(number: int) -> int:
    """Give the amount of an invoice, minor units: whole dollars."""
    return 25_000 + 100 * number


def _share(number: int) -> int:
    """Give what was paid of it since, minor units: a third, to the cent."""
    return _total(number) // 3


class Salesforce:
    """Salesforce, which holds what it was told last."""

    def describe(self, sobject: str) -> ObjectInfo:
        def field(name: str, kind: str) -> FieldInfo:
            more = {"values": STATUSES, "restricted": True} if kind == "picklist" else {}
            return FieldInfo(name, kind, 2, 255, False, True, (), None, precision=18, **more)

        types = {name: field(name, kind) for name, (_, kind, _) in FIELDS.items()}
        return ObjectInfo(sobject, "006", True, types, {})

    def query(self, text: str) -> Iterator[dict[str, Any]]:
        for ident in re.findall(r"'(006\d{12}AAA)'", text):
            yield {"Id": ident, **_held(int(ident[3:15]))}


def _row(store: SyncStore, number: int, hashes: dict[str, str]) -> dict[str, Any]:
    return {
        "scope_id": store.scope_id, "target": "invoice", "source_object": "Opportunity",
        "source_id": _ident(number), "part": 1, "generation": 1, "sale_id": _ident(number),
        "kashoo_id": number, "version": 1, "state": "live", "currency": "USD", "expected_total": _total(number),
        "journal_date": DAY, "settlement": OPEN, "source_read": READ, "told_read": DAY,
        "fields": {name: ["0" * 32, "0" * 32] for name in ("contact", "date", "currency", "lines")},
        "sources": {"date": {"CloseDate": "0" * 32, "mapping": "0" * 32}},
        "written_back": hashes | store.hashes.fields(_own(number)), "created_at": 0.0, "updated_at": 0.0,
    }  # fmt: skip


def _begun(folder: Path, case: str) -> Sync:
    """Let a run have staged invoices and payments; each invoice is linked and was written back as open."""
    database = Database(f"sqlite:///{folder}/store.db")
    database.migrate()
    store = SyncStore(database, "00D000000000001EAA", "1")
    hashes = store.hashes.fields(_held(0))
    with database.begin() as connection:
        for start in range(1, INVOICES + 1, PART):
            rows = [_row(store, number, hashes) for number in range(start, min(start + PART, INVOICES + 1))]
            connection.execute(insert(links), rows)
    files = Staging(folder, TO_SALESFORCE, "scope", "run1")
    _stage(files, case)
    opened = (Salesforce(), SimpleNamespace(id=store.org_id, currency="USD"))
    return Sync(
        name=TO_SALESFORCE,
        run=RunFacts("run1"),
        org=SimpleNamespace(opened=opened, id=store.org_id),
        kashoo=SimpleNamespace(profile=Profile(), read=_not_listed),
        store=store,
        budget=SimpleNamespace(seconds_for=float),
        mappings={"back": load_mapping(MAPPING, "back.yaml")},
        files=files,
        settings=Settings(),
    )


def _not_listed(kind: str, ident: int) -> Any:
    raise AssertionError(f"{kind} {ident} was listed, and need not be read")


def _stage(files: Staging, case: str) -> None:
    numbers = range(1, INVOICES + 1)
    paid = [] if case == "unchanged" else list(numbers)
    invoices = {
        "id": list(numbers),
        "number": [f"INV-{number}" for number in numbers],
        "date": [DAY] * INVOICES,
        "dueDate": [DUE] * INVOICES,
        "currency": ["USD"] * INVOICES,
        "totalDue": [_total(number) for number in numbers],
        "balanceDue": [_total(number) - _share(number) * bool(paid) for number in numbers],
        "removed": [False] * INVOICES,
        "contact": [1] * INVOICES,
    }
    files.write_table("invoices", pa.table(invoices, schema=INVOICE_COLUMNS))
    allocations = {
        "payment_id": paid,
        "invoice_id": paid,
        "date": [PAID_ON for _ in paid],
        "amount": [_share(number) for number in paid],
        "credit": [0 for _ in paid],
        "odd": ["" for _ in paid],
    }
    files.write_table("allocations", pa.table(allocations, schema=ALLOCATION_COLUMNS))
    files.write_json("references", {f"[sf:{_ident(number)}:1:1]": [number] for number in numbers})
    for name in ("invoices", "payments"):
        sweep = case == "weekly" and name == "invoices"
        records = INVOICES if name == "invoices" else len(paid)
        given = {"moves": True, "note": "", "read": READ, "records": records, "start": DAY, "sweep": sweep}
        Delta(f"kashoo.{name}", READ, READ, **given).stage(files, name)


def run(case: str, *, profiled: bool = False) -> dict[str, Any]:
    """Plan one case; gives seconds, MiB at the peak and before planning, and what was planned."""
    with tempfile.TemporaryDirectory() as folder:
        sync = _begun(Path(folder), case)
        reads, before = Reads(sync), peak()
        profile = cProfile.Profile()
        if profiled:
            profile.enable()
        begun, used = time.perf_counter(), time.process_time()
        summary = plan(sync, reads)
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        profile.disable()
    if profiled:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(45)
    return {
        "seconds": round(seconds, 2),
        "processor": round(used, 2),
        "peak": peak(),
        "before": before,
        "actions": summary.actions,
        "digest": summary.digest,
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], profiled="--profile" in sys.argv)))
