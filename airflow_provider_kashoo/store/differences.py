"""What a person said about the differences of tie-outs: ids, names, months and states, no amounts.

A difference is open unless a row here says otherwise. The row's key is a keyed hash over everything that makes it this
difference, both amounts included: one whose amounts change is another difference, and open.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.receivables import OF_ACCOUNTS
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import audit
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import differences, scopes

OPEN, RESOLVED = "open", "resolved"

SHOWN = 12
"""So many characters of its key name a difference."""


@dataclass(frozen=True)
class Noted:
    """A difference as a tie-out found it.

    :param key: of the difference.
    :param month: ``YYYY-MM``.
    """

    key: str
    name: str
    currency: str
    month: str
    source_id: str | None
    kashoo_id: int | None


@dataclass(frozen=True)
class Mark:
    """What a person said about a difference."""

    state: str
    why: str


class Differences:
    """The differences of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def marks(self) -> Mapping[str, Mark]:
        """Key -> what a person said, of those that are not resolved."""
        query = select(differences).where(
            differences.c.scope_id == self._scope.id, differences.c.state.not_in([OPEN, RESOLVED])
        )
        with self._scope.reading() as connection:
            return {row.key: Mark(row.state, row.reason or "") for row in connection.execute(query)}

    def noted(self, month: str, names: Collection[str]) -> dict[str, int]:
        """Key -> Kashoo id, of those in a month that have one of some names and are not resolved."""
        mine = differences.c.scope_id == self._scope.id, differences.c.month == month
        query = select(differences.c.key, differences.c.kashoo_id).where(
            *mine, differences.c.name.in_(sorted(names)), differences.c.state != RESOLVED
        )
        with self._scope.reading() as connection:
            return {row.key: row.kashoo_id for row in connection.execute(query)}

    def note(self, found: Iterable[Noted], months: Collection[str], unseen: Collection[str] = ()) -> tuple[int, int]:
        """Keep what a tie-out found, and resolve what it did not find any more.

        :param months: those that it looked at as a whole.
        :param unseen: keys of those in them that it did not look at.
        :returns: how many are new, and how many are resolved.
        """
        by_key = {each.key: each for each in found}
        with self._scope.writing() as scope:
            mine = differences.c.scope_id == scope.id, differences.c.month.in_(sorted(months))
            query = select(differences.c.key, differences.c.state).where(*mine)
            known = {row.key: row.state for row in scope.connection.execute(query)}
            gone = [key for key, state in known.items() if state != RESOLVED and key not in {*by_key, *unseen}]
            back = [key for key, state in known.items() if state == RESOLVED and key in by_key]
            new = [vars(each) for key, each in by_key.items() if key not in known and each.month in months]
            times = {"scope_id": scope.id, "found_at": scope.now, "state": OPEN}
            if new:
                scope.connection.execute(insert(differences), [each | times for each in new])
            this = update(differences).where(
                differences.c.scope_id == scope.id, differences.c.key == bindparam("this_key")
            )
            ended = {"state": RESOLVED, "resolved_at": scope.now}
            again = {"state": OPEN, "resolved_at": None, "decided_by": None, "decided_at": None, "reason": None}
            for keys, values in ((gone, ended), (back, again)):
                if keys:
                    scope.connection.execute(this.values(**values), [{"this_key": key} for key in keys])
            return len(new), len(gone)

    def mark(self, ident: str, state: str, *, by: str, reason: str) -> Mapping[str, object] | None:
        """Say what a person thinks of a difference that was noted.

        :param ident: the first characters of its key, as the report shows them.
        :param state: what it becomes.
        :returns: the difference as it was; None unless exactly one that is not resolved is named so.
        """
        with self._scope.writing() as scope:
            query = select(differences).where(
                differences.c.scope_id == scope.id,
                differences.c.key.startswith(ident, autoescape=True),
                differences.c.state != RESOLVED,
            )
            found = scope.connection.execute(query.limit(2)).mappings().all()
            if len(found) != 1:
                return None
            row = dict(found[0])
            values = {"state": state, "decided_at": scope.now, "decided_by": by[:250], "reason": reason}
            scope.connection.execute(update(differences).where(differences.c.id == row["id"]).values(**values))
            kind = CUSTOMER.name if row["name"] in OF_ACCOUNTS else INVOICE.name
            record = Record(kind, "", str(row["source_id"] or ""))
            said = f"difference {row['name']} of {row['month']} {state} by {by}: {reason}"
            audit.note(scope, Intent(record=record), state, said, "by hand", None, row["kashoo_id"])
            return row


def said_of(database: Database, month: str, idents: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Say what is known now of differences that a report shows, by the ids that it shows; it takes no lock.

    :param month: in which they count, ``YYYY-MM``.
    :param idents: of a page of them.
    :returns: ``state``, ``decided_by``, ``decided_at`` (epoch seconds UTC) and ``reason``.
    :raises SyncError: as :meth:`.Database.reading`.
    """
    shown = func.substr(differences.c.key, 1, SHOWN)
    everywhere = differences.c.scope_id.in_(select(scopes.c.id))  # with the month it is the order of the index
    columns = differences.c.state, differences.c.decided_by, differences.c.decided_at, differences.c.reason
    query = select(shown.label("ident"), *columns).where(
        everywhere, differences.c.month == month, shown.in_(sorted(idents))
    )
    with database.reading() as connection:
        return {str(row["ident"]): dict(row) for row in connection.execute(query).mappings()}


def scopes_of(database: Database, ident: str) -> list[Scope]:
    """List the orgs and businesses that have a difference of this name; see :meth:`Differences.mark`."""
    query = select(differences.c.scope_id).where(differences.c.key.startswith(ident, autoescape=True)).distinct()
    with database.begin() as connection:
        return [Scope(database, ident) for ident in connection.execute(query).scalars()]
