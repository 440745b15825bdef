"""Cents and days that other programs got wrong, each by the public report that tells of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from mapped import AROUND, DEAL, MAPPING, deal, line, table

from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.transform import documents, transform
from airflow_provider_kashoo.core.rules.totals import Counting, expected_total, net_total
from airflow_provider_kashoo.core.values.dates import business_date, parse_instant
from airflow_provider_kashoo.core.values.money import Rounding

BY_LINE, EVEN = Counting(by_line=True), Counting(Rounding.HALF_EVEN)


def taxed(percent: str, *cents: int, counting: Counting | None = None) -> int:
    """Say what tax comes on top of lines."""
    lines = [{"quantity": "1", "rate": each, "taxCode": "T"} for each in cents]
    return expected_total({"lines": lines}, {"T": Decimal(percent)}, counting or Counting()) - sum(cents)


def billed(amount: str, *lines: tuple[str, str]) -> list[dict[str, Any]]:
    """Give the lines that are sent for a deal; each line has a quantity and its price together."""
    given = [line(Quantity=quantity, TotalPrice=price) for quantity, price in lines]
    mapping = load_mapping(MAPPING.replace("Amount >= 100", "Amount > 0") % ("poNumber: none", ""), "m.yaml")
    made = transform(mapping, table([deal(Amount=amount)]), table(given), AROUND).made
    found: list[dict[str, Any]] = documents(made)[DEAL]["lines"]
    return found


# -- cents


def test_quickbooks_ruby_547_a_tax_of_three_decimals_is_rounded_once() -> None:
    """9.975 % of 4,495.16 was 448.40 on one side, and is 448.39."""
    assert taxed("9.975", 449_516) == 44_839


def test_xeros_guide_three_lines_are_taxed_together_or_each_by_itself_as_the_books_do() -> None:
    """15 % of three lines is 11.44 together, and 11.45 line by line: both are right, in different books."""
    assert taxed("15", 2544, 2544, 2541) == 1144
    assert taxed("15", 2544, 2544, 2541, counting=BY_LINE) == 1145


def test_ksa_compliance_174_half_a_cent_of_tax_goes_one_way_everywhere() -> None:
    """15 % of 1,091.50 is 163.725; the sum said .73 and its part .72."""
    assert taxed("15", 109_150) == taxed("15", 50_000, 59_150) == 16_373
    assert taxed("15", 109_150, counting=EVEN) == taxed("15", 50_000, 59_150, counting=EVEN) == 16_372


@pytest.mark.parametrize(("amount", "parts"), [("5900.00", 3), ("1500.00", 7), ("5900.00", 11), ("1500.00", 13)])
def test_exact_php_client_662_a_round_total_stays_round(amount: str, parts: int) -> None:
    """5,900.00 was booked as 5,900.01, and 1,500.00 as 1,499.99."""
    each = (Decimal(amount) / parts).quantize(Decimal("0.0000000001"))
    last = Decimal(amount) - each * (parts - 1)
    sent = billed(amount, *[("1", f"{price:f}") for price in [each] * (parts - 1) + [last]])
    assert net_total({"lines": sent}) == Decimal(amount) * 100
    assert max(each["rate"] for each in sent) - min(each["rate"] for each in sent) <= 1


def test_odoo_102838_unit_prices_of_five_digits_give_order_and_invoice_one_tax() -> None:
    """The order said 63.00 of tax, its invoice 63.01: one of them had rounded the prices first."""
    prices = ["33.33335", "66.66665", "123.45675", "76.54325", "0.00005"]
    exact = sum(map(Decimal, prices))
    sent = billed(f"{exact:f}", *[("1", price) for price in prices])
    assert net_total({"lines": sent}) == 30_000
    assert taxed("21", *[each["rate"] for each in sent]) == 6300


def test_odoo_23125_discounts_as_lines_lose_no_cent_of_tax() -> None:
    """8.5 % of 598.89 + 329.84 - 59.89 - 32.98 was 71.06, and is 71.05."""
    assert taxed("8.5", 59_889, 32_984, -5_989, -3_298) == 7105


def test_invoiceninja_4370_no_cent_of_a_tax_is_dropped_with_its_line() -> None:
    """Three lines of 0.03 at 19 % are 0.0057 of tax each: 0.02 together, and 0.03 in books that tax each line."""
    assert taxed("19", 3, 3, 3) == 2
    assert taxed("19", 3, 3, 3, counting=BY_LINE) == 3


def test_chargebee_a_rounded_unit_price_is_never_multiplied() -> None:
    """75 pieces for 5.50 became 75 x 0.07 = 5.25."""
    (sent,) = billed("5.50", ("75", "5.50"))
    assert (sent["quantity"], sent["rate"]) == ("1", 550)
    assert sent["description"] == "Widget (75 x ~0.07333)"


# -- days


def dated(instant: str | date, zone: str) -> str:
    """Give the date of an invoice that is made of a record of that time."""
    path = "WonAt" if isinstance(instant, str) else "CloseDate"
    text = MAPPING.replace("date: {from: CloseDate}", f"date: {{from: {path}}}") % ("poNumber: none", "")
    record = deal(**{path: parse_instant(instant) if isinstance(instant, str) else instant})
    around = AROUND.__class__(**(AROUND.__dict__ | {"zone": zone}))
    made = transform(load_mapping(text, "m.yaml"), table([record]), table([line()]), around).made
    found: str = documents(made)[DEAL]["date"]
    return found


@pytest.mark.parametrize(
    ("report", "instant", "zone", "day"),
    [
        ("odoo 1672: invoice of 8 August, entry of the 7th", "2014-08-07T23:00:00Z", "Europe/Brussels", "2014-08-08"),
        ("OCA/l10n-italy 5259: in the month before", "2022-03-31T22:16:03Z", "Europe/Rome", "2022-04-01"),
        ("killbill 1074: target date outside of UTC", "2018-12-11T07:30:00Z", "America/Los_Angeles", "2018-12-10"),
        ("killbill 674: today of the account", "2016-12-12T23:30:00Z", "Pacific/Auckland", "2016-12-13"),
        ("bcgov/Unity 1183: an invoice of tomorrow", "2024-12-13T04:04:14Z", "America/Vancouver", "2024-12-12"),
        ("odoo 249445: zone added twice", "2026-02-18T23:45:00Z", "Asia/Riyadh", "2026-02-19"),
        ("target-xero: an instant without a zone is UTC", "2026-03-01T02:00:00", "America/Vancouver", "2026-02-28"),
        ("killbill 445: the clock changed in between", "2015-12-01T08:09:02Z", "America/Juneau", "2015-11-30"),
    ],
)
def test_an_instant_is_billed_on_the_day_of_the_business(report: str, instant: str, zone: str, day: str) -> None:
    assert dated(instant, zone) == day, report
    assert business_date(parse_instant(instant), zone).isoformat() == day, report


@pytest.mark.parametrize(
    "zone", ["Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago", "America/Vancouver", "Asia/Kolkata"]
)
def test_customeros_9214_a_date_has_no_time_and_no_zone_moves_it(zone: str) -> None:
    assert dated(date(2024, 10, 9), zone) == "2024-10-09"


def test_bcgov_unity_1183_two_records_of_one_moment_are_of_one_day_however_it_is_written() -> None:
    moment = datetime(2024, 12, 13, 4, 4, 14, tzinfo=UTC)
    said = ["2024-12-13T04:04:14Z", "2024-12-12T20:04:14-08:00", "2024-12-13T04:04:14.000+0000"]
    days = {dated(each, "America/Vancouver") for each in said}
    assert days == {"2024-12-12"} == {business_date(moment, "America/Vancouver").isoformat()}
