"""When the source of each link was last read and found equal to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.store.links import CHUNK, IS_LIVE, OF_KIND, OF_SALE, chunks, sale_names
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links

_KNOWN = select(links.c.sale_id, links.c.part, links.c.version, links.c.source_read).where(*OF_KIND, IS_LIVE)
_MARK = update(links).where(
    *OF_SALE,
    IS_LIVE,
    links.c.version == bindparam("this_version"),
    or_(links.c.source_read.is_(None), links.c.source_read <= bindparam("this_read")),
)


class Readings:
    """The readings of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def mark(self, intents: Iterable[Intent]) -> list[Intent]:
        """Record when records were read that equal their links, and from what those are made now, if that is given.

        :returns: the intents whose link was written, or compared with a later reading, since the plan was made.
        """
        wanted, overtaken = list(intents), list[Intent]()
        for start in range(0, len(wanted), CHUNK):
            with self._scope.writing() as scope:  # a transaction for each part: others get their turn between them
                overtaken += _mark(scope, wanted[start : start + CHUNK])
        return overtaken


def _mark(scope: Scope, intents: Sequence[Intent]) -> list[Intent]:
    """Mark the links of some intents, in few statements; return the intents that were overtaken.

    What is compared here cannot change before it is written: the transaction holds the lock of the scope.
    """
    known, overtaken = _known(scope, intents), list[Intent]()
    marks: dict[bool, list[dict[str, Any]]] = {True: [], False: []}  # with sources, and without
    for intent in intents:
        sale = intent.record.kind, intent.sale or intent.record.id, intent.record.part
        version, read = known.get(sale, (None, ""))
        if version != intent.link_version or read > intent.source_read:
            overtaken.append(intent)
            continue
        known[sale] = version, intent.source_read
        given = intent.sources is not None
        values = {"source_read": intent.source_read} | ({"sources": intent.sources} if given else {})
        these = {"this_version": version, "this_read": intent.source_read}
        marks[given].append(sale_names(scope, intent) | these | values)
    for some in filter(None, marks.values()):
        scope.connection.execute(_MARK, some)
    return overtaken


def _known(scope: Scope, intents: Sequence[Intent]) -> dict[tuple[str, str, int], tuple[int, str]]:
    """Load (kind, sale, part) -> version and last reading of the live links of some intents."""
    sales: dict[str, set[str]] = defaultdict(set)
    for each in intents:
        sales[each.record.kind].add(each.sale or each.record.id)
    found: dict[tuple[str, str, int], tuple[int, str]] = {}
    for kind, wanted in sales.items():
        names = {"this_scope": scope.id, "this_target": kind}
        for some in chunks(wanted):
            rows = scope.connection.execute(_KNOWN.where(links.c.sale_id.in_(some)), names)
            found |= {(kind, sale, part): (version, read or "") for sale, part, version, read in rows}
    return found
