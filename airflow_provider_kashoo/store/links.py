"""Links: which Salesforce record is which Kashoo record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, func, insert, literal_column, select, update

from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.diff import UNKNOWN
from airflow_provider_kashoo.core.rules.intents import Follow, Intent
from airflow_provider_kashoo.core.rules.made_from import Sources
from airflow_provider_kashoo.core.rules.observed import Observed
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links, scopes

LIVE, VOIDED, FOLLOWED = "live", "voided", "followed"
"""A link's states.

A link is voided when we voided its invoice; the sale may get a next one. A followed one marks that the link moved to
another record or sale, so that an older plan does not take the old record for a new one.
"""

IS_LIVE = links.c.state == literal_column(f"'{LIVE}'")
"""As the partial indexes say it: of a parameter, a database cannot tell that such an index holds every row with it."""

_SCOPE = links.c.scope_id == bindparam("this_scope")
OF_KIND = (_SCOPE, links.c.target == bindparam("this_target"))
OF_SALE = (
    *OF_KIND,
    links.c.sale_id == bindparam("this_sale"),
    links.c.part == bindparam("this_part"),
)
_LATEST = (
    select(
        *(links.c.kashoo_id, links.c.version, links.c.state, links.c.generation),
        *(links.c.fields, links.c.observed, links.c.source_read),
    )
    .where(*OF_SALE)
    .order_by(links.c.version.desc())
    .limit(1)
)
_LIVE = select(links).where(*OF_KIND, IS_LIVE).order_by(links.c.id)
_VOIDED = (*OF_KIND, links.c.state == VOIDED)
_INSERT = insert(links)
_UPDATE = update(links).where(*OF_SALE, IS_LIVE)
_ENDED_VERSIONS = (
    select(links.c.sale_id, links.c.part, func.max(links.c.version))
    .where(*OF_KIND, links.c.state.in_([VOIDED, FOLLOWED]))
    .group_by(links.c.sale_id, links.c.part)
)
_ENDED_REFERENCES = select(links.c.source_id, links.c.part, links.c.generation).where(*_VOIDED).order_by(links.c.id)
_LIVE_ROW = select(links).where(*OF_SALE, IS_LIVE)
_OWN = scopes.alias("own")
_SAME_BOOKS = (
    select(scopes.c.id)
    .join(_OWN, _OWN.c.business_id == scopes.c.business_id)
    .where(_OWN.c.id == bindparam("this_scope"))
)
_LINKED_IDS = select(links.c.kashoo_id).where(
    links.c.scope_id.in_(_SAME_BOOKS),
    IS_LIVE,
    links.c.target == bindparam("this_target"),
)

CHUNK = 500
"""Values in one IN list; SQLite's older limit on variables is 999."""


@dataclass(frozen=True, slots=True)
class Linked:
    """One row of the table ``links``, without the hashes from which a change of the deal is found.

    :param version: rises with every confirmed write of the sale, across all its links; an intent planned from an
        older version is stale.
    :param expected_total: minor units.
    :param journal_date: ``YYYY-MM-DD`` under which the invoice was written.
    :param settlement: last known status, see :mod:`airflow_provider_kashoo.core.rules.settlement`.
    :param written_back: Salesforce field -> hash of what we last wrote there.
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
    written_back: Mapping[str, str]

    @property
    def record(self) -> Record:
        """The Salesforce record."""
        return Record(self.target, self.source_object, self.source_id, self.part)

    def applied_to(self, intent: Intent) -> Intent:
        """Give an intent of its record as one about this link: its part, generation, version and Kashoo id."""
        record = replace(intent.record, part=self.part)
        own = replace(intent, record=record, generation=self.generation, link_version=self.version)
        return replace(own, kashoo_id=self.kashoo_id)

    def intent(self, sync: str, **more: Any) -> Intent:
        """Make an undecided intent about this link's record.

        :param sync: name of the sync that plans it.
        :param more: further fields of the intent; they override those of the link.
        """
        own: dict[str, Any] = {
            "record": self.record,
            "sale": self.sale_id,
            "generation": self.generation,
            "kashoo_id": self.kashoo_id,
            "link_version": self.version,
        }
        return Intent(**{"sync": sync} | own | more)


@dataclass(frozen=True)
class Link(Linked):
    """One whole row of the table ``links``.

    :param fields: field -> (hash as sent, hash as read back).
    :param sources: from what each field was made; None if that is not known.
    :param observed: what was seen last of both sides, see :mod:`~airflow_provider_kashoo.core.rules.observed`.
    """

    fields: Mapping[str, tuple[str, str]]
    sources: Sources | None
    observed: Observed | None

    def followed(self, source_id: str, sale_id: str, ended: int) -> Link:
        """Return this link moved to another record or sale.

        :param ended: version at which the last link of that sale ended, 0 for none; its versions continue from there.
        """
        return replace(self, source_id=source_id, sale_id=sale_id, version=max(self.version, ended) + 1)


@dataclass(frozen=True)
class LinkChange:
    """The changes that a confirmed write makes to a link.

    :param fields: the new base hashes of the fields that were written.
    :param sources: from what the record is made now; None leaves what is known of a live link.
    :param observed: what was seen of other fields; None leaves what is known of a live link.
    """

    kashoo_id: int
    fields: Mapping[str, tuple[str, str]]
    sources: Sources | None = None
    observed: Observed | None = None
    currency: str | None = None
    expected_total: int | None = None
    journal_date: str | None = None


class Links:
    """Links of one scope; live ones, unless stated otherwise."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def of_sources(self, kind: str, source_ids: Iterable[str]) -> dict[str, Link]:
        """Source id -> its link; of several parts the first."""
        return _firsts((link.source_id, link) for link in self._in(kind, links.c.source_id, source_ids))

    def parts_of(self, kind: str, source_ids: Iterable[str]) -> dict[str, dict[int, Link]]:
        """Source id -> part -> its link, of those that are linked."""
        found: dict[str, dict[int, Link]] = {}
        for link in self._in(kind, links.c.source_id, source_ids):
            found.setdefault(link.source_id, {})[link.part] = link
        return found

    def of_sales(self, sale_ids: Iterable[str]) -> dict[str, Link]:
        """Sale id -> the link of its invoice; of several parts the first."""
        return _firsts((link.sale_id, link) for link in self._in(INVOICE.name, links.c.sale_id, sale_ids))

    def of_target(self, kind: str) -> list[Link]:
        """List every live link of one kind; there may be a million, see :mod:`.linked_records` for less."""
        return self._select(_LIVE, kind)

    def ended(self, kind: str) -> list[Link]:
        """List every link of one kind that ended because we voided its invoice."""
        return self._select(select(links).where(*_VOIDED).order_by(links.c.id), kind)

    def of_kashoo(self, kind: str, kashoo_ids: Iterable[int]) -> dict[int, Link]:
        """Kashoo id -> its link."""
        return {link.kashoo_id: link for link in self._in(kind, links.c.kashoo_id, kashoo_ids)}

    def sharing(self, kind: str, kashoo_ids: Iterable[int]) -> list[Link]:
        """List the links to records of the books, oldest first; several Salesforce records may share one."""
        return sorted(self._in(kind, links.c.kashoo_id, kashoo_ids), key=lambda link: link.id)

    def linked_ids(self, kind: str, only: Iterable[int] | None = None) -> set[int]:
        """List the Kashoo ids that are linked, by this org or by another one with the same books.

        :param only: of these Kashoo ids; of all, if not given.
        """
        parts = [_LINKED_IDS] if only is None else [_LINKED_IDS.where(links.c.kashoo_id.in_(x)) for x in chunks(only)]
        return {ident for query in parts for (ident,) in self._rows(query, kind)}

    def ended_versions(self, kind: str, sale_ids: Iterable[str] | None = None) -> dict[tuple[str, int], int]:
        """Return the version at which the last link of each sale and part ended; new links continue from there.

        :param sale_ids: of these sales; of all, if not given.
        """
        every = _ENDED_VERSIONS
        parts = [every] if sale_ids is None else [every.where(links.c.sale_id.in_(x)) for x in chunks(sale_ids)]
        return {(sale_id, part): version for query in parts for sale_id, part, version in self._rows(query, kind)}

    def ended_references(self, kind: str, source_ids: Iterable[str] | None = None) -> list[Reference]:
        """List the references of the links that ended because we voided their invoice.

        :param source_ids: of these records; of all, if not given.
        """
        every = _ENDED_REFERENCES
        parts = [every] if source_ids is None else [every.where(links.c.source_id.in_(x)) for x in chunks(source_ids)]
        return [Reference(*row) for query in parts for row in self._rows(query, kind)]

    def holds(self, intent: Intent) -> bool:
        """Return whether the last link of an intent's sale, live or ended, is unchanged since the plan.

        It was neither written since, nor compared with a later reading of its source than the intent's. An update may
        be planned from the link that its own plan makes: another plan may have made one to another record instead.
        """
        found = _latest(self._scope, intent)
        version = found.version if found else 0
        if intent.action.overwrites and found and intent.kashoo_id not in {None, found.kashoo_id}:
            return False
        return bool(version == intent.link_version) and not _is_newer(found, intent)

    def is_newer(self, intent: Intent) -> bool:
        """Return whether the last link of an intent's sale was compared with a later reading than the intent's."""
        return _is_newer(_latest(self._scope, intent), intent)

    def end(self, intent: Intent) -> bool:
        """End the live link of an intent, because its invoice is voided.

        :returns: whether it was compared with a later reading of its source than the intent's.
        """
        with self._scope.writing() as scope:
            names = sale_names(scope, intent)
            known = scope.connection.execute(_LATEST, names).one()
            values = {"state": VOIDED, "version": known.version + 1, "updated_at": scope.now}
            scope.connection.execute(_UPDATE, {**names, **values})
            return _is_newer(known, intent)

    def put(self, intent: Intent, change: LinkChange) -> bool:
        """Make or renew the link of an intent.

        :returns: whether it was compared with a later reading of its source than the intent's.
        """
        with self._scope.writing() as scope:
            last = _latest(scope, intent)
            known = last if last and last.state == LIVE else None
            same = known if known and known.generation == intent.generation else None
            read = max(intent.source_read, (known.source_read if known else None) or "")  # it never goes back
            seen = (same.observed if same and change.observed is None else change.observed) or {}
            values: dict[str, Any] = {
                "kashoo_id": change.kashoo_id,
                "observed": {name: each for name, each in seen.items() if name not in change.fields} or None,
                "fields": {
                    **(same.fields if same else {}),
                    **{name: list(pair) for name, pair in change.fields.items()},
                },
                "version": (last.version if last else 0) + 1,
                "updated_at": scope.now,
                **({"source_read": read} if read else {}),
            }
            for name in ("currency", "expected_total", "journal_date", "sources"):
                if getattr(change, name) is not None:
                    values[name] = getattr(change, name)
            if known:
                if not same:  # another invoice of the record: nothing of it was written back yet
                    forgotten: dict[str, Any] = {"written_back": {}, "settlement": None, "told_read": None}
                    values |= {"generation": intent.generation, "sources": change.sources, **forgotten}
                scope.connection.execute(_UPDATE, {**sale_names(scope, intent), **values})
            else:
                scope.connection.execute(_INSERT, {**_new(scope, intent), **values})
            return _is_newer(last, intent)

    def overwritten(self, intent: Intent, change: LinkChange) -> None:
        """Record on an intent's live link that its older write, assumed lost, was executed after all.

        Where the two differ, it is unknown what the books hold: the field is planned again. Its value in the books is
        ours, and not an edit by hand.
        """
        with self._scope.writing() as scope:
            known = _latest(scope, intent)
            if known is None or known.state != LIVE or known.kashoo_id != change.kashoo_id:
                return
            same = {name for name, (sent, _) in change.fields.items() if known.fields.get(name, [""])[0] == sent}
            # In fields that the late write did not send, an edit by hand still counts as one.
            touched = {n: pair for n, pair in change.fields.items() if n not in same or n in intent.written}
            fields = {name: (sent if name in same else UNKNOWN, read) for name, (sent, read) in touched.items()}
            Links(scope).put(intent, LinkChange(change.kashoo_id, fields))

    def followed_since(self, intent: Intent, kashoo_id: int) -> Intent:
        """Return an intent with the record and sale to which its link moved since it was sent."""
        kind = intent.record.kind
        found = self._select(_LIVE.where(links.c.kashoo_id == kashoo_id), kind)
        if not found or any(each.sale_id == (intent.sale or intent.record.id) for each in found):
            return intent
        now = found[0]
        return replace(intent, record=Record(kind, now.source_object, now.source_id, now.part), sale=now.sale_id)

    def follow(self, intent: Follow) -> None:
        """Move a link to another record, into which its own was merged, or to another sale."""
        with self._scope.writing() as scope:
            names = sale_names(scope, intent)
            was = dict(scope.connection.execute(_LIVE_ROW, names).mappings().one())
            ended = scope.connection.execute(_LATEST, {**names, "this_sale": intent.into_sale}).one_or_none()
            now = _link(was).followed(intent.into, intent.into_sale, ended.version if ended else 0)
            moved = {"source_id": now.source_id, "sale_id": now.sale_id, "version": now.version}
            scope.connection.execute(_UPDATE, {**names, **moved, "updated_at": scope.now})
            del was["id"]
            scope.connection.execute(_INSERT, {**was, "state": FOLLOWED, "version": now.version})

    def _in(self, kind: str, column: Any, values: Iterable[Any]) -> Iterator[Link]:
        for some in chunks(values):
            yield from self._select(_LIVE.where(column.in_(some)), kind)

    def _select(self, query: Any, kind: str) -> list[Link]:
        with self._scope.reading() as connection:
            found = connection.execute(query, {"this_scope": self._scope.id, "this_target": kind})
            return [_link(row) for row in found.mappings()]

    def _rows(self, query: Any, kind: str) -> Sequence[Any]:
        with self._scope.reading() as connection:
            return connection.execute(query, {"this_scope": self._scope.id, "this_target": kind}).all()


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Divide values into IN lists, sorted; each value comes once."""
    wanted = sorted(set(values))
    return (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))


def _firsts(found: Iterable[tuple[str, Link]]) -> dict[str, Link]:
    """Keep one link for each id: the lowest part, of equal ones the newest."""
    firsts: dict[str, Link] = {}
    for ident, link in found:
        known = firsts.get(ident)
        if known is None or link.part <= known.part:
            firsts[ident] = link
    return firsts


def _latest(scope: Scope, intent: Intent) -> Any:
    """Return the last link of an intent's sale, live or ended; None when it never had one."""
    with scope.reading() as connection:
        return connection.execute(_LATEST, sale_names(scope, intent)).one_or_none()


def _is_newer(found: Any, intent: Intent) -> bool:
    return bool(found and intent.source_read and found.source_read and found.source_read > intent.source_read)


def sale_names(scope: Scope, intent: Intent) -> dict[str, Any]:
    """Return the SQL parameters that identify an intent's sale."""
    record = intent.record
    return {
        "this_scope": scope.id,
        "this_target": record.kind,
        "this_sale": intent.sale or record.id,
        "this_part": record.part,
    }


def _new(scope: Scope, intent: Intent) -> dict[str, Any]:
    record = intent.record
    return {
        "scope_id": scope.id,
        "target": record.kind,
        "source_object": record.object,
        "source_id": record.id,
        "part": record.part,
        "generation": intent.generation,
        "sale_id": intent.sale or record.id,
        "state": LIVE,
        "written_back": {},
        "created_at": scope.now,
    }


def _link(row: Mapping[Any, Any]) -> Link:
    kept = {name: row[name] for name in Link.__dataclass_fields__}
    kept["fields"] = {name: (pair[0], pair[1]) for name, pair in row["fields"].items()}
    return Link(**kept)
