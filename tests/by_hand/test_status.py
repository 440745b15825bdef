"""What waits, as a person and a program read it: grouped by cause, with an id that stays, and what is late."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from typing import Any

import pytest
from records import add_deal, invoice_of
from rich.console import Console
from rounds import Rounds, change, fault, operations, win

from airflow_provider_kashoo.cli.status import as_json, print_status, read
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem, UnreachableError
from airflow_provider_kashoo.core.rules.intents import Ask, Create
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.pace import Limit, Pace
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.by_hand.named import among, one_question
from airflow_provider_kashoo.sync.by_hand.replay import replay
from airflow_provider_kashoo.sync.by_hand.status import Late, Used, exit_status, late_of, status_of, used_of

DAY = 86_400


def live(drive: Rounds) -> dict[str, Any]:
    found = read(drive.database, opened=lambda: nullcontext(drive.sync()))
    (scope,) = json.loads(as_json(found))["scopes"]
    return dict(scope)


def test_the_id_of_a_refused_deal_stays_through_all_tries_and_replay_takes_it(drive: Rounds) -> None:
    deal = win(drive)
    fault(drive, "error_before", status=422, times=3)
    seen = []
    for _ in range(3):
        drive.run()
        (waits,) = live(drive)["waits"]
        seen.append((waits["id"], waits["number"], waits["since"]))
        drive.sandbox.clock.advance(DAY)
    ids, numbers, since = (set(each) for each in zip(*seen, strict=True))
    assert (ids, len(numbers), len(since)) == ({deal}, 3, 1)
    assert replay(drive.sync(), [deal])["created"] == 1
    assert live(drive)["waits"] == []


def test_a_record_that_waits_again_later_waits_since_then(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None, "250.00")
    drive.run()
    first = live(drive)["waits"][0]["since"]
    change(drive, deal, StageName="Prospecting")
    drive.run()
    assert live(drive)["waits"] == []
    drive.sandbox.clock.advance(DAY)
    change(drive, deal, StageName="Closed Won")
    drive.run()
    assert live(drive)["waits"][0]["since"] > first


def test_names_amount_and_number_are_read_live_and_kept_nowhere(drive: Rounds) -> None:
    deal = win(drive, Name="The big one")
    drive.run()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 25000)
    change(drive, deal, CloseDate="2026-02-11")
    drive.run()
    (waits,) = live(drive)["waits"]
    assert (waits["id"], waits["name"], waits["customer"]) == (deal, "The big one", "Northern Lights")
    assert (waits["amount"], waits["total_minor"], waits["currency"]) == ("250.00", 25000, "USD")
    assert waits["invoice"] == invoice_of(drive.sandbox, deal)["number"]
    (stored,) = read(drive.database)
    assert "big one" not in as_json([stored])
    assert stored.waits[0].id == deal


def test_whoever_is_away_does_not_keep_the_rest_from_being_shown(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None, "250.00")
    drive.run()

    def away() -> Any:
        raise UnreachableError("Salesforce does not answer.")

    (found,) = read(drive.database, opened=away)
    assert ([each.id for each in found.waits], found.not_asked) == ([deal], "Salesforce does not answer.")


def parked(store: Any, number: int, error_class: str, part: int = 1) -> str:
    ident = f"006{number:012d}AAA"
    record = Record("invoice", "Opportunity", ident, part)
    store.waiting.park(Create(record=record), Problem(error_class, f"cause {number}", "Do it."), "r")
    return ident


def test_what_waits_is_grouped_by_cause_the_most_frequent_first_and_nothing_is_cut(store: Any) -> None:
    few, many = parked(store, 1, "x"), [parked(store, number, "y") for number in (2, 3)]
    (found,) = status_of(store.database, late_after=26)
    groups = {name: [each.id for each in group] for name, group in found.by_cause.items()}
    assert groups == {"y": many, "x": [few]}
    assert list(groups) == ["y", "x"]
    out = Console(file=io.StringIO(), width=10_000)
    print_status(store.database, out, [found], [Used(500, 3600.0, 3, 497)])
    said = str(out.file.getvalue())  # type: ignore[attr-defined]
    assert all(text in said for text in (few, *many, "2 x y", "cause 3", "3 of 500 used, 497 left"))
    assert said.count("Do it.") == 2  # once for each cause


def test_a_part_has_an_id_of_its_own_and_the_id_of_the_deal_names_all_of_them(store: Any) -> None:
    deal = parked(store, 1, "x")
    parked(store, 1, "x", part=2)
    rows = store.journal.unsettled(State.PARKED)
    (found,) = status_of(store.database, late_after=26)
    assert sorted(each.id for each in found.waits) == [deal, f"{deal}/2"]
    assert [row["part"] for row in among(rows, f"{deal}/2")] == [2]
    assert [row["part"] for row in among(rows, deal[:15])] == [1, 2]
    assert [row["part"] for row in among(rows, str(rows[1]["id"]))] == [2]
    assert among(rows, "006000000000009AAA") == []


def test_of_two_questions_about_a_record_one_has_to_be_named(store: Any) -> None:
    record = Record("invoice", "Opportunity", "006000000000001AAA")
    store.reviews.open(Ask(record=record), Problem("x", "first", "Do it."), "r")
    assert one_question(store.database, record.id)[1]["cause"] == "first"
    store.reviews.open(Ask(record=record), Problem("y", "second", "Do it."), "r")
    with pytest.raises(ConfigurationError, match=r"R1 \(first\); R2 \(second\)"):
        one_question(store.database, record.id)
    assert one_question(store.database, "R2")[1]["cause"] == "second"


def test_a_plan_that_asks_is_something_that_waits_until_somebody_decides(store: Any) -> None:
    store.start_run("salesforce_to_kashoo", "r")
    store.record_plan("salesforce_to_kashoo", "r", PlanSummary(digest="ab" * 32, asks={"an invoice is voided": 1}))
    found = status_of(store.database, late_after=26)
    assert [plan.digest for plan in found[0].plans] == ["ab" * 32]
    assert exit_status(found) == 1
    store.finish_run("salesforce_to_kashoo", "r")
    assert exit_status(status_of(store.database, late_after=26)) == 0


def test_a_sync_is_late_when_none_of_its_watermarks_moved_for_so_long() -> None:
    def row(source: str, hours: float) -> dict[str, Any]:
        return {"source": source, "moved_at": 1e9 - hours * 3600}

    unread = row("salesforce.Order", 2_000)  # no mapping reads orders any more
    assert late_of([unread, row("salesforce.Opportunity", 25), row("kashoo.payments", 27)], 1e9, 26) == [
        Late("kashoo_to_salesforce", 1e9 - 27 * 3600)
    ]
    assert late_of([], 1e9, 26) == []


def test_late_is_worse_than_what_waits(drive: Rounds) -> None:
    add_deal(drive.sandbox, None, "250.00")
    drive.run()
    assert exit_status(read(drive.database)) == 1
    drive.sandbox.clock.advance(27 * 3600)
    (found,) = read(drive.database)
    assert {each.sync for each in found.late} == {"salesforce_to_kashoo", "kashoo_to_salesforce"}
    assert exit_status([found]) == 2
    assert exit_status(read(drive.database, late_after=40)) == 1


def test_each_limit_says_what_is_used_and_left_and_nothing_is_left_during_a_pause() -> None:
    pace = Pace(now=100.0, limits=[Limit(5, 10), Limit(2, 1000)], counted=[50.0, 95.0, 99.0])
    assert used_of(pace) == [Used(5, 10, 2, 3), Used(2, 1000, 3, 0)]
    closed = Pace(now=100.0, limits=[Limit(5, 10)], closed_until=101.0)
    assert used_of(closed) == [Used(5, 10, 0, 0)]


def test_nothing_is_asked_of_anybody_when_nothing_waits(drive: Rounds) -> None:
    def never() -> Any:
        raise AssertionError("asked")

    assert operations(drive, State.PARKED) == []
    assert exit_status(read(drive.database, opened=never)) == 0
