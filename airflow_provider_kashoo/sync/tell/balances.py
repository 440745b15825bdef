"""What Accounts are told of their customers: what is open, what is overdue since when, and the last payment.

It is added up from the invoices that this sync linked and that are not settled; every run looks at all of those. An
Account that owes nothing any more is told so, because what every Account was told is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import CUSTOMER
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Upsert
from airflow_provider_kashoo.core.rules.settlement import Allocation, Invoice
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.own_records import GONE, OwnRecord
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.affected import Affected, Known
from airflow_provider_kashoo.sync.tell.filled import Filled, Says, changed, filled
from airflow_provider_kashoo.sync.tell.own_records import HAS_IT_ALREADY, RANK

ACCOUNT, LAST_PAYMENT = "Account", "last_payment_date"

ONE_CURRENCY = "Map from invoice instead, one record for each."
SEVERAL_CURRENCIES = "its open invoices are in {currencies}, and one balance cannot say that"
INCOMPLETE = "Balances of Accounts are not written in this run: {count} invoices cannot be read."


@dataclass
class Balance:
    """What a customer owes.

    :ivar currencies: of its open invoices.
    :ivar open: minor units; what was paid too much is taken off.
    :ivar overdue: minor units.
    """

    currencies: set[str] = field(default_factory=set)
    open: int = 0
    overdue: int = 0
    overdue_since: str | None = None
    open_invoices: int = 0
    last_payment_date: str | None = None


class Balances:
    """Adds up what customers owe, from the invoices of one plan.

    :ivar unread: invoices whose balance is not known.
    """

    def __init__(self, sync: Sync, affected: Affected) -> None:
        self._sync, self._affected = sync, affected
        mappings = (each for each in sync.mappings.values() if each.from_.object == CUSTOMER.name)
        self._mapping: FieldMapping | None = next(mappings, None)
        self._of: dict[int, Balance] = {}
        self._seen = set[int]()
        self.unread = 0

    @property
    def are_told(self) -> bool:
        """Whether a mapping tells Accounts anything."""
        return self._mapping is not None

    @property
    def notes(self) -> list[str]:
        """What the plan says of them."""
        return [INCOMPLETE.format(count=self.unread)] if self.unread and self.are_told else []

    def add(self, known: Sequence[Known], paid: Iterable[Allocation] = ()) -> None:
        """Add invoices; each counts once.

        :param paid: their payments, as far as they were read.
        """
        if self._mapping is None:
            return
        of_invoice = {invoice.id: invoice.contact for _, invoice in known if invoice.contact}
        for _, invoice in known:
            if invoice.id in self._seen or invoice.removed:
                continue
            self._seen.add(invoice.id)
            if invoice.contact:
                self._count(self._of.setdefault(invoice.contact, Balance()), invoice)
            elif invoice.balance:
                self.unread += 1
        for part in paid:
            if part.amount > 0 and (contact := of_invoice.get(part.invoice_id)):
                balance = self._of.setdefault(contact, Balance())
                balance.last_payment_date = max(balance.last_payment_date or "", part.date)

    def _count(self, balance: Balance, invoice: Invoice) -> None:
        if not invoice.balance:
            return
        balance.open += invoice.balance
        balance.currencies.add(invoice.currency or "")
        if invoice.balance > 0:
            balance.open_invoices += 1
        if invoice.days_overdue(self._affected.today):
            balance.overdue += invoice.balance
            balance.overdue_since = min(filter(None, (balance.overdue_since, invoice.due_date)))

    def intents(self, pending: Pending) -> Iterator[Intent]:
        """Decide what the Accounts are to be told.

        :param pending: an Account that waits, and of which nothing is to be said any more, waits no longer.
        """
        if self._mapping is None or self.unread:
            return
        known = self._sync.store.own_records.of(ACCOUNT)
        told = {ident: row for ident, row in known.items() if ident == row.salesforce_id}
        customers = self._sync.store.links.sharing(CUSTOMER.name, self._of)
        owing = {link.source_id: self._of[link.kashoo_id] for link in customers if link.source_object == ACCOUNT}
        waiting = {ident for kind, ident in pending.parked if kind == ACCOUNT}
        accounts = sorted({*owing, *told, *waiting})
        said = [_says(account, owing.get(account, Balance())) for account in accounts]
        made = filled(self._sync, ACCOUNT, self._mapping.fields, said)
        self._keep_later_payments(accounts, made, told)
        for account, document, now in zip(accounts, made.documents, made.hashes, strict=True):
            yield self._decide(account, owing.get(account), document, now, told.get(account))

    def _keep_later_payments(self, accounts: Sequence[str], made: Filled, told: Mapping[str, OwnRecord]) -> None:
        """Leave out the date of a last payment that is earlier than the one in Salesforce: a run reads some only."""
        fields = self._mapping.fields if self._mapping else {}
        name = next((name for name, spec in fields.items() if spec.from_ == LAST_PAYMENT), "")
        moved = [
            (account, document)
            for account, document, now in zip(accounts, made.documents, made.hashes, strict=True)
            if document.get(name) and account in told and told[account].fields.get(name) != now[name]
        ]
        ids = [account for account, _ in moved]
        queries = soql.by_ids(ACCOUNT, ["Id", name], ids) if ids else ()
        there = {row["Id"]: row[name] for text in queries for row in self._sync.salesforce.query(text)}
        for account, document in moved:
            if str(there.get(account) or "") > str(document[name]):
                del document[name]

    def _decide(
        self, account: str, balance: Balance | None, document: Says, now: dict[str, str], last: OwnRecord | None
    ) -> Intent:
        begun = Upsert(
            record=Record(ACCOUNT, ACCOUNT, account),
            sync=self._sync.name,
            mapping=self._mapping.name if self._mapping else "",
            source_read=self._affected.read,
            salesforce_id=account,
            parent=account,
            rank=RANK[CUSTOMER.name],
            settlement="told",
        )
        if last and last.state == GONE and not self._affected.weekly:  # merged or deleted; looked at weekly
            return begun.become(Keep, reason="the Account is gone")
        if balance and len(balance.currencies) > 1:
            cause = SEVERAL_CURRENCIES.format(currencies=" and ".join(sorted(balance.currencies)))
            return begun.parked(Problem("several_currencies", cause, ONE_CURRENCY))
        if odd := next((value for value in document.values() if isinstance(value, Problem)), None):
            return begun.parked(odd)
        changes = changed(self._affected, begun, document, now, last)
        if not changes:
            return begun.become(Keep, reason=HAS_IT_ALREADY)
        # What was told and is not known now, such as the date of an older payment, stays as it was told.
        return begun.become(Upsert, reason="what its customer owes changed", document=document, changes=changes)


def _says(account: str, balance: Balance) -> Says:
    says: Says = {
        "account": account,
        "open_balance": balance.open,
        "overdue": balance.overdue,
        "overdue_since": balance.overdue_since,
        "open_invoices": balance.open_invoices,
    }
    currency = next(iter(balance.currencies), "")
    says |= {"currency": currency} if currency else {}
    return says | ({"last_payment_date": balance.last_payment_date} if balance.last_payment_date else {})
