"""The summary of a plan that a person reads before approving it, and the digest that identifies the approved plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airflow_provider_kashoo.core.kinds import ORDER, is_billed, is_payment
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.approval import BY_RULES_ALONE, Policy
from airflow_provider_kashoo.core.rules.intents import (
    Intent,
)
from airflow_provider_kashoo.core.values.ids import canonical
from airflow_provider_kashoo.core.values.money import format_minor

EXPLAINED = frozenset({Action.SKIP, Action.WAIT, Action.PARK, Action.REVIEW})
"""Actions whose reasons are shown and counted."""


@dataclass(frozen=True)
class PlanSummary:
    """The summary of a plan.

    :param digest: see :class:`~.digest.Digest`; over all other fields of this summary, too.
    :param actions: kind -> action -> records.
    :param totals: ISO code -> minor units of the invoices to be created.
    :param to_pay: ISO code -> minor units of the payments to be made, of invoices of prepaid deals.
    :param reasons: why records are skipped, wait, are parked or need review -> how many.
    :param rules: mapping and rule -> deals that it caught, of those that can be billed.
    :param asks: why a person has to approve it -> how many records; empty if nobody has to.
    :param asking: invoices that ask by themselves: Salesforce id, which of several, and generation.
    :param requests: requests that applying needs, which count against the request limit.
    :param seconds: shortest time that this takes within the request limit.
    :param notes: windows, first runs, anything unusual.
    :param org_id: Salesforce org the plan was made for.
    :param business_id: Kashoo business the plan was made for.
    :param searched_books: whether all of the books were searched, because the store did not know them yet.
    """

    digest: str = ""
    actions: dict[str, dict[str, int]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    to_pay: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    asks: dict[str, int] = field(default_factory=dict)
    asking: list[list[Any]] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    org_id: str = ""
    business_id: str = ""
    searched_books: bool = False

    @property
    def shown(self) -> str:
        """All but the digest, as one text."""
        return canonical(asdict(replace(self, digest="")))


def summarise(
    intents: Sequence[Intent],
    counted: Counter[tuple[str, Action, str]],
    *,
    seconds_for: Callable[[int], float],
    notes: list[str],
    policy: Policy = BY_RULES_ALONE,
    first_run: bool = False,
    **more: Any,
) -> PlanSummary:
    """Summarise a plan, without its digest.

    :param counted: kind, action and reason of the records that no intent is about -> how many.
    :param seconds_for: the budget's function from a number of requests to seconds.
    :param policy: when a person has to approve a plan.
    :param first_run: whether no full run has written to the books yet.
    :param more: further fields of the summary.
    """
    actions: dict[str, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    to_pay: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    # A summary goes into task logs and XCom, which may not have names of customers.
    seen = Counter((each.record.kind, each.action, each.unquoted) for each in intents) + counted
    for (kind, action, reason), count in seen.items():
        actions[kind][action.value] += count
        if action in EXPLAINED:
            reasons[f"{action.value}: {reason}"] += count
    for each in intents:
        if each.action is Action.CREATE and each.currency:
            if is_billed(each.record.kind):
                totals[each.currency] += each.total or 0
            elif is_payment(each.record.kind):
                to_pay[each.currency] += each.total or 0
    requests = sum(each.needs for each in intents)
    kinds = sorted(actions, key=lambda kind: ORDER.get(kind, len(ORDER)))
    return PlanSummary(
        actions={kind: dict(sorted(actions[kind].items())) for kind in kinds},
        totals=dict(totals),
        to_pay=dict(to_pay),
        reasons=dict(reasons),
        asks=policy.asks(intents, first_run=first_run),
        asking=[[*each.record.numbered[1:], each.generation] for each in policy.asking_invoices(intents)],
        requests=requests,
        seconds=seconds_for(requests),
        notes=notes,
        **more,
    )


def as_text(summary: PlanSummary) -> str:
    """Format a summary for people: actions, amounts, what is left out and why, and how long it will take."""
    lines = [f"digest {summary.digest[:12]}"]
    for kind, actions in summary.actions.items():
        lines.append(f"  {kind}: " + ", ".join(f"{count} {action}" for action, count in sorted(actions.items())))
    lines += [f"  to be invoiced: {format_minor(total, code)}" for code, total in sorted(summary.totals.items())]
    lines += [f"  to be marked as paid: {format_minor(total, code)}" for code, total in sorted(summary.to_pay.items())]
    lines += [f"  {count} x {reason}" for reason, count in sorted(summary.reasons.items())]
    lines += [f"  {count} x {rule}" for rule, count in summary.rules.items()]
    lines += [f"  a person has to approve it: {count} x {reason}" for reason, count in summary.asks.items()]
    lines.append(f"  {summary.requests} requests to write, at least {summary.seconds:.0f} s within the request limit")
    return "\n".join(lines + [f"  {note}" for note in summary.notes])
