from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

from airflow_provider_kashoo.core.errors import (
    AuthenticationError,
    BudgetSpent,
    ConfigurationError,
    RefusedError,
    UnreachableError,
)
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.operators.airflow_words import in_airflow_words
from airflow_provider_kashoo.operators.sync import (
    KashooDeltaOperator,
    KashooSyncApplyOperator,
    KashooSyncApproveOperator,
    KashooSyncCommitOperator,
    KashooSyncPlanOperator,
    KashooSyncPreflightOperator,
    SalesforceDeltaOperator,
    run_facts,
)
from airflow_provider_kashoo.runtime.setup import create_pools_and_store
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.store import record_pools
from tests.airflow.environment import set_connection

START = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = (datetime(2026, 3, 1, 2, tzinfo=UTC), datetime(2026, 3, 2, 2, tzinfo=UTC))


def context(run_type: Any = "manual", run_id: str = "r1", **params: Any) -> Any:
    """Give what Airflow hands to execute, as far as the operators read it."""
    run = SimpleNamespace(
        dag_id="syncs", run_id=run_id, run_type=run_type, data_interval_start=INTERVAL[0], data_interval_end=INTERVAL[1]
    )
    return {"dag_run": run, "params": params, "dag": SimpleNamespace(start_date=START)}


def requests_seen(sandbox: Sandbox) -> int:
    return sum(log.total for log in sandbox.logs.values())


# -- run_facts


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_a_run_with_an_interval_of_its_own_reads_it(run_type: str) -> None:
    assert run_facts(context(run_type)) == RunFacts("r1", run_type, *INTERVAL, START, dag_id="syncs")


@pytest.mark.parametrize("run_type", ["manual", "asset_triggered", "operator_triggered", "asset_materialization"])
def test_the_interval_of_any_other_run_is_not_its_window(run_type: str) -> None:
    assert run_facts(context(run_type)) == RunFacts("r1", run_type, first=START, dag_id="syncs")


def test_a_run_type_may_be_airflows_enum() -> None:
    from airflow.sdk.api.datamodels._generated import DagRunType
    from airflow.utils.types import DagRunType as CoreRunType

    assert run_facts(context(DagRunType.SCHEDULED)).interval_start == INTERVAL[0]
    assert run_facts(context(CoreRunType.BACKFILL_JOB)).run_type == "backfill"


def test_params_become_instants_and_numbers() -> None:
    facts = run_facts(context(since="2026-02-01T10:00:00Z", until="2026-02-01T13:00:00+02:00", limit=3))
    assert (facts.since, facts.until) == (datetime(2026, 2, 1, 10, tzinfo=UTC), datetime(2026, 2, 1, 11, tzinfo=UTC))
    assert facts.limit == 3
    assert facts.bounded_by_hand


@pytest.mark.parametrize("given", [{"since": "yesterday"}, {"until": "9999-12-31T23:59:59-14:00"}])
def test_a_param_that_is_no_instant_is_refused_by_its_name(given: dict[str, str]) -> None:
    with pytest.raises(
        ConfigurationError, match=f"The param {next(iter(given))} is not a time in ISO 8601.*such as 2026"
    ):
        run_facts(context(**given))


def test_empty_params_and_none_at_all_bound_nothing() -> None:
    assert not run_facts(context(since=None, until=None, limit=None)).bounded_by_hand
    assert not run_facts({**context(), "params": None}).bounded_by_hand


# -- outcomes in Airflow's words


def test_a_spent_budget_reschedules_the_task_for_when_slots_are_free() -> None:
    with pytest.raises(AirflowRescheduleException) as again, in_airflow_words():
        raise BudgetSpent(1_800_000_000.5)
    assert again.value.reschedule_date == datetime(2027, 1, 15, 8, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("error", [ConfigurationError, AuthenticationError])
def test_what_only_a_person_can_mend_fails_without_retries(error: type[Exception]) -> None:
    with pytest.raises(AirflowFailException, match=r"^wrong\. Nothing was written\. Mend it\.$"), in_airflow_words():
        raise error("wrong.", remedy="Mend it.")


def test_an_unreachable_side_and_any_other_fault_of_ours_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    for error in (UnreachableError("gone."), RefusedError("no.", status=400, error_class="refused")):
        with pytest.raises(AirflowException) as failed, in_airflow_words():
            raise error
        assert type(failed.value) is AirflowException
        assert str(failed.value) == str(error)
        assert caplog.messages == [str(error)]  # above the traceback, which people do not read
        caplog.clear()


def test_an_error_that_nobody_expected_is_final_and_its_words_are_not_shown() -> None:
    with pytest.raises(AirflowFailException) as failed, in_airflow_words():
        int("a private value")
    assert "This package has a mistake (ValueError at test_operators.py:" in str(failed.value)
    assert "private" not in str(failed.value)


def test_what_is_no_error_of_python_stays_what_it_is() -> None:
    with pytest.raises(KeyboardInterrupt), in_airflow_words():
        raise KeyboardInterrupt


# -- preflight


def preflight() -> KashooSyncPreflightOperator:
    return KashooSyncPreflightOperator(task_id="preflight", sync="salesforce_to_kashoo")


def test_without_a_store_preflight_says_what_to_run(sandbox: Sandbox, new_store: Path) -> None:
    before = requests_seen(sandbox)
    with pytest.raises(AirflowFailException) as failed:
        preflight().execute(context())
    assert f"The sync store {new_store} does not exist." in str(failed.value)
    assert str(failed.value).endswith("Run: airflow kashoo init")
    assert requests_seen(sandbox) == before
    assert not new_store.exists()


@pytest.mark.parametrize(
    ("recorded", "missing"),
    [({}, "salesforce_api, kashoo_api"), ({"salesforce_api": 4}, "kashoo_api"), ({"kashoo_api": 2}, "salesforce_api")],
)
def test_without_its_pools_preflight_says_what_to_run(
    sandbox: Sandbox, new_store: Path, recorded: dict[str, int], missing: str
) -> None:
    before = requests_seen(sandbox)
    open_database().migrate()
    record_pools(open_database(), recorded)
    with pytest.raises(AirflowFailException) as failed:
        preflight().execute(context())
    assert f"The pools {missing} were never created; tasks in them would wait for ever." in str(failed.value)
    assert "Run: airflow kashoo init" in str(failed.value)
    assert requests_seen(sandbox) == before


def test_preflight_waits_in_no_pool_that_might_not_exist() -> None:
    assert preflight().pool == "default_pool"
    assert preflight().pool_slots == 1


def test_preflight_passes_when_all_is_there(sandbox: Sandbox, new_store: Path) -> None:
    create_pools_and_store()
    assert preflight().execute(context()) is None


def test_a_sqlite_store_is_refused_when_workers_may_be_elsewhere(
    sandbox: Sandbox, new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_pools_and_store()
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    with pytest.raises(AirflowFailException, match="Point connection kashoo_store at PostgreSQL"):
        preflight().execute(context())


def test_a_store_that_is_away_is_tried_again(
    sandbox: Sandbox, new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "me", "password": "hunter2"}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(away))
    with pytest.raises(AirflowException, match="cannot be reached") as failed:
        preflight().execute(context())
    assert type(failed.value) is AirflowException
    assert "hunter2" not in str(failed.value)


def test_a_wrong_password_fails_at_once_and_is_not_said(
    sandbox: Sandbox, new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_pools_and_store()
    set_connection(monkeypatch, "kashoo_default", password="not-the-password")
    with pytest.raises(AirflowFailException) as failed:
        preflight().execute(context())
    assert str(failed.value).startswith("Kashoo refused the login.")
    assert "not-the-password" not in str(failed.value)


@pytest.mark.parametrize("conn_id", ["kashoo_default", "salesforce_default"])
def test_a_connection_that_is_not_there_is_named(
    sandbox: Sandbox, new_store: Path, monkeypatch: pytest.MonkeyPatch, conn_id: str
) -> None:
    create_pools_and_store()
    monkeypatch.delenv(f"AIRFLOW_CONN_{conn_id.upper()}")
    with pytest.raises(AirflowFailException, match=rf"{conn_id}` isn't defined\..*Create it in Admin > Connections"):
        preflight().execute(context())


def test_a_salesforce_connection_without_a_login_is_named(
    sandbox: Sandbox, new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_pools_and_store()
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps({"conn_type": "salesforce", "login": "me"}))
    with pytest.raises(AirflowFailException, match="Connection salesforce_default lacks what a login needs"):
        preflight().execute(context())


def test_a_task_whose_budget_is_spent_comes_back_an_hour_after_the_last_answer(
    sandbox: Sandbox, new_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_pools_and_store()
    set_connection(monkeypatch, "kashoo_default", budget='[{"requests": 2, "seconds": 3600}]')
    begun = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as again:
        preflight().execute(context())
    free = again.value.reschedule_date - timedelta(seconds=3600)
    assert begun <= free <= datetime.now(UTC)


# -- the steps, one operator each


def test_a_step_out_of_order_fails_with_what_to_clear(sandbox: Sandbox, new_store: Path) -> None:
    create_pools_and_store()
    cases: list[tuple[Callable[..., Any], str]] = [
        (
            KashooSyncPlanOperator,
            "The task preflight of this run left no result. .* Clear the task preflight",
        ),
        (KashooSyncApproveOperator, "This run has no plan. Nothing was written. Clear the task plan"),
        (KashooSyncApplyOperator, "This run has no plan. Nothing was written. Clear the task plan"),
        (KashooSyncCommitOperator, "This run has no plan. Nothing was written. Clear the task plan"),
    ]
    for operator, complaint in cases:
        with pytest.raises(AirflowFailException, match=complaint):
            operator(task_id="step", sync="salesforce_to_kashoo").execute(context(run_id="out of order"))


def test_a_delta_returns_counts_and_no_records(sandbox: Sandbox, new_store: Path) -> None:
    create_pools_and_store()
    preflight().execute(context())
    deal = next(row for row in sandbox.org.rows("Opportunity") if row["StageName"] == "Prospecting")
    report = SalesforceDeltaOperator(task_id="x", sobject="Opportunity").execute(context())
    assert report["source"] == "salesforce.Opportunity"
    assert (report["records"], report["deleted"]) == (len(sandbox.org.rows("Opportunity")), 0)
    assert deal["Name"] not in json.dumps(report)
    assert [value for value in report.values() if isinstance(value, list | dict)] == []
    empty = KashooDeltaOperator(task_id="y", resource="payments").execute(context())
    assert (empty["records"], empty["note"]) == (0, "nothing is linked yet")


@pytest.mark.parametrize(
    "operator",
    [
        KashooSyncPreflightOperator,
        SalesforceDeltaOperator,
        KashooDeltaOperator,
        KashooSyncPlanOperator,
        KashooSyncApproveOperator,
        KashooSyncApplyOperator,
        KashooSyncCommitOperator,
    ],
)
def test_each_execute_says_what_goes_to_xcom_and_what_is_tried_again(operator: Any) -> None:
    said = str(operator.execute.__doc__)
    assert "XCom" in said
    assert ":raises AirflowFailException:" in said
    assert ":raises AirflowException:" in said
