"""What payments, refunds and credits do to invoices in the simulated Kashoo."""

from __future__ import annotations

from typing import Any

from books import Client


def test_payments_lower_the_balance_and_their_removal_raises_it(kashoo: Client) -> None:
    invoice = kashoo.invoice(contact=kashoo.customer())
    first = kashoo.post("records/invoicePayments", kashoo.payment(invoice, 4_000))
    assert kashoo.balance(invoice) == 6_000
    kashoo.post("records/invoicePayments", kashoo.payment(invoice, 6_000))
    assert kashoo.get(f"records/invoices/{invoice['id']}")["paid"] is True
    kashoo.call("DELETE", f"records/invoices/{invoice['id']}", status=400)
    kashoo.call("DELETE", f"records/invoicePayments/{first['id']}", status=204)
    assert kashoo.balance(invoice) == 4_000
    assert kashoo.get(f"records/invoicePayments/{first['id']}")["removed"] is True


def test_a_refund_reopens_and_an_unpaid_invoice_can_be_removed(kashoo: Client) -> None:
    invoice = kashoo.invoice()
    refund = kashoo.payment(invoice, -1_000)
    kashoo.post("records/invoicePayments", refund, status=400)
    paid = kashoo.post("records/invoicePayments", kashoo.payment(invoice, 1_000))
    given_back = kashoo.post("records/invoicePayments", refund)
    assert kashoo.balance(invoice) == 10_000
    kashoo.call("DELETE", f"records/invoices/{invoice['id']}", status=400)
    kashoo.call("DELETE", f"records/invoicePayments/{paid['id']}", status=400)
    for row in (given_back, paid):
        kashoo.call("DELETE", f"records/invoicePayments/{row['id']}", status=204)
    kashoo.call("DELETE", f"records/invoices/{invoice['id']}", status=204)


def test_credit_is_applied_by_replacing_the_payment(kashoo: Client) -> None:
    contact = kashoo.customer()
    first, second = kashoo.invoice(contact=contact), kashoo.invoice(contact=contact)
    body = kashoo.payment(first, 10_000, amount=15_000, unallocatedAmount=5_000)
    row = kashoo.post("records/invoicePayments", body)
    parts = [*body["allocations"], {"amount": 5_000, "record": second["id"]}]
    path = f"records/invoicePayments/{row['id']}"
    kashoo.call("PUT", path, {**row, "allocations": parts, "unallocatedAmount": 0})
    assert (kashoo.balance(first), kashoo.balance(second)) == (0, 5_000)
    kashoo.call("PUT", path, {**row, "allocations": [], "unallocatedAmount": 15_000})
    assert (kashoo.balance(first), kashoo.balance(second)) == (10_000, 10_000)


def test_a_bad_payment_is_refused_and_moves_nothing(kashoo: Client) -> None:
    contact = kashoo.customer("A")
    invoice = kashoo.invoice(contact=contact)
    other = kashoo.invoice(contact=kashoo.customer("B"))
    part = {"amount": 5_000, "record": invoice["id"]}
    bad: list[dict[str, Any]] = [
        {"amount": 6_000},
        {"amount": 5_000.0},
        {"amount": "5000"},
        {"amount": 0, "allocations": []},
        {"contact": None},
        {"currency": "EUR"},
        {"account": kashoo.account("4000")},
        {"allocations": [{"amount": 5_000, "record": other["id"]}]},
        {"allocations": [{"amount": 5_000, "record": 1}]},
        {"allocations": [part, part, part], "amount": 15_000},
        {"allocations": [{"amount": 6_000, "record": invoice["id"]}], "unallocatedAmount": -1_000},
        {"date": None},
        {"type": "billPayment"},
    ]
    for change in bad:
        kashoo.post("records/invoicePayments", kashoo.payment(invoice, 5_000, **change), status=400)
    assert (kashoo.balance(invoice), kashoo.balance(other)) == (10_000, 10_000)
    assert kashoo.get("records/invoicePayments") == []


def test_what_is_allocated_binds_the_invoice(kashoo: Client) -> None:
    invoice = kashoo.invoice(contact=kashoo.customer("A"))
    kashoo.post("records/invoicePayments", kashoo.payment(invoice, 8_000))
    path = f"records/invoices/{invoice['id']}"
    line = invoice["lineItems"][0]
    kashoo.call("PUT", path, {**invoice, "lineItems": [{**line, "rate": 7_999}]}, status=400)
    kashoo.call("PUT", path, {**invoice, "contact": kashoo.customer("B")}, status=400)
    kashoo.call("PUT", path, {**invoice, "currency": "CAD"}, status=400)
    assert kashoo.call("PUT", path, {**invoice, "lineItems": [{**line, "rate": 8_000}]})["paid"] is True
