"""Whatever answer a write gets, written or not: a little later everything is as if nothing had been wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from records import add_account, add_deal, add_line, books_rows, invoice_of, writes
from rounds import (
    COLLECTION,
    CUSTOMERS,
    INVOICES,
    ITEMS,
    LOOK_UP_AFTER,
    OPEN_STATES,
    Killed,
    Rounds,
    Start,
    bearing,
    end_state,
    links,
    open_items,
    operations,
    remap,
    reviews,
)
from turns import in_turns

from airflow_provider_kashoo.core.errors import SyncError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.faults import Fault

WRITES = {
    "customer create": ("POST", CUSTOMERS),
    "item create": ("POST", ITEMS),
    "invoice create": ("POST", INVOICES),
    "customer update": ("PUT", r"contacts/customers/\d+$"),
    "invoice update": ("PUT", r"records/invoices/\d+$"),
    "write-back": ("PATCH", COLLECTION),
}
FAULTS: dict[str, dict[str, Any]] = {
    "drop_before": {},
    "drop_after": {},
    "error_before 500": {"status": 500},
    "error_before 503": {"status": 503},
    "error_after 500": {"status": 500},
    "error_after 502": {"status": 502},
    "error_after 503": {"status": 503},
    "error_after 503 with Retry-After": {"status": 503, "retry_after": 30},
    "unauthorized_before": {},
    "unauthorized_after": {},
    "cut_body": {},
    "html_before": {},
    "html_after": {},
    "slow_body": {"pause": lambda: 61.0},
    "too_many": {},
    "too_many with Retry-After": {"retry_after": 7},
    "too_many with a date": {"retry_after": 90, "as_date": True},
}


@pytest.fixture(scope="module")
def expected(start: Start, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    drive = begin(start, tmp_path_factory.mktemp("expected"))
    both_ways(drive)
    found = end_state(drive)
    assert (len(found["invoices"]), found["open"], found["reviews"]) == (2, {}, [])
    assert sum(row[2] is not None for row in found["salesforce"]) == 2
    drive.database.dispose()
    return found


@pytest.fixture
def drive(start: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = begin(start, tmp_path)
    yield drive
    drive.database.dispose()


def begin(start: Start, folder: Path) -> Rounds:
    """One of each kind of write is due: three creates, two updates, and what came in goes back."""
    drive = start.again(folder)
    remap(drive, "invoice_from_opportunity", "to: invoice\n", "to: invoice\nafter_payment: [memo]\n")
    box = drive.sandbox
    box.books.create_answer = "entity"
    box.books.pay(box.books.main(), invoice_of(box, start.deal)["id"], 5000)
    box.org.update("Account", start.account, {"Phone": "+1 555 0199"})
    box.org.update("Opportunity", start.deal, {"Name": "First deal, renamed"})
    add_line(box, add_deal(box, add_account(box, "New Customer"), None, Name="New deal"), "195.00", product="SV-200")
    return drive


HITS = [("customer create", "invoice update"), ("item create", "customer update"), ("invoice create", "write-back")]


def both_ways(drive: Rounds) -> None:
    """Run both directions; a run that stops is tried again by Airflow, at the latest by the next schedule."""
    with suppress(SyncError):
        drive.run()
    with suppress(SyncError):
        drive.run_back()


def settled(drive: Rounds, expected: dict[str, Any], runs: int = 2) -> bool:
    """Look whether at most so many later runs end as the run without faults did."""
    for _ in range(runs):
        drive.sandbox.clock.advance(LOOK_UP_AFTER)
        both_ways(drive)
        if end_state(drive) == expected:
            return True
    assert end_state(drive) == expected
    return False


@pytest.mark.parametrize(("kind", "hit"), in_turns(FAULTS, HITS, 3))
def test_whatever_answer_a_write_gets_it_ends_as_if_nothing_had_been_wrong(
    drive: Rounds, expected: dict[str, Any], kind: str, hit: tuple[str, str]
) -> None:
    drive.metered = kind.startswith(("too_many", "error_after 503 with"))
    for write in hit:
        method, path = WRITES[write]
        faults = drive.sandbox.faults["salesforce" if write == "write-back" else "kashoo"]
        faults.add(Fault(kind=kind.split(" ", maxsplit=1)[0], method=method, path=path, **FAULTS[kind]))  # type: ignore[arg-type]
    both_ways(drive)
    assert settled(drive, expected)
    assert sum(faults.fired.total() for faults in drive.sandbox.faults.values()) == 2


@pytest.mark.parametrize("shape", ["entity", "url-body", "location", "empty"])
def test_every_shape_of_an_answer_to_a_create_ends_alike(drive: Rounds, expected: dict[str, Any], shape: Any) -> None:
    drive.sandbox.books.create_answer = shape
    both_ways(drive)
    if shape == "empty":  # no id is told: each create is looked up, and what waits for it comes then
        assert [row["target"] for row in operations(drive, State.IN_DOUBT)] == ["customer", "item"]
    else:
        assert end_state(drive) == expected
    assert settled(drive, expected)


@pytest.mark.parametrize("write", ["invoice create", "customer create", "item create"])
def test_a_create_delivered_twice_is_seen(drive: Rounds, start: Start, write: str) -> None:
    method, path = WRITES[write]
    drive.sandbox.faults["kashoo"].add(Fault(kind="duplicate", method=method, path=path))
    both_ways(drive)
    add_line(
        drive.sandbox, add_deal(drive.sandbox, add_account(drive.sandbox, "Third"), None), "109.00", product="HW-110"
    )
    add_deal(drive.sandbox, add_account(drive.sandbox, "Third"), "300.00")
    both_ways(drive)
    target = write.split(" ", maxsplit=1)[0]
    (twice,) = [row["source_id"] for row in drive.store.reviews.all_open()]
    found = bearing(drive, twice, target + "s")
    assert len(found) == 2
    (item,) = drive.store.reviews.all_open()
    assert (item["target"], item["error_class"]) == (target, "possible_duplicate")
    assert {item["kashoo_id"], links(drive, target)[twice]} == {row["id"] for row in found}


@pytest.mark.parametrize("write", ["customer update", "invoice update", "write-back"])
def test_an_update_delivered_twice_changes_nothing(drive: Rounds, expected: dict[str, Any], write: str) -> None:
    method, path = WRITES[write]
    system = "salesforce" if write == "write-back" else "kashoo"
    drive.sandbox.faults[system].add(Fault(kind="duplicate", method=method, path=path))
    both_ways(drive)
    assert drive.sandbox.faults[system].fired.total() == 1
    assert end_state(drive) == expected


# -- Salesforce's own


def salesforce(drive: Rounds, kind: Any, **more: Any) -> None:
    drive.sandbox.faults["salesforce"].add(Fault(kind=kind, **more))


def test_a_row_that_is_locked_for_a_moment_is_written_at_the_second_try_and_the_others_at_once(
    drive: Rounds, start: Start, expected: dict[str, Any]
) -> None:
    salesforce(drive, "row_lock", method="PATCH", path=COLLECTION, records=(start.deal,))
    drive.run()
    assert drive.run_back().outcome == {"written_back": 2}
    tries = {row["source_id"]: row["attempts"] for row in operations(drive, State.DONE, target="Opportunity")[-2:]}
    assert tries.pop(start.deal) == 2
    assert set(tries.values()) == {1}
    assert end_state(drive) == expected


@pytest.mark.parametrize(
    ("kind", "path", "method"),
    [
        ("limit_daily", COLLECTION, "PATCH"),
        ("limit_concurrent", COLLECTION, "PATCH"),
        ("limit_daily", "/composite$", "POST"),
        ("limit_concurrent", "/composite$", "POST"),
        ("unauthorized_before", "/composite$", "POST"),
        ("drop_after", "/composite$", "POST"),
        ("cut_body", "/composite$", "POST"),
        ("html_after", "/composite$", "POST"),
        ("too_many", "/composite$", "POST"),
    ],
)
def test_a_limit_or_a_lost_session_of_salesforce_loses_nothing(
    drive: Rounds, expected: dict[str, Any], kind: Any, path: str, method: str
) -> None:
    salesforce(drive, kind, path=path, method=method, nth=1 if method == "PATCH" else 6)
    both_ways(drive)
    assert drive.sandbox.faults["salesforce"].fired.total() == 1
    assert settled(drive, expected)


@pytest.mark.parametrize("kind", ["locator_expired", "unauthorized_before", "drop_before"])
def test_a_query_that_ends_between_two_pages_moves_no_watermark_and_loses_no_deal(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    box = drive.sandbox
    account = add_account(box, "Many deals")
    deals = [add_deal(box, account, StageName="Prospecting") for _ in range(210)]
    box.org.update("Opportunity", deals[0], {"StageName": "Closed Won"})
    box.org.update("Opportunity", deals[-1], {"StageName": "Closed Won"})
    monkeypatch.setattr("airflow_provider_kashoo.sandbox.salesforce.queries.PAGE_ROWS", 200)
    salesforce(drive, kind, path=r"/query/.+-\d+$", method="GET")
    both_ways(drive)
    fired = drive.sandbox.faults["salesforce"].fired.total()
    both_ways(drive)
    assert fired == 1
    assert {deals[0], deals[-1]} <= set(links(drive))
    assert len(books_rows(box, "invoices")) == 4


@pytest.mark.parametrize("kind", ["crash", "drop_after", "row_lock"])
def test_what_salesforce_may_have_been_told_is_told_anew_even_when_it_is_true_again(
    drive: Rounds, start: Start, kind: str
) -> None:
    """The books say again what the last confirmed write-back said; the one in between may have been written too."""
    box = drive.sandbox
    drive.run_back()
    told = box.org.get("Opportunity", start.deal)["Kashoo_Paid__c"]
    (payment,) = books_rows(box, "invoicePayments")
    invoice = invoice_of(box, start.deal)
    box.books.pay(box.books.main(), invoice["id"], 700)
    if kind == "crash":
        box.faults["salesforce"].hook = lambda stage: die(drive, stage)
    else:
        salesforce(drive, kind, method="PATCH", path=COLLECTION)
    with suppress(Killed, SyncError):
        drive.run_back()
    (later,) = [row for row in books_rows(box, "invoicePayments") if row["id"] != payment["id"]]
    box.books.remove(box.books.main(), "invoicePayments", later["id"])
    drive.sandbox.clock.advance(LOOK_UP_AFTER)
    drive.run_back()
    assert box.org.get("Opportunity", start.deal)["Kashoo_Paid__c"] == told
    assert open_items(drive) == []
    assert drive.run_back().outcome.get("written_back", 0) == 0


def refused(drive: Rounds, deal: str) -> None:
    """Salesforce was told that a deal is paid; now it is not, but Salesforce takes nothing for it any more."""
    box = drive.sandbox
    invoice = invoice_of(box, deal)
    box.books.pay(box.books.main(), invoice["id"], invoice["balanceDue"])
    drive.run_back()
    assert box.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Paid"
    box.books.remove(box.books.main(), "invoicePayments", books_rows(box, "invoicePayments")[-1]["id"])
    box.org.delete("Opportunity", deal)
    box.clock.advance(8 * 86_400)  # the balance of a paid invoice is looked at once a week
    drive.run_back()
    assert open_items(drive) == [(deal, "entity_is_deleted")]


def test_a_refused_write_back_is_tried_again_by_every_run(drive: Rounds, start: Start) -> None:
    refused(drive, start.deal)
    before = writes(drive.sandbox)["salesforce"]
    drive.run_back()
    assert writes(drive.sandbox)["salesforce"] == before + 1
    drive.sandbox.org.undelete("Opportunity", start.deal)
    drive.run_back()
    assert drive.sandbox.org.get("Opportunity", start.deal)["Kashoo_Status__c"] == "Partly Paid"
    assert open_items(drive) == []


def test_a_refused_write_back_is_forgotten_when_what_was_told_is_true_again(drive: Rounds, start: Start) -> None:
    box = drive.sandbox
    drive.run_back()
    box.books.pay(box.books.main(), invoice_of(box, start.deal)["id"], 700)
    box.org.delete("Opportunity", start.deal)
    drive.run_back()
    assert open_items(drive) == [(start.deal, "entity_is_deleted")]
    box.books.remove(box.books.main(), "invoicePayments", books_rows(box, "invoicePayments")[-1]["id"])
    before = writes(box)["salesforce"]
    drive.run_back()
    assert writes(box)["salesforce"] == before
    assert open_items(drive) == []


def test_nobody_is_to_look_at_a_void_that_a_deleted_deal_cannot_be_told(drive: Rounds, start: Start) -> None:
    box = drive.sandbox
    box.org.delete("Opportunity", start.deal)
    invoice = invoice_of(box, start.deal)
    box.books.remove(box.books.main(), "invoicePayments", books_rows(box, "invoicePayments")[-1]["id"])
    box.books.remove(box.books.main(), "invoices", invoice["id"])
    drive.run_back()
    assert operations(drive, *OPEN_STATES) == []
    before = writes(box)["salesforce"]
    drive.run_back()
    assert writes(box)["salesforce"] == before  # but once a week


def die(drive: Rounds, stage: str) -> None:
    if stage.startswith("processed PATCH"):
        drive.sandbox.faults["salesforce"].hook = None
        raise Killed


def test_an_outage_of_kashoo_ends_the_run_early_and_is_made_up_for(drive: Rounds, expected: dict[str, Any]) -> None:
    drive.sandbox.faults["kashoo"].add(Fault(kind="drop_before", method="POST", path="/businesses/", times=None))
    both_ways(drive)
    drive.sandbox.faults["kashoo"].clear()
    assert settled(drive, expected)
    assert reviews(drive) == []
    before = writes(drive.sandbox)
    both_ways(drive)
    assert writes(drive.sandbox) == before
