"""How often a run sends what was turned away for a moment, how long it waits, and when it takes Kashoo to be down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from driver import PLENTY
from plans import rows
from rounds import Rounds, billed_once, fault, operations, quiet, states_of, win

from airflow_provider_kashoo.clients.kashoo import KashooClient, Write, Written
from airflow_provider_kashoo.clients.outcomes import TOO_LATE, Outcome, WriteFailed
from airflow_provider_kashoo.core.errors import BudgetSpent, UnreachableError
from airflow_provider_kashoo.core.rules.operations import Event, State
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.sync.write.engine import Engine
from airflow_provider_kashoo.sync.write.kashoo import KashooWriter


def too_many(drive: Rounds, _: pytest.MonkeyPatch, times: int | None) -> Callable[[], int]:
    """Kashoo asks to slow down so often; give how many requests it got."""
    fault(drive, "too_many", times=times)
    return lambda: sum(
        row["method"] == "POST" and row["path"].endswith("invoices") for row in drive.sandbox.logs["kashoo"].entries()
    )


def too_late(_: Rounds, patch: pytest.MonkeyPatch, times: int | None) -> Callable[[], int]:
    """The deadline passes before it can be sent, so often; give how often it was tried."""
    send, tried = KashooClient.send, []

    def late(kashoo: KashooClient, write: Write) -> Written:
        if write.kind != "invoice":
            return send(kashoo, write)
        tried.append(write)
        if times is None or len(tried) <= times:
            raise WriteFailed(Outcome(Event.TURNED_AWAY, TOO_LATE))
        return send(kashoo, write)

    patch.setattr(KashooClient, "send", late)
    return lambda: len(tried)


@pytest.mark.parametrize("turns_away", [too_many, too_late])
@pytest.mark.parametrize(("times", "slept"), [(1, [2.0]), (2, [2.0, 4.0])])
def test_what_was_turned_away_is_sent_again_after_a_pause_that_doubles(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, turns_away: Any, times: int, slept: list[float]
) -> None:
    deal = win(drive)
    sync, pauses = drive.prepare(), []
    sent = turns_away(drive, monkeypatch, times)
    Engine(sync, KashooWriter, sleep=pauses.append).run(rows(sync))
    assert (pauses, sent()) == (slept, times + 1)
    assert states_of(drive, deal) == ["done"]
    monkeypatch.undo()
    billed_once(drive, deal)


@pytest.mark.parametrize("turns_away", [too_many, too_late])
def test_what_is_turned_away_three_times_is_parked_until_the_next_run(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, turns_away: Any
) -> None:
    deal = win(drive)
    sync, pauses = drive.prepare(), []
    sent = turns_away(drive, monkeypatch, None)
    assert Engine(sync, KashooWriter, sleep=pauses.append).run(rows(sync))["parked"] == 1
    assert (pauses, sent()) == ([2.0, 4.0], 3)
    (operation,) = operations(drive, State.PARKED)
    assert (operation["source_id"], operation["attempts"]) == (deal, 3)
    drive.sandbox.faults["kashoo"].clear()
    monkeypatch.undo()
    billed_once(drive, deal)


@pytest.mark.parametrize(("status", "retry_after", "closed"), [(503, 90, True), (503, None, False), (500, 90, False)])
def test_a_503_that_says_for_how_long_closes_the_budget_for_everyone(
    drive: Rounds, status: int, retry_after: int | None, closed: bool
) -> None:
    clock = drive.sandbox.clock
    kashoo, other = (drive.kashoo(Budget(drive.database, "shared", PLENTY, patience=0)) for _ in range(2))
    other.businesses()
    fault(drive, "error_before", status=status, retry_after=retry_after)
    with pytest.raises(WriteFailed):
        kashoo.send(Write("invoice", None, "{}"))
    if closed:
        with pytest.raises(BudgetSpent) as spent:
            other.businesses()
        assert 80 < spent.value.until - clock.time() <= 90
        clock.advance(90)
    assert other.businesses()


# -- an outage


def silent(drive: Rounds, *numbers: int) -> list[str]:
    """Of the invoices that are sent, those with these numbers get no answer; give the deals, as they are sent."""
    deals = [win(drive, f"{300 - number}.00") for number in range(1, 6)]
    for number in numbers:
        fault(drive, "drop_before", nth=number)
    return deals


def settled(drive: Rounds, deals: list[str]) -> None:
    drive.sandbox.faults["kashoo"].clear()
    quiet(drive, writes_nothing=False)
    for number, deal in enumerate(deals, start=1):
        billed_once(drive, deal, (300 - number) * 100)


def test_three_unanswered_writes_in_a_row_end_the_run(drive: Rounds) -> None:
    deals = silent(drive, 2, 3, 4)
    with pytest.raises(UnreachableError, match="did not answer 3 writes in a row"):
        drive.run()
    assert [states_of(drive, deal) for deal in deals] == [["done"], *[["in_doubt"]] * 3, []]
    settled(drive, deals)


@pytest.mark.parametrize("between", ["yes", "no"])
def test_unanswered_writes_with_an_answer_in_between_do_not_end_the_run(drive: Rounds, between: str) -> None:
    deals = silent(drive, 1, 2, 4, 5)
    if between == "no":
        fault(drive, "error_before", nth=3, status=400)
    drive.run()
    answered = ["done"] if between == "yes" else ["parked"]
    doubt = ["in_doubt"]
    assert [states_of(drive, deal) for deal in deals] == [doubt, doubt, answered, doubt, doubt]
    settled(drive, deals)
