"""What was written back to Salesforce about each invoice, stored with its link."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import and_, bindparam, literal_column, or_, select, update

from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.kept import Columns
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.store.links import CHUNK, IS_LIVE, LIVE, VOIDED, Linked, chunks
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links

_IN_SCOPE = links.c.scope_id == bindparam("this_scope")
_IN_STATE = (links.c.target == INVOICE.name, links.c.state == bindparam("this_state"))
_ROWS = select(*(links.c[name] for name in Linked.__dataclass_fields__)).where(*_IN_STATE).order_by(links.c.id)
_BEARERS = select(links.c.id, links.c.kashoo_id, links.c.source_id, links.c.part, links.c.generation).where(*_IN_STATE)
_IDS = select(links.c.id).where(_IN_SCOPE, *_IN_STATE).order_by(links.c.id)
_OF_RECORD = (
    _IN_SCOPE,
    links.c.target == INVOICE.name,
    links.c.source_id == bindparam("this_source"),
)
_OF_INVOICE = (*_OF_RECORD, links.c.kashoo_id == bindparam("this_invoice"))
_OWN = links.alias("own")
_SAME_PART = (
    select(_OWN.c.id)
    .where(
        _OWN.c.scope_id == links.c.scope_id,
        _OWN.c.target == links.c.target,
        _OWN.c.source_id == links.c.source_id,
        _OWN.c.kashoo_id == bindparam("this_invoice"),
        _OWN.c.part == links.c.part,
    )
    .exists()
)
_DIVIDED = (
    select(links.c.source_id)
    .where(_IN_SCOPE, links.c.target == INVOICE.name, IS_LIVE, links.c.part > literal_column("1"))
    .distinct()
)
_NEWER = select(links.c.id).where(
    *_OF_RECORD,
    or_(
        and_(links.c.state == LIVE, links.c.kashoo_id != bindparam("this_invoice"), _SAME_PART),
        and_(links.c.kashoo_id == bindparam("this_invoice"), links.c.told_read > bindparam("this_read")),
    ),
)
_WRITTEN = update(links).where(*_OF_INVOICE)
_UNKNOWN = update(links).where(*_OF_RECORD)
_NAMED = ("id", "kashoo_id", "source_read", "held", "settlement")
_NOTE = _WRITTEN.where(or_(links.c.told_read.is_(None), links.c.told_read < bindparam("this_read")))


class WrittenBack:
    """What was written back in one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all_ids(self) -> list[int]:
        """List the row ids of the live links of invoices, oldest first."""
        return list(self._ids())

    def ids(
        self, settlements: Collection[str | None], kashoo_ids: Iterable[int], source_ids: Iterable[str]
    ) -> list[int]:
        """List the row ids of live links that may be due, oldest first.

        :param settlements: of invoices that are due by themselves.
        :param kashoo_ids: invoices that are due anyway.
        :param source_ids: Salesforce records whose invoices are due anyway.
        """
        found = set(self._ids(links.c.settlement.in_(each for each in settlements if each)))
        if None in settlements:  # in a query of its own, which an index answers
            found.update(self._ids(links.c.settlement.is_(None)))
        for some in chunks(kashoo_ids):
            found.update(self._ids(links.c.kashoo_id.in_(some)))
        for some in chunks(source_ids):
            found.update(self._ids(_of_records(some)))
        return sorted(found)

    def of_ids(self, ids: Iterable[int]) -> list[Linked]:
        """Load live links by their row ids, oldest first."""
        return [link for some in chunks(ids) for link in self._rows(LIVE, links.c.id.in_(some))]

    def of_records(self, source_ids: Iterable[str]) -> list[Linked]:
        """Load the live links of some Salesforce records, oldest first."""
        return [link for some in chunks(source_ids) for link in self._rows(LIVE, _of_records(some))]

    def divided(self) -> set[str]:
        """List the Salesforce records that have several invoices."""
        with self._scope.reading() as connection:
            return set(connection.execute(_DIVIDED, {"this_scope": self._scope.id}).scalars())

    def bearers(self, source_ids: Iterable[str]) -> Iterator[tuple[int, Reference, int]]:
        """Give the row id, the reference and the Kashoo id of each live link of some Salesforce records."""
        for some in chunks(source_ids):
            with self._scope.reading() as connection:
                names = {"this_scope": self._scope.id, "this_state": LIVE}
                found = connection.execute(_BEARERS.where(_of_records(some)), names).all()
            yield from ((row, Reference(*reference), kashoo_id) for row, kashoo_id, *reference in found)

    def voided(self) -> list[Linked]:
        """List the links that ended because we voided their invoice, oldest first."""
        return self._rows(VOIDED, _IN_SCOPE)

    def _ids(self, *where: Any) -> Iterable[int]:
        with self._scope.reading() as connection:
            names = {"this_scope": self._scope.id, "this_state": LIVE}
            return connection.execute(_IDS.where(*where), names).scalars().all()

    def _rows(self, state: str, where: Any) -> list[Linked]:
        with self._scope.reading() as connection:
            names = {"this_scope": self._scope.id, "this_state": state}
            return [Linked(*row) for row in connection.execute(_ROWS.where(where), names)]

    def is_outdated(self, intent: Intent) -> bool:
        """Return whether an intent must not be sent any more.

        Its part of the record now has another live invoice, or a later reading of the books was written back to it.
        """
        with self._scope.reading() as connection:
            names = {**self._names(intent), "this_read": intent.source_read}
            return connection.execute(_NEWER, names).first() is not None

    def note(self, intent: Intent) -> None:
        """Record when the books were read for a write-back that is about to be sent."""
        reading = {"this_read": intent.source_read, "told_read": intent.source_read}
        with self._scope.writing() as scope:
            scope.connection.execute(_NOTE, {**self._names(intent), **reading})

    def note_kept(self, kept: Columns) -> None:
        """Record when the books were read for write-backs that are not needed, and what Salesforce has, if compared."""
        for start in range(0, kept.num_rows, CHUNK):
            part = kept.slice(start, CHUNK)
            notes: dict[bool, list[dict[str, Any]]] = {True: [], False: []}  # compared with Salesforce, or not
            for row in zip(*(part[name].to_pylist() for name in _NAMED), strict=True):
                source, invoice, read, held, settlement = row
                note = {"this_scope": self._scope.id, "this_invoice": invoice, "this_source": source}
                note |= {"this_read": read, "told_read": read}
                seen = {"written_back": json.loads(held), "settlement": settlement} if held else {}
                notes[bool(held)].append(note | seen)
            with self._scope.writing() as scope:  # a transaction for each part: others get their turn between them
                for some in filter(None, notes.values()):
                    scope.connection.execute(_NOTE, some)

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


def _of_records(source_ids: Iterable[str]) -> Any:
    """Find links by the ids of their Salesforce records.

    In a query of its own: otherwise SQLite, which does not know how many links there are, prefers an index of all
    links of invoices.
    """
    return links.c.id.in_(select(links.c.id).where(_IN_SCOPE, links.c.source_id.in_(source_ids)))
