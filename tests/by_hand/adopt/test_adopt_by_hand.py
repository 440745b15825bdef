"""``airflow kashoo adopt`` and the person at it: what is asked and shown, what may come in between, what it costs."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from adoption import adopt, bill, compared, converse, customer, found, north, said, silent_run
from records import add_account, add_deal, add_order, books_rows
from rounds import Killed, Rounds, bearing, links

from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.sync.by_hand.adopt import Report, Result


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
    late, report = compared(drive)
    (match,) = [each for each in report.of(Result.MATCH) if each.intent.record.kind == "invoice"]
    adopt(drive)
    with drive.database.begin() as connection:  # as if it had been another deal's
        connection.exec_driver_sql("UPDATE links SET source_id = 'x', sale_id = 'x' WHERE target = 'invoice'")
    assert late.link(report) == {"changed meanwhile": 2}
    assert links(drive) == {"x": match.intent.kashoo_id}


def test_an_invoice_whose_customer_became_another_meanwhile_is_not_linked(drive: Rounds) -> None:
    account, contact = north(drive)
    add_deal(drive.sandbox, account)
    bill(drive, contact)
    late, report = compared(drive)
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
        connection.exec_driver_sql("DELETE FROM links WHERE target = 'customer'")
    report = adopt(drive)
    assert said(report, deal)[:2] == ("no match", "its customer has no unlinked invoice")
    assert (links(drive), len(links(drive, "customer"))) == ({}, 1)


def test_a_customer_that_belongs_to_one_account_is_not_offered_to_another(drive: Rounds) -> None:
    account, contact = north(drive)
    twin = add_account(drive.sandbox, "Northern Lights", "ap@north.example")
    deals = [add_deal(drive.sandbox, each) for each in (account, twin)]
    bill(drive, contact)
    report = adopt(drive)
    belongs = "what looks like it in the books belongs to another record"
    assert said(report, twin)[:2] == ("no match", belongs)
    assert said(report, deals[1])[:2] == ("no match", f"its customer is not linked: {belongs}")
    assert links(drive, "customer") == {account: contact}


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
    with pytest.raises(ConfigurationError, match="--from is in the future"):
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
    assert old not in {each.intent.record.id for each in report.findings}


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
    with pytest.raises(UnreachableError, match=r"The request limit is reached until 20.*Adopt again after that"):
        adopt(drive, sync=drive.sync())


def test_the_report_shows_money_in_major_units(drive: Rounds, tmp_path: Path) -> None:
    account = add_account(drive.sandbox, "=North [red]", "ap@north.example")
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
        "1,250.00 USD (Kashoo: 1,200.50 USD)",
    ]
    assert "=North [red]" in text
    assert "2 matched, 0 ambiguous, 2 without a match, 0 unfit, 0 linked before, 0 deals not to be billed." in text
    rows = {row["record"]: row for row in csv.DictReader(file.read_text().splitlines())}
    assert (rows[order]["total"], rows[order]["books_total"]) == ("1250.00", "1200.50")
    assert rows[account]["label"] == "'=North [red]"
    assert (rows[lost]["result"], rows[lost]["kashoo_id"]) == ("no match", "")


def test_a_file_that_cannot_be_written_costs_no_request(drive: Rounds, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"The folder of .* does not exist"):
        adopt(drive, output=str(tmp_path / "no" / "adopt.csv"))
    assert drive.sandbox.logs["kashoo"].entries() == []
