"""Two runs, or two processes of one, tell Salesforce of the same invoice: what the books say last stands in the end."""

from __future__ import annotations

from typing import Any

import pytest
from records import writes
from rounds import COLLECTION, Rounds, bearing, fault, open_items, operations, quiet, win

from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.clients.transport import READ_ATTEMPTS
from airflow_provider_kashoo.core.errors import Problem, StoppedError, UnreachableError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.journal import Journal
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE
from airflow_provider_kashoo.sync.write.fields import FieldsWriter


@pytest.fixture
def deal(drive: Rounds) -> str:
    """A deal whose invoice is open, and told so."""
    deal = win(drive)
    drive.run()
    drive.run_back()
    assert told(drive, deal) == ("Open", 250)
    return deal


def told(drive: Rounds, deal: str) -> tuple[str, int]:
    row = drive.sandbox.org.get("Opportunity", deal)
    return row["Kashoo_Status__c"], row["Kashoo_Balance__c"]


def pay(drive: Rounds, deal: str, cents: int) -> int:
    (invoice,) = bearing(drive, deal)
    return drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], cents)["id"]


def at_update(drive: Rounds, stage: str, call: Any) -> None:
    """Call something once, when Salesforce reaches a stage of the next collection of updates."""

    def hook(reached: str) -> None:
        if reached.startswith(f"{stage} PATCH") and "composite/sobjects" in reached:
            drive.sandbox.faults["salesforce"].hook = None
            call()

    drive.sandbox.faults["salesforce"].hook = hook


def test_w2_a_write_back_that_waited_while_another_run_told_a_newer_value_is_not_sent(drive: Rounds, deal: str) -> None:
    pay(drive, deal, 5000)
    slow = drive.prepare(TO_SALESFORCE)
    pay(drive, deal, 20000)
    drive.run_back()
    assert drive.finish(slow)["stale"] == 1
    assert told(drive, deal) == ("Paid", 0)
    quiet(drive)
    assert told(drive, deal) == ("Paid", 0)


def test_w2_a_write_back_that_waited_while_another_run_saw_nothing_to_tell_is_not_sent(
    drive: Rounds, deal: str
) -> None:
    payment = pay(drive, deal, 25000)
    slow = drive.prepare(TO_SALESFORCE)
    drive.sandbox.books.remove(drive.sandbox.books.main(), "invoicePayments", payment)
    assert drive.run_back().outcome == {"unchanged": 2}
    assert drive.finish(slow)["stale"] == 1
    assert told(drive, deal) == ("Open", 250)


def test_w2_a_write_back_is_as_old_as_what_its_run_read_first(drive: Rounds, deal: str) -> None:
    pay(drive, deal, 5000)
    drive.sandbox.clock.advance(60)
    slow = drive.sync(TO_SALESFORCE)
    steps.preflight(slow)
    steps.extract(slow, "invoices")
    pay(drive, deal, 20000)
    drive.run_back()
    drive.sandbox.clock.advance(60)
    steps.extract(slow, "payments")
    steps.plan(slow)
    steps.approve(slow)
    drive.finish(slow)
    assert told(drive, deal) == ("Paid", 0)
    quiet(drive)


def test_w2_a_newer_write_back_is_sent_after_an_older_one(drive: Rounds, deal: str) -> None:
    pay(drive, deal, 5000)
    older = drive.prepare(TO_SALESFORCE)
    pay(drive, deal, 20000)
    newer = drive.prepare(TO_SALESFORCE)
    drive.finish(older)
    assert told(drive, deal) == ("Partly Paid", 200)
    assert drive.finish(newer)["written_back"] == 1
    assert told(drive, deal) == ("Paid", 0)


def test_w2_an_older_write_back_is_not_sent_while_the_newer_one_has_no_answer(drive: Rounds, deal: str) -> None:
    pay(drive, deal, 5000)
    older = drive.prepare(TO_SALESFORCE)
    pay(drive, deal, 20000)
    newer = drive.prepare(TO_SALESFORCE)
    fault(drive, "drop_after", COLLECTION, "PATCH", system="salesforce", times=None)
    with pytest.raises(UnreachableError):
        drive.apply(newer)
    assert drive.finish(older)["stale"] == 1
    drive.sandbox.faults["salesforce"].clear()
    quiet(drive)
    assert told(drive, deal) == ("Paid", 0)


def test_what_salesforce_holds_after_silence_and_a_refusal_is_told_although_it_was_told_before(
    drive: Rounds, deal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pay(drive, deal, 5000)
    fault(drive, "drop_after", COLLECTION, "PATCH", system="salesforce", times=READ_ATTEMPTS)
    with pytest.raises(UnreachableError):
        drive.run_back()
    assert told(drive, deal) == ("Partly Paid", 200)  # it was written, and nobody knows
    second = pay(drive, deal, 5000)
    with monkeypatch.context() as refused:
        no = Problem("field_custom_validation_exception", "a rule of the org", "Correct the record.")
        refused.setattr(SalesforceClient, "update", lambda _, records: [no] * len(records))
        drive.run_back()
    for each in (first, second):
        drive.sandbox.books.remove(drive.sandbox.books.main(), "invoicePayments", each)
    quiet(drive)
    assert told(drive, deal) == ("Open", 250)


def test_a_record_that_stays_locked_is_parked_after_three_tries_with_pauses(drive: Rounds, deal: str) -> None:
    pay(drive, deal, 5000)
    fault(drive, "row_lock", COLLECTION, "PATCH", system="salesforce", times=None, records=(deal,))
    begun = drive.sandbox.clock.time()
    assert drive.run_back().outcome == {"unchanged": 1, "parked": 1}
    assert drive.sandbox.clock.time() - begun >= 60 + 2 + 4
    (operation,) = operations(drive, State.PARKED)
    assert (operation["attempts"], operation["error_class"]) == (3, "unable_to_lock_row")
    assert operation["fix"] == "Nothing to do: it is sent again."
    drive.sandbox.faults["salesforce"].clear()
    quiet(drive)
    assert told(drive, deal) == ("Partly Paid", 200)
    assert open_items(drive) == []


def test_a_stop_ends_the_step_before_the_next_collection_and_a_retry_tells_the_rest(
    drive: Rounds, deal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deals = [deal, *(win(drive) for _ in range(2))]
    drive.run()
    pay(drive, deal, 5000)
    monkeypatch.setattr(FieldsWriter, "most", 1)
    sync, asked = drive.prepare(TO_SALESFORCE), []
    before = writes(drive.sandbox)["salesforce"]
    with pytest.raises(StoppedError):
        steps.apply(sync, lambda: asked.append(deal) or len(asked) > 2)  # first about what is unchanged
    assert writes(drive.sandbox)["salesforce"] - before == 1
    assert operations(drive, State.SENT, State.RETRY, State.IN_DOUBT) == []
    assert drive.finish(sync) == {"unchanged": 1, "done before": 1, "written_back": 2}
    assert writes(drive.sandbox)["salesforce"] - before == len(deals)
    assert [told(drive, each)[0] for each in deals] == ["Partly Paid", "Open", "Open"]
    quiet(drive)


def test_w12_what_a_process_told_after_another_one_took_its_write_back_over_is_told_anew(
    drive: Rounds, deal: str
) -> None:
    pay(drive, deal, 5000)

    def another_run_meanwhile() -> None:
        drive.sandbox.clock.advance(120)  # beyond the deadline
        drive._org_client = None  # another process has connections of its own
        pay(drive, deal, 20000)
        drive.run_back()
        assert told(drive, deal) == ("Paid", 0)

    at_update(drive, "received", another_run_meanwhile)
    late = drive.run_back()
    assert late.outcome["stale"] == 1
    assert told(drive, deal) == ("Partly Paid", 200)  # Salesforce took the older request last
    drive.run_back()
    assert told(drive, deal) == ("Paid", 0)
    quiet(drive)
    assert open_items(drive) == []


def test_w12_a_write_back_whose_process_paused_beyond_its_deadline_is_not_sent(
    drive: Rounds, deal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(drive, deal, 5000)
    send = Journal.send

    def paused(journal: Journal, *row: Any, **values: Any) -> Any:
        sent = send(journal, *row, **values)
        monkeypatch.setattr(Journal, "send", send)
        drive.sandbox.clock.advance(120)
        return sent

    monkeypatch.setattr(Journal, "send", paused)
    with pytest.raises(UnreachableError, match="deadline"):
        drive.run_back()
    assert told(drive, deal) == ("Open", 250)
    drive.run_back()
    assert told(drive, deal) == ("Partly Paid", 200)
