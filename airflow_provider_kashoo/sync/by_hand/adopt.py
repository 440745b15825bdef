"""Know what stands in the books already: link it, and write nothing to either side.

A company that billed by hand has customers and invoices without a reference of ours. They are found by what
they say (:mod:`~airflow_provider_kashoo.core.rules.pairing`), and what is not surely the same is only reported: a link
that is wrong hides a sale from the books, a link that is missing is seen in the next plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum

from airflow_provider_kashoo.clients.documents import Json, to_document
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.transform import Document
from airflow_provider_kashoo.core.rules import duplicates as match
from airflow_provider_kashoo.core.rules import pairing
from airflow_provider_kashoo.core.rules.diff import base_hashes
from airflow_provider_kashoo.core.rules.plan import OUTCOME_UNKNOWN, TARGET_ORDER, Action, PlanRow
from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.core.values.parents import parents_of
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.journal import StaleRow
from airflow_provider_kashoo.store.links import Link, LinkChange
from airflow_provider_kashoo.sync.bill.holdings import fields_of
from airflow_provider_kashoo.sync.bill.plan import BooksPlan, Candidate
from airflow_provider_kashoo.sync.preflight import preflight
from airflow_provider_kashoo.sync.read import records as salesforce_read
from airflow_provider_kashoo.sync.read import salesforce as salesforce_delta
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync
from airflow_provider_kashoo.sync.run.waits import Reads

PREFLIGHT_REQUESTS = 6
"""A token, the businesses, and the two short lists that the mappings name codes of."""

NEW_ROWS_A_PAGE = 0.9
"""Pages overlap by a tenth; see :meth:`~airflow_provider_kashoo.clients.kashoo.KashooClient.listing`."""


class Result(StrEnum):
    """What came of one record."""

    MATCH = "match"
    AMBIGUOUS = "ambiguous"  # there is something like it, but not one thing
    NO_MATCH = "no match"
    UNFIT = "unfit"  # a run would park it, so there is nothing to compare


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    :param row: the record; for a match with everything its link needs.
    :param why: the evidence of a match, the reason of anything else.
    :param label: number of the invoice, name of the customer or item, as the books have it.
    :param candidates: Kashoo ids it could be.
    :param books_total: what the matched invoice comes to, minor units.
    :param customer: Kashoo id of the customer without which the match does not hold.
    """

    result: Result
    row: PlanRow
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
            chosen, key=lambda each: (TARGET_ORDER[each.row.target], -(each.row.total or 0), each.row.source_id)
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
        self._sources = sorted({mapping.from_.object for mapping in sync.mappings_to("invoice")})

    def read_salesforce(self) -> int:
        """Stage the deals and what they link to; the books are not asked yet.

        :returns: about how many requests to Kashoo :meth:`compare` takes, if the books hold as many records.
        :raises ConfigurationError: when no beginning is given or known.
        """
        run = self.sync.run
        if run.since is None and not all(self.sync.store.watermarks.get(f"salesforce.{s}") for s in self._sources):
            raise ConfigurationError(
                "Nothing was read from Salesforce yet, so no beginning is known.",
                remedy="Give --from DATE, the start_date of your DAG salesforce_to_kashoo.",
            )
        if run.since and run.until and run.since >= run.until:
            raise ConfigurationError("--from lies in the future.", remedy="Give the day on which your deals begin.")
        for source in self._sources:
            salesforce_delta.extract(self.sync, source)
        frames = [salesforce_read.load_records(self.sync, name) for name in self.sync.sources]
        lists = [0 if frame is None else len(frame) for frame in frames]
        page = self.sync.kashoo.profile.page_size * NEW_ROWS_A_PAGE
        return PREFLIGHT_REQUESTS + sum(2 + int(count // page) for count in lists)

    def compare(self) -> Report:
        """Hold what was staged against the books.

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
            row = found.row
            change = LinkChange(
                kashoo_id=row.kashoo_id or 0,
                # The links of the document stay symbolic; see diff.as_linked.
                fields=base_hashes(row.document, row.payload, store.hashes),
                currency=row.currency,
                expected_total=row.total,
                journal_date=row.payload.get("date"),
            )
            linked = self._holds(found)
            if linked:
                try:
                    store.journal.linked(row, change, run_id, alone=row.target == "invoice")
                except StaleRow:
                    linked = False
            outcome["linked" if linked else "changed meanwhile"] += 1
        store.finish_run(TO_KASHOO, run_id)
        return outcome

    def _holds(self, found: Finding) -> bool:
        """Say whether the customer is still the one by which the invoice was found."""
        if found.customer is None:
            return True
        account = _customer_of(found.row.document)
        link = self.sync.store.links.of_sources("customer", [account]).get(account)
        return link is not None and link.kashoo_id == found.customer


class _Comparison(BooksPlan):
    """A plan whose rows are findings: it looks for records, and never asks what should be written to one."""

    def __init__(self, sync: Sync) -> None:
        super().__init__(sync, Reads(sync))
        self._report = Report()
        self._customers: dict[str, int] = {}
        self._absent: dict[str, str] = {}
        self._held = sync.store.links.held("invoice")
        self._lists = _Lists(sync, self._held)

    def report(self) -> Report:
        """Compare everything that is staged."""
        candidates = list(self._candidates())
        linked = self.sync.store.links.of_sources("invoice", [each.row.source_id for each in self._report.findings])
        self._report.findings = [each for each in self._report.findings if each.row.source_id not in linked]
        self._report.known["invoice"] = len(linked) + sum(each.link is not None for each in candidates)
        self._report.left_out = sum(row.target == "invoice" and row.action is Action.SKIP for row in self.rows)
        for target in ("customer", "item"):
            needed = {ident for each in candidates for kind, ident in parents_of(each.document) if kind == target}
            self.plan_parents(target, needed)
        self._customers |= {ident: known for (kind, ident), known in self.linked.items() if kind == "customer"}
        self._compare_invoices([each for each in candidates if each.link is None])
        return self._report

    def _plan_parent(self, row: PlanRow, document: Document, link: Link | None) -> None:
        if link is not None:
            self._report.known[row.target] += 1
            return
        if self._is_open(row):
            self._note(Result.UNFIT, row, OUTCOME_UNKNOWN)
            return
        resolved = self.books.resolve(document)
        if isinstance(resolved, Problem):
            self._park(row, resolved)
            return
        found = self._lists.ladder(row.target).find(resolved, row.reference)
        if found.kashoo_id is not None:
            self._match(replace(row, document=resolved), found.kashoo_id, found.evidence)
            if row.target == "customer":
                self._customers[row.source_id] = found.kashoo_id
        elif found.candidates:
            why = f"{len(found.candidates)} {row.target}s of the books have the {found.evidence}"
            self._note(Result.AMBIGUOUS, row, why, candidates=found.candidates)
        else:
            self._note(Result.NO_MATCH, row, f"no {row.target} of the books has its {_OR_ITS[row.target]}")

    def _park(self, row: PlanRow, problem: Problem) -> None:
        self._note(Result.UNFIT, row, problem.cause)

    def _compare_invoices(self, candidates: list[Candidate]) -> None:
        deals: dict[str, tuple[Candidate, pairing.Deal]] = {}
        for each in candidates:
            found = self._lists.ladder("invoice").find({}, each.row.reference)
            if found.candidates:
                self._marked_ours(each, found)
            elif isinstance(deal := self._deal(each), pairing.Deal):
                deals[deal.ident] = each, deal
            else:
                self._note(Result.NO_MATCH, each.row, deal)
        verdicts = pairing.pair((deal for _, deal in deals.values()), self._lists.free.values())
        for verdict in verdicts.values():
            self._lists.free.pop(verdict.invoice or 0, None)
        for ident, (candidate, deal) in deals.items():
            self._judge(candidate, deal, verdicts.get(ident))

    def _marked_ours(self, candidate: Candidate, found: match.Match) -> None:
        if found.kashoo_id is None:
            why = f"{len(found.candidates)} invoices carry our reference to it"
            self._note(Result.AMBIGUOUS, candidate.row, why, candidates=found.candidates)
        elif found.kashoo_id in self._held:
            why = "the invoice with our reference to it is linked to another record"
            self._note(Result.AMBIGUOUS, candidate.row, why, candidates=found.candidates)
        else:
            self._match(replace(candidate.row, document=candidate.document), found.kashoo_id, found.evidence)

    def _deal(self, candidate: Candidate) -> pairing.Deal | str:
        """Say what an invoice is compared with, or why there is none to compare."""
        row, document = candidate.row, candidate.document
        account = _customer_of(document)
        if account not in self._customers:
            return f"its customer is not linked: {self._absent.get(account, 'it is not readable')}"
        return pairing.Deal(
            row.source_id,
            self._customers[account],
            document["currency"],
            row.total or 0,
            date.fromisoformat(document["date"]),
            document.get("poNumber"),
            blocked=self._is_open(row),
        )

    def _judge(self, candidate: Candidate, deal: pairing.Deal, verdict: pairing.Verdict | None) -> None:
        row = candidate.row
        if deal.blocked:
            self._note(Result.UNFIT, row, OUTCOME_UNKNOWN, candidates=verdict.invoices if verdict else ())
        elif verdict is None:
            self._note(Result.NO_MATCH, row, self._why_none(deal))
        elif verdict.invoice is None:
            self._note(Result.AMBIGUOUS, row, _why_not_one(verdict), candidates=verdict.invoices)
        else:
            row = replace(row, document=candidate.document)
            self._match(row, verdict.invoice, f"same {verdict.evidence}", customer=deal.customer)

    def _why_none(self, deal: pairing.Deal) -> str:
        own = [invoice for invoice in self._lists.free.values() if invoice.customer == deal.customer]
        same = [invoice for invoice in own if (invoice.currency, invoice.total) == (deal.currency, deal.total)]
        if same:
            nearest = min(same, key=lambda invoice: abs(invoice.date - deal.date))
            return (
                f"the nearest invoice of that total, {nearest.ident}, is {abs(nearest.date - deal.date).days} days off"
            )
        if own:
            return f"no invoice of its customer has that total; free are {len(own)}"
        return "its customer has no invoice that is free"

    def _match(self, row: PlanRow, kashoo_id: int, evidence: str, customer: int | None = None) -> None:
        row = replace(
            row,
            action=Action.LINK,
            kashoo_id=kashoo_id,
            payload=self._lists.fields[row.target, kashoo_id],
            reason=f"adopted: {evidence}",
        )
        found = Finding(
            Result.MATCH,
            row,
            evidence,
            label=self._lists.labels[row.target, kashoo_id],
            books_total=self._lists.totals.get(kashoo_id) if row.target == "invoice" else None,
            customer=customer,
        )
        self._report.findings.append(found)

    def _note(self, result: Result, row: PlanRow, why: str, candidates: tuple[int, ...] = ()) -> None:
        if row.target == "customer":
            self._absent[row.source_id] = why
        self._report.findings.append(Finding(result, row, why, candidates=candidates))


class _Lists:
    """The lists of the books, each read whole and once, whatever the store knows of them; nothing is noted there.

    :param held: Kashoo ids of invoices that are linked: they are no candidates.
    """

    def __init__(self, sync: Sync, held: Collection[int]) -> None:
        self._sync, self._held = sync, held
        self._ladders: dict[str, match.Ladder] = {}
        self.fields: dict[tuple[str, int], Document] = {}
        self.labels: dict[tuple[str, int], str] = {}
        self.totals: dict[int, int] = {}
        self.free: dict[int, pairing.FreeInvoice] = {}

    def ladder(self, target: str) -> match.Ladder:
        if target not in self._ladders:
            linked = {link.kashoo_id for link in self._sync.store.links.of_target(target)}
            rows = list(self._read(target))
            self._ladders[target] = match.Ladder(rows, match.RUNGS[target], match.APART[target], linked)
        return self._ladders[target]

    def _read(self, target: str) -> Iterator[Document]:
        for listed in self._sync.kashoo.listing(target):
            document = to_document(target, listed, self._sync.kashoo.profile)
            ident = document["id"]
            self.fields[target, ident] = fields_of(document)
            self.labels[target, ident] = str(listed.get("number") or document.get("name") or "")
            if target == "invoice":
                self.totals[ident] = listed["totalDue"]
                if not document["references"] and ident not in self._held:
                    self.free |= _free_invoice(listed)
            yield document


_OR_ITS = {"customer": "e-mail, or name and postal code", "item": "code or name"}


def _free_invoice(listed: Json) -> dict[int, pairing.FreeInvoice]:
    """Make an invoice comparable; one that lacks what every invoice has is no evidence for anything."""
    ident, customer, currency, day = (listed.get(name) for name in ("id", "contact", "currency", "date"))
    if not (ident and customer and currency and day):
        return {}
    numbers = tuple(str(listed[name]) for name in ("number", "poNumber") if listed.get(name))
    return {ident: pairing.FreeInvoice(ident, customer, currency, listed["totalDue"], date.fromisoformat(day), numbers)}


def _customer_of(document: Document) -> str:
    return next(ident for target, ident in parents_of(document) if target == "customer")


def _why_not_one(verdict: pairing.Verdict) -> str:
    count = len(verdict.invoices)
    what = f"{count} invoices have" if count > 1 else "an invoice has"
    others = f", which {' and '.join(verdict.rivals)} may be billed by too" if verdict.rivals else ""
    return f"{what} the same {verdict.evidence}{others}"


def money(found: Finding) -> str:
    """Write the total of a finding for people; the books' own beside it where it is another."""
    row = found.row
    if row.total is None or not row.currency:
        return ""
    text = format_minor(row.total, row.currency)
    if found.books_total is None or found.books_total == row.total:
        return text
    return f"{text} (books: {format_minor(found.books_total, row.currency)})"
