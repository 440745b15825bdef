"""Which stamps a run reads, and whether it may move the watermark.

================== ================================== ===================================== =========
run                lower                              upper                                 watermark
================== ================================== ===================================== =========
scheduled          min(interval start, watermark)     min(interval end, now - margin)       moves
                   - overlap
manual, event      watermark - overlap                now - margin                          moves
backfill           interval start                     min(interval end, now - margin)       stays
since/until/limit  as given                           as given                              stays
================== ================================== ===================================== =========

``now`` is the server's clock, never ours. Without a watermark, lower is the DAG's ``start_date``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_kashoo.core.dates import floor_second
from airflow_provider_kashoo.core.errors import ConfigurationError


@dataclass(frozen=True)
class RunFacts:
    """What Airflow says of a run, in plain types.

    :param run_id: Airflow's run id, or any name that is new for each run.
    :param run_type: ``scheduled``, ``manual``, ``asset_triggered`` or ``backfill``.
    :param interval_start: UTC; read only for scheduled and backfill runs, because a manual run's
        interval is the last full cron period and an event run has none.
    :param interval_end: UTC, exclusive.
    :param first: where history begins when nothing was read yet (the DAG's ``start_date``).
    :param since: DAG param, UTC.
    :param until: DAG param, UTC.
    :param limit: DAG param: at most this many invoices, a test batch.
    :param only: read these records and nothing else: a replay.
    """

    run_id: str
    run_type: str = "manual"
    interval_start: datetime | None = None
    interval_end: datetime | None = None
    first: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None
    only: frozenset[str] | None = None

    @property
    def bounded_by_hand(self) -> bool:
        """Say whether a person cut the window, so that it proves nothing about the rest."""
        return any(given is not None for given in (self.since, self.until, self.limit, self.only))


@dataclass(frozen=True)
class Window:
    """Stamps in ``[lower, upper)``, UTC, whole seconds.

    :param moves: whether the watermark becomes ``upper`` when every record of the window is settled.
    :param note: how the window came about, for the plan.
    """

    lower: datetime
    upper: datetime
    moves: bool
    note: str

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to read."""
        return self.upper <= self.lower


def delta_window(
    run: RunFacts, *, watermark: datetime | None, now: datetime, overlap: timedelta, margin: timedelta
) -> Window:
    """Choose the window of a run by the table above.

    :param watermark: how far this source was read and settled; None when never.
    :param now: the server's clock, UTC.
    :param overlap: read again before the watermark, for what was committed late.
    :param margin: never read closer to now than this.
    :raises ConfigurationError: when there is neither a watermark nor a beginning, or ``since`` is after ``until``.
    """
    newest = now - margin
    if run.only is not None:
        return _window(now, now, moves=False, note="replay of single records")
    if run.bounded_by_hand:
        lower = run.since or _start(run, watermark, overlap)
        upper = min(run.until or newest, now)
        if run.since and run.until and run.since >= run.until:
            raise ConfigurationError("since is not before until.", remedy="Give since < until, both ISO 8601 UTC.")
        return _window(lower, upper, moves=False, note="bounded by hand: the watermark stays")
    if run.run_type == "backfill":
        return _window(_given(run.interval_start), min(_given(run.interval_end), newest), moves=False, note="backfill")
    lower = _start(run, watermark, overlap)
    note = "since the watermark" if watermark else "no watermark yet: from the beginning"
    if run.run_type == "scheduled":
        if watermark and run.interval_start:
            lower = min(lower, run.interval_start - overlap)
        return _window(lower, min(_given(run.interval_end), newest), moves=True, note=note)
    return _window(lower, newest, moves=True, note=note)


def _start(run: RunFacts, watermark: datetime | None, overlap: timedelta) -> datetime:
    if watermark:
        return watermark - overlap
    if run.first:
        return run.first
    raise ConfigurationError(
        "Nothing was read yet and no beginning is known.",
        remedy="Give the DAG a start_date, or trigger it with the param since.",
    )


def _given(value: datetime | None) -> datetime:
    if value is None:
        raise ConfigurationError("The run has no data interval.", remedy="Use CronDataIntervalTimetable.")
    return value


def _window(lower: datetime, upper: datetime, *, moves: bool, note: str) -> Window:
    return Window(floor_second(lower), floor_second(upper), moves, note)
