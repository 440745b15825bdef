"""The view Invoices: find a record, and tell its whole story."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.core.values.money import NotMoney, format_minor, to_minor
from airflow_provider_kashoo.plugins.access import ASKS_KASHOO, READS
from airflow_provider_kashoo.plugins.opened import Sides, store
from airflow_provider_kashoo.settings import staging_root
from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.find_invoices import LOOKED_AT, find_invoices
from airflow_provider_kashoo.sync.by_hand.find import find_named
from airflow_provider_kashoo.sync.by_hand.story import tell
from airflow_provider_kashoo.sync.run.staged_runs import newest_runs

router = APIRouter(prefix="/api/invoices", dependencies=READS)

MOST = 10**15
"""Hundredths; a store holds no larger amount."""

Store = Annotated[Database, Depends(store)]


@router.get("")
def invoices(
    database: Store,
    day: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$")] = None,
    amount: Annotated[str | None, Query(max_length=30)] = None,
    before: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}\.\d{1,18}$")] = None,
    pair: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> dict[str, Any]:
    """List the newest invoices, or those of a day, of an amount, or both.

    :param amount: in major units, such as 1,250.00.
    :param before: what the page before said, to go on behind it.
    :param pair: which org and business, if there are several; the first if not given.
    """
    pairs = figures.pairs(database)
    scope = pair or (pairs[0].id if pairs else 0)
    hundredths = _hundredths(amount) if amount else None
    last_day, _, last_id = (before or "").partition(".")
    found = find_invoices(
        database, scope, day=day, amount=hundredths, before=(last_day, int(last_id)) if before else None
    )
    return {
        "pairs": [{"id": each.id, "org_id": each.org_id, "business_id": each.business_id} for each in pairs],
        "rows": [_row(row) for row in found.rows],
        "before": ".".join(map(str, found.before)) if found.before else None,
        "looked_at": LOOKED_AT if amount else None,
    }


@router.get("/named")
def named(sides: Sides, text: Annotated[str, Query(min_length=2, max_length=80)]) -> dict[str, Any]:
    """Ask Salesforce for deals with a text in their name, and for the number of an invoice."""
    with sides() as sync:
        return {"rows": find_named(sync, text)}


@router.get("/{record}")
def story(record: str, database: Store) -> dict[str, Any]:
    """Tell what the store and the last plans know of a record; neither side is asked."""
    return tell(record, database, newest_runs(staging_root()), None)


@router.get("/{record}/now", dependencies=ASKS_KASHOO)
def story_now(record: str, database: Store, sides: Sides) -> dict[str, Any]:
    """Tell the same, with what both sides say now; it uses requests to Kashoo."""
    return tell(record, database, newest_runs(staging_root()), sides)


def _hundredths(amount: str) -> Decimal:
    try:
        given = to_minor(Decimal(amount.replace(",", "").strip()))
    except (InvalidOperation, NotMoney):
        given = None
    if given is None or abs(given) > MOST:
        raise ConfigurationError(f"{shown(amount)} is no amount.", remedy="Write it like 1,250.00.")
    return given


def _row(row: Any) -> dict[str, Any]:
    total = None if row["expected_total"] is None else format_minor(row["expected_total"], row["currency"] or "")
    names = ("source_object", "source_id", "part", "kashoo_id", "state")
    return {name: row[name] for name in names} | {
        "total": total,
        "date": row["journal_date"],
        "status": row["settlement"],
    }
