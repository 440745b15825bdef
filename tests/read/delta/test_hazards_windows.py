"""D2 to D6 of the hazards that broke simpler deltas, played with the real steps; and the bounds of what is promised."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from driver import SOURCES
from history import DAY, HOUR, Org, Rules, RunFacts, Sync, Trip, instant, play
from inprocess import InProcessDriver, in_process
from records import add_account, add_deal, invoice_of, invoices_of
from rounds import Rounds, change, in_doubt, states_of, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sandbox.salesforce.org import stamp_text
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

SOURCE = "salesforce.Opportunity"


@pytest.fixture
def drive(drive: Rounds) -> Rounds:
    drive.run()
    return drive


def now(drive: InProcessDriver) -> datetime:
    return drive.sandbox.clock.now()


def mark(drive: Rounds) -> datetime | None:
    return drive.store.watermarks.get(SOURCE)


def pause(drive: InProcessDriver, **span: float) -> None:
    drive.sandbox.clock.advance(timedelta(**span).total_seconds())


def stamp(drive: InProcessDriver, deal: str, moment: datetime) -> None:
    """Give a deal the stamp of a transaction that committed long after."""
    table = drive.sandbox.org.table("Opportunity")
    table.put(deal, table.rows[deal] | {"SystemModstamp": stamp_text(moment)})


# -- D2, D3: what a person bounded proves nothing about the rest


@pytest.mark.parametrize(("bound", "billed"), [("since", 0), ("until", 0), ("limit", 1)])
def test_d2_d3_a_run_bounded_by_hand_during_an_outage_leaves_the_gap_to_the_next_run(
    drive: Rounds, bound: str, billed: int
) -> None:
    before = mark(drive)
    pause(drive, days=2)
    deals = [win(drive) for _ in range(3)]
    pause(drive, days=2)
    given = {"since": now(drive) - timedelta(hours=1), "until": now(drive) - timedelta(days=3), "limit": 1}
    done = drive.run(**{bound: given[bound]})
    assert done.moved == {}
    assert mark(drive) == before
    assert sum(len(invoices_of(drive.sandbox, deal)) for deal in deals) == billed
    drive.run()
    assert [len(invoices_of(drive.sandbox, deal)) for deal in deals] == [1, 1, 1]
    assert mark(drive) > before


def test_d2_a_since_in_the_future_reads_nothing_and_moves_nothing(drive: Rounds) -> None:
    before = mark(drive)
    sync = drive.sync(since=now(drive) + timedelta(days=1))
    with pytest.raises(ConfigurationError, match="since is in the future"):
        steps.extract(sync, "Opportunity")
    assert sync.files.names("delta.") == []
    assert mark(drive) == before


# -- D4: committed behind the watermark


def test_d4_a_deal_committed_within_overlap_and_margin_of_its_stamp_is_read(drive: Rounds) -> None:
    drive.settings = replace(drive.settings, margin=timedelta(minutes=5))
    began = now(drive)
    pause(drive, minutes=12)
    drive.run()
    pause(drive, minutes=1)
    deal = win(drive)
    stamp(drive, deal, began + timedelta(seconds=1))
    pause(drive, minutes=1)
    drive.run()
    assert len(invoices_of(drive.sandbox, deal)) == 1


def missed(late: float, rules: Rules) -> int:
    """Stamp a record just at the lower end of the next window, commit it ``late`` seconds after, count what is lost."""
    at = DAY - late + 1
    org = Org()
    org.write(1, at, commit=at + late)
    sync = Sync(org, rules)
    play([sync.in_turn([Trip(RunFacts("run", first=instant(0)), moment, pace=0.1) for moment in (DAY, 3 * DAY)])])
    return len(sync.books.missed(org.finals()))


@pytest.mark.parametrize(
    "rules", [Rules(), Rules(overlap=0), Rules(margin=0, overlap=0), Rules(covered_age=HOUR), Rules(0, 0, HOUR)]
)
def test_d4_what_is_promised_is_exact_to_the_second(rules: Rules) -> None:
    promised = max(rules.margin, rules.covered_age or 0) + rules.overlap
    assert missed(promised, rules) == 0
    assert missed(promised + 2, rules) == 1


@pytest.mark.parametrize("length", [HOUR, 8 * HOUR, DAY])
def test_d4_a_transaction_of_hours_is_lost_unless_salesforce_says_that_it_is_open(length: float) -> None:
    lost = {}
    for age in (None, DAY):
        org = Org()
        org.write(1, DAY, commit=DAY + length)
        sync = Sync(org, Rules(covered_age=age))
        for moment in range(DAY - HOUR, 3 * DAY, HOUR // 2):
            sync.run(moment, first=instant(0))
        lost[age] = len(sync.books.missed(org.finals()))
    assert lost == {None: 1, DAY: 0}


def test_d4_one_hung_transaction_holds_nothing_up_for_longer_than_the_limit() -> None:
    org = Org()
    org.transaction(HOUR, 30 * DAY)
    org.write(1, 2 * HOUR)
    sync = Sync(org, Rules(covered_age=DAY))
    for moment in range(HOUR, 3 * DAY, HOUR):
        window = sync.run(moment, first=instant(0))
        assert (1 in sync.books.held) == (moment > DAY + 2 * HOUR)
    assert window.upper == instant(moment - DAY)
    assert "past a transaction" in window.note


# -- D5: the scheduler was down when history began


def test_d5_without_a_watermark_the_first_run_reads_from_the_beginning(tmp_path: Path) -> None:
    with in_process() as box:
        drive = InProcessDriver(box, tmp_path)
        drive.settings = replace(drive.settings, margin=timedelta(0))
        beginning = now(drive)
        deal = add_deal(box, add_account(box))
        pause(drive, days=4)
        midnight = datetime.combine(now(drive).date(), datetime.min.time(), UTC)
        interval = {"interval_start": midnight - timedelta(days=1), "interval_end": midnight}
        done = drive.run(run_type="scheduled", first=beginning, **interval)
        assert len(invoices_of(box, deal)) == 1
        assert done.moved[SOURCE] == midnight.isoformat()
        drive.database.dispose()


# -- D6: what waits is found by the journal, not by the window


def test_d6_a_write_in_doubt_for_ever_does_not_hold_the_watermark(drive: Rounds) -> None:
    deal = win(drive)
    drive.settings = replace(drive.settings, settle=1e9)
    in_doubt(drive, deal)
    for _ in range(4):
        pause(drive, hours=6)
        done = drive.run()
        window = done.sync.files.read_json("delta.Opportunity")
        width = datetime.fromisoformat(window["upper"]) - datetime.fromisoformat(window["lower"])
        assert width < timedelta(hours=7)
        assert done.moved[SOURCE] == window["upper"]
        assert states_of(drive, deal) == ["in_doubt"]
    drive.settings = replace(drive.settings, settle=600)
    drive.look_up()
    assert len(invoices_of(drive.sandbox, deal)) == 1
    assert states_of(drive, deal) == ["done", "closed"]  # what was read meanwhile was looked at once more


# -- tasks that a person clears by hand


def test_an_extract_cleared_after_the_plan_does_not_move_the_watermark_past_what_was_planned(drive: Rounds) -> None:
    sync = drive.prepare()
    drive.apply(sync)
    planned = sync.files.read_json("delta.Opportunity")["upper"]
    pause(drive, days=1)
    deal = win(drive)
    pause(drive, days=1)
    steps.extract(sync, "Opportunity")
    assert steps.commit(sync)[SOURCE] == planned
    drive.run()
    assert len(invoices_of(drive.sandbox, deal)) == 1


def test_a_failed_run_cleared_from_its_plan_on_does_not_bring_back_what_a_later_run_replaced(drive: Rounds) -> None:
    deal = win(drive, CloseDate="2026-12-01")
    for _ in range(2):
        drive.run()
        drive.run_back()
        pause(drive, days=1)
    change(drive, deal, CloseDate="2026-12-02")
    pause(drive, minutes=1)
    failed = drive.sync()
    steps.preflight(failed)
    for sobject in SOURCES[TO_KASHOO]:
        steps.extract(failed, sobject)
    pause(drive, days=1)
    change(drive, deal, CloseDate="2026-12-03")
    for _ in range(2):  # what is written back touches the deal, so that it is read once more
        drive.run()
        drive.run_back()
        pause(drive, days=1)
    steps.plan(failed)
    steps.approve(failed)
    drive.finish(failed)
    for _ in range(2):
        pause(drive, days=1)
        drive.run()
        drive.run_back()
    assert invoice_of(drive.sandbox, deal)["date"] == "2026-12-03"
