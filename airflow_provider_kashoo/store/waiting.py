"""Records that wait: parked with cause and fix, or read again while the outcome of their write is unknown.

Every run reads them again. What is parked closes by itself when the record is written or needs no write any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import select

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.approval import REJECTED
from airflow_provider_kashoo.core.rules.intents import (
    Intent,
)
from airflow_provider_kashoo.core.rules.operations import UNSETTLED, Event, State, after
from airflow_provider_kashoo.core.rules.tries import Refused
from airflow_provider_kashoo.store import audit
from airflow_provider_kashoo.store import operations as rows
from airflow_provider_kashoo.store.links import Links
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import operations

CHANGED_MEANWHILE = Problem(
    "changed_meanwhile", "another run wrote it after the plan was made", "Nothing to do: it is planned again."
)

DAY_SECONDS = 86_400
_ANY_TIME = "9999"


class Waiting:
    """The waiting records of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def park(self, intent: Intent, problem: Problem, run_id: str, payload_hash: str | None = None) -> None:
        """Park a record that cannot be sent, with cause and fix; a second call updates them.

        :param payload_hash: of just what a person rejected.
        """
        with self._scope.writing() as scope:
            parked = scope.connection.execute(rows.PARKED, rows.names(scope, intent)).scalar()
            values = {
                **rows.columns(intent),
                "run_id": run_id,
                "state": after(State.PARKED if parked else None, Event.BLOCKED),
                "error_class": problem.error_class,
                "cause": problem.cause,
                "fix": problem.fix,
                **({"payload_hash": payload_hash} if payload_hash else {}),
            }
            if parked:
                scope.connection.execute(rows.UPDATE, {"this_id": parked, **values})
                return
            ident = rows.new(scope, {**values, "attempts": 0})
            audit.note(scope, intent, State.PARKED.value, problem.unquoted, run_id, ident)

    def park_unless_newer(self, intent: Intent, problem: Problem, run_id: str, payload_hash: str | None = None) -> bool:
        """Park a record, unless another run acted on a later reading of it.

        :param payload_hash: as in :meth:`park`.
        :returns: whether it was parked.
        """
        with self._scope.writing() as scope:
            if Links(scope).is_newer(intent):
                return False
            Waiting(scope).park(intent, problem, run_id, payload_hash)
            return True

    def park_if_overtaken(self, intent: Intent, run_id: str) -> bool:
        """Park the record of an outdated intent that writes nothing, so that the next run reads it.

        :returns: whether it is outdated; it is not parked if another run acted on a later reading.
        """
        with self._scope.writing() as scope:
            newer = Links(scope).is_newer(intent)
            if intent.link_version == 0 or Links(scope).holds(intent):
                return newer
            if not newer:
                Waiting(scope).park(intent, CHANGED_MEANWHILE, run_id)
            return True

    def wait(self, intent: Intent, run_id: str) -> None:
        """Record that a record was read again while the outcome of its write is unknown; nothing else is done yet.

        It is read once more when the outcome is known; if it became known since the plan, by the next run.
        """
        with self._scope.writing() as scope:
            named = rows.names(scope, intent)
            if scope.connection.execute(rows.SEE, {**named, "this_seen": intent.source_read}).rowcount:
                Waiting(scope).close(intent)  # its earlier cause is outdated
                return
            waits = scope.connection.execute(rows.WAITING, named).first()
            if not waits and not Links(scope).is_newer(intent):
                Waiting(scope).park(intent, CHANGED_MEANWHILE, run_id)

    def close(self, intent: Intent) -> None:
        """Close what is parked for a record that needs no write any more, unless a later reading parked it."""
        with self._scope.writing() as scope:
            said = {"cause": None, "fix": None}  # what was quoted may name a person, and helps nobody any more
            closed = {"state": after(State.PARKED, Event.SUPERSEDED), "closed_at": scope.now, **said}
            named = {**rows.names(scope, intent), "this_read": intent.source_read or _ANY_TIME}
            scope.connection.execute(rows.CLOSE_PARKED, {**named, **closed})

    def refused(self) -> dict[tuple[str, str, int], Refused]:
        """Return (kind, source id, part) -> its write that was sent, refused and parked."""
        found: dict[tuple[str, str, int], Refused] = {}
        days: dict[int, set[int]] = defaultdict(set)
        with self._scope.reading() as connection:
            for row in connection.execute(rows.REFUSED, {"this_scope": self._scope.id}).mappings():
                days[row["id"]].add(int(row["tried_at"] // DAY_SECONDS))
                found[row["target"], row["source_id"], row["part"]] = Refused(
                    action=Action(row["action"]),
                    fields=row["fields"] or {},
                    sources=row["sources"],
                    days=len(days[row["id"]]),
                    last=row["sent_at"],
                )
        return found

    def rejected(self) -> dict[str, str]:
        """Return key -> hash of what is written, of the writes that a person rejected."""
        with self._scope.reading() as connection:
            found = connection.execute(rows.IN_STATES, {"this_scope": self._scope.id, "these_states": [State.PARKED]})
            named = (row for row in found if row.error_class == REJECTED and row.payload_hash)
            return {row.key: row.payload_hash for row in named}

    def ask_again(self, idents: Collection[int]) -> None:
        """Forget what a person rejected about some operations, so that the next run asks about them again."""
        with self._scope.writing() as scope:
            for ident in idents:
                scope.connection.execute(rows.UPDATE, {"this_id": ident, "payload_hash": None})

    def note_asked(self, parked: Iterable[Mapping[str, Any]], by: str) -> None:
        """Note in the audit trail who asked for some parked operations to be tried again."""
        with self._scope.writing() as scope:
            for row in parked:
                about = rows.intent_of(row)
                audit.note(scope, about, "replayed", f"asked by {by}", "by hand", row["id"], row["kashoo_id"])

    def sources(self, source_object: str) -> list[str]:
        """List the records of one object that are read again in every run."""
        with self._scope.reading() as connection:
            found = connection.execute(
                select(operations.c.source_id)
                .where(
                    operations.c.scope_id == self._scope.id,
                    operations.c.source_object == source_object,
                    operations.c.state.in_([state.value for state in UNSETTLED]),
                )
                .distinct()
            )
            return sorted(found.scalars())
