"""Records of our own in Salesforce: one for each invoice or payment, and Cases that come and go.

What is to be written is computed from what the books hold now, as for a write-back. A record that a mapping wants is
made; while it is wanted, what changed in the books is written; when ``when`` is not met any more, it is left with the
fields of ``leave``, and a next one is made if it is met again. What a person closed or changed in Salesforce is not
undone, because only what changed in the books is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, PAYMENT, RELATED
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.stages.write_back import Value, met, paths_of
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Upsert
from airflow_provider_kashoo.core.rules.settlement import DELETED, PAID_BACK, RECEIVED, Allocation, settlement_of
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.store.own_records import GONE, LEFT, MADE, OwnRecord
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell import follow_ups
from airflow_provider_kashoo.sync.tell.affected import Affected, Known
from airflow_provider_kashoo.sync.tell.filled import Says, changed, filled
from airflow_provider_kashoo.sync.tell.found_records import found_records
from airflow_provider_kashoo.sync.tell.payments import problem

HAS_IT_ALREADY = "its record in Salesforce has these values already"
NOT_WANTED = "its mapping wants no record in Salesforce"
RANK = {INVOICE.name: 0, PAYMENT.name: 1, CUSTOMER.name: 2}
"""In which order records are written: those of payments refer to those of invoices."""

REASONS = {RECEIVED: "money came in", PAID_BACK: "money was paid back", DELETED: "its payment was deleted in Kashoo"}

NEXT = "#"
"""Between the key of an invoice and the number of its second and later records of one mapping."""

PARTS = 1_000
"""Numbers for the payments of one invoice: what waits of a deal is told apart by them."""

OF_ITS_INVOICE = ("invoice_id", "currency", *RELATED)
"""What is said of a payment as of its invoice."""

About = tuple[Linked, Says, int]
"""A link, what is said of its invoice or of one of its payments, and the part that names it."""

Paid = Mapping[int, Sequence[Allocation]]


@dataclass(frozen=True)
class Wanted:
    """What a mapping makes of one invoice or payment.

    :param holds: whether ``when`` is met.
    :param ends: whether the record is left with this: the payment is gone.
    :param document: Salesforce field -> text.
    :param now: Salesforce field -> hash of that.
    """

    holds: bool
    document: dict[str, Value]
    now: dict[str, str]
    ends: bool = False


class OwnRecords:
    """Plans the records of our own."""

    def __init__(self, sync: Sync, affected: Affected) -> None:
        self._sync, self._affected = sync, affected
        self._mappings = [
            each
            for each in sync.mappings.values()
            if each.has_own_record and each.from_.object != CUSTOMER.name and not each.find
        ]
        self._kinds = {each.to for each in self._mappings} | {follow_ups.COMMENT, follow_ups.FILE}
        self._finding = [each for each in sync.mappings.values() if each.find]

    def moving(self, at_rest: Sequence[Known]) -> set[int]:
        """Say which invoices have to be looked at with all their payments, although their deals were told everything.

        :param at_rest: links whose invoice and payments are unchanged since they were written back.
        :returns: ids of links.
        """
        ids: dict[int | None, int] = {link.kashoo_id: link.id for link, _ in at_rest}
        found = {
            link.id
            for link, _ in at_rest
            if any((kind, link.source_id) in self._affected.unsettled for kind in self._kinds)
        }
        files = follow_ups.files(self._sync, self._affected, at_rest)
        found |= {ids[each.kashoo_id] for each in files if not isinstance(each, Keep)}
        for mapping in self._mappings if at_rest else ():
            if mapping.from_.object == PAYMENT.name:
                made = self._sync.store.own_records.of_invoices(mapping.to, [link.kashoo_id for link, _ in at_rest])
                found |= {link.id for link, invoice in at_rest if invoice.paid and link.kashoo_id not in made}
                continue
            about = self._of_invoices(at_rest, {})
            for link, says, _ in about:
                says["status"] = link.settlement
            names = {name for name, spec in mapping.fields.items() if "last_payment_date" not in paths_of(spec)}
            decided = self._decided(mapping, about, names)
            found |= {link.id for (link, *_), each in zip(about, decided, strict=True) if not isinstance(each, Keep)}
        return found

    def told_payments(self, parts: Sequence[Sequence[Known]]) -> dict[int, set[int]]:
        """Invoice -> ids of the payments that Salesforce has a record of: all of them have to be read."""
        found: dict[int, set[int]] = {}
        for mapping in (each for each in self._mappings if each.from_.object == PAYMENT.name):
            for known in parts:
                ids = [link.kashoo_id for link, _ in known]
                for invoice, made in self._sync.store.own_records.of_invoices(mapping.to, ids).items():
                    there = {_payment_id(each.external_id) for each in made if each.state != LEFT}
                    found.setdefault(invoice, set()).update(there)
        return found

    def voided(self, known: Sequence[Known]) -> Iterator[Intent]:
        """Say of the records of invoices that we voided that they are void, whatever replaced them on the deal."""
        for mapping in (each for each in self._mappings if each.from_.object == INVOICE.name and known):
            made = self._sync.store.own_records.of_invoices(mapping.to, [link.kashoo_id for link, _ in known])
            about = self._of_invoices([each for each in known if each[0].kashoo_id in made], {})
            yield from self._decided(mapping, about)

    def intents(self, known: Sequence[Known], paid: Paid, unreadable: Collection[int] = ()) -> Iterator[Intent]:
        """Decide what is to be written about some invoices.

        :param paid: invoice -> its payments, all of them.
        :param unreadable: ids of payments of which it is not known what they pay: nothing is said of them.
        """
        if self._mappings:
            yield from self._odd(known, paid)
        known = [(link, invoice) for link, invoice in known if not problem(paid.get(link.kashoo_id, ()))]
        reads = self._mappings or self._finding
        invoices = self._of_invoices(known, paid) if reads and known else []
        said = [(link, says) for link, says, _ in invoices]
        for mapping in self._finding if known else ():
            yield from found_records(self._sync, self._affected, mapping, said)
        for mapping in self._mappings if known else ():
            if mapping.comment is not None:
                yield from follow_ups.comments(self._sync, self._affected, mapping, said)
        for mapping in self._mappings if known else ():
            of_payments = mapping.from_.object == PAYMENT.name
            about = list(self._of_payments(mapping, invoices, paid, unreadable)) if of_payments else invoices
            yield from self._decided(mapping, about)
        yield from follow_ups.files(self._sync, self._affected, known)

    def _odd(self, known: Sequence[Known], paid: Paid) -> Iterator[Intent]:
        """Park the records of invoices of which a payment cannot be read."""
        for link, invoice in known:
            if why := problem(paid.get(link.kashoo_id, ())):
                for mapping in self._mappings:
                    part = _part(link, 1) if mapping.from_.object == PAYMENT.name else link.part
                    record = Record(mapping.to, link.source_object, link.source_id, part)
                    begun = link.intent(self._sync.name, record=record, mapping=mapping.name)
                    yield replace(begun, source_read=self._affected.read, kashoo_id=invoice.id).parked(why)

    def _of_invoices(self, known: Sequence[Known], paid: Paid) -> list[About]:
        """Say what mappings may read of each invoice."""
        contacts = {invoice.contact for _, invoice in known if invoice.contact}
        accounts = self._sync.store.links.of_kashoo(CUSTOMER.name, contacts)
        about = []
        for link, invoice in known:
            customer = accounts.get(invoice.contact or 0)
            says = settlement_of(invoice, paid.get(link.kashoo_id, ()), self._affected.today) | {
                "key": f"{self._sync.store.business_id}:{link.kashoo_id}",
                "deal": link.source_id,
                "opportunity": link.source_id if link.source_object == "Opportunity" else None,
                "order": link.source_id if link.source_object == "Order" else None,
            }
            if invoice.contact:  # otherwise it is not known whose it is, or was
                is_account = customer is not None and customer.source_object == "Account"
                says["account"] = customer.source_id if customer and is_account else None
            about.append((link, says, link.part))
        return about

    def _of_payments(
        self, mapping: FieldMapping, invoices: Sequence[About], paid: Paid, unreadable: Collection[int]
    ) -> Iterator[About]:
        """Say what mappings may read of each payment of each invoice; one that is gone was deleted in the books."""
        made = self._sync.store.own_records.of_invoices(mapping.to, [link.kashoo_id for link, *_ in invoices])
        for link, invoice, _ in invoices:
            key = invoice["key"]
            business, _, ident = key.partition(":")
            listed = {f"{business}:{each.payment_id}:{ident}": each for each in paid.get(link.kashoo_id, ())}
            rows = made.get(link.kashoo_id, ())
            every = {each.external_id.partition(NEXT)[0] for each in rows}
            gone = {each.external_id.partition(NEXT)[0] for each in rows if each.state == LEFT}
            own = {name: invoice[name] for name in OF_ITS_INVOICE if name in invoice}
            own |= {"invoice_key": key} | ({"number": invoice["number"]} if "number" in invoice else {})
            for place, name in enumerate(sorted({*listed, *every}, key=_payment_id), 1):
                ident = _payment_id(name)
                if name in listed or (name not in gone and ident not in unreadable):
                    says = own | {"key": name, "payment_id": str(ident)} | _payment(listed.get(name))
                    yield link, says, _part(link, place)

    def _decided(
        self, mapping: FieldMapping, about: Sequence[About], names: Collection[str] | None = None
    ) -> list[Intent]:
        """Decide about each what is to be written, if anything.

        :param names: the fields to compare; all, if not given.
        """
        if not about:
            return []
        said = [says for _, says, _ in about]
        specs = {name: spec for name, spec in mapping.fields.items() if names is None or name in names}
        made, leaving = (filled(self._sync, mapping.to, each, said) for each in (specs, mapping.leave))
        if mapping.comment is not None:
            for says, document, now in zip(said, made.documents, made.hashes, strict=True):
                document[follow_ups.PAID] = str(says["paid"])
                now[follow_ups.PAID] = self._sync.store.hashes.of(document[follow_ups.PAID])
        holds = met(mapping.conditions, said)
        written = self._sync.store.own_records.of_invoices(mapping.to, [link.kashoo_id for link, *_ in about])
        decided = list[Intent]()
        for row, (link, says, part) in enumerate(about):
            last = _newest(written.get(link.kashoo_id, ()), says["key"])
            begun = self._begin(mapping, link, says, part, last)
            of, ends = (made, says.get("kind") == DELETED) if holds[row] else (leaving, True)
            at = Wanted(holds[row], of.documents[row], of.hashes[row], ends)
            decided.append(self._decide(mapping, begun, at, last))
        return decided

    def _begin(self, mapping: FieldMapping, link: Linked, says: Says, part: int, last: OwnRecord | None) -> Upsert:
        begun = link.intent(
            self._sync.name,
            record=Record(mapping.to, link.source_object, link.source_id, part),
            mapping=mapping.name,
            source_read=self._affected.read,
        )
        key = last.external_id if last and last.state != LEFT else _next(says["key"], last)
        return begun.become(
            Upsert,
            match=mapping.match or "",
            external_id=key,
            salesforce_id=last.salesforce_id or "" if last and last.state == MADE else "",
            parent=says.get("account") or "",
            rank=RANK[mapping.from_.object],
            settlement=str(says.get("status") or says.get("kind") or ""),
        )

    def _decide(self, mapping: FieldMapping, begun: Upsert, at: Wanted, last: OwnRecord | None) -> Intent:
        """Compare what a mapping wants with what was written."""
        state = last.state if last else None
        keep = begun.become(Keep, reason=HAS_IT_ALREADY if at.holds else NOT_WANTED)
        if not at.holds and (state in {None, LEFT, GONE} or not mapping.leave):
            return keep
        if state == GONE and mapping.when:  # a person deleted it, and what it asked for with it
            return keep
        if not at.holds and state != MADE:  # it may have been made: it is not made for being left
            begun = self._found(mapping, begun)
            if not begun.salesforce_id:
                return keep
        if odd := next((value for value in at.document.values() if isinstance(value, Problem)), None):
            return begun.parked(odd)
        changes = changed(self._affected, begun, at.document, at.now, last)
        changes.pop(follow_ups.PAID, None)
        if at.holds and not at.ends and state == MADE and not changes:
            return keep
        reason = REASONS.get(begun.settlement, f"its invoice is {begun.settlement}")
        reason = reason if at.holds else "its mapping does not want it any more"
        return begun.become(Upsert, reason=reason, document=at.document, changes=changes, leaves=at.ends)

    def _found(self, mapping: FieldMapping, begun: Upsert) -> Upsert:
        """Look in Salesforce for a record of which it is not known whether it was made."""
        query = soql.with_text(mapping.to, str(mapping.match), begun.external_id)
        ident = next((str(row["Id"]) for row in self._sync.salesforce.query(query)), "")
        return replace(begun, salesforce_id=ident)


def _part(link: Linked, place: int) -> int:
    """Give a payment its number among those of all invoices of a deal."""
    return (link.part - 1) * PARTS + place


def _payment(part: Allocation | None) -> Says:
    """Say what the books show of a payment of an invoice; None for one that is not there any more."""
    if part is None:
        return {"kind": DELETED, "amount": 0}
    kind = RECEIVED if part.amount >= 0 else PAID_BACK
    return {"kind": kind, "amount": part.amount, "date": part.date, "unallocated": part.credit}


def _newest(made: Sequence[OwnRecord], key: str) -> OwnRecord | None:
    """Give the newest record that was made for a key."""
    return next((each for each in reversed(made) if each.external_id.partition(NEXT)[0] == key), None)


def _next(key: str, last: OwnRecord | None) -> str:
    """Give the key of the next record: the first one has the plain key."""
    if last is None:
        return key
    number = int(last.external_id.partition(NEXT)[2] or 1)
    return f"{key}{NEXT}{number + 1}"


def _payment_id(key: str) -> int:
    """Read the id of a payment from the key of its record."""
    return int(key.split(":")[1])
