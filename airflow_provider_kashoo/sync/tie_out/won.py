"""What the mappings make of the deals now, and why the others are not billed: by the code of a plan, without the books.

Of each invoice only its amounts are kept: a year has very many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import evaluate
from airflow_provider_kashoo.core.mapping.stages.sections import apply_section
from airflow_provider_kashoo.core.mapping.stages.transform import documents, part_documents
from airflow_provider_kashoo.core.rules.intents import Ask, Document, Intent, Keep, Park
from airflow_provider_kashoo.core.rules.questions import PARTS_CHANGED, PARTS_UNKNOWN
from airflow_provider_kashoo.core.rules.tie_out import Leaves, Lines, View
from airflow_provider_kashoo.core.rules.totals import Counting, net_total, tax_codes
from airflow_provider_kashoo.core.values.money import in_units_of, round_to_unit
from airflow_provider_kashoo.sync.bill.candidates import Candidate, consider
from airflow_provider_kashoo.sync.bill.facts import Facts
from airflow_provider_kashoo.sync.bill.leaving import LeftOut
from airflow_provider_kashoo.sync.bill.made import Made, make_invoices
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.run.waits import Reads
from airflow_provider_kashoo.sync.tie_out.known import Numbered

AT_ONCE = 5_000
"""Documents that are made at a time."""

DATED = ("date", "currency")


@dataclass(frozen=True, slots=True)
class Deal:
    """An invoice as the mappings make it now.

    :param codes: tax codes of its lines, sorted; None if its lines could not be made.
    :param unchanged: nothing that it is made from changed since it was written.
    """

    view: View
    codes: tuple[str, ...] | None = None
    unchanged: bool = False

    @property
    def lines(self) -> Lines | None:
        """Its lines, as they are compared."""
        return None if self.codes is None else Lines(self.view.minor - self.view.tax, self.codes)


@dataclass
class Won:
    """What the mappings make of everything that is staged.

    :ivar deals: each invoice.
    :ivar leaves: source id -> why a record is not billed, of those that have an invoice.
    :ivar unfit: error class and fix of what cannot be billed.
    :ivar asked: error classes of what a person has to decide first.
    :ivar undated: how many records cannot be billed and show no date or total.
    """

    deals: dict[Numbered, Deal] = field(default_factory=dict)
    leaves: dict[Numbered, Leaves] = field(default_factory=dict)
    unfit: dict[Numbered, tuple[str, str]] = field(default_factory=dict)
    asked: dict[Numbered, set[str]] = field(default_factory=dict)
    undated: int = 0
    _counting: Counting = field(default_factory=Counting)
    _made: list[Made] = field(default_factory=list)
    _divided: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, sync: Sync) -> Won:
        """Apply the mappings to what is staged, and sort it as a plan does. The books are not asked."""
        facts = Facts.of(sync, _NoReads(sync))
        won = cls(_counting=sync.kashoo.profile.counting, _made=make_invoices(sync))
        draft = Draft(Pending.of(sync.store))
        considered = consider(facts, draft, made=won._made, keep=won._take)
        won._take_unchanged(facts, draft)
        for each in considered.left_out:
            won.leaves.setdefault(each.numbered, _leaves(each))
        for intent, _ in considered.billed_elsewhere:
            won.leaves.setdefault(_numbered(intent), Leaves.ELSEWHERE)
        for park in considered.unfit:
            won.unfit.setdefault(_numbered(park), (park.error_class, park.fix))
        for intent in considered.intents:
            if isinstance(intent, Ask) and intent.error_class in _PARTS:
                won.asked.setdefault(_numbered(intent), set()).add(intent.error_class)
        won._value_unfit(facts, considered.unfit)
        return won

    def stamps(self, ids: Collection[str]) -> dict[str, datetime]:
        """Say when some records last changed."""
        wanted, found = pa.array([*ids], pa.string()), dict[str, datetime]()
        for each in self._made if len(wanted) else ():
            table = each.part.records().select(["Id", "SystemModstamp"])
            table = table.filter(pc.is_in(table["Id"], wanted))
            found |= dict(zip(table["Id"].to_pylist(), table["SystemModstamp"].to_pylist(), strict=True))
        return found

    def _take(self, candidate: Candidate) -> Candidate:
        """Keep the amounts of an invoice."""
        intent = candidate.intent
        self.deals[_numbered(intent)] = self._deal(candidate.document, intent.total, unchanged=candidate.at_rest)
        return Candidate(replace(intent, sources=None), {}, None)

    def _take_unchanged(self, facts: Facts, draft: Draft) -> None:
        """Keep the amounts of linked records that are as they were, as the mappings make them now."""
        for made, ids in self._unchanged(draft):
            self._take_made(facts, made, ids, unchanged=True)

    def _take_made(self, facts: Facts, made: Made, ids: pa.Array, *, unchanged: bool) -> None:
        """Keep the amounts of some records as a mapping makes them now, by part."""
        table = made.table()
        table = table.filter(pc.is_in(table["Id"], ids))
        for start in range(0, table.num_rows, AT_ONCE):
            some = table.slice(start, AT_ONCE)
            wholes, parts = documents(some), part_documents(some)
            for ident, whole in wholes.items():
                own = [each.document for each in parts.get(ident, ())] if self._is_divided(ident) else []
                for part, document in enumerate(own or [whole], start=1):
                    deal = self._deal(document, _total(facts, document), unchanged=unchanged)
                    self.deals.setdefault((ident, part), deal)

    def _unchanged(self, draft: Draft) -> Iterator[tuple[Made, pa.Array]]:
        """Give the ids of the records that a plan leaves alone, by what was made of them; note which have parts."""
        kept = draft.kept.table().select(["id", "part", "mapping"])
        rows = [each for each in draft.rows if isinstance(each, Keep)]
        self._divided |= set(kept.filter(pc.greater(kept["part"], 1))["id"].to_pylist())
        self._divided |= {each.record.id for each in rows if each.record.part > 1}
        self._divided |= {ident for ident, part in self.deals if part > 1}
        for made in self._made:
            own = kept.filter(pc.equal(kept["mapping"].cast(pa.string()), made.mapping.name))["id"].combine_chunks()
            more = pa.array([each.record.id for each in rows if each.mapping == made.mapping.name], pa.string())
            yield made, pa.concat_arrays([own, more])

    def _deal(self, document: Document, total: int | None, *, unchanged: bool) -> Deal:
        net = net_total(document, self._counting)
        codes = {code for line in document["lines"] for code in tax_codes(line.get("taxCode"))}
        gross = net if total is None else total
        view = View.of(str(document["currency"]), str(document["date"]), gross, gross - net)
        return Deal(view, tuple(sorted(codes)), unchanged)

    def _is_divided(self, ident: str) -> bool:
        """Say whether a record became several invoices; one that was billed as a whole stays whole."""
        return ident in self._divided

    def _value_unfit(self, facts: Facts, unfit: Collection[Park]) -> None:
        """Take the amounts of records that cannot be billed: as they are made, or else what Salesforce says.

        The rules are not applied to the latter.
        """
        self._divided |= {each.record.id for each in unfit if each.record.part > 1}
        wanted = {each.record.id: each.mapping for each in unfit if _numbered(each) not in self.deals}
        for made in self._made if wanted else ():
            mine = [ident for ident, mapping in wanted.items() if mapping == made.mapping.name]
            if mine:
                self._take_made(facts, made, pa.array(mine, pa.string()), unchanged=False)
        left = {ident for ident in wanted if (ident, 1) not in self.deals}
        for made in self._made if left else ():
            records = made.part.records()
            records = records.filter(pc.is_in(records["Id"], pa.array([*left], pa.string())))
            for ident, view in _valued(facts.sync, made.mapping, records):
                if wanted[ident] == made.mapping.name:
                    self.deals[ident, 1] = Deal(view)
                    left.discard(ident)
        self.undated = len(left)


_PARTS = {PARTS_CHANGED.error_class, PARTS_UNKNOWN.error_class}


class _NoReads(Reads):
    """Reads no single record of the books: what a plan decides by that is not used here."""

    def read(self, target: str, kashoo_id: int, version: int) -> Entry | None:  # noqa: ARG002  as what it replaces
        return None


def _valued(sync: Sync, mapping: Mapping, records: pa.Table) -> Iterator[tuple[str, View]]:
    """Give total, date and currency of records that cannot be billed, where they have them."""
    if mapping.total is None or not records.num_rows:
        return
    fields = {name: spec for name, spec in mapping.fields.items() if name in DATED}
    header = apply_section(fields, KINDS[mapping.to].fields, records, sync.surroundings)
    totals = evaluate(mapping.total, records, "money", sync.surroundings)
    rows: Any = zip(
        *(column.to_pylist() for column in (records["Id"], totals.values, *(header[each].values for each in DATED))),
        strict=True,
    )
    for row, (ident, whole, day, currency) in enumerate(rows):
        hundredths = totals.exact.get(row, whole)
        if hundredths is not None and day and currency:
            yield ident, View.of(currency, day, round_to_unit(in_units_of(currency, Decimal(hundredths))))


def _total(facts: Facts, document: dict[str, Any]) -> int | None:
    """Give the total with taxes; None if the books have a tax on one of its lines that they do not list."""
    try:
        return facts.total(document)
    except KeyError:
        return None


def _leaves(each: LeftOut) -> Leaves:
    if each.surplus:
        return Leaves.NOT_WON
    if each.unmet:
        return Leaves.BY_RULE if each.unmet.by_rule else Leaves.NOT_WON
    return Leaves.VANISHED if each.vanished else Leaves.DELETED


def _numbered(intent: Intent) -> Numbered:
    return intent.record.id, intent.record.part
