"""All that the store knows of one Salesforce record, or of one record of the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, func, select

from airflow_provider_kashoo.store.audit import PLAN
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.tables import approvals, audit, links, operations, review_items, scopes

Row = Mapping[str, Any]


@dataclass(frozen=True)
class History:
    """What one org and business knows of it, each list oldest first; times are epoch seconds UTC.

    :param links: which record of the books it is, ended links too.
    :param operations: every write that was planned: its state, its cause and fix if it waits.
    :param questions: what a person was asked.
    :param entries: what was done, from the audit.
    :param decisions: what people decided about plans of the runs that did it, from the audit.
    """

    org_id: str
    business_id: str
    links: list[Row]
    operations: list[Row]
    questions: list[Row]
    entries: list[Row]
    decisions: list[Row]


def history_of(database: Database, named: str) -> Iterator[History]:
    """Look it up in every org and business.

    :param named: 18-character Salesforce id, or the id of a record in Kashoo.
    :raises SyncError: as :meth:`.Database.begin`.
    """
    with database.begin() as connection:
        for scope in connection.execute(select(scopes).order_by(scopes.c.id)).all():
            sources = {named}
            if named.isdecimal():
                linked = select(links.c.source_id).where(links.c.scope_id == scope.id, links.c.kashoo_id == int(named))
                sources |= set(connection.execute(linked).scalars())
            found: list[list[Row]] = [
                [dict(row) for row in connection.execute(_rows(table, scope.id, sources)).mappings()]
                for table in (links, operations, review_items, audit)
            ]
            if any(found):
                linked_to, writes, asked, entries = found
                runs = sorted({row["run_id"] for row in entries})
                decided: list[Row] = [dict(row) for row in connection.execute(_decisions(scope.id, runs)).mappings()]
                yield History(scope.org_id, scope.business_id, linked_to, writes, asked, entries, decided)


def _decisions(scope_id: int, runs: list[str]) -> Select[Any]:
    """Look decisions up by the digests in the small table of approvals: the audit has no index by run."""
    decided = select(approvals.c.digest).where(approvals.c.scope_id == scope_id, approvals.c.run_id.in_(runs))
    with_digest = func.substr(decided.subquery().c.digest, 1, 18)
    mine = audit.c.scope_id == scope_id, audit.c.source_id.in_(select(with_digest)), audit.c.target == PLAN
    return select(audit).where(*mine).order_by(audit.c.id)


def _rows(table: Table, scope_id: int, sources: set[str]) -> Select[Any]:
    mine = table.c.scope_id == scope_id, table.c.source_id.in_(sorted(sources))
    return select(table).where(*mine).order_by(table.c.id)
