"""What happens to records besides being written: the recycle bin, what is gone for good, merges, synced quotes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_kashoo.sandbox.salesforce.files import Files
from airflow_provider_kashoo.sandbox.salesforce.ids import to18
from airflow_provider_kashoo.sandbox.salesforce.rules import DELETED_WITH, LINES
from airflow_provider_kashoo.sandbox.salesforce.schema import SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.tables import Row, Table, stamp_text


class RecycleBin(Files):
    """Undelete, hard delete, merge and quote sync, each in one transaction.

    Evidenced: a hard delete leaves an id and a time in ``deleted/`` only, a synced quote replaces lines without any
    trace in queryAll, losers of a merge name their master. Assumed: lookups cleared by a delete stay cleared.
    """

    def undelete(self, sobject: str, record_id: str) -> None:
        """Take a record out of the bin, and what was deleted with it; all their stamps move."""
        table = self.table(sobject)
        with self.writes.block():
            self._writable(table, "undeleted", record_id)
            row = table.rows.get(to18(record_id) or "")
            if row is None or not row.get("IsDeleted"):
                raise SalesforceError("UNDELETE_FAILED", "Entity is not in the recycle bin")
            self._restore(table, row, row[DELETED_WITH])
            self._roll_up(table, row)

    def _restore(self, table: Table, row: Row, root: str) -> None:
        for item in table.sobject.fields.values():
            above = self._referred(item, row[item.name]) if item.required else None
            if above and above.get("IsDeleted"):
                raise SalesforceError("UNDELETE_FAILED", f"{item.label}: the parent is in the recycle bin")
        back = {key: value for key, value in row.items() if key != DELETED_WITH} | {"IsDeleted": False}
        if "MasterRecordId" in back:
            back["MasterRecordId"] = None
        self._save(table, back, row)
        for other, child in self._binned_children(table, row["Id"]):
            if child[DELETED_WITH] == root:
                self._restore(other, child, root)

    def _binned_children(self, table: Table, record_id: str) -> Iterator[tuple[Table, Row]]:
        for link in table.sobject.children:
            other = self.tables[link.sobject]
            for key in list(other.refs[link.field].get(record_id, ())):
                child = other.rows.get(key)
                if child and child["IsDeleted"]:
                    yield other, child

    def purge(self, sobject: str, record_id: str) -> None:
        """Delete a record and its children for good, from the org or from the bin: only ``deleted/`` knows of them."""
        table = self.table(sobject)
        with self.writes.block():
            self._writable(table, "deleted", record_id)
            row = table.rows.get(to18(record_id) or "")
            if row is None or not row.get("IsDeleted"):
                row = self._live(table, record_id)
                self._guard_line(table, row)
                self._delete(table, row)
            self._bury(table, table.rows[row["Id"]])
            self._roll_up(table, row)

    def empty_recycle_bin(self, sobject: str = "") -> int:
        """Purge whatever lies in the bin, of one object or of all, and return how many records were named."""
        with self.writes.block():
            tables = [self.table(sobject)] if sobject else list(self.tables.values())
            binned = [(table, row["Id"]) for table in tables for row in table.scan("", "9999") if row.get("IsDeleted")]
            for table, record_id in binned:
                if record_id in table.rows:
                    self._bury(table, table.rows[record_id])
            return len(binned)

    def _bury(self, table: Table, row: Row, *, logged: bool = True) -> None:
        for other, child in list(self._binned_children(table, row["Id"])):
            self._bury(other, child)
        if logged:
            self.writes.put(self.graves, row["Id"], {"sobject": table.name, "deletedDate": row["SystemModstamp"]})
        self.writes.put(table, row["Id"], None)

    def merge(self, sobject: str, master: str, losers: Iterable[str]) -> None:
        """Merge records of an object that has a MasterRecordId: losers go to the bin, their children to ``master``.

        The stamps of the master, the losers and every child that changes hands move.
        """
        table = self.table(sobject)
        if "MasterRecordId" not in table.sobject.fields:
            raise SalesforceError("INVALID_OPERATION", f"{table.name} records can not be merged")
        with self.writes.block():
            kept = self._live(table, master)
            for key in losers:
                loser = self._live(table, key)
                if loser["Id"] == kept["Id"]:
                    raise SalesforceError("INVALID_OPERATION", "a record can not be merged into itself")
                self._move_children(table, loser["Id"], kept["Id"])
                gone = {"IsDeleted": True, "MasterRecordId": kept["Id"], DELETED_WITH: loser["Id"]}
                self._save(table, table.rows[loser["Id"]] | gone, loser)
            kept = table.rows[kept["Id"]]
            self._save(table, kept, kept)

    def _move_children(self, table: Table, old: str, new: str) -> None:
        for other in self.tables.values():
            for name, index in other.refs.items():
                if table.name not in other.sobject.fields[name].targets or name == "MasterRecordId":
                    continue
                for key in list(index.get(old, ())):
                    child = other.rows[key]
                    if not child["IsDeleted"]:
                        self._save(other, child | {name: None if key == new else new}, child)

    def sync_quote(self, opportunity: str, lines: Iterable[Mapping[str, Any]], *, logged: bool = True) -> list[str]:
        """Replace the lines of an opportunity as a synced quote does, and return the ids of the new ones.

        The old lines are gone for good, not even queryAll shows them; ``deleted/`` does unless ``logged`` is false.
        The opportunity's stamp moves only when its Amount does: lines of an equal total leave it alone.
        """
        parents, table = self.tables["Opportunity"], self.tables["OpportunityLineItem"]
        with self.writes.block():
            parent = self._live(parents, opportunity)
            stamp = stamp_text(self.clock.now().replace(microsecond=0))
            for old in table.children("OpportunityId", parent["Id"]):
                self._bury(table, old | {"SystemModstamp": stamp}, logged=logged)
            made = [self._insert(table, {**line, "OpportunityId": parent["Id"]}) for line in lines]
            self._roll_up(table, {LINES[table.name][0]: parent["Id"]})
            return made
