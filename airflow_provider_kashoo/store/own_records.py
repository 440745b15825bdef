"""Records of our own in Salesforce: what was made for an invoice or a payment, and what was written to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from airflow_provider_kashoo.core.rules.intents import Intent, Upsert
from airflow_provider_kashoo.store.links import chunks
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import own_records
from airflow_provider_kashoo.store.written_back import WrittenBack

SENT, MADE, LEFT, GONE = "sent", "made", "left", "gone"
"""A record's states.

Sent: it may have been made. Left: its mapping does not want it any more; a next one may be made. Gone: a person deleted
it in Salesforce.
"""

_OWN = (own_records.c.scope_id == bindparam("this_scope"), own_records.c.target == bindparam("this_target"))
_ONE = (*_OWN, own_records.c.external_id == bindparam("this_external_id"))


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """One row of the table ``own_records``.

    :param fields: field -> hash of what was written; empty when that is not known.
    :param told_read: when the books were read for its newest write, ISO 8601 UTC.
    """

    target: str
    external_id: str
    kashoo_id: int | None
    salesforce_id: str | None
    state: str
    fields: Mapping[str, str]
    told_read: str


_ROWS = select(*(own_records.c[name] for name in OwnRecord.__dataclass_fields__)).order_by(own_records.c.id)


class OwnRecords:
    """The records of our own of one scope; it takes :class:`~.intents.Upsert` only."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def of_invoices(self, target: str, kashoo_ids: Iterable[int]) -> dict[int, list[OwnRecord]]:
        """Invoice -> what was made for it of one Salesforce object, oldest first."""
        found: dict[int, list[OwnRecord]] = {}
        with self._scope.reading() as connection:
            names = {"this_scope": self._scope.id, "this_target": target}
            for some in chunks(kashoo_ids):
                for row in connection.execute(_ROWS.where(*_OWN, own_records.c.kashoo_id.in_(some)), names):
                    found.setdefault(row.kashoo_id, []).append(OwnRecord(*row))
        return found

    def of(self, target: str, external_id: str | None = None) -> dict[str, OwnRecord]:
        """External id -> record, all of one Salesforce object.

        :param external_id: only this one.
        """
        with self._scope.reading() as connection:
            names = {"this_scope": self._scope.id, "this_target": target, "this_external_id": external_id}
            found = connection.execute(_ROWS.where(*(_OWN if external_id is None else _ONE)), names)
            return {row.external_id: OwnRecord(*row) for row in found}

    def is_outdated(self, intent: Upsert) -> bool:
        """Return whether a later reading of the books was written already."""
        with self._scope.reading() as connection:
            found = self._row(connection, intent)
        return found is not None and found.told_read > intent.source_read

    def note(self, intent: Upsert) -> None:
        """Record that a write is about to be sent, and when the books were read for it."""
        with self._scope.writing() as scope:
            values = {"told_read": intent.source_read, "updated_at": scope.now}
            if self._row(scope.connection, intent) is None:
                scope.connection.execute(insert(own_records), {**self._columns(intent), **values})
            else:
                scope.connection.execute(update(own_records).where(*_ONE), {**self._names(intent), **values})

    def confirm(self, intent: Upsert, written: Mapping[str, str] | None, settlement: str | None) -> None:
        """Record what Salesforce holds.

        :param written: field -> hash of all that the record has from us; None when the record is gone.
        :param settlement: None when it is unknown what Salesforce holds.
        """
        if settlement is None:
            self.forget(intent)
        else:
            state = GONE if written is None else LEFT if intent.leaves else MADE
            with self._scope.writing() as scope:
                self._set(scope, intent, state=state, fields=dict(written or {}))

    def forget(self, intent: Upsert) -> None:
        """Record that it is unknown what Salesforce holds in the fields of a write: they are written again.

        The others stay as they were written, so that what a person changed in them is not undone.
        """
        with self._scope.writing() as scope:
            if row := self._row(scope.connection, intent):
                kept = {name: value for name, value in row.fields.items() if name not in intent.changes}
                state = MADE if row.salesforce_id and row.state == MADE else SENT
                self._set(scope, intent, state=state, fields=kept)

    def is_newer(self, target: str, external_id: str, read: str) -> bool:
        """Return whether a record was written after the books were read at some time, ISO 8601 UTC."""
        found = self.of(target, external_id).get(external_id)
        return found is not None and found.told_read > read

    def _set(self, scope: Scope, intent: Upsert, **values: Any) -> None:
        known = {"salesforce_id": intent.salesforce_id} if intent.salesforce_id else {}
        names = {**self._names(intent), "updated_at": scope.now}
        scope.connection.execute(update(own_records).where(*_ONE), {**names, **known, **values})

    def _row(self, connection: Connection, intent: Upsert) -> Any:
        return connection.execute(select(own_records).where(*_ONE), self._names(intent)).one_or_none()

    def _names(self, intent: Upsert) -> dict[str, Any]:
        external_id = intent.external_id or intent.record.id
        return {"this_scope": self._scope.id, "this_target": intent.record.kind, "this_external_id": external_id}

    def _columns(self, intent: Upsert) -> dict[str, Any]:
        record = intent.record
        return {
            "scope_id": self._scope.id,
            "target": record.kind,
            "external_id": intent.external_id or record.id,
            "source_object": record.object,
            "source_id": record.id,
            "kashoo_id": intent.kashoo_id,
            "state": SENT,
            "fields": {},
        }


def told_in(scope: Scope, intent: Intent) -> Any:
    """Give the table that keeps what was written to Salesforce for an intent."""
    return OwnRecords(scope) if intent.action.keeps_own_record else WrittenBack(scope)
