"""What was billed since somebody was told of it last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_kashoo.core.kinds import is_billed, is_payment
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.reports.digest import Billed
from airflow_provider_kashoo.store import alerts
from airflow_provider_kashoo.store.database import Database

WRITES = (Action.CREATE, Action.UPDATE, Action.VOID)


def billed_between(database: Database, scope_id: int, after: float, up_to: float) -> Billed:
    """Add up what was written to Kashoo.

    :param after: epoch seconds UTC, exclusive.
    :param up_to: inclusive.
    """
    return _added_up(alerts.billed(database, scope_id, [each.value for each in WRITES], after, up_to))


def _added_up(rows: Iterable[Mapping[str, Any]]) -> Billed:
    invoices, totals, paid, paid_totals = 0, Counter[str](), 0, Counter[str]()
    others: dict[str, Counter[str]] = {action.value: Counter() for action in WRITES}
    for row in rows:
        made, currency, total = row["action"] == Action.CREATE, row["currency"] or "", row["total"] or 0
        if made and is_billed(row["target"]):
            invoices += row["writes"]
            totals[currency] += total
        elif made and is_payment(row["target"]):
            paid += row["writes"]
            paid_totals[currency] += total
        else:
            others[row["action"]][row["target"]] += row["writes"]
    return Billed(
        invoices,
        dict(sorted(totals.items())),
        paid,
        dict(sorted(paid_totals.items())),
        made=dict(others[Action.CREATE]),
        changed=dict(others[Action.UPDATE]),
        voided=sum(others[Action.VOID].values()),
    )
