"""The tasks of a run as Airflow starts them: each by its operator, with connections of its own. Only with Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow.sdk.execution_time.context import OutletEventAccessors
from driver import BEGINNING, SOURCES
from records import books_rows

from airflow_provider_kashoo.operators.sync import (
    KashooDeltaOperator,
    KashooSyncApplyOperator,
    KashooSyncApproveOperator,
    KashooSyncCommitOperator,
    KashooSyncPlanOperator,
    KashooSyncPreflightOperator,
    SalesforceDeltaOperator,
)
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

STEPS: dict[str, Any] = {
    "preflight": KashooSyncPreflightOperator,
    "plan": KashooSyncPlanOperator,
    "approve": KashooSyncApproveOperator,
    "apply": KashooSyncApplyOperator,
    "commit": KashooSyncCommitOperator,
}


class Run:
    """One run of a sync, a step at a time."""

    def __init__(self, sandbox: Sandbox, sync: str, run_id: str) -> None:
        self.sandbox, self.sync, self.run_id = sandbox, sync, run_id
        self.tasks: dict[str, Any] = {}

    def __call__(self, step: str) -> Any:
        run = SimpleNamespace(
            dag_id=self.sync, run_id=self.run_id, run_type="manual", data_interval_start=None, data_interval_end=None
        )
        dag = SimpleNamespace(start_date=BEGINNING)
        context = {"dag_run": run, "params": {}, "dag": dag, "outlet_events": OutletEventAccessors()}
        if step in STEPS:
            self.tasks[step] = STEPS[step](task_id=step, sync=self.sync)
            return self.tasks[step].execute(context)
        if self.sync == TO_KASHOO:
            return SalesforceDeltaOperator(task_id=step, sobject=step).execute(context)
        return KashooDeltaOperator(task_id=step, resource=step).execute(context)

    def up_to(self, last: str) -> Run:
        for step in self.steps[: self.steps.index(last) + 1]:
            self(step)
        return self

    @property
    def steps(self) -> list[str]:
        return ["preflight", *SOURCES[self.sync], "plan", "approve", "apply", "commit"]

    def asked(self, step: str) -> set[str]:
        """Do a step and name the sides that got a request."""
        before = {side: log.total for side, log in self.sandbox.logs.items()}
        self(step)
        return {side for side, log in self.sandbox.logs.items() if log.total > before[side]}

    def requests(self, *steps: str, side: str = "kashoo") -> list[str]:
        """Do steps and list what they asked a side, logins too: method and last word of the path."""
        log = self.sandbox.logs[side]
        before = log.total
        for step in steps:
            self(step)
        new = log.entries()[before - log.total :] if log.total > before else []
        return [f"{each['method']} {each['path'].rpartition('/')[2]}" for each in new]


def bring_in_step(box: Sandbox) -> None:
    """Run both syncs until neither has anything to write; one invoice is paid in part, so that there is a payment."""
    Run(box, TO_KASHOO, "before 1").up_to("commit")
    first = next(row for row in books_rows(box, "invoices") if "[sf:" in (row["memo"] or ""))
    box.books.pay(box.books.main(), first["id"], 100)
    for number, sync in enumerate((TO_SALESFORCE, TO_KASHOO, TO_SALESFORCE), 2):
        Run(box, sync, f"before {number}").up_to("commit")
