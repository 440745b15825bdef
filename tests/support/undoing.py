"""An undo as a person does it: called, approved, called again; and what holds afterwards."""

from __future__ import annotations

import io

import pytest
from records import writes
from rich.console import Console
from rounds import (
    Rounds,
    links,
    open_items,
    weeks,
    win,
)
from voids import all_invoices, standing

from airflow_provider_kashoo.cli.undo import show
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.store.approvals import asking_plans
from airflow_provider_kashoo.sync.by_hand.undo import Undoing, undo


def billed(drive: Rounds, count: int = 1) -> tuple[str, list[str]]:
    """A run bills some deals, which are told; gives its id and the deals."""
    deals = [win(drive) for _ in range(count)]
    run_id = drive.run().sync.run.run_id
    drive.run_back()
    return run_id, deals


def decide(drive: Rounds, decision: Decision = Decision.APPROVE) -> str:
    """A person decides about the one plan that asks."""
    (plan,) = [plan for plan in asking_plans(drive.database) if plan.decided is None]
    said = {"by": "ann", "reason": "wrong prices", "summary": plan.summary}
    drive.store.approvals.decide(plan.sync, plan.run_id, plan.digest, decision, **said)
    return plan.digest


def call(drive: Rounds, run_id: str) -> Undoing:
    drive.sandbox.clock.advance(60)
    return undo(drive.sync(), run_id)


def approved(drive: Rounds, run_id: str) -> Undoing:
    """Call it, approve the plan, call it again."""
    assert call(drive, run_id).report is not None
    decide(drive)
    return call(drive, run_id)


def refused(drive: Rounds, run_id: str) -> str:
    before = writes(drive.sandbox)
    with pytest.raises(ConfigurationError) as said:
        undo(drive.sync(), run_id)
    assert writes(drive.sandbox) == before
    return str(said.value)


def undone(drive: Rounds, *deals: str) -> None:
    """Nothing stands for these deals, they are shown as undone, and no run bills them."""
    weeks(drive, 1)
    for deal in deals:
        assert standing(drive, deal) == []
        assert len(all_invoices(drive, deal)) == 1
        assert deal not in links(drive)
    assert open_items(drive) == sorted((deal, "undone") for deal in deals)


def left(found: Undoing) -> dict[str, str]:
    return {record.id: why for record, why in found.left}


def printed(found: Undoing, run_id: str) -> str:
    console = Console(file=io.StringIO(), width=300)
    show(found, run_id, console)
    return console.file.getvalue()  # type: ignore[attr-defined]
