"""What the next run would do: read and planned by the same code, written nowhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.reports.plan import PlanReport
from airflow_provider_kashoo.store.rehearsal import Rehearsal
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.preflight import preflight
from airflow_provider_kashoo.sync.run.report import report_of
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import KASHOO_SOURCES, TO_KASHOO, Sync
from airflow_provider_kashoo.sync.run.waits import Reads


def preview(sync: Sync, run: RunFacts) -> PlanReport:
    """Plan what a run would do, and report it. Neither side nor the store is written to; it costs only reads.

    :param sync: its name, connections and mappings are used.
    :param run: the run that it would be.
    :raises ConfigurationError: as the steps of a run.
    :raises BudgetSpent: when the request limit is reached.
    """
    with rehearsed(sync, run) as (shown, summary):
        report = report_of(shown, summary)
        return replace(report, notes=[*report.notes, *_unanswered(shown)])


@contextmanager
def rehearsed(sync: Sync, run: RunFacts) -> Iterator[tuple[Sync, PlanSummary]]:
    """Read and plan as a run would, into files that are removed afterwards, with a store that stays as it is.

    :returns: the run with its files, and the summary of its plan.
    :raises ConfigurationError: as :func:`preview`; so for BudgetSpent.
    """
    run_id = f"plan__{datetime.now(UTC).isoformat()}"
    with tempfile.TemporaryDirectory(prefix="kashoo-plan-") as folder:  # only its owner may read it
        shown = replace(
            sync,
            run=replace(run, run_id=run_id),
            store=Rehearsal(sync.store),
            files=Staging(Path(folder), sync.name, "preview", run_id),
        )
        preflight(shown)
        for source in sync.sources if sync.name == TO_KASHOO else KASHOO_SOURCES:
            steps.extract(shown, source)
        shown.recall_describes()
        yield shown, steps.decide(shown, Reads(shown))


def _unanswered(sync: Sync) -> list[str]:
    """Say which records only a run can look up: that changes the store."""
    count = len([*sync.store.journal.unsettled(State.SENT, State.IN_DOUBT)])
    return [f"{count} writes had no answer; the next run looks them up before it plans"] if count else []
