"""What the accountant does to what we linked: seen within a week, never guessed from a list, never undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from records import add_account, add_deal, add_line, books_rows, edit, invoice_of
from rounds import Rounds, Start, bearing, links, moved_by, open_items, quiet, reviews, win

from airflow_provider_kashoo.store import linked_records
from airflow_provider_kashoo.store import links as store_links
from airflow_provider_kashoo.sync.by_hand.relink import relink
from airflow_provider_kashoo.sync.read import weekly_look
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE

WEEK = 7 * 86400
Variant = Callable[[Rounds, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def as_it_is(drive: Rounds, patch: pytest.MonkeyPatch) -> None:
    """Lists by date and id, removed rows left out."""


def small_pages(drive: Rounds, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("airflow_provider_kashoo.sandbox.kashoo.books.PAGE", 2)


def relisted(drive: Rounds, patch: pytest.MonkeyPatch, change: Callable[[list[Any], list[Any]], list[Any]]) -> None:
    """Let every list be another one: made of what is listed, and of all rows that are removed."""
    books = drive.sandbox.books
    original = books.page

    def page(business: int, *kinds: str, limit: int = 100, offset: int = 0, **query: Any) -> Any:
        whole: list[Any] = []
        while rows := original(business, *kinds, offset=len(whole), **query):
            whole += rows
        tables = books.business(business).tables
        gone = [dict(row) for kind in kinds for row in tables[kind].rows.values() if row["removed"]]
        return change(whole, gone)[offset : offset + min(limit, 100)]

    patch.setattr(books, "page", page)


def newest_first(drive: Rounds, patch: pytest.MonkeyPatch) -> None:
    relisted(drive, patch, lambda rows, _: rows[::-1])


def removed_shown(drive: Rounds, patch: pytest.MonkeyPatch) -> None:
    relisted(drive, patch, lambda rows, gone: gone + rows)


def small_parts(drive: Rounds, patch: pytest.MonkeyPatch) -> None:
    in_parts(patch, 1, 1)


def in_parts(patch: pytest.MonkeyPatch, listed: int, linked: int) -> None:
    """Let the week's look hold so many records against the links at once, and walk through pages of so many links."""
    patch.setattr(weekly_look, "PART", listed)
    patch.setattr(linked_records, "PAGE", linked)
    patch.setattr(store_links, "CHUNK", linked)


VARIANTS: list[Variant] = [as_it_is, small_pages, newest_first, removed_shown, small_parts]
variants = pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: each.__name__)


def sold(drive: Rounds, count: int = 3) -> list[str]:
    """Some more customers with an invoice each, told to Salesforce in this week."""
    accounts = [add_account(drive.sandbox, f"Customer {number}") for number in range(count)]
    for account in accounts:
        add_line(drive.sandbox, add_deal(drive.sandbox, account, None), "195.00", product="SV-200")
    drive.run()
    drive.run_back()
    return accounts


def remove(drive: Rounds, kind: str, ident: int) -> None:
    drive.sandbox.books.remove(drive.sandbox.books.main(), kind, ident)


def restore(drive: Rounds, kind: str, ident: int) -> None:
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables[kind]
    table.put({**table.rows[ident], "removed": False})


def reads(drive: Rounds) -> Counter[str]:
    """Count what was read from the books, pages of one list apart from records by their id."""
    found: Counter[str] = Counter()
    for seen in drive.sandbox.logs["kashoo"].entries():
        path = seen["path"].rpartition(f"/businesses/{drive.sandbox.books.main()}/")[2]
        if seen["method"] == "GET":
            found[path] += 1
    return found


def next_week(drive: Rounds) -> None:
    drive.sandbox.clock.advance(WEEK)


@variants
def test_a_removed_customer_is_named_once_and_closes_when_it_is_back(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    account, *_ = sold(drive)
    ident = links(drive, "customer")[account]
    before = books_rows(drive.sandbox, "invoices")
    remove(drive, "customers", ident)
    with monkeypatch.context() as patch:
        variant(drive, patch)
        drive.run_back()
        assert reviews(drive) == []  # the week's listing was before
        for _ in range(2):
            next_week(drive)
            drive.run_back()
            assert reviews(drive) == [(account, "removed_in_books")]
        (item,) = drive.store.reviews.all_open()
        assert (item["target"], item["kashoo_id"]) == ("customer", ident)
        restore(drive, "customers", ident)
        next_week(drive)
        drive.run_back()
    assert reviews(drive) == []
    assert links(drive, "customer")[account] == ident
    assert [row["id"] for row in books_rows(drive.sandbox, "invoices")] == [row["id"] for row in before]


def test_a_customer_that_a_list_leaves_out_is_read_by_its_id_and_not_taken_for_removed(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, *_ = sold(drive)
    ident = links(drive, "customer")[account]
    relisted(drive, monkeypatch, lambda rows, _: [row for row in rows if row["id"] != ident])
    next_week(drive)
    drive.sandbox.logs["kashoo"].clear()
    drive.run_back()
    assert reads(drive)[f"contacts/customers/{ident}"] == 1
    assert reviews(drive) == []


def test_a_customer_that_is_not_there_at_all_is_named(drive: Rounds) -> None:
    account, *_ = sold(drive)
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["customers"]
    ident = links(drive, "customer")[account]
    remove(drive, "customers", ident)
    del table.rows[ident]
    next_week(drive)
    drive.run_back()
    assert reviews(drive) == [(account, "removed_in_books")]


@pytest.mark.parametrize(("listed", "linked"), [(1, 1), (2, 3), (5_000, 1_000)])
def test_the_look_is_the_same_in_parts_of_any_size(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, listed: int, linked: int
) -> None:
    ids = [links(drive, "customer")[account] for account in sold(drive, 6)]
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["customers"]
    remove(drive, "customers", ids[2])
    next_week(drive)
    drive.run_back()  # asks about it
    restore(drive, "customers", ids[2])
    remove(drive, "customers", ids[4])
    remove(drive, "customers", ids[5])
    del table.rows[ids[5]]
    in_parts(monkeypatch, listed, linked)
    removed_shown(drive, monkeypatch)
    sync = drive.sync(TO_SALESFORCE)
    weekly_look.stage(sync)
    assert sync.files.read_json("contacts") == {
        "customer": {"standing": [ids[2]], "removed": [ids[4]], "absent": [ids[5]]},
        "item": {"standing": [], "removed": [], "absent": []},
    }


def test_two_accounts_of_one_customer_ask_a_person_once(drive: Rounds) -> None:
    first = add_account(drive.sandbox, "Shared", "shared@customer.example")
    second = add_account(drive.sandbox, "SHARED", "shared@customer.example")
    for account in (first, second):
        add_deal(drive.sandbox, account)
        drive.run()
    drive.run_back()
    linked = links(drive, "customer")
    relink(drive.sync(), second, linked[first], by="ann")
    remove(drive, "customers", linked[first])
    next_week(drive)
    drive.run_back()
    assert [why for _, why in reviews(drive)] == ["removed_in_books"]


def test_it_closes_when_the_account_is_linked_to_another_customer(drive: Rounds) -> None:
    account, other, *_ = sold(drive)
    remove(drive, "customers", links(drive, "customer")[account])
    next_week(drive)
    drive.run_back()
    assert reviews(drive) == [(account, "removed_in_books")]
    another = links(drive, "customer")[other]
    with drive.database.begin() as connection:
        connection.exec_driver_sql("UPDATE links SET kashoo_id = ? WHERE source_id = ?", (another, account))
    next_week(drive)
    drive.run_back()
    assert reviews(drive) == []


@variants
def test_an_item_is_removed_only_where_the_list_says_so(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    """There is no path to one item: a list that leaves it out is no evidence."""
    sold(drive)
    (product,) = [ident for ident, kashoo_id in links(drive, "item").items() if "SV-200" in str(item(drive, kashoo_id))]
    remove(drive, "items", links(drive, "item")[product])
    variant(drive, monkeypatch)
    next_week(drive)
    done = drive.run_back()
    shown = variant is removed_shown
    assert reviews(drive) == ([(product, "removed_in_books")] if shown else [])
    assert any("1 linked items are not listed" in note for note in done.summary["notes"]) is not shown  # type: ignore[index]


def item(drive: Rounds, ident: int) -> dict[str, Any]:
    return drive.sandbox.books.read(drive.sandbox.books.main(), "items", ident)


def test_one_listing_of_each_a_week(drive: Rounds) -> None:
    sold(drive)
    next_week(drive)
    drive.sandbox.logs["kashoo"].clear()
    for _ in range(20):
        drive.sandbox.clock.advance(3600)
        drive.run_back()
    seen = reads(drive)
    assert (seen["contacts/customers"], seen["items"]) == (2, 2)  # the second page is the empty one
    assert not [path for path in seen if path.startswith("contacts/customers/")]


def test_a_customer_changed_in_the_books_is_left_as_it_is(drive: Rounds) -> None:
    account, *_ = sold(drive)
    row = drive.sandbox.books.read(drive.sandbox.books.main(), "customers", links(drive, "customer")[account])
    edit(drive.sandbox, "customers", row, contactInformation={**row["contactInformation"], "name": "As the books say"})
    next_week(drive)
    quiet(drive)
    now = drive.sandbox.books.read(drive.sandbox.books.main(), "customers", row["id"])
    assert now["contactInformation"]["name"] == "As the books say"
    assert open_items(drive) == []


# -- D9, D10: invoices


@variants
@pytest.mark.parametrize("days", [-500, 500])
def test_d9_an_invoice_moved_out_of_every_window_is_not_taken_for_removed(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, variant: Variant, days: int
) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), date=moved_by(drive, days))
    variant(drive, monkeypatch)
    for _ in range(2):
        drive.sandbox.clock.advance(86400)
        drive.run()
        drive.run_back()
    next_week(drive)
    drive.run()
    drive.run_back()
    assert open_items(drive) == []
    assert len(bearing(drive, deal)) == 1
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 25000)
    drive.run_back()
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Paid"


@variants
def test_d10_a_payment_reversed_a_year_later_is_seen_within_seven_days(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    deal = win(drive)
    drive.run()
    books, main = drive.sandbox.books, drive.sandbox.books.main()
    payment = books.pay(main, invoice_of(drive.sandbox, deal)["id"], 25000)
    drive.run_back()
    variant(drive, monkeypatch)
    for _ in range(4):
        drive.sandbox.clock.advance(91 * 86400)
        drive.run_back()
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Paid"
    remove(drive, "invoicePayments", payment["id"])
    for _ in range(7):
        drive.sandbox.clock.advance(86400)
        drive.run_back()
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Open"


def test_d10_every_linked_invoice_is_read_again_within_seven_days(drive: Rounds) -> None:
    deals = [win(drive) for _ in range(4)]
    drive.run()
    books, main = drive.sandbox.books, drive.sandbox.books.main()
    for deal in deals[:3]:
        books.pay(main, invoice_of(drive.sandbox, deal)["id"], 25000)
    edit_date = invoice_of(drive.sandbox, deals[0])
    drive.run_back()
    edit(drive.sandbox, "invoices", edit_date, date=moved_by(drive, -900))
    everything = set(links(drive).values())
    for _ in range(3):
        seen: set[int] = set()
        original = books.page

        def page(*args: Any, original: Any = original, seen: set[int] = seen, **query: Any) -> Any:
            rows = original(*args, **query)
            if "invoices" in args:
                seen.update(row["id"] for row in rows)
            return rows

        books.page = page  # type: ignore[method-assign]
        drive.sandbox.logs["kashoo"].clear()
        for _ in range(7):
            drive.sandbox.clock.advance(86400)
            drive.run_back()
        books.page = original  # type: ignore[method-assign]
        by_id = {int(path.rpartition("/")[2]) for path in reads(drive) if path.startswith("records/invoices/")}
        assert seen | by_id >= everything


def test_an_invoice_of_which_the_books_do_not_say_what_is_owed_waits_until_they_do(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = win(drive)
    drive.run()
    view = drive.sandbox.books._view
    with monkeypatch.context() as patch:
        patch.setattr(drive.sandbox.books, "_view", lambda *row: {**view(*row), "balanceDue": None})
        drive.run_back()
    assert (deal, "unreadable") in open_items(drive)
    quiet(drive, writes_nothing=False)
    assert open_items(drive) == []
