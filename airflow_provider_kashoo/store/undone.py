"""What a run created, and which deals are not billed again because a person undid the run that billed them.

A void by an undoing run says the latter by itself. It is recorded in the transaction that ends the link, also when it
is only looked up later: so no crash, and no run in between, can let a deal be billed again that nobody asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import and_, or_, select, update

from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    Intent,
)
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.links import chunks
from airflow_provider_kashoo.store.operations import intent_of
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import links, operations, runs

UNDO = "undo__"
"""How the id of an undoing run begins; the id of the run that it undoes follows."""

UNDOES = "salesforce_to_kashoo"
"""The sync whose runs can be undone."""

_LONGEST_RUN_ID = 250

_LAST = links.alias("last")
_LATER = links.alias("later")
_ENDED = and_(
    *(_LAST.c[name] == operations.c[name] for name in ("scope_id", "target", "sale_id", "part")),
    _LAST.c.version == operations.c.link_version + 1,
)
_LINKED_SINCE = (
    select(_LATER.c.id)
    .where(*(_LATER.c[name] == _LAST.c[name] for name in ("scope_id", "target", "sale_id", "part")))
    .where(_LATER.c.version > _LAST.c.version)
    .exists()
)


def undoing(run_id: str) -> str:
    """Give the id of the run that undoes another one; a long one ends in a hash of it, because it has little room."""
    if len(named := f"{UNDO}{run_id}") <= _LONGEST_RUN_ID:
        return named
    return f"{named[: _LONGEST_RUN_ID - 17]}-{hashlib.sha256(run_id.encode()).hexdigest()[:16]}"


class Undone:
    """The undone runs of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def run_ids(self, sync: str) -> list[str]:
        """List the runs of a sync, the newest first."""
        query = select(runs.c.run_id).where(runs.c.scope_id == self._scope.id, runs.c.sync == sync)
        with self._scope.reading() as connection:
            return list(connection.execute(query.order_by(runs.c.id.desc())).scalars())

    def reopen(self, sync: str, run_id: str) -> None:
        """Let an undoing run that ended ask about what is left."""
        mine = runs.c.scope_id == self._scope.id, runs.c.sync == sync, runs.c.run_id == run_id
        with self._scope.writing() as scope:
            scope.connection.execute(update(runs).where(*mine).values(finished_at=None))

    def created_by(self, run_id: str, kind: str) -> list[Mapping[str, Any]]:
        """List the operations by which a run created records of a kind, or may have done so, in order."""
        sent = State.DONE, State.SENT, State.IN_DOUBT
        return self._operations(
            operations.c.run_id == run_id,
            operations.c.action == Action.CREATE,
            operations.c.target == kind,
            operations.c.state.in_(sent),
        )

    def records(self) -> set[tuple[str, str]]:
        """List (kind, source id) and (kind, id of the sale) of what was undone last, and is not to be billed again."""
        if not (voided := self._voided()):
            return set()
        found = self._operations(*voided, operations.c.id.in_(_last(voided)))
        return {(row["target"], row[name]) for row in found for name in ("source_id", "sale_id")}

    def next_of(self, run_id: str) -> list[Intent]:
        """Give what an undoing run keeps from being billed again: the next invoice of each deal, undecided."""
        if not (voided := self._voided()):
            return []
        found = self._operations(*voided, operations.c.run_id == run_id, operations.c.id.in_(_last(voided)))
        return [_next(row) for row in found]

    def bill_again(self, kind: str, ids: Collection[str]) -> None:
        """Note that a person wants deals to be billed again.

        :param ids: source ids, or ids of sales.
        """
        if not (voided := self._voided()):
            return
        with self._scope.writing() as scope:
            for some in chunks(ids):
                named = or_(operations.c.source_id.in_(some), operations.c.sale_id.in_(some))
                undone = update(operations).where(*voided, operations.c.target == kind, named)
                scope.connection.execute(undone.values(payload_hash=None))

    def _voided(self) -> tuple[Any, ...]:
        """Give what the voids of undoing runs have in common; nothing if there is no such run, as in most stores."""
        undoing = runs.c.run_id.startswith(UNDO, autoescape=True)
        query = select(runs.c.run_id).where(runs.c.scope_id == self._scope.id, runs.c.sync == UNDOES, undoing)
        with self._scope.reading() as connection:
            found = list(connection.execute(query).scalars())
        if not found:
            return ()
        return (
            operations.c.scope_id == self._scope.id,
            operations.c.run_id.in_(found),
            operations.c.action == Action.VOID,
            operations.c.state == State.DONE,
            operations.c.payload_hash.is_not(None),  # a person asked for a new invoice otherwise
        )

    def _operations(self, *which: Any) -> list[Mapping[str, Any]]:
        query = select(operations).where(operations.c.scope_id == self._scope.id, *which).order_by(operations.c.id)
        with self._scope.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _last(voided: tuple[Any, ...]) -> Any:
    """Select the voids that ended the last link of their sale."""
    return select(operations.c.id).join(_LAST, _ENDED).where(*voided, ~_LINKED_SINCE)


def _next(row: Mapping[str, Any]) -> Intent:
    values = vars(intent_of(row)) | {"kashoo_id": None, "source_read": "", "sources": None}
    own = {name: values[name] for name in Intent.__dataclass_fields__ if name in values}
    return Intent(**own | {"generation": row["generation"] + 1, "link_version": row["link_version"] + 1})
