"""``on_leave: void_unpaid``: W3 (win, void, win again) and everything that can come between two of these.

Every test ends with the same questions: is what stands in the books what Salesforce says is sold, was each write
sent once, and does a person know of what was left standing?
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rounds
from records import add_account, add_deal, add_order, books_rows, edit, invoice_of, writes
from rounds import (
    LOOK_UP_AFTER,
    Rounds,
    Start,
    at,
    bearing,
    change,
    crash,
    fault,
    links,
    open_items,
    operations,
    price,
    quiet,
    reviews,
    states_of,
    win,
)

from airflow_provider_kashoo.core.errors import ConfigurationError, SyncError
from airflow_provider_kashoo.core.mapping import load_mapping
from airflow_provider_kashoo.core.operations import State
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync import leaving
from airflow_provider_kashoo.sync.replay import replay, resolve

ONE_INVOICE = r"records/invoices/\d+$"


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    clock = Clock(datetime(2026, 3, 4, 12, tzinfo=UTC), source=lambda: 0.0)  # a Wednesday: weeks begin when told to
    with Sandbox(dataset="empty", serve=False, clock=clock) as box:
        yield Start(box, tmp_path_factory.mktemp("start"))


@pytest.fixture
def drive(start: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = start.again(tmp_path)
    void_unpaid(drive)
    yield drive
    drive.database.dispose()


def void_unpaid(drive: Rounds, *names: str) -> None:
    for name in names or ("invoice_from_opportunity", "invoice_from_order"):
        path = drive.mappings / f"{name}.yaml"
        text = path.read_text("utf-8").replace("to: invoice\n", "to: invoice\non_leave: void_unpaid\n")
        path.write_text(text, "utf-8")
    rounds._mappings.cache_clear()  # the driver keeps what it read of a folder once


def lose(drive: Rounds, deal: str) -> None:
    change(drive, deal, StageName="Negotiation/Review")


def rewin(drive: Rounds, deal: str) -> None:
    change(drive, deal, StageName="Closed Won")


def undelete(drive: Rounds, deal: str) -> None:
    """Take a deal out of the recycle bin, which moves its stamp."""
    table = drive.sandbox.org.table("Opportunity")
    row = table.rows[deal]
    drive.sandbox.org._save(table, row | {"IsDeleted": False}, row)


def sent(drive: Rounds, method: str) -> int:
    entries = drive.sandbox.logs["kashoo"].entries()
    return sum(seen["method"] == method and "records/invoices" in seen["path"] for seen in entries)


def all_invoices(drive: Rounds, source: str) -> list[dict[str, Any]]:
    """List every invoice a record ever had, removed ones too."""
    rows = drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"].rows.values()
    return [row for row in rows if f"[sf:{source}:" in (row["memo"] or "")]


def standing(drive: Rounds, source: str) -> list[str]:
    """List the references that stand in the books for a record."""
    return [f"[sf:{row['memo'].partition('[sf:')[2]}" for row in bearing(drive, source)]


def told(drive: Rounds, ident: str, sobject: str = "Opportunity") -> tuple[Any, ...]:
    row = drive.sandbox.org.table(sobject).rows[ident]
    return tuple(row[f"Kashoo_{name}__c"] for name in ("Status", "Paid", "Balance", "Invoice"))


def remove(drive: Rounds, invoice: dict[str, Any]) -> None:
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice["id"])


def causes(drive: Rounds, deal: str) -> list[str]:
    return [row["cause"] for row in drive.store.reviews.all_open() if row["source_id"] == deal]


def voided(drive: Rounds, deal: str) -> None:
    """Nothing stands, nothing waits, and nothing is written any more."""
    quiet(drive)
    assert standing(drive, deal) == []
    assert deal not in links(drive)
    assert open_items(drive) == []


def rebilled(drive: Rounds, deal: str, generation: int) -> None:
    """One invoice of this generation stands and is linked, all earlier ones are removed, nothing waits."""
    quiet(drive)
    assert standing(drive, deal) == [f"[sf:{deal}:1:{generation}]"]
    every = all_invoices(drive, deal)
    assert [row["removed"] for row in every] == [True] * (generation - 1) + [False]
    assert links(drive)[deal] == every[-1]["id"]
    assert told(drive, deal)[0] == "Open"
    assert told(drive, deal)[3] == every[-1]["number"]
    assert open_items(drive) == []


# -- what is voided, and what is not


def test_the_invoice_of_a_deal_that_is_lost_is_voided_once_and_salesforce_is_told_once(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    number = invoice_of(drive.sandbox, deal)["number"]
    assert told(drive, deal) == ("Open", 0, 250, number)
    lose(drive, deal)
    done = drive.run()
    assert done.outcome == {"voided": 1, "unchanged": 1}
    assert done.summary["actions"]["invoice"] == {"void": 1}  # type: ignore[index]
    assert drive.run_back().outcome["written_back"] == 1
    assert told(drive, deal) == ("Void", 0, 0, number)
    voided(drive, deal)
    assert sent(drive, "DELETE") == 1
    with drive.database.begin() as connection:
        reasons = connection.exec_driver_sql("SELECT reason FROM audit WHERE event = 'void'").scalars().all()
    assert reasons == ["it is not IsWon; its invoice is unpaid and as it was written"]


def test_by_default_nothing_is_voided(drive: Rounds, start: Start, tmp_path_factory: Any) -> None:
    plain = start.again(tmp_path_factory.mktemp("plain"))
    deal = win(plain)
    plain.run()
    lose(plain, deal)
    quiet(plain)
    assert len(bearing(plain, deal)) == 1
    assert causes(plain, deal) == ["its invoice stands, but it is not IsWon"]
    plain.database.dispose()


@pytest.mark.parametrize(
    ("hand", "why"),
    [
        ("paid in part", "money came in for it"),
        ("paid and refunded", "money came in for it"),
        ("another amount", "lines changed in Kashoo"),
        ("another date", "date changed in Kashoo"),
        ("another text", "memo changed in Kashoo"),
        ("closed period", "its date lies in a locked period"),
    ],
)
def test_what_somebody_touched_is_for_a_person_and_says_why(drive: Rounds, hand: str, why: str) -> None:
    deal, books = win(drive), drive.sandbox.books
    drive.run()
    drive.run_back()
    drive.run()  # our own write-back touched the deal
    invoice, main = invoice_of(drive.sandbox, deal), books.main()
    match hand:
        case "paid in part":
            books.pay(main, invoice["id"], 1)
        case "paid and refunded":
            books.pay(main, invoice["id"], 25000)
            books.pay(main, invoice["id"], -25000)
            drive.run_back()
        case "another amount":
            edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 24000}])
        case "another date":
            edit(drive.sandbox, "invoices", invoice, date="2026-01-02")
        case "another text":
            edit(drive.sandbox, "invoices", invoice, memo=f"keep this {invoice['memo']}")
        case "closed period":
            books.lock_until(main, invoice["date"])
    lose(drive, deal)
    drive.run()
    removals = sent(drive, "DELETE")
    assert removals == (hand == "closed period")
    quiet(drive)
    assert len(bearing(drive, deal)) == 1
    (cause,) = causes(drive, deal)
    assert "not IsWon" in cause
    assert cause.endswith(f"it was not voided: {why}")
    assert operations(drive, State.SENT, State.IN_DOUBT, State.PARKED, State.RETRY) == []
    books.lock_until(main, None)
    if hand != "another amount":
        rewin(drive, deal)
        drive.run()
        assert causes(drive, deal) == []  # it closes by itself: the invoice is wanted again
        assert len(all_invoices(drive, deal)) == 1


def test_an_adopted_invoice_of_which_nothing_is_known_is_for_a_person(drive: Rounds, tmp_path_factory: Any) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    void_unpaid(second)
    for _ in range(3):  # until no window holds the deal any more
        second.run()
        second.sandbox.clock.advance(3600)
    win(second, "275.00")  # something to create, so that the books are searched
    second.run()
    price(second, deal, "255.00")
    second.run()
    assert len(bearing(drive, deal)) == 1
    assert causes(second, deal)[0].endswith("it was not voided: this store does not know what was written")
    second.database.dispose()


def test_an_invoice_removed_by_hand_stays_for_a_person_and_is_never_made_again(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    remove(drive, invoice_of(drive.sandbox, deal))
    lose(drive, deal)
    quiet(drive)
    assert reviews(drive) == [(deal, "removed_in_books")]
    rewin(drive, deal)
    quiet(drive)
    assert bearing(drive, deal) == []
    assert sent(drive, "DELETE") == 0
    assert (deal, "removed_in_books") in open_items(drive)


def test_a_test_batch_voids_nothing(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    drive.run(limit=1)
    assert len(bearing(drive, deal)) == 1
    drive.run()
    voided(drive, deal)


def test_a_deal_that_another_mapping_bills_does_not_leave(drive: Rounds) -> None:
    text = (drive.mappings / "invoice_from_opportunity.yaml").read_text("utf-8")
    text = text.replace("name: invoice_from_opportunity", "name: small_deals").replace("Amount >= 100", "Amount < 100")
    (drive.mappings / "a_small_deals.yaml").write_text(text, "utf-8")
    void_unpaid(drive, "customer_from_account")  # forgets what was read
    deal = win(drive)
    drive.run()
    price(drive, deal, "260.00")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 26000
    assert open_items(drive) == []
    price(drive, deal, "50.00")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 5000
    lose(drive, deal)
    drive.run()
    voided(drive, deal)


# -- W3


def test_w3_win_void_win_void_win_makes_three_invoices_and_two_are_removed(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    for _ in range(2):
        lose(drive, deal)
        drive.run()
        drive.run_back()
        assert told(drive, deal)[:3] == ("Void", 0, 0)
        rewin(drive, deal)
        drive.run()
        drive.run_back()
    rebilled(drive, deal, 3)
    assert sent(drive, "POST") == 3
    assert sent(drive, "DELETE") == 2


def test_w3_without_a_write_back_in_between_salesforce_is_told_of_the_newest_only(drive: Rounds) -> None:
    deal = win(drive)
    for _ in range(3):
        drive.run()
        lose(drive, deal)
        drive.run()
        rewin(drive, deal)
    drive.run()
    done = drive.run_back()
    assert (done.outcome["written_back"], done.outcome.get("stale", 0)) == (1, 0)
    rebilled(drive, deal, 4)


def test_a_change_after_the_second_win_keeps_the_reference_of_its_generation(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    price(drive, deal, "310.00")
    drive.run()
    (invoice,) = bearing(drive, deal)
    assert (invoice["totalDue"], invoice["memo"].count("[sf:")) == (31000, 1)
    rebilled(drive, deal, 2)


def test_a_void_that_salesforce_was_to_be_told_is_not_told_over_a_newer_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    lose(drive, deal)
    drive.run()
    slow = drive.prepare("kashoo_to_salesforce")
    rewin(drive, deal)
    drive.run()
    assert drive.finish(slow).get("stale") == 1
    rebilled(drive, deal, 2)


def test_a_write_back_without_an_answer_does_not_hold_up_the_next_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.faults["salesforce"].add(Fault(kind="drop_after", method="PATCH", path="composite/sobjects$"))
    with suppress(SyncError):
        drive.run_back()
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    rebilled(drive, deal, 2)


def test_an_invoice_that_the_books_forget_when_it_is_removed_is_told_without_its_number(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal, books = win(drive), drive.sandbox.books
    drive.run()
    drive.run_back()
    number = told(drive, deal)[3]
    original = books.read

    def read(business: int, kind: str, ident: int) -> Any:
        row = original(business, kind, ident)
        if row["removed"]:
            books._present(books.business(business), kind, ident)  # raises 404
        return row

    monkeypatch.setattr(books, "read", read)
    lose(drive, deal)
    drive.run()
    drive.run_back()
    assert told(drive, deal) == ("Void", 0, 0, number)
    voided(drive, deal)


# -- deleted, undeleted, vanished


def test_a_deleted_deal_is_voided_and_an_undeleted_one_is_billed_anew(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    drive.sandbox.org.delete("Opportunity", deal)
    drive.run()
    voided(drive, deal)
    undelete(drive, deal)
    drive.run()
    rebilled(drive, deal, 2)


def test_a_deal_deleted_and_undeleted_before_the_run_is_left_alone(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.org.delete("Opportunity", deal)
    undelete(drive, deal)
    drive.run()
    rebilled(drive, deal, 1)
    assert sent(drive, "DELETE") == 0


def test_a_deal_undeleted_between_plan_and_void_is_billed_anew_by_the_next_run(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.org.delete("Opportunity", deal)
    slow = drive.prepare()
    undelete(drive, deal)
    drive.finish(slow)
    drive.run()
    rebilled(drive, deal, 2)


def test_a_deal_that_comes_back_lost_learns_of_its_void_within_a_week(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    drive.sandbox.org.delete("Opportunity", deal)
    drive.run()
    drive.run_back()
    assert drive.run_back().outcome.get("skip", 0) == 0  # it is not tried every hour
    undelete(drive, deal)
    lose(drive, deal)
    drive.run()
    drive.sandbox.clock.advance(7 * 86400)
    drive.run_back()
    assert told(drive, deal)[:3] == ("Void", 0, 0)
    voided(drive, deal)


def vanish(drive: Rounds, deals: list[str]) -> None:
    """Let deals be read once more, and then not be found at all."""
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), "2030-01-01")
    for deal in deals:
        price(drive, deal, "300.00")
    drive.run()  # parked: read in every run
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), None)
    for deal in deals:
        del drive.sandbox.org.table("Opportunity").rows[deal]


def test_a_deal_that_vanished_is_voided(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    vanish(drive, [deal])
    drive.run()
    voided(drive, deal)


def test_many_that_vanish_at_once_are_for_a_person(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "MANY", 1)
    deals = [win(drive), win(drive)]
    drive.run()
    vanish(drive, deals)
    drive.run()
    for deal in deals:
        assert len(bearing(drive, deal)) == 1
        assert causes(drive, deal)[0].endswith("so many vanished at once that perhaps they may not be read")


# -- between plan and void, and while it is in doubt


def test_money_that_comes_in_between_plan_and_void_keeps_the_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    slow = drive.prepare()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 25000)
    assert drive.finish(slow)["stale"] == 1
    assert sent(drive, "DELETE") == 0
    quiet(drive)
    assert causes(drive, deal) == ["its invoice stands, but it is not IsWon; it was not voided: money came in for it"]


def test_money_that_comes_in_between_the_last_look_and_the_removal_keeps_the_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    ident = invoice_of(drive.sandbox, deal)["id"]
    lose(drive, deal)
    at(drive, f"received DELETE {ident}", lambda: drive.sandbox.books.pay(drive.sandbox.books.main(), ident, 25000))
    assert drive.run().outcome["review"] == 1
    drive.sandbox.faults["kashoo"].hook = None
    quiet(drive)
    assert causes(drive, deal)[0].endswith("money came in for it") or "refused" in causes(drive, deal)[0]
    assert len(bearing(drive, deal)) == 1


FAULTS: dict[str, dict[str, Any]] = {
    "drop_before": {},
    "drop_after": {},
    "error_before 500": {"status": 500},
    "error_after 503": {"status": 503},
    "error_before 404": {"status": 404},
    "error_after 404": {"status": 404},
    "unauthorized_before": {},
    "unauthorized_after": {},
    "html_before": {},
    "html_after": {},
    "cut_body": {},
    "too_many": {},
    "duplicate": {},
}


@pytest.mark.parametrize("again", [False, True], ids=["stays lost", "won again while in doubt"])
@pytest.mark.parametrize("kind", FAULTS)
def test_whatever_answer_a_void_gets(drive: Rounds, kind: str, again: bool) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    fault(drive, kind.partition(" ")[0], ONE_INVOICE, "DELETE", **FAULTS[kind])
    drive.run()
    assert drive.sandbox.faults["kashoo"].fired.total() == 1
    gone = bearing(drive, deal) == []
    doubtful = states_of(drive, deal)[-1] == "in_doubt"
    if again:
        rewin(drive, deal)
        drive.run()
        assert not doubtful or len(all_invoices(drive, deal)) == 1  # nothing new until it is settled
        rebilled(drive, deal, 2 if gone else 1)
    elif kind == "error_before 404":
        assert causes(drive, deal)[0].endswith("Kashoo does not have this record or path (404)")
        lose(drive, deal)
        drive.run()
        voided(drive, deal)
    else:
        voided(drive, deal)


def test_a_yes_that_removed_nothing_is_looked_up_and_tried_again(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal, books = win(drive), drive.sandbox.books
    drive.run()
    lose(drive, deal)
    with monkeypatch.context() as patch:
        patch.setattr(books, "remove", lambda *_: None)
        drive.run()
    assert states_of(drive, deal)[-1] == "in_doubt"
    voided(drive, deal)


@pytest.mark.parametrize("again", [False, True], ids=["stays lost", "won again"])
@pytest.mark.parametrize("stage", ["received", "processed", "answered"])
def test_a_crash_around_the_void(drive: Rounds, stage: str, again: bool) -> None:
    deal = win(drive)
    drive.run()
    ident = invoice_of(drive.sandbox, deal)["id"]
    lose(drive, deal)
    crash(drive, f"{stage} DELETE {ident}", drive.run)
    assert states_of(drive, deal)[-1] == "sent"
    if again:
        rewin(drive, deal)
        drive.run()
        assert len(all_invoices(drive, deal)) == 1
        rebilled(drive, deal, 1 if stage == "received" else 2)
    else:
        drive.run()
        assert sent(drive, "DELETE") == 1
        voided(drive, deal)


def test_a_void_in_doubt_is_not_resolved_by_hand(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    fault(drive, "drop_after", ONE_INVOICE, "DELETE")
    drive.run()
    (operation,) = operations(drive, State.IN_DOUBT)
    with pytest.raises(ConfigurationError, match="is a void"):
        resolve(drive.sync(), operation["id"], None)
    voided(drive, deal)


# -- two workers


def test_two_runs_that_both_saw_the_deal_leave_void_it_once(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    slow = drive.prepare()
    drive.run()
    assert drive.finish(slow)["stale"] == 1
    assert sent(drive, "DELETE") == 1
    voided(drive, deal)


def test_a_void_that_waited_while_the_deal_was_voided_and_won_again_touches_nothing(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    slow = drive.prepare()
    drive.run()
    rewin(drive, deal)
    drive.run()
    drive.finish(slow)
    rebilled(drive, deal, 2)


def test_a_create_that_waited_while_its_invoice_was_made_and_voided_is_not_sent(drive: Rounds) -> None:
    deal = win(drive)
    slow = drive.prepare()
    drive.run()
    lose(drive, deal)
    drive.run()
    drive.finish(slow)
    assert sent(drive, "POST") == 1
    voided(drive, deal)


def test_an_update_that_waited_does_not_reach_the_next_invoice(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    slow = drive.prepare()
    price(drive, deal, "250.00")
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    drive.finish(slow)
    rebilled(drive, deal, 2)
    assert bearing(drive, deal)[0]["totalDue"] == 25000


def test_another_run_meets_a_void_in_flight(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    ident = invoice_of(drive.sandbox, deal)["id"]
    lose(drive, deal)
    others: list[dict[str, int]] = []

    def other_worker() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        rewin(drive, deal)
        others.append(drive.run().outcome)

    at(drive, f"received DELETE {ident}", other_worker)
    drive.run()
    assert "created" not in others[0]
    assert "updated" not in others[0]
    rebilled(drive, deal, 2)


def test_a_void_that_arrives_after_it_was_settled_without_it_is_named(drive: Rounds) -> None:
    """A process that paused after its check: it can be detected, not prevented."""
    deal = win(drive)
    drive.run()
    ident = invoice_of(drive.sandbox, deal)["id"]
    lose(drive, deal)

    def much_later() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        rewin(drive, deal)
        drive.look_up()

    at(drive, f"received DELETE {ident}", much_later)
    drive.run()
    drive.run_back()
    assert bearing(drive, deal) == []
    assert (deal, "removed_in_books") in reviews(drive)


# -- one sale, two objects


@pytest.mark.parametrize("how", ["order touched", "order not touched"])
def test_an_order_is_billed_when_the_invoice_of_its_deal_is_voided(drive: Rounds, how: str) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    drive.run_back()
    for _ in range(2):  # until no window holds the order any more
        drive.sandbox.clock.advance(3600)
        drive.run()
    lose(drive, deal)
    if how == "order touched":
        drive.sandbox.org.update("Order", order, {"Description": "touched"})
    drive.run()
    quiet(drive, writes_nothing=False)
    assert standing(drive, deal) == []
    assert standing(drive, order) == [f"[sf:{order}:1:1]"]
    assert told(drive, deal)[:3] == ("Void", 0, 0)
    assert told(drive, order, "Order")[0] == "Open"
    quiet(drive)
    assert open_items(drive) == []


@pytest.mark.parametrize("crashed", [False, True])
def test_a_deal_is_billed_when_the_invoice_of_its_order_is_voided(drive: Rounds, crashed: bool) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account, StageName="Negotiation/Review")
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    rewin(drive, deal)
    for _ in range(3):
        drive.run()
        drive.sandbox.clock.advance(3600)
    ident = links(drive)[order]
    drive.sandbox.org.update("Order", order, {"Status": "Draft"})
    if crashed:
        crash(drive, f"answered DELETE {ident}", drive.run)
    else:
        drive.run()
    quiet(drive, writes_nothing=False)
    assert standing(drive, order) == []
    assert standing(drive, deal) == [f"[sf:{deal}:1:1]"]
    quiet(drive)
    assert open_items(drive) == []


def test_an_order_waits_while_the_void_of_its_deal_is_in_doubt(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    lose(drive, deal)
    fault(drive, "drop_before", ONE_INVOICE, "DELETE")
    for _ in range(2):
        drive.run()
        assert standing(drive, order) == []
        assert (order, "waiting_for_sale") in open_items(drive)
    replay(drive.sync(), [row["id"] for row in operations(drive, State.PARKED)])
    assert (order, "waiting_for_sale") in open_items(drive)
    quiet(drive, writes_nothing=False)
    quiet(drive)
    assert (standing(drive, deal), standing(drive, order)) == ([], [f"[sf:{order}:1:1]"])
    assert open_items(drive) == []


# -- references copied by hand, stores that forgot


def copy(drive: Rounds, invoice: dict[str, Any]) -> dict[str, Any]:
    return drive.sandbox.books.create(drive.sandbox.books.main(), "invoices", {**invoice, "number": None})


def test_an_invoice_with_a_known_copy_is_for_a_person(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    copy(drive, invoice_of(drive.sandbox, deal))
    drive.run_back()
    assert (deal, "possible_duplicate") in reviews(drive)
    lose(drive, deal)
    drive.run()
    assert len(bearing(drive, deal)) == 2
    assert any(cause.endswith("another invoice carries its reference") for cause in causes(drive, deal))


def test_nothing_is_made_while_a_copy_of_the_voided_invoice_stands(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    other = copy(drive, invoice_of(drive.sandbox, deal))
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    drive.run()
    assert [row["id"] for row in bearing(drive, deal)] == [other["id"]]
    assert open_items(drive) == [(deal, "ambiguous_match")]
    assert deal not in links(drive)
    remove(drive, other)
    drive.run()
    quiet(drive)
    assert standing(drive, deal) == [f"[sf:{deal}:1:2]"]
    assert open_items(drive) == []


def test_a_copy_of_a_voided_invoice_is_not_adopted_and_starts_no_sweep(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    copy(drive, invoice_of(drive.sandbox, deal))
    lose(drive, deal)
    drive.run()
    win(drive, "275.00")
    drive.run()
    assert drive.store.swept
    assert deal not in links(drive)


def backup_of(drive: Rounds, folder: Path) -> Path:
    drive.database.dispose()
    for path in drive.folder.rglob("*"):
        target = folder / path.relative_to(drive.folder)
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("lost", ["never there", "before the void", "after the void"])
def test_a_restored_store_goes_on_with_the_generation_that_stands(
    drive: Rounds, tmp_path_factory: Any, lost: str
) -> None:
    deal = win(drive)
    folder = tmp_path_factory.mktemp("restored")
    drive.run()
    if lost == "before the void":
        backup_of(drive, folder)
    lose(drive, deal)
    drive.run()
    if lost == "after the void":
        backup_of(drive, folder)
    rewin(drive, deal)
    drive.run()
    before = books_rows(drive.sandbox, "invoices")
    restored = Rounds(drive.sandbox, folder)
    restored.runs = 500  # no run id is used twice
    if lost == "never there":
        void_unpaid(restored)
    win(restored, "275.00")  # something to create, so that the books are searched
    restored.sandbox.clock.advance(3600)
    for _ in range(3):
        restored.run()
    assert standing(restored, deal) == [f"[sf:{deal}:1:2]"]
    assert len(books_rows(restored.sandbox, "invoices")) == len(before) + 1
    win(restored, "285.00")
    restored.run()
    assert links(restored)[deal] == bearing(restored, deal)[0]["id"]
    rebilled(restored, deal, 2)
    price(restored, deal, "260.00")
    restored.run()
    lose(restored, deal)
    restored.run()
    rewin(restored, deal)
    restored.run()
    generations = [row["memo"].partition(":1:")[2] for row in all_invoices(restored, deal)]
    assert sorted(generations) == ["1]", "2]", "3]"]
    restored.database.dispose()


def test_a_new_store_adopts_the_latest_generation_and_names_the_copy_of_an_older_one(
    drive: Rounds, tmp_path_factory: Any
) -> None:
    deal = win(drive)
    drive.run()
    older = invoice_of(drive.sandbox, deal)
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    drive.run()
    (newest,) = bearing(drive, deal)
    other = copy(drive, older)
    lose(drive, deal)
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    for _ in range(3):  # until no window holds the deal any more
        second.run()
        second.sandbox.clock.advance(3600)
    for amount in ("275.00", "285.00"):  # something to create, so that the books are searched
        win(second, amount)
        second.run()
    assert links(second)[deal] == newest["id"]
    (item,) = second.store.reviews.all_open()
    assert (item["source_id"], item["error_class"], item["kashoo_id"]) == (deal, "possible_duplicate", other["id"])
    second.database.dispose()


def test_a_new_store_counts_on_from_removed_invoices_that_the_books_list(
    drive: Rounds, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal, books = win(drive), drive.sandbox.books
    drive.run()
    lose(drive, deal)
    drive.run()
    rewin(drive, deal)
    original = books.page

    def page(business: int, *kinds: str, **query: Any) -> Any:
        rows = original(business, *kinds, **query)
        if kinds == ("invoices",) and not query.get("offset"):
            rows += [row for row in books.business(business).tables["invoices"].rows.values() if row["removed"]]
        return rows

    monkeypatch.setattr(books, "page", page)
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    second.run()
    monkeypatch.undo()
    assert standing(second, deal) == [f"[sf:{deal}:1:2]"]
    second.database.dispose()


# -- the mapping


def test_a_wrong_word_for_on_leave_is_named_with_file_and_line(drive: Rounds) -> None:
    text = (drive.mappings / "invoice_from_opportunity.yaml").read_text("utf-8")
    line = text[: text.index("on_leave")].count("\n") + 1
    with pytest.raises(ConfigurationError, match=rf"deals.yaml:{line}: on_leave: .*'review' or 'void_unpaid'"):
        load_mapping(text.replace("void_unpaid", "delete"), "deals.yaml")


@pytest.mark.parametrize("name", ["customer_from_account", "payment_to_order"])
def test_only_invoices_have_an_on_leave(drive: Rounds, name: str) -> None:
    text = (drive.mappings / f"{name}.yaml").read_text("utf-8") + "on_leave: review\n"
    with pytest.raises(ConfigurationError, match=rf"x.yaml:{text.count(chr(10))}: .* has no on_leave"):
        load_mapping(text, "x.yaml")


def test_a_void_is_not_sent_twice_by_a_task_that_is_tried_again(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    lose(drive, deal)
    sync = drive.prepare()
    drive.apply(sync)
    before = writes(drive.sandbox)
    assert drive.finish(sync)["done before"] == 1
    assert writes(drive.sandbox) == before
    drive.sandbox.clock.advance(LOOK_UP_AFTER)
    voided(drive, deal)
