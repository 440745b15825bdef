"""What the simulated Kashoo accepts, computes and refuses of customers, accounts, items and invoices."""

from __future__ import annotations

from typing import Any

import pytest
from books import TODAY, Client

# -- entities


def test_put_replaces_the_whole_row_and_keeps_unknown_fields(kashoo: Client) -> None:
    row = kashoo.post(
        "contacts/customers",
        {"contactInformation": {"name": "A", "phone": "1"}, "notes": "n", "id": 5, "collaberationContext": {"x": 1.50}},
    )
    assert row["id"] != 5
    assert row["collaberationContext"] == {"x": 1.5}
    path = f"contacts/customers/{row['id']}"
    kashoo.call("PUT", path, {"contactInformation": {"name": "B"}, "x": [1]})
    after = kashoo.get(path)
    assert after["contactInformation"] == {"name": "B"}
    assert "notes" not in after
    assert (after["x"], after["id"], after["creation"]) == ([1], row["id"], row["creation"])
    kashoo.call("PUT", path, {**after, "id": row["id"] + 1}, status=400)


@pytest.mark.parametrize("by_put", [True, False])
def test_removed_rows_vanish_from_lists_but_answer_by_id(kashoo: Client, by_put: bool) -> None:
    kept, gone = kashoo.customer("A"), kashoo.customer("B")
    path = f"contacts/customers/{gone}"
    if by_put:
        assert kashoo.call("PUT", path, {**kashoo.get(path), "removed": True})["removed"] is True
    else:
        kashoo.call("DELETE", path, status=204)
    assert [row["id"] for row in kashoo.get("contacts/customers")] == [kept]
    assert kashoo.get(path)["removed"] is True
    kashoo.call("DELETE", path, status=404)
    kashoo.call("PUT", path, kashoo.get(path), status=404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contactInformation": {"name": " "}},
        {"contactInformation": {"name": "A", "email": 5}},
        {"contactInformation": {"name": "A", "address": "street"}},
        {"contactInformation": {"name": "A"}, "currency": "XXX"},
        {"contactInformation": {"name": "A"}, "currency": ["USD"]},
        {"contactInformation": {"name": "A"}, "type": "vendor"},
    ],
)
def test_a_bad_customer_is_refused(kashoo: Client, body: dict[str, Any]) -> None:
    kashoo.post("contacts/customers", body, status=400)
    assert kashoo.get("contacts/customers") == []


def test_accounts_get_a_number_and_know_their_types(kashoo: Client) -> None:
    assert kashoo.post("accounts", {"name": "Till", "type": "CASH"})["number"] == "4201"
    assert kashoo.post("accounts", {"name": "Till 2", "type": "CASH", "number": 12345})["number"] == "12345"
    kashoo.post("accounts", {"name": "X", "type": "PIGGY"}, status=400)


def test_an_item_fills_its_line_and_must_be_bound_to_income(kashoo: Client) -> None:
    body = {"name": "Lamp", "code": "L1", "rate": 4999, "account": kashoo.account("4000"), "description": "A lamp"}
    item = kashoo.post("items", {**body, "taxCode": "G"})
    row = kashoo.invoice(lineItems=[{"item": item["id"], "quantity": 2}])
    line = row["lineItems"][0]
    assert (line["rate"], line["description"], line["taxCode"], row["totalDue"]) == (4999, "A lamp", "G", 10_498)
    assert kashoo.call("PUT", f"items/{item['id']}", {**body, "rate": 5000})["rate"] == 5000
    kashoo.post("items", {**body, "account": kashoo.account("1010")}, status=400)
    kashoo.post("items", {**body, "rate": "49.99"}, status=400)


# -- invoices


def test_computed_fields_are_the_servers(kashoo: Client) -> None:
    contact = kashoo.customer("Initech")
    claimed = {"totalDue": 1, "balanceDue": 2, "paid": True, "contactName": "x", "creation": 3, "links": []}
    row = kashoo.invoice(contact=contact, memo="[sf:1]", **claimed)
    assert (row["totalDue"], row["balanceDue"], row["paid"], row["amount"]) == (10_000, 10_000, False, 10_000)
    assert (row["contactName"], row["dueDate"], row["memo"]) == ("Initech", TODAY, "[sf:1]")
    assert row["creation"] > 10**12
    assert row["number"].isdigit()


def test_totals_round_half_up_by_line_and_once_per_tax(kashoo: Client) -> None:
    account = kashoo.account("4000")

    def line(quantity: float, rate: int, tax: str = "") -> dict[str, Any]:
        return {"account": account, "quantity": quantity, "rate": rate, "taxCode": tax}

    # 0.5 -> 1 and 2.5 -> 3 (not to even); -0.5 -> -1; 33 * 0.333333 = 10.999989
    row = kashoo.invoice(lineItems=[line(0.5, 1), line(2.5, 1), line(-0.5, 1), line(0.333333, 33)])
    assert row["totalDue"] == 1 + 3 - 1 + 11
    assert row["lineItems"][3]["quantity"] == 0.333333
    # 5 % of 10 + 10 is 1, although 5 % of each line would round up to 1 twice; 13 % of 10 is 1.3
    row = kashoo.invoice(lineItems=[line(1, 10, "G,H"), line(1, 10, "G")])
    assert row["taxes"] == [{"abbreviation": "G", "amount": 1}, {"abbreviation": "H", "amount": 1}]
    assert row["totalDue"] == 22


@pytest.mark.parametrize(
    "line",
    [
        {"rate": 12.5},
        {"rate": 12.0},
        {"rate": "12"},
        {"rate": True},
        {"rate": None},
        {"quantity": "1"},
        {"quantity": None},
        {"quantity": 0.1234567},
        {"quantity": 10**9},
        {"rate": 10**12},
        {"taxCode": "X"},
        {"taxCode": "-G"},
        {"taxCode": 5},
        {"account": 1},
        {"account": None},
        {"item": 1},
        {"quantity": -1},
    ],
)
def test_a_bad_line_is_refused(kashoo: Client, line: dict[str, Any]) -> None:
    draft = kashoo.draft()
    draft["lineItems"][0] |= line
    assert kashoo.post("records/invoices", draft, status=400)["message"]
    assert kashoo.get("records/invoices") == []


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "JPY"},
        {"currency": None},
        {"date": "10/03/2026"},
        {"date": None},
        {"dueDate": "soon"},
        {"lineItems": []},
        {"lineItems": {}},
        {"lineItems": [5]},
        {"type": "bill"},
        {"contact": 1},
        {"memo": 5},
        {"number": "A-1"},
        {"number": "9" * 5000},
    ],
)
def test_a_bad_invoice_is_refused(kashoo: Client, change: dict[str, Any]) -> None:
    assert kashoo.post("records/invoices", kashoo.draft(**change), status=400)["message"]


def test_a_line_on_a_bank_account_is_refused(kashoo: Client) -> None:
    draft = kashoo.draft()
    draft["lineItems"][0]["account"] = kashoo.account("1010")
    kashoo.post("records/invoices", draft, status=400)


def test_a_larger_number_moves_the_series_and_a_put_keeps_the_number(kashoo: Client) -> None:
    first = int(kashoo.invoice()["number"])
    assert kashoo.invoice(number="5000")["number"] == "5000"
    assert kashoo.invoice(number=first - 1)["number"] == str(first - 1)
    row = kashoo.invoice()
    assert row["number"] == "5001"
    assert kashoo.call("PUT", f"records/invoices/{row['id']}", kashoo.draft())["number"] == "5001"


def test_the_customers_currency_and_removal_bind_new_invoices(kashoo: Client) -> None:
    euro, gone = kashoo.customer("A", currency="EUR"), kashoo.customer("B")
    kashoo.post("records/invoices", kashoo.draft(contact=euro), status=400)
    kept = kashoo.invoice(contact=gone)
    kashoo.call("DELETE", f"contacts/customers/{gone}", status=204)
    kashoo.post("records/invoices", kashoo.draft(contact=gone), status=400)
    kashoo.call("PUT", f"records/invoices/{kept['id']}", {**kept, "memo": "still mine"})


def test_a_locked_period_refuses_every_write_on_or_before_it(kashoo: Client) -> None:
    old, new = kashoo.invoice(date="2026-02-28"), kashoo.invoice(date="2026-03-01")
    paid = kashoo.post("records/invoicePayments", kashoo.payment(old, 1_000, date="2026-02-28"))
    kashoo.books.lock_until(kashoo.business, "2026-02-28")
    path = f"records/invoices/{old['id']}"
    assert "locked" in kashoo.call("PUT", path, {**old, "date": "2026-03-01"}, status=400)["message"]
    kashoo.call("PUT", f"records/invoices/{new['id']}", {**new, "date": "2026-02-28"}, status=400)
    kashoo.call("DELETE", f"records/invoicePayments/{paid['id']}", status=400)
    kashoo.post("records/invoices", kashoo.draft(date="2026-02-01"), status=400)
    kashoo.post("records/invoicePayments", kashoo.payment(old, 1_000, date="2026-03-01"))
    kashoo.books.lock_until(kashoo.business, None)
    kashoo.call("DELETE", f"records/invoicePayments/{paid['id']}", status=204)
