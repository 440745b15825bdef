"""When the source of each link was last read and found equal to it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select, update

from airflow_provider_kashoo.core.rules.kept import Columns
from airflow_provider_kashoo.store.links import CHUNK, IS_LIVE, OF_KIND, chunks
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links

_NAMED = ("kind", "sale", "id", "part", "link_version", "source_read", "sources", "observed")
_KNOWN = select(links.c.sale_id, links.c.part, links.c.id, links.c.version, links.c.source_read).where(
    *OF_KIND, IS_LIVE
)
_ONE = update(links).where(links.c.id == bindparam("this_id"))
_SEVERAL = update(links).where(links.c.id.in_(bindparam("these_ids", expanding=True)))

Sale = tuple[str, str, int]
"""Kind, sale and part."""


@dataclass
class _Link:
    """A live link.

    :ivar read: when its source was last read, ISO 8601 UTC; empty if that is not known.
    :ivar noted: column -> JSON that is to be written; empty for a link that keeps what it has.
    """

    id: int
    version: int
    read: str
    noted: dict[str, str] = field(default_factory=dict)


class Readings:
    """The readings of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def mark(self, kept: Columns) -> list[int]:
        """Record when records were read that equal their links, and from what those are made now, if that is given.

        :returns: the rows whose link was written, or compared with a later reading, since the plan was made.
        """
        overtaken: list[int] = []
        for start in range(0, kept.num_rows, CHUNK):
            with self._scope.writing() as scope:  # a transaction for each part: others get their turn between them
                overtaken += (start + row for row in _mark(scope, kept.slice(start, CHUNK)))
        return overtaken


def _mark(scope: Scope, kept: Columns) -> list[int]:
    """Mark the links of some records, in few statements; return the rows that were overtaken.

    What is compared here cannot change before it is written: the transaction holds the lock of the scope.
    """
    rows = list(zip(*(kept[name].to_pylist() for name in _NAMED), strict=True))
    sales = [(kind, sale or ident, part) for kind, sale, ident, part, *_ in rows]
    known, marked, overtaken = _known(scope, sales), dict[int, _Link](), list[int]()
    for row, (sale, (*_, version, read, sources, observed)) in enumerate(zip(sales, rows, strict=True)):
        link = known.get(sale)
        if link is None or link.version != version or link.read > read:
            overtaken.append(row)
            continue
        link.read = read
        link.noted |= {n: text for n, text in (("sources", sources), ("observed", observed)) if text is not None}
        marked[link.id] = link
    _write(scope, marked.values())
    return overtaken


def _write(scope: Scope, marked: Iterable[_Link]) -> None:
    """Write what is the same for several links at once."""
    same: dict[str, list[int]] = defaultdict(list)
    made: dict[frozenset[str], list[dict[str, Any]]] = defaultdict(list)  # a statement has the same columns for all
    for link in marked:
        if not link.noted:
            same[link.read].append(link.id)
        else:
            noted = {column: json.loads(text) for column, text in link.noted.items()}
            made[frozenset(noted)].append({"this_id": link.id, "source_read": link.read, **noted})
    for read, ids in same.items():
        scope.connection.execute(_SEVERAL, {"these_ids": ids, "source_read": read})
    for each in made.values():
        scope.connection.execute(_ONE, each)


def _known(scope: Scope, sales: Sequence[Sale]) -> dict[Sale, _Link]:
    """Load the live links of some sales."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for kind, sale, _ in sales:
        wanted[kind].add(sale)
    found: dict[Sale, _Link] = {}
    for kind, ids in wanted.items():
        names = {"this_scope": scope.id, "this_target": kind}
        for some in chunks(ids):
            rows = scope.connection.execute(_KNOWN.where(links.c.sale_id.in_(some)), names)
            found |= {
                (kind, sale, part): _Link(ident, version, read or "") for sale, part, ident, version, read in rows
            }
    return found
