"""Read Salesforce: every dirty record whole, with its lines and parents.

Once a week every linked record is read again, and the window reaches back further, to catch what no window showed.
``delta.<Object>`` is staged last: window, counts, parts, and ids that were deleted or merged into another.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.values.dates import first_of_week
from airflow_provider_kashoo.core.values.id_columns import are_record_ids
from airflow_provider_kashoo.core.window import Window, delta_window
from airflow_provider_kashoo.sync.read.bulk import in_window
from airflow_provider_kashoo.sync.read.columns import Part
from airflow_provider_kashoo.sync.read.dirty import Matters, find_dirty
from airflow_provider_kashoo.sync.read.records import by_id, whole
from airflow_provider_kashoo.sync.read.shapes import PARTS, Shape, shape_of
from airflow_provider_kashoo.sync.read.staged import Parts
from airflow_provider_kashoo.sync.run.deltas import Delta, staged
from airflow_provider_kashoo.sync.run.sync import Sync

log = logging.getLogger(__name__)

COVERED_AGE = timedelta(days=1)
"""A transaction that is open for longer is not waited for, so that a hanging one cannot stop the sync."""

YOUNGER = "; {} changes are younger than the margin, the next run reads them"

SWEEP_BACK = timedelta(days=35)
"""How far the weekly sweep reads back before the watermark."""


@dataclass(frozen=True)
class Begun:
    """What is fixed when reading begins.

    :param sweeps: whether this is the week's sweep.
    :param read: the server's time, ISO 8601 UTC.
    :param gone: ids of recently deleted records, also those that left the recycle bin.
    """

    window: Window
    sweeps: bool
    read: str
    gone: frozenset[str]


def extract(sync: Sync, sobject: str) -> Delta:
    """Stage the delta of one object.

    :returns: the delta, which is staged last.
    :raises ConfigurationError: for a mapping that reads what the org does not have.
    """
    sync.recall_describes()
    shape = shape_of(sync, sobject)
    begun = _begun(sync, sobject)
    window = begun.window
    dirty, matters = find_dirty(sync, sobject, shape, window), Matters(sync, sobject)
    if sync.run.only is None:
        # Salesforce may list a record as deleted that was restored: linked ones are read by id to be sure.
        dirty.ids |= matters.linked(begun.gone)
    reading = _Reading(sync, sobject, shape)
    if dirty.mass:
        reading.in_bulk(begun)
    deleted = dirty.deleted | reading.deleted
    known = deleted | reading.read
    sweeps = (begun.sweeps or sync.run.remap) and sync.run.only is None
    missing = reading.by_id(in_pages(dirty.ids - known, matters.pages_of_linked() if sweeps else (), known))
    reading.parents()
    delta = Delta(
        source=_source(sobject),
        lower=window.lower.isoformat(),
        upper=window.upper.isoformat(),
        moves=window.moves,
        note=window.note + (YOUNGER.format(dirty.younger) if dirty.younger else ""),
        read=begun.read,
        records=reading.count["records"],
        lines=reading.count["lines"],
        bulk=dirty.mass,
        deleted=sorted(deleted | missing & begun.gone),
        missing=sorted(missing - begun.gone),
        merged={loser: dirty.survivor(loser) for loser in dirty.merged},
        later=sorted(reading.later),
        parts=reading.parts.rows,
    )
    delta.stage(sync.files, sobject)
    if dirty.younger:
        log.info("%s: %d changes are younger than the margin; the next run reads them", sobject, dirty.younger)
    log.info(
        "%s: %d records, changes from %s up to %s, %d deleted",
        sobject, delta.records, window.lower, window.upper, len(delta.deleted),
    )  # fmt: skip
    return delta


class _Reading:
    """What one extract has read and staged so far.

    :ivar read: ids of the records that were read in bulk.
    :ivar deleted: those of them that are in the recycle bin.
    :ivar later: ids of records that changed during a bulk read, perhaps between record and lines.
    """

    def __init__(self, sync: Sync, sobject: str, shape: Shape) -> None:
        self._sync, self._client, self._sobject, self._shape = sync, sync.salesforce, sobject, shape
        self.parts = Parts(sync.files, sobject)
        self.count: Counter[str] = Counter()
        self.read: set[str] = set()
        self.deleted: set[str] = set()
        self.later: set[str] = set()
        self._parents: dict[str, set[str]] = defaultdict(set)

    def in_bulk(self, begun: Begun) -> None:
        """Read every record of the window, with lines; none of them need be read by id."""
        for query in in_window(self._client, self._sobject, self._shape, begun.window):
            for name, table in self.parts.keep_job(self._client, query):
                self._note((name, table))
                if name.startswith("records."):
                    self.read.update(table["Id"].to_pylist())
                    self.deleted.update(table.filter(table["IsDeleted"])["Id"].to_pylist())
        if self._shape.read_with:
            # A backfill's window ended long ago; only what changed lately can have changed during this read.
            since = max(begun.window.upper, datetime.fromisoformat(begun.read) - COVERED_AGE)
            found = self._client.query(soql.changed_since(self._sobject, since), deleted=True)
            self.later = {row["Id"] for row in found}

    def by_id(self, pages: Iterable[set[str]]) -> set[str]:
        """Read records and their lines, a page of ids after the other; return the ids that are not found."""
        missing: set[str] = set()

        def read() -> Iterator[Part]:
            for ids in pages:
                missing.update(ids)
                yield from whole(self._client, self._sobject, self._shape, ids)

        for name, table in self.parts.keep(read()):
            self._note((name, table))
            if name.startswith("records."):
                missing.difference_update(table["Id"].to_pylist())
        return missing

    def parents(self) -> None:
        """Read the customers and items that were linked to: they may be needed without having changed."""
        for parent, ids in self._parents.items():
            for _ in self.parts.keep(by_id(self._client, parent, shape_of(self._sync, parent), ids)):
                pass

    def _note(self, part: Part) -> None:
        name, table = part
        self.count[name.partition(".")[0]] += table.num_rows
        for mapping in self._sync.mappings_from(self._sobject):
            for link in mapping.links():
                if link.link in table.column_names:
                    parent = self._sync.mappings[str(link.mapping)].from_.object
                    named = table[link.link].unique()
                    self._parents[parent].update(named.filter(are_record_ids(named)).to_pylist())


def in_pages(wanted: set[str], pages: Iterable[list[str]], known: set[str]) -> Iterator[set[str]]:
    """Divide ids into pages, in their order: what is wanted, and the pages of what is linked, without what is known.

    No id comes twice, whatever the order of the store: each part of a plan holds a record once.
    """
    left = deque(sorted(wanted))
    for page in pages:
        here = {*page} - wanted - known
        while left and left[0] <= page[-1]:
            here.add(left.popleft())
        yield here
    yield set(left)


def _source(sobject: str) -> str:
    return f"salesforce.{sobject}"


def _begun(sync: Sync, sobject: str) -> Begun:
    """Choose the window once for all tries of the task: what each of them stages must fit together."""
    files, name = sync.files, f"window.{sobject}"
    if staged(files, sobject) is not None:  # an earlier try read everything: read it again
        files.remove(f"delta.{sobject}.json")
        files.remove(f"{name}.json")
        for kind in ("bulk.records", "bulk.lines", f"bulk.{PARTS}", "records", "lines", PARTS):
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
        lower, note = min(window.lower, watermark - SWEEP_BACK), f"{window.note}; weekly sweep"
        window = replace(window, lower=lower, note=note)
    begun = Begun(window, sweeps, clock.now.isoformat(), clock.gone)
    kept = {"lower": window.lower.isoformat(), "upper": window.upper.isoformat(), "rest": [window.moves, window.note]}
    files.write_json(name, {**kept, "sweeps": sweeps, "read": begun.read, "gone": sorted(begun.gone)})
    return begun
