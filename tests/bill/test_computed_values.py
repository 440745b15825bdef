"""Values that a mapping computes, from Salesforce to the books: what is billed, refused before a run, or parked."""

from __future__ import annotations

import pytest
from records import add_account, add_deal, add_line, invoice_of, invoices_of
from rounds import Rounds, change, quiet, remap

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.preflight import check_both_sides

MAPPING, AMOUNT = "invoice_from_opportunity", "amount: {from: TotalPrice}"


def edit_amount(drive: Rounds, expression: str) -> None:
    remap(drive, MAPPING, AMOUNT, f"amount: {{expr: {expression!r}}}")


def deal_with_line(drive: Rounds) -> str:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox, "Computed Ltd", "c@x.example"), None)
    add_line(drive.sandbox, deal, "250.00")
    return deal


def fault(drive: Rounds) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_both_sides(drive.sync())
    return str(caught.value)


def test_computed_amounts_are_billed_and_nothing_changes_afterwards(drive: Rounds) -> None:
    edit_amount(drive, "Quantity * UnitPrice")
    deal = deal_with_line(drive)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 25_000
    quiet(drive)


def test_an_unknown_field_is_named_with_the_nearest_one(drive: Rounds) -> None:
    edit_amount(drive, "Quantity * UnitPrise")
    said = fault(drive)
    assert "has no field 'UnitPrise'" in said
    assert "Did you mean 'UnitPrice'?" in said
    assert f"{MAPPING}.yaml:" in said


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("Description * 2", "amount: 'Description * 2' takes two numbers, and Description is a text"),
        ("concat(Description, Quantity)", "gives a text, and it takes an amount. Use fields of the right type."),
        ("upper(Quantity)", "'upper(Quantity)' takes a text, and Quantity is a number"),
    ],
)
def test_types_of_fields_are_checked_before_anything_is_read(drive: Rounds, expression: str, says: str) -> None:
    edit_amount(drive, expression)
    assert says in fault(drive)


def test_a_division_by_zero_parks_its_deal_until_it_is_corrected(drive: Rounds) -> None:
    remap(
        drive,
        MAPPING,
        "fields:\n",
        "rules:\n  - set: {memo: {expr: 'concat(\"1 : \", Amount / Probability)'}}\nfields:\n",
    )
    good, bad = deal_with_line(drive), deal_with_line(drive)
    change(drive, good, Probability="100")
    change(drive, bad, Probability="0")
    drive.run()
    assert invoice_of(drive.sandbox, good)["memo"].startswith("1 : 2.5")
    assert invoices_of(drive.sandbox, bad) == []
    change(drive, bad, Probability="50")
    drive.run()
    assert invoice_of(drive.sandbox, bad)["memo"].startswith("1 : 5")
    quiet(drive)
