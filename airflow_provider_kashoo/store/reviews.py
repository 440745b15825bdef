"""Review items: what was written but differs, and what a person has to decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.settled import NAMES, Settled, Side
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store import audit
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import review_items

_CLASSES: Any = bindparam("these_classes", expanding=True)
_OPEN = (review_items.c.scope_id == bindparam("this_scope"), review_items.c.closed_at.is_(None))
_OF_RECORD = (
    *_OPEN,
    review_items.c.target == bindparam("this_target"),
    review_items.c.source_id == bindparam("this_source"),
)
_OF_PART = (*_OF_RECORD, review_items.c.part == bindparam("this_part"))
_THESE = review_items.c.error_class.in_(_CLASSES)
_REWORD = update(review_items).where(review_items.c.id == bindparam("this_id"))
_SAME = select(review_items.c.id, review_items.c.cause, review_items.c.fix).where(*_OF_PART, _THESE)
_CLOSE = update(review_items).where(*_OF_RECORD, _THESE)
_CLOSE_PART = update(review_items).where(*_OF_PART, _THESE)
_CLOSE_ALL = update(review_items).where(*_OF_PART, review_items.c.error_class.not_in(_CLASSES))
_ALL_OPEN = select(review_items).where(*_OPEN).order_by(review_items.c.id)
_SOURCES = select(review_items.c.source_id, review_items.c.part).where(
    *_OPEN, review_items.c.target == bindparam("this_target"), _THESE
)
_SHOWN = select(review_items).where(
    *_OPEN, review_items.c.id == bindparam("this_id"), review_items.c.dismissed_at.is_(None)
)
_LEFT_AS_BOOKS = (
    select(review_items)
    .where(review_items.c.scope_id == bindparam("this_scope"), review_items.c.target == bindparam("this_target"))
    .where(review_items.c.closed_at.is_not(None), review_items.c.settled_for == Side.BOOKS.value)
    .order_by(review_items.c.closed_at, review_items.c.id)
)
_INSERT = insert(review_items)


class Reviews:
    """Review items of one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def open(self, intent: Intent, problem: Problem, run_id: str, kashoo_id: int | None = None) -> None:
        """Open an item; an open one for the same record and error class only gets the newer words.

        One that was dismissed or settled is asked again when the words differ: they name what differs.

        :param kashoo_id: the record of the books to look at; the intent's own when not given.
        """
        record = intent.record
        with self._scope.writing() as scope:
            same = _names(scope, record.kind, record.id, [problem.error_class], record.part)
            if known := scope.connection.execute(_SAME, same).first():
                if (known.cause, known.fix) != (problem.cause, problem.fix):
                    said = {"this_id": known.id, "cause": problem.cause, "fix": problem.fix}
                    scope.connection.execute(_REWORD, {**said, "dismissed_at": None, "settled_for": None})
                return
            scope.connection.execute(
                _INSERT,
                {
                    "scope_id": scope.id,
                    "run_id": run_id,
                    "target": record.kind,
                    "source_object": record.object,
                    "source_id": record.id,
                    "part": record.part,
                    "kashoo_id": kashoo_id or intent.kashoo_id,
                    "error_class": problem.error_class,
                    "cause": problem.cause,
                    "fix": problem.fix,
                    "opened_at": scope.now,
                },
            )

    def close(self, kind: str, source_id: str, error_classes: Iterable[str], part: int | None = None) -> None:
        """Close what was to be reviewed of a record, now that its cause is gone.

        :param part: of its invoices; all, if not given.
        """
        with self._scope.writing() as scope:
            names = _names(scope, kind, source_id, error_classes, part)
            scope.connection.execute(_CLOSE if part is None else _CLOSE_PART, {**names, "closed_at": scope.now})

    def dismiss(self, ident: int, by: str, reason: str) -> Mapping[str, Any] | None:
        """Leave an item as it is: it is not shown any more, until what it says changes.

        :param by: who says so.
        :returns: the item as it was; None if no item with this id is shown.
        """
        with self._scope.writing() as scope:
            found = scope.connection.execute(_SHOWN, {"this_scope": scope.id, "this_id": ident}).mappings().first()
            if found is None:
                return None
            left = {"dismissed_at": scope.now, "dismissed_by": by, "dismissed_reason": reason, "settled_for": None}
            scope.connection.execute(_REWORD, {"this_id": ident, **left})
            said = f"{found['error_class']} left as it is by {by}: {reason}"
            audit.note(scope, _about(dict(found)), "dismissed", said, "by hand", None, found["kashoo_id"])
            return dict(found)

    def settle(self, ident: int, side: Side, by: str, reason: str) -> bool:
        """Note which side is right; the item stays open until a run has done so.

        :param by: who says so.
        :returns: whether an item with this id is shown.
        """
        with self._scope.writing() as scope:
            found = scope.connection.execute(_SHOWN, {"this_scope": scope.id, "this_id": ident}).mappings().first()
            if found is None:
                return False
            said = {"settled_for": side.value, "settled_by": by, "settled_reason": reason}
            scope.connection.execute(_REWORD, {"this_id": ident, **said})
            words = f"{found['error_class']}: {NAMES[side]} is right, says {by}: {reason}"
            audit.note(scope, _about(dict(found)), "settled", words, "by hand", None, found["kashoo_id"])
            return True

    def settled(self) -> dict[tuple[str, str, int], dict[str, Settled]]:
        """Return (kind, source id, part) -> error class -> what a person said of the open question."""
        found: dict[tuple[str, str, int], dict[str, Settled]] = {}
        for item in self.all_open():
            if item["settled_for"]:
                said = _settled(item)
                numbered = item["target"], item["source_id"], item["part"]
                found.setdefault(numbered, {})[item["error_class"]] = said
        return found

    def settled_for_books(self, kind: str) -> dict[tuple[str, int], Settled]:
        """Return (source id, part) -> the last closed question of which a person said that the books are right."""
        with self._scope.reading() as connection:
            found = connection.execute(_LEFT_AS_BOOKS, {"this_scope": self._scope.id, "this_target": kind}).mappings()
            return {(row["source_id"], row["part"]): _settled(dict(row)) for row in found}

    def close_all(self, intent: Intent, *, but: Iterable[str]) -> None:
        """Close what was to be reviewed of an intent's record.

        :param but: error classes that stay open.
        """
        with self._scope.writing() as scope:
            names = _names(scope, intent.record.kind, intent.record.id, but, intent.record.part)
            scope.connection.execute(_CLOSE_ALL, {**names, "closed_at": scope.now})

    def sources(self, kind: str, question: Problem) -> set[str]:
        """List the Salesforce records of which a question is open."""
        return {source_id for source_id, _ in self.parts(kind, question)}

    def parts(self, kind: str, question: Problem) -> set[tuple[str, int]]:
        """List the Salesforce id and the part of each record of which a question is open."""
        names = {"this_scope": self._scope.id, "this_target": kind, "these_classes": [question.error_class]}
        with self._scope.reading() as connection:
            return {(source_id, part) for source_id, part in connection.execute(_SOURCES, names)}

    def all_open(self) -> list[Mapping[str, Any]]:
        """List open items, dismissed ones too, oldest first."""
        with self._scope.reading() as connection:
            found = connection.execute(_ALL_OPEN, {"this_scope": self._scope.id})
            return [dict(row) for row in found.mappings()]


def _settled(item: Mapping[str, Any]) -> Settled:
    return Settled(Side(item["settled_for"]), item["settled_by"], item["cause"], item["settled_reason"] or "")


def _about(item: Mapping[str, Any]) -> Intent:
    return Intent(record=Record(item["target"], item["source_object"], item["source_id"], item["part"]))


def _names(
    scope: Scope, kind: str, source_id: str, error_classes: Iterable[str], part: int | None = None
) -> dict[str, Any]:
    names = {"this_scope": scope.id, "this_target": kind, "this_source": source_id}
    names |= {} if part is None else {"this_part": part}
    return {**names, "these_classes": sorted(error_classes)}
