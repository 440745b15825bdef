"""Measure what the project promises; prints a table and writes ``bench/results.json``."""

from __future__ import annotations

import json
import operator
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "crash")]

STEPS = (
    "dag_import",
    "bookkeeping",
    "transform",
    "million",
    "plan_ahead",
    "write_backs",
    "write_back_calls",
    "store_size",
    "page",
    "extract",
    "quiet_runs",
    "tie_out",
    "pdf",
    "crashes",
)
"""Modules beside this one; each fills in its results."""

Results = dict[str, dict[str, Any]]


def main() -> None:
    """Run every measurement, or those that are named.

    :raises SystemExit: when a goal was missed.
    """
    from rich.console import Console
    from rich.table import Table

    results: Results = {}
    if unknown := set(sys.argv[1:]) - {*STEPS}:
        raise SystemExit(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(STEPS)}.")
    console = Console()
    for step in sys.argv[1:] or STEPS:
        with console.status(step):
            import_module(step).measure(results)
    path = ROOT / "bench" / "results.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | results, indent=1) + "\n")
    table = Table("what", "value", "unit", "goal")
    missed = [name for name, row in results.items() if not _met(row)]
    for name, row in results.items():
        table.add_row(name, str(row["value"]), row["unit"], row["goal"], style="red" if name in missed else None)
    console.print(table)
    if missed:
        raise SystemExit(f"Missed: {', '.join(missed)}")


def _met(row: dict[str, Any]) -> bool:
    """Hold a value against its goal: ``<= 5``, ``>= 80``, ``< 300``, or a number that it has to be."""
    word, _, number = row["goal"].rpartition(" ")
    compare = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, "": operator.eq}[word]
    return not number or bool(compare(row["value"], float(number)))


if __name__ == "__main__":
    main()
