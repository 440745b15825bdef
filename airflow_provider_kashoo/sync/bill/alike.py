"""What is written to a customer or item that is linked by likeness, if the mapping's ``on_duplicate`` says so."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.mapping.file.policies import OnDuplicate, Owner
from airflow_provider_kashoo.core.rules.diff import Merge
from airflow_provider_kashoo.core.rules.intents import Intent, Link, Update
from airflow_provider_kashoo.core.rules.made_from import made_of, unknown
from airflow_provider_kashoo.core.rules.ownership import decide
from airflow_provider_kashoo.sync.bill.compare import owners_of
from airflow_provider_kashoo.sync.bill.facts import Facts

FOLLOWS = {
    OnDuplicate.UPDATE: ("its fields follow Salesforce", "{fields} follow Salesforce"),
    OnDuplicate.MERGE: ("its empty fields are filled from Salesforce", "{fields} were empty in Kashoo"),
}
"""What is written, in the reason of the link and in that of the update."""


def follow_up(facts: Facts, link: Link) -> list[Intent]:
    """Link a record, and write what its mapping says of one that is found by likeness.

    The update is planned from the version that the link makes. The link does not know the fields that are to be
    written: should the update fail, the next comparison finds them again.
    """
    policy = facts.sync.mappings[link.mapping].on_duplicate
    if policy not in FOLLOWS:
        return [link]
    kind, why = link.record.kind, FOLLOWS[policy]
    try:
        entry = facts.reads.read(kind, link.kashoo_id or 0, link.link_version)
    except UnreadableError as error:
        return [link.parked(error.problem)]
    link = replace(link, reason=f"{link.reason}; {why[0]}")
    if entry is None or entry.removed:
        return [link]
    hashes, ours, now = facts.sync.store.hashes, link.document, link.sources or {}
    theirs = hashes.fields(entry.fields)
    differing = {name for name, mine in hashes.fields(ours).items() if mine not in {theirs.get(name), hashes.of(None)}}
    empty = differing - theirs.keys()
    merged = Merge(
        write={name: ours[name] for name in sorted(empty)},
        conflicts=sorted(differing - empty) if policy is OnDuplicate.UPDATE else [],
    )
    wins = dict.fromkeys(differing, Owner.SALESFORCE)
    owners = owners_of(facts, link)
    decision = decide(kind, ours, merged, known=(), mark=entry.reference_field, owners=owners, newer=wins)
    open_ = {*decision.write, *decision.pending}
    known = {name: value for name, value in ours.items() if name not in open_}
    linked = replace(link, link_version=link.link_version + 1)
    intents: list[Intent] = [replace(link, document=known, sources=unknown(now, open_))]
    intents += [linked.asked(question) for question in decision.questions]
    if decision.write:
        reason = why[1].format(fields=", ".join(sorted(decision.write)))
        sources, print_ = made_of(now, None, decision.pending), entry.fingerprint(hashes)
        update = linked.become(Update, reason=reason, changes=decision.write, base=print_)
        intents.append(replace(update, sources=sources))
    return intents
