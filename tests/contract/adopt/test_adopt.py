"""``airflow kashoo adopt``: a year billed by hand is known to the sync, and nothing is written for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from records import add_account, add_deal, add_line, add_order, books_rows, edit, today, writes
from rich.console import Console
from rounds import (
    Killed,
    Rounds,
    bearing,
    change,
    in_doubt,
    links,
    moved_by,
    open_items,
    operations,
    price,
)

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.hooks import adopt as by_hand
from airflow_provider_kashoo.hooks.adopt import Choice
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.budget import Limit
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.sync.adopt import Adoption, Finding, Report, Result

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def start() -> Iterator[tuple[Sandbox, Any]]:
    with Sandbox(dataset="empty", serve=False) as box:
        yield box, box.snapshot()


@pytest.fixture
def drive(start: tuple[Sandbox, Any], tmp_path: Path) -> Iterator[Rounds]:
    box, snapshot = start
    box.restore(snapshot)
    for log in box.logs.values():
        log.clear()
    drive = Rounds(box, tmp_path)
    yield drive
    drive.database.dispose()


def customer(drive: Rounds, email: str = "ap@north.example", name: str = "North") -> int:
    """Add a customer to the books, as the accountant did."""
    body = {"contactInformation": {"name": name, "email": email}}
    return int(drive.sandbox.books.create(drive.sandbox.books.main(), "customers", body)["id"])


def bill(drive: Rounds, contact: int, amount: str = "250.00", **fields: Any) -> Row:
    """Add an invoice to the books, as the accountant did."""
    account = next(row["id"] for row in books_rows(drive.sandbox, "accounts") if row["type"] == "INCOME")
    line = {"account": account, "quantity": 1, "rate": int(Decimal(amount) * 100), "taxCode": ""}
    body = {"contact": contact, "currency": "USD", "date": today(drive.sandbox), "memo": "by hand", "lineItems": [line]}
    return drive.sandbox.books.create(drive.sandbox.books.main(), "invoices", {**body, **fields})


def north(drive: Rounds) -> tuple[str, int]:
    """One customer on both sides, known by its e-mail."""
    return add_account(drive.sandbox, "Northern Lights", "ap@north.example"), customer(drive)


def adopt(drive: Rounds, since: datetime | None = BEGINNING, sync: Any = None, **choice: Any) -> Report:
    """Adopt without a question; neither side is written to."""
    before = writes(drive.sandbox)
    try:
        return converse(drive, since, sync, **{"yes": True} | choice)[0]
    finally:
        assert writes(drive.sandbox) == before


def converse(
    drive: Rounds, since: datetime | None = BEGINNING, sync: Any = None, ask: Any = None, **choice: Any
) -> tuple[Report, str]:
    """Adopt, a minute after whatever happened before; give the report and all that was printed."""
    drive.sandbox.clock.advance(60)
    console = Console(file=io.StringIO(), width=200)
    report = by_hand.adopt(sync or drive.sync(), since, Choice(**choice), console, ask)
    return report, console.file.getvalue()  # type: ignore[attr-defined]


def found(report: Report, ident: str) -> Finding:
    (finding,) = [each for each in report.findings if each.row.source_id == ident]
    return finding


def said(report: Report, ident: str) -> tuple[str, str, tuple[int, ...]]:
    finding = found(report, ident)
    return finding.result.value, finding.why, finding.candidates


def silent_run(drive: Rounds) -> None:
    """The nightly run finds nothing to write."""
    before = writes(drive.sandbox)
    drive.run()
    assert writes(drive.sandbox) == before


def other_product(drive: Rounds) -> str:
    return next(
        row["ProductCode"] for row in drive.sandbox.org.rows("PricebookEntry") if row["ProductCode"] != "HW-100"
    )


# -- the evidence


@pytest.mark.parametrize(
    ("days", "evidence"),
    [
        (0, "same customer, currency, total and date"),
        (31, "same customer, currency and total, within 31 days"),
        (-31, "same customer, currency and total, within 31 days"),
    ],
)
def test_an_invoice_by_hand_is_found_by_what_it_says(drive: Rounds, days: int, evidence: str) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact, date=moved_by(drive, days))
    report = adopt(drive)
    assert said(report, account) == ("match", "same e-mail", ())
    assert said(report, deal) == ("match", evidence, ())
    assert links(drive) == {deal: invoice["id"]}
    assert links(drive, "customer") == {account: contact}
    assert report.of(Result.MATCH)[0].row.target == "customer"
    silent_run(drive)
    assert len(books_rows(drive.sandbox, "invoices")) == 1


@pytest.mark.parametrize("shown", [{"poNumber": " po 77 "}, {"number": 77}])
def test_a_number_outweighs_amount_and_date(drive: Rounds, shown: Row) -> None:
    account, contact = north(drive)
    order = add_order(drive.sandbox, account, None)
    drive.sandbox.org.update("Order", order, {"PoNumber": str(shown.get("number") or "PO 77")})
    bill(drive, contact)  # of the same amount and day
    numbered = bill(drive, contact, "99.00", date=moved_by(drive, -90), **shown)
    report = adopt(drive)
    assert said(report, order) == ("match", "same number or PO number", ())
    assert links(drive) == {order: numbered["id"]}
    assert found(report, order).books_total == 9900
    silent_run(drive)


def test_our_reference_outweighs_everything(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    bill(drive, contact)
    marked = bill(drive, contact, "77.00", memo=f"by hand [sf:{deal}:1:1]")
    assert said(adopt(drive), deal) == ("match", "our reference", ())
    assert links(drive) == {deal: marked["id"]}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"days": 32}, "the nearest invoice of that total, {id}, is 32 days off"),
        ({"days": -32}, "the nearest invoice of that total, {id}, is 32 days off"),
        ({"amount": "250.01"}, "no invoice of its customer has that total; free are 1"),
        ({"currency": "CAD"}, "no invoice of its customer has that total; free are 1"),
        ({"memo": "[sf:006000000000009AAA:1:1]"}, "its customer has no invoice that is free"),
        ({"removed": True}, "its customer has no invoice that is free"),
        ({"stranger": True}, "its customer has no invoice that is free"),
    ],
)
def test_what_is_not_surely_the_same_is_not_linked(drive: Rounds, changes: Row, why: str) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    changes = dict(changes)
    fields = {"date": moved_by(drive, changes.pop("days", 0))}
    removed = changes.pop("removed", False)
    payer = customer(drive, "x@y.example", "Other") if changes.pop("stranger", False) else contact
    invoice = bill(drive, payer, changes.pop("amount", "250.00"), **fields, **changes)
    if removed:
        drive.sandbox.books.remove(drive.sandbox.books.main(), "invoices", invoice["id"])
    assert said(adopt(drive), deal) == ("no match", why.format(id=invoice["id"]), ())
    assert links(drive) == {}
    assert open_items(drive) == []


def test_two_invoices_for_one_deal_are_a_question(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    twins = [bill(drive, contact)["id"] for _ in range(2)]
    why = "2 invoices have the same customer, currency, total and date"
    assert said(adopt(drive), deal) == ("ambiguous", why, tuple(twins))
    assert (links(drive), open_items(drive)) == ({}, [])


def test_two_deals_for_one_invoice_are_a_question(drive: Rounds) -> None:
    account, contact = north(drive)
    deals = [add_deal(drive.sandbox, account) for _ in range(2)]
    invoice = bill(drive, contact)
    report = adopt(drive)
    for one, other in (deals, reversed(deals)):
        why = f"an invoice has the same customer, currency, total and date, which {other} may be billed by too"
        assert said(report, one) == ("ambiguous", why, (invoice["id"],))
    assert links(drive) == {}


def test_a_question_is_answered_by_the_mark_that_the_report_shows(drive: Rounds) -> None:
    account, contact = north(drive)
    deals = [add_deal(drive.sandbox, account) for _ in range(2)]
    one, two = bill(drive, contact), bill(drive, contact)
    adopt(drive)
    edit(drive.sandbox, "invoices", one, memo=f"by hand [sf:{deals[1]}:1:1]")
    assert said(adopt(drive), deals[1])[:2] == ("match", "our reference")
    assert links(drive) == {deals[1]: one["id"], deals[0]: two["id"]}
    silent_run(drive)


def test_without_its_customer_no_invoice_is_found(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Northern Lights", "ap@north.example")
    deal = add_deal(drive.sandbox, account)
    bill(drive, customer(drive, "other@north.example"))
    report = adopt(drive)
    assert said(report, account)[:2] == ("no match", "no customer of the books has its e-mail, or name and postal code")
    reason = "its customer is not linked: no customer of the books has its e-mail, or name and postal code"
    assert said(report, deal)[:2] == ("no match", reason)


def test_two_customers_with_one_address_are_a_question(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Northern Lights", "ap@north.example")
    deal = add_deal(drive.sandbox, account)
    twins = (customer(drive), customer(drive, name="North again"))
    bill(drive, twins[0])
    report = adopt(drive)
    assert said(report, account) == ("ambiguous", "2 customers of the books have the same e-mail", twins)
    assert said(report, deal)[0] == "no match"
    assert links(drive, "customer") == {}
    assert open_items(drive) == []


def test_what_a_run_would_park_is_reported_and_not_parked(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None)
    report = adopt(drive)
    assert found(report, deal).result is Result.UNFIT
    assert (operations(drive), open_items(drive)) == ([], [])


def test_a_deal_that_is_not_won_is_not_compared(drive: Rounds) -> None:
    account, contact = north(drive)
    add_deal(drive.sandbox, account, StageName="Prospecting")
    bill(drive, contact)
    report = adopt(drive)
    assert (report.findings, report.left_out) == ([], 1)


def test_one_sale_is_adopted_once_whichever_object_it_arrives_as(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    add_order(drive.sandbox, account, deal)
    invoice = bill(drive, contact)
    adopt(drive)
    assert links(drive) == {deal: invoice["id"]}
    silent_run(drive)


def test_a_deal_in_doubt_gets_nothing_and_leaves_its_twin_in_question(drive: Rounds) -> None:
    account, _ = north(drive)
    first = add_deal(drive.sandbox, account)
    in_doubt(drive, first)
    (sent,) = bearing(drive, first)
    cleared = edit(drive.sandbox, "invoices", sent, memo="")
    second = add_deal(drive.sandbox, account)
    report = adopt(drive)
    assert said(report, first) == (
        "unfit",
        "sent before, and its outcome is not known yet",
        (cleared["id"],),
    )
    assert said(report, second)[0] == "ambiguous"
    assert links(drive) == {}


# -- after it


def test_the_first_run_writes_nothing_even_for_items_that_the_books_lack(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, deal, "250.00", product=other_product(drive))
    invoice = bill(drive, contact)
    assert [each.result for each in adopt(drive).findings if each.row.target == "item"] == [Result.NO_MATCH]
    assert links(drive) == {deal: invoice["id"]}
    silent_run(drive)
    change(drive, deal, Description="touched, and nothing mapped changed")
    silent_run(drive)
    assert books_rows(drive.sandbox, "items") == []


def test_an_item_that_comes_later_changes_no_adopted_invoice(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, deal, "250.00", product=other_product(drive))
    invoice = bill(drive, contact)
    adopt(drive)
    drive.run()
    new = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, new, "300.00", product=other_product(drive))
    drive.run()
    change(drive, deal, Description="touched, and nothing mapped changed")
    silent_run(drive)
    change(drive, deal, Name="Renamed")
    drive.run()
    changed = drive.sandbox.books.read(drive.sandbox.books.main(), "invoices", invoice["id"])
    assert changed["lineItems"] == invoice["lineItems"]
    assert changed["memo"] == f"Renamed [sf:{deal}:1:1]"
    silent_run(drive)
    assert len(books_rows(drive.sandbox, "invoices")) == 2


def test_a_later_change_in_salesforce_updates_the_adopted_invoice(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact, dueDate=moved_by(drive, 14))
    adopt(drive)
    drive.run()
    price(drive, deal, "260.00")
    drive.run()
    (updated,) = books_rows(drive.sandbox, "invoices")
    assert (updated["id"], updated["totalDue"]) == (invoice["id"], 26000)
    assert updated["dueDate"] == invoice["dueDate"]
    assert updated["memo"] == f"by hand [sf:{deal}:1:1]"
    silent_run(drive)


def test_a_change_of_lines_makes_the_item_that_was_missing(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, deal, "250.00", product=other_product(drive))
    bill(drive, contact)
    adopt(drive)
    drive.run()
    add_line(drive.sandbox, deal, "10.00", product=other_product(drive))
    drive.run()
    (updated,) = books_rows(drive.sandbox, "invoices")
    (item,) = books_rows(drive.sandbox, "items")
    assert [line["item"] for line in updated["lineItems"]] == [item["id"]] * 2
    assert updated["totalDue"] == 26000
    silent_run(drive)


def test_what_changed_in_the_books_alone_stays(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact)
    adopt(drive)
    edit(drive.sandbox, "invoices", invoice, memo="corrected by hand")
    price(drive, deal, "260.00")
    drive.run()
    (updated,) = books_rows(drive.sandbox, "invoices")
    assert (updated["totalDue"], updated["memo"]) == (26000, f"corrected by hand [sf:{deal}:1:1]")


def test_salesforce_learns_the_numbers_and_payments_of_adopted_invoices(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact, date=moved_by(drive, -20))
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 10000, moved_by(drive, -10))
    adopt(drive)
    drive.run_back()
    told = drive.sandbox.org.get("Opportunity", deal)
    assert (told["Kashoo_Invoice__c"], told["Kashoo_Status__c"]) == (invoice["number"], "Partly Paid")
    assert told["Kashoo_Paid__c"] == Decimal(100)


def test_a_parked_deal_that_is_adopted_waits_no_longer(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Northern Lights")
    deal = add_deal(drive.sandbox, account)
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), today(drive.sandbox))
    drive.run()
    assert [ident for ident, _ in open_items(drive)] == [deal]
    drive.sandbox.books.lock_until(drive.sandbox.books.main(), None)
    (known,) = books_rows(drive.sandbox, "customers")
    invoice = bill(drive, known["id"])
    drive.sandbox.clock.advance(7200)
    adopt(drive, since=None)  # no window holds it, but it is read for being parked
    assert links(drive) == {deal: invoice["id"]}
    assert open_items(drive) == []


# -- by hand


def test_dry_run_and_no_leave_everything_as_it_was(drive: Rounds) -> None:
    account, contact = north(drive)
    add_deal(drive.sandbox, account)
    bill(drive, contact)
    assert len(adopt(drive, dry_run=True).of(Result.MATCH)) == 2
    asked: list[str] = []
    converse(drive, ask=lambda text: asked.append(text) or "")
    assert asked == ["Link 2 records? [y/N] "]
    assert links(drive) == links(drive, "customer") == {}
    converse(drive, ask=lambda _: "Y")
    assert (len(links(drive)), len(links(drive, "customer"))) == (1, 1)


def test_twice_links_nothing_new_and_no_watermark_moves(drive: Rounds) -> None:
    account, contact = north(drive)
    add_deal(drive.sandbox, account)
    bill(drive, contact)
    adopt(drive)
    versions = [(link.id, link.version) for link in drive.store.links.of_target("invoice")]
    report = adopt(drive)
    assert report.of(Result.MATCH) == []
    assert report.known == {"customer": 1, "invoice": 1}
    assert [(link.id, link.version) for link in drive.store.links.of_target("invoice")] == versions
    assert drive.store.watermarks.get("salesforce.Opportunity") is None


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_crash_in_the_middle_is_made_good_by_the_next_try(
    drive: Rounds, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, contact = north(drive)
    deals = [add_deal(drive.sandbox, account, amount) for amount in ("250.00", "300.00")]
    invoices = [bill(drive, contact, amount)["id"] for amount in ("250.00", "300.00")]
    linked, calls = Journal.linked, 0

    def die(*args: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise Killed
        linked(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "linked", die)
        with pytest.raises(Killed):
            adopt(drive)
    adopt(drive)
    assert links(drive) == dict(zip(deals, invoices, strict=True))
    silent_run(drive)


def test_what_a_run_billed_while_the_report_was_read_is_not_linked(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    bill(drive, contact)

    def answer(_: str) -> str:
        drive.run()
        return "y"

    _, text = converse(drive, ask=answer)
    (ours,) = bearing(drive, deal)
    assert links(drive) == {deal: ours["id"]}
    assert "2 changed while you read the report" in text


def test_an_invoice_that_another_deal_got_meanwhile_is_not_linked_twice(drive: Rounds) -> None:
    account, contact = north(drive)
    add_deal(drive.sandbox, account)
    bill(drive, contact)
    drive.sandbox.clock.advance(60)
    late = Adoption(drive.sync(), BEGINNING)
    late.read_salesforce()
    report = late.compare()
    (match,) = [each for each in report.of(Result.MATCH) if each.row.target == "invoice"]
    adopt(drive)
    with drive.database.begin() as connection:  # as if it had been another deal's
        connection.exec_driver_sql("UPDATE links SET source_id = 'x', sale_id = 'x' WHERE target = 'invoice'")
    assert late.link(report) == {"changed meanwhile": 2}
    assert links(drive) == {"x": match.row.kashoo_id}


def test_an_invoice_whose_customer_became_another_meanwhile_is_not_linked(drive: Rounds) -> None:
    account, contact = north(drive)
    add_deal(drive.sandbox, account)
    bill(drive, contact)
    drive.sandbox.clock.advance(60)
    late = Adoption(drive.sync(), BEGINNING)
    late.read_salesforce()
    report = late.compare()
    late.link(Report(report.of(Result.MATCH)[:1]))
    with drive.database.begin() as connection:
        connection.exec_driver_sql("UPDATE links SET kashoo_id = 7 WHERE target = 'customer'")
    assert late.link(report) == {"changed meanwhile": 2}
    assert links(drive) == {}


def test_an_invoice_of_another_org_with_the_same_books_is_not_free(drive: Rounds) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    bill(drive, contact)
    adopt(drive)
    with drive.database.begin() as connection:  # as if another org had adopted it
        connection.exec_driver_sql("UPDATE scopes SET org_id = '00D00000000001ZEAA'")
    report = adopt(drive)
    assert said(report, deal)[:2] == ("no match", "its customer has no invoice that is free")
    assert (links(drive), len(links(drive, "customer"))) == ({}, 1)


def test_another_business_knows_nothing_of_it(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    account, contact = north(drive)
    deal = add_deal(drive.sandbox, account)
    bill(drive, contact)
    adopt(drive)
    books = drive.sandbox.books
    other = books.add_business("Other", home="USD", currencies={"USD"})
    for row in books_rows(drive.sandbox, "accounts"):
        books.create(other, "accounts", row)
    monkeypatch.setattr(books, "main", lambda: other)
    invoice = bill(drive, customer(drive))
    assert found(adopt(drive), deal).result is Result.MATCH
    assert links(drive) == {deal: invoice["id"]}


def test_without_a_beginning_it_says_what_to_give(drive: Rounds) -> None:
    with pytest.raises(ConfigurationError, match="Give --from DATE, the start_date of your DAG"):
        adopt(drive, since=None)
    with pytest.raises(ConfigurationError, match="--from lies in the future"):
        adopt(drive, since=drive.sandbox.clock.now() + timedelta(days=1))


def test_the_beginning_may_be_where_the_next_run_begins(drive: Rounds) -> None:
    account, contact = north(drive)
    old = add_deal(drive.sandbox, account, "50.00")  # too small to be billed
    drive.run()
    drive.sandbox.clock.advance(7200)
    drive.run()
    deal = add_deal(drive.sandbox, account)
    invoice = bill(drive, contact)
    report = adopt(drive, since=None)
    assert links(drive) == {deal: invoice["id"]}
    assert report.left_out == 0
    assert old not in {each.row.source_id for each in report.findings}


def test_it_says_beforehand_how_often_it_reads_and_stays_in_the_budget(drive: Rounds) -> None:
    drive.metered = True
    account, contact = north(drive)
    add_deal(drive.sandbox, account)
    bill(drive, contact)
    sync = drive.sync()
    _, text = converse(drive, sync=sync, dry_run=True)
    asked, sent = int(text.split("about ")[1].split()[0]), len(drive.sandbox.logs["kashoo"].entries())
    assert asked - 4 <= sent <= asked
    assert sync.budget.used(3600) == sent
    drive.limits = (Limit(5, 3600),)
    with pytest.raises(UnreachableError, match=r"The request budget is spent until 20.*Adopt again then"):
        adopt(drive, sync=drive.sync())


def test_the_report_shows_money_in_major_units(drive: Rounds, tmp_path: Path) -> None:
    account = add_account(drive.sandbox, "=Northern [red] Lights", "ap@north.example")
    contact = customer(drive, name="=North [red]")
    order = add_order(drive.sandbox, account, None, "1250.00")
    drive.sandbox.org.update("Order", order, {"PoNumber": "77"})
    invoice = bill(drive, contact, "1200.50", poNumber="77")
    lost = add_deal(drive.sandbox, account, "9999.00")
    file = tmp_path / "adopt.csv"
    _, text = converse(drive, dry_run=True, output=str(file))
    (line,) = [line for line in text.splitlines() if order in line]
    cells = [cell.strip() for cell in line.strip("│┃| ").split("│")]
    assert cells == [
        f"Order {order}",
        str(invoice["id"]),
        invoice["number"],
        "same number or PO number",
        "1,250.00 USD (books: 1,200.50 USD)",
    ]
    assert "=North [red]" in text
    assert "2 matched, 0 ambiguous, 2 without a match, 0 unfit, 0 linked before, 0 deals not to be billed." in text
    rows = {row["record"]: row for row in csv.DictReader(file.read_text().splitlines())}
    assert (rows[order]["total"], rows[order]["books_total"]) == ("1250.00", "1200.50")
    assert rows[account]["label"] == "'=North [red]"
    assert (rows[lost]["result"], rows[lost]["kashoo_id"]) == ("no match", "")


def test_a_file_that_cannot_be_written_costs_no_request(drive: Rounds, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lies in no folder"):
        adopt(drive, output=str(tmp_path / "no" / "adopt.csv"))
    assert drive.sandbox.logs["kashoo"].entries() == []
