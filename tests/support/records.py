"""Records as people make them on either side of a sandbox; ``today`` is the sandbox's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.sandbox.server import Sandbox

Row = dict[str, Any]


def today(box: Sandbox) -> str:
    return box.clock.now().date().isoformat()


def add_account(box: Sandbox, name: str = "Northern Lights", email: str | None = None, **fields: Any) -> str:
    """Add an Account, with one Contact when an e-mail address is given."""
    account = box.org.insert("Account", {"Name": name, **fields})
    if email:
        box.org.insert("Contact", {"AccountId": account, "LastName": "Miller", "Email": email})
    return account


def add_deal(box: Sandbox, account: str | None, amount: str | None = "250.00", **fields: Any) -> str:
    """Add a won deal without products."""
    given = {"Name": "Deal", "AccountId": account, "StageName": "Closed Won", "CloseDate": today(box), "Amount": amount}
    return box.org.insert("Opportunity", given | fields)


def add_line(box: Sandbox, parent: str, price: str, *, quantity: str = "1", product: str = "HW-100") -> str:
    """Add a product to an Opportunity or Order in USD."""
    entry = next(
        row["Id"]
        for row in box.org.rows("PricebookEntry")
        if row["ProductCode"] == product and row["CurrencyIsoCode"] == "USD"
    )
    order = parent.startswith("801")
    return box.org.insert(
        "OrderItem" if order else "OpportunityLineItem",
        {
            "OrderId" if order else "OpportunityId": parent,
            "PricebookEntryId": entry,
            "Quantity": Decimal(quantity),
            "UnitPrice": Decimal(price),
        },
    )


def add_product(box: Sandbox, name: str, code: str | None) -> str:
    """Add a Product with a price in USD."""
    book = next(row["Id"] for row in box.org.rows("Pricebook2") if row["IsStandard"])
    product = box.org.insert("Product2", {"Name": name, "ProductCode": code, "IsActive": True})
    price = {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": Decimal(1), "IsActive": True}
    box.org.insert("PricebookEntry", price | {"CurrencyIsoCode": "USD"})
    return product


def add_line_of(box: Sandbox, deal: str, product: str, price: str) -> str:
    """Add a Product by its id to an Opportunity in USD: several may have one code."""
    entry = next(row["Id"] for row in box.org.rows("PricebookEntry") if row["Product2Id"] == product)
    given = {"OpportunityId": deal, "PricebookEntryId": entry, "Quantity": Decimal(1), "UnitPrice": Decimal(price)}
    return box.org.insert("OpportunityLineItem", given)


def add_order(box: Sandbox, account: str, deal: str | None, price: str = "250.00") -> str:
    """Add an activated Order of one product."""
    fields = {"AccountId": account, "OpportunityId": deal, "Status": "Draft", "EffectiveDate": today(box)}
    order = box.org.insert("Order", fields)
    add_line(box, order, price)
    box.org.update("Order", order, {"Status": "Activated"})
    return order


def sell_as(box: Sandbox, order: str, deal: str | None) -> None:
    """Give an Order another Opportunity, or none."""
    box.org.update("Order", order, {"OpportunityId": deal})


def set_amount(box: Sandbox, deal: str, amount: str) -> None:
    """Make Salesforce say another Amount than its lines add up to, as roll-ups of the org's own may."""
    table = box.org.table("Opportunity")
    row = table.rows[deal]
    box.org._save(table, row | {"Amount": Decimal(amount)}, row)


def books_rows(box: Sandbox, kind: str) -> list[Row]:
    """List what stands in the books, removed rows left out."""
    rows: list[Row] = []
    while page := box.books.page(box.books.main(), kind, offset=len(rows)):
        rows += page
    return rows


def invoices_of(box: Sandbox, source_id: str) -> list[Row]:
    """List the invoices that carry the reference of a Salesforce record."""
    return [row for row in books_rows(box, "invoices") if f"[sf:{source_id}:1:1]" in (row["memo"] or "")]


def invoice_of(box: Sandbox, source_id: str) -> Row:
    """Give the one invoice of a Salesforce record."""
    (found,) = invoices_of(box, source_id)
    return found


def add_customer(box: Sandbox, name: str, **fields: str | None) -> int:
    """Add a customer to the books by hand."""
    place = {key: value for key, value in fields.items() if key in {"street", "postalCode"} and value}
    more = {key: value for key, value in fields.items() if key not in {"street", "postalCode"} and value}
    info = {"name": name, "address": place, **more}
    return int(box.books.create(box.books.main(), "customers", {"contactInformation": info})["id"])


def add_item(box: Sandbox, name: str, code: str | None) -> int:
    """Add an item to the books by hand."""
    income = next(row["id"] for row in books_rows(box, "accounts") if row["type"] == "INCOME")
    body = {"name": name, "account": income} | ({"code": code} if code else {})
    return int(box.books.create(box.books.main(), "items", body)["id"])


def twins(box: Sandbox) -> str:
    """Add a deal whose customer may be either of two in the books."""
    for name in ("Twin & Co", "TWIN & Co."):
        add_customer(box, name, email="pay@twin.example")
    return add_deal(box, add_account(box, "Twin & Co", "pay@twin.example"))


def remove_a_twin(box: Sandbox, _: str) -> None:
    rows = books_rows(box, "customers")
    found = next(row for row in rows if row["contactInformation"].get("email") == "pay@twin.example")
    box.books.remove(box.books.main(), "customers", found["id"])


def set_currencies(box: Sandbox, *codes: str) -> None:
    box.books.business(box.books.main()).currencies = frozenset(codes)


def edit(box: Sandbox, kind: str, row: Row, **changes: Any) -> Row:
    """Change a record in the books, as a person would."""
    return box.books.replace(box.books.main(), kind, row["id"], {**row, **changes})


def writes(box: Sandbox) -> dict[str, int]:
    """Count the requests that may have changed something, by side; logins and reads that are sent by POST left out."""
    reads = ("/authTokens", "/services/oauth2/token", "/composite")
    return {
        side: sum(
            seen["method"] != "GET" and not seen["path"].endswith(reads) and "/jobs/query" not in seen["path"]
            for seen in log.entries()
        )
        for side, log in box.logs.items()
    }
