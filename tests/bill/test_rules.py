"""Rules of a mapping, from Salesforce to the books: what is billed, what the plan says, what a later change does."""

from __future__ import annotations

import pytest
from records import add_account, add_deal, add_line, invoice_of, invoices_of
from rounds import Rounds, change, open_items, quiet, remap

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.summary import as_text
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.preflight import check_both_sides
from airflow_provider_kashoo.sync.run.plan_file import decisions_about

RULES = """\
rules:
  - {when: Name == "Test", skip: a test deal}
  - when: Account.BillingCountry not in ["US", "CA"]
    add_line: {description: International handling, percent: 5, account: "4000", taxCode: none}
  - {when: Amount >= 400, set: {lines.project: Large}}
fields:
"""


@pytest.fixture
def ruled(drive: Rounds) -> Rounds:
    remap(drive, "invoice_from_opportunity", "fields:\n", RULES)
    return drive


def test_a_fee_is_billed_once_and_named_in_the_plan(ruled: Rounds) -> None:
    box = ruled.sandbox
    abroad = add_deal(box, add_account(box, "Paris SA", BillingCountry="FR"), "300.00")
    home = add_deal(box, add_account(box, "Ottawa Inc", BillingCountry="CA"), None)
    add_line(box, home, "400.00")
    test = add_deal(box, add_account(box, "Tester", BillingCountry="CA"), "300.00", Name="Test")
    done = ruled.run()
    assert done.summary["rules"] == {
        "invoice_from_opportunity: add_line International handling": 1,
        "invoice_from_opportunity: set lines.project": 1,
    }
    assert [line["rate"] for line in invoice_of(box, abroad)["lineItems"]] == [30_000, 1_500]
    assert invoice_of(box, home)["totalDue"] == 40_000
    assert invoices_of(box, test) == []
    said = [(each.action.value, each.reason) for each in decisions_about(done.sync.files, abroad)]
    assert said == [("create", "won and not billed yet; rules: add_line International handling")]
    assert [each.reason for each in decisions_about(done.sync.files, test)] == ["a test deal"]
    quiet(ruled)


def test_a_deal_that_a_rule_catches_later_changes_its_invoice(ruled: Rounds) -> None:
    box = ruled.sandbox
    deal = add_deal(box, add_account(box, "Paris SA", BillingCountry="FR"), "300.00")
    ruled.run()
    change(ruled, deal, Amount="500.00")
    ruled.run()
    invoice = invoice_of(box, deal)
    assert (invoice["totalDue"], open_items(ruled)) == (52_500, [])
    quiet(ruled)


def test_a_rule_that_is_edited_bills_nothing_again(ruled: Rounds) -> None:
    box = ruled.sandbox
    deal = add_deal(box, add_account(box, "Paris SA", BillingCountry="FR"), "300.00")
    ruled.run()
    remap(ruled, "invoice_from_opportunity", "percent: 5", "percent: 10")
    change(ruled, deal, Description="touched")
    ruled.run()
    assert invoice_of(box, deal)["totalDue"] == 31_500
    quiet(ruled)


def test_a_deal_that_a_rule_skips_now_is_put_to_a_person(ruled: Rounds) -> None:
    box = ruled.sandbox
    deal = add_deal(box, add_account(box, "Ottawa Inc", BillingCountry="CA"), "300.00")
    ruled.run()
    change(ruled, deal, Name="Test")
    ruled.run()
    assert open_items(ruled) == [(deal, "no_longer_billable")]
    (item,) = ruled.sync().store.reviews.all_open()
    assert item["cause"] == "the deal is left out by a rule: a test deal, but its invoice still exists"


def test_rules_are_checked_against_both_sides(ruled: Rounds) -> None:
    remap(ruled, "invoice_from_opportunity", "Amount >= 400", 'Amount >= "400"')
    remap(ruled, "invoice_from_opportunity", 'account: "4000", taxCode', 'account: "9999", taxCode')
    with pytest.raises(ConfigurationError) as caught:
        check_both_sides(ruled.sync())
    assert "Kashoo has no account '9999'" in str(caught.value)
    assert "Write a number without quotes" in str(caught.value)


def test_the_summary_says_what_rules_caught(ruled: Rounds) -> None:
    add_deal(ruled.sandbox, add_account(ruled.sandbox, "Paris SA", BillingCountry="FR"), "300.00")
    sync = ruled.prepare()
    assert "\n  1 x invoice_from_opportunity: add_line International handling\n" in as_text(steps.plan(sync))


@pytest.mark.parametrize(("name", "one", "other"), [("project", "Hardware", "Services"), ("account", "4000", "4100")])
def test_shares_in_another_order_go_where_they_belong(drive: Rounds, name: str, one: str, other: str) -> None:
    shares = [f'"{one}": 60, "{other}": 40', f'"{other}": 40, "{one}": 60']
    rule = f"rules:\n  - split: {{lines.{name}: {{{shares[0]}}}}}\nfields:\n"
    remap(drive, "invoice_from_opportunity", "fields:\n", rule)
    box = drive.sandbox
    deal = add_deal(box, add_account(box), "200.00")
    drive.run()
    before = {line[name]: line["rate"] for line in invoice_of(box, deal)["lineItems"]}
    remap(drive, "invoice_from_opportunity", *shares)
    change(drive, deal, Amount="300.00")
    drive.run()
    now = {line[name]: line["rate"] for line in invoice_of(box, deal)["lineItems"]}
    assert sorted(before.values()) == [8_000, 12_000]
    assert now == {value: rate * 3 // 2 for value, rate in before.items()}
