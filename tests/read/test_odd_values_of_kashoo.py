"""Any JSON value in any field of any row of Kashoo parks or asks at most about its own record; the others go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inprocess import in_process
from odd import Odd, some, spoiled
from records import add_account, add_deal, add_line, books_rows
from rounds import Rounds, bearing, change, links, open_items, remap, win

DAILY = [pytest.param(False, id="some"), pytest.param(True, id="all", marks=pytest.mark.long)]

OF_INVOICES = [
    "id", "type", "number", "date", "dueDate", "creation", "currency", "contact", "contactName", "poNumber", "memo",
    "amount", "totalDue", "balanceDue", "paid", "taxes", "removed", "readOnly", "links", "lineItems", "lineItems.0",
    "lineItems.0.account", "lineItems.0.item", "lineItems.0.description", "lineItems.0.quantity", "lineItems.0.rate",
    "lineItems.0.taxCode",
]  # fmt: skip
OF_PAYMENTS = [
    "id", "type", "date", "currency", "contact", "account", "amount", "allocations", "allocations.0",
    "allocations.0.amount", "allocations.0.record", "unallocatedAmount", "removed", "creation",
]  # fmt: skip
OF_CUSTOMERS = [
    "id", "type", "contactInformation", "contactInformation.name", "contactInformation.email",
    "contactInformation.address", "contactInformation.address.postalCode", "currency", "notes", "removed", "creation",
]  # fmt: skip
OF_ITEMS = ["id", "name", "code", "description", "rate", "account", "taxCode", "removed", "creation"]
AS_BY_HAND = {"memo", "totalDue", "balanceDue"}
"""Fields whose odd values may look like an edit or a payment, after which texts stay as they are."""

OF_ACCOUNTS = ["id", "number", "name", "type", "removed"]
OF_TAXES = ["id", "abbreviation", "name", "rate", "removed"]
OF_BUSINESSES = ["id", "contactInformation", "contactInformation.name", "currency", "links"]


class Told:
    """Deals that were billed, each with an invoice of its own, which is paid in part."""

    def __init__(self, drive: Rounds, count: int, *, paid: bool = True) -> None:
        self.drive, box = drive, drive.sandbox
        remap(drive, "invoice_from_opportunity", "memo: {from: Name}", "memo: {from: Description}")
        account = add_account(box, "One Customer")
        self.deals = [add_deal(box, account, "250.00") for _ in range(count)]
        drive.run()
        self.invoices = links(drive)
        pays = self.deals if paid else []
        self.payments = {deal: box.books.pay(box.books.main(), self.invoices[deal], 10_000)["id"] for deal in pays}

    def status(self, deal: str) -> str | None:
        row = self.drive.sandbox.org.get("Opportunity", deal)
        return row["Kashoo_Status__c"]  # type: ignore[no-any-return]


@pytest.fixture
def told(tmp_path: Path) -> Any:
    with in_process() as box:
        drives: list[Rounds] = []

        def make(count: int, **more: Any) -> Told:
            drives.append(Rounds(box, tmp_path))
            return Told(drives[0], count, **more)

        yield make
        for each in drives:
            each.database.dispose()


def named(drive: Rounds) -> set[str]:
    return {ident for ident, _ in open_items(drive)}


def left_to_do(drive: Rounds) -> list[tuple[str, str]]:
    """List what is open, but for what was sent back as it was read, and so stands in the books now."""
    return [each for each in open_items(drive) if each[1] not in {"total_differs", "mark_missing"}]


def all_is_well(told: Told, good: list[str]) -> None:
    """The good ones were written back, and nothing is asked about them."""
    assert {told.status(deal) for deal in good} == {"Partly Paid"}
    assert not named(told.drive) & set(good)


def heals(told: Told) -> None:
    """When Kashoo shows what it should again, everything is written back, and nothing is left to do."""
    told.drive.run_back()
    told.drive.run_back()
    assert {told.status(deal) for deal in told.deals} == {"Partly Paid"}
    assert open_items(told.drive) == []


@pytest.mark.parametrize("whole", DAILY)
@pytest.mark.parametrize(
    ("paths", "ids"), [(OF_INVOICES, "invoices"), (OF_PAYMENTS, "payments")], ids=["invoices", "payments"]
)
def test_an_odd_value_of_an_invoice_or_a_payment_stops_no_other(
    told: Callable[..., Told], paths: list[str], ids: str, whole: bool
) -> None:
    pairs = some(paths, whole=whole)
    story = told(len(pairs) + 3)
    odd = [Odd(getattr(story, ids)[deal], *pair) for deal, pair in zip(story.deals, pairs, strict=False)]
    with spoiled(story.drive.sandbox, "kashoo", *odd) as spoiling:
        story.drive.run_back()
    assert len(spoiling.hit) > len(odd) * 0.9
    all_is_well(story, story.deals[len(pairs) :])
    lost = {
        str(each)
        for deal, each in zip(story.deals, odd, strict=False)
        if story.status(deal) is None and deal not in named(story.drive)
    }
    assert lost == set()
    heals(story)


@pytest.mark.parametrize("whole", DAILY)
def test_an_odd_value_of_an_invoice_that_is_to_be_changed_stops_no_other(
    told: Callable[..., Told], whole: bool
) -> None:
    pairs = some(OF_INVOICES, whole=whole)
    story = told(len(pairs), paid=False)
    drive = story.drive
    odd = [Odd(story.invoices[deal], *pair) for deal, pair in zip(story.deals, pairs, strict=True)]
    for deal in story.deals:
        change(drive, deal, Description="Another name")
    good = [win(drive) for _ in range(3)]
    with spoiled(drive.sandbox, "kashoo", *odd):
        drive.run()
    assert [len(bearing(drive, deal)) for deal in good] == [1, 1, 1]
    assert not named(drive) & set(good)
    changed = {deal for deal in story.deals if "Another name" in bearing(drive, deal)[0]["memo"]}
    kept = {deal for deal, (path, _) in zip(story.deals, pairs, strict=True) if path in AS_BY_HAND}
    settled = changed | kept | named(drive)
    assert {str(each) for deal, each in zip(story.deals, odd, strict=True) if deal not in settled} == set()
    drive.look_up()
    drive.run_back()
    drive.look_up()
    said = [bearing(drive, deal)[0]["memo"].split(" [")[0] for deal in story.deals if deal not in kept]
    assert said == ["Another name"] * len(said)
    assert left_to_do(drive) == []


@pytest.mark.parametrize("whole", DAILY)
@pytest.mark.parametrize(
    ("kind", "paths"), [("customers", OF_CUSTOMERS), ("items", OF_ITEMS)], ids=["customers", "items"]
)
def test_an_odd_value_of_a_customer_or_an_item_stops_no_other(
    tmp_path: Path, kind: str, paths: list[str], whole: bool
) -> None:
    """Some are linked and change in Salesforce, others are only in the books, beside the new ones."""
    pairs = some(paths, whole=whole)
    with in_process() as box:
        drive, main = Rounds(box, tmp_path), box.books.main()
        accounts = [add_account(box, f"Customer {at}", f"pay{at}@it.example") for at in range(len(pairs))]
        for account in accounts:
            add_line(box, add_deal(box, account, None), "250.00")
        info = {"contactInformation": {"name": "By hand", "email": "by@hand.example", "address": {}}}
        income = next(row["id"] for row in books_rows(box, "accounts") if row["type"] == "INCOME")
        body: Any = info if kind == "customers" else {"name": "By hand", "account": income}
        by_hand = [box.books.create(main, kind, body)["id"] for _ in pairs]
        drive.run()
        linked = sorted(links(drive, kind[:-1]).values())
        odd = [Odd(ident, *pair) for own in (linked, by_hand) for ident, pair in zip(own, pairs, strict=False)]
        for account in accounts:
            box.org.update("Account", account, {"Phone": "555"})
        good = [win(drive) for _ in range(3)]
        with spoiled(box, "kashoo", *odd):
            drive.run()
        assert [len(bearing(drive, deal)) for deal in good] == [1, 1, 1]
        drive.look_up()
        drive.run_back()
        drive.look_up()
        assert left_to_do(drive) == []
        phones = {row["contactInformation"].get("phone") for row in books_rows(box, "customers")}
        assert phones == {"555", None}
        drive.database.dispose()


@pytest.mark.parametrize("whole", DAILY)
def test_an_odd_account_tax_or_business_is_left_out_and_said(
    tmp_path: Path, whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with in_process() as box:
        drive, books, main = Rounds(box, tmp_path), box.books, box.books.main()
        odd = []
        for kind, paths, body in (
            ("accounts", OF_ACCOUNTS, {"name": "Another", "type": "INCOME"}),
            ("taxes", OF_TAXES, {"name": "Another", "abbreviation": "Z", "rate": "5"}),
        ):
            made = [books.create(main, kind, body | {"number": 9_000 + at}) for at in range(len(paths) * 25)]
            pairs = some(paths, whole=whole)
            odd += [Odd(row["id"], *pair) for row, pair in zip(made, pairs, strict=False)]
        for path in OF_BUSINESSES:
            ident = books.add_business(path, home="USD", currencies={"USD"})
            odd += [Odd(ident, path, name) for name in ("list", "null", "deep")]
        deal = win(drive)
        with spoiled(box, "kashoo", *odd):
            drive.run()
        assert len(bearing(drive, deal)) == 1
        assert open_items(drive) == []
        assert "shows no code or rate and is left out" in caplog.text
        assert "lists one of its accounts without an id" in caplog.text
        drive.database.dispose()
