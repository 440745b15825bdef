"""A small exact model of an org that is written to while runs read it: no I/O, no clock but the one in the history.

Times are seconds of Salesforce's clock since ``EPOCH``. What chooses windows and moves watermarks is the real code.
Hard deletes are left out: no window can see them, which is what the sweep is for.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import floor

from airflow_provider_kashoo.core.window import RunFacts, Window, delta_window, moves_to

EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400


def instant(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def seconds(moment: datetime) -> int:
    return int((moment - EPOCH).total_seconds())


# -- the org


@dataclass(frozen=True, slots=True)
class Version:
    """What one transaction made of one record.

    :param number: counts the record's versions.
    :param stamp: whole second of the statement.
    :param visible: when the transaction committed.
    :param content: what the mapped fields say; a touch changes the stamp only.
    """

    record: int
    number: int
    stamp: int
    visible: float
    content: int
    deleted: bool = False

    @property
    def late(self) -> float:
        """How long it was stamped before anybody could see it."""
        return self.visible - self.stamp


@dataclass(frozen=True, slots=True)
class Statement:
    """One write; it holds its record until the transaction commits, so stamps of a record never run backwards."""

    at: float
    record: int
    kind: str = "edit"


class Org:
    """Every version that ever was, and when which of them could be seen."""

    def __init__(self) -> None:
        self.versions: dict[int, list[Version]] = {}
        self.transactions: list[tuple[float, float]] = []
        self.end = 0.0

    def transaction(self, start: float, end: float, *statements: Statement) -> list[Version]:
        """Write under locks: a statement on a record that another transaction holds then is left out."""
        self.transactions.append((start, end))
        self.end = max(self.end, end)
        made = []
        for each in statements:
            known = self.versions.setdefault(each.record, [])
            last = known[-1] if known else None
            if last and (each.at < last.visible or last.deleted):
                continue
            number = len(known) + 1
            content = last.content if last and each.kind == "touch" else number
            known.append(Version(each.record, number, floor(each.at), end, content, each.kind == "delete"))
            made.append(known[-1])
        return made

    def write(self, record: int, at: float, commit: float | None = None, kind: str = "edit") -> Version:
        """Write one record in a transaction of its own, which commits at once unless told."""
        (made,) = self.transaction(at, at if commit is None else commit, Statement(at, record, kind))
        return made

    def newest(self, record: int, moment: float) -> Version | None:
        """Give what a query at ``moment`` sees of a record."""
        return next((each for each in reversed(self.versions[record]) if each.visible <= moment), None)

    def stamped(self, lower: float, upper: float, moment: float) -> list[Version]:
        """Answer a query for a window of stamps at one moment, ordered by stamp and id."""
        seen = (self.newest(record, moment) for record in self.versions)
        found = [each for each in seen if each and lower <= each.stamp < upper]
        return sorted(found, key=lambda each: (each.stamp, each.record))

    def covered(self, moment: float) -> float:
        """Give the start of the oldest transaction that is open."""
        return min((start for start, end in self.transactions if start <= moment < end), default=moment)

    def finals(self) -> list[Version]:
        """Give the state of every record when all is committed."""
        return [known[-1] for known in self.versions.values() if known]


# -- what becomes of what is read


@dataclass
class Books:
    """Where versions go: one effect for each content, whatever is handed on twice.

    That an old version never replaces a newer one is the write protocol's rule (hazard W2), here taken as given.
    """

    held: dict[int, Version] = field(default_factory=dict)
    effects: Counter[tuple[int, int, bool]] = field(default_factory=Counter)
    unsettled: set[int] = field(default_factory=set)
    echoes: int = 0
    old: int = 0

    def apply(self, version: Version) -> None:
        self.unsettled.discard(version.record)
        before = self.held.get(version.record)
        if before and before.number > version.number:
            self.old += 1
            return
        self.held[version.record] = version
        if before and (before.content, before.deleted) == (version.content, version.deleted):
            self.echoes += 1
            return
        self.effects[version.record, version.content, version.deleted] += 1

    def missed(self, finals: Sequence[Version]) -> list[Version]:
        return [final for final in finals if self.held.get(final.record) != final]

    @property
    def twice(self) -> list[tuple[int, int, bool]]:
        return [effect for effect, count in self.effects.items() if count > 1]


# -- our runs


@dataclass(frozen=True)
class Rules:
    """The settings of a sync; ``covered_age`` is None where Salesforce does not say what is open."""

    overlap: float = 10 * MINUTE
    margin: float = 5 * MINUTE
    covered_age: float | None = None

    def promises(self, version: Version) -> bool:
        """Say whether a version must not be lost, by what ``core/window.py`` states."""
        return version.late <= max(self.margin, self.covered_age or 0) + self.overlap


BREAKS = ("extract", "locator", "whole", "plan", "apply", "commit")


@dataclass(frozen=True)
class Trip:
    """How one run goes.

    :param at: when it may begin.
    :param pace: seconds from one request to the next.
    :param pages: sizes of successive pages, the last one for all that follow: a page may be short.
    :param locator: whether pages show the moment of the query; otherwise each is a query of its own, by key.
    :param breaks: the steps at which one try after the other dies.
    :param patient: whether a step that died is tried again, ``delay`` later; otherwise the run failed for good.
    :param parks: records whose write is refused, to be read again by the next run.
    """

    facts: RunFacts
    at: float
    pace: float = 1.0
    pages: tuple[int, ...] = (2000,)
    locator: bool = True
    breaks: tuple[str, ...] = ()
    patient: bool = True
    delay: float = 30.0
    parks: frozenset[int] = frozenset()


class _BrokenError(Exception):
    """A step died."""


class Sync:
    """One DAG: its watermark, which another may share, and its books."""

    def __init__(self, org: Org, rules: Rules, *, marks: dict[str, datetime] | None = None, books: Books | None = None):
        self.org, self.rules = org, rules
        self.marks = {} if marks is None else marks
        self.books = books or Books()
        self.windows: list[Window] = []
        self.moves: list[tuple[datetime | None, datetime]] = []

    def in_turn(self, trips: Sequence[Trip]) -> Iterator[float]:
        """Play runs as one DAG does: the next begins when the last is over. Yields the moment it waits for."""
        moment = 0.0
        for trip in trips:
            moment = yield from _Run(self, trip, max(moment, trip.at)).play()

    def run(self, at: float, **facts: object) -> Window:
        """Play one smooth run."""
        play([self.in_turn([Trip(RunFacts(f"at {at}", **facts), at)])])  # type: ignore[arg-type]
        return self.windows[-1]


class _Run:
    def __init__(self, sync: Sync, trip: Trip, moment: float) -> None:
        self.sync, self.trip, self.moment = sync, trip, moment
        self.org, self.facts = sync.org, trip.facts
        self.breaks = list(trip.breaks)
        self.window: Window | None = None
        self.staged: list[Version] = []

    def play(self) -> Iterator[float]:
        yield self.moment
        for step in (self.extract, self.plan, self.apply, self.commit):
            while True:
                try:
                    yield from step()
                    break
                except _BrokenError:
                    if not self.trip.patient:
                        return self.moment
                    yield self.later(self.trip.delay)
        return self.moment

    def later(self, wait: float | None = None) -> float:
        self.moment += self.trip.pace if wait is None else wait
        return self.moment

    def breaks_at(self, step: str) -> bool:
        if self.breaks and self.breaks[0] == step:
            self.breaks.pop(0)
            return True
        return False

    def extract(self) -> Iterator[float]:
        window = self.choose()
        yield self.later()
        dirty = set(self.sync.books.unsettled)
        if self.facts.only is not None:
            dirty &= {int(record) for record in self.facts.only}
        elif not window.empty:
            dirty |= {row.record for row in (yield from self.pages(window))}
        yield self.later()
        if self.breaks_at("whole"):
            raise _BrokenError
        whole = (self.org.newest(record, self.moment) for record in sorted(dirty))
        self.staged = [each for each in whole if each][: self.facts.limit]
        self.window = window
        self.sync.windows.append(window)

    def choose(self) -> Window:
        rules = self.sync.rules
        window = delta_window(
            self.facts,
            watermark=self.sync.marks.get("source"),
            now=instant(floor(self.moment)),  # an HTTP date has whole seconds
            overlap=timedelta(seconds=rules.overlap),
            margin=timedelta(seconds=rules.margin),
            covered=None if rules.covered_age is None else instant(self.org.covered(self.moment)),
            covered_age=timedelta(seconds=rules.covered_age or 0),
        )
        if self.breaks_at("extract"):
            raise _BrokenError
        return window

    def pages(self, window: Window) -> Iterator[float]:
        lower, upper = seconds(window.lower), seconds(window.upper)
        snapshot, sizes, rows = self.moment, list(self.trip.pages), []
        while True:
            found = self.org.stamped(lower, upper, snapshot if self.trip.locator else self.moment)
            if self.trip.locator:
                rest = found[len(rows) :]
            else:
                last = (rows[-1].stamp, rows[-1].record) if rows else (-1, -1)
                rest = [each for each in found if (each.stamp, each.record) > last]
            size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
            rows += rest[:size]
            if len(rest) <= size:
                return rows
            yield self.later()
            if self.breaks_at("locator"):
                raise _BrokenError

    def plan(self) -> Iterator[float]:
        yield self.later()
        if self.breaks_at("plan"):
            raise _BrokenError

    def apply(self) -> Iterator[float]:
        half = len(self.staged) // 2
        for place, version in enumerate(self.staged):
            if place == half and self.breaks_at("apply"):
                raise _BrokenError
            if version.record in self.trip.parks:
                self.sync.books.unsettled.add(version.record)
            else:
                self.sync.books.apply(version)
        yield self.later()

    def commit(self) -> Iterator[float]:
        if self.breaks_at("commit"):
            raise _BrokenError
        yield self.later()
        window, marks = self.window, self.sync.marks
        if window is None or window.empty or not window.moves:
            return
        if moves_to(window.upper, lower=window.lower, known=marks.get("source")):
            self.sync.moves.append((marks.get("source"), window.upper))
            marks["source"] = window.upper


def play(tracks: Sequence[Iterator[float]]) -> float:
    """Play DAGs side by side, each going on when its moment has come; gives the moment the last one is done."""
    moment = 0.0
    waiting = [(next(track, None), place, track) for place, track in enumerate(tracks)]
    heap = [each for each in waiting if each[0] is not None]
    heapq.heapify(heap)
    while heap:
        moment, place, track = heapq.heappop(heap)
        if (then := next(track, None)) is not None:
            heapq.heappush(heap, (then, place, track))
    return moment
