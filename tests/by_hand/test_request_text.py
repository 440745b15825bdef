"""The request by which a person is asked, and what a plan that is only shown says of it."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console
from rounds import Rounds, win

from airflow_provider_kashoo.cli import plan as command
from airflow_provider_kashoo.core.rules.approval import Above, Policy
from airflow_provider_kashoo.core.values.money import to_minor
from airflow_provider_kashoo.reports.page import plan_page
from airflow_provider_kashoo.reports.plan import PlanReport, PlanRow
from airflow_provider_kashoo.reports.request import request_text
from airflow_provider_kashoo.sync.by_hand.preview import preview

RULE = 'require approval: Name == "a | b" or ![x](y)'
ROW = PlanRow("create", "invoice", "Opportunity", "006", None, "won", currency="USD", total_minor=100, asks=(RULE,))
REPORT = PlanReport("salesforce_to_kashoo", "abc", "77", {"invoice": {"create": 12}}, asks={RULE: 12}, requests=12)


def test_what_a_rule_says_is_shown_as_it_is_and_loads_no_picture() -> None:
    text = request_text(replace(REPORT, rows=[ROW]), "abc")
    assert "a \\| b" in text
    assert "\\!\\[x\\]\\(y\\)" in text
    assert "![x]" not in text


def test_the_ten_biggest_that_ask_are_shown_and_how_many_there_are() -> None:
    rows = [replace(ROW, source_id=f"id{number:02}", total_minor=number * 100) for number in range(12)]
    odd = replace(ROW, source_id="id99", asks=(), odd=("dated 90 days back",), part=2)
    changed = replace(ROW, action="update", source_id="id50", total_before_minor=500_000, total_minor=100)
    text = request_text(replace(REPORT, rows=[*rows, odd, changed]), "abc")
    assert "**The biggest that ask** (10 of 13)" in text
    asking, _, others = text.partition("**Look at these too**")
    shown = [line.split("|")[2].split()[1] for line in asking.splitlines() if "| Opportunity " in line]
    assert shown == ["id50", *(f"id{number:02}" for number in range(11, 2, -1))]
    assert "5,000.00 USD → 1.00 USD" in asking
    assert "| create | Opportunity id99, part 2 | 1.00 USD | dated 90 days back |" in others
    assert "| USD | 67.00 | 5,000.00 | 1.00 | 0.00 |" in text
    assert "- invoice: 12 create" in text


def test_the_preview_says_what_would_have_to_be_approved(drive: Rounds) -> None:
    win(drive, "250.00")
    drive.settings = replace(drive.settings, approval=Policy(invoice_above=Above(each=to_minor(249))))
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    report = preview(sync, sync.run)
    (reason,) = report.asks
    assert reason.startswith("an invoice above 249.00 ")
    assert [row.asks for row in report.rows if row.asks] == [(reason,)]
    file = io.StringIO()
    command.print_report(report, Console(file=file, width=250))
    assert f"A person has to approve it: 1 x {reason}" in file.getvalue()
    assert "A person has to approve it:" in plan_page(report)
    assert report.as_json()["asks"] == {reason: 1}
