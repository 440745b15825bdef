"""The child records that make several invoices of a deal are read with it, by whichever way, and make it dirty."""

from __future__ import annotations

from decimal import Decimal

import pytest
from records import add_account, add_deal, add_line, today
from rounds import Rounds, bearing, moved_on, open_items, quiet, remap

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.preflight import check_both_sides
from airflow_provider_kashoo.sync.read import dirty, parts
from airflow_provider_kashoo.sync.read.parts import parts_of

RULE = "{from: Billing_Milestones__r, share: Percent__c, date: Due__c, memo: Opportunity__r.Name}"
SPLIT = f'rules:\n  - {{when: Type == "New Business", split: {{invoices: {RULE}}}}}\nfields:\n'


@pytest.fixture
def split(drive: Rounds) -> Rounds:
    remap(drive, "invoice_from_opportunity", "fields:\n", SPLIT)
    return drive


def deal_of(drive: Rounds, *shares: int) -> tuple[str, list[str]]:
    box = drive.sandbox
    deal = add_deal(box, add_account(box), None, Type="New Business")
    add_line(box, deal, "200.00")
    rows = [{"Opportunity__c": deal, "Due__c": today(box), "Percent__c": Decimal(share)} for share in shares]
    return deal, [box.org.insert("Billing_Milestone__c", row) for row in rows]


def totals(drive: Rounds, deal: str) -> list[int]:
    return sorted(row["totalDue"] for row in bearing(drive, deal))


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("rows", [4, 50_000])
def test_however_they_are_read_each_deal_gets_its_own(
    split: Rounds, monkeypatch: pytest.MonkeyPatch, rows: int, bulk: bool
) -> None:
    monkeypatch.setattr(parts, "ROWS", rows)
    monkeypatch.setattr(dirty, "BULK_FROM", 0 if bulk else 2_000)
    shares = [(30, 70), (50, 25, 25), (100,), (10, 20, 30, 40)]
    deals = [deal_of(split, *each)[0] for each in shares]
    whole = add_deal(split.sandbox, add_account(split.sandbox), "250.00")
    done = split.run()
    assert [totals(split, deal) for deal in deals] == [sorted(200 * each for each in own) for own in shares]
    assert totals(split, whole) == [25_000]
    assert (done.report("Opportunity")["bulk"], len(parts_of(done.sync, "Opportunity")) > 1) == (bulk, rows == 4)
    assert open_items(split) == []
    quiet(split)


def test_a_child_alone_makes_its_deal_dirty(split: Rounds) -> None:
    deal, (first, second) = deal_of(split, 30, 70)
    split.run()
    moved_on(split)
    org = split.sandbox.org
    org.update("Billing_Milestone__c", first, {"Percent__c": Decimal(40)})
    org.update("Billing_Milestone__c", second, {"Percent__c": Decimal(60)})
    split.run()
    assert totals(split, deal) == [8_000, 12_000]
    moved_on(split)
    org.delete("Billing_Milestone__c", second)
    split.run()
    assert open_items(split) == [(deal, "shares_do_not_add_up")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Billing_Milestones__r", "Milestones__r", "has no child relationship 'Milestones__r'"),
        ("share: Percent__c", "share: Percent", "Billing_Milestone__c has no field 'Percent'"),
        ("share: Percent__c", "share: Name", "share takes a number, and Name of Billing_Milestones__r is a text"),
        ("date: Due__c", "date: Percent__c", "date takes a date, and Percent__c of Billing_Milestones__r is a number"),
    ],
)
def test_a_rule_that_does_not_fit_the_org_is_refused_with_file_and_line(
    split: Rounds, old: str, new: str, said: str
) -> None:
    remap(split, "invoice_from_opportunity", old, new)
    with pytest.raises(ConfigurationError, match=r"invoice_from_opportunity.yaml:\d+:\d+: ") as refused:
        check_both_sides(split.sync())
    assert said in str(refused.value)
    line = next(each for each in str(refused.value).splitlines() if said in each)
    place = int(line.split(".yaml:")[1].split(":")[0])
    assert "split" in (split.mappings / "invoice_from_opportunity.yaml").read_text("utf-8").splitlines()[place - 1]
