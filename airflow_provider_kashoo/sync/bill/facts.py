"""What every pass of a plan reads: collected once, changed by none of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import KINDS, PARENTS, PAYMENT, is_billed
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.rules.intents import OUTCOME_UNKNOWN, Ask, Intent, Link, Park, Wait
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS
from airflow_provider_kashoo.core.rules.settled import Settled
from airflow_provider_kashoo.core.rules.totals import expected_total
from airflow_provider_kashoo.core.rules.tries import Refused
from airflow_provider_kashoo.core.values.parents import Parent
from airflow_provider_kashoo.store.links import Link as StoredLink
from airflow_provider_kashoo.sync.read.codes import Codes
from airflow_provider_kashoo.sync.read.removed import Removed
from airflow_provider_kashoo.sync.run.deltas import Delta, all_staged, earliest_read
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads

IN_DOUBT = Problem("in_doubt", OUTCOME_UNKNOWN, "")
PLANNED_AGAIN = "Nothing to do: the next run plans it again."


@dataclass(frozen=True)
class Facts:
    """The facts of one plan of ``salesforce_to_kashoo``.

    :param reads: reads single records of the books, each once.
    :param codes: accounts and taxes of the books.
    :param deltas: Salesforce object -> what its extract brought.
    :param read_at: when the first of them was asked for, ISO 8601 UTC.
    :param open: (kind, source id) of records that were sent, with an outcome that is not known yet.
    :param open_parts: kind and source id -> which of their invoices that are.
    :param parked: kind -> source ids of parked records, which every run reads again.
    :param parked_parts: source id -> which of several invoices of a deal are parked, without the first.
    :param new: (kind, source id) of records of which a person said that they are none of those in the books.
    :param ended: kind -> (sale, part) -> version at which the last link of a sale ended.
    :param refused: (kind, source id, part) -> the parked write that Kashoo refused; empty when a person replays.
    :param rejected: key of a write -> hash of what a person rejected of it; empty when a person replays.
    :param undone: (kind, source id) and (kind, id of the sale) of deals whose invoice a person undid.
    :param settled: (kind, source id, part) -> error class -> what a person said of that question.
    :param removed: knows which linked customers and items were removed in Kashoo.
    """

    sync: Sync
    reads: Reads
    codes: Codes
    deltas: dict[str, Delta]
    read_at: str
    open: set[tuple[str, str]]
    open_parts: dict[tuple[str, str], set[int]]
    parked: dict[str, set[str]]
    parked_parts: dict[str, set[int]]
    new: set[tuple[str, str]]
    ended: dict[str, dict[tuple[str, int], int]]
    refused: dict[tuple[str, str, int], Refused]
    rejected: dict[str, str]
    undone: set[tuple[str, str]]
    settled: dict[tuple[str, str, int], dict[str, Settled]]
    removed: Removed

    @classmethod
    def of(cls, sync: Sync, reads: Reads) -> Facts:
        """Collect them."""
        journal, deltas = sync.store.journal, all_staged(sync.files)
        parked: dict[str, set[str]] = defaultdict(set)
        parked_parts, open_parts = defaultdict[str, set[int]](set), defaultdict[tuple[str, str], set[int]](set)
        for row in journal.unsettled(State.PARKED, State.RETRY):
            parked[row["target"]].add(row["source_id"])
            if is_billed(row["target"]) and row["part"] > 1:
                parked_parts[row["source_id"]].add(row["part"])
        for row in journal.unsettled(State.SENT, State.IN_DOUBT):
            open_parts[row["target"], row["source_id"]].add(row["part"])
        return cls(
            sync=sync,
            reads=reads,
            codes=Codes.staged(sync),
            deltas=deltas,
            read_at=earliest_read(deltas.values()),
            open={*open_parts},
            open_parts=dict(open_parts),
            parked=parked,
            parked_parts=dict(parked_parts),
            new={(kind, each.source_id) for kind in PARENTS for each in sync.store.links.ended_references(kind)},
            ended={kind: sync.store.links.ended_versions(kind) for kind in KINDS},
            refused={} if sync.run.only is not None else sync.store.waiting.refused(),
            rejected={} if sync.run.only is not None else sync.store.waiting.rejected(),
            undone=sync.store.undone.records(),
            settled=sync.store.reviews.settled(),
            removed=Removed(sync),
        )

    @cached_property
    def approved(self) -> frozenset[tuple[str, int, int]]:
        """Invoices that a person approved by themselves: source id, which of several, and generation."""
        return self.sync.store.approvals.invoices()

    def intent(self, mapping: Mapping, source_id: str) -> Intent:
        """Begin the intent of a record that a mapping reads."""
        return Intent.of(mapping, self.sync.name, source_id, source_read=self.read_at)

    def as_compared(self, link: StoredLink) -> StoredLink:
        """Give a link as this run compares it: where the mappings count as they are now, any field may change."""
        return replace(link, sources=None) if self.sync.run.remap else link

    def is_open(self, intent: Intent) -> bool:
        """Say whether its record was sent and the outcome is not known yet."""
        return intent.record.named in self.open

    def is_being_paid(self, invoice: Intent) -> bool:
        """Say whether a payment of an invoice was sent and the outcome is not known yet."""
        return (PAYMENT.name, invoice.record.id) in self.open

    def total(self, document: dict[str, Any]) -> int:
        """Compute what an invoice comes to, taxes included, minor units.

        :raises KeyError: for a tax code the books do not have.
        """
        return expected_total(document, self.codes.rates, self.sync.kashoo.profile.counting)

    def locked(self, day: str) -> Problem | None:
        """Keep what the connection says is locked as it is, whether Kashoo refuses a write to it or not."""
        until = self.sync.kashoo.profile.locked_until
        if day > until:
            return None
        cause = f"its date {day} lies in the period that the connection calls locked up to {until}"
        fix = (
            "Change the date in Salesforce, or unlock the period and correct locked_until in the connection's profile."
        )
        return Problem("closed_period", cause, fix)

    def open_of(self, kind: str) -> set[str]:
        """List the source ids of one kind that are :attr:`open`."""
        return {ident for each, ident in self.open if each == kind}

    def wait(self, intent: Intent) -> Wait:
        """Let a record wait until the outcome of its write is known."""
        return intent.become(Wait, reason=OUTCOME_UNKNOWN)

    def waits(self, intent: Intent, but: Collection[int] = ()) -> list[Wait]:
        """Let those invoices of a record wait that were sent.

        :param but: parts that are decided elsewhere.
        """
        parts = sorted(self.open_parts.get(intent.record.named, set()).difference(but))
        return [self.wait(replace(intent, record=replace(intent.record, part=part))) for part in parts]

    def ended_version(self, kind: str, sale: str, part: int = 1) -> int:
        """Give the version at which the last link of a sale ended; its next link continues from there."""
        return self.ended[kind].get((sale, part), 0)


@dataclass
class Pass:
    """What one pass of a plan hands to the next ones.

    :param intents: what it decided.
    :param linked: parent -> Kashoo id, of those that are linked.
    :param found: the same of those that were found in the books and will be linked.
    :param unfit: parent -> why nothing that needs it can be written.
    """

    intents: list[Intent] = field(default_factory=list)
    linked: dict[Parent, int] = field(default_factory=dict)
    found: dict[Parent, int] = field(default_factory=dict)
    unfit: dict[Parent, Problem] = field(default_factory=dict)

    def add(self, intents: list[Intent]) -> None:
        """Add what was decided about a record; nothing that needs one that is parked or waits can be written."""
        self.intents += intents
        for each in intents:
            if isinstance(each, Park) or (isinstance(each, Ask) and each.error_class == REMOVED_IN_BOOKS.error_class):
                self.unfit[each.record.named] = each.problem
            elif isinstance(each, Wait) and each.kashoo_id is None:  # a linked one is usable as it is
                self.unfit[each.record.named] = IN_DOUBT
            elif isinstance(each, Link):
                self.found[each.record.named] = each.kashoo_id or 0
