"""``airflow kashoo undo`` for people: the plan and how to approve it, or what was voided; and what stays, and why."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from airflow_provider_kashoo.cli.plan import print_report
from airflow_provider_kashoo.sync.by_hand.undo import Undoing, command_of
from airflow_provider_kashoo.sync.run.approval import SHORT


def show(found: Undoing, run_id: str, console: Console) -> None:
    """Print how far an undo got.

    :param run_id: of the run that is undone.
    """
    if found.report:
        print_report(found.report, console)
    lines = [f"{name:<12} {count}" for name, count in sorted(found.outcome.items())]
    lines += [f"not undone: {record}: {why}" for record, why in found.left]
    if found.report:
        lines += [f"To void them: airflow kashoo approve {found.report.digest[:SHORT]}", f"Then: {command_of(run_id)}"]
    elif found.outcome:
        lines.append("Their deals are not billed again until you say so: airflow kashoo replay ID")
    else:
        lines.append(f"Run {run_id} has no invoice that can be voided. Nothing was written.")
    for line in lines:
        console.print(Text(line))
