"""Voids in bad company: answers that are lost, other workers, other objects, copies, and stores that forgot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from records import add_account, add_deal, add_order, books_rows, invoice_of, writes
from rounds import (
    LOOK_UP_AFTER,
    Rounds,
    Start,
    at,
    bearing,
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
from voids import (
    all_invoices,
    causes,
    lose,
    rebilled,
    remove,
    rewin,
    sent,
    standing,
    told,
    void_unpaid,
    voided,
)

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping import load_mapping
from airflow_provider_kashoo.core.operations import State
from airflow_provider_kashoo.sync.replay import replay, resolve

ONE_INVOICE = r"records/invoices/\d+$"


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


@pytest.fixture
def drive(drive: Rounds) -> Rounds:
    void_unpaid(drive)
    return drive


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
