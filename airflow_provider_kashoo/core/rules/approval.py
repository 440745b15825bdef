"""What of a plan a person has to approve before it is written, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from airflow_provider_kashoo.core.kinds import is_billed
from airflow_provider_kashoo.core.mapping.file.rule import requires_approval
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    WRITES,
    Create,
    Intent,
    Update,
)
from airflow_provider_kashoo.core.values.money import format_exact, in_units_of

VOIDED = "an invoice is voided"
REJECTED = "rejected"
"""The error class of a record that a person does not want to be written so."""

FIRST_RUN = "the first run that writes to these books"


class Decision(StrEnum):
    """What a person says about a plan; the values are stored."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True)
class Above:
    """An amount above which a person is asked, exact, in hundredths whatever the currency.

    :param each: in every currency that has none of its own.
    :param of: currency -> its own.
    """

    each: Decimal = Decimal(0)
    of: Mapping[str, Decimal] = field(default_factory=dict)

    def passed_by(self, total: int, currency: str) -> str:
        """Give the amount for people if a total is above it; empty otherwise."""
        most = self.of.get(currency, self.each)
        return f"{format_exact(most)} {currency}" if total > in_units_of(currency, most) else ""


@dataclass(frozen=True)
class Policy:
    """When a plan asks for approval; by itself only where a rule of a mapping requires it.

    :param invoice_above: one invoice that is created or changed.
    :param total_above: all invoices together that are created, or whose lines change, in one currency.
    :param writes_above: number of records that are written.
    :param voids: each invoice that is voided.
    :param first_run: each plan, until a full run has written to the books.
    """

    invoice_above: Above | None = None
    total_above: Above | None = None
    writes_above: int | None = None
    voids: bool = False
    first_run: bool = False

    def reasons(self, intent: Intent) -> list[str]:
        """Say why one record asks."""
        if intent.action not in WRITES:
            return []
        found = [rule for rule in getattr(intent, "rules", ()) if requires_approval(rule)]
        if self.invoice_above and isinstance(intent, Create | Update) and is_billed(intent.record.kind):
            most = self.invoice_above.passed_by(intent.total or 0, intent.currency or "")
            found += [f"an invoice above {most}"] if most else []
        return [*found, VOIDED] if self.voids and intent.action is Action.VOID else found

    def of_rows(self, intents: Sequence[Intent]) -> dict[str, int]:
        """Say why single records of a plan ask: reason -> how many."""
        return dict(Counter(reason for each in intents for reason in self.reasons(each)))

    def asking_invoices(self, intents: Sequence[Intent]) -> list[Intent]:
        """Give the invoices that ask by themselves: whoever approves the plan approved each of them."""
        billed = (each for each in intents if isinstance(each, Create | Update) and is_billed(each.record.kind))
        return [each for each in billed if self.reasons(each)]

    def asks(self, intents: Sequence[Intent], *, first_run: bool) -> dict[str, int]:
        """Say why a plan asks: reason -> how many records.

        :param first_run: whether no full run has written to the books yet.
        """
        found = Counter(self.of_rows(intents))
        writes = sum(each.action in WRITES for each in intents)
        if self.total_above:
            for currency, totals in _invoiced(intents).items():
                if most := self.total_above.passed_by(sum(totals), currency):
                    found[f"invoices of more than {most} together"] = len(totals)
        if self.writes_above is not None and writes > self.writes_above:
            found[f"more than {self.writes_above:,} writes"] = writes
        if self.first_run and first_run and writes:
            found[FIRST_RUN] = writes
        return dict(found)


BY_RULES_ALONE = Policy()


def _invoiced(intents: Sequence[Intent]) -> dict[str, list[int]]:
    """Give the totals of invoices that are created, or whose lines change, by currency."""
    found: dict[str, list[int]] = {}
    for each in intents:
        if isinstance(each, Create | Update) and is_billed(each.record.kind) and "lines" in each.written:
            found.setdefault(each.currency or "", []).append(each.total or 0)
    return found
