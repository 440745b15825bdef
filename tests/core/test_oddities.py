"""What in a plan a person should look at first."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from airflow_provider_kashoo.reports.odd import FUTURE, PAST, Usual, with_oddities
from airflow_provider_kashoo.reports.plan import PlanRow

TODAY = date(2026, 3, 4)


def row(
    total: int = 10_000, day: date = TODAY, action: str = "create", currency: str = "USD", number: int = 1
) -> PlanRow:
    ident = f"0060000000{number:05}AAA"
    return PlanRow(
        "create",
        "invoice",
        "Opportunity",
        ident,
        None,
        "won",
        currency=currency,
        total_minor=total,
        date=day.isoformat(),
    )


def odd(given: PlanRow, usual: Usual = Usual()) -> tuple[str, ...]:  # noqa: B008  it is frozen
    (found,) = with_oddities([given], TODAY, {0: usual})
    return found.odd


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (TODAY + FUTURE, ()),
        (TODAY + FUTURE + timedelta(days=1), ("dated 32 days ahead",)),
        (TODAY - PAST, ()),
        (TODAY - PAST - timedelta(days=1), ("dated 63 days back",)),
    ],
)
def test_a_far_date_is_named(day: date, said: tuple[str, ...]) -> None:
    assert odd(row(day=day)) == said


@pytest.mark.parametrize(
    ("total", "usual", "said"),
    [
        (30_000, Usual(3, 10_000), ()),
        (30_001, Usual(3, 10_000), ("3.0 times the largest of the 3 invoices of this customer so far",)),
        (90_000, Usual(2, 10_000), ()),  # two say nothing about what is usual
        (1, Usual(3, 0), ("more than the largest of the 3 invoices of this customer so far",)),
    ],
)
def test_an_amount_far_above_what_is_usual_is_named(total: int, usual: Usual, said: tuple[str, ...]) -> None:
    assert odd(row(total), usual) == said


def test_the_ten_biggest_of_each_currency_are_named_if_there_are_more() -> None:
    rows = [row(1_000 * number, number=number) for number in range(1, 13)] + [row(9, currency="CAD", number=99)]
    found = with_oddities(rows, TODAY, {})
    assert [each.total_minor for each in found if each.odd] == [1_000 * number for number in range(3, 13)]
    assert {each.odd for each in found if each.odd} == {("one of the 10 biggest",)}


def test_what_is_voided_counts_by_what_it_was() -> None:
    rows = [row(1_000 * number, number=number) for number in range(1, 12)]
    gone = PlanRow("void", "invoice", "Opportunity", "006", 5, "lost", currency="USD", total_before_minor=50_000)
    assert with_oddities([*rows, gone], TODAY, {})[-1].odd == ("one of the 10 biggest",)
