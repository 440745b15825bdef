"""What was written back to Salesforce about each invoice, stored with its link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import and_, bindparam, or_, select, update

from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.store.links import LIVE
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links

_OF_RECORD = (
    links.c.scope_id == bindparam("this_scope"),
    links.c.target == INVOICE.name,
    links.c.source_id == bindparam("this_source"),
)
_OF_INVOICE = (*_OF_RECORD, links.c.kashoo_id == bindparam("this_invoice"))
_NEWER = select(links.c.id).where(
    *_OF_RECORD,
    or_(
        and_(links.c.state == LIVE, links.c.kashoo_id != bindparam("this_invoice")),
        and_(links.c.kashoo_id == bindparam("this_invoice"), links.c.told_read > bindparam("this_read")),
    ),
)
_WRITTEN = update(links).where(*_OF_INVOICE)
_UNKNOWN = update(links).where(*_OF_RECORD)
_NOTE = _WRITTEN.where(or_(links.c.told_read.is_(None), links.c.told_read < bindparam("this_read")))


class WrittenBack:
    """What was written back in one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def is_outdated(self, intent: Intent) -> bool:
        """Return whether an intent must not be sent any more.

        Its record now has another live invoice, or a later reading of the books was written back to it.
        """
        with self._scope.reading() as connection:
            names = {**self._names(intent), "this_read": intent.source_read}
            return connection.execute(_NEWER, names).first() is not None

    def note(self, intent: Intent, held: Mapping[str, str] | None = None, settlement: str = "") -> None:
        """Record when the books were read for a write-back that is about to be sent, or not needed.

        :param held: Salesforce field -> hash of its value in Salesforce; None or empty if not read.
        :param settlement: status of the invoice by these values.
        """
        seen = {"written_back": dict(held), "settlement": settlement} if held else {}
        reading = {"this_read": intent.source_read, "told_read": intent.source_read}
        with self._scope.writing() as scope:
            scope.connection.execute(_NOTE, {**self._names(intent), **reading, **seen})

    def confirm(self, intent: Intent, written: Mapping[str, str] | None, settlement: str | None) -> None:
        """Record what Salesforce holds about an invoice.

        :param written: field -> hash; None when nothing could be written.
        :param settlement: None when it is unknown what Salesforce holds: everything is written again.
        """
        values = {} if written is None else {"written_back": dict(written)}
        with self._scope.writing() as scope:
            scope.connection.execute(_WRITTEN, {**self._names(intent), **values, "settlement": settlement})

    def forget(self, intent: Intent) -> None:
        """Record that it is unknown what a Salesforce record holds, for all of its invoices."""
        names = {"this_scope": self._scope.id, "this_source": intent.record.id}
        with self._scope.writing() as scope:
            scope.connection.execute(_UNKNOWN, {**names, "written_back": {}, "settlement": None})

    def _names(self, intent: Intent) -> dict[str, Any]:
        return {"this_scope": self._scope.id, "this_invoice": intent.kashoo_id, "this_source": intent.record.id}
