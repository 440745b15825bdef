"""The plan: one row per record that was looked at, and per write that is intended, with its reason.

The step approve pins the digest of a plan; exactly the rows behind that digest are executed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.model import Mapping
from airflow_provider_kashoo.core.values.ids import Reference, canonical, digest, operation_key
from airflow_provider_kashoo.core.values.money import format_minor


class Action(StrEnum):
    """What a row asks for."""

    CREATE = "create"
    UPDATE = "update"
    FOLLOW = "follow"  # its source was merged into another record, or sold as another sale: the link goes on with that
    VOID = "void"
    LINK = "link"  # it stands in the books already: remember, write nothing
    WRITE_BACK = "write_back"
    PARK = "park"  # it should be written and cannot be
    REVIEW = "review"  # a person has to decide
    WAIT = "wait"  # it was sent before, and what is read now can be held against its outcome only once that is known
    SKIP = "skip"  # it is not to be written, for the reason given
    UNCHANGED = "unchanged"


WRITES = frozenset({Action.CREATE, Action.UPDATE, Action.VOID, Action.WRITE_BACK})
OUTCOME_UNKNOWN = "sent before, and its outcome is not known yet"
"""Why a row waits."""
BOOKKEEPING = frozenset({Action.FOLLOW, Action.LINK, Action.PARK, Action.REVIEW})
"""Rows that change the store but send nothing."""


@dataclass(frozen=True)
class PlanRow:
    """One row.

    :param target: ``customer``, ``item``, ``invoice``, or the Salesforce object of a write-back.
    :param source_read: when Salesforce, or for a write-back the books, were asked for it, ISO 8601 UTC; the row is
        stale once what was read later was held against its link, or told.
    :param sale_id: names the sale; for all but invoices the record itself.
    :param link_version: version of the link when the row was made, of the last one when none is live; 0 when there
        never was one.
    :param payload: what is sent: the document, or the changed fields of an update; links still symbolic. Of a row that
        links, what the books say of the record.
    :param document: the whole document as the mapping makes it, for the hashes of the link.
    :param base: hash of what the books held when the row was made; updates and voids only.
    :param follow_into: the record that a link goes on with; rows that follow only.
    :param follow_sale: the sale that it goes on with.
    :param settlement: status of the invoice, see :mod:`.settlement`; write-backs only.
    :param total: expected total, minor units; invoices only.
    :param requests: how many requests the row needs.
    """

    action: Action
    mapping: str
    target: str
    source_object: str
    source_id: str
    reason: str
    sync: str = "salesforce_to_kashoo"
    source_read: str = ""
    sale_id: str = ""
    part: int = 1
    generation: int = 1
    kashoo_id: int | None = None
    link_version: int = 0
    payload: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    base: str = ""
    follow_into: str = ""
    follow_sale: str = ""
    settlement: str = ""
    currency: str | None = None
    total: int | None = None
    error_class: str = ""
    fix: str = ""
    requests: int = 0

    @classmethod
    def of(cls, mapping: Mapping, sync: str, source_id: str, **more: Any) -> PlanRow:
        """Begin the row of a record that a mapping reads; it is left out until somebody says what is to be done.

        :param sync: name of the sync that plans it.
        :param more: further fields of the row.
        """
        own: dict[str, Any] = {"action": Action.SKIP, "sale_id": source_id, "reason": ""}
        names = {"mapping": mapping.name, "target": mapping.to, "source_object": mapping.from_.object}
        return cls(**own | names | {"sync": sync, "source_id": source_id} | more)

    def parked(self, problem: Problem) -> PlanRow:
        """Make of this row one that should be written and cannot be."""
        return self._for_person(Action.PARK, problem)

    def reviewed(self, problem: Problem) -> PlanRow:
        """Make of this row one that a person has to decide."""
        return self._for_person(Action.REVIEW, problem)

    def _for_person(self, action: Action, problem: Problem) -> PlanRow:
        return replace(self, action=action, reason=problem.cause, error_class=problem.error_class, fix=problem.fix)

    @property
    def problem(self) -> Problem:
        """Why it is parked, or put to a person."""
        return Problem(self.error_class, self.reason, self.fix)

    @property
    def key(self) -> str:
        """The operation's key; see :func:`~.ids.operation_key`."""
        return operation_key(
            self.sync, self.source_object, self.source_id, self.part, self.action.value, self.generation
        )

    @property
    def write(self) -> tuple[str, int, str]:
        """Name the write itself: a plan made afresh may have another one with the same key."""
        return self.key, self.link_version, self.source_read

    @property
    def reference(self) -> Reference:
        """The mark this row's record carries in the books."""
        return Reference(self.source_id, self.part, self.generation)

    @property
    def record(self) -> str:
        """Name the source record in messages."""
        return f"{self.source_object} {self.source_id}"


ORDER = {
    Action.FOLLOW: -1,
    Action.LINK: 0,
    Action.CREATE: 1,
    Action.REVIEW: 2,
    Action.UPDATE: 3,
    Action.WRITE_BACK: 4,
    Action.VOID: 10,
}
"""A question about a record comes before its update, which changes its link and would make the question stale.

Voids come last: what waits for one is parked by then, so that a crash in between loses nothing.
"""
TARGET_ORDER = {"customer": 0, "item": 1, "invoice": 2}


def in_order(rows: Iterable[PlanRow]) -> list[PlanRow]:
    """Sort rows as they are applied: parents first, then the biggest invoices, each tie by id."""
    return sorted(
        rows,
        key=lambda row: (
            TARGET_ORDER.get(row.target, 3),
            ORDER.get(row.action, 9),
            -(row.total or 0),
            row.source_id,
            row.part,
        ),
    )


@dataclass(frozen=True)
class PlanSummary:
    """What a person reads of a plan before it is executed.

    :param digest: SHA-256 over the rows that write or change the store.
    :param actions: target -> action -> rows.
    :param totals: ISO code -> minor units of the invoices to be created.
    :param reasons: why rows were skipped, parked or put to review -> how many.
    :param requests: what applying needs of the budget.
    :param seconds: how long that takes at the budget's rate, at least.
    :param notes: windows, first runs, anything unusual.
    :param org_id: Salesforce org the plan was made for.
    :param business_id: Kashoo business the plan was made for.
    """

    digest: str
    actions: dict[str, dict[str, int]]
    totals: dict[str, int]
    reasons: dict[str, int]
    requests: int
    seconds: float
    notes: list[str]
    org_id: str = ""
    business_id: str = ""


def as_text(summary: PlanSummary) -> str:
    """Write a summary for people: what, how much money, what is left out and why, how long it will take."""
    lines = [f"digest {summary.digest[:12]}"]
    for target, actions in summary.actions.items():
        lines.append(f"  {target}: " + ", ".join(f"{count} {action}" for action, count in sorted(actions.items())))
    lines += [f"  to be invoiced: {format_minor(total, code)}" for code, total in sorted(summary.totals.items())]
    lines += [f"  {count} x {reason}" for reason, count in sorted(summary.reasons.items())]
    lines.append(f"  {summary.requests} requests to write, at least {summary.seconds:.0f} s at the budget's rate")
    return "\n".join(lines + [f"  {note}" for note in summary.notes])


def digest_of(rows: Iterable[PlanRow]) -> str:
    """Fingerprint the rows that write or change the store, in order."""
    return digest(canonical(asdict(row)) for row in rows if row.action in WRITES | BOOKKEEPING)


def summarise(rows: list[PlanRow], *, seconds_for: Any, notes: list[str]) -> PlanSummary:
    """Count a plan.

    :param seconds_for: function from a number of requests to seconds, from the budget.
    """
    actions: dict[str, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in rows:
        actions[row.target][row.action.value] += 1
        if row.target == "invoice" and row.action is Action.CREATE and row.currency:
            totals[row.currency] += row.total or 0
        if row.action in {Action.SKIP, Action.WAIT, Action.PARK, Action.REVIEW}:
            reasons[f"{row.action.value}: {row.reason}"] += 1
    requests = sum(row.requests for row in rows)
    return PlanSummary(
        digest=digest_of(rows),
        actions={target: dict(count) for target, count in actions.items()},
        totals=dict(totals),
        reasons=dict(reasons),
        requests=requests,
        seconds=seconds_for(requests),
        notes=notes,
    )
