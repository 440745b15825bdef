"""The tie-out: how many planted differences it finds and names right, and what 100,000 invoices take.

The differences are planted with seeds that no test uses. For the large one both simulated systems are served by this
process, and the tie-out runs in one of its own, so that its memory is what it takes. As a program it prints the
figures of the large one as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from million import opened

DEALS, INVOICES = 143_600, 100_000
"""Opportunities, of which seven in ten are won and a few worth too little; at least so many are billed."""

EACH, SEEDS = 10, (20_261, 20_262)
"""How many differences of each name are planted, and by which seeds."""

TO = date(2026, 12, 31)

Results = dict[str, dict[str, Any]]


def measure(results: Results) -> None:
    """Measure both."""
    _quality(results)
    command = [sys.executable, __file__]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    what = f"tie-out of {found['invoices']:,} invoices"
    share = round(found["requests"] / found["pages"], 3)
    unit = f"times the {found['pages']:,} list pages; {found['requests']:,} requests to Kashoo"
    results[f"{what}: requests"] = {"value": share, "unit": unit, "goal": "<= 1.01"}
    used, simulated = found["processor"], found["simulated"]
    unit = f"s, budget lifted; processor: {used} s of it the tie-out, {simulated} s the simulated systems"
    results[f"{what}: time"] = {"value": found["seconds"], "unit": unit, "goal": "<= 120"}
    results[f"{what}: memory"] = {"value": found["peak"], "unit": "MiB at the peak, all of Python", "goal": "<= 500"}


def _quality(results: Results) -> None:
    """Plant differences of every name, and count which are found and named right."""
    wanted, found, right = Counter[str](), Counter[str](), Counter[str]()
    false = Counter[str]()
    for seed in SEEDS:
        for said, truth in _planted(seed):
            for name, ids in truth.items():
                wanted[name] += len(ids)
                found[name] += sum(ident in said for ident in ids)
                right[name] += sum(said.get(ident) == name for ident in ids)
            by_id = {ident: name for name, ids in truth.items() for ident in ids}
            false.update(name for ident, name in said.items() if by_id.get(ident) != name)
    for name in sorted(wanted):
        recall, named = right[name] / wanted[name], right[name] + false[name]
        precision = right[name] / named if named else 0.0
        print(f"  {name:<32} {wanted[name]:>5} planted  recall {recall:.3f}  precision {precision:.3f}")
    total = sum(wanted.values())
    unit = f"% of {total:,} planted differences of {len(wanted)} names"
    results["tie-out: differences found"] = {
        "value": round(100 * sum(found.values()) / total, 2), "unit": unit, "goal": "100"
    }  # fmt: skip
    results["tie-out: named right"] = {
        "value": round(100 * sum(right.values()) / total, 2), "unit": unit, "goal": ">= 99"
    }  # fmt: skip
    results["tie-out: names given that were not planted"] = {
        "value": sum(false.values()), "unit": "of both, wrong names included", "goal": "0"
    }  # fmt: skip


def _planted(seed: int) -> list[tuple[dict[str, str], dict[str, set[str]]]]:
    """Tie out planted books twice: while a plan waits, and after it was rejected.

    :returns: what was said of each record, and what was planted.
    """
    from inprocess import WEDNESDAY
    from planted import Locked, Planted, found_by
    from rounds import in_step

    told = []
    with tempfile.TemporaryDirectory() as folder:
        first, second, third = (Path(folder) / name for name in ("start", "planted", "balances"))
        for each in (first, second, third):
            each.mkdir()
        with in_step(first, WEDNESDAY) as start:
            told.append(_planted_balances(start.again(third), seed))
            start.again(second).end()
            planted = Planted(Locked(start.box, second), seed=seed, each=EACH)
            planted.drive.runs = 200
            planted.plant()
            for reject in (False, True):
                if reject:
                    planted.reject()
                said = {
                    found_by(report, each): str(each.name)
                    for report in (planted.tie_out(),)
                    for each in report.differences
                    if each.source_id or each.kashoo_id
                }
                told.append((said, {name: set(ids) for name, ids in planted.wanted.items()}))
            planted.drive.end()
    return told


def _planted_balances(drive: Any, seed: int) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Tie out books in which balances differ from payments and Accounts.

    :returns: what was said of each record, and what was planted.
    """
    from planted import YEAR
    from planted_balances import plant_balances, said_of
    from receivables import with_receivables

    from airflow_provider_kashoo.sync.tie_out.tie_out import tie_out

    drive.runs = 200
    with_receivables(drive).run_back()
    wanted = plant_balances(drive, seed=seed, each=EACH)
    found = said_of(tie_out(drive.sync(), YEAR))
    drive.end()
    return {ident: name for name, ids in found.items() for ident in ids}, wanted


def prepare_and_run() -> dict[str, Any]:
    """Bill very many deals as if it had been done by runs, and let a process of its own tie them out."""
    from all_linked import link_all

    from airflow_provider_kashoo.sandbox.server import Sandbox
    from airflow_provider_kashoo.sync import steps

    with tempfile.TemporaryDirectory() as folder, Sandbox(dataset=f"generated:{DEALS}") as box:
        box.books.limits = []
        said = json.dumps(
            {
                "folder": folder,
                "kashoo": [box.kashoo_url, box.books.email, box.books.password, str(box.books.main())],
                "salesforce": [box.salesforce_url, box.org.access.app, str(box.ca_bundle)],
                "org": box.org.org_id,
            }
        )
        before = opened(said, "before", since=datetime(2020, 1, 1, tzinfo=UTC))
        steps.preflight(before)
        for source in before.sources:
            steps.extract(before, source)
        steps.plan(before)
        link_all(before)
        _book(box, before)
        now = datetime.fromtimestamp(box.clock.time(), UTC)
        for source in before.sources:
            before.store.watermarks.move(f"salesforce.{source}", lower=now, upper=now, run_id="before")
        box.logs["kashoo"].clear()
        command, used = [sys.executable, __file__, said], time.process_time()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        figures: dict[str, Any] = json.loads(done.splitlines()[-1])
        figures["simulated"] = round(time.process_time() - used, 1)
        figures["requests"] = box.logs["kashoo"].total
    if figures["differences"] or figures["invoices"] < INVOICES:
        raise SystemExit(f"the tie-out said {figures}")
    return figures


def _book(box: Any, sync: Any) -> None:
    """Put every invoice that is linked into the books, as it was planned."""
    from airflow_provider_kashoo.core.rules.intents import Create
    from airflow_provider_kashoo.sync.run.plan_file import PlanFile

    table = box.books.business(box.books.main()).tables["invoices"]
    creates = [each for each in PlanFile(sync.files).rows() if isinstance(each, Create)]
    for ident, intent in enumerate(creates, start=1):  # as link_all numbers them
        if intent.record.kind != "invoice":
            continue
        said = intent.document
        lines = [{**line, "quantity": 1, "taxCode": ""} for line in said["lines"]]
        table.put(
            {
                "id": ident, "type": "invoice", "number": str(ident), "date": said["date"], "dueDate": said["dueDate"],
                "currency": said["currency"], "contact": 1, "memo": f"{said.get('memo', '')} {intent.reference}",
                "lineItems": lines, "amount": intent.total, "totalDue": intent.total, "taxes": [], "removed": False,
                "creation": 0,
            }
        )  # fmt: skip


def tie_out_large(said: str) -> dict[str, Any]:
    """Tie out; gives seconds, those of the processor, MiB at the peak, and what was found."""
    from memory import peak

    from airflow_provider_kashoo.sync.tie_out.period import Period
    from airflow_provider_kashoo.sync.tie_out.tie_out import tie_out

    sync = opened(said, "measured")
    begun, used = time.perf_counter(), time.process_time()
    report = tie_out(sync, Period(TO - timedelta(days=730), TO + timedelta(days=365)))
    seconds, used = round(time.perf_counter() - begun, 1), round(time.process_time() - used, 1)
    invoices = sum(cell.counts["invoices"] for cell in report.cells)
    listed = sum(cell.counts["books"] + cell.counts["not_ours"] for cell in report.cells)
    return {
        "seconds": seconds,
        "processor": used,
        "peak": peak(),
        "invoices": invoices,
        "pages": sync.kashoo.requests_to_list(listed),
        "differences": [each.name for each in report.differences if each.id][:10],
    }


if __name__ == "__main__":
    print(json.dumps(tie_out_large(sys.argv[1]) if len(sys.argv) > 1 else prepare_and_run()))
