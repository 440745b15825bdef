"""An undo that is killed, gets no answer or meets other runs: no deal is lost, and none is billed again."""

from __future__ import annotations

import pytest
from rounds import (
    Killed,
    Rounds,
    at,
    change,
    crash,
    fault,
    links,
    open_items,
    weeks,
)
from undoing import approved, billed, call, decide, left, undone
from voids import ONE_INVOICE, sent, standing

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.store.waiting import Waiting
from airflow_provider_kashoo.sync.by_hand import undo as module
from airflow_provider_kashoo.sync.by_hand.undo import CHANGED


def test_when_the_request_limit_is_reached_the_same_command_goes_on_after_that(drive: Rounds) -> None:
    run_id, deals = billed(drive, 5)
    drive.metered, drive.limits = True, (Limit(4, 7200),)
    limited = 0
    while any(standing(drive, deal) for deal in deals):
        try:
            if call(drive, run_id).report:
                decide(drive)
        except UnreachableError as said:
            limited += "Run the same command again after that" in str(said)
            drive.sandbox.clock.advance(7200)
    assert limited > 2
    drive.metered = False
    undone(drive, *deals)


@pytest.mark.parametrize(
    ("stage", "nightly"), [("received", False), ("received", True), ("processed", True), ("answered", True)]
)
def test_killed_while_a_void_is_sent_the_deal_is_neither_lost_nor_billed_again(
    drive: Rounds, stage: str, nightly: bool
) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    decide(drive)
    ident = links(drive)[deal]
    crash(drive, f"{stage} DELETE {ident}", lambda: call(drive, run_id))
    if nightly:
        weeks(drive, 1)
    drive.look_up()
    found = call(drive, run_id)
    # A void that had not arrived is planned again, as it was approved.
    assert found.outcome == ({"voided": 1} if stage == "received" else {"done before": 1})
    undone(drive, deal)


@pytest.mark.parametrize("nightly", [False, True])
def test_killed_after_a_void_its_deal_is_shown_by_the_same_command_or_the_next_run_that_reads_it(
    drive: Rounds, nightly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    decide(drive)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "_show_as_waiting", die)
        with pytest.raises(Killed):
            call(drive, run_id)
    assert (standing(drive, deal), open_items(drive)) == ([], [])
    if nightly:
        change(drive, deal, Name="read again")
        drive.run()
    else:
        call(drive, run_id)
    assert open_items(drive) == [(deal, "undone")]
    undone(drive, deal)


def test_killed_between_two_voids_it_goes_on_without_another_approval(drive: Rounds) -> None:
    run_id, deals = billed(drive, 2)
    call(drive, run_id)
    decide(drive)
    second = links(drive)[max(deals)]
    crash(drive, f"received GET {second}", lambda: call(drive, run_id))
    assert sent(drive, "DELETE") == 1
    assert call(drive, run_id).outcome == {"done before": 1, "voided": 1}
    undone(drive, *deals)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_void_without_an_answer_is_looked_up_by_the_nightly_run_and_not_billed_again(
    drive: Rounds, kind: str
) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    decide(drive)
    fault(drive, kind, ONE_INVOICE, "DELETE")
    done = call(drive, run_id)
    assert (done.outcome, left(done)) == ({"in_doubt": 1}, {deal: CHANGED})
    drive.run()  # reads the deal while nobody knows
    drive.look_up()
    weeks(drive, 1)
    if kind == "drop_before":
        assert len(standing(drive, deal)) == 1
        assert call(drive, run_id).outcome == {"voided": 1}  # the same plan, made again
    undone(drive, deal)


def test_a_run_that_planned_before_and_wrote_after_the_void_bills_nothing(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    decide(drive)
    change(drive, deal, Name="read by the run")
    older = drive.prepare()
    call(drive, run_id)
    drive.finish(older)
    undone(drive, deal)


def test_a_run_in_the_middle_of_a_void_bills_nothing(drive: Rounds) -> None:
    run_id, (deal,) = billed(drive)
    call(drive, run_id)
    decide(drive)
    at(drive, f"received DELETE {links(drive)[deal]}", lambda: drive.run() and None)
    call(drive, run_id)
    undone(drive, deal)


def test_a_void_is_parked_as_undone_only_once(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, (deal,) = billed(drive)
    approved(drive, run_id)
    parked: list[object] = []
    monkeypatch.setattr(Waiting, "park", lambda *given: parked.append(given))
    call(drive, run_id)
    assert parked == []
    assert open_items(drive) == [(deal, "undone")]
