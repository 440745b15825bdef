"""``airflow kashoo relink``: a removed or mixed-up customer or item, and what waits for it."""

from __future__ import annotations

import pytest
from records import add_account, add_deal, add_line, books_rows, edit, invoice_of, invoices_of, writes
from rounds import CUSTOMERS, Rounds, fault, links, open_items, operations, quiet, reviews, weeks

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.by_hand.relink import relink


def customer(drive: Rounds, name: str, email: str | None = None) -> int:
    """Make a customer by hand."""
    info = {"name": name, "email": email, "address": {}}
    made = drive.sandbox.books.create(drive.sandbox.books.main(), "customers", {"contactInformation": info})
    return int(made["id"])


def lost(drive: Rounds) -> tuple[str, str, int]:
    """Remove the customer of a billed Account, which has a new deal; give Account, deal and the removed customer."""
    account = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_deal(drive.sandbox, account)
    drive.run()
    gone = links(drive, "customer")[account]
    drive.sandbox.books.remove(drive.sandbox.books.main(), "customers", gone)
    return account, add_deal(drive.sandbox, account), gone


def contact_of(drive: Rounds, ident: int) -> dict[str, str]:
    (found,) = [row["contactInformation"] for row in books_rows(drive.sandbox, "customers") if row["id"] == ident]
    return dict(found)


def said(drive: Rounds) -> list[tuple[str, str, str]]:
    return [(item["source_id"], item["error_class"], item["cause"]) for item in drive.store.reviews.all_open()]


def relinked(drive: Rounds, record: str, to: int | None) -> str:
    return relink(drive.sync(), record, to, by="ann")


def refused(drive: Rounds, record: str, to: int | None) -> str:
    with pytest.raises(ConfigurationError) as error:
        relinked(drive, record, to)
    return str(error.value)


def test_the_question_names_the_removed_customer_and_what_may_have_replaced_it(drive: Rounds) -> None:
    account, deal, gone = lost(drive)
    other = customer(drive, "Acme", "ap@acme.example")
    drive.run()
    cause = f"customer {gone} was removed in Kashoo; customer {other} may have replaced it: same e-mail"
    assert said(drive) == [(account, "removed_in_books", cause)]
    (parked,) = operations(drive, State.PARKED)
    assert (parked["source_id"], parked["cause"]) == (deal, f"its {cause}")
    customer(drive, "Acme", "ap@acme.example")
    drive.run()
    assert said(drive) == [(account, "removed_in_books", cause)]  # other words would show it again to who dismissed it
    assert invoices_of(drive.sandbox, deal) == []


def test_a_deal_whose_customer_is_known_to_be_removed_is_not_sent(drive: Rounds) -> None:
    lost(drive)
    drive.run()
    before = writes(drive.sandbox)
    drive.run()
    assert writes(drive.sandbox) == before


def test_relinked_to_another_customer_what_waited_goes_on_and_its_values_stay(drive: Rounds) -> None:
    account, deal, _ = lost(drive)
    drive.run()
    other = customer(drive, "Acme Inc.", "billing@acme.example")
    relinked(drive, account, other)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["contact"] == other
    assert open_items(drive) == []
    quiet(drive)
    assert contact_of(drive, other)["name"] == "Acme Inc."


def test_after_a_relink_the_customer_follows_its_account_again(drive: Rounds) -> None:
    account, *_ = lost(drive)
    other = customer(drive, "Acme Inc.", "billing@acme.example")
    relinked(drive, account, other)
    drive.run()
    drive.sandbox.org.update("Account", account, {"Phone": "555-0199"})
    drive.run()
    found = contact_of(drive, other)
    assert (found["phone"], found["name"]) == ("555-0199", "Acme Inc.")


def test_a_new_customer_is_made_when_a_person_says_so(drive: Rounds) -> None:
    account, deal, gone = lost(drive)
    drive.run()
    relinked(drive, account, None)
    drive.run()
    made = links(drive, "customer")[account]
    assert made != gone
    assert invoice_of(drive.sandbox, deal)["contact"] == made
    quiet(drive)


def test_a_customer_that_stands_is_given_up_and_never_found_again(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_deal(drive.sandbox, account)
    drive.run()
    before = links(drive, "customer")[account]
    relinked(drive, account, None)
    deal = add_deal(drive.sandbox, account)
    drive.run()
    made = links(drive, "customer")[account]
    assert made != before
    assert invoice_of(drive.sandbox, deal)["contact"] == made
    weeks(drive, 2)
    assert links(drive, "customer")[account] == made
    assert reviews(drive) == []


def test_a_restored_customer_is_used_again_without_a_command(drive: Rounds) -> None:
    account, deal, gone = lost(drive)
    drive.run()
    table = drive.sandbox.books.business(drive.sandbox.books.main()).tables["customers"]
    table.put({**table.rows[gone], "removed": False})
    for _ in range(2):
        drive.run()
    assert invoice_of(drive.sandbox, deal)["contact"] == gone
    assert links(drive, "customer")[account] == gone
    assert open_items(drive) == []


def test_a_removed_item_is_replaced_the_same_way(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_line(drive.sandbox, add_deal(drive.sandbox, account, None), "101.00")
    drive.run()
    product, gone = list(links(drive, "item").items())[-1]
    drive.sandbox.books.remove(drive.sandbox.books.main(), "items", gone)
    deal = add_deal(drive.sandbox, account, None)
    add_line(drive.sandbox, deal, "101.00")
    drive.run()
    assert [(each, why) for each, why, _ in said(drive)] == [(product, "removed_in_books")]
    relinked(drive, product, None)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["lineItems"][0]["item"] == links(drive, "item")[product] != gone


def test_an_account_that_two_alike_block_is_linked_to_the_one_a_person_names(drive: Rounds) -> None:
    one, _ = (customer(drive, name, "pay@twin.example") for name in ("Twin", "Twin"))
    account = add_account(drive.sandbox, "Twin", "pay@twin.example")
    deal = add_deal(drive.sandbox, account)
    drive.run()
    assert invoices_of(drive.sandbox, deal) == []
    relinked(drive, account, one)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["contact"] == one


def test_a_customer_that_was_merged_into_that_of_another_account_is_named(drive: Rounds) -> None:
    other = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_deal(drive.sandbox, other)
    account, _, gone = lost(drive)
    drive.run()
    found = links(drive, "customer")[other]
    cause = f"customer {gone} was removed in Kashoo; customer {found} may have replaced it: same e-mail"
    assert said(drive) == [(account, "removed_in_books", cause)]


def test_what_cannot_be_is_refused_and_changes_nothing(drive: Rounds) -> None:
    account, deal, gone = lost(drive)
    before = links(drive, "customer")
    assert "any more" in refused(drive, account, gone)
    assert "Kashoo has no customer 1." in refused(drive, account, 1)
    assert "No mapping makes a customer or an item of Opportunity" in refused(drive, deal, 1)
    assert "Copy the id" in refused(drive, "nonsense", None)
    assert links(drive, "customer") == before


def test_a_record_with_a_write_in_doubt_is_not_relinked(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Doubt", "d@doubt.example")
    add_deal(drive.sandbox, account)
    fault(drive, "drop_after", CUSTOMERS)
    drive.run()
    assert "no known outcome" in refused(drive, account, customer(drive, "Doubt"))


def test_who_did_it_is_kept(drive: Rounds) -> None:
    account, *_ = lost(drive)
    other = customer(drive, "Acme Inc.")
    relinked(drive, account, other)
    with drive.database.begin() as connection:
        query = "SELECT event, reason FROM audit WHERE run_id = 'by hand' ORDER BY id"
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    assert [event for event, _ in found] == ["unlinked", "link"]
    assert all("by ann" in reason for _, reason in found)
    assert relinked(drive, account, other).endswith("already.")


def test_the_mark_on_a_customer_that_was_given_up_is_no_copy(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_deal(drive.sandbox, account)
    drive.run()
    relinked(drive, account, None)
    add_deal(drive.sandbox, account)
    drive.run()
    add_deal(drive.sandbox, add_account(drive.sandbox, "Other", "o@other.example"))
    weeks(drive, 2)
    assert open_items(drive) == []


def test_a_plan_of_before_the_relink_bills_nobody_else(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_deal(drive.sandbox, account)
    drive.run()
    deal, other = add_deal(drive.sandbox, account), customer(drive, "Acme Inc.")
    planned = drive.prepare()
    relinked(drive, account, other)
    drive.finish(planned)
    assert invoices_of(drive.sandbox, deal) == []
    drive.run()
    assert invoice_of(drive.sandbox, deal)["contact"] == other


def test_an_invoice_that_names_a_removed_item_itself_says_so_and_goes_on_when_it_is_corrected(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, "Acme", "ap@acme.example"), None)
    add_line(drive.sandbox, deal, "101.00")
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    gone = invoice["lineItems"][0]["item"]
    (product,) = [ident for ident, item in links(drive, "item").items() if item == gone]
    drive.sandbox.books.remove(drive.sandbox.books.main(), "items", gone)
    relinked(drive, product, None)
    drive.sandbox.org.update("Opportunity", deal, {"CloseDate": "2026-03-09"})
    drive.run()
    (parked,) = [row for row in operations(drive, State.PARKED) if row["source_id"] == deal]
    assert (parked["error_class"], str(gone) in parked["cause"]) == ("names_removed", True)
    line = {name: value for name, value in invoice["lineItems"][0].items() if name != "item"}
    edit(drive.sandbox, "invoices", invoice, lineItems=[line])
    drive.run()
    assert invoice_of(drive.sandbox, deal)["date"] == "2026-03-09"


def test_a_second_thought_before_the_next_run_leaves_no_copy(drive: Rounds) -> None:
    account = add_account(drive.sandbox, "Acme", "ap@acme.example")
    add_deal(drive.sandbox, account)
    drive.run()
    relinked(drive, account, None)
    relinked(drive, account, customer(drive, "Acme Inc."))
    drive.sandbox.org.update("Account", account, {"Phone": "555-0199"})
    drive.run()
    drive.sandbox.org.update("Account", account, {"Phone": "555-0200"})
    drive.run()
    add_deal(drive.sandbox, add_account(drive.sandbox, "Other", "o@other.example"))
    weeks(drive, 1)
    assert open_items(drive) == []
