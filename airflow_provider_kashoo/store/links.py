"""This Salesforce record is that Kashoo record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from airflow_provider_kashoo.core.plan import PlanRow
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.tables import links

CHUNK = 500
"""Values in one IN list; SQLite's older limit on variables is 999."""


@dataclass(frozen=True)
class Link:
    """One row of the table ``links``.

    :param version: rises with every confirmed write; a plan row made from an older one is stale.
    :param fields: field -> (hash as sent, hash as read back).
    :param written_back: Salesforce field -> hash of what we last wrote there.
    :param settlement: status last seen, see :mod:`airflow_provider_kashoo.core.settlement`.
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
    """Live links of one scope."""

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
        return list(self._select(links.c.target == target))

    def of_kashoo(self, target: str, kashoo_ids: Iterable[int]) -> dict[int, Link]:
        """Kashoo id -> its link."""
        return {link.kashoo_id: link for link in self._in(target, links.c.kashoo_id, kashoo_ids)}

    def _in(self, target: str, column: Any, values: Iterable[Any]) -> Iterator[Link]:
        wanted = sorted(set(values))
        for start in range(0, len(wanted), CHUNK):
            yield from self._select(links.c.target == target, column.in_(wanted[start : start + CHUNK]))

    def _select(self, *where: Any) -> list[Link]:
        with self._database.begin() as connection:
            found = connection.execute(
                select(links)
                .where(links.c.scope_id == self._scope_id, links.c.state == "live", *where)
                .order_by(links.c.id)
            ).mappings()
            return [_link(row) for row in found]


def version_of(connection: Connection, scope_id: int, row: PlanRow) -> int:
    """Read the version of the live link a plan row speaks of; 0 when there is none."""
    found = connection.execute(select(links.c.version).where(*_same_record(scope_id, row))).scalar_one_or_none()
    return int(found or 0)


def put(connection: Connection, scope_id: int, row: PlanRow, change: LinkChange, now: float) -> None:
    """Make or renew the link of a plan row, within the caller's transaction."""
    known = connection.execute(
        select(links.c.fields, links.c.version).where(*_same_record(scope_id, row))
    ).one_or_none()
    values: dict[str, Any] = {
        "kashoo_id": change.kashoo_id,
        "fields": {**(known.fields if known else {}), **{name: list(pair) for name, pair in change.fields.items()}},
        "version": (known.version if known else 0) + 1,
        "updated_at": now,
    }
    for name in ("currency", "expected_total", "journal_date"):
        if getattr(change, name) is not None:
            values[name] = getattr(change, name)
    if known:
        connection.execute(update(links).where(*_same_record(scope_id, row)).values(values))
        return
    connection.execute(
        insert(links).values(
            scope_id=scope_id,
            target=row.target,
            source_object=row.source_object,
            source_id=row.source_id,
            part=row.part,
            generation=row.generation,
            sale_id=row.sale_id or row.source_id,
            state="live",
            written_back={},
            created_at=now,
            **values,
        )
    )


def write_back(
    connection: Connection, scope_id: int, row: PlanRow, written: Mapping[str, str], settlement: str
) -> None:
    """Remember what Salesforce was told of a link's invoice, within the caller's transaction."""
    same = (
        links.c.scope_id == scope_id,
        links.c.target == "invoice",
        links.c.kashoo_id == row.kashoo_id,
        links.c.source_id == row.source_id,
        links.c.state == "live",
    )
    connection.execute(update(links).where(*same).values(written_back=dict(written), settlement=settlement))


def _same_record(scope_id: int, row: PlanRow) -> tuple[Any, ...]:
    return (
        links.c.scope_id == scope_id,
        links.c.target == row.target,
        links.c.sale_id == (row.sale_id or row.source_id),
        links.c.part == row.part,
        links.c.state == "live",
    )


def _link(row: Mapping[Any, Any]) -> Link:
    kept = {name: row[name] for name in Link.__dataclass_fields__}
    kept["fields"] = {name: (pair[0], pair[1]) for name, pair in row["fields"].items()}
    return Link(**kept)
