"""Currencies without hundredths, where the books are known to count them; and halves that go to the even unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mapped import AROUND, DEAL, MAPPING, OTHER, deal, line, only_problem, run, table

from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.file.mistakes import MappingMistakes
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed, documents, transform
from airflow_provider_kashoo.core.rules.approval import Above
from airflow_provider_kashoo.core.values.money import to_minor

COUNTED = {"JPY", "KWD"}
FEE = "rules: [{add_line: {description: Fee, %s, account: '4000', taxCode: none}}]"


def made(currency: str, amount: str, lines: list[dict[str, Any]], tail: str = "") -> Transformed:
    return run(deal(Amount=amount, CurrencyIsoCode=currency), lines=lines, tail=tail, counted=COUNTED)


def sold(result: Transformed) -> list[tuple[Any, ...]]:
    lines = documents(result.made)[DEAL]["lines"]
    return [(each["description"], each["quantity"], each["rate"]) for each in lines]


@pytest.mark.parametrize(
    ("currency", "lines", "found"),
    [
        ("JPY", [("3", "3000")], [("Widget", "3", 1000)]),
        ("JPY", [("3", "1000")], [("Widget (3 x ~333.33)", "1", 1000)]),
        ("KWD", [("3", "300.003")], [("Widget", "3", 100_001)]),
        ("KWD", [("2", "10.001"), ("1", "100")], [("Widget (2 x 5.0005)", "1", 10001), ("Widget", "1", 100_000)]),
    ],
)
def test_lines_are_sent_in_the_minor_unit_of_their_currency(currency, lines, found) -> None:
    given = [line(Quantity=quantity, TotalPrice=price) for quantity, price in lines]
    assert sold(made(currency, str(sum(Decimal(price) for _, price in lines)), given)) == found


def test_records_of_other_currencies_beside_it_are_counted_as_ever() -> None:
    deals = [deal(CurrencyIsoCode="JPY"), deal(OTHER)]
    found = documents(run(*deals, counted=COUNTED).made)
    assert [found[ident]["lines"][0]["rate"] for ident in (DEAL, OTHER)] == [100, 10_000]


def test_what_the_books_are_not_known_to_count_is_parked() -> None:
    assert only_problem(run(deal(CurrencyIsoCode="JPY"))).error_class == "currency"
    assert only_problem(run(deal(CurrencyIsoCode="BHD"), counted=COUNTED)).error_class == "currency"


def test_half_a_yen_is_rounded_once_and_named() -> None:
    result = made("JPY", "1000.50", [line(TotalPrice="500.25", Quantity="1")] * 2)
    assert [rate for _, _, rate in sold(result)] == [501, 500]
    assert result.rounded == {DEAL: "1,000.50 rounded to 1,001"}


@pytest.mark.parametrize(("currency", "off"), [("JPY", "0.999"), ("KWD", "0.0009"), ("CAD", "0.009")])
def test_less_than_a_minor_unit_is_rounding(currency: str, off: str) -> None:
    assert made(currency, "300.00", [line(TotalPrice=str(300 + Decimal(off)))]).problems == {}


@pytest.mark.parametrize(("currency", "off"), [("JPY", "1"), ("KWD", "0.001"), ("CAD", "0.01")])
def test_a_whole_minor_unit_that_nobody_explains_parks_the_deal(currency: str, off: str) -> None:
    result = made(currency, "300.00", [line(TotalPrice=str(300 + Decimal(off)))])
    assert only_problem(result).error_class == "lines_do_not_add_up"


@pytest.mark.parametrize(
    ("currency", "fee", "rate"),
    [
        ("JPY", "amount: 25", 25),
        ("KWD", "amount: 25", 25_000),
        ("KWD", "amount: '1.2345'", 1235),
        ("JPY", "percent: 5", 15),
        ("KWD", "percent: 0.0005", 2),  # 1.5 of a fils
    ],
)
def test_an_added_line_is_in_the_minor_unit_too(currency: str, fee: str, rate: int) -> None:
    assert sold(made(currency, "300.00", [line(TotalPrice="300")], FEE % fee))[-1] == ("Fee", "1", rate)


def test_a_credit_is_in_the_minor_unit_too() -> None:
    mapping = load_mapping(MAPPING.replace("IsWon, ", "") % ("poNumber: none", ""), "m.yaml")
    records = table([deal(Amount="-300.00", CurrencyIsoCode=code, Id=ident) for code, ident in CREDITS])
    lines = table([line(ident, TotalPrice="-300.00") for _, ident in CREDITS])
    found = transform(mapping, records, lines, AROUND).credits
    assert [found[ident].amount for _, ident in CREDITS] == [300, 300_000, 30_000]


CREDITS = [("JPY", DEAL), ("KWD", OTHER), ("CAD", "006000000000003AAA")]


def test_an_amount_above_which_a_person_is_asked_is_in_major_units_of_every_currency() -> None:
    above = Above(each=to_minor(1000))
    assert above.passed_by(1000, "JPY") == ""
    assert above.passed_by(1001, "JPY") == "1,000.00 JPY"
    assert above.passed_by(1_000_000, "KWD") == ""
    assert above.passed_by(1_000_001, "KWD")


# -- half to even


EVEN = "rounding: half_even\n"


@pytest.mark.parametrize(("price", "up", "even"), [("300.005", 30001, 30000), ("300.015", 30002, 30002)])
def test_half_a_cent_of_a_total_goes_where_the_mapping_says(price: str, up: int, even: int) -> None:
    for tail, rate in (("", up), (EVEN, even)):
        assert sold(made("CAD", price, [line(TotalPrice=price, Quantity="1")], tail))[0][2] == rate


def test_half_a_cent_of_an_added_line_goes_there_too() -> None:
    for tail, rate in (("", 31), (EVEN, 30)):  # 0.1 % of 305.00 is 30.5 cents
        lines = [line(TotalPrice="305.00", Quantity="1")]
        assert sold(made("CAD", "305.00", lines, FEE % "percent: 0.1" + "\n" + tail))[-1][2] == rate
        assert sold(made("CAD", "305.00", lines, FEE % "amount: '0.305'" + "\n" + tail))[-1][2] == rate


def test_another_way_to_round_is_refused_with_its_line() -> None:
    text = MAPPING % ("poNumber: none", "") + "rounding: down\n"
    with pytest.raises(MappingMistakes) as refused:
        load_mapping(text, "m.yaml")
    assert [mistake.place.split(":")[:2] for mistake in refused.value.mistakes] == [["m.yaml", "19"]]


def test_a_mapping_that_makes_no_invoice_has_no_rounding() -> None:
    text = "version: 1\nname: c\nfrom: {object: Account}\nto: customer\nfields:\n  name: {from: Name}\n" + EVEN
    with pytest.raises(MappingMistakes, match="a mapping to customer has no rounding"):
        load_mapping(text, "m.yaml")
