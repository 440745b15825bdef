"""The files of a plan: rows for all that acts, columns for unchanged records, and why the rest is skipped.

``summary.json``, which is written last, has the digest over the first two: files of two plans, which a step that died
leaves, are never taken for one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.digest import Digest
from airflow_provider_kashoo.core.rules.intents import (
    INTENTS,
    Ask,
    Intent,
    Keep,
    Release,
)
from airflow_provider_kashoo.core.rules.kept import KEPT_COLUMNS, PART, Columns, Kept, counts_of, intents_of
from airflow_provider_kashoo.core.rules.order import in_order
from airflow_provider_kashoo.core.rules.skipped import SKIPPED_COLUMNS, Skipped
from airflow_provider_kashoo.core.rules.summary import PlanSummary, summarise
from airflow_provider_kashoo.core.values.ids import canonical
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.staging import StagedTable, Staging, clear

ROWS, KEPT, SKIPPED = "plan", "kept", "skipped"

_ROWS = pa.schema([("action", pa.string()), ("intent", pa.string())])


class Draft:
    """A plan while it is made.

    :param pending: what is open: a record at rest is a row only if it closes some of that.
    :param ends_waiting: whether a record that rests, or that a person is asked about, waits no longer; as its intent
        says, if not given.
    :ivar rows: all that acts.
    :ivar kept: unchanged records.
    :ivar skipped: records of which nothing is to be done.
    """

    def __init__(self, pending: Pending, *, ends_waiting: bool | None = None) -> None:
        self._pending, self._ends_waiting = pending, ends_waiting
        self.rows: list[Intent] = []
        self.kept = Kept()
        self.skipped = Skipped()

    def add(self, intents: Iterable[Intent]) -> None:
        """Add what was decided."""
        for each in map(self._ending, intents):
            if not isinstance(each, Keep | Release) or self._pending.is_closed_by(each):
                self.rows.append(each)
            elif isinstance(each, Keep):
                self.kept.add(each)
            else:
                self.skipped.note(each.record.kind, each.action, each.reason, each.record.id, each.mapping)

    def keep(self, unchanged: pa.Table) -> None:
        """Add unchanged records.

        :param unchanged: with the columns of :data:`~.kept.KEPT_COLUMNS`.
        """
        closing = self._pending.rows_of(unchanged)
        self.add(intents_of(unchanged, closing))
        rest = np.ones(unchanged.num_rows, np.bool_)
        rest[closing] = False
        self.kept.add_columns(unchanged.filter(pa.array(rest)))

    def _ending(self, intent: Intent) -> Intent:
        if self._ends_waiting is None or not isinstance(intent, Ask | Keep | Release):
            return intent
        return replace(intent, ends_waiting=self._ends_waiting)

    def skip(self, mapping: Mapping, ids: pa.Array, reason: str) -> pa.Array:
        """Skip records that a mapping reads.

        :returns: the ids of those that are parked or asked about: they are not skipped, but have to be released.
        """
        mask = pc.is_in(ids, pa.array(list(self._pending.let_go(mapping.to)), pa.string()))
        self.skipped.note(mapping.to, Action.SKIP, reason, ids.filter(pc.invert(mask)), mapping.name)
        return ids.filter(mask)

    def stage(self, files: Staging, **said: Any) -> PlanSummary:
        """Write the files, and summarise the plan.

        :param said: what :func:`~.summary.summarise` wants to know.
        """
        rows, kept, digest = in_order(self.rows), self.kept.table(), Digest()
        summary = summarise(rows, self.skipped.of + counts_of(kept), **said)
        # The rows come first: once they are those of this plan, an earlier one is not approved any more.
        files.write_batches(ROWS, _ROWS, _noted(digest, ROWS, _texts(rows)))
        files.write_batches(KEPT, KEPT_COLUMNS, _noted(digest, KEPT, kept.to_batches(PART)))
        files.write_batches(SKIPPED, SKIPPED_COLUMNS, self.skipped.table().to_batches(PART))
        return replace(summary, digest=digest.of(summary.shown))


class PlanFile:
    """The staged plan of a run.

    :raises ConfigurationError: when there is none, or another version of this package made it.
    """

    def __init__(self, files: Staging) -> None:
        rows, kept = files.open_table(ROWS), files.open_table(KEPT)
        if rows is None:
            raise ConfigurationError("This run has no plan.", remedy=clear("plan"))
        if kept is None or (rows.schema, kept.schema) != (_ROWS, KEPT_COLUMNS):
            raise _of_another_version()
        self._rows, self._kept = rows, kept

    def digest(self, summary: PlanSummary) -> str:
        """Compute the digest of what is staged, together with a summary; no row is parsed for that."""
        digest = Digest()
        for name, file in ((ROWS, self._rows), (KEPT, self._kept)):
            for part in file.of(PART):
                digest.add(name, part)
        return digest.of(summary.shown)

    def rows(self) -> list[Intent]:
        """Give the rows, in order.

        :raises ConfigurationError: when another version of this package wrote them.
        """
        return list(_intents(self._rows))

    def kept(self) -> Iterator[pa.RecordBatch]:
        """Give the unchanged records, in parts; see :mod:`~airflow_provider_kashoo.core.rules.kept`."""
        return self._kept.of(PART)


class Decision(NamedTuple):
    """What a plan decided about a record, and why."""

    kind: str
    mapping: str
    action: Action
    reason: str
    part: int = 1


def decisions_about(files: Staging, source_id: str) -> list[Decision]:
    """Look up in the plan of a run why a record was, or was not, written.

    :param source_id: 18-character Salesforce id.
    :returns: one for each time that it was considered.
    """
    rows, kept, skipped = (files.open_table(name) for name in (ROWS, KEPT, SKIPPED))
    texts = _where(rows, "intent", pc.match_substring, canonical(source_id))
    named = (_intent(each["action"], each["intent"]) for each in texts)
    acting = [each for each in named if each.record.id == source_id]
    unchanged = [each | {"action": Action.UNCHANGED} for each in _where(kept, "id", pc.equal, source_id)]
    resting = [*unchanged, *_where(skipped, "id", pc.equal, source_id)]
    return [
        *(Decision(each.record.kind, each.mapping, each.action, each.reason, each.record.part) for each in acting),
        *(
            Decision(each["kind"], each["mapping"], Action(each["action"]), each["reason"], each.get("part", 1))
            for each in resting
        ),
    ]


def _where(table: StagedTable | None, column: str, test: Any, value: str) -> Iterator[dict[str, Any]]:
    for part in table.of(PART) if table else ():
        yield from part.filter(test(part[column], value)).to_pylist()


def _noted(digest: Digest, name: str, parts: Iterable[Columns]) -> Iterator[Columns]:
    for part in parts:
        digest.add(name, part)
        yield part


def _texts(rows: list[Intent]) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(rows), PART):
        some = rows[start : start + PART]
        texts = [each.action.value for each in some], [canonical(each.values) for each in some]
        yield pa.record_batch([pa.array(each, pa.string()) for each in texts], schema=_ROWS)


def _intents(rows: StagedTable) -> Iterator[Intent]:
    for part in rows.of(PART):
        for action, text in zip(part["action"].to_pylist(), part["intent"].to_pylist(), strict=True):
            yield _intent(action, text)


def _intent(action: str, text: str) -> Intent:
    try:
        values = json.loads(text)
        values |= {name: tuple(values[name]) for name in ("rules",) if name in values}
        return INTENTS[Action(action)](**values | {"record": Record(**values["record"])})
    except (KeyError, TypeError, ValueError) as error:
        raise _of_another_version() from error


def _of_another_version() -> ConfigurationError:
    said = "The plan of this run was made by another version of this package."
    return ConfigurationError(said, remedy=clear("plan"))
