"""One run without the simulated systems: a real store on SQLite, and both sides as plain dictionaries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.clients.describe import ObjectInfo
from airflow_provider_kashoo.clients.entries import Entry, to_json
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo
from airflow_provider_kashoo.core.rules.diff import base_hashes
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.intents import Link as LinkIntent
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.settlement import Payment
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.links import Link, LinkChange
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.made import Made
from airflow_provider_kashoo.sync.read.parts import Part
from airflow_provider_kashoo.sync.run.deltas import Delta
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Settings, Sync
from airflow_provider_kashoo.sync.run.waits import Reads

DEAL, DEAL_2, ORDER = "006000000000001AAA", "006000000000002AAA", "801000000000001AAA"
OBJECTS = {"006": "Opportunity", "801": "Order", "001": "Account", "01t": "Product2"}
READ = "2026-03-02T12:00:00+00:00"
LINE = {"description": "Deal", "account": 4000, "quantity": "1", "rate": 25_000, "taxCode": "none"}
DOCUMENT: dict[str, Any] = {"contact": 77, "date": "2026-03-01", "currency": "USD", "memo": "Deal", "lines": [LINE]}
SHIPPED = Path(__file__).parents[2] / "include" / "mappings"


@cache
def shipped(name: str, more: str = "") -> Mapping:
    """Give a mapping as it is shipped, with further lines."""
    return load_mapping((SHIPPED / f"{name}.yaml").read_text("utf-8") + more, f"{name}.yaml")


def mapping_names() -> list[str]:
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


class Books:
    """Kashoo: kind and id -> JSON; notes what was read."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], dict[str, Any]] = {}
        self.unreadable: set[int] = set()
        self.paid: list[Payment] = []
        self.read_ids: list[int] = []
        self.listed_from: list[str] = []
        self.profile = Profile()

    def put(self, kind: str, ident: int, document: dict[str, Any], source_id: str = DEAL, **more: Any) -> Entry:
        """Let a record stand there that says a document, and bears a reference."""
        body = to_json(kind, document, Reference(source_id), Profile())
        owed = {"totalDue": 25_000, "balanceDue": 25_000, "number": str(ident)} if kind == "invoice" else {}
        self.rows[kind, ident] = body | {"id": ident} | owed | more
        return Entry(kind, self.rows[kind, ident], Profile())

    def edit(self, kind: str, ident: int, **changes: Any) -> None:
        self.rows[kind, ident] = self.rows[kind, ident] | changes

    def read(self, kind: str, ident: int) -> Entry | None:
        self.read_ids.append(ident)
        if ident in self.unreadable:
            raise UnreadableError("Kashoo does not give it.")
        row = self.rows.get((kind, ident))
        return None if row is None else Entry(kind, row, self.profile)

    def entry(self, kind: str, kept: dict[str, Any]) -> Entry:
        return Entry.of_kept(kind, kept, Profile())

    def payments(self, *, start: str, end: str) -> Iterator[Payment]:
        self.listed_from.append(start)
        return (each for each in self.paid if start <= each.date <= end)


class Salesforce:
    """Salesforce: object -> records, and object -> field -> type. A query finds what holds an id it names."""

    def __init__(self) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.types: dict[str, dict[str, str]] = {"Order": {"OpportunityId": "reference"}}

    def describe(self, sobject: str) -> ObjectInfo:
        types = {"Id": "id"} | self.types.get(sobject, {})
        fields = {name: FieldInfo(name, kind, 2, 80, False, True, (), None) for name, kind in types.items()}
        prefix = next((each for each, name in OBJECTS.items() if name == sobject), None)
        return ObjectInfo(sobject, prefix, True, fields, {})

    def recall(self, described: dict[str, Any]) -> None:
        """Take the describes that preflight kept: there are none."""

    def query(self, text: str) -> Iterator[dict[str, Any]]:
        found = re.search(r"FROM (\w+) WHERE (\w+) IN \((.*?)\)", text)
        assert found
        sobject, key, ids = found.groups()
        return (row for row in self.records.get(sobject, []) if f"'{row.get(key)}'" in ids)


class Room:
    """One run.

    :ivar sync: what the functions under test take; replaced by :meth:`run`.
    """

    def __init__(self, store: SyncStore, folder: Path) -> None:
        self.store, self.books, self.salesforce = store, Books(), Salesforce()
        opened = (self.salesforce, SimpleNamespace(id=store.org_id, currency="USD"))
        self.sync = Sync(
            name=TO_KASHOO,
            run=RunFacts("run1"),
            org=SimpleNamespace(opened=opened, id=store.org_id, recall=self.salesforce.recall),  # type: ignore[arg-type]
            kashoo=self.books,  # type: ignore[arg-type]
            store=store,
            budget=SimpleNamespace(seconds_for=float),  # type: ignore[arg-type]
            mappings={name: shipped(name) for name in mapping_names()},
            files=Staging(folder, TO_KASHOO, "scope", "run1"),
            settings=Settings(),
        )
        self.sync.files.write_json("books", {"accounts": {"type:INCOME": 4000}, "rates": {}, "shared": {}})

    def run(self, name: str = TO_KASHOO, **facts: Any) -> Sync:
        """Let the run be another sync's, or a test batch."""
        self.sync = replace(self.sync, name=name, run=replace(self.sync.run, **facts))
        return self.sync

    def map(self, *mappings: Mapping) -> None:
        """Let these mappings take the place of shipped ones of the same name."""
        changed = {each.name: each for each in mappings}
        self.sync = replace(self.sync, mappings={**self.sync.mappings, **changed})

    def made(self, mapping: str, billable: dict[str, str] | None = None, **of: Any) -> Made:
        """Let a mapping have made something of records: id -> sale, and further results of the transform."""
        sales = billable or {}
        columns = {"Id": list(sales), "sale": list(sales.values()), "currency": ["USD"] * len(sales)}
        table = pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})
        table = table.append_column("rules", pa.array([0] * len(sales), pa.int64()))
        given = self.sync.mappings[mapping]
        return Made(self.sync, given, Part(self.sync, given.from_.object), Transformed(table, **of))

    def facts(self) -> Facts:
        return Facts.of(self.sync, self.reads())

    def reads(self) -> Reads:
        return Reads(self.sync)

    def delta(self, name: str, **more: Any) -> None:
        """Let an extract have staged its delta."""
        Delta(name, READ, READ, moves=True, note="", read=READ, records=0, **more).stage(self.sync.files, name)

    def linked(
        self,
        source_id: str = DEAL,
        kashoo_id: int = 501,
        document: dict[str, Any] | None = None,
        kind: str = "invoice",
        **more: Any,
    ) -> Link:
        """Let a record be linked to one of the books, which was written as the document says."""
        document = DOCUMENT if document is None else document
        self.books.put(kind, kashoo_id, document, source_id)
        record = Record(kind, OBJECTS[source_id[:3]], source_id)
        intent = LinkIntent(**{"record": record, "sale": source_id, "source_read": "2026-03-01"} | more)
        read = self.books.read(kind, kashoo_id)
        self.books.read_ids.clear()
        assert read
        change = LinkChange(
            kashoo_id=kashoo_id,
            fields=base_hashes(document, read.fields, self.store.hashes),
            currency="USD" if kind == "invoice" else None,
            expected_total=25_000 if kind == "invoice" else None,
            journal_date="2026-03-01" if kind == "invoice" else None,
        )
        self.store.journal.linked(intent, change, "run0")
        return self.store.links.of_sources(kind, [source_id])[source_id]

    def begun(self, source_id: str = DEAL, sale: str | None = None, kind: str = "invoice", **more: Any) -> Intent:
        """Begin the intent of a record that a mapping reads."""
        own = {"sale": sale or source_id, "source_read": READ}
        return Intent(record=Record(kind, OBJECTS[source_id[:3]], source_id), **own | more)

    def send(self, intent: Intent, run_id: str = "run0") -> Any:
        """Let a write be on its way."""
        return self.store.journal.send(
            intent, run_id=run_id, lease="other", deadline_seconds=60, payload_hash="", fields={}
        )

    def waiting(self) -> list[tuple[str, str]]:
        """List what is parked, with its cause."""
        return [(row["source_id"], row["cause"]) for row in self.store.journal.unsettled(State.PARKED)]

    def questions(self) -> list[tuple[str, str]]:
        """List what a person is asked."""
        return [(item["source_id"], item["error_class"]) for item in self.store.reviews.all_open()]
