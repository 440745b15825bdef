"""One record explained: why it was billed, or why it was not."""

from __future__ import annotations

import io
import json
from typing import Any

from records import add_account, add_deal, invoice_of
from rich.console import Console
from rounds import Rounds, change, win

from airflow_provider_kashoo.cli.explain import as_json, print_story, story_of
from airflow_provider_kashoo.store.history import history_of
from airflow_provider_kashoo.sync.run.staged_runs import newest_runs


def told(drive: Rounds, named: str) -> dict[str, Any]:
    story = story_of(named, history_of(drive.database, named), newest_runs(drive.sync().files.root))
    assert json.loads(as_json(story)) == story | {"format_version": "1.0"}
    return story


def printed(story: dict[str, Any]) -> str:
    text = io.StringIO()
    print_story(story, Console(file=text, width=200))
    return text.getvalue()


def test_a_deal_that_was_never_written_says_why(drive: Rounds) -> None:
    small = add_deal(drive.sandbox, add_account(drive.sandbox), "99.00")
    drive.run()
    story = told(drive, small)
    assert [(each["action"], each["why"], each["mapping"]) for each in story["plans"]] == [
        ("skip", "not Amount >= 100", "invoice_from_opportunity")
    ]
    assert (story["links"], story["waiting"], story["done"]) == ([], [], [])
    assert "not Amount >= 100" in printed(story)


def test_a_billed_deal_has_a_story_from_its_plan_to_its_payment(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.run_back()
    change(drive, deal, Amount="300.00")
    drive.run()
    invoice = invoice_of(drive.sandbox, deal)
    story = told(drive, deal)
    assert [each["action"] for each in story["plans"]][-1] == "create"
    (link,) = story["links"]
    assert (link["kashoo_id"], link["total"], link["total_minor"]) == (invoice["id"], "300.00 USD", 30_000)
    assert [each["event"] for each in story["done"]][:2] == ["create", "write_back"]
    assert str(invoice["id"]) in printed(story)
    by_number = told(drive, str(invoice["id"]))
    assert (by_number["links"], by_number["done"]) == (story["links"], story["done"])


def test_what_is_parked_says_what_to_do(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None, "250.00")
    drive.run()
    (waiting,) = told(drive, deal)["waiting"]
    assert (waiting["state"], waiting["cause"]) == ("parked", "contact: it is empty")
    assert "Fill AccountId in Salesforce" in printed(told(drive, deal))


def test_a_record_that_nobody_knows_is_said_to_be_unknown(drive: Rounds) -> None:
    drive.run()
    assert "neither the store nor the last runs know it" in printed(told(drive, "006000000000009AAA"))
