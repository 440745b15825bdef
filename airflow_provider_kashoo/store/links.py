"""This Salesforce record is that Kashoo record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.store.database import Database, Transaction
from airflow_provider_kashoo.store.tables import links, scopes

UNKNOWN = ""
"""Stands for the hash of what was sent last where nobody knows that: it equals none, so that the source is written."""

LIVE, VOIDED, FOLLOWED = "live", "voided", "followed"
"""A link's states.

A voided one ended when we voided its invoice, and makes room for the sale's next one. A followed one says that the
link went on under another record or sale, so that a plan from before does not take the old one for new.
"""

_SCOPE = links.c.scope_id == bindparam("this_scope")
_OF_SALE = (
    _SCOPE,
    links.c.target == bindparam("this_target"),
    links.c.sale_id == bindparam("this_sale"),
    links.c.part == bindparam("this_part"),
)
_LATEST = (
    select(links.c.kashoo_id, links.c.version, links.c.state, links.c.generation, links.c.fields, links.c.source_read)
    .where(*_OF_SALE)
    .order_by(links.c.version.desc())
    .limit(1)
)
_IN_STATE = select(links).where(_SCOPE, links.c.state == bindparam("this_state")).order_by(links.c.id)
_INSERT = insert(links)
_UPDATE = update(links).where(*_OF_SALE, links.c.state == LIVE)
_SAW = _UPDATE.where(
    links.c.version == bindparam("this_version"),
    or_(links.c.source_read.is_(None), links.c.source_read <= bindparam("this_read")),
)
_ENDED_VERSIONS = (
    select(links.c.sale_id, links.c.part, func.max(links.c.version))
    .where(_SCOPE, links.c.target == bindparam("this_target"), links.c.state != LIVE)
    .group_by(links.c.sale_id, links.c.part)
)
_LIVE_ROW = select(links).where(*_OF_SALE, links.c.state == LIVE)
_OF_RECORD = (_SCOPE, links.c.target == "invoice", links.c.source_id == bindparam("this_source"))
_TOLD = (*_OF_RECORD, links.c.kashoo_id == bindparam("this_invoice"))
_NEWER = select(links.c.id).where(
    *_OF_RECORD,
    or_(
        and_(links.c.state == LIVE, links.c.kashoo_id != bindparam("this_invoice")),
        and_(links.c.kashoo_id == bindparam("this_invoice"), links.c.told_read > bindparam("this_read")),
    ),
)
_WRITE_BACK = update(links).where(*_TOLD)
_TOLD_UNKNOWN = update(links).where(*_OF_RECORD)
_TELL = _WRITE_BACK.where(or_(links.c.told_read.is_(None), links.c.told_read < bindparam("this_read")))
_OWN = scopes.alias("own")
_SAME_BOOKS = (
    select(scopes.c.id)
    .join(_OWN, _OWN.c.business_id == scopes.c.business_id)
    .where(_OWN.c.id == bindparam("this_scope"))
)
_HELD = select(links.c.kashoo_id).where(
    links.c.scope_id.in_(_SAME_BOOKS),
    links.c.state == LIVE,
    links.c.target == bindparam("this_target"),
)

CHUNK = 500
"""Values in one IN list; SQLite's older limit on variables is 999."""


@dataclass(frozen=True)
class Link:
    """One row of the table ``links``.

    :param version: rises with every confirmed write of the sale, from one of its links to the next; a plan row made
        from an older one is stale.
    :param fields: field -> (hash as sent, hash as read back).
    :param written_back: Salesforce field -> hash of what we last wrote there.
    :param settlement: status last seen, see :mod:`airflow_provider_kashoo.core.rules.settlement`.
    :param expected_total: minor units.
    :param journal_date: ``YYYY-MM-DD`` under which the invoice was written.
    """

    id: int
    target: str
    source_object: str
    source_id: str
    part: int
    generation: int
    sale_id: str
    kashoo_id: int
    version: int
    currency: str | None
    expected_total: int | None
    journal_date: str | None
    settlement: str | None
    fields: Mapping[str, tuple[str, str]]
    written_back: Mapping[str, str]

    def followed(self, source_id: str, sale_id: str, ended: int) -> Link:
        """Give this link as it goes on under another record or sale.

        :param ended: version at which the last link of that sale ended, 0 for none: versions of a sale count on.
        """
        return replace(self, source_id=source_id, sale_id=sale_id, version=max(self.version, ended) + 1)

    def row(self, sync: str, action: Action, reason: str, **more: Any) -> PlanRow:
        """Make a plan row about this link's record.

        :param sync: name of the sync that plans it.
        :param more: further fields of the row, or others than the link's own.
        """
        own: dict[str, Any] = {
            "target": self.target,
            "source_object": self.source_object,
            "source_id": self.source_id,
            "sale_id": self.sale_id,
            "part": self.part,
            "generation": self.generation,
            "kashoo_id": self.kashoo_id,
            "link_version": self.version,
        }
        return PlanRow(**{"mapping": "", "sync": sync, "action": action, "reason": reason} | own | more)


@dataclass(frozen=True)
class LinkChange:
    """What a confirmed write tells of a link.

    :param fields: the new base hashes of the fields that were written.
    """

    kashoo_id: int
    fields: Mapping[str, tuple[str, str]]
    currency: str | None = None
    expected_total: int | None = None
    journal_date: str | None = None


class Links:
    """Links of one scope; live ones, unless it says otherwise."""

    def __init__(self, database: Database, scope_id: int) -> None:
        self._database, self._scope_id = database, scope_id

    def of_sources(self, target: str, source_ids: Iterable[str]) -> dict[str, Link]:
        """Source id -> its link."""
        return {link.source_id: link for link in self._in(target, links.c.source_id, source_ids)}

    def of_sales(self, sale_ids: Iterable[str]) -> dict[str, Link]:
        """Sale id -> the link of its invoice."""
        return {link.sale_id: link for link in self._in("invoice", links.c.sale_id, sale_ids)}

    def of_target(self, target: str) -> list[Link]:
        """List every live link of one target."""
        return self._select(links.c.target == target)

    def ended(self, target: str) -> list[Link]:
        """List every link of one target that ended because we voided its record."""
        return self._select(links.c.target == target, state=VOIDED)

    def of_kashoo(self, target: str, kashoo_ids: Iterable[int]) -> dict[int, Link]:
        """Kashoo id -> its link."""
        return {link.kashoo_id: link for link in self._in(target, links.c.kashoo_id, kashoo_ids)}

    def held(self, target: str) -> set[int]:
        """List the records of the books that are linked, by this org or by another one with the same books."""
        with self._database.begin() as connection:
            return held(connection, self._scope_id, target)

    def ended_versions(self, target: str) -> dict[tuple[str, int], int]:
        """Give the version at which the last link of each sale and part ended; live ones count on from there."""
        with self._database.begin() as connection:
            found = connection.execute(_ENDED_VERSIONS, {"this_scope": self._scope_id, "this_target": target})
            return {(sale_id, part): version for sale_id, part, version in found}

    def saw(self, rows: Iterable[PlanRow]) -> list[PlanRow]:
        """Note that some records were read and held against their links, which say the same.

        :returns: the rows whose link was written, or held against a later reading, since the plan was made.
        """
        overtaken = []
        with self._database.writing(self._scope_id) as transaction:
            for row in rows:
                reading = {"this_read": row.source_read, "source_read": row.source_read}
                names = {**_names(transaction, row), "this_version": row.link_version, **reading}
                if not transaction.connection.execute(_SAW, names).rowcount:
                    overtaken.append(row)
        return overtaken

    def told(self, rows: Iterable[tuple[PlanRow, Mapping[str, str]]]) -> None:
        """Note that some invoices were read, and that Salesforce holds of each what it says.

        :param rows: each with Salesforce field -> hash of what it holds, where that was looked at.
        """
        with self._database.writing(self._scope_id) as transaction:
            for row, held in rows:
                tell(transaction, row, **({"written_back": dict(held), "settlement": row.settlement} if held else {}))

    def _in(self, target: str, column: Any, values: Iterable[Any]) -> Iterator[Link]:
        wanted = sorted(set(values))
        for start in range(0, len(wanted), CHUNK):
            yield from self._select(links.c.target == target, column.in_(wanted[start : start + CHUNK]))

    def _select(self, *where: Any, state: str = LIVE) -> list[Link]:
        with self._database.begin() as connection:
            names = {"this_scope": self._scope_id, "this_state": state}
            found = connection.execute(_IN_STATE.where(*where), names)
            return [_link(row) for row in found.mappings()]


def held(connection: Connection, scope_id: int, target: str, only: Iterable[int] | None = None) -> set[int]:
    """List which records of the books are linked, whichever org linked them.

    :param only: ask for these Kashoo ids; for all when not given.
    """
    query = _HELD if only is None else _HELD.where(links.c.kashoo_id.in_(list(only)))
    return set(connection.execute(query, {"this_scope": scope_id, "this_target": target}).scalars())


def holds(transaction: Transaction, row: PlanRow) -> bool:
    """Say whether the last link of a plan row's sale, live or ended, is as the plan saw it.

    Neither was it written since, nor held against a source that was read later than this row's.
    """
    found = transaction.connection.execute(_LATEST, _names(transaction, row)).one_or_none()
    version = found.version if found else 0
    return bool(version == row.link_version) and not _is_newer(found, row)


def is_newer(transaction: Transaction, row: PlanRow) -> bool:
    """Say whether the last link of a plan row's sale was held against a source that was read later than this row's."""
    return _is_newer(transaction.connection.execute(_LATEST, _names(transaction, row)).one_or_none(), row)


def _is_newer(found: Any, row: PlanRow) -> bool:
    return bool(found and row.source_read and found.source_read and found.source_read > row.source_read)


def is_outdated(transaction: Transaction, row: PlanRow) -> bool:
    """Say whether a write-back must not be sent any more.

    Its record has another, live invoice by now, or was told what the books said later than this row's reading of them.
    """
    names = {**_record(transaction, row), "this_read": row.source_read}
    return transaction.connection.execute(_NEWER, names).first() is not None


def tell(transaction: Transaction, row: PlanRow, **told: Any) -> None:
    """Note that a write-back is about to be sent, or that Salesforce was told the same already."""
    names = {**_record(transaction, row), "this_read": row.source_read, "told_read": row.source_read, **told}
    transaction.connection.execute(_TELL, names)


def end(transaction: Transaction, row: PlanRow) -> bool:
    """End the live link of a plan row: its invoice is voided, and the sale has none.

    :returns: whether it was held against a later reading of its source than the row's.
    """
    known = transaction.connection.execute(_LATEST, _names(transaction, row)).one()
    values = {"state": VOIDED, "version": known.version + 1, "updated_at": transaction.now}
    transaction.connection.execute(_UPDATE, {**_names(transaction, row), **values})
    return _is_newer(known, row)


def put(transaction: Transaction, row: PlanRow, change: LinkChange) -> bool:
    """Make or renew the link of a plan row.

    :returns: whether it was held against a later reading of its source than the row's.
    """
    last = transaction.connection.execute(_LATEST, _names(transaction, row)).one_or_none()
    known = last if last and last.state == LIVE else None
    same = known if known and known.generation == row.generation else None
    read = max(row.source_read, (known.source_read if known else None) or "")  # it never goes back
    values: dict[str, Any] = {
        "kashoo_id": change.kashoo_id,
        "fields": {**(same.fields if same else {}), **{name: list(pair) for name, pair in change.fields.items()}},
        "version": (last.version if last else 0) + 1,
        "updated_at": transaction.now,
        **({"source_read": read} if read else {}),
    }
    for name in ("currency", "expected_total", "journal_date"):
        if getattr(change, name) is not None:
            values[name] = getattr(change, name)
    if known:
        if not same:  # another invoice of the record: nothing of it was told yet
            values |= {"generation": row.generation, "written_back": {}, "settlement": None, "told_read": None}
        transaction.connection.execute(_UPDATE, {**_names(transaction, row), **values})
        return _is_newer(last, row)
    transaction.connection.execute(
        _INSERT,
        {
            "scope_id": transaction.scope_id,
            "target": row.target,
            "source_object": row.source_object,
            "source_id": row.source_id,
            "part": row.part,
            "generation": row.generation,
            "sale_id": row.sale_id or row.source_id,
            "state": LIVE,
            "written_back": {},
            "created_at": transaction.now,
            **values,
        },
    )
    return _is_newer(last, row)


def followed_since(transaction: Transaction, row: PlanRow, kashoo_id: int) -> PlanRow:
    """Give a plan row as one of the record and sale that its link went on with since it was sent."""
    linked = (_SCOPE, links.c.target == row.target, links.c.kashoo_id == kashoo_id, links.c.state == LIVE)
    query = select(links).where(*linked).order_by(links.c.id)
    found = [_link(each) for each in transaction.connection.execute(query, _names(transaction, row)).mappings()]
    if not found or any(each.sale_id == (row.sale_id or row.source_id) for each in found):
        return row
    now = found[0]
    return replace(row, source_object=now.source_object, source_id=now.source_id, sale_id=now.sale_id)


def overwritten(transaction: Transaction, row: PlanRow, change: LinkChange) -> None:
    """Note on the live link of a plan row that a write taken for lost, older than what the link says, came through.

    Where the two differ, nobody knows what was sent last: the field is planned afresh. What the books give of it now is
    our own doing, and not an edit by hand.
    """
    known = transaction.connection.execute(_LATEST, _names(transaction, row)).one_or_none()
    if known is None or known.state != LIVE or known.kashoo_id != change.kashoo_id:
        return
    same = {name for name, (sent, _) in change.fields.items() if known.fields.get(name, [""])[0] == sent}
    # An edit by hand in what the late write did not send stays one.
    touched = {name: pair for name, pair in change.fields.items() if name not in same or name in row.payload}
    fields = {name: (sent if name in same else UNKNOWN, read) for name, (sent, read) in touched.items()}
    put(transaction, row, LinkChange(change.kashoo_id, fields))


def follow(transaction: Transaction, row: PlanRow) -> None:
    """Let the link of a plan row go on under another record, that its own was merged into, or another sale."""
    source_id, sale_id = row.follow_into, row.follow_sale
    was = dict(transaction.connection.execute(_LIVE_ROW, _names(transaction, row)).mappings().one())
    ended = transaction.connection.execute(_LATEST, {**_names(transaction, row), "this_sale": sale_id}).one_or_none()
    now = _link(was).followed(source_id, sale_id, ended.version if ended else 0)
    values = {"source_id": source_id, "sale_id": sale_id, "version": now.version, "updated_at": transaction.now}
    transaction.connection.execute(_UPDATE, {**_names(transaction, row), **values})
    del was["id"]
    transaction.connection.execute(_INSERT, {**was, "state": FOLLOWED, "version": now.version})


def write_back(
    transaction: Transaction, row: PlanRow, written: Mapping[str, str] | None, settlement: str | None
) -> None:
    """Remember what Salesforce was told of a link's invoice.

    :param written: field -> hash; None when nothing could be told.
    :param settlement: None when it is not known what Salesforce holds: everything is told anew.
    """
    told = {} if written is None else {"written_back": dict(written)}
    transaction.connection.execute(_WRITE_BACK, {**_record(transaction, row), **told, "settlement": settlement})


def told_unknown(transaction: Transaction, row: PlanRow) -> None:
    """Remember that nobody knows what a record of Salesforce holds, whichever of its invoices it was told of last."""
    names = {"this_scope": transaction.scope_id, "this_source": row.source_id}
    transaction.connection.execute(_TOLD_UNKNOWN, {**names, "written_back": {}, "settlement": None})


def _names(transaction: Transaction, row: PlanRow) -> dict[str, Any]:
    return {
        "this_scope": transaction.scope_id,
        "this_target": row.target,
        "this_sale": row.sale_id or row.source_id,
        "this_part": row.part,
    }


def _record(transaction: Transaction, row: PlanRow) -> dict[str, Any]:
    return {"this_scope": transaction.scope_id, "this_invoice": row.kashoo_id, "this_source": row.source_id}


def _link(row: Mapping[Any, Any]) -> Link:
    kept = {name: row[name] for name in Link.__dataclass_fields__}
    kept["fields"] = {name: (pair[0], pair[1]) for name, pair in row["fields"].items()}
    return Link(**kept)
