"""Writes that rest: Kashoo refused them on several days, or a person rejected or undid them."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.stages.transform import Document
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    WRITES,
    Create,
    Intent,
    Park,
    Update,
    Wait,
)
from airflow_provider_kashoo.core.rules.tries import Refused
from airflow_provider_kashoo.sync.bill.facts import Facts

WAS_REJECTED = "a person rejected just this; it is asked again when it changes"
UNDONE = Problem(
    "undone",
    "a person undid the run that billed it",
    "To bill it again, run: airflow kashoo replay ID. Until then it waits.",
)
RESTS = "Kashoo refused just this on several days; it is tried once a week, or when it changes"


def resting_create(facts: Facts, create: Create) -> Park | Wait | None:
    """Keep a record parked whose invoice a person undid, or that was refused just so; None if it is to be sent."""
    record = create.record
    if not facts.undone.isdisjoint({record.named, (record.kind, create.sale)}):
        return create.parked(UNDONE)
    refused = _resting(facts, create, Create.action)
    if refused and facts.sync.store.hashes.fields(create.document) == refused.fields:
        return create.become(Wait, reason=RESTS)
    return None


def resting_update(facts: Facts, intent: Intent, ours: Document) -> Wait | None:
    """Keep a record parked whose change was refused and is the same still; the books are not read for that.

    :param ours: what may change of it, as the mapping makes it now.
    """
    refused = _resting(facts, intent, Update.action)
    if refused is None:
        return None
    hashes, now = facts.sync.store.hashes, intent.sources or {}
    same = all(hashes.of(ours.get(name)) == sent for name, sent in refused.fields.items())
    made = all(now.get(name) == each for name, each in (refused.sources or {}).items())
    return intent.become(Wait, reason=RESTS) if same and made else None


def unless_rejected(facts: Facts, intents: Iterable[Intent]) -> list[Intent]:
    """Keep parked what a person rejected, and what would be written just so again."""
    return [each.become(Wait, reason=WAS_REJECTED) if _is_rejected(facts, each) else each for each in intents]


def _is_rejected(facts: Facts, intent: Intent) -> bool:
    rejected = facts.rejected.get(intent.key) if facts.rejected and intent.action in WRITES else None
    return rejected is not None and rejected == facts.sync.store.hashes.of(intent.written)


def _resting(facts: Facts, intent: Intent, action: Action) -> Refused | None:
    """Give the write of this kind that rests today, if it is the same still."""
    refused = facts.refused.get(intent.record.numbered)
    if refused is None or refused.action is not action or not refused.rests(facts.sync.store.now()):
        return None
    return refused
