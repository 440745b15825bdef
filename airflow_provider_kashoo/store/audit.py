"""The audit trail: one row per event of a record or plan, never changed, never deleted.

Each row has a hash over itself and the hash of the row before it in its org and business. So a row that is altered or
removed later no longer fits what follows. Whoever can write to the database can make all hashes anew: against that a
person notes the newest hash, the *head*, outside of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.values.ids import canonical
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import audit, scopes

HASHED = (
    *("at", "run_id", "operation_id", "event", "target", "source_object"),
    *("source_id", "kashoo_id", "fields", "reason"),
)
"""What the hash of a row covers, in this order, after the hash of the row before."""

PLAN = "plan"
"""In place of a kind, for what a person decided about a plan."""

PAGE = 5_000
"""Rows that are read in one transaction: on SQLite, nobody can write meanwhile."""

_INSERT = insert(audit)
_MINE = audit.c.scope_id == bindparam("this_scope")
_HEAD = select(audit.c.hash).where(_MINE).order_by(audit.c.id.desc()).limit(1)
_NEXT = select(audit).where(_MINE, audit.c.id > bindparam("after")).order_by(audit.c.id).limit(PAGE)


@dataclass(frozen=True)
class Chain:
    """What was found when the trail of one org and business was checked.

    :param entries: how many rows it has.
    :param head: the hash of the newest row; empty if there is none.
    :param broken: the first row that does not fit the one before it; None if all fit.
    :param has_noted: whether the head that a person noted is the hash of one of its rows.
    """

    org_id: str
    business_id: str
    entries: int
    head: str
    broken: Mapping[str, Any] | None
    has_noted: bool


def note(
    scope: Scope,
    intent: Intent,
    event: str,
    reason: str,
    run_id: str,
    operation_id: int | None = None,
    kashoo_id: int | None = None,
) -> None:
    """Add a row about a record within the current transaction.

    :param intent: gives the record and the names of the written fields; values are never stored.
    :param event: an action, a new state, or the result of a look-up.
    """
    record = intent.record
    _add(
        scope,
        run_id=run_id,
        operation_id=operation_id,
        event=event,
        target=record.kind,
        source_object=record.object,
        source_id=record.id,
        kashoo_id=kashoo_id,
        fields=sorted(intent.written),
        reason=reason,
    )


def note_decision(scope: Scope, sync: str, run_id: str, digest: str, decision: str, reason: str) -> None:
    """Add a row about a plan within the current transaction.

    :param reason: who decided, and why; the whole digest of the plan stands before it.
    """
    said = f"plan {digest}, {reason}"
    plan = {"target": PLAN, "source_object": sync, "source_id": digest[:18], "operation_id": None, "kashoo_id": None}
    _add(scope, run_id=run_id, event=decision, fields=[], reason=said, **plan)


def hash_of(before: str, row: Mapping[str, Any]) -> str:
    """Hash a row: SHA-256, as hex, of a JSON list of the hash before it and its values.

    The JSON has no spaces and is UTF-8; a time is written as the shortest decimal that is the same double.

    :param before: the hash of the row before; empty for the first.
    """
    return hashlib.sha256(canonical([before, *(row[name] for name in HASHED)]).encode()).hexdigest()


def entries(database: Database, since: float | None = None, until: float | None = None) -> Iterator[dict[str, Any]]:
    """Give the rows of all orgs and businesses, each with the two, oldest first in each.

    :param since: epoch seconds UTC.
    :param until: epoch seconds UTC, exclusive.
    """
    for scope_id, org_id, business_id in _scopes(database):
        for row in _rows(database, scope_id):
            if (since or 0) <= row["at"] and (until is None or row["at"] < until):
                yield {"org_id": org_id, "business_id": business_id, **row}


def check(database: Database, noted: str = "") -> Iterator[Chain]:
    """Check the trail of each org and business from its first row on.

    :param noted: a head that a person noted earlier.
    """
    for scope_id, org_id, business_id in _scopes(database):
        count, head, broken, has_noted = 0, "", None, False
        for row in _rows(database, scope_id):
            if broken is None and row["hash"] != hash_of(head, row):
                broken = row
            count, head = count + 1, row["hash"] or ""
            has_noted = has_noted or head == noted
        yield Chain(org_id, business_id, count, head, broken, has_noted)


def heads(database: Database) -> list[tuple[str, str, str]]:
    """List (org id, business id, head) of those that have rows."""
    with database.begin() as connection:
        rows = connection.execute(select(scopes.c.id, scopes.c.org_id, scopes.c.business_id).order_by(scopes.c.id))
        found = [(org, books, connection.execute(_HEAD, {"this_scope": ident}).scalar()) for ident, org, books in rows]
    return [(org, books, head) for org, books, head in found if head]


def _add(scope: Scope, **row: Any) -> None:
    """Add a row. All writers of a scope hold its lock, so the newest row stays the newest until this is committed."""
    before = scope.connection.execute(_HEAD, {"this_scope": scope.id}).scalar() or ""
    row |= {"at": float(scope.now)}
    scope.connection.execute(_INSERT, {"scope_id": scope.id, "hash": hash_of(before, row), **row})


def _scopes(database: Database) -> list[Any]:
    with database.begin() as connection:
        named = select(scopes.c.id, scopes.c.org_id, scopes.c.business_id).order_by(scopes.c.id)
        return list(connection.execute(named).all())


def _rows(database: Database, scope_id: int) -> Iterator[dict[str, Any]]:
    """Read a page after the other: rows are only ever added behind the last."""
    after = 0
    while True:
        with database.begin() as connection:
            page = [dict(row) for row in connection.execute(_NEXT, {"this_scope": scope_id, "after": after}).mappings()]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["id"]
