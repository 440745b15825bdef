"""In which order the intents of a plan are applied."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_kashoo.core.kinds import ORDER
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    Intent,
    Tell,
    Upsert,
)

_ACTION_ORDER = {
    Action.FOLLOW: -1,
    Action.LINK: 0,
    Action.CREATE: 1,
    Action.REVIEW: 2,
    Action.UPDATE: 3,
    Action.WRITE_BACK: 4,
    Action.UPSERT: 5,
    Action.VOID: 10,
}
"""A question about a record comes before its update, which changes the link and would make the question stale.

Voids come last: records that wait for one are parked by then, so that a crash in between loses nothing.
"""


def in_order(intents: Iterable[Intent]) -> list[Intent]:
    """Sort intents in the order of applying: parents first, then by action, the biggest invoices first, then by id."""
    return sorted(
        intents,
        key=lambda each: (
            ORDER.get(each.record.kind, len(ORDER)),
            _ACTION_ORDER.get(each.action, 9),
            *_together(each),
            -(each.total or 0),
            each.record.id,
            each.record.part,
        ),
    )


def _together(intent: Intent) -> tuple[int, str, str]:
    """Order what goes to Salesforce: an invoice before its payments, records of one object and parent side by side."""
    match intent:
        case Upsert():
            return intent.rank, intent.record.kind, intent.parent
        case Tell():
            return 0, intent.record.kind, intent.parent
    return 0, "", ""
