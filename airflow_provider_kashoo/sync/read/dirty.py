"""Which records are dirty, that is, have to be read whole.

These are records that changed, parents of changed or deleted lines, records whose referenced records changed, survivors
of merges, everything that is parked, in doubt or waiting, and credits that are due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

MERGED_INTO = "MasterRecordId"


@dataclass
class Dirty:
    """What has to be read, and what is gone.

    :param ids: read whole by id.
    :param deleted: in the recycle bin, or gone from it.
    :param merged: loser -> the record that it was merged into.
    :param mass: too much changed to be read by id; ``ids`` holds what is dirty for another reason.
    """

    ids: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    mass: bool = False

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


def linked_ids(sync: Sync, sobject: str) -> set[str]:
    """Give the ids of an object that are linked to a record of the books."""
    targets = {mapping.to for mapping in sync.mappings_from(sobject)}
    links = (link for target in targets for link in sync.store.links.of_target(target))
    return {link.source_id for link in links if link.source_object == sobject}


def find_dirty(sync: Sync, sobject: str, shape: Shape, window: Window) -> Dirty:
    """Ask what changed in a window, and add what is parked, in doubt or waiting, and credits that are due."""
    unsettled = {*sync.store.waiting.sources(sobject), *_credits_due(sync, sobject)}
    if sync.run.only is not None:
        return Dirty(ids=unsettled & sync.run.only)
    dirty = Dirty(ids=unsettled)
    if window.empty:
        return dirty
    sold = any(mapping.bills for mapping in sync.mappings_from(sobject))
    # Customers and items are written only when a deal needs them: of the others, the linked and waiting ones matter.
    matters = None if sold else unsettled | linked_ids(sync, sobject)
    merges = [MERGED_INTO] if MERGED_INTO in sync.salesforce.describe(sobject).fields else []
    own = soql.changed(sobject, window, merges)
    others = list(_others(sobject, shape, window))
    # A waiting record may have been merged in an earlier window: its link moves once the outcome is known.
    waiting = list(soql.by_ids(sobject, ["Id", "IsDeleted", *merges], sorted(unsettled))) if merges else []
    answers = sync.salesforce.queries([own, *(text for text, _ in others), *waiting], deleted=True)
    changed = next(answers)
    dirty.mass = changed.total > BULK_FROM and sold and not shape.picks
    if changed.total > BULK_FROM and not dirty.mass:
        types = {"Id": pa.string(), "IsDeleted": pa.bool_()} | dict.fromkeys(merges, pa.string())
        query = Query("records.changed", own, types, deleted=True)
        for _, part in Parts(sync.files, sobject).keep_job(sync.salesforce, query):  # the plan does not load these
            _note(dirty, part.to_pylist(), matters)
    elif not dirty.mass:
        _note(dirty, changed.records, matters)
    for (_, key), found in zip(others, islice(answers, len(others)), strict=True):
        ids = {row[key] for row in found.records if is_record_id(row.get(key))}
        dirty.ids |= ids if matters is None else ids & matters
    for found in answers:
        _note(dirty, found.records, matters)
    # A merge need not move the survivor's stamp, and the survivor may have no customer yet.
    dirty.ids |= {dirty.survivor(loser) for loser in dirty.merged if matters is None or loser in matters}
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


def _note(dirty: Dirty, rows: Iterable[dict[str, Any]], matters: set[str] | None) -> None:
    for row in rows:
        if matters is None or row["Id"] in matters or row.get(MERGED_INTO):
            dirty.note(row)


def _others(sobject: str, shape: Shape, window: Window) -> Iterator[tuple[str, str]]:
    """List the queries for records that are dirty because of another one, each with the field that holds their id."""
    for child in shape.children:
        yield soql.changed_parents(child.sobject, child.key, window), child.key
    for reference in sorted({*references(shape.records), *shape.sales}):
        yield soql.changed_by_reference(sobject, reference, window), "Id"
    if lines := shape.lines:
        for reference in references(lines.types):
            yield soql.changed_by_reference(lines.sobject, reference, window, owner=lines.key), lines.key
