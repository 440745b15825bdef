"""``airflow kashoo history``: the audit of one record as sentences, with run, person and amount."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from both_sides import both_changed, say
from records import invoice_of
from rounds import Rounds, change, win

from airflow_provider_kashoo.cli.history import as_json, as_text, happened
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.approval import Decision
from airflow_provider_kashoo.core.rules.settled import Side
from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO


def test_a_deal_from_its_invoice_to_a_question_that_was_dismissed(drive: Rounds) -> None:
    deal = win(drive)
    done = drive.run()
    summary = done.sync.store.run(TO_KASHOO, done.sync.run.run_id)
    assert summary is not None
    store = drive.store
    store.approvals.decide(
        TO_KASHOO, done.sync.run.run_id, summary["digest"], Decision.APPROVE, by="bob", reason="fine", summary={}
    )
    invoice = invoice_of(drive.sandbox, deal)
    drive.run_back()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice["id"], 25000)
    change(drive, deal, Amount=Decimal(300))
    drive.run()
    dismiss(drive.database, deal, by="ann", reason="as agreed")
    events = happened(drive.database, deal)
    assert [each.event for each in events] == ["create", "approve", "write_back", "asked", "dismissed"]
    created, approved, _, asked, dismissed = as_text(events)
    assert f"The invoice was created in Kashoo as {invoice['id']}, 250.00 USD" in created
    assert f"[run {done.sync.run.run_id}]" in created
    assert "by bob: fine" in approved
    assert "(R1): the deal changed after a payment was received" in asked
    assert "left as it is by ann: as agreed" in dismissed
    assert happened(drive.database, str(invoice["id"])) == events
    assert happened(drive.database, deal[:15]) == events
    assert [each["text"] for each in json.loads(as_json(deal, events))["events"]] == [each.text for each in events]


@pytest.mark.parametrize("named", ["006000000000009AAA", "4711", "x", ""])
def test_what_the_store_does_not_know_is_said(drive: Rounds, named: str) -> None:
    with pytest.raises(ConfigurationError, match="does not know"):
        happened(drive.database, named)


def test_an_answered_question_is_told_as_an_answer_and_not_as_a_failure(drive: Rounds) -> None:
    deal = both_changed(drive)
    say(drive, deal, Side.BOOKS)
    told = [each.text for each in happened(drive.database, deal)]
    waits = "The next run does what was said about the invoice (a person said that Kashoo is right)."
    assert waits in told
    assert not any("could not be written" in each for each in told)
