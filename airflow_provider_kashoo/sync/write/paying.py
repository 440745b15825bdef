"""A payment right before it is sent: the invoice that it pays, as the books have it then."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_kashoo.clients.entries import PAYS
from airflow_provider_kashoo.core.errors import Problem, UnreadableError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.intents import Create
from airflow_provider_kashoo.core.values.parents import WAITING_FOR_PARENT
from airflow_provider_kashoo.store.waiting import CHANGED_MEANWHILE
from airflow_provider_kashoo.sync.bill.payments import other_total
from airflow_provider_kashoo.sync.run.sync import Sync

CHANGED_IN_BOOKS = replace(CHANGED_MEANWHILE, cause="it changed in Kashoo after the plan was made")

NO_INVOICE = Problem(WAITING_FOR_PARENT, "its invoice is not in Kashoo yet", "Nothing to do: it follows its invoice.")


def with_invoice(sync: Sync, payment: Create) -> Create | Problem:
    """Complete a payment with its invoice and the customer of that; say why it is not sent.

    Nobody may have paid the invoice since the plan, and it must come to just what is paid.
    """
    record = payment.record
    link = sync.store.links.of_sources(INVOICE.name, [record.id]).get(record.id)
    if link is None or (link.part, link.generation) != (record.part, payment.generation):
        return NO_INVOICE
    try:
        entry = sync.kashoo.read(link.target, link.kashoo_id)
    except UnreadableError as error:
        return error.problem
    if entry is None or entry.removed:
        return CHANGED_IN_BOOKS
    if (invoice := entry.invoice) is None:
        return entry.unreadable.problem
    if invoice.paid:
        return CHANGED_IN_BOOKS
    if invoice.total != payment.total:
        return other_total(invoice.total, payment.total, payment.currency)
    return replace(payment, document={**payment.document, "contact": entry.contact, PAYS: entry.id})
