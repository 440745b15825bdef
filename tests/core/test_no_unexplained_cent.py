"""Invoices of 1 to 200 generated lines: every cent of their totals is explained by whole numbers alone.

Three computations that share no code must agree: ours, the simulated books', and one of this file with integers. All
100,000 run in ``make test-long``, some of them every day.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from mapped import ACCOUNT, AROUND, MAPPING

from airflow_provider_kashoo.clients.entries import to_json
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.stages.transform import documents, transform
from airflow_provider_kashoo.core.rules.totals import expected_total
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.sandbox.kashoo.rules import Business, invoice

PERCENTS = {"GST": "5", "PST": "7", "QST": "9.975", "VAT": "19"}
RATES = {code: Decimal(rate) for code, rate in PERCENTS.items()}
THOUSANDTHS = {code: int(rate * 1000) for code, rate in RATES.items()}
CODES = ["none", "none", "GST", "GST,PST", "QST", "GST,QST", "VAT", "-GST", "-GST,-QST", "-VAT"]
QUANTITIES = ["1", "1", "2", "3", "7", "12", "75", "0.5", "1.25", "0.333333", "7000"]
PLACES = 10_000
"""Amounts are made as whole ten-thousandths: a hundredth of a cent is as fine as a price of Salesforce often gets."""

HUNDREDTH = PLACES // 100


class Books(NamedTuple):
    """Books that count in one of the ways a profile can say."""

    profile: Profile
    business: Business
    even: bool
    by_line: bool


def books(*, even: bool, by_line: bool) -> Books:
    given = {"rounding": "half_even" if even else "half_up", "tax_rounding": "line" if by_line else "document"}
    business = Business(1, "Books", "CAD", frozenset({"CAD"}), taxed_by_line=by_line, takes_included=True)
    business.rounding = ROUND_HALF_EVEN if even else ROUND_HALF_UP
    business.tables["accounts"].put({"id": 4, "type": "INCOME", "removed": False})
    for ident, (code, rate) in enumerate(PERCENTS.items(), 5):
        business.tables["taxes"].put({"id": ident, "abbreviation": code, "rate": rate, "removed": False})
    return Books(Profile().overridden(given | {"taxes_included": True}), business, even, by_line)


Sold = list[tuple[int, str, str]]
"""Lines: ten-thousandths, quantity, tax code."""


def sold(random: Random) -> Sold:
    """Make the lines of a deal; one in three deals has fractions of a cent, and some lines have a discount."""
    count = 1 + int(200 * random.random() ** 3)
    step = random.choice([HUNDREDTH, HUNDREDTH, 1])
    codes = random.sample(CODES, random.choice([1, 2, 3]))
    lines = []
    for _ in range(count):
        amount = PLACES + random.randrange(1, random.choice([10, 1000, 500_000])) * step
        lines.append((amount, random.choice(QUANTITIES), random.choice(codes)))
        if len(lines) < count and random.random() < 0.1:
            lines.append((-amount // 2, "1", lines[-1][2]))
    # The mapping bills deals of 100 or more.
    missing = 100 * PLACES - sum(amount for amount, _, _ in lines)
    return [*lines, (missing, "1", "none")] if missing > 0 else lines


def nearest(above: int, below: int, *, even: bool) -> int:
    """Divide and round to a whole number, a half away from zero, or to the even one."""
    whole, rest = divmod(abs(above), below)
    up = 2 * rest > below or (2 * rest == below and (whole % 2 == 1 or not even))
    return (whole + up) * (1 if above >= 0 else -1)


def by_hand(lines: Sold, *, even: bool, by_line: bool) -> tuple[list[int], int]:
    """Compute what the lines are billed at, and the whole invoice, in cents."""
    cents = [amount // HUNDREDTH for amount, _, _ in lines]
    total = nearest(sum(amount for amount, _, _ in lines), HUNDREDTH, even=False)
    lost = sorted(range(len(lines)), key=lambda place: -(lines[place][0] % HUNDREDTH))
    for place in lost[: total - sum(cents)]:
        cents[place] += 1
    taxable = defaultdict[str, list[int]](list)
    for cent, (_, _, codes) in zip(cents, lines, strict=True):
        for code in codes.split(","):
            if code in THOUSANDTHS:
                taxable[code].append(cent)
    for code, each in taxable.items():
        bases = each if by_line else [sum(each)]
        total += sum(nearest(base * THOUSANDTHS[code], 100_000, even=even) for base in bases)
    return cents, total


def exact(amount: int) -> Decimal:
    return Decimal(amount) / PLACES


def made_of(deals: dict[str, Sold]) -> dict[str, Any]:
    """Let the mapping make invoices of deals."""
    text = MAPPING.replace("{from: Family, map: {Services: S}, default: none}", "{from: Family}")
    mapping = load_mapping(text % ("poNumber: none", ""), "m.yaml")
    number, of_lines = pa.decimal128(38, 10), [(ident, *line) for ident, lines in deals.items() for line in lines]
    rows, totals = len(deals), [exact(sum(amount for amount, _, _ in lines)) for lines in deals.values()]
    records = pa.table(
        {
            "Id": [*deals],
            "Name": ["Deal"] * rows,
            "IsWon": [True] * rows,
            "Amount": pa.array(totals, number),
            "AccountId": [ACCOUNT] * rows,
            "CloseDate": pa.array([20_000] * rows, pa.int32()).cast(pa.date32()),
            "CurrencyIsoCode": ["CAD"] * rows,
        }
    )
    lines = pa.table(
        {
            "parent": [ident for ident, *_ in of_lines],
            "Description": ["Thing"] * len(of_lines),
            "Quantity": pa.array([Decimal(quantity) for *_, quantity, _ in of_lines], number),
            "TotalPrice": pa.array([exact(amount) for _, amount, *_ in of_lines], number),
            "Family": [code for *_, code in of_lines],
        }
    )
    made = transform(mapping, records, lines, AROUND)
    assert made.problems == {}
    return documents(made.made)


def unexplained(seed: int, count: int) -> tuple[int, int, list[str]]:
    """Bill generated deals, and hold each total against the two others.

    :returns: invoices, lines, and what differs.
    """
    random, wrong = Random(seed), list[str]()  # noqa: S311
    ways = [books(even=even, by_line=by_line) for even in (False, True) for by_line in (False, True)]
    deals = {f"006{number:012}AAA": sold(random) for number in range(count)}
    invoices = made_of(deals)
    assert invoices.keys() == deals.keys()
    for number, (ident, lines) in enumerate(deals.items()):
        way, document = ways[number % len(ways)], invoices[ident]
        document = document | {"lines": [line | {"account": 4} for line in document["lines"]]}
        body = to_json("invoice", document | {"contact": None}, Reference(ident, 1, 1), way.profile)
        body["lineItems"] = [{**line, "item": None} for line in body["lineItems"]]
        invoice(way.business, body, None)
        cents, total = by_hand(lines, even=way.even, by_line=way.by_line)
        ours = expected_total(document, RATES, way.profile.counting)
        billed = [int(Decimal(line["quantity"]) * line["rate"]) for line in document["lines"]]
        if billed != cents or not total == ours == body["totalDue"]:
            wrong.append(f"{seed}: {ident} {way.even=} {way.by_line=}: {total}, {ours}, {body['totalDue']}")
    return len(deals), sum(map(len, deals.values())), wrong


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 200))])
def test_no_cent_is_unexplained(seed: int) -> None:
    invoices, lines, wrong = unexplained(seed, 500)
    assert wrong == []
    assert (invoices, lines > 10 * invoices) == (500, True)


def test_a_cent_that_is_off_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, "GST", Decimal("5.01"))
    assert unexplained(0, 50)[2]
