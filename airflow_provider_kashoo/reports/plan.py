"""The plan of one run for people: a row for each write, question and parked record, with the money it moves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_kashoo.core.kinds import is_billed, is_payment
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    WRITES,
)
from airflow_provider_kashoo.core.values.money import format_in

FORMAT = "1.0"

SHOWN = frozenset({*Action} - {Action.SKIP, Action.UNCHANGED})
"""Actions that have a row each; the others are counted."""

Totals = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class PlanRow:
    """One thing that the run would do.

    :param action: a value of :class:`~.actions.Action`.
    :param target: customer, item or invoice; for a write-back, the Salesforce object.
    :param source_id: 18-character Salesforce id.
    :param kashoo_id: the record in the books; None if it is not there yet.
    :param reason: why, for people; of a parked record and a question the cause.
    :param fix: what a person should do; empty if nothing.
    :param rules: what the rules that caught it do, in words.
    :param total_minor: of the invoice afterwards, minor units; None if it has none.
    :param total_before_minor: of the invoice as it was billed; None if it was not.
    :param requests: to Kashoo.
    :param name: of the deal or record, read from Salesforce for this report; empty if Salesforce does not show it.
    :param customer: of the deal; as ``name``.
    :param date: of the invoice, ``YYYY-MM-DD``.
    :param odd: what a person should look at before signing, in words.
    :param asks: why a person has to approve it, in words.
    """

    action: str
    target: str
    source_object: str
    source_id: str
    kashoo_id: int | None
    reason: str
    rules: tuple[str, ...] = ()
    currency: str | None = None
    total_minor: int | None = None
    total_before_minor: int | None = None
    part: int = 1
    fix: str = ""
    requests: int = 0
    name: str = ""
    customer: str = ""
    date: str | None = None
    odd: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()

    @property
    def amount(self) -> int:
        """The larger of the totals before and afterwards, minor units."""
        return max(abs(self.total_minor or 0), abs(self.total_before_minor or 0))


@dataclass(frozen=True)
class PlanReport:
    """A plan.

    :param sync: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    :param digest: of the plan, as it is approved; that of a later plan differs if anything does.
    :param business: of the books: its name and id.
    :param actions: target -> action -> records.
    :param reasons: why records are skipped, wait, are parked or asked about -> how many.
    :param caught: mapping and rule -> deals that it caught.
    :param asks: why a person has to approve the plan -> how many records; empty if nobody has to.
    :param requests: to Kashoo, that applying needs.
    :param free_now: of these, how many the request limits allow right now.
    :param made_at: epoch seconds UTC.
    :param done_at: when the last write will be answered if applying begins at once, epoch seconds UTC.
    :param test_batch: how the newest test batch came out, in sentences, if this is the first full run.
    :param notes: the windows that were read, and anything unusual.
    """

    sync: str
    digest: str
    business: str = ""
    actions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    caught: Mapping[str, int] = field(default_factory=dict)
    asks: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    free_now: int = 0
    made_at: float = 0.0
    done_at: float = 0.0
    test_batch: Sequence[str] = ()
    notes: Sequence[str] = ()
    rows: Sequence[PlanRow] = ()

    @property
    def totals(self) -> Totals:
        """Currency -> ``create``, ``update_before``, ``update_after`` and ``void`` -> minor units of invoices."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self.rows:
            if row.currency and is_billed(row.target):
                for name, amount in _moved(row):
                    found[row.currency][name] += amount
        names = ("create", "update_before", "update_after", "void")
        return {currency: {name: found[currency][name] for name in names} for currency in sorted(found)}

    @property
    def head(self) -> dict[str, Any]:
        """Give counts and totals, without a name, in major units: what a task may show."""
        to_major = {
            currency: {name: format_in(currency, amount) for name, amount in totals.items() if amount}
            for currency, totals in self.totals.items()
        }
        said = {"actions": self.actions, "totals": to_major, "look_at_first": len(self.odd)}
        return said | {"requests": self.requests, "done_at": instant(self.done_at), "digest": self.digest[:12]}

    @property
    def to_pay(self) -> Mapping[str, int]:
        """Currency -> minor units of the payments to be made, of invoices of prepaid deals."""
        found: Counter[str] = Counter()
        for row in self.rows:
            if row.currency and is_payment(row.target) and row.action == Action.CREATE:
                found[row.currency] += row.total_minor or 0
        return dict(sorted(found.items()))

    @property
    def writes(self) -> int:
        """How many records are written."""
        return sum(row.action in _WRITES for row in self.rows)

    @property
    def odd(self) -> list[PlanRow]:
        """The rows that a person should look at first: the oddest, then the biggest."""
        found = [row for row in self.rows if row.odd]
        return sorted(found, key=lambda row: (-len(row.odd), -row.amount, row.source_id))

    def as_json(self, most: int | None = None) -> dict[str, Any]:
        """Give it as JSON: amounts in minor units, times ISO 8601 UTC.

        :param most: of so many rows, the first; all, if not given.
        """
        return {
            "format_version": FORMAT,
            "digest": self.digest,
            "sync": self.sync,
            "business": self.business,
            "made_at": instant(self.made_at),
            "actions": self.actions,
            "totals": self.totals,
            "to_pay": self.to_pay,
            "requests": self.requests,
            "free_now": self.free_now,
            "done_at": instant(self.done_at),
            "reasons": self.reasons,
            "rules": self.caught,
            "asks": self.asks,
            "test_batch": list(self.test_batch),
            "notes": list(self.notes),
            "rows": [asdict(row) for row in self.rows[:most]],
            "more_rows": len(self.rows[most:]) if most else 0,
        }


_WRITES = {each.value for each in WRITES}


def _moved(row: PlanRow) -> Iterable[tuple[str, int]]:
    """Say what a row adds to which total."""
    before, after = row.total_before_minor or 0, row.total_minor or 0
    if row.action == Action.CREATE:
        yield "create", after
    elif row.action == Action.UPDATE:
        yield from (("update_before", before), ("update_after", after))
    elif row.action == Action.VOID:
        yield "void", before


def instant(seconds: float) -> str:
    """Write epoch seconds as ISO 8601 UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
