"""The rows of one simulated org and what Salesforce does when they are written."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.ids import IdFactory, to18
from airflow_provider_kashoo.sandbox.salesforce.schema import (
    ADDRESS_PARTS,
    ADDRESSES,
    ORDER_STATUSES,
    STAGES,
    Field,
    SalesforceError,
    Schema,
    SObject,
    coerce,
)

__all__ = ["Org", "Row", "SalesforceError", "Table", "stamp_text"]

Row = dict[str, Any]
#: Line object -> (field of the parent, parent object, its total): the two roll-ups of the standard objects.
LINES = {
    "OpportunityLineItem": ("OpportunityId", "Opportunity", "Amount"),
    "OrderItem": ("OrderId", "Order", "TotalAmount"),
}
_LINES_OF = {parent: (line, link) for line, (link, parent, _) in LINES.items()}
_PRICES = frozenset({"Quantity", "UnitPrice", "Discount", "TotalPrice"})
_NOT_FOUND = "The requested resource does not exist"
_LOCKED = "Unable to modify activated or superseded Order:  cannot delete Order, or add or remove Order Products"
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")
#: Ids of rows that others hold while this request is processed; empty for every row, None for no row at all.
ROW_LOCKS: ContextVar[frozenset[str] | None] = ContextVar("ROW_LOCKS", default=None)


def stamp_text(moment: datetime) -> str:
    """Return an aware UTC datetime as the REST API writes it, cut to milliseconds; sorts as time does."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def _round(value: Decimal) -> Decimal:
    return _EXACT.quantize(value, _CENT)


class Table:
    """The rows of one object by id, indexed by parent and by unique value; rows are replaced, never edited."""

    def __init__(self, sobject: SObject) -> None:
        self.sobject = sobject
        self.rows: dict[str, Row] = {}
        refs = [item.name for item in sobject.fields.values() if item.to and item.to != "User"]
        self.refs: dict[str, dict[str, dict[str, None]]] = {name: {} for name in refs}
        self.unique: dict[str, dict[str, str]] = {n: {} for n, f in sobject.fields.items() if f.external_id}

    def put(self, record_id: str, row: Row | None) -> None:
        """Store ``row`` (None removes it) and keep the indexes in step; deleted rows free their unique values."""
        old = self.rows.get(record_id)
        for name, children in self.refs.items():
            before, after = old and old[name], row and row[name]
            if before != after:
                if before:
                    children[before].pop(record_id)
                if after:
                    children.setdefault(after, {})[record_id] = None
        for name, owners in self.unique.items():
            if old and old[name] and not old["IsDeleted"]:
                owners.pop(old[name].lower())
            if row and row[name] and not row["IsDeleted"]:
                owners[row[name].lower()] = record_id
        if row is None:
            del self.rows[record_id]
        else:
            self.rows[record_id] = row

    def children(self, field: str, parent_id: str) -> list[Row]:
        """Return the rows outside the recycle bin that refer to ``parent_id``, in the order they were linked."""
        rows = (self.rows[child] for child in self.refs[field].get(parent_id, ()))
        return [row for row in rows if not row["IsDeleted"]]


class Org:
    """One org: every public method may be called from any thread and raises :class:`SalesforceError`.

    Evidenced: roll-ups and when they move the parent, ignored writes to Amount, line arithmetic, recycle bin.
    Assumed: the exact wording of rarer errors, lookups cleared on delete, Amount staying after the last line
    left, a price book being adopted with the first line.
    """

    def __init__(self, clock: Clock, *, seed: int = 1, org_currency: str = "USD", multi_currency: bool = True) -> None:
        self.clock, self.org_currency, self.multi_currency = clock, org_currency, multi_currency
        self.lock = threading.RLock()
        self.schema = Schema(org_currency=org_currency, multi_currency=multi_currency)
        self.tables = {name: Table(item) for name, item in self.schema.objects.items()}
        self.ids = IdFactory(seed)
        self.api_requests = 0
        self._journal: list[tuple[Table, str, Row | None]] = []
        self._depth = 0
        self.consumer_key = f"3MVG9{hashlib.sha256(f'key {seed}'.encode()).hexdigest()}"
        self.consumer_secret = hashlib.sha256(f"secret {seed}".encode()).hexdigest().upper()
        self.org_id, self.user_id = self.ids.next("00D"), self.ids.next("005")
        self._seed_rows()

    def _seed_rows(self) -> None:
        organization: Row = {"Id": self.org_id, "Name": "Acme", "IsSandbox": False, "InstanceName": "SBX1"}
        organization |= {"OrganizationType": "Developer Edition", "TimeZoneSidKey": "GMT"}
        if self.multi_currency:
            organization["DefaultCurrencyIsoCode"] = self.org_currency
        user: Row = {"Id": self.user_id, "Name": "Integration User", "Username": "integration@acme.example"}
        user |= {"Email": "integration@acme.example", "IsActive": True}
        book = {"Id": self.ids.next("01s"), "Name": "Standard Price Book", "IsActive": True, "IsStandard": True}
        for name, row in (("Organization", organization), ("User", user), ("Pricebook2", book)):
            self._save(self.tables[name], self._blank(self.tables[name]) | row, None)
        self._journal.clear()

    def _blank(self, table: Table) -> Row:
        return {name: item.default for name, item in table.sobject.fields.items()}

    # -- reading

    def table(self, sobject: str) -> Table:
        """Return the table of an object named in any case; raises INVALID_TYPE."""
        found = self.schema.find(sobject)
        if found is None:
            raise SalesforceError("INVALID_TYPE", f"sObject type '{sobject}' is not supported.")
        return self.tables[found.name]

    def get(self, sobject: str, record_id: str) -> Row:
        """Return a copy of one row; raises NOT_FOUND, or ENTITY_IS_DELETED when it lies in the recycle bin."""
        with self.lock:
            return dict(self._live(self.table(sobject), record_id))

    def rows(self, sobject: str, *, deleted: bool = False) -> list[Row]:
        """Return copies of the rows in order of creation, those of the recycle bin only with ``deleted``."""
        with self.lock:
            rows = self.table(sobject).rows.values()
            return [dict(row) for row in rows if deleted or not row.get("IsDeleted")]

    def find(self, sobject: str, field: str, value: str) -> str | None:
        """Return the id behind an external id value, or None; raises NOT_FOUND for any other kind of field."""
        with self.lock:
            table = self.table(sobject)
            item = table.sobject.lower.get(field.lower())
            if item is None or not item.external_id:
                message = f"Provided external ID field does not exist or is not accessible: {field}"
                raise SalesforceError("NOT_FOUND", message, status=404)
            return table.unique[item.name].get(value.lower())

    def _live(self, table: Table, record_id: str) -> Row:
        row = table.rows.get(to18(record_id) or "")
        if row is None:
            raise SalesforceError("NOT_FOUND", _NOT_FOUND, status=404)
        if row.get("IsDeleted"):
            raise SalesforceError("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    # -- writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo every write of the block when it raises; blocks nest, each being its own savepoint."""
        with self.lock:
            mark = len(self._journal)
            self._depth += 1
            try:
                yield
            except BaseException:
                while len(self._journal) > mark:
                    table, record_id, old = self._journal.pop()
                    table.put(record_id, old)
                raise
            finally:
                self._depth -= 1
                if not self._depth:
                    self._journal.clear()

    def insert(self, sobject: str, fields: Mapping[str, Any]) -> str:
        """Create a record under the rules of REST create and return its 18-character id."""
        table = self.table(sobject)
        with self.transaction():
            self._writable(table, "inserted", "")
            given = self._clean(table, fields, creating=True)
            row = self._blank(table) | given | {"Id": self.ids.next(table.sobject.prefix)}
            if row.get("OwnerId", "") is None:
                row["OwnerId"] = self.user_id
            self._save(table, self._ruled(table, row, None, given.keys()), None)
            self._roll_up(table, row)
            return str(row["Id"])

    def update(self, sobject: str, record_id: str, fields: Mapping[str, Any]) -> None:
        """Change a record under the rules of REST update; the stamp moves even when no value does."""
        table = self.table(sobject)
        with self.transaction():
            self._writable(table, "updated", record_id)
            old = self._live(table, record_id)
            given = self._clean(table, fields, creating=False)
            self._save(table, self._ruled(table, old | given, old, given.keys()), old)
            self._roll_up(table, old)

    def delete(self, sobject: str, record_id: str) -> None:
        """Move a record and its children to the recycle bin; the stamps of all of them move."""
        table = self.table(sobject)
        with self.transaction():
            self._writable(table, "deleted", record_id)
            row = self._live(table, record_id)
            self._guard_line(table, row)
            self._delete(table, row)
            self._roll_up(table, row)

    def _writable(self, table: Table, verb: str, record_id: str) -> None:
        if not table.sobject.writable:
            message = f"entity type cannot be {verb}: {table.sobject.name}"
            raise SalesforceError("INVALID_TYPE_FOR_OPERATION", message)
        locks, id18 = ROW_LOCKS.get(), to18(record_id) or "unknown"
        if locks is not None and (not locks or id18 in locks):
            message = f"unable to obtain exclusive access to this record or 1 records: {id18}"
            raise SalesforceError("UNABLE_TO_LOCK_ROW", message)

    def _clean(self, table: Table, fields: Mapping[str, Any], *, creating: bool) -> Row:
        given: Row = {}
        refused = []
        for key, value in fields.items():
            if key == "attributes":
                continue
            item = table.sobject.lower.get(key.lower())
            if item is None:
                raise SalesforceError(
                    "INVALID_FIELD", f"No such column '{key}' on sobject of type {table.sobject.name}"
                )
            if item.name == "Id":
                message = "The Id field should not be specified in the sobject data."
                raise SalesforceError("INVALID_FIELD", message, ["Id"])
            if not (item.create if creating else item.update):
                refused.append(item.name)
                continue
            typed = coerce(item, value)
            given[item.name] = self._reference(item, typed) if item.to and typed else typed
        if refused:
            message = (
                f"Unable to create/update fields: {', '.join(refused)}. Please check the security settings of this "
                "field and verify that it is read/write for your profile or permission set."
            )
            raise SalesforceError("INVALID_FIELD_FOR_INSERT_UPDATE", message, refused)
        missing = [name for name in table.sobject.required if given.get(name, None if creating else "") is None]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise SalesforceError("REQUIRED_FIELD_MISSING", message, missing)
        return given

    def _reference(self, item: Field, value: str) -> str:
        id18 = to18(value)
        if id18 is None or not id18.startswith(self.schema.objects[item.to].prefix):
            message = f"{item.label}: id value of incorrect type: {value}"
            raise SalesforceError("MALFORMED_ID", message, [item.name])
        row = self.tables[item.to].rows.get(id18)
        if row is None:
            raise SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise SalesforceError("ENTITY_IS_DELETED", "entity is deleted", [item.name], status=404)
        return id18

    def _save(self, table: Table, row: Row, old: Row | None, *, quiet: bool = False) -> None:
        """Store a row; ``quiet`` leaves LastModified alone, as housekeeping does, and moves SystemModstamp only."""
        stamp = stamp_text(self.clock.now().replace(microsecond=0))
        row = row | {"SystemModstamp": stamp}
        if not quiet:
            row |= {"LastModifiedDate": stamp, "LastModifiedById": self.user_id}
        if old is None:
            row |= {"CreatedDate": stamp, "CreatedById": self.user_id}
        for name, owners in table.unique.items():
            other = owners.get((row[name] or "").lower())
            if other and other != row["Id"]:
                message = f"duplicate value found: {name} duplicates value on record with id: {other}"
                raise SalesforceError("DUPLICATE_VALUE", message)
        self._put(table, row)

    def _put(self, table: Table, row: Row) -> None:
        self._journal.append((table, row["Id"], table.rows.get(row["Id"])))
        table.put(row["Id"], row)

    # -- what the standard objects do by themselves

    def _ruled(self, table: Table, row: Row, old: Row | None, given: Any) -> Row:
        for prefix in ADDRESSES:
            if f"{prefix}Address" in row:
                parts = {p[0].lower() + p[1:]: row[prefix + p] for p in ADDRESS_PARTS}
                extra = {"geocodeAccuracy": None, "latitude": None, "longitude": None}
                row[f"{prefix}Address"] = parts | extra if any(parts.values()) else None
        name = table.sobject.name
        if name == "Contact":
            row["Name"] = " ".join(filter(None, (row["FirstName"], row["LastName"])))
        elif name == "Opportunity":
            self._opportunity(row, old, given)
        elif name == "Order":
            self._order(row, old)
        elif name in LINES:
            self._line(table, row, old, given)
        elif name == "PricebookEntry" and old is None:
            product = self.tables["Product2"].rows[row["Product2Id"]]
            row |= {"Name": product["Name"], "ProductCode": product["ProductCode"]}
        elif name == "Product2" and old is not None:
            for entry in self.tables["PricebookEntry"].children("Product2Id", row["Id"]):
                renamed = {"Name": row["Name"], "ProductCode": row["ProductCode"]}
                self._put(self.tables["PricebookEntry"], entry | renamed)  # read through: no stamp of its own
        return row

    def _opportunity(self, row: Row, old: Row | None, given: Any) -> None:
        row["IsClosed"], row["IsWon"], probability = STAGES[row["StageName"]]
        if (old is None or old["StageName"] != row["StageName"]) and "Probability" not in given:
            row["Probability"] = Decimal(probability)
        if old and old["HasOpportunityLineItem"]:
            row["Amount"] = old["Amount"]
        self._guard_parent("Opportunity", row, old)

    def _order(self, row: Row, old: Row | None) -> None:
        row["StatusCode"] = ORDER_STATUSES[row["Status"]]
        before = old["StatusCode"] if old else "Draft"
        if old is None:
            row["OrderNumber"] = f"{len(self.tables['Order'].rows) + 100:08d}"
            row["TotalAmount"] = Decimal("0.00")
        if row["StatusCode"] == "Activated" and before == "Draft":
            if not self.tables["OrderItem"].children("OrderId", row["Id"]):
                raise SalesforceError("FAILED_ACTIVATION", "An order must have at least one product.", ["Status"])
            row["ActivatedDate"] = stamp_text(self.clock.now().replace(microsecond=0))
        if old and before == "Activated" and row["AccountId"] != old["AccountId"]:
            message = "The account of an activated order cannot be changed"
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, ["AccountId"])
        self._guard_parent("Order", row, old)

    def _guard_parent(self, name: str, row: Row, old: Row | None) -> None:
        line, link = _LINES_OF[name]
        changed = [f for f in ("CurrencyIsoCode", "Pricebook2Id") if old and row.get(f) != old.get(f)]
        if changed and self.tables[line].children(link, row["Id"]):
            message = f"{changed[0]} cannot be changed while the {name} has products"
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, changed)

    def _guard_line(self, table: Table, row: Row) -> None:
        if table.sobject.name == "OrderItem":
            order = self.tables["Order"].rows[row["OrderId"]]
            if order["StatusCode"] == "Activated":
                raise SalesforceError("ENTITY_IS_LOCKED", _LOCKED)

    def _line(self, table: Table, row: Row, old: Row | None, given: Any) -> None:
        self._guard_line(table, row)
        if old is None:
            self._new_line(table, row)
        if not row["Quantity"]:
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", "Quantity must be nonzero", ["Quantity"])
        if _PRICES.isdisjoint(given):
            return
        total_given = "TotalPrice" in given and row["TotalPrice"] is not None
        if total_given and "UnitPrice" in given:
            message = "field integrity exception: UnitPrice, TotalPrice (specify one or the other, not both)"
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, ["UnitPrice", "TotalPrice"])
        rate = 1 - (row.get("Discount") or Decimal(0)) / 100
        if total_given:
            row["TotalPrice"] = _round(row["TotalPrice"])
            whole = _EXACT.multiply(row["Quantity"], rate)
            row["UnitPrice"] = _round(_EXACT.divide(row["TotalPrice"], whole)) if whole else Decimal("0.00")
        if row["UnitPrice"] is None:
            missing = "TotalPrice" if "Subtotal" in row else "UnitPrice"
            raise SalesforceError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{missing}]", [missing])
        gross = _EXACT.multiply(row["Quantity"], row["UnitPrice"])
        if "Subtotal" in row:
            row["Subtotal"] = _round(gross)
        if not total_given:
            row["TotalPrice"] = _round(_EXACT.multiply(gross, rate))
        coerce(table.sobject.fields["TotalPrice"], row["TotalPrice"])

    def _new_line(self, table: Table, row: Row) -> None:
        link, parent_name, _ = LINES[table.sobject.name]
        parent = self.tables[parent_name].rows[row[link]]
        entry = self.tables["PricebookEntry"].rows[row["PricebookEntryId"]]
        product = self.tables["Product2"].rows[entry["Product2Id"]]
        if not entry["IsActive"]:
            message = "field integrity exception: PricebookEntryId (pricebook entry is inactive)"
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, ["PricebookEntryId"])
        if parent["Pricebook2Id"] is None:
            parent = parent | {"Pricebook2Id": entry["Pricebook2Id"]}
            self._save(self.tables[parent_name], parent, parent)
        if parent["Pricebook2Id"] != entry["Pricebook2Id"]:
            message = (
                "field integrity exception: PricebookEntryId (pricebook entry is in a different pricebook than the one "
                f"assigned to the {parent_name.lower()})"
            )
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, ["PricebookEntryId"])
        if parent.get("CurrencyIsoCode") != entry.get("CurrencyIsoCode"):
            message = "The pricebook entry currency code does not match the currency code of the parent record"
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, ["PricebookEntryId"])
        row |= {"Product2Id": product["Id"], "ListPrice": entry["UnitPrice"]}
        if self.multi_currency:
            row["CurrencyIsoCode"] = parent["CurrencyIsoCode"]
        if table.sobject.name == "OrderItem":
            row["OrderItemNumber"] = f"{len(table.rows) + 1:010d}"
        else:
            row |= {"ProductCode": product["ProductCode"], "Name": f"{parent['Name']} {product['Name']}"}

    def _roll_up(self, table: Table, line: Row) -> None:
        if table.sobject.name not in LINES:
            return
        link, parent_name, total = LINES[table.sobject.name]
        parent = self.tables[parent_name].rows[line[link]]
        lines = table.children(link, parent["Id"])
        rolled: Row = {total: sum((item["TotalPrice"] for item in lines), Decimal("0.00"))}
        if parent_name == "Opportunity":
            rolled["HasOpportunityLineItem"] = bool(lines)
            if not lines:
                del rolled[total]
        if any(parent[name] != value for name, value in rolled.items()):
            self._save(self.tables[parent_name], parent | rolled, parent)

    def _delete(self, table: Table, row: Row) -> None:
        name = table.sobject.name
        if name == "Order" and row["StatusCode"] == "Activated":
            raise SalesforceError("ENTITY_IS_LOCKED", _LOCKED)
        link = {"Product2": "Product2Id", "PricebookEntry": "PricebookEntryId"}.get(name)
        if link and any(self.tables[line].children(link, row["Id"]) for line in LINES):
            message = f"Your attempt to delete {row['Name']} could not be completed because it is used by line items."
            raise SalesforceError("DELETE_FAILED", message)
        cascades = {(child.sobject, child.field) for child in table.sobject.children}
        for other in self.tables.values():
            for item in other.sobject.fields.values():
                if item.to != name or item.name not in other.refs:
                    continue
                for child in other.children(item.name, row["Id"]):
                    if (other.sobject.name, item.name) in cascades:
                        self._delete(other, other.rows[child["Id"]])
                    else:
                        self._save(other, child | {item.name: None}, child, quiet=True)
        self._save(table, row | {"IsDeleted": True}, row)
