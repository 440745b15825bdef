"""What Salesforce, the store and the books say of every invoice of a period, put side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.settlement import OUT_OF_REACH, VOID
from airflow_provider_kashoo.core.rules.tie_out import Billed, View
from airflow_provider_kashoo.store.linked_records import BilledLink
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tie_out.deals import Due, read_deals
from airflow_provider_kashoo.sync.tie_out.known import Known, Numbered
from airflow_provider_kashoo.sync.tie_out.listed import list_books, list_further
from airflow_provider_kashoo.sync.tie_out.owed import Owed
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.won import Won


class Sides:
    """What all sides say of a period, read once.

    :param sync: with a store that stays as it is, and files of its own.
    :param owed: takes what the books list, to count what customers owe.
    :ivar notes: what is not compared, for people.
    """

    def __init__(self, sync: Sync, known: Known, period: Period, owed: Owed | None) -> None:
        self._sync, self._known = sync, known
        self._first, self._last = period.first.isoformat(), period.last.isoformat()
        linked = sync.store.linked_records
        self._links = {
            (each.source_id, each.part): each for each in linked.billed_between(INVOICE.name, self._first, self._last)
        }
        expected = {each.kashoo_id: each.total for each in self._links.values()}
        self._listed = list_books(sync, self._first, self._last, expected, owed)
        self._add_links(linked.billed_of(INVOICE.name, kashoo_ids=self._listed.keys() - expected.keys()))
        self._due = self._read_deals()
        self._won = Won.of(sync)
        self._add_links(linked.billed_of(INVOICE.name, sources=self._in_period_without_link()))
        self._listed |= list_further(sync, self._first, self._last, self._missing(), owed)
        self.notes = [
            f"{self._won.undated} records cannot be billed, and show no date or no total: they are not compared"
        ] if self._won.undated else []  # fmt: skip

    def billed(self) -> Iterator[Billed]:
        """Give every invoice once, with what each side says of it."""
        bearers = self._bearers()
        numbered = self._links.keys() | self._won.deals.keys()
        stamps = self._won.stamps({each[0] for each in numbered if self._differs(each)})
        shown = set[int]()
        for each in sorted(numbered):
            link = self._links.get(each)
            ident = link.kashoo_id if link else next(iter(bearers.get(each, ())), None)
            shown.update([ident] if ident else ())
            yield self._one(each, link, ident, stamps.get(each[0]))
        yield from self._others(bearers, shown)

    def _one(self, numbered: Numbered, link: BilledLink | None, ident: int | None, stamp: datetime | None) -> Billed:
        deal, listed = self._won.deals.get(numbered), self._listed.get(ident or 0)
        # What keeps a record with several invoices from being made is noted with the first one, and is about all.
        about = [numbered] if deal else [numbered, (numbered[0], 1)]
        waits = [self._known.parked.get(each) or self._won.unfit.get(each) for each in about]
        parked = next(filter(None, waits), None)
        asked = {why for each in about for of in (self._known.asked, self._won.asked) for why in of.get(each, ())}
        books = listed.view if listed else None
        began = self._sync.run.first
        return Billed(
            source_id=numbered[0],
            part=numbered[1],
            kashoo_id=ident,
            deal=deal.view if deal else None,
            invoice=_expected(link, books or (deal.view if deal else None)),
            books=books,
            odd=listed is not None and listed.view is None,
            voided=link is not None and link.settlement in {VOID, OUT_OF_REACH},
            leaves=self._won.leaves.get(numbered) or self._won.leaves.get((numbered[0], 1)),
            doubtful=numbered in self._known.doubtful,
            parked=parked[0] if parked else "",
            asked=asked,
            approval=self._known.approvals.get(numbered),
            due=self._is_due(numbered[0], stamp),
            before=bool(began and stamp and stamp < began),
            unchanged=bool(deal and deal.unchanged),
            lines_of_deal=deal.lines if deal else None,
            lines_of_books=listed.lines if listed else None,
            settlement=link.settlement if link else None,
            settled=self._known.settled.get(numbered),
            owed=listed.owed if listed else None,
            fix=parked[1] if parked else next(filter(None, map(self._known.fixes.get, about)), ""),
        )

    def _is_due(self, ident: str, stamp: datetime | None) -> bool:
        due = self._due.get(self._sync.object_of(ident) or "")
        return due is not None and due.has(ident, stamp)

    def _others(self, bearers: Mapping[Numbered, list[int]], shown: set[int]) -> Iterator[Billed]:
        """Give what else the books list: second invoices of a deal, and those that are not ours."""
        known = self._won.deals.keys() | self._links.keys()
        # A copy may be dated in another month than the invoice of which it is one.
        sources = {numbered[0] for numbered in bearers.keys() - known}
        elsewhere = self._sync.store.linked_records.billed_of(INVOICE.name, sources=sources)
        known |= {(each.source_id, each.part) for each in elsewhere}
        ours = {ident: numbered for numbered, idents in bearers.items() for ident in idents}
        for ident, listed in self._listed.items():
            if ident in shown or listed.view is None:
                continue
            numbered = ours.get(ident)
            if numbered is None:
                yield Billed(kashoo_id=ident, books=listed.view)
            else:
                yield Billed(
                    source_id=numbered[0],
                    part=numbered[1],
                    kashoo_id=ident,
                    books=listed.view,
                    copy=numbered in known,
                    doubtful=numbered in self._known.doubtful,
                )

    def _read_deals(self) -> dict[str, Due]:
        """Read every object from which something is billed."""
        sources = defaultdict[str, set[str]](set)
        for each in self._links.values():
            sources[each.source_object].add(each.source_id)
        objects = sorted({each.from_.object for each in self._sync.mappings_to(INVOICE.name)})
        return {each: read_deals(self._sync, each, self._first, self._last, sources.get(each, ())) for each in objects}

    def _add_links(self, links: Iterable[BilledLink]) -> None:
        self._links |= {(each.source_id, each.part): each for each in links}

    def _in_period_without_link(self) -> set[str]:
        return {
            numbered[0]
            for numbered, deal in self._won.deals.items()
            if numbered not in self._links and self._first <= deal.view.day <= self._last
        }

    def _missing(self) -> set[int]:
        """Give the invoices that are expected, not listed, and not known to be removed."""
        return {
            each.kashoo_id
            for numbered, each in self._links.items()
            if each.kashoo_id not in self._listed
            and each.settlement not in {VOID, OUT_OF_REACH}
            and numbered not in self._known.removed
        }

    def _bearers(self) -> dict[Numbered, list[int]]:
        """Give the listed invoices that bear a reference of ours and are not linked, by what the reference says."""
        linked = {each.kashoo_id for each in self._links.values()}
        found = defaultdict[Numbered, list[int]](list)
        for ident, listed in self._listed.items():
            for reference in () if ident in linked else listed.references:
                found[reference.source_id, reference.part].append(ident)
        return found

    def _differs(self, numbered: Numbered) -> bool:
        """Say whether deal and expected invoice differ, so that it matters when the deal last changed."""
        deal, link = self._won.deals.get(numbered), self._links.get(numbered)
        if deal is None or link is None:
            return True
        return (link.currency, (link.date or "")[:7], link.total) != deal.view.compared


def _expected(link: BilledLink | None, known: View | None) -> View | None:
    """Give what is expected of a linked invoice; what the link does not say is as the other sides have it."""
    if link is None:
        return None
    if link.currency and link.date and link.total is not None:
        return View(link.currency, link.date, link.total)
    return known and View(
        link.currency or known.currency, link.date or known.day, known.minor if link.total is None else link.total
    )
