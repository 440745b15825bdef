"""Whatever is wrong with one record, the others arrive; whatever is wrong with the set-up, nothing is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from driver import Driver, up_to_approval
from records import (
    add_account,
    add_deal,
    add_line,
    books_rows,
    invoice_of,
    invoices_of,
    remove_a_twin,
    set_amount,
    set_currencies,
    twins,
    writes,
)

from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.core.errors import AuthenticationError, ConfigurationError, UnreachableError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync import steps

NOWHERE = "127.0.0.1:9"  # the discard port: nothing listens


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Driver]:
    with Sandbox(dataset="empty") as box:
        yield Driver(box, tmp_path)


# -- one bad record among good ones


@dataclass(frozen=True)
class Bad:
    """One way in which a deal cannot be billed, and how a person mends it.

    :param cause: how it begins.
    """

    error_class: str
    cause: str
    fix: str
    make: Callable[[Sandbox], str]
    mend: Callable[[Sandbox, str], object]
    total: int = 25000


@dataclass
class Story:
    """What was parked and billed: when found, a run later, and after all was mended."""

    deals: dict[str, str]
    parked: list[list[dict[str, Any]]] = field(default_factory=list)
    billed: list[set[str]] = field(default_factory=list)
    states: dict[str, list[str]] = field(default_factory=dict)
    totals: dict[str, list[int]] = field(default_factory=dict)


ASK_KASHOO = "Correct what Kashoo names, in Salesforce, Kashoo or the mapping. It is tried again by itself."


def long_ago(box: Sandbox) -> str:
    return (box.clock.now().date() - timedelta(days=300)).isoformat()


def not_adding_up(box: Sandbox) -> str:
    deal = add_deal(box, add_account(box, "Odd Sums"), None)
    add_line(box, deal, "125.00", quantity="2")
    set_amount(box, deal, "240.00")
    return deal


BAD = {
    "a deal without an account": Bad(
        "missing_value",
        "contact: it is empty",
        "Fill AccountId in Salesforce, or add a default to the mapping.",
        lambda box: add_deal(box, None),
        lambda box, deal: box.org.update("Opportunity", deal, {"AccountId": add_account(box, "Found Again")}),
    ),
    "an ambiguous customer": Bad(
        "waiting_for_parent", "its customer is parked", "Fix the parked customer first.", twins, remove_a_twin
    ),
    "a currency the business lacks": Bad(
        "refused",
        "Kashoo refused the record (400): 'GBP' is not a currency of this business",
        ASK_KASHOO,
        lambda box: add_deal(box, add_account(box, "Thames Ltd"), CurrencyIsoCode="GBP"),
        lambda box, _: set_currencies(box, "USD", "CAD", "EUR", "GBP"),
    ),
    "a currency without cents": Bad(
        "currency",
        "its currency JPY does not have two decimals, and how Kashoo handles it is not known",
        "Bill this deal by hand.",
        lambda box: add_deal(box, add_account(box, "Tokyo KK"), CurrencyIsoCode="JPY"),
        lambda box, deal: box.org.update("Opportunity", deal, {"CurrencyIsoCode": "USD"}),
    ),
    "lines that do not add up": Bad(
        "lines_do_not_add_up",
        "its lines add up to 250.00, but its total is 240.00",
        "Compare the sum of its lines with Amount in Salesforce, and correct one of them.",
        not_adding_up,
        lambda box, deal: set_amount(box, deal, "250.00"),
    ),
    "a date in a locked period": Bad(
        "refused",
        "Kashoo refused the record (400): The books are locked up to ",
        ASK_KASHOO,
        lambda box: add_deal(box, add_account(box, "Late Payer"), CloseDate=long_ago(box)),
        lambda box, _: box.books.lock_until(box.books.main(), None),
    ),
}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Sandbox(dataset="empty") as box:
        drive = Driver(box, tmp_path_factory.mktemp("bad"))
        set_currencies(box, "USD", "CAD", "EUR")
        box.books.lock_until(box.books.main(), long_ago(box))
        deals = {name: bad.make(box) for name, bad in BAD.items()}
        good = add_deal(box, add_account(box, "Good Customer"))
        told = Story({**deals, "good": good})

        def run() -> None:
            journal = drive.run().sync.store.journal
            told.parked.append([dict(row) for row in journal.unsettled(State.PARKED)])
            told.billed.append({name for name, deal in told.deals.items() if invoices_of(box, deal)})
            told.states = {deal: [] for deal in told.deals.values()}
            for row in journal.unsettled(*State):
                told.states.setdefault(row["source_id"], []).append(row["state"])

        run()
        run()
        for name, bad in BAD.items():
            bad.mend(box, deals[name])
        run()
        told.totals = {name: [each["totalDue"] for each in invoices_of(box, deal)] for name, deal in told.deals.items()}
        yield told


@pytest.mark.parametrize("name", BAD)
def test_a_bad_deal_is_parked_with_its_cause_and_what_to_do(story: Story, name: str) -> None:
    for parked in story.parked[:2]:
        found = [row for row in parked if row["source_id"] == story.deals[name]]
        said = [(row["source_object"], row["target"], row["error_class"], row["fix"]) for row in found]
        bad = BAD[name]
        assert said == [("Opportunity", "invoice", bad.error_class, bad.fix)]
        assert found[0]["cause"].startswith(bad.cause)


def test_the_other_records_of_the_run_arrive(story: Story) -> None:
    assert story.billed[:2] == [{"good"}, {"good"}]
    assert story.totals["good"] == [25000]


def test_the_customer_that_cannot_be_told_apart_is_parked_itself(story: Story) -> None:
    (row,) = [row for row in story.parked[0] if row["source_object"] == "Account"]
    assert row["error_class"] == "ambiguous_match"
    both = r"customers \d+ and \d+ in Kashoo have the same e-mail: .* in Kashoo, 'Twin & Co' in Salesforce"
    assert re.fullmatch(both, row["cause"])
    relink = f"airflow kashoo relink {row['source_id']} --to with the id of the right one"
    assert row["fix"] == f"Merge them in Kashoo, correct the one that is wrong, or run {relink}."


def test_nothing_else_is_parked(story: Story) -> None:
    assert [len(parked) for parked in story.parked] == [len(BAD) + 1, len(BAD) + 1, 0]


@pytest.mark.parametrize("name", BAD)
def test_a_mended_deal_is_billed_once_by_a_later_run_and_nothing_stays_parked(story: Story, name: str) -> None:
    assert story.totals[name] == [BAD[name].total]
    states = story.states[story.deals[name]]
    assert states.count("done") == 1
    assert set(states) == {"done", "closed"}


# -- a mapping that does not fit: the run stops before it writes, and says where


def change(drive: Driver, mapping: str, old: str, new: str) -> int:
    """Edit a mapping file; give the number of the changed line."""
    file = drive.mappings / f"{mapping}.yaml"
    before = file.read_text("utf-8")
    assert before.count(old) == 1
    file.write_text(before.replace(old, new), "utf-8")
    return before[: before.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("mapping", "right", "wrong", "complaint"),
    [
        (
            "invoice_from_opportunity",
            "  date: {from: CloseDate}",
            "  date: {from: ClosedDate}",
            "Opportunity has no field 'ClosedDate', or the user may not see it. Did you mean 'CloseDate'?",
        ),
        (
            "invoice_from_opportunity",
            "  quantity: {from: Quantity}",
            "  quantity: {from: Quantities}",
            "OpportunityLineItem has no field 'Quantities', or the user may not see it. Did you mean 'Quantity'?",
        ),
        (
            "item_from_product",
            '  account: "type:INCOME"',
            '  account: "40000"',
            "Kashoo has no account '40000'. Did you mean '4000'?",
        ),
        ("item_from_product", "  taxCode: none", "  taxCode: GS", "Kashoo has no tax 'GS'. Did you mean 'G'?"),
    ],
)
def test_a_mapping_that_does_not_fit_stops_the_run_with_its_line(
    drive: Driver, mapping: str, right: str, wrong: str, complaint: str
) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    line = change(drive, mapping, right, wrong)
    with pytest.raises(ConfigurationError) as stopped:
        drive.run()
    assert f"{drive.mappings}/{mapping}.yaml:{line}:3: {complaint}" in str(stopped.value)
    assert books_rows(drive.sandbox, "invoices") == []
    change(drive, mapping, wrong, right)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25000


def test_all_faults_of_all_mappings_are_said_at_once(drive: Driver) -> None:
    change(drive, "invoice_from_opportunity", "  date: {from: CloseDate}", "  date: {from: ClosedDate}")
    change(drive, "item_from_product", '  account: "type:INCOME"', '  account: "40000"')
    with pytest.raises(ConfigurationError) as stopped:
        steps.preflight(drive.sync())
    assert "'ClosedDate'" in str(stopped.value)
    assert "'40000'" in str(stopped.value)


def test_a_missing_write_back_field_stops_only_the_way_back(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    right, wrong = "  Kashoo_Paid__c: {from: paid}", "  Kashoo_Payed__c: {from: paid}"
    line = change(drive, "payment_to_opportunity", right, wrong)
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 10000)
    with pytest.raises(ConfigurationError) as stopped:
        drive.run_back()
    place = f"{drive.mappings}/payment_to_opportunity.yaml:{line}:3"
    complaint = "Opportunity has no field 'Kashoo_Payed__c', or the user may not see it. Did you mean 'Kashoo_Paid__c'?"
    assert f"{place}: {complaint}" in str(stopped.value)
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] is None
    change(drive, "payment_to_opportunity", wrong, right)
    drive.run_back()
    assert str(drive.sandbox.org.get("Opportunity", deal)["Kashoo_Paid__c"]) in {"100", "100.0", "100.00"}


# -- a side that does not let us in, or is not there


def nothing_lost(drive: Driver, deal: str) -> None:
    """The run that failed wrote nothing and moved nothing; the next one bills the deal once."""
    assert writes(drive.sandbox) == {"salesforce": 0, "kashoo": 0}
    done = drive.run()
    assert done.outcome == {"created": 2}
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25000


def test_a_wrong_kashoo_password_stops_the_run_and_is_not_said(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    right, drive.password = drive.password, "wrong-but-secret"
    with pytest.raises(AuthenticationError) as stopped:
        drive.run()
    assert str(stopped.value) == (
        "Kashoo refused the login. Nothing was written. Check login and password of connection kashoo_default."
    )
    drive.password = right
    nothing_lost(drive, deal)


def test_a_login_salesforce_does_not_know_stops_the_run_and_is_not_said(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.log_in = lambda: Session("00Dwrong!secret", drive.sandbox.salesforce_url)  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError) as stopped:
        drive.run()
    assert str(stopped.value).startswith("Salesforce allowed the login, and then refused its session. Nothing was")
    assert "secret" not in str(stopped.value)
    del drive.log_in
    nothing_lost(drive, deal)


def test_an_unreachable_kashoo_stops_the_run_to_be_tried_again(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    right, drive.kashoo_url = drive.kashoo_url, f"http://{NOWHERE}/api"
    with pytest.raises(UnreachableError, match=r"^Kashoo cannot be reached \(ConnectionError\)\..*Check the host"):
        drive.run()
    drive.kashoo_url = right
    nothing_lost(drive, deal)


def test_an_unreachable_salesforce_stops_the_run_to_be_tried_again(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.log_in = lambda: Session("token", f"https://{NOWHERE}")  # type: ignore[method-assign]
    with pytest.raises(UnreachableError, match=r"^Salesforce cannot be reached \(ConnectionError\)\..*Check the host"):
        drive.run()
    del drive.log_in
    nothing_lost(drive, deal)


def test_kashoo_gone_between_two_writes_loses_nothing(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    up_to_approval(sync)
    right, sync.kashoo._base = sync.kashoo._base, f"http://{NOWHERE}/api"
    with pytest.raises(UnreachableError) as stopped:
        steps.apply(sync)
    assert "Kashoo could not be reached" in str(stopped.value)
    assert "Account 001" in str(stopped.value)
    assert [row["state"] for row in sync.store.journal.unsettled(*State)] == ["retry"]
    sync.kashoo._base = right
    assert steps.apply(sync) == {"created": 2}
    assert len(steps.commit(sync)) == 4
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25000
    assert len(books_rows(drive.sandbox, "customers")) == 1


def test_salesforce_gone_during_the_way_back_loses_nothing(drive: Driver) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    drive.run()
    update = SalesforceClient.update

    def fail(self: SalesforceClient, records: Any) -> Any:
        self._login = Session("token", f"https://{NOWHERE}")
        return update(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SalesforceClient, "update", fail)
        with pytest.raises(UnreachableError, match="Salesforce cannot be reached"):
            drive.run_back()
    assert drive.run_back().outcome == {"written_back": 1}
    row = drive.sandbox.org.get("Opportunity", deal)
    assert (row["Kashoo_Status__c"], row["Kashoo_Invoice__c"]) == ("Open", invoice_of(drive.sandbox, deal)["number"])
    store = drive.sync().store
    assert [each["state"] for each in store.journal.unsettled(State.RETRY, State.PARKED, State.SENT)] == []
