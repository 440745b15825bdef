"""Deals that become several invoices: which child record makes which, and when a person has to look at them.

Nothing is written for a deal whose invoices do not surely belong to its child records: another number for the same
child would bill its share twice. A deal that was billed as a whole stays whole, whatever the mapping says now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.stages.sources import PART
from airflow_provider_kashoo.core.rules.intents import Intent, Release
from airflow_provider_kashoo.core.rules.made_from import Sources
from airflow_provider_kashoo.core.rules.questions import PARTS_CHANGED, PARTS_UNKNOWN, REMOVED_IN_BOOKS
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.made import Made

PARTS_LEAVING = Problem(
    "parts_leaving",
    "the deal has no part {part} any more, but the invoice of that part still exists: together they would bill more",
    "Remove that invoice in Kashoo, or restore its record in Salesforce; this one follows then.",
)

PartLinks = Mapping[int, Link]
"""Part of a deal -> the link of its invoice."""


@dataclass(frozen=True)
class Divided:
    """What is to be done with a deal of which a rule makes several invoices, or of which it made some.

    :param whole: it has one invoice, because no rule divides it, or because it was billed as a whole and stays so.
    :param intents: what is decided; nothing else is done with the deal then.
    :param parts: the intent of each invoice, and its link if it has one.
    :param surplus: links of invoices that the deal has no child record for any more.
    """

    whole: bool = False
    intents: list[Intent] = field(default_factory=list)
    parts: list[tuple[Intent, Link | None]] = field(default_factory=list)
    surplus: list[Link] = field(default_factory=list)


def has_parts(links: PartLinks) -> bool:
    """Say whether a deal was billed in parts."""
    return any(part > 1 or _child(link) for part, link in links.items())


def is_billed_whole(links: PartLinks) -> bool:
    """Say whether a deal has one invoice that is known to bill all of it."""
    return {*links} == {1} and links[1].sources is not None and PART not in links[1].sources


def divide(facts: Facts, deal: Intent, children: str, made_from: Sequence[Sources], links: PartLinks) -> Divided:
    """Decide which invoices a deal has.

    :param deal: its intent; nothing is decided yet.
    :param children: relationship of its child records; empty if no rule divides it now.
    :param made_from: from what each invoice is made now, in the order of the parts; empty if no rule divides it now.
    """
    if not made_from and not has_parts(links):
        return Divided(whole=True)
    if facts.is_open(deal):  # which invoices it has is known when the outcome is
        return Divided(intents=[*facts.waits(deal)])
    if is_billed_whole(links):
        return Divided(whole=True)
    if links and (question := _question(deal, children, made_from, links)):
        first = links[min(links)]
        asked = replace(first.applied_to(deal), sale=first.sale_id, sources=None).asked(question)
        return Divided(intents=[asked])
    sale = links[min(links)].sale_id if links else deal.sale
    begun = [
        replace(deal, record=replace(deal.record, part=part), sale=sale, sources=sources)
        for part, sources in enumerate(made_from, start=1)
    ]
    return Divided(
        parts=[(each, links.get(each.record.part)) for each in begun],
        surplus=[link for part, link in sorted(links.items()) if part > len(begun)],
    )


def held_back(facts: Facts, surplus: Sequence[Link]) -> Problem | None:
    """Say why the invoices that a deal has must not change yet: one that it has no child for takes part of the money.

    :param surplus: the links of those that it has no child record for any more.
    """
    removed = facts.sync.store.reviews.parts(INVOICE.name, REMOVED_IN_BOOKS) if surplus else set()
    standing = [str(link.part) for link in surplus if (link.source_id, link.part) not in removed]
    return PARTS_LEAVING.of(part=" and ".join(standing)) if standing else None


def ended_parts(facts: Facts, made: Iterable[Made], planned: Iterable[Intent]) -> Iterator[Release]:
    """End what is parked for invoices that a deal does not have any more, or does not get now.

    :param made: what the mappings made of the records that were read.
    :param planned: what was planned; of those invoices something is still to be done.
    """
    left = {ident: {*parts} for ident, parts in facts.parked_parts.items()}
    for each in planned:
        left.get(each.record.id, set()).discard(each.record.part)
    for ident, links in facts.sync.store.links.parts_of(INVOICE.name, left).items():
        left[ident] -= {*links}
    for read in made if any(left.values()) else ():
        for ident in sorted(read.read_among(left)):
            for part in sorted(left.pop(ident)):
                begun = facts.intent(read.mapping, ident)
                record = replace(begun.record, part=part)
                yield replace(begun, record=record).become(Release, reason="nothing is to be written for this part")


def _question(deal: Intent, children: str, made_from: Sequence[Sources], links: PartLinks) -> Problem | None:
    """Say what a person has to look at before anything is written for a linked deal."""
    if not made_from:
        return PARTS_CHANGED.of(why="it was billed in parts, and no rule of the mapping divides it now")
    if len(links) > 1 and any(link.sale_id != deal.sale for link in links.values()):
        return PARTS_CHANGED.of(why="it was billed in parts, and belongs to another sale now")
    for part, link in sorted(links.items()):
        known = _child(link)
        if known and part <= len(made_from) and known != (made_from[part - 1][PART] or {}).get("Id"):
            changed = f"its {children} changed after it was billed"
            return PARTS_CHANGED.of(why=f"{changed}: part {part} is now another record")
    unsure = [part for part, link in sorted(links.items()) if not _child(link)]
    if unsure and len(links) < len(made_from):
        return PARTS_UNKNOWN.of(part=str(unsure[0]))
    return None


def _child(link: Link) -> str | None:
    """Give the hash of the id of the child that an invoice was made from; None if it is not known, or whole."""
    return ((link.sources or {}).get(PART) or {}).get("Id")
