"""Storing rows of one org: who may write, what a value must look like, ids and stamps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.access import Access
from airflow_provider_kashoo.sandbox.salesforce.formulas import FORMULAS
from airflow_provider_kashoo.sandbox.salesforce.ids import IdFactory, to18
from airflow_provider_kashoo.sandbox.salesforce.schema import Field, SalesforceError, Schema, SObject, coerce
from airflow_provider_kashoo.sandbox.salesforce.tables import Graves, Row, Store, Table, stamp_text
from airflow_provider_kashoo.sandbox.salesforce.transactions import Writes

_NOT_FOUND = "The requested resource does not exist"
#: Ids of rows that others hold while this request is processed; empty for every row, None for no row at all.
ROW_LOCKS: ContextVar[frozenset[str] | None] = ContextVar("ROW_LOCKS", default=None)


_RULES = {"validation": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "duplicate": "DUPLICATES_DETECTED"}


@dataclass(frozen=True)
class OwnRule:
    """A rule that an administrator made: it refuses every record that is created or updated.

    :param kind: ``validation``, or ``duplicate`` for a rule that blocks, which no header of a request passes.
    :param field: the field beside which the message stands; empty for the top of the page.
    """

    kind: str
    message: str
    field: str = ""

    def __post_init__(self) -> None:
        if self.kind not in _RULES:
            raise SalesforceError("INVALID_INPUT", f"{self.kind!r} is no kind of rule: {', '.join(_RULES)}")

    def refusal(self) -> SalesforceError:
        """Make the error that a write gets."""
        return SalesforceError(_RULES[self.kind], self.message, [self.field] if self.field else [])


class Records:
    """The tables of one org and the checked ways into them."""

    def __init__(self, clock: Clock, *, seed: int = 1, org_currency: str = "USD", multi_currency: bool = True) -> None:
        self.clock, self.org_currency, self.multi_currency = clock, org_currency, multi_currency
        self.lock = threading.RLock()
        self.schema = Schema(org_currency=org_currency, multi_currency=multi_currency)
        self.tables = {name: Table(item) for name, item in self.schema.objects.items()}
        self.ids = IdFactory(seed)
        self.api_requests = 0
        self.graves = Graves()
        self._stores: dict[str, Store] = {**self.tables, self.graves.name: self.graves}
        self.writes = Writes(self.lock, self._stores)
        self.access = Access.of(seed)
        #: object -> the rule of the org's own that refuses whatever is written to it
        self.own_rules: dict[str, OwnRule] = {}
        self.org_id, self.user_id = self.ids.next("00D"), self.ids.next("005")
        self._seed_rows()

    def _seed_rows(self) -> None:
        organization: Row = {"Id": self.org_id, "Name": "Acme", "IsSandbox": False, "InstanceName": "SBX1"}
        organization |= {"OrganizationType": "Developer Edition", "TimeZoneSidKey": "GMT"}
        if self.multi_currency:
            organization["DefaultCurrencyIsoCode"] = self.org_currency
        user: Row = {"Id": self.user_id, "Name": "Integration User", "Username": self.access.username}
        user |= {"Email": self.access.username, "IsActive": True}
        book = {"Id": self.ids.next("01s"), "Name": "Standard Price Book", "IsActive": True, "IsStandard": True}
        for name, row in (("Organization", organization), ("User", user), ("Pricebook2", book)):
            self._save(self.tables[name], self._blank(self.tables[name]) | row, None)

    def _blank(self, table: Table) -> Row:
        return {name: item.default for name, item in table.sobject.fields.items()}

    def replace_table(self, table: Table) -> None:
        """Put a table in the place of the one of its object."""
        self.tables[table.name] = self._stores[table.name] = table

    def table(self, sobject: str) -> Table:
        """Return the table of an object named in any case; raises INVALID_TYPE."""
        found = self.schema.find(sobject)
        if found is None:
            raise SalesforceError("INVALID_TYPE", f"sObject type '{sobject}' is not supported.")
        return self.tables[found.name]

    def _live(self, table: Table, record_id: str) -> Row:
        row = table.rows.get(to18(record_id) or "")
        if row is None:
            raise SalesforceError("NOT_FOUND", _NOT_FOUND, status=404)
        if row.get("IsDeleted"):
            raise SalesforceError("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def _writable(self, table: Table, verb: str, record_id: str) -> None:
        if not table.sobject.writable or (verb == "inserted" and not table.sobject.createable):
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
            item, meant = self._named(table, key, value)
            if not (item.create if creating else item.update):
                refused.append(item.name)
                continue
            typed = coerce(item, meant)
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
        if creating:
            self._lock_parents(table, given)
        if rule := self.own_rules.get(table.name):
            raise rule.refusal()
        return given

    def _named(self, table: Table, key: str, value: Any) -> tuple[Field, Any]:
        """Return the field that a key of a record names, and its value."""
        item = table.sobject.lower.get(key.lower())
        if item is None and isinstance(value, Mapping):
            item, value = self._parent_by_key(table, key, value)
        if item is None:
            raise SalesforceError("INVALID_FIELD", f"No such column '{key}' on sobject of type {table.sobject.name}")
        if item.name == "Id":
            message = "The Id field should not be specified in the sobject data."
            raise SalesforceError("INVALID_FIELD", message, ["Id"])
        return item, value

    def _parent_by_key(self, table: Table, key: str, value: Mapping[str, Any]) -> tuple[Field | None, Any]:
        """Find the parent that a record names by an external id, ``{"Parent__r": {"Key__c": "7"}}`` (evidenced)."""
        link = table.sobject.parents.get(key.lower())
        named = [(name, said) for name, said in value.items() if name != "attributes"]
        if link is None or len(named) != 1:
            return None, value
        [(name, said)] = named
        parents = self.tables[link.to]
        field = parents.sobject.lower.get(name.lower())
        if field is None or not field.external_id:
            return None, value
        found = parents.unique[field.name].get(said.strip().lower()) if isinstance(said, str) else None
        if found is None:
            message = f"Foreign key external ID: {said} not found for field {field.name} in entity {link.to}"
            raise SalesforceError("INVALID_FIELD", message)
        return link, found

    def _lock_parents(self, table: Table, given: Row) -> None:
        """Refuse a new record while another transaction holds its parent (evidenced)."""
        locks = ROW_LOCKS.get() or frozenset()
        held = [given[item.name] for item in table.sobject.fields.values() if item.to and given.get(item.name) in locks]
        if held:
            message = f"unable to obtain exclusive access to this record or 1 records: {held[0]}"
            raise SalesforceError("UNABLE_TO_LOCK_ROW", message)

    def _reference(self, item: Field, value: str) -> str:
        id18 = to18(value)
        prefixes = tuple(self.schema.objects[target].prefix for target in item.targets)
        if id18 is None or not id18.startswith(prefixes):
            message = f"{item.label}: id value of incorrect type: {value}"
            raise SalesforceError("MALFORMED_ID", message, [item.name])
        row = self._referred(item, id18)
        if row is None:
            raise SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise SalesforceError("ENTITY_IS_DELETED", "entity is deleted", [item.name], status=404)
        return id18

    def _referred(self, item: Field, record_id: str | None) -> Row | None:
        """Return the record that a reference leads to, whichever of its objects that is of."""
        found = (self.tables[target].rows.get(record_id or "") for target in item.targets)
        return next((row for row in found if row is not None), None)

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
        self.writes.put(table, row["Id"], row)

    def reader(self, sobject: SObject, item: Field) -> Callable[[Row], Any]:
        """Return what reads a field from a row; a formula field is computed then and there."""
        if not item.calculated:
            return itemgetter(item.name)
        formula = FORMULAS[sobject.name, item.name]
        return lambda row: formula(self.tables, row, self.clock.now().date())

    def shown(self, sobject: SObject, row: Row) -> Row:
        """Return a copy of a row with every visible field."""
        out = {item.name: row[item.name] for item in sobject.lower.values()}
        for item in sobject.lower.values():
            if item.calculated:
                out[item.name] = self.reader(sobject, item)(row)
        return out
