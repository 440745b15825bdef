"""Link what is in the books already. Nothing is written to either side.

A company that billed by hand has customers and invoices without our reference. They are found by their contents
(:mod:`~airflow_provider_kashoo.core.rules.pairing`), and a match that is not certain is only reported: a wrong link
would hide an unbilled sale, a missing link shows in the next plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, KINDS, ORDER, PARENTS, is_billed
from airflow_provider_kashoo.core.mapping.stages.sources import PART
from airflow_provider_kashoo.core.mapping.stages.transform import Document
from airflow_provider_kashoo.core.rules import pairing
from airflow_provider_kashoo.core.rules.diff import base_hashes
from airflow_provider_kashoo.core.rules.duplicates import ABSENT, OUR_REFERENCE, Ladder, Match
from airflow_provider_kashoo.core.rules.intents import OUTCOME_UNKNOWN, Intent, Link, Release
from airflow_provider_kashoo.core.rules.made_from import unknown
from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.core.values.parents import parents_of
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.journal import StaleIntent
from airflow_provider_kashoo.store.links import Link as StoredLink
from airflow_provider_kashoo.store.links import LinkChange
from airflow_provider_kashoo.sync.bill.candidates import Candidate, consider
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.parents import plan_parents
from airflow_provider_kashoo.sync.preflight import preflight
from airflow_provider_kashoo.sync.read import salesforce
from airflow_provider_kashoo.sync.read.parts import parts_of
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync
from airflow_provider_kashoo.sync.run.waits import Reads

PREFLIGHT_REQUESTS = 6
"""A token, the businesses, and the short lists of accounts and taxes."""


class Result(StrEnum):
    """What was found for one record."""

    MATCH = "match"
    AMBIGUOUS = "ambiguous"  # several records could be it, or one that others match too
    NO_MATCH = "no match"
    UNFIT = "unfit"  # a run would park it, so there is nothing to compare


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    :param intent: the record; a :class:`.Link` for a match, with everything it needs.
    :param why: the evidence of a match, the reason of anything else.
    :param label: number of the invoice, name of the customer or item, as the books have it.
    :param candidates: Kashoo ids it could be.
    :param books_total: total of the matched invoice, minor units.
    :param customer: Kashoo id of the customer that the match depends on.
    """

    result: Result
    intent: Intent
    why: str
    label: str = ""
    candidates: tuple[int, ...] = ()
    books_total: int | None = None
    customer: int | None = None


@dataclass
class Report:
    """What was found.

    :param known: target -> records that are linked already.
    :param left_out: deals that are not to be billed.
    """

    findings: list[Finding] = field(default_factory=list)
    known: Counter[str] = field(default_factory=Counter)
    left_out: int = 0

    def of(self, *results: Result) -> list[Finding]:
        """List the findings with one of these results, parents first, then the biggest."""
        chosen = [each for each in self.findings if each.result in results]
        return sorted(
            chosen,
            key=lambda each: (
                ORDER[each.intent.record.kind],
                -(each.intent.total or 0),
                each.intent.record.id,
            ),
        )


class Adoption:
    """One adoption: read Salesforce, compare with the books, link.

    :param sync: any run; its connections and store are used.
    :param since: read what changed in Salesforce since then, UTC; where the next run begins when not given.
    """

    def __init__(self, sync: Sync, since: datetime | None) -> None:
        run = RunFacts(
            run_id=f"adopt__{datetime.now(UTC).isoformat()}",
            run_type="adopt",
            since=since,
            until=sync.salesforce.now(),
        )
        self.sync = replace(sync, name=TO_KASHOO, run=run, files=sync.files.of_run(TO_KASHOO, run.run_id))
        self._sources = sorted({mapping.from_.object for mapping in sync.mappings_to(INVOICE.name)})

    def read_salesforce(self) -> int:
        """Stage the deals and what they link to; Kashoo is not read yet.

        :returns: about how many requests :meth:`compare` sends to Kashoo, if it holds as many records as Salesforce.
        :raises ConfigurationError: when no beginning is given or known.
        """
        run = self.sync.run
        if run.since is None and not all(self.sync.store.watermarks.get(f"salesforce.{s}") for s in self._sources):
            raise ConfigurationError(
                "No run has read Salesforce yet, so there is no date to begin with.",
                remedy="Give --from DATE, the start_date of your DAG salesforce_to_kashoo.",
            )
        if run.since and run.until and run.since >= run.until:
            raise ConfigurationError("--from is in the future.", remedy="Give the date of your first deal.")
        self.sync.files.mark_worked_on(self.sync.run, self.sync.store.now())
        for source in self._sources:
            salesforce.extract(self.sync, source)
        lists = [sum(part.records().num_rows for part in parts_of(self.sync, name)) for name in self.sync.sources]
        return PREFLIGHT_REQUESTS + sum(self.sync.kashoo.requests_to_list(count) for count in lists)

    def compare(self) -> Report:
        """Compare what was staged with the books.

        :raises BudgetSpent: when the request budget needs a longer wait.
        """
        preflight(self.sync)
        return _Comparison(self.sync).report()

    def link(self, report: Report) -> Counter[str]:
        """Link every match of a report, each in a transaction of its own; a second call links nothing twice.

        :returns: ``linked`` and ``changed meanwhile`` -> records.
        """
        store, run_id = self.sync.store, self.sync.run.run_id
        outcome: Counter[str] = Counter()
        store.start_run(TO_KASHOO, run_id)
        for found in report.of(Result.MATCH):
            outcome["linked" if self._link(found) else "changed meanwhile"] += 1
        store.finish_run(TO_KASHOO, run_id)
        return outcome

    def _link(self, found: Finding) -> bool:
        intent, store = found.intent, self.sync.store
        if not isinstance(intent, Link) or not self._holds(found):
            return False
        change = LinkChange(
            kashoo_id=intent.kashoo_id or 0,
            # The links of the document stay symbolic; see diff.as_linked.
            fields=base_hashes(intent.document, intent.held, store.hashes),
            sources=intent.sources,
            currency=intent.currency,
            expected_total=intent.total,
            journal_date=intent.held.get("date"),
        )
        try:
            store.journal.linked(intent, change, self.sync.run.run_id, alone=intent.alone)
        except StaleIntent:
            return False
        return True

    def _holds(self, found: Finding) -> bool:
        """Say whether the deal's customer is still the one that the match depends on."""
        if found.customer is None:
            return True
        account = _customer_of(found.intent.document) if isinstance(found.intent, Link) else ""
        link = self.sync.store.links.of_sources(CUSTOMER.name, [account]).get(account)
        return link is not None and link.kashoo_id == found.customer


class _Comparison:
    """Compares what is staged with the books. It only looks for records; it plans no writes."""

    def __init__(self, sync: Sync) -> None:
        self._sync, self._facts = sync, Facts.of(sync, Reads(sync))
        self._report = Report()
        self._customers: dict[str, int] = {}
        self._absent: dict[str, str] = {}
        self._taken = sync.store.links.linked_ids(INVOICE.name)
        self._lists = _Lists(sync, self._taken)

    def report(self) -> Report:
        """Compare everything that is staged."""
        draft = Draft(Pending.of(self._sync.store))
        considered = consider(self._facts, draft, all_linked=True)  # their customers and items may not be linked
        linked = self._sync.store.links.of_sources(INVOICE.name, [each.record.id for each in considered.unfit])
        for each in considered.unfit:
            if each.record.id not in linked:
                self._note(Result.UNFIT, each, each.reason)
        candidates = considered.candidates
        self._report.known[INVOICE.name] = len(linked) + sum(each.link is not None for each in candidates)
        self._report.left_out = draft.skipped.of.total() + sum(
            isinstance(each, Release) and is_billed(each.record.kind) for each in considered.intents
        )
        for kind in PARENTS:
            needed = {ident for each in candidates for parent, ident in parents_of(each.document) if parent == kind}
            parents = plan_parents(self._facts, kind, needed, self._find_parent)
            for refused in parents.refused:
                self._note(Result.UNFIT, refused, refused.reason)
            if kind == CUSTOMER.name:
                self._customers |= {ident: kashoo_id for (_, ident), kashoo_id in parents.linked.items()}
        self._compare_invoices([each for each in candidates if each.link is None])
        return self._report

    def _find_parent(self, intent: Intent, document: Document, link: StoredLink | None) -> list[Intent]:
        kind = intent.record.kind
        if link is not None:
            self._report.known[kind] += 1
            return []
        if self._facts.is_open(intent):
            self._note(Result.UNFIT, intent, OUTCOME_UNKNOWN)
            return []
        resolved = self._facts.codes.resolve(document)
        if isinstance(resolved, Problem):
            self._note(Result.UNFIT, intent, resolved.cause)
            return []
        if intent.record.named in self._facts.new:
            self._note(Result.NO_MATCH, intent, f"a person said that it is a new {kind}")
            return []
        ladder = self._lists.ladder(kind)
        found = ladder.find(resolved, intent.reference)
        if found.kashoo_id is not None:
            ladder.take(found.kashoo_id)
            self._match(intent, resolved, found.kashoo_id, found.evidence)
            if kind == CUSTOMER.name:
                self._customers[intent.record.id] = found.kashoo_id
        elif undecided := ladder.undecided(found, intent.record, resolved):
            self._note(Result.AMBIGUOUS, intent, undecided.cause, candidates=found.candidates)
        else:
            absent = f"no {kind} in Kashoo has its {_or_its(kind)}"
            self._note(Result.NO_MATCH, intent, absent if found.evidence == ABSENT else found.evidence)
        return []

    def _compare_invoices(self, candidates: list[Candidate]) -> None:
        deals: dict[str, tuple[Candidate, pairing.Deal]] = {}
        for each in candidates:
            found = self._lists.ladder(INVOICE.name).find({}, each.intent.reference)
            if found.candidates:
                self._marked_ours(each, found)
            elif isinstance(deal := self._deal(each), pairing.Deal):
                deals[deal.ident] = each, deal
            else:
                self._note(Result.NO_MATCH, each.intent, deal)
        verdicts = pairing.pair((deal for _, deal in deals.values()), self._lists.free.values())
        for verdict in verdicts.values():
            self._lists.free.pop(verdict.invoice or 0, None)
        for ident, (candidate, deal) in deals.items():
            self._judge(candidate, deal, verdicts.get(ident))

    def _marked_ours(self, candidate: Candidate, found: Match) -> None:
        if found.kashoo_id is None:
            why = f"{len(found.candidates)} invoices carry its reference"
            self._note(Result.AMBIGUOUS, candidate.intent, why, candidates=found.candidates)
        elif found.kashoo_id in self._taken:
            why = "the invoice with its reference is linked to another record"
            self._note(Result.AMBIGUOUS, candidate.intent, why, candidates=found.candidates)
        else:
            self._match(candidate.intent, candidate.document, found.kashoo_id, found.evidence)

    def _deal(self, candidate: Candidate) -> pairing.Deal | str:
        """Give what invoices are compared with, or why that is not possible."""
        intent, document = candidate.intent, candidate.document
        account = _customer_of(document)
        if account not in self._customers:
            return f"its customer is not linked: {self._absent.get(account, 'it cannot be read')}"
        return pairing.Deal(
            intent.record.id + (f", part {intent.record.part}" if intent.record.part > 1 else ""),
            self._customers[account],
            document["currency"],
            intent.total or 0,
            date.fromisoformat(document["date"]),
            document.get("poNumber"),
            blocked=self._facts.is_open(intent),
        )

    def _judge(self, candidate: Candidate, deal: pairing.Deal, verdict: pairing.Verdict | None) -> None:
        intent = candidate.intent
        if deal.blocked:
            self._note(Result.UNFIT, intent, OUTCOME_UNKNOWN, candidates=verdict.invoices if verdict else ())
        elif verdict is None:
            self._note(Result.NO_MATCH, intent, self._why_none(deal))
        elif verdict.invoice is None:
            self._note(Result.AMBIGUOUS, intent, _why_not_one(verdict), candidates=verdict.invoices)
        else:
            evidence = f"same {verdict.evidence}"
            self._match(intent, candidate.document, verdict.invoice, evidence, customer=deal.customer)

    def _why_none(self, deal: pairing.Deal) -> str:
        own = [invoice for invoice in self._lists.free.values() if invoice.customer == deal.customer]
        same = [invoice for invoice in own if (invoice.currency, invoice.total) == (deal.currency, deal.total)]
        if same:
            nearest = min(same, key=lambda invoice: abs(invoice.date - deal.date))
            days = abs(nearest.date - deal.date).days
            return f"the nearest invoice with that total, {nearest.ident}, is dated {days} days earlier or later"
        if own:
            return f"its customer has no unlinked invoice with that total ({len(own)} unlinked in all)"
        return "its customer has no unlinked invoice"

    def _match(
        self, intent: Intent, document: Document, kashoo_id: int, evidence: str, customer: int | None = None
    ) -> None:
        kind, named = intent.record.kind, (intent.record.kind, kashoo_id)
        held, label, total = self._lists.fields[named], self._lists.labels[named], self._lists.totals.get(named)
        alone = is_billed(kind) or evidence != OUR_REFERENCE
        if PART in (intent.sources or {}) and total != intent.total:  # it may bill the whole deal
            intent = replace(intent, sources=unknown(intent.sources or {}, [PART]))
        reason = f"adopted: {evidence}"
        link = intent.become(Link, kashoo_id=kashoo_id, document=document, held=held, reason=reason, alone=alone)
        self._report.findings.append(Finding(Result.MATCH, link, evidence, label, books_total=total, customer=customer))

    def _note(self, result: Result, intent: Intent, why: str, candidates: tuple[int, ...] = ()) -> None:
        if intent.record.kind == CUSTOMER.name:
            self._absent[intent.record.id] = why
        self._report.findings.append(Finding(result, intent, why, candidates=candidates))


class _Lists:
    """The lists of the books, each read whole and once. The store is not changed.

    :param taken: Kashoo ids of invoices that are linked, and so no candidates.
    """

    def __init__(self, sync: Sync, taken: Collection[int]) -> None:
        self._sync, self._taken = sync, taken
        self._ladders: dict[str, Ladder] = {}
        self.fields: dict[tuple[str, int], Document] = {}
        self.labels: dict[tuple[str, int], str] = {}
        self.totals: dict[tuple[str, int], int | None] = {}
        self.free: dict[int, pairing.FreeInvoice] = {}

    def ladder(self, kind: str) -> Ladder:
        if kind not in self._ladders:
            linked = self._sync.store.links.linked_ids(kind)
            self._ladders[kind] = Ladder(list(self._read(kind)), KINDS[kind], linked)
        return self._ladders[kind]

    def _read(self, kind: str) -> Iterator[Document]:
        for entry in self._sync.kashoo.listing(kind):
            self.fields[kind, entry.id] = entry.fields
            self.labels[kind, entry.id] = str(entry.number or entry.fields.get("name") or "")
            if is_billed(kind):
                self.totals[kind, entry.id] = entry.total
                if not entry.references and entry.id not in self._taken and (free := _free_invoice(entry)):
                    self.free[entry.id] = free
            yield entry.document


def _or_its(kind: str) -> str:
    """Name what a record is looked for by."""
    return ", or ".join(rung.removeprefix("same ") for rung in KINDS[kind].rungs)


def _free_invoice(entry: Entry) -> pairing.FreeInvoice | None:
    """Make an invoice comparable; None for one that lacks what every invoice should have."""
    if not (entry.id and entry.contact and entry.currency and entry.date) or entry.total is None:
        return None
    numbers = tuple(str(each) for each in (entry.number, entry.fields.get("poNumber")) if each)
    day = date.fromisoformat(entry.date)
    return pairing.FreeInvoice(entry.id, entry.contact, entry.currency, entry.total, day, numbers)


def _customer_of(document: Mapping[str, Any]) -> str:
    return next(ident for target, ident in parents_of(document) if target == CUSTOMER.name)


def _why_not_one(verdict: pairing.Verdict) -> str:
    count = len(verdict.invoices)
    what = f"{count} invoices have" if count > 1 else "an invoice has"
    others = f", which could also belong to {' or '.join(verdict.rivals)}" if verdict.rivals else ""
    return f"{what} the same {verdict.evidence}{others}"


def money(found: Finding) -> str:
    """Write the total of a finding for people, with Kashoo's own total where it differs."""
    intent = found.intent
    if intent.total is None or not intent.currency:
        return ""
    text = format_minor(intent.total, intent.currency)
    if found.books_total is None or found.books_total == intent.total:
        return text
    return f"{text} (Kashoo: {format_minor(found.books_total, intent.currency)})"
