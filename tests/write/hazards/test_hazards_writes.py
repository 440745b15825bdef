"""W1 to W3 and W12 to W16 of the hazards that broke simpler write protocols, played with the real steps.

Every test ends with the same question: does each sale have exactly one live invoice, and is what no software can
know named to a person?
"""

from __future__ import annotations

from typing import Any

import pytest
from records import add_account, add_deal, add_order, books_rows, edit, invoice_of
from rounds import (
    LOOK_UP_AFTER,
    Rounds,
    Start,
    at,
    backup_of,
    bearing,
    billed_once,
    change,
    in_doubt,
    links,
    moved_by,
    new_rows,
    open_items,
    operations,
    price,
    quiet,
    reviews,
    states_of,
    win,
)

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.journal import Journal, Sent
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.by_hand.resolve import resolve

CREATE_INVOICE = "received POST records/invoices"


# -- W1, W2: two runs meet on one record


def test_w1_a_create_that_waited_while_another_run_made_it_is_not_sent(drive: Rounds) -> None:
    deal = win(drive)
    slow = drive.prepare()
    drive.run()
    assert drive.finish(slow) == {"stale": 2}  # the customer and the invoice
    assert len(bearing(drive, deal)) == 1
    billed_once(drive, deal)


def test_w2_an_update_that_waited_while_another_run_wrote_a_newer_value_is_not_sent(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    slow = drive.prepare()
    price(drive, deal, "400.00")
    drive.run()
    drive.finish(slow)
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 40000
    billed_once(drive, deal, 40000)


def test_w2_an_update_that_waited_is_not_sent_even_when_the_books_look_as_it_saw_them(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    slow = drive.prepare()
    for amount in ("400.00", "250.00"):
        price(drive, deal, amount)
        drive.run()
    assert drive.finish(slow) == {"stale": 2}  # the customer was read later, too
    billed_once(drive, deal, 25000)


def test_w2_the_newer_value_is_written_when_it_was_read_by_the_run_that_came_too_late(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    older = drive.prepare()
    price(drive, deal, "400.00")
    drive.sandbox.clock.advance(3600)  # more than the overlap
    newer = drive.prepare()
    drive.finish(older)
    drive.finish(newer)  # its row is stale, and no later window holds the change
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 30000
    billed_once(drive, deal, 40000)


# -- W3: win, void, win again


def test_w3_a_sale_won_again_after_its_invoice_was_voided_is_not_lost_without_a_word(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    change(drive, deal, StageName="Negotiation/Review")
    drive.run()
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice_of(drive.sandbox, deal)["id"])
    drive.run()
    change(drive, deal, StageName="Closed Won")
    quiet(drive)
    assert bearing(drive, deal) == []
    assert (deal, "removed_in_books") in open_items(drive)


# -- W12: a pause between the check and the send


def test_w12_a_duplicate_made_by_a_process_that_paused_after_its_check_is_seen(drive: Rounds) -> None:
    deal = win(drive)
    other: list[dict[str, int]] = []

    def retry_runs_meanwhile() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        other.append(drive.look_up().outcome)

    at(drive, CREATE_INVOICE, retry_runs_meanwhile)
    paused = drive.run()
    assert other == [{"created": 1, "unchanged": 1}]
    assert paused.outcome == {"created": 1, "review": 1}
    first, second = sorted(row["id"] for row in bearing(drive, deal))
    assert states_of(drive, deal) == ["not_written", "closed", "done"]
    assert links(drive)[deal] == first
    (item,) = drive.store.reviews.all_open()
    assert (item["source_id"], item["error_class"], item["kashoo_id"]) == (deal, "possible_duplicate", second)
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", second)
    quiet(drive)
    assert [row["id"] for row in bearing(drive, deal)] == [first]


def test_w12_a_process_that_paused_past_its_deadline_before_it_sent_sends_nothing(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    send = Journal.send

    def paused(journal: Journal, intent: Intent, **values: Any) -> Sent:
        sent = send(journal, intent, **values)
        if intent.record.id == deal:
            monkeypatch.setattr(Journal, "send", send)
            assert drive.look_up().outcome["created"] == 1
        return sent

    monkeypatch.setattr(Journal, "send", paused)
    assert drive.run().outcome == {"created": 1, "in_doubt": 1}
    assert states_of(drive, deal) == ["not_written", "closed", "done"]
    billed_once(drive, deal)


def test_w12_a_process_that_paused_past_its_deadline_and_is_alone_journals_its_write_anew(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    send = Journal.send

    def paused(journal: Journal, intent: Intent, **values: Any) -> Sent:
        sent = send(journal, intent, **values)
        if (intent.record.id, intent.record.kind, sent.attempts) == (deal, "invoice", 1):
            drive.sandbox.clock.advance(LOOK_UP_AFTER)
        return sent

    monkeypatch.setattr(Journal, "send", paused)
    assert drive.run().outcome == {"created": 2}
    (operation,) = [row for row in operations(drive) if row["source_id"] == deal and row["target"] == "invoice"]
    assert (operation["state"], operation["attempts"]) == ("done", 2)
    billed_once(drive, deal)


def test_w12_an_answer_that_comes_after_another_process_found_the_write_is_no_duplicate(drive: Rounds) -> None:
    deal = win(drive)

    def retry_runs_meanwhile() -> None:
        drive.sandbox.faults["kashoo"].hook = None
        drive.look_up()

    at(drive, "processed POST records/invoices", retry_runs_meanwhile)
    drive.run()
    assert states_of(drive, deal) == ["done"]
    billed_once(drive, deal)


# -- W13 to W16


def test_w13_a_sale_that_arrives_as_opportunity_and_as_order_is_billed_once(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    assert bearing(drive, order) == []
    billed_once(drive, deal)


def test_w13_two_runs_that_each_saw_one_face_of_a_sale_bill_it_once(drive: Rounds) -> None:
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    slow = drive.prepare()
    change(drive, deal, StageName="Closed Lost")
    order = add_order(drive.sandbox, account, deal)
    drive.run()
    assert len(bearing(drive, order)) == 1
    drive.finish(slow)
    assert bearing(drive, deal) == []


@pytest.mark.parametrize("found", [True, False])
def test_w13_an_order_waits_while_its_deal_is_in_doubt_and_is_not_lost(drive: Rounds, found: bool) -> None:
    before = books_rows(drive.sandbox, "invoices")
    account = add_account(drive.sandbox)
    deal = add_deal(drive.sandbox, account)
    in_doubt(drive, deal)
    written = edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), memo="")
    change(drive, deal, StageName="Closed Lost")
    order = add_order(drive.sandbox, account, deal)
    for _ in range(3):  # until no window holds the order any more
        drive.sandbox.clock.advance(3600)
        drive.run()
    assert open_items(drive) == [(deal, "in_doubt"), (order, "waiting_for_sale")]
    (operation,) = operations(drive, State.IN_DOUBT)
    if not found:
        drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", written["id"])
    resolve(drive.sync(), operation["id"], written["id"] if found else None)
    quiet(drive)
    assert len(new_rows(drive, before)) == 1
    assert len(bearing(drive, order)) == (not found)
    assert links(drive).get(deal) == (written["id"] if found else None)
    assert order not in [ident for ident, _ in open_items(drive)]


def test_w14_an_invoice_that_differs_by_a_cent_is_done_and_replay_does_not_make_it_again(drive: Rounds) -> None:
    mapping = drive.mappings / "invoice_from_opportunity.yaml"
    mapping.write_text(mapping.read_text("utf-8").replace("taxCode: none", "taxCode: G"), "utf-8")
    deal = win(drive, "100.00")
    sync = drive.prepare()
    taxes = drive.sandbox.books.business(drive.sandbox.books.main()).tables["taxes"].rows
    next(row for row in taxes.values() if row["abbreviation"] == "G")["rate"] = "5.01"
    drive.finish(sync)
    assert [row["totalDue"] for row in bearing(drive, deal)] == [10501]
    assert (deal, "total_differs") in reviews(drive)
    assert states_of(drive, deal) == ["done"]
    replay(drive.sync(), None)
    quiet(drive)
    assert [row["totalDue"] for row in bearing(drive, deal)] == [10501]


def test_w15_a_second_host_with_its_own_store_makes_nothing_again(drive: Rounds, tmp_path_factory: Any) -> None:
    deal = win(drive)
    drive.run()
    before = {kind: books_rows(drive.sandbox, kind) for kind in ("invoices", "customers", "items")}
    second = Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))
    assert "created" not in second.run().outcome
    assert {kind: books_rows(drive.sandbox, kind) for kind in before} == before
    assert links(second)[deal] == links(drive)[deal]
    third = win(drive)
    second.run()
    drive.run()
    billed_once(drive, third)
    second.database.dispose()


def test_w15_the_backup_of_last_night_makes_nothing_again(drive: Rounds, tmp_path_factory: Any) -> None:
    restored = backup_of(drive, tmp_path_factory.mktemp("backup"))
    deals = [win(drive), win(drive, "260.00")]
    drive.run()
    drive.run_back()
    before = {kind: books_rows(drive.sandbox, kind) for kind in ("invoices", "customers", "items")}
    quiet(restored)
    assert {kind: books_rows(drive.sandbox, kind) for kind in before} == before
    assert {ident: links(restored)[ident] for ident in deals} == {ident: links(drive)[ident] for ident in deals}
    restored.end()


@pytest.mark.parametrize("days", [-30, 30])
def test_w15_a_backup_finds_what_was_made_since_although_the_accountant_moved_its_date(
    drive: Rounds, start: Start, tmp_path_factory: Any, days: int
) -> None:
    restored = backup_of(drive, tmp_path_factory.mktemp("backup"))
    deal = add_deal(drive.sandbox, start.account)  # an unknown customer would make it search all of the books
    drive.run()
    drive.run_back()
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), date=moved_by(drive, days))
    assert restored.store.knows_books
    restored.run()
    assert links(restored)[deal] == links(drive)[deal]
    assert len(bearing(drive, deal)) == 1
    restored.end()


def test_w16_a_test_business_does_not_make_production_look_synced(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    books = drive.sandbox.books
    production, test = books.businesses
    for number, name, kind in (("4000", "Sales", "INCOME"), ("1010", "Bank", "BANK")):
        books.create(test, "accounts", {"number": number, "name": name, "type": kind})
    monkeypatch.setattr(books, "main", lambda: test)
    drive.run()
    (on_trial,) = bearing(drive, deal)
    monkeypatch.setattr(books, "main", lambda: production)
    drive.run()
    billed_once(drive, deal)
    on_trial_too = [row["id"] for row in books.page(test, "invoices")]
    assert on_trial["id"] in on_trial_too
    assert len(on_trial_too) == 2  # the first deal's, which production has too, and this one
