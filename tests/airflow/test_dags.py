from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable
from airflow.sdk.exceptions import ParamValidationError

from airflow_provider_kashoo.sync.preflight import POOLS

FILES = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))
EXTRACTS = {
    "salesforce_to_kashoo": ["account", "opportunity", "order", "product2"],
    "kashoo_to_salesforce": ["invoices", "payments"],
}
SCHEDULES = {"salesforce_to_kashoo": "0 2 * * *", "kashoo_to_salesforce": "30 * * * *"}
HEAVY = ("pandas", "numpy", "pyarrow", "simple_salesforce", "fastapi", "alembic")


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(known_pools={"default_pool", *POOLS})


def test_every_dag_file_imports_without_a_fault_or_a_warning(bag: DagBag) -> None:
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert set(EXTRACTS) <= set(bag.dags)
    assert {Path(dag.fileloc) for dag in bag.dags.values()} == set(FILES)


def test_every_pool_a_dag_names_is_one_that_init_creates(bag: DagBag) -> None:
    assert bag.dag_warnings == set()
    assert DagBag(known_pools={"default_pool"}).dag_warnings != set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_is_short_enough_to_copy(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) < 80


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_parsing_a_dag_imports_nothing_heavy(file: Path) -> None:
    script = (
        "import json, runpy, sys\n"
        "import airflow.sdk, airflow.providers.standard.operators.hitl\n"
        "before = set(sys.modules)\n"
        "runpy.run_path(sys.argv[1])\n"
        "print(json.dumps([sorted(set(sys.modules) - before), sorted(sys.modules)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    added, everything = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in HEAVY if name in everything] == []
    ours = sorted(name for name in added if name.startswith("airflow_provider_kashoo."))
    syncs = ("operators.assets", "operators.links", "operators.sync", "triggers")
    tie_out = ("operators.assets", "operators.links", "operators.sync", "operators.tie_out")
    others = {"kashoo_maintenance": ("operators.maintenance",), "kashoo_tie_out": tie_out}
    others |= {"kashoo_notify": ("operators.links", "operators.notify")}
    needed = (others | {"kashoo_replay": ("operators.links", "operators.replay")}).get(file.stem, syncs)
    both = ("operators", "operators.airflow_words")
    assert ours == sorted(f"airflow_provider_kashoo.{name}" for name in (*both, *needed))


@pytest.mark.parametrize("dag_id", EXTRACTS)
def test_the_steps_stand_in_their_order(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    extracts = [f"extract.{name}" for name in EXTRACTS[dag_id]]
    after = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert after == {
        "preflight": extracts,
        **{name: ["plan"] for name in extracts},
        "plan": ["approve"],
        "approve": ["apply"],
        "apply": ["commit"],
        "commit": [],
    }
    assert {task.trigger_rule.value for task in dag.tasks} == {"all_success"}


@pytest.mark.parametrize("dag_id", EXTRACTS)
def test_every_task_is_tried_again_with_longer_pauses(bag: DagBag, dag_id: str) -> None:
    for task in bag.dags[dag_id].tasks:
        assert task.retries == 8
        assert task.retry_delay == timedelta(seconds=30)
        assert task.retry_exponential_backoff
        assert task.max_retry_delay == timedelta(minutes=30)


@pytest.mark.parametrize("dag_id", EXTRACTS)
def test_each_task_waits_for_the_pool_of_the_side_it_talks_to(bag: DagBag, dag_id: str) -> None:
    reads, writes = "salesforce_api", "kashoo_api"
    if dag_id == "kashoo_to_salesforce":
        reads, writes = writes, reads
    expected = {f"extract.{name}": reads for name in EXTRACTS[dag_id]}
    expected |= {"preflight": "default_pool", "plan": "kashoo_api", "approve": "default_pool"}
    expected |= {"apply": writes, "commit": "default_pool"}
    assert {task.task_id: task.pool for task in bag.dags[dag_id].tasks} == expected


@pytest.mark.parametrize("dag_id", EXTRACTS)
def test_one_run_at_a_time_and_none_for_the_past(bag: DagBag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert isinstance(dag.timetable, AssetOrTimeSchedule)
    assert isinstance(dag.timetable.timetable, CronDataIntervalTimetable)
    assert dag.timetable.timetable.expression == SCHEDULES[dag_id]
    assert dag.doc_md


def test_a_replay_waits_for_the_pool_of_kashoo_and_is_started_by_people_only(bag: DagBag) -> None:
    dag = bag.dags["kashoo_replay"]
    (task,) = dag.tasks
    assert (dag.schedule, dag.max_active_runs, dag.is_paused_upon_creation) == (None, 1, False)
    assert (task.pool, task.retries, set(dag.params)) == ("kashoo_api", 3, {"ids", "cause"})


def test_people_are_told_every_quarter_of_an_hour_by_a_dag_of_its_own(bag: DagBag) -> None:
    dag = bag.dags["kashoo_notify"]
    (task,) = dag.tasks
    assert (dag.timetable.expression, dag.max_active_runs, dag.catchup) == ("*/15 * * * *", 1, False)
    assert (task.task_id, task.pool, task.retries, task.notify) == ("notify", "default_pool", 2, [])
    assert set(dag.params) == {"test"}


def test_the_zone_of_the_business_sets_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__TIME_ZONE", "America/Toronto")
    dag = DagBag(FILES[-1]).dags["salesforce_to_kashoo"]
    assert str(dag.timetable.timetable.timezone) == "America/Toronto"
    assert dag.start_date.isoformat() == "2026-01-01T05:00:00+00:00"


@pytest.mark.parametrize(
    ("conf", "valid"),
    [
        ({}, True),
        ({"since": "2026-02-01T00:00:00Z", "until": "2026-02-02T00:00:00Z", "limit": 1, "remap": True}, True),
        ({"limit": 0}, False),
        ({"limit": "3"}, False),
        ({"since": 20260201}, False),
        ({"remap": "yes"}, False),
    ],
)
def test_params_are_checked_before_a_run_begins(bag: DagBag, conf: dict[str, Any], valid: bool) -> None:
    params = deepcopy(bag.dags["salesforce_to_kashoo"].params)
    if valid:
        params.update(conf)
        params.validate()
        assert {name: value for name, value in params.dump().items() if value not in (None, False)} == conf
    else:
        with pytest.raises(ParamValidationError):
            params.update(conf)


def test_another_dag_can_wait_for_what_is_written(bag: DagBag) -> None:
    """It needs the name alone; this is the example of the docs."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "wait-for-invoices.md").read_text("utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    given: dict[str, Any] = {}
    exec(compile(example, "example.py", "exec"), given)  # noqa: S102  it is our own page
    waits_for = given["dag"].timetable.asset_condition
    (made,) = bag.dags["salesforce_to_kashoo"].get_task("apply").outlets
    assert list(waits_for.objects) == [made]
    (back,) = bag.dags["kashoo_to_salesforce"].get_task("apply").outlets
    assert (made.name, back.name) == ("kashoo_invoices", "salesforce_payments")
    assert back.uri in page
