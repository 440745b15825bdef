"""What the standard objects do by themselves when rows are written: stages, prices, roll-ups, locks, cascades."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from airflow_provider_kashoo.sandbox.salesforce.objects import (
    ADDRESS_PARTS,
    ADDRESSES,
    CASE_STATUSES,
    ORDER_STATUSES,
    STAGES,
)
from airflow_provider_kashoo.sandbox.salesforce.records import Records
from airflow_provider_kashoo.sandbox.salesforce.schema import SalesforceError, coerce
from airflow_provider_kashoo.sandbox.salesforce.tables import Row, Table, stamp_text

#: Line object -> (field of the parent, parent object, its total): the two roll-ups of the standard objects.
LINES = {
    "OpportunityLineItem": ("OpportunityId", "Opportunity", "Amount"),
    "OrderItem": ("OrderId", "Order", "TotalAmount"),
}
_LINES_OF = {parent: (line, link) for line, (link, parent, _) in LINES.items()}
_PRICES = frozenset({"Quantity", "UnitPrice", "Discount", "TotalPrice"})
_LOCKED = "Unable to modify activated or superseded Order:  cannot delete Order, or add or remove Order Products"
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")
#: Hidden key of a row in the recycle bin: the record whose deletion took it there.
DELETED_WITH = "_deleted_with"


def _round(value: Decimal) -> Decimal:
    return _EXACT.quantize(value, _CENT)


class StandardObjects(Records):
    """The rules of the standard objects, on top of storing rows."""

    def _insert(self, table: Table, fields: Mapping[str, Any]) -> str:
        """Store a new record without telling its parent's totals."""
        given = self._clean(table, fields, creating=True)
        row = self._blank(table) | given | {"Id": self.ids.next(table.sobject.prefix)}
        if row.get("OwnerId", "") is None:
            row["OwnerId"] = self.user_id
        self._save(table, self._ruled(table, row, None, given.keys()), None)
        return str(row["Id"])

    def _ruled(self, table: Table, row: Row, old: Row | None, given: Any) -> Row:
        self._addresses(row)
        name = table.sobject.name
        if name == "Contact":
            row["Name"] = " ".join(filter(None, (row["FirstName"], row["LastName"])))
        elif name == "Opportunity":
            self._opportunity(row, old, given)
        elif name == "Order":
            self._order(row, old)
        elif name == "Case":
            self._case(row, old)
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

    @staticmethod
    def _addresses(row: Row) -> None:
        for prefix in ADDRESSES:
            if f"{prefix}Address" in row:
                parts = {p[0].lower() + p[1:]: row[prefix + p] for p in ADDRESS_PARTS}
                extra = {"geocodeAccuracy": None, "latitude": None, "longitude": None}
                row[f"{prefix}Address"] = parts | extra if any(parts.values()) else None

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

    def _case(self, row: Row, old: Row | None) -> None:
        if old is None:
            row["CaseNumber"] = f"{len(self.tables['Case'].rows) + 1000:08d}"
            row |= {"Status": row["Status"] or "New", "Priority": row["Priority"] or "Medium"}
        row["IsClosed"] = CASE_STATUSES.get(row["Status"], False)
        if row["IsClosed"] != bool(old and old["IsClosed"]):
            row["ClosedDate"] = stamp_text(self.clock.now().replace(microsecond=0)) if row["IsClosed"] else None

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

    def _delete(self, table: Table, row: Row, root: str = "") -> None:
        root = root or row["Id"]
        name = table.sobject.name
        if name == "Order" and row["StatusCode"] == "Activated":
            raise SalesforceError("ENTITY_IS_LOCKED", _LOCKED)
        link = {"Product2": "Product2Id", "PricebookEntry": "PricebookEntryId"}.get(name)
        if link and any(self.tables[line].children(link, row["Id"]) for line in LINES):
            message = f"Your attempt to delete {row['Name']} could not be completed because it is used by line items."
            raise SalesforceError("DELETE_FAILED", message)
        cascades = {(child.sobject, child.field) for child in table.sobject.children if child.cascade}
        for other in self.tables.values():
            for item in other.sobject.fields.values():
                if name not in item.targets or item.name not in other.refs:
                    continue
                for child in other.children(item.name, row["Id"]):
                    if (other.sobject.name, item.name) in cascades:
                        self._delete(other, other.rows[child["Id"]], root)
                    else:
                        self._save(other, child | {item.name: None}, child, quiet=True)
        self._save(table, row | {"IsDeleted": True, DELETED_WITH: root}, row)
