"""Review items: what was written but differs, and what a person has to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.plan import PlanRow
from airflow_provider_kashoo.store.database import Database, Transaction
from airflow_provider_kashoo.store.tables import review_items

_CLASSES: Any = bindparam("these_classes", expanding=True)
_OPEN = (review_items.c.scope_id == bindparam("this_scope"), review_items.c.closed_at.is_(None))
_OPEN_OF_RECORD = (
    *_OPEN,
    review_items.c.target == bindparam("this_target"),
    review_items.c.source_id == bindparam("this_source"),
    review_items.c.error_class.in_(_CLASSES),
)
_SAY_ANEW = update(review_items).where(review_items.c.id == bindparam("this_id"))
_SAME = select(review_items.c.id, review_items.c.cause, review_items.c.fix).where(*_OPEN_OF_RECORD)
_CLOSE = update(review_items).where(*_OPEN_OF_RECORD)
_CLOSE_ALL = update(review_items).where(*_OPEN_OF_RECORD[:-1], review_items.c.error_class.not_in(_CLASSES))
_ALL_OPEN = select(review_items).where(*_OPEN).order_by(review_items.c.id)
_INSERT = insert(review_items)


class Reviews:
    """Review items of one scope."""

    def __init__(self, database: Database, scope_id: int) -> None:
        self._database, self._scope_id = database, scope_id

    def open(self, row: PlanRow, problem: Problem, run_id: str) -> None:
        """Open an item; an open one for the same record and error class only gets the newer words."""
        with self._database.writing(self._scope_id) as transaction:
            open_item(transaction, row, problem, row.kashoo_id, run_id)

    def close(self, target: str, source_id: str, error_classes: Iterable[str]) -> None:
        """Close what was to be reviewed of a record, now that its cause is gone."""
        names = _names(self._scope_id, target, source_id, error_classes)
        with self._database.writing(self._scope_id) as transaction:
            transaction.connection.execute(_CLOSE, {**names, "closed_at": transaction.now})

    def sources(self, target: str, question: Problem) -> set[str]:
        """List the Salesforce records of which a question is open."""
        items = self.all_open()
        return {
            item["source_id"]
            for item in items
            if item["target"] == target and item["error_class"] == question.error_class
        }

    def all_open(self) -> list[Mapping[str, Any]]:
        """List open items, oldest first."""
        with self._database.begin() as connection:
            found = connection.execute(_ALL_OPEN, {"this_scope": self._scope_id})
            return [dict(row) for row in found.mappings()]


def open_item(transaction: Transaction, row: PlanRow, problem: Problem, kashoo_id: int | None, run_id: str) -> None:
    """Open an item within the caller's transaction, as :meth:`Reviews.open`."""
    same = _names(transaction.scope_id, row.target, row.source_id, [problem.error_class])
    if known := transaction.connection.execute(_SAME, same).first():
        if (known.cause, known.fix) != (problem.cause, problem.fix):
            said = {"this_id": known.id, "cause": problem.cause, "fix": problem.fix}
            transaction.connection.execute(_SAY_ANEW, said)
        return
    transaction.connection.execute(
        _INSERT,
        {
            "scope_id": transaction.scope_id,
            "run_id": run_id,
            "target": row.target,
            "source_object": row.source_object,
            "source_id": row.source_id,
            "kashoo_id": kashoo_id,
            "error_class": problem.error_class,
            "cause": problem.cause,
            "fix": problem.fix,
            "opened_at": transaction.now,
        },
    )


def close_all(transaction: Transaction, row: PlanRow, *, but: Iterable[str]) -> None:
    """Close what was to be reviewed of a plan row's record, within the caller's transaction.

    :param but: error classes that stay open.
    """
    names = {"this_scope": transaction.scope_id, "this_target": row.target, "this_source": row.source_id}
    closed = {**names, "these_classes": sorted(but), "closed_at": transaction.now}
    transaction.connection.execute(_CLOSE_ALL, closed)


def _names(scope_id: int, target: str, source_id: str, error_classes: Iterable[str]) -> dict[str, Any]:
    classes = sorted(error_classes)
    return {"this_scope": scope_id, "this_target": target, "this_source": source_id, "these_classes": classes}
