"""What ``airflow kashoo status``, ``replay`` and ``resolve`` do: a person settles what a run may not."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from records import add_account, add_deal, books_rows, edit, invoice_of, remove_a_twin, today, twins, writes
from rich.console import Console
from rounds import (
    COLLECTION,
    Killed,
    Rounds,
    Start,
    at,
    bearing,
    billed_once,
    copy,
    fault,
    in_doubt,
    links,
    new_rows,
    open_items,
    operations,
    price,
    quiet,
    remove,
    states_of,
    win,
)

from airflow_provider_kashoo.cli.history import happened
from airflow_provider_kashoo.cli.status import print_status
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    Link,
)
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.by_hand.resolve import resolve


def doubtful(drive: Rounds) -> tuple[str, int, int]:
    """A deal whose invoice lost its reference before the look-up; give the deal, the operation and the invoice."""
    deal = win(drive)
    in_doubt(drive, deal)
    cleared = edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), memo="")
    drive.look_up()
    (operation,) = operations(drive, State.IN_DOUBT)
    return deal, operation["id"], cleared["id"]


def refused(drive: Rounds, ident: int, found: int | None) -> str:
    with pytest.raises(ConfigurationError) as said:
        resolve(drive.sync(), ident, found)
    return str(said.value)


def status(drive: Rounds) -> str:
    console = Console(file=io.StringIO(), width=300)
    print_status(drive.database, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


# -- resolve


def test_an_unknown_operation_is_not_resolved(drive: Rounds) -> None:
    assert refused(drive, 987654, None).startswith("Operation 987654 is unknown, not in doubt.")


def test_an_operation_that_is_done_is_not_resolved(drive: Rounds, start: Start) -> None:
    done = next(row["id"] for row in operations(drive, State.DONE) if row["source_id"] == start.deal)
    assert refused(drive, done, None).startswith(f"Operation {done} is done, not in doubt.")
    assert states_of(drive, start.deal) == ["done"]


def test_an_operation_of_another_business_is_unknown(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    _, operation, _ = doubtful(drive)
    other = list(drive.sandbox.books.businesses)[1]
    monkeypatch.setattr(drive.sandbox.books, "main", lambda: other)
    assert "is unknown" in refused(drive, operation, None)


def test_found_needs_a_record_that_is_in_the_books(drive: Rounds) -> None:
    deal, operation, invoice = doubtful(drive)
    assert refused(drive, operation, 12345).startswith("Kashoo has no invoice 12345.")
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice)
    assert refused(drive, operation, invoice).startswith(f"Kashoo has no invoice {invoice} any more.")
    assert open_items(drive) == [(deal, "in_doubt")]


def test_found_is_refused_for_the_invoice_of_another_sale(drive: Rounds, start: Start) -> None:
    deal, operation, _ = doubtful(drive)
    other = links(drive)[start.deal]
    assert refused(drive, operation, other).startswith(f"Kashoo's invoice {other} belongs to Opportunity {start.deal}.")
    assert open_items(drive) == [(deal, "in_doubt")]


def test_found_is_refused_for_an_invoice_that_bears_the_reference_of_another_sale(drive: Rounds) -> None:
    one, two = win(drive), win(drive, "400.00")
    fault(drive, "drop_after", times=2)
    drive.run()
    first = next(row["id"] for row in operations(drive, State.IN_DOUBT) if row["source_id"] == one)
    said = refused(drive, first, invoice_of(drive.sandbox, two)["id"])
    assert f"belongs to [sf:{two}:1:1], the reference that it carries." in said
    assert resolve(drive.sync(), first, invoice_of(drive.sandbox, one)["id"]) == "done"
    billed_once(drive, one)
    billed_once(drive, two, 40000)


def test_found_is_refused_for_an_invoice_that_another_org_linked(drive: Rounds) -> None:
    deal, operation, invoice = doubtful(drive)
    other = SyncStore(drive.database, "00D000000000009AAA", str(drive.sandbox.books.main()))
    theirs = Link(record=Record("invoice", "Opportunity", "006990000000001AAA"))
    other.journal.linked(theirs, LinkChange(invoice, {}), "run of the other org")
    assert "belongs to a sale of another Salesforce org." in refused(drive, operation, invoice)
    assert open_items(drive) == [(deal, "in_doubt")]


def test_found_with_another_total_is_done_and_named(drive: Rounds) -> None:
    deal, operation, invoice = doubtful(drive)
    (typed,) = [row for row in books_rows(drive.sandbox, "invoices") if row["id"] == invoice]
    edit(drive.sandbox, "invoices", typed, lineItems=[{**typed["lineItems"][0], "rate": 24000}])
    assert resolve(drive.sync(), operation, invoice) == "done"
    quiet(drive, writes_nothing=False)
    assert links(drive)[deal] == invoice
    assert open_items(drive) == [(deal, "total_differs")]


def test_found_of_an_update_is_the_record_that_was_updated(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    own = invoice_of(drive.sandbox, deal)
    typed = drive.sandbox.books.create(
        drive.sandbox.books.main(), "invoices", {**own, "number": None, "memo": "by hand"}
    )
    price(drive, deal, "300.00")
    fault(drive, "drop_after", path=r"invoices/\d+$", method="PUT")
    drive.run()
    (operation,) = operations(drive, State.IN_DOUBT)
    said = refused(drive, operation["id"], typed["id"])
    assert f"updated Kashoo's invoice {own['id']}, not {typed['id']}." in said
    assert links(drive)[deal] == own["id"]
    assert resolve(drive.sync(), operation["id"], own["id"]) == "done"
    billed_once(drive, deal, 30000)


@pytest.mark.parametrize("found", [5, None])
def test_a_write_back_is_not_resolved_because_it_is_told_again_by_itself(drive: Rounds, found: int | None) -> None:
    deal = win(drive)
    drive.run()

    def die(stage: str) -> None:
        if stage.startswith("received PATCH"):
            raise Killed

    drive.sandbox.faults["salesforce"].hook = die
    with pytest.raises(Killed):
        drive.run_back()
    drive.sandbox.faults["salesforce"].hook = None
    drive.sandbox.clock.advance(120)
    (operation,) = operations(drive, State.SENT)
    said = refused(drive, operation["id"], found)
    assert said.startswith(f"Operation {operation['id']} is a write-back.")
    assert "writes it to Salesforce again" in said
    billed_once(drive, deal)


def test_found_links_the_record_and_later_changes_reach_it(drive: Rounds) -> None:
    deal, operation, invoice = doubtful(drive)
    assert resolve(drive.sync(), operation, invoice) == "done"
    drive.sandbox.org.update("Opportunity", deal, {"Amount": Decimal("260.00")})
    billed_once(drive, deal, 26000)
    assert invoice_of(drive.sandbox, deal)["id"] == invoice


def test_absent_plans_the_sale_afresh_and_makes_it_once(drive: Rounds) -> None:
    before = books_rows(drive.sandbox, "invoices")
    deal, operation, invoice = doubtful(drive)
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice)
    drive.sandbox.clock.advance(7200)  # no window holds it any more
    assert resolve(drive.sync(), operation, None) == "not_written"
    billed_once(drive, deal)
    assert len(new_rows(drive, before)) == 1
    assert states_of(drive, deal) == ["not_written", "closed", "done"]


def test_a_write_that_may_still_be_answered_is_not_resolved(drive: Rounds) -> None:
    deal = win(drive)
    seen: list[str] = []

    def hook(stage: str) -> None:
        if stage.startswith("received POST") and stage.endswith("records/invoices"):
            drive.sandbox.faults["kashoo"].hook = None
            (operation,) = operations(drive, State.SENT)
            seen.append(refused(drive, operation["id"], None))

    drive.sandbox.faults["kashoo"].hook = hook
    drive.run()
    assert ["sent just now" in said for said in seen] == [True]
    billed_once(drive, deal)


def test_what_was_resolved_once_is_not_resolved_again(drive: Rounds) -> None:
    _, operation, invoice = doubtful(drive)
    resolve(drive.sync(), operation, invoice)
    assert "is done, not in doubt" in refused(drive, operation, None)


def resolved_as_absent_while_it_is_written(drive: Rounds) -> str:
    """A person takes a write for absent whose answer comes after all; give the deal."""
    deal = win(drive)

    def meanwhile() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        drive.sandbox.clock.advance(61)
        (operation,) = operations(drive, State.SENT)
        resolve(drive.sync(), operation["id"], None)

    at(drive, "processed POST records/invoices", meanwhile)
    drive.run()
    quiet(drive, writes_nothing=False)
    assert open_items(drive) == [(deal, "possible_duplicate")]
    return deal


def test_a_possible_duplicate_that_is_the_only_one_is_closed_within_a_week(drive: Rounds) -> None:
    deal = resolved_as_absent_while_it_is_written(drive)
    drive.sandbox.clock.advance(8 * 86_400)
    billed_once(drive, deal)


def test_a_possible_duplicate_stays_named_while_another_invoice_bears_the_reference(drive: Rounds) -> None:
    deal = resolved_as_absent_while_it_is_written(drive)
    second = copy(drive, invoice_of(drive.sandbox, deal))
    drive.sandbox.clock.advance(8 * 86_400)
    drive.run_back()
    assert open_items(drive) == [(deal, "possible_duplicate")]
    remove(drive, second)
    drive.sandbox.clock.advance(8 * 86_400)
    billed_once(drive, deal)


def test_a_possible_duplicate_is_closed_when_the_copy_loses_its_reference(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    second = copy(drive, invoice_of(drive.sandbox, deal))
    win(drive)
    drive.run()
    assert open_items(drive) == [(deal, "possible_duplicate")]
    drive.run_back()
    assert open_items(drive) == [(deal, "possible_duplicate")]
    edit(drive.sandbox, "invoices", second, memo="copied for the next quarter")
    drive.run_back()
    assert open_items(drive) == []


# -- replay


def test_replay_of_an_id_that_is_not_parked_replays_nothing(drive: Rounds) -> None:
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), today(drive.sandbox))
    deal = win(drive)
    drive.run()
    (parked,) = operations(drive, State.PARKED)
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), None)
    before = writes(drive.sandbox)
    with pytest.raises(ConfigurationError, match="No parked record has the id 987654"):
        replay(drive.sync(), [parked["id"], 987654])
    assert writes(drive.sandbox) == before
    assert replay(drive.sync(), [parked["id"]], by="ann")["created"] == 1
    (asked,) = [each for each in happened(drive.database, parked["source_id"]) if each.event == "replayed"]
    assert "asked by ann" in asked.text
    billed_once(drive, deal)


def test_replay_of_one_leaves_the_others_parked(drive: Rounds) -> None:
    deals = [add_deal(drive.sandbox, None), add_deal(drive.sandbox, None)]
    drive.run()
    parked = {row["source_id"]: row["id"] for row in operations(drive, State.PARKED)}
    assert sorted(parked) == sorted(deals)
    account = add_account(drive.sandbox)
    for deal in deals:
        drive.sandbox.org.update("Opportunity", deal, {"AccountId": account})
    replay(drive.sync(), [parked[deals[0]]])
    assert [len(bearing(drive, deal)) for deal in deals] == [1, 0]
    assert open_items(drive) == [(deals[1], "missing_value")]


def test_replay_of_a_parked_write_back_tells_it(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    fault(drive, "row_lock", COLLECTION, "PATCH", system="salesforce", times=None, records=(deal,))
    drive.run_back()
    drive.sandbox.faults["salesforce"].clear()
    (parked,) = operations(drive, State.PARKED)
    assert (parked["action"], parked["source_id"]) == (Action.WRITE_BACK, deal)
    assert replay(drive.sync(), [parked["id"]])["written_back"] == 1
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Open"
    assert open_items(drive) == []
    billed_once(drive, deal)


def test_replay_of_a_parked_parent_brings_along_what_waits_for_it(drive: Rounds) -> None:
    deal = twins(drive.sandbox)
    drive.run()
    parked = {row["target"]: row["id"] for row in operations(drive, State.PARKED)}
    assert sorted(parked) == ["customer", "invoice"]
    remove_a_twin(drive.sandbox, deal)
    drive.sandbox.clock.advance(7200)  # no window holds the deal any more
    assert replay(drive.sync(), [parked["customer"]])["created"] == 1
    assert len(bearing(drive, deal)) == 1
    assert open_items(drive) == []
    billed_once(drive, deal)


def test_replay_moves_no_watermark_and_writes_nothing_when_nothing_was_mended(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None)
    drive.run()
    mark = drive.store.watermarks.get("salesforce.Opportunity")
    drive.sandbox.clock.advance(3600)
    before = writes(drive.sandbox)
    assert replay(drive.sync(), None) == {"parked": 1}
    assert drive.store.watermarks.get("salesforce.Opportunity") == mark
    assert writes(drive.sandbox) == before
    assert states_of(drive, deal) == ["parked"]


def test_replay_does_not_touch_what_is_in_doubt(drive: Rounds) -> None:
    deal, operation, _ = doubtful(drive)
    assert replay(drive.sync(), None) == {}
    with pytest.raises(ConfigurationError):
        replay(drive.sync(), [operation])
    assert open_items(drive) == [(deal, "in_doubt")]


# -- status


def test_status_says_what_is_in_doubt_and_what_to_do(drive: Rounds) -> None:
    deal, operation, _ = doubtful(drive)
    cells = [line.strip("│┃| ").split("│") for line in status(drive).splitlines()]
    shown = [[cell.strip() for cell in row] for row in cells]
    assert [
        deal,
        "invoice, in doubt",
        "Opportunity",
        "a record without our reference looks like it",
        "Look in Kashoo, then run: airflow kashoo resolve ID --found KASHOO_ID, or --absent.",
    ] in shown
    assert str(operation) in {cell for row in shown for cell in row}


def test_status_says_so_when_nothing_waits(drive: Rounds) -> None:
    assert "nothing waits for a person" in status(drive)


def test_status_says_until_when_kashoo_asked_for_a_pause(drive: Rounds) -> None:
    budget = Budget(drive.database, "books", drive.limits)
    budget.close(90)
    assert "Kashoo asked for a pause: no request is sent before" in status(drive)
    drive.sandbox.clock.advance(91)
    assert "asked for a pause" not in status(drive)


def test_replay_counts_both_directions(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    drive.sandbox.org.delete("Opportunity", deal)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 100)
    drive.run_back()
    lone = add_deal(drive.sandbox, None, "250.00")
    drive.run()
    waiting = {ident for ident, _ in open_items(drive)}
    assert waiting >= {deal, lone}
    assert replay(drive.sync(), None)["parked"] == 2
