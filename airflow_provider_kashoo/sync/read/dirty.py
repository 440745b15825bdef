"""Which records are dirty, that is, have to be read whole.

These are records that changed, parents of changed or deleted lines, records whose referenced records changed, survivors
of merges, everything that is parked, in doubt or waiting, and credits that are due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.rules.questions import CREDIT_DUE
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read.bulk import Query
from airflow_provider_kashoo.sync.read.shapes import Shape, references
from airflow_provider_kashoo.sync.read.staged import Parts
from airflow_provider_kashoo.sync.run.sync import Sync

BULK_FROM = 2_000
"""A query that finds more is read in bulk; Salesforce counts it in its first page, the largest REST has."""

BATCH = 2_000
"""Records that are held against the store together."""

MERGED_INTO = "MasterRecordId"


@dataclass
class Dirty:
    """What has to be read, and what is gone.

    :param ids: read whole by id.
    :param deleted: in the recycle bin, or gone from it.
    :param merged: loser -> the record that it was merged into.
    :param mass: too much changed to be read by id; ``ids`` holds what is dirty for another reason.
    :param younger: how many records changed after the window; the next one has them.
    """

    ids: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    mass: bool = False
    younger: int = 0

    def note(self, row: dict[str, Any]) -> None:
        """Note one record that changed or is in the recycle bin."""
        ident, master = row["Id"], row.get(MERGED_INTO)
        if row.get("IsDeleted") not in (True, "true"):
            self.ids.add(ident)
            return
        self.deleted.add(ident)
        if is_record_id(master):
            self.merged[ident] = str(master)

    def survivor(self, loser: str) -> str:
        """Follow a chain of merges to the record that is left."""
        seen = {loser}
        while (found := self.merged[loser]) in self.merged and found not in seen:
            seen.add(found)
            loser = found
        return found


class Matters:
    """Which records of an object matter when they change, asked of the store for a few at a time.

    A record that is sold always does. Customers and items are written only when a deal needs them: of these, the
    linked and the waiting ones matter.

    :param unsettled: ids of the records that wait.
    """

    def __init__(self, sync: Sync, sobject: str, unsettled: Collection[str] = ()) -> None:
        mappings = sync.mappings_from(sobject)
        self._store, self._sobject, self._unsettled = sync.store.linked_records, sobject, frozenset(unsettled)
        self._kinds = {mapping.to for mapping in mappings}
        self.all = any(mapping.bills for mapping in mappings)

    def among(self, ids: Collection[str]) -> set[str]:
        """List those of some records that matter."""
        return {*ids} if self.all else self.linked(ids) | self._unsettled.intersection(ids)

    def linked(self, ids: Iterable[str]) -> set[str]:
        """List those of some records that are linked to a record of the books."""
        return self._store.sources(self._kinds, self._sobject, ids)

    def pages_of_linked(self) -> Iterator[list[str]]:
        """Give the ids of all that are linked, a page at a time."""
        return self._store.pages_of_sources(self._kinds, self._sobject)


def find_dirty(sync: Sync, sobject: str, shape: Shape, window: Window) -> Dirty:
    """Ask what changed in a window, and add what is parked, in doubt or waiting, and credits that are due."""
    unsettled = {*sync.store.waiting.sources(sobject), *_credits_due(sync, sobject)}
    if sync.run.only is not None:
        return Dirty(ids={each for each in sync.run.only if each in unsettled or sync.object_of(each) == sobject})
    dirty = Dirty(ids=unsettled)
    if window.empty:
        return dirty
    matters = Matters(sync, sobject, unsettled)
    merges = [MERGED_INTO] if MERGED_INTO in sync.salesforce.describe(sobject).fields else []
    own = soql.changed(sobject, window, merges)
    others = list(_others(sobject, shape, window))
    # A waiting record may have been merged in an earlier window: its link moves once the outcome is known.
    waiting = list(soql.by_ids(sobject, ["Id", "IsDeleted", *merges], sorted(unsettled))) if merges else []
    after = [soql.changed_since(sobject, window.upper)] if window.moves else []  # in the same request as the others
    answers = sync.salesforce.queries([own, *after, *(text for text, _ in others), *waiting], deleted=True)
    changed = next(answers)
    dirty.younger = next(answers).total if after else 0
    dirty.mass = changed.total > BULK_FROM and matters.all and not shape.picks
    if changed.total > BULK_FROM and not dirty.mass:
        types = {"Id": pa.string(), "IsDeleted": pa.bool_()} | dict.fromkeys(merges, pa.string())
        query = Query("records.changed", own, types, deleted=True)
        for _, part in Parts(sync.files, sobject).keep_job(sync.salesforce, query):  # the plan does not load these
            _note(dirty, part.to_pylist(), matters)
    elif not dirty.mass:
        _note(dirty, changed.records, matters)
    for (_, key), found in zip(others, islice(answers, len(others)), strict=True):
        dirty.ids |= matters.among({row[key] for row in found.records if is_record_id(row.get(key))})
    for found in answers:
        _note(dirty, found.records, matters)
    # A merge need not move the survivor's stamp, and the survivor may have no customer yet.
    dirty.ids |= {dirty.survivor(loser) for loser in matters.among(dirty.merged)}
    return dirty


def _credits_due(sync: Sync, sobject: str) -> set[str]:
    """List records about whose credit a person is asked: the invoice it reduces may have been made meanwhile.

    A dismissed one is looked at again only when its record changed: it would cost requests in every run for ever.
    """
    return {
        item["source_id"]
        for item in sync.store.reviews.all_open()
        if (item["source_object"], item["error_class"]) == (sobject, CREDIT_DUE.error_class)
        and item["dismissed_at"] is None
    }


def _note(dirty: Dirty, rows: Iterable[dict[str, Any]], matters: Matters) -> None:
    found = iter(rows)
    while some := list(islice(found, BATCH)):
        here = matters.among({row["Id"] for row in some})
        for row in some:
            if row["Id"] in here or row.get(MERGED_INTO):
                dirty.note(row)


def _others(sobject: str, shape: Shape, window: Window) -> Iterator[tuple[str, str]]:
    """List the queries for records that are dirty because of another one, each with the field that holds their id."""
    for child in shape.children:
        yield soql.changed_parents(child.sobject, child.key, window), child.key
    for reference in sorted({*references(shape.records), *shape.sales}):
        yield soql.changed_by_reference(sobject, reference, window), "Id"
    for child in shape.read_with.values():
        for reference in references(child.types):
            yield soql.changed_by_reference(child.sobject, reference, window, owner=child.key), child.key
