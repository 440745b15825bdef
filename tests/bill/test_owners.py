"""Whose value stands in the books after both sides could change a field, for each owner that a mapping can name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from records import add_account, add_deal, books_rows, edit, invoice_of
from rounds import Rounds, Start, change, moved_by, open_items, order_with, quiet, remap, reviews, weeks, win
from turns import in_turns

from airflow_provider_kashoo.sync.run.plan_file import decisions_about

OWNERS = ("salesforce", "kashoo", "latest", "review")
ASKED = "changed_on_both_sides"
BY_DEAL, BY_ORDER, CUSTOMER = "invoice_from_opportunity", "invoice_from_order", "customer_from_account"


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


def owned(drive: Rounds, mapping: str, **owners: str) -> None:
    if owners:
        said = ", ".join(f"{name}: {owner}" for name, owner in owners.items())
        remap(drive, mapping, "\nfields:\n", f"\nowners: {{{said}}}\nfields:\n")


class Of:
    """A field of a record that was written: how each side changes it, and what the books say."""

    def __init__(self, drive: Rounds) -> None:
        self.drive, self.box = drive, drive.sandbox

    def touch(self) -> None:
        """Let Salesforce change another field, so that a run looks at the record in the books."""
        raise NotImplementedError


class PoNumber(Of):
    mapping, name, before, ours, theirs = BY_ORDER, "poNumber", "A-1", "S-2", "K-3"
    ours_later, theirs_later = "S-4", "K-5"

    def begin(self) -> None:
        self.ident = order_with(self.drive, PoNumber=self.before)

    def sell(self, value: str) -> None:
        self.box.org.update("Order", self.ident, {"PoNumber": value})

    def type(self, value: str) -> None:
        edit(self.box, "invoices", invoice_of(self.box, self.ident), poNumber=value)

    def shown(self) -> Any:
        return invoice_of(self.box, self.ident).get("poNumber")

    def touch(self) -> None:
        self.box.org.update("Order", self.ident, {"EffectiveDate": moved_by(self.drive, 1)})


class Lines(Of):
    mapping, name, before, ours, theirs = BY_DEAL, "lines", 25000, 30000, 20000
    ours_later, theirs_later = 40000, 15000

    def begin(self) -> None:
        self.ident = win(self.drive)

    def sell(self, value: int) -> None:
        change(self.drive, self.ident, Amount=Decimal(value) / 100)

    def type(self, value: int) -> None:
        made = invoice_of(self.box, self.ident)
        edit(self.box, "invoices", made, lineItems=[{**made["lineItems"][0], "rate": value}])

    def shown(self) -> Any:
        return invoice_of(self.box, self.ident)["totalDue"]

    def touch(self) -> None:
        change(self.drive, self.ident, CloseDate=moved_by(self.drive, 1))


class Phone(Of):
    mapping, name, before, ours, theirs = CUSTOMER, "phone", "030 1", "030 2", "030 3"
    ours_later, theirs_later = "030 4", "030 5"

    def begin(self) -> None:
        self.ident = add_account(self.box, "Acme", Phone=self.before)
        add_deal(self.box, self.ident)

    def _row(self) -> dict[str, Any]:
        return next(row for row in books_rows(self.box, "customers") if self.ident in (row["notes"] or ""))

    def sell(self, value: str) -> None:
        self.box.org.update("Account", self.ident, {"Phone": value})

    def type(self, value: str) -> None:
        row = self._row()
        edit(self.box, "customers", row, contactInformation=row["contactInformation"] | {"phone": value})

    def shown(self) -> Any:
        return self._row()["contactInformation"]["phone"]

    def touch(self) -> None:
        self.box.org.update("Account", self.ident, {"BillingCity": "Berlin"})


FIELDS = (PoNumber, Lines, Phone)


def begun(drive: Rounds, of: type[Any], owner: str | None) -> Any:
    """Bill something whose field has this owner."""
    owned(drive, of.mapping, **({of.name: owner} if owner else {}))
    field = of(drive)
    field.begin()
    drive.run()
    assert field.shown() == field.before
    return field


def asked(field: Any) -> list[tuple[str, str]]:
    return [(field.ident, ASKED)]


def reasons(drive: Rounds, done: Any, ident: str) -> list[str]:
    return [each.reason for each in decisions_about(done.sync.files, ident)]


# -- the table


BOTH: dict[str | None, tuple[str, bool]] = {
    "salesforce": ("ours", False),
    "kashoo": ("theirs", False),
    "latest": ("theirs", True),  # nothing says which is newer
    "review": ("theirs", True),
}
UNSAID = {PoNumber: "salesforce", Lines: "review", Phone: "salesforce"}


@pytest.mark.parametrize("owner", [*OWNERS, None])
@pytest.mark.parametrize("of", FIELDS)
def test_what_both_sides_changed_is_decided_by_its_owner(drive: Rounds, of: type[Any], owner: str | None) -> None:
    field = begun(drive, of, owner)
    field.type(field.theirs)
    field.sell(field.ours)
    drive.run()
    stands, is_asked = BOTH[owner or UNSAID[of]]
    assert (field.shown(), reviews(drive)) == (getattr(field, stands), asked(field) if is_asked else [])
    quiet(drive)
    weeks(drive, 1)
    assert (field.shown(), open_items(drive)) == (getattr(field, stands), asked(field) if is_asked else [])


@pytest.mark.parametrize(("of", "owner"), in_turns(FIELDS, [*OWNERS, None], 3))
def test_what_only_salesforce_changed_is_written(drive: Rounds, of: type[Any], owner: str | None) -> None:
    field = begun(drive, of, owner)
    field.sell(field.ours)
    drive.run()
    assert (field.shown(), open_items(drive)) == (field.ours, [])
    quiet(drive)


@pytest.mark.parametrize(("of", "owner"), in_turns(FIELDS, [*OWNERS, None], 3))
def test_what_only_kashoo_changed_stays_whoever_owns_it(drive: Rounds, of: type[Any], owner: str | None) -> None:
    field = begun(drive, of, owner)
    field.type(field.theirs)
    field.touch()
    drive.run()
    weeks(drive, 1)
    assert field.shown() == field.theirs
    # A total that a person changed is asked about when the invoice is written, unless the books own it.
    is_asked = of is Lines and owner != "kashoo"
    assert open_items(drive) == ([(field.ident, "total_differs")] if is_asked else [])


@pytest.mark.parametrize(("of", "owner"), in_turns(FIELDS, [*OWNERS, None], 3))
def test_what_both_changed_to_the_same_is_settled(drive: Rounds, of: type[Any], owner: str | None) -> None:
    field = begun(drive, of, owner)
    field.type(field.ours)
    field.sell(field.ours)
    drive.run()
    assert (field.shown(), open_items(drive)) == (field.ours, [])
    quiet(drive)


# -- kashoo


@pytest.mark.parametrize("of", FIELDS)
def test_the_plan_says_what_kashoo_owns(drive: Rounds, of: type[Any]) -> None:
    field = begun(drive, of, "kashoo")
    field.type(field.theirs)
    field.sell(field.ours)
    said = f"{field.name}: Kashoo owns what both sides changed"
    assert said in reasons(drive, drive.run(), field.ident)
    field.touch()
    (reason,) = [each for each in reasons(drive, drive.run(), field.ident) if each.startswith("changed in Salesforce")]
    assert field.name not in reason  # it did not change again
    assert (field.shown(), open_items(drive)) == (field.theirs, [])


def test_the_update_of_another_field_says_it_too(drive: Rounds) -> None:
    field = begun(drive, PoNumber, "kashoo")
    field.type(field.theirs)
    field.sell(field.ours)
    field.touch()
    (reason,) = reasons(drive, drive.run(), field.ident)
    assert reason == "changed in Salesforce: date, dueDate; poNumber: Kashoo owns what both sides changed"
    assert field.shown() == field.theirs


def test_a_question_closes_when_the_mapping_gives_the_field_to_kashoo(drive: Rounds) -> None:
    field = begun(drive, Lines, None)
    field.type(field.theirs)
    field.sell(field.ours)
    drive.run()
    assert reviews(drive) == asked(field)
    owned(drive, BY_DEAL, lines="kashoo")
    weeks(drive, 1)
    assert (field.shown(), open_items(drive)) == (field.theirs, [])


# -- latest


@pytest.mark.parametrize("of", FIELDS)
def test_latest_is_salesforce_when_an_earlier_run_saw_the_edit(drive: Rounds, of: type[Any]) -> None:
    field = begun(drive, of, "latest")
    field.type(field.theirs)
    field.touch()
    drive.run()
    assert field.shown() == field.theirs
    field.sell(field.ours)
    drive.run()
    quiet(drive)
    assert (field.shown(), open_items(drive)) == (field.ours, [])


SINCE = {
    "salesforce": (True, False, "ours_later", False),
    "kashoo": (False, True, "theirs_later", False),
    "both": (True, True, "theirs_later", True),
    "neither": (False, False, "theirs", True),
}
"""Who changed it once more -> did Salesforce, did Kashoo, what stands, and whether a person is asked."""


@pytest.mark.parametrize("who", SINCE)
@pytest.mark.parametrize("of", FIELDS)
def test_latest_is_the_side_that_alone_changed_it_since_both_were_seen(drive: Rounds, of: type[Any], who: str) -> None:
    field = begun(drive, of, "latest")
    field.type(field.theirs)
    field.sell(field.ours)
    drive.run()
    assert (field.shown(), reviews(drive)) == (field.theirs, asked(field))
    sells, types, stands, is_asked = SINCE[who]
    if sells:
        field.sell(field.ours_later)
    if types:
        field.type(field.theirs_later)
    for _ in range(2):
        weeks(drive, 1)
        assert (field.shown(), open_items(drive)) == (getattr(field, stands), asked(field) if is_asked else [])


def test_an_edited_mapping_is_no_change_of_salesforce(drive: Rounds) -> None:
    field = begun(drive, PoNumber, "latest")
    field.type(field.theirs)
    field.sell(field.ours)
    drive.run()
    remap(drive, BY_ORDER, "poNumber: {from: PoNumber}", 'poNumber: {text: "PO {PoNumber}"}')
    weeks(drive, 2)
    assert (field.shown(), reviews(drive)) == (field.theirs, asked(field))


# -- what no owner decides


@pytest.mark.parametrize("owner", OWNERS)
def test_a_paid_invoice_that_both_changed_is_asked_about_whoever_owns_it(drive: Rounds, owner: str) -> None:
    field = begun(drive, Lines, owner)
    field.type(field.theirs)
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, field.ident)["id"], 1000)
    field.sell(field.ours)
    drive.run()
    assert field.shown() == field.theirs
    (question,) = reviews(drive)
    assert question == (field.ident, "paid_invoice_changed" if owner in {"salesforce", "kashoo"} else ASKED)


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("edited", [True, False])
def test_the_currency_of_an_invoice_is_asked_about_whoever_owns_it(drive: Rounds, owner: str, edited: bool) -> None:
    owned(drive, BY_DEAL, default=owner, currency=owner, lines="kashoo")
    deal = win(drive)
    drive.run()
    if edited:
        edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), currency="CAD")
    before = invoice_of(drive.sandbox, deal)["currency"]
    change(drive, deal, CurrencyIsoCode="EUR")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["currency"] == before
    (question,) = reviews(drive)
    by_owner = edited and owner != "salesforce"
    assert question == (deal, ASKED if by_owner else "identity_changed")


@pytest.mark.parametrize(
    ("owners", "stays"), [({}, True), ({"default": "salesforce"}, True), ({"memo": "salesforce"}, False)]
)
def test_a_text_beside_our_reference_is_overwritten_only_if_the_mapping_names_it(
    drive: Rounds, owners: dict[str, str], stays: bool
) -> None:
    owned(drive, BY_DEAL, **owners)
    deal = win(drive)
    drive.run()
    made = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", made, memo=f"Call Bob first. {made['memo']}")
    change(drive, deal, Name="Renamed")
    drive.run()
    quiet(drive)
    memo = invoice_of(drive.sandbox, deal)["memo"]
    assert ("Call Bob" in memo, "Renamed" in memo, f"[sf:{deal}:1:1]" in memo) == (stays, not stays, True)


@pytest.mark.parametrize("default", OWNERS)
def test_lines_have_to_be_named(drive: Rounds, default: str) -> None:
    owned(drive, BY_DEAL, default=default)
    field = begun(drive, Lines, None)
    field.type(field.theirs)
    field.sell(field.ours)
    drive.run()
    assert (field.shown(), reviews(drive)) == (field.theirs, asked(field))
