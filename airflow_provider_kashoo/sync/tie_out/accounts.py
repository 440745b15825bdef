"""What Accounts in Salesforce say that their customers owe, beside what the books say of the invoices of this sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.kinds import CUSTOMER
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.receivables import BALANCE_STEP, Account, BalanceName, Customer, name_of_account
from airflow_provider_kashoo.core.values.money import in_units_of, round_to_unit, to_minor
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.reports.difference import TODAY, Difference
from airflow_provider_kashoo.store.own_records import GONE, OwnRecord
from airflow_provider_kashoo.sync.read.names import CURRENCY, names_of
from airflow_provider_kashoo.sync.run.sync import Sync
from airflow_provider_kashoo.sync.tell.balances import ACCOUNT, ONE_CURRENCY
from airflow_provider_kashoo.sync.tell.filled import filled

NUMBERS = frozenset({"currency", "double", "int"})
"""Types of fields whose value can be compared with an amount."""

NOT_TOLD = "No mapping tells a number field of Account what its customer owes: Salesforce is not compared."
HIDDEN = "The Salesforce user does not see Account.{field}: give read access to it. Until then it is not compared."

WAITS = "Correct in Kashoo what cannot be read, or shows no customer: until then no balance is written back."
WEEKLY = "Nothing to do: the Account was gone; the week's first run of kashoo_to_salesforce writes it again."


@dataclass
class Accounts:
    """The Accounts of customers.

    :param field: of Account that a mapping fills with the open balance; empty if none does.
    :param notes: why it is not compared.
    """

    sync: Sync
    field: str
    notes: Sequence[str] = ()

    @classmethod
    def of(cls, sync: Sync) -> Accounts:
        """Find the field that says what a customer owes."""
        mappings = [each for each in sync.mappings.values() if each.to == ACCOUNT]
        specs = [spec for each in mappings for spec in each.fields.items()]
        plain = [name for name, spec in specs if spec == Field(from_="open_balance")]
        fields = sync.salesforce.describe(ACCOUNT).fields if plain else {}
        if hidden := [name for name in plain if name not in fields]:
            return cls(sync, "", [HIDDEN.format(field=hidden[0])])
        found = next((name for name in plain if fields[name].type in NUMBERS), "")
        return cls(sync, found, [] if found else [NOT_TOLD])

    def compare(self, customers: Sequence[Customer], *, waits: bool) -> Iterator[Difference]:
        """Add to customers the record that each was made from and what that says; give what differs.

        :param waits: nothing is written back, because something cannot be read.
        """
        by_contact: dict[int, list[Customer]] = {}
        for each in customers:
            by_contact.setdefault(each.kashoo_id, []).append(each)
        links = self.sync.store.links.sharing(CUSTOMER.name, by_contact)
        for link in sorted(links, key=lambda link: link.source_object != ACCOUNT):
            for each in by_contact[link.kashoo_id]:
                each.source_id = each.source_id or link.source_id
        if not self.field:
            return
        owing = {link.source_id: by_contact[link.kashoo_id] for link in links if link.source_object == ACCOUNT}
        told = {
            ident: row for ident, row in self.sync.store.own_records.of(ACCOUNT).items() if row.salesforce_id == ident
        }
        parked, accounts = self._parked(), sorted({*owing, *told})
        there = self._read(accounts)
        for ident in accounts:
            for found in self._of_one(
                ident, owing.get(ident, []), there.get(ident), told.get(ident), parked.get(ident)
            ):
                late = waits and found.name == BalanceName.NOT_WRITTEN_BACK
                yield replace(found, next_step=WAITS) if late else found

    def _of_one(
        self,
        ident: str,
        owing: Sequence[Customer],
        row: Mapping[str, Any] | None,
        told: OwnRecord | None,
        fix: str | None,
    ) -> Iterator[Difference]:
        """Compare one Account, which can say one currency only: it is parked if its customer owes in several."""
        own = str((row or {}).get(CURRENCY) or self.sync.org.opened[1].currency or "")
        billed = [each for each in owing if each.ours]
        in_own = next((each for each in owing if each.currency == own), Customer(own, 0))
        value = row and row.get(self.field)
        fix = ONE_CURRENCY if len(billed) > 1 else fix
        for each in billed or [in_own]:
            says = None if row is None else _minor(value, each.currency)
            if ident == each.source_id:
                each.says = None if value is None else says
            last = told.fields.get(self.field) if told else None
            untouched = last is None or (value is not None and last == self._hash(value, each.currency))
            account = Account(says=says, owes=each.ours, untouched=untouched, parked=fix is not None)
            if name := name_of_account(account):
                step = fix if fix and name is BalanceName.PARKED else BALANCE_STEP[name]
                if name is BalanceName.NOT_WRITTEN_BACK and told and told.state == GONE:
                    step = WEEKLY
                amounts = says or 0, each.ours
                found = Difference(name, each.currency, TODAY, ident, each.kashoo_id or None, *amounts, step)
                yield replace(found, kind=CUSTOMER.name)

    def _read(self, ids: Sequence[str]) -> dict[str, Any]:
        known = self.sync.salesforce.describe(ACCOUNT).fields
        paths = ["Id", self.field, *([CURRENCY] if CURRENCY in known else [])]
        texts = list(soql.by_ids(ACCOUNT, paths, ids))
        return {row["Id"]: row for answer in self.sync.salesforce.queries(texts) for row in answer.records}

    def _hash(self, value: Any, currency: str) -> str:
        """Hash what an Account says as a write-back hashes what it writes."""
        spec = {self.field: Field(from_="open_balance")}
        said = {"open_balance": _minor(value, currency), "currency": currency}
        return filled(self.sync, ACCOUNT, spec, [said]).hashes[0][self.field]

    def _parked(self) -> dict[str, str]:
        """Account -> what to do, of those whose write-back waits for a person."""
        rows = self.sync.store.journal.unsettled(State.PARKED)
        return {row["source_id"]: row["fix"] or "" for row in rows if row["target"] == ACCOUNT}


def name_customers(sync: Sync, customers: Sequence[Customer]) -> None:
    """Add the names that Salesforce gives."""
    objects = {each.source_id: sync.object_of(each.source_id) for each in customers if each.source_id}
    named = names_of(sync, [Record(CUSTOMER.name, sobject, ident) for ident, sobject in objects.items() if sobject])
    for each in customers:
        each.name = named[each.source_id].name if each.source_id in named else ""


def _minor(value: Any, currency: str) -> int:
    """Give what a field says, minor units; an empty one says nothing is owed."""
    return round_to_unit(in_units_of(currency, to_minor(value))) if isinstance(value, Decimal | int) else 0
