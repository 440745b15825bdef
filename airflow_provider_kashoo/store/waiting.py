"""Records that wait: parked with their cause and fix, or read again while the outcome of their write is not known.

Every run reads them again, and what waits closes by itself when its record is written or needs no write any more.
"""

from __future__ import annotations

from sqlalchemy import select

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import BOOKS_TARGETS
from airflow_provider_kashoo.core.rules.operations import UNSETTLED, Event, State, after
from airflow_provider_kashoo.core.rules.plan import PlanRow
from airflow_provider_kashoo.store import audit
from airflow_provider_kashoo.store import links as link_rows
from airflow_provider_kashoo.store import operation_rows as rows
from airflow_provider_kashoo.store.database import Database, Transaction
from airflow_provider_kashoo.store.tables import operations

CHANGED_MEANWHILE = Problem(
    "changed_meanwhile", "another run wrote it since the plan", "Nothing: it is planned again by itself."
)

_ANY_TIME = "9999"


class Waiting:
    """The waiting records of one scope."""

    def __init__(self, database: Database, scope_id: int) -> None:
        self._database, self._scope_id = database, scope_id

    def park(self, row: PlanRow, problem: Problem, run_id: str) -> bool:
        """Keep a record that cannot be sent, with its cause and fix; a second call renews them.

        :returns: False when a later reading of the record was acted on meanwhile, and counts instead.
        """
        with self._database.writing(self._scope_id) as transaction:
            if row.target in BOOKS_TARGETS and link_rows.is_newer(transaction, row):
                return False
            park(transaction, row, problem, run_id)
            return True

    def park_if_overtaken(self, row: PlanRow, run_id: str) -> bool:
        """Park a row that writes nothing when it does not hold any more, so that the next run reads its record.

        :returns: whether it does not hold; it is not parked where a later reading was acted on meanwhile.
        """
        with self._database.writing(self._scope_id) as transaction:
            if row.link_version == 0 or link_rows.holds(transaction, row):
                return link_rows.is_newer(transaction, row)
            if not link_rows.is_newer(transaction, row):
                park(transaction, row, CHANGED_MEANWHILE, run_id)
            return True

    def wait(self, row: PlanRow, run_id: str) -> None:
        """Note that a record was read again while the outcome of its write is not known: nothing is done about it yet.

        Its record is read once more when that is known; if it became known since the plan, by the next run.
        """
        names = rows.record(self._scope_id, row)
        with self._database.writing(self._scope_id) as transaction:
            if transaction.connection.execute(rows.SEE, {**names, "this_seen": row.source_read}).rowcount:
                close(transaction, row)  # why it could not be sent before says nothing any more
                return
            waits = transaction.connection.execute(rows.WAITING, names).first()
            if not waits and not link_rows.is_newer(transaction, row):
                park(transaction, row, CHANGED_MEANWHILE, run_id)

    def release(self, row: PlanRow) -> None:
        """Close what is parked for a record that needs no write any more."""
        with self._database.writing(self._scope_id) as transaction:
            close(transaction, row)

    def sources(self, source_object: str) -> list[str]:
        """List the records of one object that are read again in every run."""
        with self._database.begin() as connection:
            found = connection.execute(
                select(operations.c.source_id)
                .where(
                    operations.c.scope_id == self._scope_id,
                    operations.c.source_object == source_object,
                    operations.c.state.in_([state.value for state in UNSETTLED]),
                )
                .distinct()
            )
            return sorted(found.scalars())


def park(transaction: Transaction, row: PlanRow, problem: Problem, run_id: str) -> None:
    """Park a record within the caller's transaction; a second call renews cause and fix."""
    parked = transaction.connection.execute(rows.PARKED, rows.record(transaction.scope_id, row)).scalar()
    values = {
        **rows.identity(row),
        "run_id": run_id,
        "state": after(State.PARKED if parked else None, Event.BLOCKED),
        "link_version": row.link_version,
        "error_class": problem.error_class,
        "cause": problem.cause,
        "fix": problem.fix,
    }
    if parked:
        transaction.connection.execute(rows.UPDATE, {"this_id": parked, **values})
        return
    ident = rows.new(transaction, {**values, "attempts": 0})
    audit.note(transaction, row, State.PARKED.value, problem.cause, run_id, ident)


def close(transaction: Transaction, row: PlanRow) -> None:
    """Close what is parked for a record within the caller's transaction, unless a later reading parked it."""
    closed = {"state": after(State.PARKED, Event.SUPERSEDED), "closed_at": transaction.now}
    read = row.source_read or _ANY_TIME
    transaction.connection.execute(
        rows.CLOSE_PARKED, {**rows.record(transaction.scope_id, row), **closed, "this_read": read}
    )
