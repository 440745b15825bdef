"""The whole round in Airflow: invoices out, payments in, and nothing left to do."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from airflow.dag_processing.dagbag import DagBag
from records import books_rows, writes

from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.store import SyncStore

TO_KASHOO, TO_SALESFORCE = "salesforce_to_kashoo", "kashoo_to_salesforce"
STEPS = ("preflight", "plan", "approve", "apply", "commit")

Row = dict[str, Any]


@dataclass
class Round:
    """What was seen after each run.

    :param eligible: Salesforce id -> (currency, cents) of what is to be billed, worked out from Salesforce alone.
    :param paid: invoice id -> cents that the customer paid.
    :param events: name and extra of each event of an asset that a DAG waits for.
    """

    sandbox: Sandbox
    eligible: dict[str, tuple[str, int]]
    runs: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    test_batch: list[Row] = field(default_factory=list)
    watermarks_after_batch: dict[str, Any] = field(default_factory=dict)
    paid: Counter[int] = field(default_factory=Counter)
    last_writes: dict[str, int] = field(default_factory=dict)
    events: list[tuple[str, Row]] = field(default_factory=list)

    def ours(self) -> dict[str, list[Row]]:
        """Salesforce id -> its invoices in the books."""
        return by_reference(self.sandbox)


def by_reference(sandbox: Sandbox) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in books_rows(sandbox, "invoices"):
        _, mark, rest = (row["memo"] or "").partition("[sf:")
        if mark:
            ident, part, generation = rest.split("]")[0].split(":")
            assert (part, generation) == ("1", "1")
            found[ident].append(row)
    return found


def eligible(sandbox: Sandbox) -> dict[str, tuple[str, int]]:
    deals = [row for row in sandbox.org.rows("Opportunity") if row["IsWon"] and (row["Amount"] or 0) >= 100]
    billed = {row["Id"] for row in deals}
    orders = [
        row
        for row in sandbox.org.rows("Order")
        if row["StatusCode"] == "Activated" and row["TotalAmount"] >= 100 and row["OpportunityId"] not in billed
    ]
    totals = [(row, row["Amount"]) for row in deals] + [(row, row["TotalAmount"]) for row in orders]
    return {row["Id"]: (row["CurrencyIsoCode"], int(Decimal(total) * 100)) for row, total in totals}


def store_of(sandbox: Sandbox) -> SyncStore:
    return SyncStore(open_database(), sandbox.org.org_id, str(sandbox.books.main()))


def watermarks(sandbox: Sandbox) -> dict[str, Any]:
    store = store_of(sandbox)
    names = ("Account", "Product2", "Opportunity", "Order")
    return {name: store.watermarks.get(f"salesforce.{name}") for name in names}


def asset_events() -> list[tuple[str, Row]]:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        joined = session.query(AssetModel.name, AssetEvent.extra).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        return [(name, extra) for name, extra in joined.order_by(AssetEvent.id)]


def customers_pay(told: Round) -> None:
    """Pay every third invoice in full and every third in part, through the admin API."""
    for number, ident in enumerate(sorted(told.eligible)):
        (invoice,) = told.ours()[ident]
        amount = (invoice["totalDue"], invoice["totalDue"] // 3, 0)[number % 3]
        if amount:
            body = {"invoice": invoice["id"], "amount": amount}
            requests.post(f"{told.sandbox.admin_url}/kashoo/payments", json=body, timeout=30).raise_for_status()
            told.paid[invoice["id"]] += amount


@pytest.fixture(scope="module")
def told(sandbox: Sandbox, store_file: Path) -> Round:
    round_trip = Round(sandbox, eligible(sandbox))

    def run(dag_id: str, **conf: Any) -> None:
        done = DagBag().dags[dag_id].test(run_conf=conf)  # parsed afresh: test() leaves its conf in the DAG's params
        states = {each.task_id: str(each.state) for each in done.get_task_instances()}
        round_trip.runs.append((str(done.state), states))

    before_all = len(asset_events())
    run(TO_KASHOO, limit=3)
    round_trip.test_batch = [row for rows in by_reference(sandbox).values() for row in rows]
    round_trip.watermarks_after_batch = watermarks(sandbox)
    run(TO_KASHOO)
    customers_pay(round_trip)
    run(TO_SALESFORCE)
    sandbox.clock.advance(1200)  # so that the next window holds our own write-backs
    before = writes(sandbox)
    run(TO_KASHOO)
    run(TO_SALESFORCE)
    after = writes(sandbox)
    round_trip.events = asset_events()[before_all:]
    round_trip.last_writes = {side: after[side] - before[side] for side in after}
    return round_trip


def test_every_task_of_every_run_succeeds(told: Round) -> None:
    assert [state for state, _ in told.runs] == ["success"] * 5
    for _, tasks in told.runs:
        assert set(STEPS) < set(tasks)
        assert set(tasks.values()) == {"success"}


def test_a_test_batch_makes_its_invoices_and_moves_no_watermark(told: Round) -> None:
    assert len(told.test_batch) == 3
    assert set(told.watermarks_after_batch.values()) == {None}


def test_a_full_run_moves_every_watermark(told: Round) -> None:
    assert None not in watermarks(told.sandbox).values()


def test_every_eligible_record_has_exactly_one_invoice_and_no_other_has_one(told: Round) -> None:
    ours = told.ours()
    assert set(ours) == set(told.eligible)
    assert len(told.eligible) == 29
    assert {len(rows) for rows in ours.values()} == {1}
    assert {row["id"] for row in told.test_batch} <= {row["id"] for rows in ours.values() for row in rows}


def test_each_invoice_has_the_currency_and_the_total_of_its_sale(told: Round) -> None:
    assert {ident: (rows[0]["currency"], rows[0]["totalDue"]) for ident, rows in told.ours().items()} == told.eligible


def test_the_totals_of_both_sides_agree_in_every_currency(told: Round) -> None:
    sold: Counter[str] = Counter()
    billed: Counter[str] = Counter()
    for currency, cents in told.eligible.values():
        sold[currency] += cents
    for (row,) in told.ours().values():
        billed[row["currency"]] += row["totalDue"]
    assert billed == sold
    assert set(sold) == {"USD", "CAD", "EUR", "GBP"}


def test_what_stood_in_the_books_before_stays_as_it_was(told: Round) -> None:
    others = [row for row in books_rows(told.sandbox, "invoices") if "[sf:" not in (row["memo"] or "")]
    assert [(row["memo"], row["balanceDue"]) for row in others] == [
        ("monthly service", 13126),
        ("monthly service", 12500),
    ]


def test_what_came_in_is_written_back_to_the_cent(told: Round) -> None:
    day = told.sandbox.clock.now().date().isoformat()
    seen = Counter[str]()
    for ident, (invoice,) in told.ours().items():
        row = told.sandbox.org.get("Order" if ident.startswith("801") else "Opportunity", ident)
        paid, total = told.paid[invoice["id"]], invoice["totalDue"]
        status = "Paid" if paid == total else "Partly Paid" if paid else "Open"
        cents = [Decimal(row[f"Kashoo_{name}__c"]) * 100 for name in ("Paid", "Balance")]
        assert (row["Kashoo_Status__c"], row["Kashoo_Invoice__c"]) == (status, invoice["number"])
        assert cents == [paid, total - paid]
        assert invoice["balanceDue"] == total - paid
        assert (row["Kashoo_Last_Payment__c"] is None) == (paid == 0)
        assert row["Kashoo_Last_Payment__c"] in {None, day} or paid
        seen[status] += 1
    assert seen == {"Paid": 10, "Partly Paid": 10, "Open": 9}


def test_a_record_that_is_not_billed_is_told_nothing(told: Round) -> None:
    for sobject in ("Opportunity", "Order"):
        for row in told.sandbox.org.rows(sobject):
            if row["Id"] not in told.eligible:
                assert row["Kashoo_Status__c"] is None


def test_when_nothing_changed_nothing_is_written_on_either_side(told: Round) -> None:
    assert told.last_writes == {"salesforce": 0, "kashoo": 0}


def test_other_dags_hear_of_each_run_that_wrote_and_of_no_other(told: Round) -> None:
    assert [name for name, _ in told.events] == ["kashoo_invoices", "kashoo_invoices", "salesforce_payments"]
    batch, full, back = (extra for _, extra in told.events)
    assert batch["created"] < full["created"]
    assert back == {"written_back": len(told.eligible)}


def test_nothing_waits_for_a_person(told: Round) -> None:
    store = store_of(told.sandbox)
    assert store.reviews.all_open() == []
    assert store.journal.unsettled("parked", "in_doubt", "retry", "sent") == []


def test_no_task_hands_over_a_record(told: Round, sandbox: Sandbox) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    names = [row["Name"] for row in sandbox.org.rows("Account")] + [
        row["Name"] for row in sandbox.org.rows("Opportunity")
    ]
    with create_session() as session:
        handed_over = json.dumps([str(row.value) for row in session.query(XComModel).all()], ensure_ascii=False)
    assert len(handed_over) > 100
    assert [name for name in names if name.strip() in handed_over] == []
