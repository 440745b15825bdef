"""A quick driver and questions about the end state: for tests that play many runs against both systems."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import driver as driver_module
import pytest
from driver import LOOK_UP_AFTER, OPEN_STATES, Done, up_to_approval
from inprocess import WEDNESDAY, InProcessDriver
from postgres import TEMPLATE, Postgres
from records import add_account, add_deal, add_line, add_order, books_rows, today, writes

from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Dropped, Fault
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync
from airflow_provider_kashoo.sync.write.engine import Engine

INVOICES = "records/invoices$"
CUSTOMERS = "contacts/customers$"
ITEMS = "items$"
COLLECTION = "composite/sobjects$"
WRITTEN_BACK = ("Invoice", "Status", "Paid", "Balance", "Last_Payment")


class Rounds(InProcessDriver):
    """Keeps connections and describes between runs; whatever waits moves the sandbox's clock instead.

    :param postgres: where the store is made; a SQLite file in the folder without it.
    :param template: database to begin from.
    """

    def __init__(
        self, sandbox: Sandbox, folder: Path, postgres: Postgres | None = None, template: str = TEMPLATE
    ) -> None:
        self._org_client: SalesforceClient | None = None
        self.postgres = postgres
        super().__init__(sandbox, folder, postgres.fresh(template) if postgres else None)
        self.metered = False

    def end(self) -> None:
        """Close the store, and drop it where that costs memory."""
        self.database.dispose()
        if self.postgres:
            self.postgres.drop(self.url)

    def salesforce(self) -> SalesforceClient:
        if self._org_client is None:
            self._org_client = super().salesforce()
        return self._org_client

    def sync(self, name: str = TO_KASHOO, **facts: Any) -> Sync:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(driver_module, "load_mappings", _mappings)
            sync = super().sync(name, **facts)
        if not self.metered:
            return replace(sync, kashoo=self.kashoo())
        budget = Budget(self.database, "books", self.limits, sleep=self.sandbox.clock.advance)
        return replace(sync, budget=budget, kashoo=self.kashoo(budget))

    def prepare(self, name: str = TO_KASHOO, **facts: Any) -> Sync:
        """Run a sync as far as its approval, a minute after whatever happened before."""
        self.sandbox.clock.advance(60)
        sync = self.sync(name, **facts)
        up_to_approval(sync)
        return sync

    def apply(self, sync: Sync) -> dict[str, int]:
        """Apply what was prepared."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(steps, "Engine", partial(Engine, sleep=self.sandbox.clock.advance))
            return steps.apply(sync)

    def finish(self, sync: Sync) -> dict[str, int]:
        """Apply and commit what was prepared."""
        outcome = self.apply(sync)
        steps.commit(sync)
        return outcome

    def run(self, name: str = TO_KASHOO, **facts: Any) -> Done:
        sync = self.prepare(name, **facts)
        outcome = self.apply(sync)
        summary = sync.files.read_json("summary")
        return Done(sync, summary, outcome, steps.commit(sync))  # type: ignore[arg-type]

    def look_up(self) -> Done:
        """Run when everything without an answer is old enough to be looked up."""
        self.sandbox.clock.advance(LOOK_UP_AFTER)
        return self.run()


@lru_cache
def _mappings(folder: Path) -> Any:
    """Read a folder once; and files that are the same, such as the shipped ones, once for all folders."""
    content = tuple((path.name, path.read_bytes()) for path in sorted(folder.iterdir()) if path.is_file())
    if content not in _READ:
        _READ[content] = load_mappings(folder)
    return _READ[content]


_READ: dict[tuple[tuple[str, bytes], ...], Any] = {}


class Start:
    """A sandbox and a store in which a deal with an item was billed and paid in part; given out as often as wanted."""

    def __init__(self, box: Sandbox, folder: Path, postgres: Postgres | None = None) -> None:
        self.box, self.folder, self._postgres = box, folder, postgres
        drive = Rounds(box, folder, postgres)
        self.account = add_account(box, "First Customer", "first@customer.example")
        self.deal = add_deal(box, self.account, None, Name="First deal")
        add_line(box, self.deal, "200.00")
        drive.run()
        drive.run_back()
        for _ in range(2):  # until no window holds this deal any more
            box.clock.advance(3600)
            drive.run()
        drive.database.dispose()
        self._template = str(drive.url.database)
        shutil.rmtree(folder / "staging")
        self._snapshot = box.snapshot()

    def again(self, folder: Path) -> Rounds:
        """Begin again in another folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        self.box.restore(self._snapshot)
        for faults, log in zip(self.box.faults.values(), self.box.logs.values(), strict=True):
            faults.clear()
            faults.hook = None
            log.clear()  # it forgets its oldest entries by itself, which would spoil a count
        drive = Rounds(self.box, folder, self._postgres, self._template)
        drive.runs = 100  # a run id is never used twice, not by another driver of this store either
        return drive


@contextmanager
def in_step(folder: Path, now: datetime | None = None, postgres: Postgres | None = None) -> Iterator[Start]:
    """Open a sandbox for a :class:`Start`; given a moment, its clock begins there and moves only when told to."""
    clock = Clock(now, source=lambda: 0.0) if now else Clock(WEDNESDAY)
    with Sandbox(dataset="empty", serve=False, clock=clock) as box:
        yield Start(box, folder, postgres)


def fault(
    drive: Rounds, kind: Any, path: str = INVOICES, method: str = "POST", *, system: str = "kashoo", **more: Any
) -> None:
    """Arm one fault of Kashoo, unless another system is named."""
    drive.sandbox.faults[system].add(Fault(kind=kind, method=method, path=path, **more))


def at(drive: Rounds, stage: str, call: Any, *, nth: int = 1) -> None:
    """Call something once, when Kashoo reaches the n-th stage whose name starts so, such as ``received POST /api``."""
    count = 0

    def hook(reached: str) -> None:
        nonlocal count
        verb, method, path = stage.split(" ")
        here = reached.split(" ")
        if here[:2] != [verb, method] or not here[2].endswith(path):
            return
        count += 1
        if count == nth:
            call()

    drive.sandbox.faults["kashoo"].hook = hook


class Late:
    """A server that takes the next create of a kind, says nothing, and writes it only when told to."""

    def __init__(self, drive: Rounds, kind: str = "invoices") -> None:
        self._books, self._kind = drive.sandbox.books, kind
        self._create = self._books.create
        self.taken: list[Any] = []
        self._books.create = self._take  # type: ignore[method-assign]

    def _take(self, business: int, kind: str, body: Any) -> Any:
        if kind != self._kind:
            return self._create(business, kind, body)
        del self._books.create
        self.taken.append((business, kind, body))
        raise Dropped

    def commit(self) -> None:
        self._create(*self.taken.pop())


def crash(drive: Rounds, stage: str, call: Any, *, nth: int = 1) -> None:
    """Let the process die when Kashoo reaches a stage during a call."""

    def die() -> None:
        raise Killed

    at(drive, stage, die, nth=nth)
    with pytest.raises(Killed):
        call()
    drive.sandbox.faults["kashoo"].hook = None


class Killed(BaseException):
    """The process died here."""


def operations(drive: Rounds, *states: State, target: str = "") -> list[dict[str, Any]]:
    found = drive.store.journal.unsettled(*(states or State))
    return [dict(row) for row in found if target in {"", row["target"]}]


def states_of(drive: Rounds, source_id: str, target: str = "invoice") -> list[str]:
    """List the states of a record's operations, oldest first."""
    return [str(row["state"]) for row in operations(drive, target=target) if row["source_id"] == source_id]


def open_items(drive: Rounds) -> list[tuple[str, str]]:
    """List (source id, why) of what waits for a person, or for another look."""
    waiting = [(row["source_id"], row["error_class"]) for row in operations(drive, *OPEN_STATES)]
    return sorted(waiting + reviews(drive))


def reviews(drive: Rounds) -> list[tuple[str, str]]:
    return [(row["source_id"], row["error_class"]) for row in drive.store.reviews.all_open()]


def links(drive: Rounds, target: str = "invoice") -> dict[str, int]:
    """Source id -> the record of the books it is linked to."""
    return {link.source_id: link.kashoo_id for link in drive.store.links.of_target(target)}


def bearing(drive: Rounds, source_id: str, kind: str = "invoices") -> list[dict[str, Any]]:
    """List what stands in the books with a reference to a record, any part and generation."""
    return [row for row in books_rows(drive.sandbox, kind) if f"[sf:{source_id}:" in str(row)]


def new_rows(drive: Rounds, before: list[dict[str, Any]], kind: str = "invoices") -> list[dict[str, Any]]:
    """List what came to the books since, with or without a reference."""
    known = {row["id"] for row in before}
    return [row for row in books_rows(drive.sandbox, kind) if row["id"] not in known]


def win(drive: Rounds, amount: str = "250.00", **fields: Any) -> str:
    """A new deal of a new customer is won."""
    return add_deal(drive.sandbox, add_account(drive.sandbox), amount, **fields)


def change(drive: Rounds, deal: str, **fields: Any) -> None:
    drive.sandbox.org.update("Opportunity", deal, fields)


def price(drive: Rounds, deal: str, amount: str) -> None:
    change(drive, deal, Amount=Decimal(amount))


def moved_on(drive: Rounds) -> None:
    """Let so much time and so many runs pass that no window holds what was done before."""
    for _ in range(2):
        drive.sandbox.clock.advance(3600)
        drive.run()


def weeks(drive: Rounds, count: int) -> None:
    """Let weeks pass, each with one run of both directions."""
    for _ in range(count):
        drive.sandbox.clock.advance(7 * 86_400)
        drive.run()
        drive.run_back()


def lock(drive: Rounds, until: str | None) -> None:
    """Lock the books up to a date, so that Kashoo refuses what is dated before; None unlocks them."""
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), until)


def replay_all(drive: Rounds) -> None:
    """Replay everything that is parked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "Engine", partial(Engine, sleep=drive.sandbox.clock.advance))
        replay(drive.sync(), None)


def quiet(drive: Rounds, *, writes_nothing: bool = True) -> None:
    """Both directions: everything finds its rest, and then nothing is written any more."""
    drive.look_up()
    drive.run_back()
    before = writes(drive.sandbox)
    drive.run()
    drive.run_back()
    assert not writes_nothing or writes(drive.sandbox) == before
    assert operations(drive, State.SENT) == []


def billed_once(drive: Rounds, deal: str, total: int = 25000, asked: str | None = None) -> dict[str, Any]:
    """One invoice, the one that is linked, of this total; nothing waits for a person but one question about it."""
    quiet(drive)
    (invoice,) = bearing(drive, deal)
    assert invoice["totalDue"] == total
    assert links(drive)[deal] == invoice["id"]
    assert open_items(drive) == ([(deal, asked)] if asked else [])
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Invoice__c"] == invoice["number"]
    return invoice


def in_doubt(drive: Rounds, deal: str, **faults: Any) -> None:
    """A run sends the invoice of a deal and gets no answer; the books have written it."""
    fault(drive, "drop_after", **faults)
    drive.run()
    assert states_of(drive, deal) == ["in_doubt"]


def copy(drive: Rounds, invoice: dict[str, Any]) -> dict[str, Any]:
    """Let a person copy an invoice in the books, its reference too."""
    return drive.sandbox.books.create(drive.sandbox.books.main(), "invoices", {**invoice, "number": None})


def remove(drive: Rounds, invoice: dict[str, Any]) -> None:
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice["id"])


def backup_of(drive: Rounds, folder: Path) -> Rounds:
    """Copy the store and all that lies beside it, as a backup of the night does; gives what it is once restored."""
    drive.database.dispose()
    for path in drive.folder.rglob("*"):
        target = folder / path.relative_to(drive.folder)
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    return Rounds(drive.sandbox, folder, drive.postgres, str(drive.url.database))


def moved_by(drive: Rounds, days: int) -> str:
    return (date.fromisoformat(today(drive.sandbox)) + timedelta(days=days)).isoformat()


def end_state(drive: Rounds) -> dict[str, Any]:
    """Give everything that must be equal in the end, by references instead of ids and numbers."""
    box = drive.sandbox
    names = {row["id"]: row["contactInformation"]["name"] for row in books_rows(box, "customers")}
    items = {row["id"]: row["name"] for row in books_rows(box, "items")}
    numbers = {row["number"]: row["memo"] for row in books_rows(box, "invoices")}

    def invoice(row: dict[str, Any]) -> tuple[Any, ...]:
        kept = ("memo", "date", "dueDate", "currency", "totalDue", "balanceDue", "poNumber")
        lines = [
            (str(line["quantity"]), line["rate"], line.get("description"), items.get(line.get("item")))
            for line in row["lineItems"]
        ]
        return (*(row.get(name) for name in kept), names[row["contact"]], tuple(lines))

    def told(row: dict[str, Any]) -> tuple[Any, ...]:
        number, *values = (row[f"Kashoo_{name}__c"] for name in WRITTEN_BACK)
        return (row["Id"], numbers.get(number), *values)

    states = Counter(str(row["state"]) for row in operations(drive, *OPEN_STATES))
    return {
        "invoices": sorted((invoice(row) for row in books_rows(box, "invoices")), key=str),
        "customers": sorted(str((row["contactInformation"], row.get("notes"))) for row in books_rows(box, "customers")),
        "items": sorted((row["name"], row.get("code"), row.get("description")) for row in books_rows(box, "items")),
        "salesforce": sorted(
            (told(row) for sobject in ("Opportunity", "Order") for row in box.org.rows(sobject)), key=str
        ),
        "links": sorted(
            (target, ident) for target in ("customer", "item", "invoice") for ident in links(drive, target)
        ),
        "open": dict(states),
        "reviews": reviews(drive),
    }


def sold(drive: Rounds, amount: str = "250.00", **fields: Any) -> str:
    """A won deal with one product; its name is in the memo alone."""
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None, **fields)
    add_line(drive.sandbox, deal, amount)
    return deal


def knows(drive: Rounds, **profile: Any) -> None:
    """Let the connection say what its books are like."""
    plain, told = type(drive).kashoo, Profile().overridden(profile)

    def kashoo(budget: Any = None) -> Any:
        client = plain(drive, budget)
        client.profile = told
        return client

    drive.kashoo = kashoo  # type: ignore[method-assign]


def remap(drive: Rounds, name: str, old: str, new: str) -> None:
    """Edit a mapping file."""
    path = drive.mappings / f"{name}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    _mappings.cache_clear()


def order_with(drive: Rounds, **fields: Any) -> str:
    """An activated Order by itself."""
    order = add_order(drive.sandbox, add_account(drive.sandbox), None)
    if fields:
        drive.sandbox.org.update("Order", order, fields)
    return order
