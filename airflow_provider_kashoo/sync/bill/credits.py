"""Records with a negative total: a person is asked to give a credit, because no credit is written to the books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.stages.select import Credit
from airflow_provider_kashoo.core.rules.intents import Ask, Intent
from airflow_provider_kashoo.core.rules.questions import CREDIT_DUE
from airflow_provider_kashoo.core.values.money import format_minor
from airflow_provider_kashoo.store.links import Link
from airflow_provider_kashoo.sync.bill.facts import Facts

_NO_INVOICE = "; there is no invoice yet"


def asked_before(facts: Facts) -> dict[str, Mapping[str, Any]]:
    """Give the open items about credits, dismissed ones too, by the record that asks for them."""
    items = facts.sync.store.reviews.all_open()
    return {item["source_id"]: item for item in items if item["error_class"] == CREDIT_DUE.error_class}


def ask_for(facts: Facts, intent: Intent, credit: Credit, before: Mapping[str, Any] | None) -> Ask:
    """Ask a person to give a credit, and name the invoice that it is to be given on.

    :param before: the item that asks for it already; None if there is none.
    """
    amount = format_minor(credit.amount, credit.currency or "")
    if before and _stands(before, amount):
        # Other words would show a dismissed item again, and the credit might be given twice.
        question = replace(CREDIT_DUE, cause=before["cause"], fix=before["fix"])
        return replace(intent, kashoo_id=before["kashoo_id"]).asked(question)
    link = _reduced(facts, credit)
    number = _number(facts, link) if link else None
    where = f" on invoice {number}" if number else _NO_INVOICE
    if link and number:
        intent = replace(intent, kashoo_id=link.kashoo_id)
    return intent.asked(CREDIT_DUE.of(amount=amount, where=where))


def _stands(item: Mapping[str, Any], amount: str) -> bool:
    """Say whether an item still asks for this amount, and needs no look for an invoice."""
    if not item["cause"].startswith(CREDIT_DUE.of(amount=amount, where="").cause):
        return False
    return item["dismissed_at"] is not None or not item["cause"].endswith(_NO_INVOICE)


def _reduced(facts: Facts, credit: Credit) -> Link | None:
    """Give the link of the record that is reduced, else that of the sale."""
    links = facts.sync.store.links
    own = links.of_sources(INVOICE.name, [credit.reduces]).get(credit.reduces) if credit.reduces else None
    return own or links.of_sales([credit.sale]).get(credit.sale)


def _number(facts: Facts, link: Link) -> str | None:
    """Give the number of a linked invoice, its Kashoo id if the books do not show one; None if it is not there."""
    try:
        entry = facts.reads.read(link.target, link.kashoo_id, link.version)
    except UnreadableError:
        return str(link.kashoo_id)
    return None if entry is None or entry.removed else entry.number or str(link.kashoo_id)
