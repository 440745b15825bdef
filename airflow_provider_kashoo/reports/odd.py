"""What in a plan a person should look at before signing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from airflow_provider_kashoo.core.kinds import is_billed
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.reports.plan import PlanRow

BIGGEST = 10
"""So many of the largest amounts of each currency are named."""

PAST, FUTURE = timedelta(days=62), timedelta(days=31)
"""An invoice that is dated further from today is named."""

TIMES, AT_LEAST = 3, 3
"""An invoice over more than three times the largest of a customer with three invoices or more is named."""

_MOVES_MONEY = {Action.CREATE.value, Action.UPDATE.value, Action.VOID.value}


@dataclass(frozen=True)
class Usual:
    """What a customer was billed before, in one currency.

    :param largest: total of the largest invoice, minor units.
    """

    invoices: int = 0
    largest: int = 0


def with_oddities(
    rows: Sequence[PlanRow], today: date, usual: Mapping[int, Usual], new_customers: frozenset[int] = frozenset()
) -> list[PlanRow]:
    """Note what is odd about each row.

    :param today: in the time zone of the business.
    :param usual: place of a row -> what its customer was billed before.
    :param new_customers: places of the rows whose customer has no invoice of ours yet.
    """
    biggest = _biggest(rows)
    found = []
    for place, row in enumerate(rows):
        odd = []
        if place in biggest:
            odd.append(f"one of the {BIGGEST} biggest")
        if row.action == Action.CREATE and is_billed(row.target):
            odd += ["first invoice of this customer"] if place in new_customers else []
            odd += _far_date(row, today)
            odd += _unusual(row, usual.get(place, Usual()))
        found.append(replace(row, odd=tuple(odd)))
    return found


def _biggest(rows: Sequence[PlanRow]) -> set[int]:
    by_currency: dict[str, list[tuple[int, int]]] = {}
    for place, row in enumerate(rows):
        if row.currency and row.action in _MOVES_MONEY and is_billed(row.target):
            by_currency.setdefault(row.currency, []).append((-row.amount, place))
    # Where there are hardly more, that it is one of the biggest says nothing.
    many = [found for found in by_currency.values() if len(found) > BIGGEST]
    return {place for found in many for _, place in sorted(found)[:BIGGEST]}


def _far_date(row: PlanRow, today: date) -> list[str]:
    away = date.fromisoformat(row.date) - today if row.date else timedelta()
    if away > FUTURE:
        return [f"dated {away.days} days ahead"]
    return [f"dated {-away.days} days back"] if away < -PAST else []


def _unusual(row: PlanRow, before: Usual) -> list[str]:
    total = row.total_minor or 0
    if before.invoices < AT_LEAST or total <= TIMES * before.largest:
        return []
    times = f"{total / before.largest:.1f} times " if before.largest > 0 else "more than "
    return [f"{times}the largest of the {before.invoices} invoices of this customer so far"]
