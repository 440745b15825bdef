"""The watchers as the triggerer runs them, the assets, and the preflight of a run that an event woke."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.serialization.encoders import encode_trigger
from airflow.triggers.base import BaseEventTrigger
from records import add_deal, books_rows

from airflow_provider_kashoo import triggers
from airflow_provider_kashoo.core.errors import AuthenticationError, BudgetSpent, ConfigurationError, UnreachableError
from airflow_provider_kashoo.get_provider_info import get_provider_info
from airflow_provider_kashoo.operators.sync import KashooSyncPreflightOperator
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.triggers import KashooChangeTrigger, SalesforceChangeTrigger
from tests.airflow.environment import set_connection

Step = Callable[[], Any]
Said = Callable[[], str]
NOW = 1_800_000_000.0


class State:
    """The state of one asset, as far as a trigger uses it; JSON, as Airflow keeps it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def aget(self, key: str) -> Any:
        return json.loads(self.kept.get(key, "null"))

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = json.dumps(value)


class _Over(Exception):
    """The watcher slept for the last time."""


def watch(trigger: Any, *steps: Step, state: Any = None) -> tuple[list[dict[str, Any]], list[float]]:
    """Run a watcher; after each look one step happens instead of the pause. Give its events and pauses."""
    left, pauses, events = iter(steps), [], []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        step = next(left, None)
        if step is None:
            raise _Over
        step()

    async def collect() -> None:
        async for event in trigger.run():
            events.append(event.payload)  # noqa: PERF401  what came before the end counts

    trigger._sleep, trigger._clock, trigger.asset_state_store = sleep, lambda: NOW, state
    with suppress(_Over):
        asyncio.run(collect())
    return events, pauses


def answering(*answers: Any) -> SalesforceChangeTrigger:
    """A watcher whose side gives these answers, or raises them."""
    left = iter(answers)

    def look(_cursor: Any) -> Any:
        answer = next(left, None)
        assert answer is not None, "one look more than answers"
        if isinstance(answer, Exception):
            raise answer
        return answer

    trigger = SalesforceChangeTrigger()
    trigger.open = lambda: look  # type: ignore[method-assign]
    return trigger


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """What was logged since the last call; Airflow's log goes to the standard streams."""
    return lambda: "".join(capfd.readouterr())


def nothing() -> None:
    """Let time pass."""


# -- both sides, for real


def test_a_deal_that_changes_is_one_event(sandbox: Sandbox) -> None:
    def change() -> None:
        sandbox.clock.advance(60)
        add_deal(sandbox, None)

    events, pauses = watch(SalesforceChangeTrigger(), nothing, change, nothing)
    (event,) = events
    assert (event["side"], event["objects"]) == ("Salesforce", ["Opportunity"])
    assert set(event) == {"side", "objects", "cursor"}
    assert pauses == [300] * 4


def test_a_payment_is_one_event_and_is_asked_for_within_the_budget(sandbox: Sandbox, store_file: Path) -> None:
    def pay() -> None:
        invoice = books_rows(sandbox, "invoices")[0]
        sandbox.books.pay(sandbox.books.main(), invoice["id"], 100)

    before = sandbox.logs["kashoo"].total
    events, _ = watch(KashooChangeTrigger(objects=["payments"]), nothing, pay, nothing)
    assert [(event["side"], event["objects"]) for event in events] == [("Kashoo", ["payments"])]
    from airflow_provider_kashoo.hooks.kashoo import KashooHook

    assert 0 < sandbox.logs["kashoo"].total - before <= KashooHook().budget().used(3600)


def test_a_spent_budget_is_waited_for_and_no_fault(
    sandbox: Sandbox, store_file: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    watch(KashooChangeTrigger(), nothing)
    set_connection(monkeypatch, "kashoo_default", budget=[{"requests": 1, "seconds": 3600}])
    before = sandbox.logs["kashoo"].total
    trigger = KashooChangeTrigger()
    events, pauses = watch(trigger, nothing)
    assert (events, sandbox.logs["kashoo"].total) == ([], before)
    assert all(pause >= 300 for pause in pauses)
    assert "Watching" not in said()


# -- the cursor


def test_a_change_while_the_triggerer_was_down_is_seen_when_it_is_back(sandbox: Sandbox) -> None:
    state = State()
    assert watch(SalesforceChangeTrigger(), nothing, state=state)[0] == []
    sandbox.clock.advance(60)
    add_deal(sandbox, None)
    events, _ = watch(SalesforceChangeTrigger(), nothing, state=state)
    assert [event["objects"] for event in events] == [["Opportunity"]]
    assert json.loads(state.kept["cursor.salesforce_default"]) == events[0]["cursor"]
    assert watch(SalesforceChangeTrigger(), nothing, state=state)[0] == []


def test_the_cursor_is_kept_after_its_event() -> None:
    state = State()
    trigger = answering(([], "a"), (["Order"], "b"))
    trigger.asset_state_store = state  # type: ignore[assignment]

    async def first() -> Any:
        trigger._sleep = lambda _: asyncio.sleep(0)  # type: ignore[method-assign,assignment]
        return await anext(trigger.run())

    event = asyncio.run(first())
    assert event.payload["cursor"] == "b"
    assert state.kept == {"cursor.salesforce_default": '"a"'}


def test_without_a_state_that_works_the_cursor_lives_in_memory(said: Said) -> None:
    async def broken(*_: Any) -> Any:
        raise ValueError("which asset?")

    seen: list[Any] = []
    trigger = SalesforceChangeTrigger()
    trigger.open = lambda: lambda cursor: (seen.append(cursor), ([], len(seen)))[1]  # type: ignore[method-assign]
    watch(trigger, nothing, nothing, state=SimpleNamespace(aget=broken, aset=broken))
    assert seen == [None, 1, 2]
    text = said()
    assert text.count("its cursor cannot be stored (ValueError)") == 1
    assert "which asset?" not in text


# -- faults


def test_an_outage_is_said_once_and_asked_again_ever_later(said: Said) -> None:
    outage = [UnreachableError("Salesforce cannot be reached.")] * 6
    trigger = answering(([], "a"), *outage, (["Order"], "b"), UnreachableError("Again."), ([], "b"))
    events, pauses = watch(trigger, *[nothing] * 9)
    assert [event["cursor"] for event in events] == ["b"]
    assert pauses == [300, 300, 600, 1200, 2400, 3600, 3600, 300, 300, 300]
    text = said()
    assert text.count("Salesforce cannot be reached.") == 1
    assert text.count("Salesforce answers again") == 2
    assert text.count("Again.") == 1


def test_a_spent_budget_is_waited_for_until_it_is_free() -> None:
    trigger = answering(([], "a"), BudgetSpent(NOW + 1234), BudgetSpent(NOW + 5), (["Order"], "b"))
    events, pauses = watch(trigger, *[nothing] * 3)
    assert pauses == [300, 1234, 300, 300]
    assert len(events) == 1


def test_a_side_that_is_away_for_weeks_is_still_asked_and_said_once(said: Said) -> None:
    looks = 1_100  # six weeks at one an hour

    def away(_: Any) -> Any:
        raise UnreachableError("gone.")

    trigger = SalesforceChangeTrigger()
    trigger.open = lambda: away  # type: ignore[method-assign]
    _, pauses = watch(trigger, *[nothing] * looks)
    assert pauses == [300, 600, 1200, 2400, *[3600.0] * (looks - 3)]
    assert said().count("gone.") == 1
    kept = [value for value in vars(trigger).values() if isinstance(value, list | set | dict)]
    assert max(map(len, kept)) < 10


def test_what_a_look_costs_is_said_alike_everywhere() -> None:
    described = get_provider_info()["config"]["kashoo"]["options"]["watch_seconds"]["description"]
    assert "two requests to Salesforce" in described
    assert "one request for five objects" in str(SalesforceChangeTrigger.__doc__)
    assert -(-len(triggers.SOBJECTS) // 5) == 2


@pytest.mark.parametrize("fault", [ConfigurationError("No such thing."), AuthenticationError("Refused.")])
def test_what_a_person_must_mend_does_not_end_the_watcher_and_is_read_anew(fault: Exception, said: Said) -> None:
    trigger = SalesforceChangeTrigger()

    def refused(_: Any) -> Any:
        raise fault

    opened = iter([refused, refused, lambda _: (["Order"], "b")])
    trigger.open = lambda: next(opened, refused)  # type: ignore[method-assign]
    events, pauses = watch(trigger, nothing, nothing)
    assert (len(events), pauses) == (1, [300, 600, 300])
    text = said()
    assert text.count(str(fault)) == 1


@pytest.mark.parametrize("trigger", [SalesforceChangeTrigger("absent"), KashooChangeTrigger("absent")])
def test_a_connection_that_does_not_exist_is_named(trigger: Any, store_file: Path, said: Said) -> None:
    assert watch(trigger, nothing)[0] == []
    text = said()
    assert text.count("absent") == 1
    assert "Create it in Admin > Connections." in text


def test_no_password_and_no_statement_is_logged(
    sandbox: Sandbox, store_file: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    set_connection(monkeypatch, "kashoo_default", password="not-the-password-1")
    watch(KashooChangeTrigger(), nothing)
    watch(answering(RuntimeError("SELECT secret-7")))
    text = said()
    assert "Kashoo refused the login." in text
    assert "RuntimeError; its message is not shown." in text
    assert [each for each in ("not-the-password-1", "secret-7", sandbox.books.password) if each in text] == []


# -- what Airflow keeps of it


@pytest.mark.parametrize(
    "made", [SalesforceChangeTrigger(), KashooChangeTrigger("books", ("payments",), 60), SalesforceChangeTrigger("x")]
)
def test_a_trigger_comes_back_from_airflows_database_as_the_same(made: Any) -> None:
    kept = json.loads(json.dumps(encode_trigger(made)))
    name, arguments = made.serialize()
    again = getattr(triggers, name.rpartition(".")[2])(**kept["kwargs"])
    assert again.serialize() == (name, arguments)
    assert BaseEventTrigger.hash(kept["classpath"], kept["kwargs"]) == BaseEventTrigger.hash(name, arguments)


def test_nobody_asks_more_often_than_every_half_minute() -> None:
    with pytest.raises(ValueError, match="poll_seconds is 29; the minimum is 30"):
        SalesforceChangeTrigger(poll_seconds=29)


@pytest.mark.parametrize(("setting", "polls"), [("0", []), ("-1", []), ("5", [30]), ("300", [300])])
def test_assets_are_watched_only_when_the_setting_says_so(
    monkeypatch: pytest.MonkeyPatch, setting: str, polls: list[int]
) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__WATCH_SECONDS", setting)
    for side, asset in (("salesforce", triggers.salesforce_changes()), ("kashoo", triggers.kashoo_changes())):
        assert (asset.name, asset.uri) == (f"{side}_changes", f"kashoo-sync://{side}/changes")
        assert [each.trigger.poll_seconds for each in asset.watchers] == polls


def test_a_dag_may_say_what_it_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    (watcher,) = triggers.salesforce_changes(conn_id="other", objects=["Order"], poll_seconds=60).watchers
    assert watcher.trigger.serialize()[1] == {"conn_id": "other", "objects": ["Order"], "poll_seconds": 60}


# -- the run that an event woke


def preflight(sync: str, run_type: str, age: float, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Begin a run that was created ``age`` seconds ago; give when it was created."""
    created = datetime.now(UTC) - timedelta(seconds=age)
    operator = KashooSyncPreflightOperator(task_id="preflight", sync=sync)
    monkeypatch.setattr(operator, "_run", lambda *_: None)
    operator.execute({"dag_run": SimpleNamespace(run_type=run_type, run_after=created)})
    return created


def test_it_waits_until_its_window_reaches_to_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowRescheduleException) as waits:
        preflight("salesforce_to_kashoo", "asset_triggered", 0, monkeypatch)
    seconds = (waits.value.reschedule_date - datetime.now(UTC)).total_seconds()
    assert 290 < seconds <= 301


@pytest.mark.parametrize(
    ("sync", "run_type", "age"),
    [
        ("salesforce_to_kashoo", "asset_triggered", 302),
        ("salesforce_to_kashoo", "scheduled", 0),
        ("salesforce_to_kashoo", "manual", 0),
        ("kashoo_to_salesforce", "asset_triggered", 0),
    ],
)
def test_no_other_run_waits(sync: str, run_type: str, age: float, monkeypatch: pytest.MonkeyPatch) -> None:
    preflight(sync, run_type, age, monkeypatch)
