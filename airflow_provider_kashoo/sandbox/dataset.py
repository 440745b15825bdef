"""Seeded data for both systems: ``demo`` (small, full of awkward names and amounts), ``empty`` and two large ones.

``scale:ROWS`` is written through the systems' own rules (``Org.insert``, ``Books.create``) as the others are, so no row
exists that a client could not have written. ``generated:ROWS`` are opportunities and accounts that are computed when
they are read: a million of them in no time. Dates hang on the clock's today, everything else on the seed.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from airflow_provider_kashoo.sandbox.kashoo.books import Books
from airflow_provider_kashoo.sandbox.salesforce.generated import Columns
from airflow_provider_kashoo.sandbox.salesforce.org import Org, stamp_text

CURRENCIES = {"USD": Decimal(1), "CAD": Decimal("1.37"), "EUR": Decimal("0.92"), "GBP": Decimal("0.79")}
LEDGER = (
    ("1000", "Cash", "CASH"),
    ("1010", "Bank", "BANK"),
    ("1200", "Accounts Receivable", "ACCOUNTS_RECEIVABLE"),
    ("4000", "Product sales", "INCOME"),
    ("4100", "Services", "INCOME"),
    ("4200", "Handling", "INCOME"),
)
TAXES = (("GST", "G", "5"), ("HST", "H", "13"))

LONG = "Consolidated Northern Forestry, Fisheries, Freight and Cold Storage Holding Company of " + "the " * 41 + "Bay"


class Firm(NamedTuple):
    """One account of the demo; ``contacts`` is how many people it has."""

    name: str
    place: str  # street|city|state code|postal code|country code
    currency: str = "USD"
    contacts: int = 1
    terms: int | None = 30
    tax_number: str | None = None
    approved: bool = True


FIRMS = (
    Firm("Acme Studio", "12 Harbor St|Portland|OR|97201|US", contacts=3),
    Firm("Müller & Söhne GmbH", "Königstraße 8|Köln||50667|DE", "EUR", 2, 14, "DE811907980"),
    Firm("O'Brien Plumbing Ltd.", "4 St. Patrick's Row|Leeds||LS1 4AP|GB", "GBP", 1, 30, "GB339072747"),
    Firm('Smith "Smitty" Hardware', "77 Main St, Unit 5|Dayton|OH|45402|US", "USD", 2, None),
    Firm("Bits & Bytes, Inc.", "1 Loop Rd|Austin|TX|78701|US", terms=15),
    Firm("東京商事株式会社", "千代田1-1|東京||100-0001|JP", terms=60),
    Firm(LONG, "900 Pier Ave|Halifax|NS|B3J 1A1|CA", "CAD"),
    Firm("Lakeside  Bakery", "3 Shore Ln|Kingston|ON|K7L 1A1|CA", "CAD", 2, None),
    Firm("Initech", "4120 Freidrich Ln|Austin|TX|78744|US", contacts=2),
    Firm("INITECH", "18 Elm St|Reno|NV|89501|US", contacts=0),
    Firm("Harbor Freight Co", "5 Dock St|Tacoma|WA|98402|US"),
    Firm("Harbor Freight Co.", "61 Quay Rd|Mobile|AL|36602|US", contacts=0),
    Firm("Globex", "||||", contacts=0, terms=None),
    Firm("Çelik Makine A.Ş.", "Atatürk Cd. 19|İzmir||35210|TR", "EUR", 1, None),
    Firm("Ångström Labs AB", "Sveavägen 44|Stockholm||111 34|SE", "EUR", 1, 30, "SE556703748501"),
    Firm("L'Électricité du Rhône", "9 rue de l'Église|Lyon||69002|FR", "EUR", 2, 45),
    Firm("Maple Leaf Interiors", "250 Queen St W|Toronto|ON|M5V 1Z4|CA", "CAD", 3),
    Firm("Prairie Solar Coop", "18 Grain Rd|Regina|SK|S4P 3Y2|CA", "CAD", approved=False),
    Firm("Café São João Ltda", "Rua das Flores 10|São Paulo||01001-000|BR", terms=0),
    Firm("Tag <b>Bold</b> Media", "88 Canal St|New York|NY|10013|US", approved=False),
    Firm("Blue Ridge Outfitters", "7 Summit Way|Asheville|NC|28801|US", contacts=2, terms=45),
    Firm("Thames Valley Optics", "31 Bridge St|Reading||RG1 2LR|GB", "GBP", 2),
    Firm("Vandelay Industries", "129 W 81st St|New York|NY|10024|US", terms=None),
    Firm("Zürich Präzision AG", "Bahnhofstrasse 1|Zürich|ZH|8001|CH", "EUR", 0, 10),
)
STATES = {
    "OR": "Oregon", "OH": "Ohio", "TX": "Texas", "NV": "Nevada", "WA": "Washington", "AL": "Alabama", "NY": "New York",
    "NC": "North Carolina", "NS": "Nova Scotia", "ON": "Ontario", "SK": "Saskatchewan", "ZH": "Zürich",
}  # fmt: skip
COUNTRIES = {
    "US": "United States", "CA": "Canada", "DE": "Germany", "GB": "United Kingdom", "JP": "Japan", "TR": "Türkiye",
    "SE": "Sweden", "FR": "France", "BR": "Brazil", "CH": "Switzerland",
}  # fmt: skip
PEOPLE = (
    ("Ana", "Díaz"), ("Björn", "Åkesson"), ("Chloé", "D'Arcy"), ("Dan", "O'Neil"), ("Eve", "Smith-Jones"),
    ("Femi", "Adeyemi"), ("", "Prince"), ("Grace", "Li"), ("Hiro", "田中"), ("Ivy", "van der Berg"),
)  # fmt: skip
PRODUCTS = (
    ("HW-100", "Desk Lamp", "Hardware", "49.99"), ("HW-110", "Standing Desk 48\"", "Hardware", "649.00"),
    ("HW-120", "Cable Kit & Clips", "Hardware", "7.35"), ("HW-130", "Monitor Arm", "Hardware", "129.95"),
    ("HW-140", "Acoustic Panel, 60 cm", "Hardware", "38.17"), ("SV-200", "Installation (hour)", "Services", "95.00"),
    ("SV-210", "Design Consulting (hour)", "Services", "142.50"), ("SV-220", "Training Day", "Services", "1180.00"),
    ("SV-230", "Travel (km)", "Services", "0.61"), ("SW-300", "Room Planner Licence", "Software", "19.90"),
    ("SW-310", "Room Planner Team", "Software", "333.33"), ("MT-400", "Maintenance Plan", "Maintenance", "66.67"),
)  # fmt: skip
DISCOUNTS = (None, None, None, Decimal(5), Decimal(10), Decimal("33.33"))
QUANTITIES = tuple(Decimal(text) for text in ("1", "2", "3", "7", "12", "1.5", "0.25", "2.75", "0.33"))
OPEN_STAGES = ("Prospecting", "Qualification", "Proposal/Price Quote", "Negotiation/Review")


class Shop(NamedTuple):
    """The products of the org: its standard price book and the entries by currency, in product order."""

    pricebook: str
    entries: dict[str, list[tuple[str, Decimal]]]


class Sale(NamedTuple):
    """A deal as inserted."""

    id: str
    account: str
    currency: str


class UnknownDataset(ValueError):
    """No data set has this name."""


def load(name: str, org: Org, books: Books, *, seed: int) -> None:
    """Fill both systems with ``demo``, ``empty``, ``scale:ROWS`` or ``generated:ROWS``.

    :raises UnknownDataset: for any other name.
    """
    word, _, rows = name.partition(":")
    if name not in {"demo", "empty"} and not (word in {"scale", "generated"} and rows.isdecimal()):
        raise UnknownDataset(f"{name} is unknown. Give demo, empty, scale:ROWS or generated:ROWS, ROWS a number.")
    rng = Random(f"{name}:{seed}")  # noqa: S311 - reproducible on purpose
    business = open_books(books)
    shop = _shop(org)
    if word == "demo":
        _demo(org, shop, rng)
        _prior_books(books, business)
    elif word == "scale":
        _scale(org, shop, rng, int(rows))
    elif word == "generated":
        _generated(org, rng, int(rows))


def open_books(books: Books) -> int:
    """Open the main business with its accounts and taxes and an empty test business; return the main one's id."""
    business = books.add_business("Northwind Trading Ltd.", home="USD", currencies=set(CURRENCIES))
    for number, name, kind in LEDGER:
        books.create(business, "accounts", {"number": number, "name": name, "type": kind})
    for name, abbreviation, rate in TAXES:
        books.create(business, "taxes", {"name": name, "abbreviation": abbreviation, "rate": rate})
    books.add_business("Northwind Test", home="USD", currencies=set(CURRENCIES))
    return business


def _shop(org: Org) -> Shop:
    pricebook = str(next(row["Id"] for row in org.rows("Pricebook2") if row["IsStandard"]))
    entries: dict[str, list[tuple[str, Decimal]]] = {currency: [] for currency in CURRENCIES}
    for code, name, family, price in PRODUCTS:
        product = org.insert(
            "Product2",
            {"Name": name, "ProductCode": code, "Family": family, "IsActive": True, "Description": f"{name}, each"},
        )
        for currency, factor in CURRENCIES.items():
            unit = (Decimal(price) * factor).quantize(Decimal("0.01"))
            fields = {"Pricebook2Id": pricebook, "Product2Id": product, "UnitPrice": unit, "IsActive": True}
            entries[currency].append((org.insert("PricebookEntry", {**fields, "CurrencyIsoCode": currency}), unit))
    return Shop(pricebook, entries)


def _address(prefix: str, firm: Firm) -> dict[str, Any]:
    street, city, state, postal_code, country = firm.place.split("|")
    parts: dict[str, str | None] = {
        "Street": street,
        "City": city,
        "StateCode": state,
        "State": STATES.get(state, state),
    }
    parts |= {"PostalCode": postal_code, "CountryCode": country, "Country": COUNTRIES.get(country)}
    return {f"{prefix}{part}": value for part, value in parts.items() if value}


def _demo(org: Org, shop: Shop, rng: Random) -> None:
    accounts = []
    for index, firm in enumerate(FIRMS):
        fields = {"Name": firm.name, "CurrencyIsoCode": firm.currency, "Approved__c": firm.approved}
        fields |= {"Payment_Terms__c": firm.terms, "Tax_Number__c": firm.tax_number, "AccountNumber": f"A-{index:03}"}
        accounts.append(org.insert("Account", {**fields, **_address("Billing", firm)}))
        _contacts(org, rng, index, accounts[-1])
    today = org.clock.now().date()
    won = []
    for index in range(48):
        # Each account is visited twice; the plan by index keeps the mix of shapes exact whatever the seed.
        where = index % len(FIRMS)
        currency = FIRMS[where].currency
        stage = "Closed Won" if index % 3 else ("Closed Lost" if index % 2 else rng.choice(OPEN_STAGES))
        lines = 0 if index % 8 == 1 else 1 if index % 8 == 2 else rng.randint(1, 8)
        fields = {
            "Name": f"{FIRMS[where].name.strip()[:80]} - {'renewal' if index >= len(FIRMS) else 'first order'} {index}",
            "AccountId": accounts[where],
            "StageName": stage,
            "CloseDate": (today - timedelta(days=rng.randrange(40))).isoformat(),
            "Type": rng.choice(("New Business", "Existing Business")),
            "Description": rng.choice((None, "Signed by phone", "Deliver to the back door\nAsk for Dan")),
        }
        if not lines:
            fields["Amount"] = Decimal(rng.randrange(6_000, 900_000)) / 100 if index % 16 == 1 else Decimal("99.99")
        sale = Sale(_opportunity(org, shop, fields, currency), accounts[where], currency)
        for _ in range(lines):
            _line(org, shop, rng, "OpportunityLineItem", sale, small=index % 16 == 2)
        if stage == "Closed Won" and lines:
            won.append(sale)
    _orders(org, shop, rng, accounts, won)


def _contacts(org: Org, rng: Random, index: int, account: str) -> None:
    firm = FIRMS[index]
    for number in range(firm.contacts):
        first, last = PEOPLE[(index * 3 + number) % len(PEOPLE)]
        fields = {"AccountId": account, "FirstName": first or None, "LastName": last, "CurrencyIsoCode": firm.currency}
        fields["Email"] = f"{'billing' if number == 0 else f'person{number}'}@firm{index:02}.example"
        fields["Phone"] = rng.choice((None, "+1 555 0100", "+49 221 5550100"))
        org.insert(
            "Contact", {**fields, "Is_Billing__c": number == 0 and firm.contacts > 1, **_address("Mailing", firm)}
        )


def _opportunity(org: Org, shop: Shop, fields: dict[str, Any], currency: str) -> str:
    return org.insert("Opportunity", {**fields, "Pricebook2Id": shop.pricebook, "CurrencyIsoCode": currency})


def _line(org: Org, shop: Shop, rng: Random, sobject: str, sale: Sale, *, small: bool = False) -> None:
    entry, price = shop.entries[sale.currency][2 if small else rng.randrange(len(PRODUCTS))]
    parent = "OpportunityId" if sobject == "OpportunityLineItem" else "OrderId"
    fields = {parent: sale.id, "PricebookEntryId": entry, "UnitPrice": price}
    fields["Quantity"] = Decimal(2) if small else rng.choice(QUANTITIES)
    if sobject == "OpportunityLineItem":
        fields["Discount"] = rng.choice(DISCOUNTS)
    org.insert(sobject, {**fields, "Description": rng.choice((None, "as agreed", 'size 24"'))})


def _orders(org: Org, shop: Shop, rng: Random, accounts: list[str], won: list[Sale]) -> None:
    today = org.clock.now().date()
    for index in range(12):
        # Nine are activated; the first four of them deliver a won deal, which must not be billed twice.
        where = index * 2 % len(FIRMS)
        deal = won[index * 3] if index < 4 else None
        sale = deal or Sale("", accounts[where], FIRMS[where].currency)
        order = org.insert(
            "Order",
            {
                "AccountId": sale.account,
                "OpportunityId": deal.id if deal else None,
                "Status": "Draft",
                "EffectiveDate": (today - timedelta(days=rng.randrange(30))).isoformat(),
                "PoNumber": f"PO-{index:04}" if index % 2 else None,
                "Pricebook2Id": shop.pricebook,
                "CurrencyIsoCode": sale.currency,
            },
        )
        for _ in range(rng.randint(1, 4)):
            _line(org, shop, rng, "OrderItem", sale._replace(id=order))
        if index < 9:
            org.update("Order", order, {"Status": "Activated"})


def _prior_books(books: Books, business: int) -> None:
    """Add what the accountant has typed already: three customers and two items the org knows too, and strangers."""
    by_number = {row["number"]: row["id"] for row in books.page(business, "accounts")}

    def customer(name: str, currency: str, firm: Firm | None = None, email: str | None = None) -> int:
        keys = ("street", "city", "province", "postalCode", "country")
        info = {
            "name": name,
            "email": email,
            "address": dict(zip(keys, firm.place.split("|"), strict=True)) if firm else {},
        }
        row = books.create(business, "customers", {"contactInformation": info, "currency": currency})
        return int(row["id"])

    customer("ACME Studio", "USD", email="billing@firm00.example")
    customer("Müller & Söhne GmbH", "EUR", FIRMS[1])
    customer("Lakeside Bakery", "CAD", FIRMS[7])
    strangers = [customer("Corner Deli", "USD"), customer("City of Springfield", "USD", email="ap@springfield.example")]
    items = ("HW-100", "Desk lamp", 4999, "4000"), ("SV-200", "Installation (hour)", 9500, "4100")
    for code, name, rate, number in items:
        body = {"code": code, "name": name, "rate": rate, "account": by_number[number]}
        books.create(business, "items", body)
    today = books.clock.now().date()
    for index, contact in enumerate(strangers):
        line = {"account": by_number["4100"], "quantity": 1, "rate": 12_500 + index, "taxCode": "G" if index else ""}
        body = {"contact": contact, "currency": "USD", "lineItems": [line], "memo": "monthly service"}
        books.create(business, "invoices", {**body, "date": (today - timedelta(days=20 + index)).isoformat()})


def _scale(org: Org, shop: Shop, rng: Random, rows: int) -> None:
    today = org.clock.now().date()
    currencies = list(CURRENCIES)
    accounts = [
        org.insert(
            "Account",
            {
                "Name": f"Customer {index:07}",
                "BillingPostalCode": f"{index % 100_000:05}",
                "BillingCountryCode": "US",
                "CurrencyIsoCode": currencies[index % 4],
                "Approved__c": True,
            },
        )
        for index in range(max(1, rows // 10))
    ]
    days = [(today - timedelta(days=back)).isoformat() for back in range(40)]
    for index in range(rows):
        where = index % len(accounts)
        fields: dict[str, Any] = {
            "Name": f"Deal {index:07}",
            "AccountId": accounts[where],
            "CloseDate": days[rng.randrange(40)],
        }
        # 7 is prime to 10: every block of ten rows holds exactly seven won deals.
        fields["StageName"] = "Closed Won" if index * 7 % 10 < 7 else "Prospecting"
        fields["Amount"] = Decimal(rng.randrange(1_000, 2_000_000)) / 100
        sale = Sale(_opportunity(org, shop, fields, currencies[where % 4]), accounts[where], currencies[where % 4])
        for _ in range(2 if index % 3 == 0 else 0):
            _line(org, shop, rng, "OpportunityLineItem", sale)


def _generated(org: Org, rng: Random, rows: int) -> None:
    now, currencies = org.clock.now().replace(microsecond=0), list(CURRENCIES)
    # Ten days of history: loads leave many rows with one stamp, so a thousandth of them share each.
    stamps = [stamp_text(now - timedelta(seconds=864 * back)) for back in range(1000, 0, -1)]
    by = {"CreatedById": org.user_id, "LastModifiedById": org.user_id, "OwnerId": org.user_id}
    accounts, deals = (org.schema.objects[name] for name in ("Account", "Opportunity"))
    account_ids = org.ids.block(accounts.prefix, max(1, rows // 10))
    blank = {item.name: item.default for item in accounts.fields.values()}
    fixed = blank | by | {"BillingCountryCode": "US", "Approved__c": True}
    address = dict.fromkeys(("street", "city", "state", "postalCode", "country", "stateCode"))
    fixed["BillingAddress"] = address | {"countryCode": "US"}
    cycles: dict[str, list[Any]] = {"CurrencyIsoCode": currencies, "Payment_Terms__c": [Decimal(30), None]}
    org.generate("Account", Columns(account_ids, fixed, cycles, {"Name": "Customer "}, {}, stamps))
    blank = {item.name: item.default for item in deals.fields.values()}
    cycles = {
        "CurrencyIsoCode": currencies,
        # 7 is prime to 10: every block of ten rows holds exactly seven won deals.
        "StageName": ["Closed Won" if index * 7 % 10 < 7 else "Prospecting" for index in range(10)],
        "IsWon": [index * 7 % 10 < 7 for index in range(10)],
        "IsClosed": [index * 7 % 10 < 7 for index in range(10)],
        "Probability": [Decimal(100 if index * 7 % 10 < 7 else 10) for index in range(10)],
        "CloseDate": [(now.date() - timedelta(days=back)).isoformat() for back in range(40)],
        "Amount": [Decimal(rng.randrange(1_000, 2_000_000)) / 100 for _ in range(997)],
    }
    ids = org.ids.block(deals.prefix, rows)
    org.generate("Opportunity", Columns(ids, blank | by, cycles, {"Name": "Deal "}, {"AccountId": account_ids}, stamps))
