"""Which time stamps a run reads, and whether it may move the watermark.

================== ================================== ===================================== =========
run                lower                              upper                                 watermark
================== ================================== ===================================== =========
scheduled          min(interval start, watermark)     min(interval end, now - margin)       moves
                   - overlap
manual, event      watermark - overlap                now - margin                          moves
backfill           interval start                     min(interval end, now - margin)       stays
since/until/limit  since, or as a manual run          min(until, now), or now - margin      stays
remap              as since/until/limit; besides, all that is linked is read                stays
================== ================================== ===================================== =========

``now`` is the server's clock, never ours. Without a watermark, lower is the DAG's ``start_date``.

Every upper is also at most ``covered``, the start of the oldest transaction still open, because a record is stamped
long before its transaction is committed and visible; but ``covered`` counts as no older than ``now - covered_age``, so
that one hung transaction does not block everything. Certain to be read is whatever is committed within
``max(margin, covered_age) + overlap`` of its stamp; without ``covered``, within ``margin + overlap``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.values.dates import floor_second


@dataclass(frozen=True)
class RunFacts:
    """What Airflow knows about a run, in plain types.

    :param run_id: Airflow's run id, or any other unique name.
    :param run_type: ``scheduled``, ``manual``, ``asset_triggered`` or ``backfill``; ours are
        ``replay``, ``adopt`` and ``undo``.
    :param interval_start: UTC; read only for scheduled and backfill runs, because a manual run's
        interval is the last full cron period and an event run has none.
    :param interval_end: UTC, exclusive.
    :param first: lower end of the window when nothing was read yet (the DAG's ``start_date``).
    :param since: DAG param, UTC.
    :param until: DAG param, UTC.
    :param limit: DAG param: at most this many invoices, a test batch.
    :param only: read these records and nothing else: a replay.
    :param remap: read all linked records, too, and change them to what the mappings say now.
    :param dag_id: the DAG that runs; None for what a person started on the command line.
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
    remap: bool = False
    dag_id: str | None = None

    @property
    def bounded_by_hand(self) -> bool:
        """Return whether a person limited the window, so that the watermark must not move."""
        return self.remap or any(given is not None for given in (self.since, self.until, self.limit, self.only))


@dataclass(frozen=True)
class Window:
    """Stamps in ``[lower, upper)``, UTC, whole seconds.

    :param moves: whether the watermark becomes ``upper`` when every record of the window is settled.
    :param note: how the window was chosen, for the plan.
    """

    lower: datetime
    upper: datetime
    moves: bool
    note: str

    @property
    def empty(self) -> bool:
        """Return whether there is nothing to read."""
        return self.upper <= self.lower


def delta_window(
    run: RunFacts,
    *,
    watermark: datetime | None,
    now: datetime,
    overlap: timedelta,
    margin: timedelta,
    covered: datetime | None,
    covered_age: timedelta,
) -> Window:
    """Choose the window of a run by the table above.

    :param watermark: how far this source was read and settled; None when never.
    :param now: the server's clock, UTC.
    :param overlap: read again before the watermark, for what was committed late.
    :param margin: never read closer to now than this.
    :param covered: start of the oldest transaction still open, read before the first query; None when not known.
    :param covered_age: count ``covered`` as no older than this.
    :raises ConfigurationError: when there is neither a watermark nor a start, or when the window a person gave is
        always empty: ``since`` not before ``until``, or not before now.
    """
    newest = now - margin
    if run.only is not None:
        return _window(now, now, moves=False, note="replay of single records")
    if run.bounded_by_hand:
        _refuse_nonsense(run.since, run.until, now)
        lower, upper = run.since or _start(run, watermark, overlap), min(run.until or newest, now)
        moves, note = False, "limited by hand: the watermark does not move"
    elif run.run_type == "backfill":
        lower, upper = _given(run.interval_start), min(_given(run.interval_end), newest)
        moves, note = False, "backfill"
    else:
        lower, upper = _start(run, watermark, overlap), newest
        moves, note = True, "since the watermark" if watermark else "no watermark yet: from the start"
        if run.run_type == "scheduled":
            upper = min(_given(run.interval_end), newest)
            if watermark and run.interval_start:
                lower = min(lower, run.interval_start - overlap)
    if covered and covered < upper:
        oldest = now - covered_age
        upper = min(upper, max(covered, oldest))
        note += f"; read up to {floor_second(upper).isoformat()}"
        hung = f", past a transaction in Salesforce that has been open since {covered.isoformat()}"
        note += hung if covered < oldest else "; Salesforce has confirmed nothing newer yet"
    return _window(lower, upper, moves=moves, note=note)


def moves_to(upper: datetime, *, lower: datetime, known: datetime | None) -> bool:
    """Return whether a watermark at ``known`` moves to the upper end of a window.

    It never moves back, and only moves when the window began at or before it, so that no gap is skipped.
    """
    return known is None or lower <= known < upper


def _refuse_nonsense(since: datetime | None, until: datetime | None, now: datetime) -> None:
    if since and until and since >= until:
        raise ConfigurationError("since is not before until.", remedy="Give since < until, both ISO 8601 UTC.")
    if since and since >= now:
        raise ConfigurationError(
            f"since is in the future: {since.isoformat()}, while Salesforce's clock says {now.isoformat()}.",
            remedy="Set since to a time in the past, ISO 8601 UTC.",
        )


def _start(run: RunFacts, watermark: datetime | None, overlap: timedelta) -> datetime:
    if watermark:
        return watermark - overlap
    if run.first:
        return run.first
    raise ConfigurationError(
        "Nothing was read yet, and Airflow knows no start_date of the DAG.",
        remedy="Give since: the param of a run, or --since 2026-01-01 of a command. Or set the DAG's start_date; that "
        "Airflow reads the DAG files: airflow dags reserialize.",
    )


def _given(value: datetime | None) -> datetime:
    if value is None:
        raise ConfigurationError("The run has no data interval.", remedy="Use CronDataIntervalTimetable.")
    return value


def _window(lower: datetime, upper: datetime, *, moves: bool, note: str) -> Window:
    return Window(floor_second(lower), floor_second(upper), moves, note)
