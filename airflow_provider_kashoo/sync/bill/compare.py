"""Compare a linked record with the books: what to write, what to ask a person, what to leave."""

from __future__ import annotations

from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.mapping.transform import Document
from airflow_provider_kashoo.core.rules import diff
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Link, Update
from airflow_provider_kashoo.core.rules.ownership import decide
from airflow_provider_kashoo.core.rules.questions import removed_in_books
from airflow_provider_kashoo.store.links import Link as StoredLink
from airflow_provider_kashoo.sync.bill.facts import Facts


def compare(facts: Facts, intent: Intent, document: Document, link: StoredLink) -> list[Intent]:
    """Decide what to do about a linked record.

    :param document: what the mapping makes of the record now.
    """
    hashes, kind = facts.sync.store.hashes, intent.record.kind
    intent = link.applied_to(intent)
    if not diff.changed_fields(document, link.fields, hashes):
        return [intent.become(Keep, reason="nothing that is mapped changed")]
    try:
        entry = facts.reads.read(kind, link.kashoo_id, link.version)
    except UnreadableError as error:
        return [intent.parked(error.problem)]
    if entry is None or entry.removed:
        return [removed_in_books(intent)]
    merged = diff.merge(document, entry.fields, link.fields, hashes)
    decision = decide(
        kind,
        document,
        merged,
        known=link.fields,
        mark=entry.reference_field,
        money_came=entry.invoice is None or bool(entry.invoice.paid),
    )
    intents: list[Intent] = [intent.asked(question) for question in decision.questions]
    if decision.write is None:
        return intents
    if decision.write:
        reason, base = f"changed in Salesforce: {', '.join(sorted(decision.write))}", entry.fingerprint(hashes)
        update = intent.become(Update, reason=reason, document=document, changes=decision.write, base=base)
        return [*intents, update]
    if merged.conflicts:
        return [*intents, intent.become(Keep, reason="Kashoo keeps its values")]
    # A field that changed only in the books keeps its base; the next comparison would miss the edit otherwise.
    same = {name: document.get(name) for name in {*document, *link.fields} - {*merged.kept}}
    return [intent.become(Link, reason="Kashoo already has these values", document=same, held=entry.fields)]
