"""What people call a record, read from Salesforce when it is shown; the store keeps no names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.kinds import CUSTOMER, LINKED_KINDS
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.read import columns
from airflow_provider_kashoo.sync.run.sync import Sync

NAME, CURRENCY = "Name", "CurrencyIsoCode"


@dataclass(frozen=True)
class Named:
    """The names of a record.

    :param customer: of a deal, the record that its mapping makes the customer of; empty for anything else.
    :param amount: of a deal, what its invoice must add up to, in major units of its currency.
    :param currency: of a deal, its own, or the one of the org.
    """

    name: str = ""
    customer: str = ""
    amount: Decimal | None = None
    currency: str = ""


def names_of(sync: Sync, records: Iterable[Record]) -> dict[str, Named]:
    """Read the names of records.

    :returns: Salesforce id -> names; of those that Salesforce shows to the user.
    """
    by_object: dict[str, set[str]] = defaultdict(set)
    for each in records:
        by_object[each.object].add(each.id)
    found: dict[str, Named] = {}
    for sobject, ids in sorted(by_object.items()):
        own, customer = _name_of(sync, sobject), customer_path(sync, sobject)
        amount, currency = _amount_of(sync, sobject)
        paths = list(dict.fromkeys(path for path in ("Id", own, customer, amount, currency) if path))
        for answer in sync.salesforce.queries(list(soql.by_ids(sobject, paths, sorted(ids)))):
            for row in answer.records:
                given = row.get(amount)
                found[row["Id"]] = Named(
                    _text(row, own),
                    _text(row, customer),
                    Decimal(given) if isinstance(given, Decimal | int) else None,
                    (_text(row, currency) or sync.org.opened[1].currency or "") if amount else "",
                )
    return found


def _amount_of(sync: Sync, sobject: str) -> tuple[str, str]:
    """Give the fields with a deal's amount and currency; empty where the object has none, or the amount is computed."""
    totals = (each.total.from_ for each in sync.mappings_from(sobject) if each.total and each.total.from_)
    fields = sync.salesforce.describe(sobject).fields
    amount = next((each for each in totals if each in fields), "")
    return amount, CURRENCY if amount and CURRENCY in fields else ""


def _name_of(sync: Sync, sobject: str) -> str:
    """Say which field has the name of an object's records: ``Name``, or a number such as ``CaseNumber`` (evidenced)."""
    fields = sync.salesforce.describe(sobject).fields
    return next((each for each in (NAME, f"{sobject}Number") if each in fields), "")


def customer_path(sync: Sync, sobject: str) -> str:
    """Give the path to the name of a deal's customer; empty if no mapping bills the object."""
    for mapping in sync.mappings_from(sobject):
        for name, field in mapping.fields.items():
            if field.link and LINKED_KINDS.get(name) == CUSTOMER.name:
                *relations, last = field.link.split(".")
                info = columns.resolve(sync.salesforce, sobject, field.link)
                relation = info.relationship if info else None
                path = ".".join([*relations, relation or last, NAME])
                return path if columns.resolve(sync.salesforce, sobject, path) else ""
    return ""


def _text(row: object, path: str) -> str:
    for name in path.split(".") if path else ():
        row = row.get(name) if isinstance(row, dict) else None
    return row if isinstance(row, str) else ""
