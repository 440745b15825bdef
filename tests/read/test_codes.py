"""An account or a tax is named by a code that only it has; otherwise nothing is guessed."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from records import add_account, add_deal, add_line, books_rows, edit, invoice_of, invoices_of
from room import shipped
from rounds import Rounds, Start, open_items, operations, remap

from airflow_provider_kashoo.clients.entries import Account, Tax
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.preflight import check_both_sides
from airflow_provider_kashoo.sync.read.codes import Codes

PROFILE = Profile()
INCLUDED = Profile().overridden({"taxes_included": True})
INCOME = Account(1, "4000", "Sales", is_income=True)


def codes(*accounts: Account, taxes: tuple[Tax, ...] = (), profile: Profile = PROFILE) -> Codes:
    kashoo: Any = SimpleNamespace(accounts=lambda: iter(accounts), taxes=lambda: iter(taxes), profile=profile)
    return Codes.read(SimpleNamespace(kashoo=kashoo))  # type: ignore[arg-type]


def account(ident: int, number: str | None, name: str) -> Account:
    return Account(ident, number, name, is_income=True)


def line(**fields: str) -> dict[str, Any]:
    return {"lines": [fields]}


GST = Tax("GST", Decimal(5))
PST = Tax("PST", Decimal(7))


def test_a_code_with_a_minus_is_a_tax_only_where_the_connection_says_that_kashoo_takes_it() -> None:
    refused = codes(INCOME, taxes=(GST,)).resolve(line(taxCode="-GST"))
    assert isinstance(refused, Problem)
    assert refused.cause == "the tax code '-GST' says that the amount includes the tax"
    assert "taxes_included" in refused.fix
    taken = codes(INCOME, taxes=(GST, PST), profile=INCLUDED)
    assert taken.resolve(line(taxCode="-GST,-PST")) == line(taxCode="-GST,-PST")


def test_a_line_whose_amount_includes_some_of_its_taxes_only_is_parked() -> None:
    mixed = codes(INCOME, taxes=(GST, PST), profile=INCLUDED).resolve(line(taxCode="-GST,PST"))
    assert isinstance(mixed, Problem)
    assert (mixed.cause, mixed.fix) == (
        "in the tax code '-GST,PST' some taxes are included in the amount, others are not",
        "Write a minus before each of them, or before none.",
    )
    unknown = codes(INCOME, taxes=(GST,), profile=INCLUDED).resolve(line(taxCode="-HST"))
    assert isinstance(unknown, Problem)
    assert unknown.cause == "Kashoo has no tax 'HST'"


def test_what_the_connection_says_of_the_books_is_kept_with_their_codes() -> None:
    said = codes(INCOME, profile=Profile().overridden({"taxes_included": True, "iso_minor_units": ["JPY"]}))
    kept = Codes.of_values(said.values)
    assert (kept.included, kept.counted) == (True, {"JPY"})


def test_an_account_is_known_by_its_number_and_by_its_name() -> None:
    known = codes(INCOME, account(2, None, "Consulting"))
    assert known.accounts == {"4000": 1, "Sales": 1, "Consulting": 2, "type:INCOME": 1}
    assert known.resolve(line(account="Consulting")) == line(account=2)  # type: ignore[arg-type]


CASH_BOX = Account(7, "1000", "Cash", is_income=False, takes_payments=True)


def test_a_payment_goes_to_a_cash_or_bank_account_and_to_no_other() -> None:
    known = codes(INCOME, CASH_BOX)
    assert (known.deposit("1000"), known.deposit("Cash")) == (7, 7)
    fix = "Add it in Kashoo, or map the value to one that Kashoo has."
    for code in ("4000", "1001"):
        assert known.deposit(code) == Problem("account", f"Kashoo has no cash or bank account {code!r}", fix)
    twice = codes(CASH_BOX, Account(8, "1010", "Cash", is_income=False, takes_payments=True)).deposit("Cash")
    assert isinstance(twice, Problem)
    assert twice.cause == "Kashoo has 2 accounts named 'Cash': 1000 and 1010"


def test_a_wrong_account_of_a_payment_is_named_with_its_line_and_the_nearest_that_takes_one() -> None:
    rules = 'rules:\n  - {when: IsWon, mark_paid: {account: "%s", date: {from: CloseDate}}}\n'
    known = codes(INCOME, CASH_BOX, account(4, "1001", "Interest"))
    for code in ("1001", "4000"):
        (fault,) = known.unknown(shipped("invoice_from_opportunity", rules % code))
        assert fault.place.startswith("invoice_from_opportunity.yaml:")
        assert fault.what == f"Kashoo has no cash or bank account '{code}'"
    (fault,) = known.unknown(shipped("invoice_from_opportunity", rules % "1001"))
    assert "'1000'" in fault.fix
    assert not [*known.unknown(shipped("invoice_from_opportunity", rules % "1000"))]


def test_a_number_counts_before_a_name() -> None:
    assert codes(INCOME, account(2, "5000", "4000")).accounts["4000"] == 1


@pytest.mark.parametrize(
    ("accounts", "code", "cause", "fix"),
    [
        (
            (account(2, "4100", "Consulting"), account(3, "4200", "Consulting")),
            "Consulting",
            "Kashoo has 2 accounts named 'Consulting': 4100 and 4200",
            "Use the number of the right one, or rename one of them in Kashoo.",
        ),
        (
            (account(2, "4100", "Consulting"), account(3, None, "Consulting")),
            "Consulting",
            "Kashoo has 2 accounts named 'Consulting': 4100 and one without a number (id 3)",
            "Use the number of the right one, or rename one of them in Kashoo.",
        ),
        (
            (account(2, "4100", "Services"), account(3, "4100", "Support")),
            "4100",
            "Kashoo has 2 accounts with the number '4100': 'Services' and 'Support'",
            "Give one of them another number in Kashoo, or use the name.",
        ),
        (
            (),
            "Sails",
            "Kashoo has no account 'Sails'",
            "Add it in Kashoo, or map the value to one that Kashoo has.",
        ),
    ],
)
def test_a_code_that_names_not_exactly_one_account_parks_its_record(
    accounts: tuple[Account, ...], code: str, cause: str, fix: str
) -> None:
    assert codes(INCOME, *accounts).resolve(line(account=code)) == Problem("account", cause, fix)


def test_two_taxes_of_one_abbreviation_are_none() -> None:
    taxes = (Tax("S", Decimal("5.00")), Tax("S", Decimal(7)), Tax("G", Decimal(5)))
    known = codes(INCOME, taxes=taxes)
    assert known.rates == {"G": Decimal(5)}
    assert known.resolve(line(account="4000", taxCode="G,S")) == Problem(
        "tax",
        "Kashoo has 2 taxes with the abbreviation 'S': 5 % and 7 %",
        "Give one of them another abbreviation in Kashoo, and use that of the right one.",
    )


BY_NAME = """
version: 1
name: items
from: {object: Product2}
to: item
fields:
  name: {from: Name}
  account: {from: Family, map: {Services: Consulting}, default: "4000"}
"""


def test_only_a_code_that_a_mapping_uses_is_complained_of() -> None:
    known = codes(INCOME, account(2, "4100", "Consulting"), account(3, "4200", "Consulting"))
    assert list(known.unknown(shipped("item_from_product"))) == []
    (complaint,) = known.unknown(load_mapping(BY_NAME, "items.yaml"))
    cause = "Kashoo has 2 accounts named 'Consulting': 4100 and 4200"
    assert (
        str(complaint) == f"items.yaml:8:3: {cause}. Use the number of the right one, or rename one of them in Kashoo."
    )


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


@pytest.fixture
def consulting(drive: Rounds) -> list[dict[str, Any]]:
    """Two income accounts of one name, numbered by the books."""
    books = drive.sandbox.books
    return [books.create(books.main(), "accounts", {"name": "Consulting", "type": "INCOME"}) for _ in range(2)]


def test_check_refuses_a_name_that_two_accounts_have_until_the_number_is_used(
    drive: Rounds, consulting: list[dict[str, Any]]
) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox))
    remap(drive, "invoice_from_opportunity", 'account: "type:INCOME"', "account: Consulting")
    numbers = [row["number"] for row in consulting]
    with pytest.raises(
        ConfigurationError, match=f"accounts named 'Consulting': {numbers[0]} and {numbers[1]}. Use the"
    ):
        check_both_sides(drive.sync())
    assert invoices_of(drive.sandbox, deal) == []
    remap(drive, "invoice_from_opportunity", "account: Consulting", f'account: "{numbers[1]}"')
    drive.run()
    assert invoice_of(drive.sandbox, deal)["lineItems"][0]["account"] == consulting[1]["id"]


def test_a_deal_whose_data_name_two_accounts_is_billed_when_one_is_renamed(
    drive: Rounds, consulting: list[dict[str, Any]]
) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line(drive.sandbox, deal, "250.00")
    (made,) = [row for row in drive.sandbox.org.rows("OpportunityLineItem") if row["OpportunityId"] == deal]
    drive.sandbox.org.update("OpportunityLineItem", made["Id"], {"Description": "Consulting"})
    remap(drive, "invoice_from_opportunity", 'account: "type:INCOME"', "account: {from: Description, default: '4000'}")
    drive.run()
    (parked,) = operations(drive, State.PARKED)
    assert parked["cause"].startswith("Kashoo has 2 accounts named 'Consulting': ")
    (row,) = [row for row in books_rows(drive.sandbox, "accounts") if row["id"] == consulting[0]["id"]]
    edit(drive.sandbox, "accounts", row, name="Advice")
    drive.run()
    assert invoice_of(drive.sandbox, deal)["lineItems"][0]["account"] == consulting[1]["id"]
    assert open_items(drive) == []


def test_a_condition_that_no_record_could_meet_is_refused_before_anything_is_read(drive: Rounds) -> None:
    remap(drive, "invoice_from_opportunity", "Amount >= 100", 'Amount >= "100"')
    with pytest.raises(ConfigurationError, match=r'opportunity\.yaml:9:5: "Amount >= .* Write a number without quotes'):
        check_both_sides(drive.sync())
