"""One simulated org: what may be done with it, and nothing of how."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from airflow_provider_kashoo.sandbox.salesforce.generated import Columns, GeneratedTable
from airflow_provider_kashoo.sandbox.salesforce.records import ROW_LOCKS, OwnRule
from airflow_provider_kashoo.sandbox.salesforce.recycle import RecycleBin
from airflow_provider_kashoo.sandbox.salesforce.schema import WHITE_SPACE, SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.tables import Row, Table, stamp_text
from airflow_provider_kashoo.sandbox.salesforce.transactions import Held

__all__ = ["ROW_LOCKS", "Held", "Org", "OwnRule", "Row", "SalesforceError", "Table", "stamp_text"]


class Org(RecycleBin):
    """One org: every public method may be called from any thread and raises :class:`SalesforceError`.

    Evidenced: roll-ups and when they move the parent, ignored writes to Amount, line arithmetic, recycle bin.
    Assumed: the exact wording of rarer errors, lookups cleared on delete, Amount staying after the last line
    left, a price book being adopted with the first line.
    """

    # -- reading

    def get(self, sobject: str, record_id: str) -> Row:
        """Return a copy of one row; raises NOT_FOUND, or ENTITY_IS_DELETED when it lies in the recycle bin."""
        with self.lock:
            table = self.table(sobject)
            return self.shown(table.sobject, self._live(table, record_id))

    def rows(self, sobject: str, *, deleted: bool = False) -> list[Row]:
        """Return copies of the rows in order of creation, those of the recycle bin only with ``deleted``."""
        with self.lock:
            table = self.table(sobject)
            rows = table.rows.values()
            return [self.shown(table.sobject, row) for row in rows if deleted or not row.get("IsDeleted")]

    def count(self, sobject: str) -> int:
        """Return how many rows there are outside the recycle bin."""
        with self.lock:
            return self.table(sobject).live()

    def find(self, sobject: str, field: str, value: str) -> str | None:
        """Return the id behind an external id value, or None; raises NOT_FOUND for any other kind of field."""
        with self.lock:
            table = self.table(sobject)
            item = table.sobject.lower.get(field.lower())
            if item is None or not item.external_id:
                message = f"Provided external ID field does not exist or is not accessible: {field}"
                raise SalesforceError("NOT_FOUND", message, status=404)
            return table.unique[item.name].get(value.strip(WHITE_SPACE).lower())

    # -- writing

    def transaction(self) -> AbstractContextManager[None]:
        """Undo every write of the block when it raises; blocks nest, each being its own savepoint."""
        return self.writes.block()

    def hold(self) -> Held:
        """Begin a transaction that nobody sees anything of until it is committed: ``with org.hold() as tx: ...``."""
        return Held(self, self.writes.hold(self.clock.time()))

    def insert(self, sobject: str, fields: Mapping[str, Any]) -> str:
        """Create a record under the rules of REST create and return its 18-character id."""
        table = self.table(sobject)
        with self.transaction():
            self._writable(table, "inserted", "")
            record_id = self._insert(table, fields)
            self._roll_up(table, table.rows[record_id])
            return record_id

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
            if not table.sobject.undeletable:
                self._bury(table, table.rows[row["Id"]])
            self._roll_up(table, row)

    def generate(self, sobject: str, columns: Columns) -> None:
        """Fill an empty table with rows that are computed when they are read."""
        with self.lock:
            self.replace_table(GeneratedTable(self.table(sobject), columns))

    # -- what an administrator may set

    def refuse(self, sobject: str, rule: OwnRule) -> None:
        """Let a rule of the org's own refuse whatever is written to an object; it takes the place of the one before."""
        with self.lock:
            self.own_rules = self.own_rules | {self.table(sobject).name: rule}

    def refuse_nothing(self) -> None:
        """Switch the org's own rules off."""
        with self.lock:
            self.own_rules = {}

    # -- what the integration user may see

    def revoke(self, sobject: str, field: str = "") -> None:
        """Take an object, or one field of it, from the integration user's sight: as if the org had none."""
        with self.lock:
            self.schema.hide(sobject, field)

    def grant(self, sobject: str, field: str = "") -> None:
        """Show an object or a field again."""
        with self.lock:
            self.schema.show(sobject, field)

    def remove_field(self, sobject: str, field: str) -> None:
        """Remove a field from the org; an integration user cannot tell that from losing sight of it."""
        self.revoke(sobject, field)
