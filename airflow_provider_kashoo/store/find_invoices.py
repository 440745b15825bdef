"""Find invoices by what the store knows of them: a day, an amount, or both. It knows no names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

from sqlalchemy import Select, and_, false, or_, select, union_all

from airflow_provider_kashoo.core.rules.settlement import OUT_OF_REACH, STATUSES
from airflow_provider_kashoo.core.values.currencies import OTHER_DECIMALS
from airflow_provider_kashoo.core.values.money import in_units_of
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.figures import BILLED
from airflow_provider_kashoo.store.links import LIVE, VOIDED
from airflow_provider_kashoo.store.tables import links

LOOKED_AT = 5_000
"""Invoices of each status, the newest, among which an amount is looked for: no index has amounts."""

_SHOWN = [
    links.c[name]
    for name in (
        *("id", "target", "source_object", "source_id", "part", "kashoo_id", "state", "currency", "expected_total"),
        *("journal_date", "settlement"),
    )
]
_BY_STATUS = list(product(BILLED, (LIVE, VOIDED), (None, *STATUSES, OUT_OF_REACH)))
"""In the order of the index ``ix_links_state``: within each of them it is sorted by day."""


@dataclass(frozen=True)
class Found:
    """Invoices, the latest date first.

    :param rows: of the table ``links``, what a list shows.
    :param before: to go on behind the last of them: its day and id; None if it was the last one.
    """

    rows: list[Mapping[str, Any]]
    before: tuple[str, int] | None = None


def find_invoices(
    database: Database,
    scope_id: int,
    *,
    day: str | None = None,
    amount: Decimal | None = None,
    before: tuple[str, int] | None = None,
    most: int = 50,
) -> Found:
    """Find them, voided ones too. Each status is asked by itself, so that no more rows are read than are shown.

    :param day: of the invoice, ``YYYY-MM-DD``.
    :param amount: hundredths, whatever the currency; looked for among the newest :data:`LOOKED_AT` of each status only
        (on that day, if one is given).
    :param before: what :attr:`Found.before` of the page before said.
    :raises SyncError: as :meth:`.Database.reading`.
    """
    among = most + 1 if amount is None else LOOKED_AT
    some = union_all(*(select(each.subquery()) for each in _newest(scope_id, day, before, among))).subquery()
    query = select(some).order_by(some.c.journal_date.desc(), some.c.id.desc()).limit(most + 1)
    if amount is not None:
        query = query.where(or_(false(), *_is_amount(some.c, amount)))
    with database.reading() as connection:
        rows: list[Mapping[str, Any]] = [dict(row) for row in connection.execute(query).mappings()]
    last = rows[most - 1] if len(rows) > most else None
    return Found(rows[:most], (last["journal_date"], last["id"]) if last else None)


def _is_amount(row: Any, hundredths: Decimal) -> Iterator[Any]:
    """Compare with an amount in the minor unit of each currency; it is whole in some of them only."""
    with_hundredths = or_(row.currency.is_(None), row.currency.not_in(OTHER_DECIMALS))
    for code, is_of in [("", with_hundredths), *((code, row.currency == code) for code in OTHER_DECIMALS)]:
        minor = in_units_of(code, hundredths)
        if minor == int(minor):
            yield and_(is_of, row.expected_total == int(minor))


def _newest(scope_id: int, day: str | None, before: tuple[str, int] | None, most: int) -> Iterator[Select[Any]]:
    """Select the newest of each status. All invoices have a date; without one they would stand at another end."""
    for kind, state, settlement in _BY_STATUS:
        query = select(*_SHOWN).where(
            links.c.scope_id == scope_id,
            links.c.target == kind,
            links.c.state == state,
            links.c.settlement.is_(None) if settlement is None else links.c.settlement == settlement,
            links.c.journal_date == day if day else links.c.journal_date.is_not(None),
        )
        if before:
            last_day, last_id = before
            behind = or_(links.c.journal_date < last_day, links.c.id < last_id)
            query = query.where(links.c.journal_date <= last_day, behind)
        yield query.order_by(links.c.journal_date.desc(), links.c.id.desc()).limit(most)
