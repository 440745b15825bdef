"""How fast a million lines become invoices, beside a loop over rows and beside polars.

Each reads the same deals from staged Parquet and gives the same invoices, in a process of its own: as many, to as many
cents, and of ours and the loop's one invoice of fifty is compared whole. As a program it runs
one of them, such as ``bench/transform.py ours FOLDER`` after ``bench/transform.py stage FOLDER``, and prints seconds
and memory as JSON; ``--profile`` also says where the time goes.
"""

from __future__ import annotations

import cProfile
import hashlib
import importlib
import json
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DEALS = 112_000
LINES_EACH = tuple(7 * number % 11 + 4 for number in range(11))
"""How many lines a deal has: nine on average."""

PART = 100_000
"""Rows of a staged part."""

PARTIES = {"ours": "our_transform", "row loop": "row_loop", "polars": "in_polars"}
"""Party -> the module with its ``documents`` and ``counted``."""

WITH_RULES = {"our rules": "our_rules", "row loop of rules": "row_loop_rules"}
"""The same with a mapping that says most of what a mapping can say."""

ROUNDS = 3
"""What else the machine does makes one round slower, never faster."""

Results = dict[str, dict[str, Any]]


def measure(results: Results) -> None:
    """Let each party do it in turns; of each, the best of three rounds.

    :raises SystemExit: when they do not give the same invoices.
    """
    with tempfile.TemporaryDirectory() as folder:
        _in_a_process("stage", folder)  # so that this process stays small: others measure how much it grows
        rounds = [{name: _in_a_process(name, folder) for name in PARTIES} for _ in range(ROUNDS)]
        ruled = [{name: _in_a_process(name, folder) for name in WITH_RULES} for _ in range(ROUNDS)]
    made = _made(rounds)
    _measure_rules(results, ruled)
    seconds = {name: min(each[name]["seconds"] for each in rounds) for name in PARTIES}
    peaks = {name: max(each[name]["peak"] for each in rounds) for name in PARTIES}
    invoices, _ = made
    results["transform"] = {
        "value": round(invoices / seconds["ours"]),
        "unit": f"deals a second, with 9 lines each; {seconds['ours']:.1f} s in all",
        "goal": "",
    }
    for name, goal in (("row loop", "<= 0.2"), ("polars", "")):
        article = "a " if name == "row loop" else ""
        results[f"transform beside {article}{name}"] = {
            "value": round(seconds["ours"] / seconds[name], 2),
            "unit": f"times the {seconds[name]:.1f} s of it, with {peaks[name]} MiB",
            "goal": goal,
        }
    results["transform memory"] = {
        "value": peaks["ours"],
        "unit": "MiB at the peak, all of Python",
        "goal": "<= 400",
    }


def _made(rounds: list[dict[str, Any]]) -> tuple[int, int]:
    """Give what all parties made: invoices, and cents."""
    made = {(each["invoices"], each["cents"]) for one in rounds for each in one.values()}
    whole = {each["some"] for one in rounds for each in one.values() if each["some"]}
    if len(made) > 1 or len(whole) > 1:
        raise SystemExit(f"the parties made different invoices: {rounds[0]}")
    return made.pop()


def _measure_rules(results: Results, rounds: list[dict[str, Any]]) -> None:
    _made(rounds)
    ours, loop = (min(each[name]["seconds"] for each in rounds) for name in WITH_RULES)
    results["transform with rules beside a row loop"] = {
        "value": round(ours / loop, 2),
        "unit": f"times the {loop:.1f} s of it, with expressions, formats, a function, five rules; {ours:.1f} s in all",
        "goal": "<= 0.2",
    }


def _stage(folder: Path) -> None:
    """Stage deals and lines in parts, as an extract does."""
    import pyarrow as pa
    from sold import deals_and_lines

    from airflow_provider_kashoo.sync.read.columns import with_parent
    from airflow_provider_kashoo.sync.run.deltas import Delta

    files, parts = _staging(folder), dict[str, int]()
    deals, lines = deals_and_lines(DEALS, LINES_EACH)
    tables = {"records.{0}.{0}": pa.table(deals), "lines.{0}": with_parent(pa.table(lines), "OpportunityId")}
    for name, table in tables.items():
        for number, start in enumerate(range(0, table.num_rows, PART)):
            part = f"{name.format('Opportunity')}.{number:05}"
            files.write_table(part, table.slice(start, PART))
            parts[part] = min(PART, table.num_rows - start)
    Delta("salesforce.Opportunity", "", "", True, "", "", DEALS, parts=parts).stage(files, "Opportunity")


def _staging(folder: Path) -> Any:
    from airflow_provider_kashoo.sync.run.staging import Staging

    return Staging(folder, "salesforce_to_kashoo", "scope", "run")


def _in_a_process(name: str, folder: str) -> Any:
    command = [sys.executable, __file__, name, folder]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def run(name: str, folder: Path, *, profiled: bool = False) -> dict[str, Any]:
    """Let one party do it; gives seconds, MiB at the peak, and what was made."""
    from memory import peak

    party: Any = importlib.import_module({**PARTIES, **WITH_RULES}[name])
    place = _staging(folder)
    profile = cProfile.Profile()
    if profiled:
        profile.enable()
    begun, used = time.perf_counter(), time.process_time()
    made = party.documents(place if name.startswith("our") else place.folder)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    profile.disable()
    most = peak()
    if profiled:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(45)
    invoices, cents = party.counted(made)
    said = json.dumps(party.some(made), sort_keys=True).encode() if hasattr(party, "some") else b""
    figures = {"seconds": seconds, "processor": used, "peak": most, "invoices": invoices, "cents": cents}
    return figures | {"some": hashlib.sha256(said).hexdigest() if said else ""}


if __name__ == "__main__":
    _, party, folder, *more = sys.argv
    stage = party == "stage"
    print(json.dumps(_stage(Path(folder)) if stage else run(party, Path(folder), profiled="--profile" in more)))
