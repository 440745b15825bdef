"""The report of a staged plan: its rows with names, the amounts before, what is odd, and when it will be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from airflow_provider_kashoo.core.errors import ConfigurationError, RefusedError
from airflow_provider_kashoo.core.kinds import CONTACT, is_billed
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.approval import FIRST_RUN
from airflow_provider_kashoo.core.rules.intents import (
    Create,
    Intent,
)
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.dates import business_date
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.core.values.parents import Parent, parent_of
from airflow_provider_kashoo.reports.odd import Usual, with_oddities
from airflow_provider_kashoo.reports.plan import SHOWN, PlanReport, PlanRow
from airflow_provider_kashoo.reports.read_back import sentences
from airflow_provider_kashoo.sync.read.names import Named, names_of
from airflow_provider_kashoo.sync.run.plan_file import PlanFile
from airflow_provider_kashoo.sync.run.sync import Sync

NAMED = 5_000
"""The names of so many rows, the first, are read; of more it would take too many queries."""


def report_of(sync: Sync, summary: PlanSummary, *, named: bool = True, history: bool = True) -> PlanReport:
    """Report the staged plan of a run.

    :param summary: of that plan.
    :param named: ask Salesforce for names; without them neither side is asked anything.
    :param history: hold new invoices against those of before, for which all links are looked at.
    """
    intents = [each for each in PlanFile(sync.files).rows() if each.action in SHOWN]
    names, notes = _names(sync, intents) if named else ({}, [])
    before = _totals_before(sync, intents)
    policy = sync.settings.approval
    rows = [
        replace(_row(each, names.get(each.record.id, Named()), before), asks=tuple(policy.reasons(each)))
        for each in intents
    ]
    pace, now = sync.budget.pace(), sync.store.now()
    today = business_date(datetime.fromtimestamp(now, UTC), sync.settings.zone)
    usual, new = _history(sync, intents if history else ())
    notes = [*summary.notes, *notes]
    if new and not any(sync.store.linked_records.any_of(each.record.kind) for each in intents if _bills(each)):
        new = frozenset()
        notes.append("no invoice is linked yet: each customer gets its first one")
    return PlanReport(
        sync=sync.name,
        digest=summary.digest,
        business=_business(sync) if named else sync.store.business_id,
        actions=summary.actions,
        reasons=summary.reasons,
        caught=summary.rules,
        asks=summary.asks,
        requests=summary.requests,
        free_now=min(pace.free, summary.requests),
        made_at=now,
        done_at=pace.done_at(summary.requests),
        test_batch=_test_batch(sync, summary),
        notes=notes,
        rows=with_oddities(rows, today, usual, new),
    )


def _names(sync: Sync, intents: Sequence[Intent]) -> tuple[dict[str, Named], list[str]]:
    """Read names; without them a plan is as good.

    :returns: Salesforce id -> names, and notes.
    """
    notes = []
    if len(intents) > NAMED:
        notes.append(f"names are shown of the first {NAMED:,} of {len(intents):,} rows")
    records = [each.record for each in intents[:NAMED] if is_record_id(each.record.id)]
    try:
        return names_of(sync, records), notes
    except (ConfigurationError, RefusedError) as error:
        return {}, [*notes, f"no names are shown: {error.what}"]


def _test_batch(sync: Sync, summary: PlanSummary) -> list[str]:
    """Say before the first full run how the newest test batch came out."""
    if FIRST_RUN not in summary.asks or sync.run.limit is not None:
        return []
    if newest := sync.store.newest_read_back(sync.name):
        run_id, result = newest
        return sentences(result, run_id)
    return ["No test batch was written. To see ten invoices in the books first: trigger the DAG with limit 10."]


def _bills(intent: Intent) -> bool:
    return is_billed(intent.record.kind)


def _row(intent: Intent, named: Named, before: dict[tuple[str, int], int]) -> PlanRow:
    record = intent.record
    return PlanRow(
        action=intent.action.value,
        target=record.kind,
        source_object=record.object,
        source_id=record.id,
        part=record.part,
        kashoo_id=intent.kashoo_id,
        reason=intent.reason,
        fix=getattr(intent, "fix", ""),
        rules=tuple(getattr(intent, "rules", ())),
        currency=intent.currency,
        total_minor=None if intent.action is Action.VOID else intent.total,
        total_before_minor=before.get((record.kind, intent.kashoo_id or 0)),
        requests=intent.requests,
        name=named.name,
        customer=named.customer,
        date=intent.date,
    )


def _totals_before(sync: Sync, intents: Sequence[Intent]) -> dict[tuple[str, int], int]:
    """Give the totals of invoices as they were billed, by kind and Kashoo id."""
    found: dict[tuple[str, int], int] = {}
    for kind in {each.record.kind for each in intents}:
        ids = {each.kashoo_id for each in intents if each.record.kind == kind and each.kashoo_id is not None}
        links = sync.store.links.of_kashoo(kind, ids) if is_billed(kind) else {}
        found |= {
            (kind, ident): link.expected_total for ident, link in links.items() if link.expected_total is not None
        }
    return found


def _history(sync: Sync, intents: Sequence[Intent]) -> tuple[dict[int, Usual], frozenset[int]]:
    """Say what the customers of new invoices were billed before.

    :returns: by the place of an intent; and the places of those whose customer has no invoice of ours yet.
    """
    linked: dict[Parent, int] = {
        each.record.named: each.kashoo_id for each in intents if each.action is Action.LINK and each.kashoo_id
    }
    customers: dict[int, int | None] = {}
    for place, each in enumerate(intents):
        if isinstance(each, Create) and _bills(each):
            customer = each.document.get(CONTACT)
            parent = parent_of(customer)
            customers[place] = linked.get(parent) if parent else customer
    known = {each: sync.store.hashes.of(each) for each in customers.values() if each is not None}
    kinds = {each.record.kind for each in intents if _bills(each)}
    billed = [sync.store.linked_records.billed_to(kind, CONTACT, known.values()) for kind in kinds]
    usual = {}
    for place, ident in customers.items():
        found = [each.get((known[ident], intents[place].currency)) for each in billed] if ident is not None else []
        usual[place] = next((Usual(*each) for each in found if each), Usual())
    return usual, frozenset(place for place, each in usual.items() if not each.invoices)


def _business(sync: Sync) -> str:
    """Give the name of the books as preflight found it, and their id."""
    name = (sync.files.read_json("business") or {}).get("name")
    return f"{name} ({sync.store.business_id})" if name else sync.store.business_id
