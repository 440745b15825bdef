"""One record explained: why it was billed, or why it was not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any

import pytest
from records import add_account, add_deal, add_line, invoice_of, today, writes
from rich.console import Console
from rounds import Rounds, change, fault, remap, win

from airflow_provider_kashoo.cli.explain import as_json, print_story
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.by_hand.story import tell
from airflow_provider_kashoo.sync.run.staged_runs import newest_runs
from airflow_provider_kashoo.sync.run.sync import Sync


def told(drive: Rounds, named: str, *, asked: bool = False) -> dict[str, Any]:
    """Tell the story of a record, with what both sides say of it now if they are asked."""
    story = tell(named, drive.database, newest_runs(drive.sync().files.root), asking(drive) if asked else None)
    assert json.loads(as_json(story)) == story | {"format_version": "1.0"}
    return story


def asking(drive: Rounds) -> Callable[[], AbstractContextManager[Sync]]:
    drive.sandbox.clock.advance(60)
    return lambda: nullcontext(drive.sync())


def printed(story: dict[str, Any], width: int = 200) -> str:
    text = io.StringIO()
    print_story(story, Console(file=text, width=width))
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


NAME = "invoice_from_opportunity"
RULES = """rules:
  - {when: Amount >= 1000, set: {memo: big}}
  - {when: Amount < 1000, set: {memo: {text: "small {Name}"}}}
single_line:
"""


def origins(story: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    (made,) = [each for each in story["now"][0]["mappings"] if each["mapping"] == NAME]
    return {each["target"]: (each["value"], each["how"], each["sources"]) for each in made["fields"]}


def test_each_field_says_from_what_it_is_made(drive: Rounds) -> None:
    remap(drive, NAME, "single_line:\n", RULES)
    deal = win(drive, Name="Lift")
    sent = writes(drive.sandbox)
    story = told(drive, deal, asked=True)
    assert writes(drive.sandbox) == sent
    assert story["now"][0]["found"]
    made = origins(story)
    assert made["memo"] == ("small Lift", "{text: 'small {Name}'}", {"Name": "Lift"})
    assert made["date"][:2] == ("2026-03-04", "{from: CloseDate}")
    assert made["dueDate"][2] == {"CloseDate": "2026-03-04", "Account.Payment_Terms__c": None}
    assert made["lines[1].amount"] == ("250.00", "{from: Amount}", {"Amount": "250"})
    (mapping,) = [each for each in story["now"][0]["mappings"] if each["mapping"] == NAME]
    assert [(each["what"], each["holds"]) for each in mapping["conditions"]] == [
        ("IsWon", True),
        ("Amount >= 100", True),
    ]
    assert [(each["when"], each["holds"]) for each in mapping["rules"]] == [
        ("Amount >= 1000", False),
        ("Amount < 1000", True),
    ]
    assert ("create", "won and not billed yet; rules: set memo") in [
        (each["action"], each["why"]) for each in story["now"][0]["would"]
    ]
    text = printed(story)
    assert "caught rule set memo  when Amount < 1000" in text
    assert "The next run would create the invoice" in text


def test_a_narrow_terminal_cuts_nothing(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    story = told(drive, deal, asked=True)
    text = printed(story, width=80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert f"{NAME} ({NAME}.yaml), to invoice" in " ".join(text.split())
    (field,) = [line for line in text.splitlines() if "lines[1].amount" in line]
    (amount,) = [each for made in story["now"][0]["mappings"] for each in made["fields"] if "amount" in each["target"]]
    assert field.split("│")[-2].strip() == amount["place"].split(":")[-2]
    assert "The next run would leave the invoice as it is: nothing that is mapped changed" in text
    assert f"run {story['done'][0]['run_id']}" in printed(story)


def test_lines_say_from_what_they_are_made(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    add_line(drive.sandbox, deal, "100.00", quantity="3")
    made = origins(told(drive, deal, asked=True))
    assert made["lines[1].amount"] == ("300.00", "{from: TotalPrice}", {"TotalPrice": "300"})
    assert made["lines[1].taxCode"] == ("none", "none", {})


@pytest.mark.parametrize("own", [True, False])
def test_lines_say_what_rules_set_in_them(drive: Rounds, own: bool) -> None:
    rule = 'rules:\n  - set: {lines.account: "4000"}\n  - set: {lines.account: "4100", lines.project: {from: Name}}\n'
    remap(drive, NAME, "single_line:\n", f"{rule}single_line:\n")
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None if own else "250.00", Name="Lift")
    if own:
        add_line(drive.sandbox, deal, "100.00")
    made = origins(told(drive, deal, asked=True))
    assert made["lines[1].account"] == ("4100", "'4100'", {})
    assert made["lines[1].project"] == ("Lift", "{from: Name}", {"Name": "Lift"})


def test_a_deal_that_no_run_has_read_says_why_it_would_not_be_billed(drive: Rounds) -> None:
    small = add_deal(drive.sandbox, add_account(drive.sandbox), "99.00")
    story = told(drive, small, asked=True)
    assert story["plans"] == []
    assert [(each["action"], each["why"]) for each in story["now"][0]["would"]] == [("skip", "not Amount >= 100")]
    assert "FAILS  Amount >= 100" in printed(story)


def test_a_value_that_does_not_fit_is_the_answer(drive: Rounds) -> None:
    deal = add_deal(drive.sandbox, None, "250.00")
    story = told(drive, deal, asked=True)
    assert [each["action"] for each in story["now"][0]["would"]] == ["park"]


def test_an_invoice_is_found_by_its_number(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    number = invoice_of(drive.sandbox, deal)["number"]
    not_written_back = told(drive, number, asked=True)
    drive.run_back()
    written_back = told(drive, number, asked=True)
    for story in (not_written_back, written_back):
        assert (story["record"], story["links"][0]["source_id"]) == (deal, deal)
        assert [each["action"] for each in story["now"][0]["would"] if each["target"] == "invoice"] == ["unchanged"]


@pytest.mark.parametrize("number", ["99999", "INV-'; DROP", "x" * 300])
def test_a_number_that_no_invoice_has_is_said(drive: Rounds, number: str) -> None:
    with pytest.raises(ConfigurationError, match="and no invoice of this sync that number"):
        told(drive, number, asked=True)


def test_a_deleted_deal_and_a_record_of_another_object(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.org.delete("Opportunity", deal)
    story = told(drive, deal, asked=True)
    assert not story["now"][0]["found"]
    assert "Salesforce does not show it" in printed(story)
    assert "no mapping reads its object" in printed(told(drive, "003000000000001AAA", asked=True))


def test_what_is_stored_is_told_while_a_side_is_away(drive: Rounds) -> None:
    deal = win(drive)
    drive.run()
    fault(drive, "error_before", "", "", status=503, times=None)
    story = told(drive, deal, asked=True)
    assert story["now"] == []
    assert "Neither side could be asked" in printed(story)
    assert story["links"][0]["source_id"] == deal


def test_of_a_deal_in_parts_every_invoice_is_told(drive: Rounds) -> None:
    rule = "rules:\n  - split: {invoices: {from: Billing_Milestones__r, share: Percent__c, date: Due__c}}\nfields:\n"
    remap(drive, "invoice_from_opportunity", "fields:\n", rule)
    deal = win(drive)
    for share in (30, 70):
        row = {"Opportunity__c": deal, "Percent__c": Decimal(share), "Due__c": today(drive.sandbox)}
        drive.sandbox.org.insert("Billing_Milestone__c", row)
    drive.run()
    story = told(drive, deal, asked=True)
    totals = {each["part"]: each["total"] for each in story["links"]}
    assert (len(story["links"]), totals) == (2, {1: "75.00 USD", 2: "175.00 USD"})
    assert sorted((each["part"], each["action"]) for each in story["plans"]) == [(1, "create"), (2, "create")]
    assert "invoice, part 2" in printed(story)
    assert "The next run would leave the invoice, part 2 as it is" in printed(story)
    assert "part 2 of 2, " in printed(story)
    second = next(each for each in story["links"] if each["part"] == 2)
    assert second in told(drive, str(second["kashoo_id"]))["links"]


def test_of_a_deal_in_parts_each_share_and_date_is_told(drive: Rounds) -> None:
    spec = "{from: Billing_Milestones__r, share: Percent__c, date: Due__c}"
    rule = f"rules:\n  - {{when: Amount >= 200, split: {{invoices: {spec}}}}}\nfields:\n"
    remap(drive, NAME, "fields:\n", rule)
    deal, whole, other = win(drive), win(drive, "150.00"), win(drive)
    for of, share, day in ((deal, "30", "2026-03-05"), (deal, "70", "2026-04-05"), (other, "100", "2026-05-05")):
        row = {"Opportunity__c": of, "Percent__c": Decimal(share), "Due__c": day}
        drive.sandbox.org.insert("Billing_Milestone__c", row)
    made = origins(told(drive, deal, asked=True))
    parts = {name: each for name, each in made.items() if name.startswith("parts")}
    assert {name: value for name, (value, _, _) in parts.items()} == {
        "parts[1].share": "30",
        "parts[1].date": "2026-03-05",
        "parts[2].share": "70",
        "parts[2].date": "2026-04-05",
    }
    assert parts["parts[2].date"][1:] == ("{from: Due__c}", {"Due__c": "2026-04-05"})
    assert not any(name.startswith("parts") for name in origins(told(drive, whole, asked=True)))


def test_the_lines_are_those_that_would_be_written_after_all_rules(drive: Rounds) -> None:
    fee = 'rules:\n  - add_line: {description: Handling, percent: 5, account: "4200", taxCode: none}\n'
    remap(drive, NAME, "single_line:\n", f"{fee}  - split: {{lines.project: {{A: 60, B: 40}}}}\nsingle_line:\n")
    deal = win(drive, "333.33")
    story = told(drive, deal, asked=True)
    (made,) = [each["made"] for each in story["now"][0]["mappings"] if each["mapping"] == NAME]
    assert [(each["description"], each["project"], each["rate"]) for each in made[0]["lines"]] == [
        ("Deal (60 %)", "A", "200"),
        ("Deal (40 %)", "B", "133.33"),
        ("Handling (60 %)", "A", "10"),
        ("Handling (40 %)", "B", "6.67"),
    ]
    assert "350.00" in printed(story)
    drive.run()
    assert invoice_of(drive.sandbox, deal)["totalDue"] == 35_000
