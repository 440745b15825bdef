"""A plan that waits while another run reads the same records later: what it says of them counts no more."""

from __future__ import annotations

import pytest
from records import add_account, add_deal, books_rows, invoice_of, remove_a_twin, twins
from rounds import Rounds, at, bearing, billed_once, change, fault, links, moved_on, open_items, quiet, states_of, win
from voids import lose

from airflow_provider_kashoo.sync import steps


@pytest.fixture
def deal(drive: Rounds) -> str:
    """A billed deal that no window holds any more."""
    deal = win(drive)
    drive.run()
    drive.run_back()
    moved_on(drive)
    return deal


def named(drive: Rounds) -> list[str]:
    return [ident for ident, _ in open_items(drive)]


def is_refused(drive: Rounds, deal: str) -> None:
    """A run reads another name later than what waits, and the books refuse it."""
    change(drive, deal, StageName="Closed Won", Name="Another name")
    drive.sandbox.clock.advance(3600)
    fault(drive, "error_before", r"invoices/\d+$", "PUT", status=400)
    drive.run()
    assert states_of(drive, deal)[-1] == "parked"


def test_what_an_older_run_wrote_is_seen_by_the_newer_one_that_saw_nothing_to_write(drive: Rounds, deal: str) -> None:
    change(drive, deal, Name="Wrong")
    older = drive.prepare()
    change(drive, deal, Name="Deal")
    drive.sandbox.clock.advance(3600)
    newer = drive.prepare()
    drive.finish(older)
    drive.finish(newer)
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Wrong")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Deal")
    billed_once(drive, deal)


def test_what_was_in_flight_while_a_newer_run_saw_nothing_to_write_is_written_afresh(drive: Rounds, deal: str) -> None:
    change(drive, deal, Name="Wrong")
    older = drive.prepare()
    change(drive, deal, Name="Deal")
    drive.sandbox.clock.advance(3600)
    newer = drive.prepare()

    def newer_run_ends() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        drive.finish(newer)

    at(drive, f"received PUT records/invoices/{links(drive)[deal]}", newer_run_ends)
    drive.finish(older)
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Wrong")
    assert open_items(drive) == [(deal, "changed_meanwhile")]
    moved_on(drive)
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Deal")
    billed_once(drive, deal)


def test_a_run_is_as_old_as_what_it_read_first(drive: Rounds, deal: str) -> None:
    change(drive, deal, Name="Wrong")
    drive.sandbox.clock.advance(60)
    slow = drive.sync()
    steps.preflight(slow)
    steps.extract(slow, "Opportunity")
    change(drive, deal, Name="Right")
    drive.run()
    drive.sandbox.clock.advance(60)
    for source in {*slow.sources} - {"Opportunity"}:
        steps.extract(slow, source)
    steps.plan(slow)
    steps.approve(slow)
    drive.finish(slow)
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Right")
    billed_once(drive, deal)


def test_a_deal_that_an_older_run_leaves_out_goes_on_waiting_for_what_a_newer_one_parked(drive: Rounds) -> None:
    deal = twins(drive.sandbox)
    change(drive, deal, StageName="Prospecting")
    older = drive.prepare()
    change(drive, deal, StageName="Closed Won")
    drive.sandbox.clock.advance(3600)
    drive.run()
    assert deal in named(drive)
    drive.finish(older)
    assert deal in named(drive)
    remove_a_twin(drive.sandbox, deal)
    moved_on(drive)
    billed_once(drive, deal)


def test_a_refused_update_goes_on_waiting_when_an_older_run_saw_nothing_to_write(drive: Rounds, deal: str) -> None:
    change(drive, deal, Description="a touch")
    drive.sandbox.clock.advance(600)
    older = drive.prepare()
    is_refused(drive, deal)
    drive.finish(older)
    assert states_of(drive, deal)[-1] == "parked"
    moved_on(drive)
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Another name")


def test_a_refused_update_goes_on_waiting_when_an_older_run_asks_a_person(drive: Rounds, deal: str) -> None:
    change(drive, deal, StageName="Prospecting")
    drive.sandbox.clock.advance(600)
    older = drive.prepare()
    is_refused(drive, deal)
    drive.finish(older)
    assert states_of(drive, deal)[-1] == "parked"
    moved_on(drive)
    billed_once(drive, deal)
    assert invoice_of(drive.sandbox, deal)["memo"].startswith("Another name")


def test_what_was_billed_since_is_not_parked_by_an_older_run(drive: Rounds) -> None:
    deal = twins(drive.sandbox)
    older = drive.prepare()
    remove_a_twin(drive.sandbox, deal)
    drive.run()
    assert len(bearing(drive, deal)) == 1
    drive.finish(older)
    assert states_of(drive, deal) == ["done"]
    billed_once(drive, deal)


def test_a_question_about_what_another_run_wrote_since_is_asked_afresh(drive: Rounds, deal: str) -> None:
    change(drive, deal, Name="Wrong")
    older = drive.prepare()
    change(drive, deal, Name="Deal", StageName="Closed Lost")
    drive.sandbox.clock.advance(3600)
    newer = drive.prepare()
    drive.finish(older)
    drive.finish(newer)
    assert open_items(drive) == [(deal, "changed_meanwhile")]
    drive.run()
    assert open_items(drive) == [(deal, "no_longer_billable")]


def test_a_search_of_the_books_ends_only_with_the_plan_that_was_made_from_it(drive: Rounds) -> None:
    older, box = drive.prepare(), drive.sandbox
    stranger = {**books_rows(box, "invoices")[0], "number": None, "memo": "[sf:006010000000999AAA:1:1]"}
    box.books.create(box.books.main(), "invoices", stranger)
    win(drive)
    drive.prepare()  # it finds the stranger, searches whole, and is killed before its apply
    drive.finish(older)
    assert not drive.store.knows_books
    drive.run()
    assert drive.store.knows_books


def test_a_run_that_is_cleared_and_planned_afresh_writes_what_changed_since(drive: Rounds, deal: str) -> None:
    for name in ("Second name", "Third name"):
        change(drive, deal, Name=name)
        drive.sandbox.clock.advance(3600)
        drive.run(run_id="scheduled__1")
        assert invoice_of(drive.sandbox, deal)["memo"].startswith(name)
    quiet(drive)


def test_a_test_batch_ends_no_waiting(drive: Rounds) -> None:
    other, deal = win(drive, StageName="Prospecting"), twins(drive.sandbox)
    drive.run()
    moved_on(drive)
    remove_a_twin(drive.sandbox, deal)
    change(drive, other, StageName="Closed Won")
    drive.sandbox.clock.advance(600)
    drive.run(limit=1)
    assert len(bearing(drive, other)) == 1
    assert bearing(drive, deal) == []
    moved_on(drive)
    billed_once(drive, deal)


def test_an_older_plan_does_not_make_the_customer_again_that_followed_a_merge(drive: Rounds) -> None:
    box = drive.sandbox
    loser, survivor = add_account(box, "Loser", "a@x.example"), add_account(box, "Survivor", "b@x.example")
    add_deal(box, loser)
    older = drive.prepare()
    drive.run()
    box.org.merge("Account", survivor, [loser])
    drive.sandbox.clock.advance(600)
    drive.run()
    (customer,) = bearing(drive, loser, "customers")
    drive.finish(older)
    assert [row["id"] for row in bearing(drive, loser, "customers")] == [customer["id"]]
    assert links(drive, "customer")[survivor] == customer["id"]
    quiet(drive)


def test_a_merge_into_an_account_that_got_a_customer_meanwhile_is_put_to_a_person(drive: Rounds) -> None:
    box = drive.sandbox
    loser, survivor = add_account(box, "Loser", "a@x.example"), add_account(box, "Survivor", "b@x.example")
    add_deal(box, loser)
    drive.run()
    deal = add_deal(box, survivor)
    older = drive.prepare()
    box.org.merge("Account", survivor, [loser])
    drive.sandbox.clock.advance(600)
    newer = drive.prepare()
    drive.finish(older)
    drive.finish(newer)
    quiet(drive, writes_nothing=False)
    assert len(bearing(drive, deal)) == 1
    assert (loser, "merged_apart") in open_items(drive)


def test_an_older_plan_does_not_close_what_a_newer_run_put_to_a_person(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    moved_on(drive)
    change(drive, deal, Description="touched")
    older = drive.prepare()  # waits for its budget; to it the deal is unchanged
    drive.sandbox.clock.advance(3600)
    lose(drive, deal)
    drive.sandbox.clock.advance(1800)
    drive.run()
    assert (deal, "no_longer_billable") in open_items(drive)
    drive.finish(older)
    moved_on(drive)
    quiet(drive)
    assert (deal, "no_longer_billable") in open_items(drive)
