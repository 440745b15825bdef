"""Plan, approve and apply a run of ``salesforce_to_kashoo`` over very many deals.

A test batch of ten invoices of a first load, and a weekly look at deals that are all linked and unchanged. The deals
are staged, the store is a real one, and both sides are simulated by the process that stages; the steps run in one of
their own, so that its memory is what they take. As a program it runs one case, such as ``bench/million.py 300k``, and
prints seconds and memory as JSON; ``--profile`` also says where the time goes.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory import peak

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.clients.transport import Unlimited, new_session
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Org, Settings, Sync

MAPPINGS = Path(__file__).parents[1] / "include" / "mappings"
FIRST_READ, READ = "2026-03-01T12:00:00+00:00", "2026-03-08T12:00:00+00:00"
TEST_BATCH, WRITES = 10, 20
"""Invoices of a test batch; with their customers and items, so many records are written."""

DEADLINE = 60.0

waits: list[float] = []
"""Seconds until Salesforce answered each request of this process."""

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One run that is measured.

    :param part: rows of a staged part: a week's sweep reads by id, a thousand at a time.
    :param goals: figure -> goal; seconds, and MiB for ``peak``.
    """

    what: str
    deals: int
    goals: dict[str, str]
    limit: int | None = TEST_BATCH
    part: int = 100_000


CASES = {
    "1m": Case("1,000,000 deals", 1_000_000, {"plan": "<= 40", "apply": "<= 5", "peak": "<= 700"}),
    "300k": Case("300,000 deals", 300_000, {"plan": "<= 12"}),
    "weekly": Case("300,000 linked, unchanged deals", 300_000, {}, limit=None, part=1_000),
}
FIGURES = {"plan": "planned", "apply": "approved and applied", "peak": "memory"}


def measure(results: Results) -> None:
    """Run each case."""
    for name, case in CASES.items():
        command = [sys.executable, __file__, name]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        batch = "" if case.limit is None else f", a test batch of {case.limit} invoices"
        for figure, words in FIGURES.items():
            unit = {
                "plan": f"s; {found['waited']} s of it waiting for {found['asked']} answers of Salesforce",
                "apply": "s",
                "peak": "MiB at the peak, all of Python",
            }[figure]
            row = {"value": found[figure], "unit": unit, "goal": case.goals.get(figure, "")}
            results[f"{case.what}{batch}: {words}"] = row


def prepare_and_run(name: str, *more: str) -> dict[str, Any]:
    """Stage one case beside both simulated systems, and let a process of its own do the steps.

    :returns: its figures.
    :raises SystemExit: when it did something else than was expected.
    """
    from all_linked import link_all
    from staged_deals import stage

    from airflow_provider_kashoo.sandbox.server import Sandbox

    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder, Sandbox(dataset="empty") as box:
        box.books.limits = []
        said = json.dumps(
            {
                "folder": folder,
                "kashoo": [box.kashoo_url, box.books.email, box.books.password, str(box.books.main())],
                "salesforce": [box.salesforce_url, box.org.access.app, str(box.ca_bundle)],
                "org": box.org.org_id,
            }
        )
        wanted = {"created": WRITES}
        if case.limit is None:
            before = opened(said, "before")
            steps.preflight(before)
            stage(before, case.deals, case.part, FIRST_READ)
            steps.plan(before)
            wanted = {"unchanged": link_all(before)}
        sync = opened(said, "measured", case.limit)
        steps.preflight(sync)
        stage(sync, case.deals, case.part, READ)
        command = [sys.executable, __file__, name, said, *more]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(done)
    _check(figures, wanted)
    return figures


def _check(figures: dict[str, Any], wanted: dict[str, int]) -> None:
    """Refuse figures of a run that wrote something else than it should."""
    planned, did = figures["actions"], figures["outcome"]
    if "unchanged" in wanted:
        others = {action for actions in planned.values() for action in actions} - {"unchanged", "skip"}
        wrong = others or planned["invoice"]["unchanged"] != wanted["unchanged"]
    else:
        wrong = {outcome: count for outcome, count in did.items() if outcome != "skip"} != wanted
    if wrong:
        raise SystemExit(f"wanted {wanted}, planned {planned}, did {did}")


def opened(said: str, run_id: str, limit: int | None = None, **facts: Any) -> Sync:
    """Open a run over both simulated systems.

    :param said: where they are, and where the store and the staged files are, as JSON.
    :param facts: further ones of the run.
    """
    at = json.loads(said)
    folder, (url, app, ca_bundle) = Path(at["folder"]), at["salesforce"]
    database = Database(f"sqlite:///{folder}/store.db")
    database.migrate()
    business = at["kashoo"][-1]
    budget = Budget(database, "books", [Limit(1_000_000, 1)])

    def session(budget: Budget | Unlimited) -> Any:
        made = new_session(budget, DEADLINE)
        made.verify, made.trust_env = ca_bundle, False
        return made

    salesforce = session(Unlimited())
    salesforce.hooks["response"].append(lambda answer, **_: waits.append(answer.elapsed.total_seconds()))

    def log_in() -> Session:
        answer = salesforce.post(f"{url}/services/oauth2/token", data=app)
        answer.raise_for_status()
        return Session(answer.json()["access_token"], url)

    return Sync(
        name=TO_KASHOO,
        run=RunFacts(run_id, limit=limit, **facts),
        org=Org(lambda: SalesforceClient(salesforce, log_in, "67.0"), at["org"]),
        kashoo=KashooClient(session(budget), *at["kashoo"]),
        store=SyncStore(database, at["org"], business),
        budget=budget,
        mappings=load_mappings(MAPPINGS),
        files=Staging(folder / "staging", TO_KASHOO, "scope", run_id),
        settings=Settings(),
    )


def do_steps(name: str, said: str, *, profiled: bool = False) -> dict[str, Any]:
    """Do the steps of the staged run; gives seconds, MiB at the peak, and what was planned and done."""
    sync, before = opened(said, "measured", CASES[name].limit), peak()
    profile = cProfile.Profile()
    if profiled:
        profile.enable()
    planning, planned_with, summary = _timed(lambda: steps.plan(sync))
    planned, asked, waited = peak(), len(waits), round(sum(waits), 2)
    applying, applied_with, outcome = _timed(lambda: (steps.approve(sync), steps.apply(sync))[1])
    profile.disable()
    if profiled:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(60)
    return {
        "plan": planning,
        "asked": asked,
        "waited": waited,
        "apply": applying,
        "processor": {"plan": planned_with, "apply": applied_with},
        "peak": peak(),
        "peak of plan": planned,
        "before": before,
        "actions": summary.actions,
        "outcome": outcome,
        "digest": summary.digest,
    }


def _timed(act: Callable[[], Any]) -> tuple[float, float, Any]:
    """Give the seconds that it takes, those of the processor, and what it gives."""
    begun, used = time.perf_counter(), time.process_time()
    done = act()
    return round(time.perf_counter() - begun, 2), round(time.process_time() - used, 2), done


if __name__ == "__main__":
    case_name, *rest = sys.argv[1:]
    flags = [each for each in rest if each == "--profile"]
    if staged := [each for each in rest if each not in flags]:
        print(json.dumps(do_steps(case_name, staged[0], profiled=bool(flags))))
    else:
        print(json.dumps(prepare_and_run(case_name, *flags)))
