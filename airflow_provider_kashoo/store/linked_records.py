"""Which records are linked, without the links themselves: narrow rows, by id or in pages, through an index."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from sys import intern
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, and_, bindparam, cast, func, select

from airflow_provider_kashoo.core.rules.diff import UNKNOWN
from airflow_provider_kashoo.store.links import CHUNK, IS_LIVE, chunks
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links

PAGE = 2 * CHUNK
"""Ids in one page of all that is linked."""

_SCOPE = links.c.scope_id == bindparam("this_scope")
_OF_KIND = (_SCOPE, links.c.target == bindparam("this_target"), IS_LIVE)
_OF_OBJECT = (
    _SCOPE,
    links.c.target.in_(bindparam("these_targets", expanding=True)),
    links.c.source_object == bindparam("this_object"),
    IS_LIVE,
)
_SOURCES = select(links.c.source_id).where(*_OF_OBJECT)
_SALES = select(links.c.source_id, links.c.sale_id).where(*_OF_KIND)
_STANDING = select(
    links.c.source_id,
    links.c.sale_id,
    links.c.part,
    links.c.generation,
    links.c.version,
    links.c.kashoo_id,
    cast(links.c.sources, Text),
    cast(links.c.fields, Text).contains(f'["{UNKNOWN}"'),
).where(*_OF_KIND)
_BILLED = select(
    *(links.c.source_object, links.c.source_id, links.c.part, links.c.kashoo_id),
    *(links.c.currency, links.c.expected_total, links.c.journal_date, links.c.settlement),
).where(*_OF_KIND)
_BILLED_BETWEEN = _BILLED.where(
    links.c.journal_date >= bindparam("this_first"), links.c.journal_date <= bindparam("this_last")
)
_KASHOO_IDS = select(links.c.kashoo_id).where(*_OF_KIND)
_SETTLED_AS = and_(*_OF_KIND, links.c.settlement == bindparam("this_settlement"))
_NOT_SETTLED = and_(*_OF_KIND, links.c.settlement.is_(None))


def _oldest(where: Any) -> Select[Any]:
    """Build the query for the first date, and for a link without one: each is one place in an index."""
    undated = select(links.c.id).where(where, links.c.journal_date.is_(None)).exists()
    return select(select(func.min(links.c.journal_date)).where(where).scalar_subquery(), undated)


_OLDEST, _OLDEST_NOT_SETTLED = _oldest(_SETTLED_AS), _oldest(_NOT_SETTLED)

_IDS_SETTLED_AS, _IDS_NOT_SETTLED = (select(links.c.kashoo_id).where(each) for each in (_SETTLED_AS, _NOT_SETTLED))


class Standing(NamedTuple):
    """A link, as far as it says whether its record changed in Salesforce.

    :ivar made_from: from what each field was made, as JSON; None if that is not known.
    :ivar uncertain: whether it is not known of some field what was last written.
    """

    source_id: str
    sale_id: str
    part: int
    generation: int
    version: int
    kashoo_id: int
    made_from: str | None
    uncertain: bool


class BilledLink(NamedTuple):
    """A link, as far as it says what was billed.

    :ivar total: expected total with taxes, minor units; None if it is not known.
    :ivar date: under which it was written, ``YYYY-MM-DD``.
    """

    source_object: str
    source_id: str
    part: int
    kashoo_id: int
    currency: str | None
    total: int | None
    date: str | None
    settlement: str | None


class LinkedRecords:
    """The records of one scope that have a live link."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def sources(self, kinds: Collection[str], source_object: str, among: Iterable[str]) -> set[str]:
        """List which of some Salesforce records are linked.

        :param kinds: linked to a record of one of these kinds.
        """
        named = {"these_targets": sorted(kinds), "this_object": source_object}
        queries = (_SOURCES.where(links.c.source_id.in_(some)) for some in chunks(among))
        return {ident for query in queries for ident in self._column(query, named)}

    def sales_of(self, kind: str, sources: Iterable[str]) -> dict[str, str]:
        """Give the sale of each of some Salesforce records that is linked."""
        return dict(self._rows(_SALES, kind, links.c.source_id, sources))

    def standing(self, kind: str, sources: Iterable[str]) -> dict[str, Standing]:
        """Give the links of some Salesforce records, without what was written."""
        return {each[0]: Standing(*each) for each in self._rows(_STANDING, kind, links.c.source_id, sources)}

    def billed_between(self, kind: str, first: str, last: str) -> Iterator[BilledLink]:
        """Give what was billed under the dates of a period, ``YYYY-MM-DD``, both included; in no order."""
        named = {"this_scope": self._scope.id, "this_target": kind, "this_first": first, "this_last": last}
        with self._scope.reading() as connection:
            for some in connection.execution_options(yield_per=PAGE).execute(_BILLED_BETWEEN, named).partitions():
                yield from map(_billed, some)

    def billed_of(
        self, kind: str, *, sources: Iterable[str] = (), kashoo_ids: Iterable[int] = ()
    ) -> Iterator[BilledLink]:
        """Give what was billed of some Salesforce records, and of some records of the books."""
        for column, among in ((links.c.source_id, sources), (links.c.kashoo_id, kashoo_ids)):
            yield from map(_billed, self._rows(_BILLED, kind, column, among))

    def sold_through(self, kind: str, sales: Iterable[str]) -> dict[str, str]:
        """Give the Salesforce record through which each of some sales is linked, of those that are."""
        return {sale: source for source, sale in self._rows(_SALES, kind, links.c.sale_id, sales)}

    def pages_of_sources(self, kinds: Collection[str], source_object: str) -> Iterator[list[str]]:
        """Give the ids of all linked records of an object, in order, a page at a time."""
        named = {"these_targets": sorted(kinds), "this_object": source_object}
        return self._pages(_SOURCES, links.c.source_id, "", named)

    def kashoo_ids(self, kind: str, among: Iterable[int]) -> set[int]:
        """List which of some records of the books are linked."""
        queries = (_KASHOO_IDS.where(links.c.kashoo_id.in_(some)) for some in chunks(among))
        return {ident for query in queries for ident in self._column(query, {"this_target": kind})}

    def pages_of_kashoo_ids(self, kind: str) -> Iterator[list[int]]:
        """Give the Kashoo ids of all linked records of a kind, in order, a page at a time."""
        return self._pages(_KASHOO_IDS, links.c.kashoo_id, -1, {"this_target": kind})

    def any_of(self, kind: str) -> bool:
        """Say whether any record of a kind is linked."""
        return bool(self._column(_KASHOO_IDS.limit(1), {"this_target": kind}))

    def billed_to(self, kind: str, name: str, hashes: Iterable[str]) -> dict[tuple[str, str | None], tuple[int, int]]:
        """Say what was billed with some values of a field: how many records, and the largest total, minor units.

        :param name: of the field, such as the one with the customer.
        :param hashes: of the values, as they were sent.
        :returns: by hash and currency.
        """
        sent = links.c.fields[name][0].as_string()
        query = select(sent, links.c.currency, func.count(), func.max(func.coalesce(links.c.expected_total, 0)))
        query = query.where(*_OF_KIND).group_by(sent, links.c.currency)
        named = {"this_scope": self._scope.id, "this_target": kind}
        found: dict[tuple[str, str | None], tuple[int, int]] = {}
        with self._scope.reading() as connection:
            for some in chunks(hashes):
                for sent_hash, currency, *billed in connection.execute(query.where(sent.in_(some)), named):
                    found[sent_hash, currency] = billed[0], billed[1]
        return found

    def oldest_date(self, kind: str, settlements: Iterable[str | None]) -> str | None:
        """Return the earliest date under which a linked record was written, ``YYYY-MM-DD``.

        :param settlements: only of records with one of these.
        :returns: empty if one of them has no date; None if there is none of them.
        """
        found: set[str] = set()
        with self._scope.reading() as connection:
            for each in settlements:
                named = {"this_scope": self._scope.id, "this_target": kind}
                named |= {} if each is None else {"this_settlement": each}
                day, undated = connection.execute(_OLDEST_NOT_SETTLED if each is None else _OLDEST, named).one()
                found |= {""} if undated else {day} - {None}
        return min(found, default=None)

    def of_settlements(self, kind: str, settlements: Iterable[str | None]) -> set[int]:
        """List the Kashoo ids of the linked records with one of some settlements."""
        found = set[int]()
        for each in settlements:
            query = _IDS_NOT_SETTLED if each is None else _IDS_SETTLED_AS
            named = {"this_target": kind} | ({} if each is None else {"this_settlement": each})
            found.update(self._column(query, named))
        return found

    def _pages(self, query: Select[Any], column: Any, before: Any, named: dict[str, Any]) -> Iterator[list[Any]]:
        page = query.where(column > bindparam("after")).order_by(column).limit(PAGE)
        found: list[Any] = [before]
        while found := self._column(page, named | {"after": found[-1]}):
            yield list(dict.fromkeys(found))  # a record with two links comes once; DISTINCT would sort all of them

    def _rows(self, query: Select[Any], kind: str, column: Any, among: Iterable[Any]) -> Iterator[Any]:
        named = {"this_scope": self._scope.id, "this_target": kind}
        with self._scope.reading() as connection:
            for some in chunks(among):
                yield from connection.execute(query.where(column.in_(some)), named).all()

    def _column(self, query: Select[Any], named: dict[str, Any]) -> list[Any]:
        with self._scope.reading() as connection:
            return list(connection.execute(query, {"this_scope": self._scope.id, **named}).scalars())


def _billed(row: Any) -> BilledLink:
    """Make one of very many: equal texts are one text in memory."""
    sobject, source_id, part, kashoo_id, currency, total, day, settlement = row
    shared = (each and intern(each) for each in (currency, day, settlement))
    currency, day, settlement = shared
    return BilledLink(intern(sobject), source_id, part, kashoo_id, currency, total, day, settlement)
