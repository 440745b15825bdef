"""Writes that Kashoo refused on several days, and that would be the same again today: they rest for a week."""

from __future__ import annotations

from airflow_provider_kashoo.core.mapping.transform import Document
from airflow_provider_kashoo.core.rules.intents import Create, Intent, Update, Wait
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.facts import Facts

RESTS = "Kashoo refused just this on several days; it is tried once a week, or when it changes"


def resting_create(facts: Facts, create: Create) -> Wait | None:
    """Keep a record parked that would be created as it was refused; None if it is to be sent."""
    refused = facts.refused.get(create.record.named)
    if refused is None or refused.action is not Create.action or not refused.rests(facts.sync.store.now()):
        return None
    same = facts.sync.store.hashes.fields(create.document) == refused.fields
    return create.become(Wait, reason=RESTS) if same else None


def resting_update(facts: Facts, intent: Intent, ours: Document, link: Link) -> Wait | None:
    """Keep a record parked whose change was refused and is the same still; the books are not read for that.

    :param ours: what may change of it, as the mapping makes it now.
    """
    refused = facts.refused.get(intent.record.named)
    if refused is None or refused.action is not Update.action or not refused.rests(facts.sync.store.now()):
        return None
    hashes, now, before = facts.sync.store.hashes, intent.sources or {}, link.sources or {}
    same = all(hashes.of(ours.get(name)) == sent for name, sent in refused.fields.items())
    # What a person was asked about then is still made from what it was before.
    made = all(each in (now.get(name), before.get(name)) for name, each in (refused.sources or {}).items())
    return intent.become(Wait, reason=RESTS) if same and made else None
