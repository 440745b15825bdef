"""Step one, from Salesforce: which records are dirty, each read whole with its lines and parents.

Dirty are: records that changed, parents of changed or deleted lines, records whose referenced records
changed, and everything the journal has not settled. Once a week every linked record is read again, and the
window reaches back further, for what no window showed. ``delta.<Object>`` is staged last: window, counts,
and ids that were deleted or merged into another.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pyarrow as pa

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.values.dates import first_of_week
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.core.window import Window, delta_window
from airflow_provider_kashoo.sync.read import records as salesforce_read
from airflow_provider_kashoo.sync.read.bulk import in_bulk
from airflow_provider_kashoo.sync.read.records import Part, Shape, shape_of
from airflow_provider_kashoo.sync.run.deltas import Delta, staged
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

BULK_FROM = 2_000
"""A query that finds more is read in bulk; Salesforce counts it in its first page, the largest REST has."""

COVERED_AGE = timedelta(days=1)
"""A transaction that is open for longer is passed over, so that one that hangs cannot stop the sync."""

SWEEP_BACK = timedelta(days=35)
"""How far the weekly sweep reads back before the watermark."""

MERGED_INTO = "MasterRecordId"


@dataclass
class Dirty:
    """What has to be read, and what is gone.

    :param ids: read whole by id.
    :param deleted: in the recycle bin, or gone from it.
    :param merged: loser -> the record that it was merged into.
    :param mass: too much changed to be read by id; ``ids`` holds what is dirty for another reason.
    :param later: changed after the window while it was read in bulk, and so perhaps after its lines.
    """

    ids: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    mass: bool = False
    later: set[str] = field(default_factory=set)

    def note(self, row: dict[str, Any]) -> None:
        """Take in one changed record, or one that is in the recycle bin."""
        ident = row["Id"]
        if not row["IsDeleted"]:
            self.ids.add(ident)
            return
        self.deleted.add(ident)
        if master := row.get(MERGED_INTO):
            self.merged[ident] = master

    def survivor(self, loser: str) -> str:
        """Follow a chain of merges to the record that is left."""
        seen = {loser}
        while (found := self.merged[loser]) in self.merged and found not in seen:
            seen.add(found)
            loser = found
        return found


@dataclass(frozen=True)
class Begun:
    """What is fixed when reading begins.

    :param sweeps: whether this is the week's sweep.
    :param read: the server's time, ISO 8601 UTC.
    :param gone: ids of what was deleted lately, also for good.
    """

    window: Window
    sweeps: bool
    read: str
    gone: frozenset[str]


def extract(sync: Sync, sobject: str) -> Delta:
    """Stage the delta of one object.

    :returns: what is also staged, last.
    :raises ConfigurationError: for a mapping that reads what the org does not have.
    """
    sync.salesforce.recall(sync.files.read_json("described") or {})
    shape = shape_of(sync, sobject)
    begun = _begun(sync, sobject)
    window = begun.window
    dirty = _dirty(sync, sobject, shape, window)
    if sync.run.only is None:
        linked = _linked(sync, sobject)
        # Salesforce's list of what was deleted may name a record that was restored: linked ones are read by id to see.
        dirty.ids |= linked if begun.sweeps else linked & begun.gone
    counts = {"records": 0, "lines": 0}
    parts: dict[str, int] = {}
    wanted: dict[str, set[str]] = {}
    read: set[str] = set()
    if dirty.mass:
        for kind, (name, part) in _in_bulk(sync, sobject, shape, begun, dirty):
            parts[name] = part.num_rows
            counts[kind] += part.num_rows
            _note_parents(sync, sobject, part, wanted)
    dirty.ids -= dirty.deleted
    for name, part in salesforce_read.by_id(sync, f"records.{sobject}.{sobject}", sobject, shape, dirty.ids):
        parts[name] = part.num_rows
        counts["records"] += part.num_rows
        read.update(part["Id"].to_pylist())
        _note_parents(sync, sobject, part, wanted)
    for name, part in salesforce_read.lines_by_parent(sync, sobject, shape, dirty.ids):
        parts[name] = part.num_rows
        counts["lines"] += part.num_rows
        _note_parents(sync, sobject, part, wanted)
    for parent, ids in wanted.items():
        read_whole = salesforce_read.by_id(sync, f"records.{sobject}.{parent}", parent, shape_of(sync, parent), ids)
        parts |= {name: part.num_rows for name, part in read_whole}
    missing = dirty.ids - read
    dirty.deleted |= missing & begun.gone
    delta = Delta(
        source=_source(sobject),
        lower=window.lower.isoformat(),
        upper=window.upper.isoformat(),
        moves=window.moves,
        note=window.note,
        read=begun.read,
        records=counts["records"],
        lines=counts["lines"],
        bulk=dirty.mass,
        deleted=sorted(dirty.deleted),
        missing=sorted(missing - dirty.deleted),
        merged={loser: dirty.survivor(loser) for loser in dirty.merged},
        later=sorted(dirty.later),
        parts=parts,
    )
    delta.stage(sync.files, sobject)
    log.info(
        "%s: %d records in [%s, %s), %d deleted",
        sobject, counts["records"], window.lower, window.upper, len(dirty.deleted),
    )  # fmt: skip
    return delta


def _source(sobject: str) -> str:
    return f"salesforce.{sobject}"


def _begun(sync: Sync, sobject: str) -> Begun:
    """Choose the window, once for all tries of the task: what one try staged must fit what the next one adds."""
    files, name = sync.files, f"window.{sobject}"
    if staged(files, sobject) is not None:  # it was read to its end, and is to be read afresh
        files.remove(f"delta.{sobject}.json")
        files.remove(f"{name}.json")
        for kind in ("bulk.records", "bulk.lines", "records", "lines"):
            files.remove(f"{kind}.{sobject}.")
    if (kept := files.read_json(name)) is not None:
        window = Window(datetime.fromisoformat(kept["lower"]), datetime.fromisoformat(kept["upper"]), *kept["rest"])
        return Begun(window, kept["sweeps"], kept["read"], frozenset(kept["gone"]))
    watermark = sync.store.watermarks.get(_source(sobject))
    clock = sync.salesforce.clock(sobject, watermark and watermark - sync.settings.overlap)
    window = delta_window(
        sync.run,
        watermark=watermark,
        now=clock.now,
        overlap=sync.settings.overlap,
        margin=sync.settings.margin,
        covered=clock.covered,
        covered_age=COVERED_AGE,
    )
    sweeps = window.moves and watermark is not None and first_of_week(watermark, clock.now, sync.settings.zone)
    if sweeps and watermark:
        lower, note = min(window.lower, watermark - SWEEP_BACK), f"{window.note}; the week's sweep"
        window = replace(window, lower=lower, note=note)
    begun = Begun(window, sweeps, clock.now.isoformat(), clock.gone)
    kept = {"lower": window.lower.isoformat(), "upper": window.upper.isoformat(), "rest": [window.moves, window.note]}
    files.write_json(name, {**kept, "sweeps": sweeps, "read": begun.read, "gone": sorted(begun.gone)})
    return begun


def _linked(sync: Sync, sobject: str) -> set[str]:
    targets = {mapping.to for mapping in sync.mappings_from(sobject)}
    return {
        link.source_id
        for target in targets
        for link in sync.store.links.of_target(target)
        if link.source_object == sobject
    }


def _dirty(sync: Sync, sobject: str, shape: Shape, window: Window) -> Dirty:
    unsettled = set(sync.store.waiting.sources(sobject))
    if sync.run.only is not None:
        return Dirty(ids=unsettled & sync.run.only)
    dirty = Dirty(ids=unsettled)
    if window.empty:
        return dirty
    sold = any(mapping.to == "invoice" for mapping in sync.mappings_from(sobject))
    # A parent that nothing sold needs is not written: only those that are linked or waiting can matter.
    matters = None if sold else unsettled | _linked(sync, sobject)
    merges = [MERGED_INTO] if MERGED_INTO in sync.salesforce.describe(sobject).fields else []
    own = soql.changed(sobject, window, merges)
    others = list(_others(sobject, shape, window))
    # What waits and was merged, in whatever window that was: its link cannot follow before its write is settled.
    waiting = list(soql.by_ids(sobject, ["Id", "IsDeleted", *merges], sorted(unsettled))) if merges else []
    answers = sync.salesforce.queries([own, *(text for text, _ in others), *waiting], deleted=True)
    changed = next(answers)
    dirty.mass = changed.total > BULK_FROM and sold and not shape.picks
    if changed.total > BULK_FROM and not dirty.mass:
        types = {"Id": pa.string(), "IsDeleted": pa.bool_()} | dict.fromkeys(merges, pa.string())
        for _, part in in_bulk(sync.salesforce, sync.files, f"records.{sobject}.changed", own, types, deleted=True):
            _note_rows(dirty, part.to_pylist(), matters)
    elif not dirty.mass:
        _note_rows(dirty, changed.records, matters)
    for (_, key), found in zip(others, islice(answers, len(others)), strict=True):
        ids = {row[key] for row in found.records if row[key]}
        dirty.ids |= ids if matters is None else ids & matters
    for found in answers:
        _note_rows(dirty, found.records, matters)
    # The survivor's stamp need not move with the merge, and its own customer may be none.
    dirty.ids |= {dirty.survivor(loser) for loser in dirty.merged if matters is None or loser in matters}
    return dirty


def _note_rows(dirty: Dirty, rows: Iterable[dict[str, Any]], matters: set[str] | None) -> None:
    for row in rows:
        if matters is None or row["Id"] in matters or row.get(MERGED_INTO):
            dirty.note(row)


def _others(sobject: str, shape: Shape, window: Window) -> Iterator[tuple[str, str]]:
    """List the queries for what is dirty because of another record, each with the field that holds its id."""
    for child, key in _dependents(shape):
        yield soql.changed_parents(child, key, window), key
    for reference in sorted({*shape.references(shape.records), *shape.sales}):
        yield soql.changed_by_reference(sobject, reference, window), "Id"
    if shape.lines:
        child, key, types = shape.lines
        for reference in shape.references(types):
            yield soql.changed_by_reference(child, reference, window, owner=key), key


def _dependents(shape: Shape) -> Iterator[tuple[str, str]]:
    if shape.lines:
        yield shape.lines[0], shape.lines[1]
    for child, key, _, _ in shape.picks.values():
        yield child, key


def _in_bulk(sync: Sync, sobject: str, shape: Shape, begun: Begun, dirty: Dirty) -> Iterator[tuple[str, Part]]:
    """Read every record of the window and their lines; what comes here need not be read by id."""
    window = begun.window
    types = shape.records | {"IsDeleted": pa.bool_()}
    text = soql.in_window(sobject, list(types), window)
    for name, part in in_bulk(sync.salesforce, sync.files, f"records.{sobject}.{sobject}", text, types, deleted=True):
        gone = part.filter(part["IsDeleted"])["Id"].to_pylist()
        dirty.deleted.update(gone)
        dirty.ids.difference_update(part["Id"].to_pylist())
        yield "records", (name, part)
    if shape.lines:
        child, key, types = shape.lines
        relationship = sync.salesforce.describe(child).fields[key].relationship
        text = soql.in_window(child, list(types), window, relationship)
        for part in in_bulk(sync.salesforce, sync.files, f"lines.{sobject}", text, types, parent=key):
            yield "lines", part
        # A backfill's window ended long ago: what changed before it was read is not in it any more.
        since = max(window.upper, datetime.fromisoformat(begun.read) - COVERED_AGE)
        for found in sync.salesforce.queries([soql.changed_since(sobject, since)], deleted=True):
            dirty.later = {row["Id"] for row in found.records}


def _note_parents(sync: Sync, sobject: str, part: pa.Table, wanted: dict[str, set[str]]) -> None:
    """Collect the parents that records or lines link to; changing parents alone never makes one of them needed."""
    for mapping in sync.mappings_from(sobject):
        for link in mapping.links():
            if link.link in part.column_names:
                parent = sync.mappings[str(link.mapping)].from_.object
                named = filter(None, part[link.link].unique().to_pylist())
                wanted.setdefault(parent, set()).update(filter(is_record_id, named))
