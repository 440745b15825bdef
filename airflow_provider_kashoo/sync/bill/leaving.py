"""Deals that are no longer to be billed although their invoice stands.

Nothing here writes. A void is planned only under ``on_leave: void_unpaid`` and only for what
:mod:`airflow_provider_kashoo.core.rules.leaving` allows; all else is put to a person, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from airflow_provider_kashoo.clients.documents import is_gone, to_document
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.rules.duplicates import AMBIGUOUS
from airflow_provider_kashoo.core.rules.leaving import why_it_stays
from airflow_provider_kashoo.core.rules.operations import UNSETTLED
from airflow_provider_kashoo.core.rules.plan import OUTCOME_UNKNOWN, Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import (
    NO_LONGER_BILLABLE,
    POSSIBLE_DUPLICATE,
    REMOVED_IN_BOOKS,
    removed_in_books,
)
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.sales import records_of
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads

MANY = 10
"""More records than this do not vanish at once: rather, the user may not read them any more."""

WAITING = Problem("waiting_for_sale", "the invoice of its sale is being voided", "Nothing: planned again.")


class Leaving:
    """Collects what leaves while the plan goes through its mappings, and decides when all of them were heard."""

    def __init__(self, sync: Sync, reads: Reads) -> None:
        self._sync, self._reads = sync, reads
        self._left: dict[str, tuple[PlanRow, Link, str, bool]] = {}
        self._elsewhere: list[tuple[PlanRow, str]] = []
        self._billable: set[str] = set()

    def billable(self, source_ids: Iterable[str]) -> None:
        """Note records that some mapping would bill: what another mapping leaves out does not leave then."""
        self._billable.update(source_ids)

    def elsewhere(self, row: PlanRow, sale: str) -> None:
        """Note a record whose sale another record bills. Its row is used as it is, unless that invoice is voided."""
        self._elsewhere.append((row, sale))

    def left(self, row: PlanRow, link: Link, reason: str, *, vanished: bool = False) -> None:
        """Note a linked record that a mapping leaves out; where mappings differ, the one that asks a person wins.

        :param vanished: nothing says that it was deleted; it is only not found any more.
        """
        known = self._left.get(row.source_id)
        if known is None or (self._voids(known[0]) and not self._voids(row)):
            self._left[row.source_id] = (row, link, reason, vanished)

    def rows(self, in_doubt: Iterable[tuple[str, str]], planned: Iterable[PlanRow]) -> Iterator[PlanRow]:
        """Decide.

        :param in_doubt: (target, source id) of what was sent before and has no known outcome.
        :param planned: the rows that were planned so far.
        """
        left = {ident: each for ident, each in self._left.items() if ident not in self._billable}
        too_many = sum(vanished for _, _, _, vanished in left.values()) > MANY
        removed = self._sync.store.reviews.sources("invoice", REMOVED_IN_BOOKS)
        doubtful = {ident for target, ident in in_doubt if target == "invoice"}
        voids: list[PlanRow] = []
        for ident, (row, link, reason, vanished) in sorted(left.items()):
            if ident in removed:
                yield replace(row, action=Action.SKIP, reason="its invoice was removed in Kashoo")
            elif not self._voids(row):
                yield review(_of_link(row, link), reason)
            elif ident in doubtful:
                yield replace(row, action=Action.WAIT, reason=OUTCOME_UNKNOWN)
            elif self._sync.run.limit is not None:
                yield replace(row, action=Action.SKIP, reason=f"outside the test batch of {self._sync.run.limit}")
            elif vanished and too_many:
                yield review(_of_link(row, link), reason, "so many vanished at once that perhaps they may not be read")
            else:
                decided = self._void(_of_link(row, link), link, reason)
                voids += [decided] if decided.action is Action.VOID else []
                yield decided
        yield from self._others(voids, {row.source_id for row in planned if row.target == "invoice"})

    def _voids(self, row: PlanRow) -> bool:
        return self._sync.mappings[row.mapping].on_leave == "void_unpaid"

    def _void(self, row: PlanRow, link: Link, reason: str) -> PlanRow:
        hashes, profile = self._sync.store.hashes, self._sync.kashoo.profile
        try:
            theirs = self._reads.read(row.target, link.kashoo_id, link.version)
        except UnreadableError as error:
            return row.parked(error.problem)
        if theirs is None or is_gone(theirs):
            return removed_in_books(row)
        copies = self._sync.store.reviews.sources(row.target, POSSIBLE_DUPLICATE)
        why = why_it_stays(
            theirs,
            to_document(row.target, theirs, profile),
            link.fields,
            hashes,
            expected_total=link.expected_total,
            settlement=link.settlement,
        )
        if why or row.source_id in copies:
            return review(row, reason, why or "another invoice carries its reference")
        return replace(
            row,
            action=Action.VOID,
            reason=f"it is {reason}; its invoice is unpaid and as it was written",
            base=hashes.of(theirs),
            currency=link.currency,
            total=link.expected_total,
            requests=3,
        )

    def _others(self, voids: list[PlanRow], planned: set[str]) -> Iterator[PlanRow]:
        """Let the other records of a sale wait while its invoice is voided: one of them may be billed then."""
        unsettled = self._sync.store.journal.unsettled(*UNSETTLED)
        waiting = {row.sale_id for row in voids} | {
            operation["sale_id"] for operation in unsettled if operation["action"] == Action.VOID
        }
        yield from (row.parked(WAITING) if sale in waiting else row for row, sale in self._elsewhere)
        seen = {*self._billable, *self._left, *planned}
        for mapping in self._sync.mappings_to("invoice") if voids else []:
            read = voids[0].source_read
            for ident, sale in records_of(self._sync, mapping, {row.sale_id for row in voids}):
                if ident not in seen:
                    seen.add(ident)
                    yield PlanRow.of(mapping, self._sync.name, ident, sale_id=sale, source_read=read).parked(WAITING)


def review(row: PlanRow, reason: str, why: str = "") -> PlanRow:
    """Put a deal that left to a person.

    :param reason: why it is no longer to be billed.
    :param why: why its invoice was not voided; empty when nobody asked for that.
    """
    return row.reviewed(NO_LONGER_BILLABLE.of(why=reason + (f"; it was not voided: {why}" if why else "")))


def not_voided(row: PlanRow, why: str) -> Problem:
    """Say to a person that Kashoo did not void what was planned to be."""
    return replace(NO_LONGER_BILLABLE, cause=f"{row.reason}; it was not voided: {why}")


def returned() -> Problem:
    """Say that nothing is made while a voided invoice, or a copy of it, stands in the books."""
    cause = "an invoice carries the reference of one that was voided"
    return Problem(AMBIGUOUS, cause, "Remove that invoice in Kashoo, or its reference.")


def _of_link(row: PlanRow, link: Link) -> PlanRow:
    return replace(
        row,
        kashoo_id=link.kashoo_id,
        sale_id=link.sale_id,
        part=link.part,
        generation=link.generation,
        link_version=link.version,
    )
