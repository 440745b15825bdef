"""A plan is the same, whatever the size of the parts in which its records are read and compared."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from driver import SOURCES
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from records import add_account, add_deal, add_line, add_order, invoice_of, sell_as, set_amount
from rounds import Killed, Rounds, change, in_doubt, remap, remove, win

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.stages.transform import Transformed
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.bill import candidates, made, parents
from airflow_provider_kashoo.sync.read import parts
from airflow_provider_kashoo.sync.run import plan_file
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

RULES = """\
rules:
  - {when: Name == "Nobody's", skip: a test deal}
  - {when: Amount > 900, park: too much}
  - {when: Account.BillingCity != "Ulm", set: {poNumber: {text: "not Ulm {Name}"}, lines.account: "4000"}}
  - {when: Amount > 200, add_line: {description: Fee, percent: 5, account: "4000", taxCode: none}}
  - split: {lines.project: {Hardware: 60, Services: 40}}
"""
BOTH = """\
version: 1
name: another_invoice
from: {object: Opportunity, lines: OpportunityLineItems}
to: invoice
when: ['Name == "Twice"']
fields:
  contact: {link: AccountId, mapping: customer_from_account}
  date: {from: CloseDate}
  currency: {from: CurrencyIsoCode}
single_line: {amount: {from: Amount}, account: "4000", taxCode: none}
"""


def map_everything(drive: Rounds) -> None:
    """Let the mapping of Opportunities use every feature that the language has."""
    name = "invoice_from_opportunity"
    remap(drive, name, "  memo: {from: Name}\n", '  memo: {text: "{Name} of {CloseDate}", max_length: 40}\n')
    remap(drive, name, "fields:\n", "on_leave: void_unpaid\nfollow: [Product2.Name]\nafter_payment: [memo]\nfields:\n")
    po = "  poNumber: {from: Type, map: {New Customer: new}, default: {from: Description, default: other}}\n"
    remap(drive, name, "  currency: {from", f"{po}  currency: {{from")
    account = '  account: {from: Product2.Family, map: {Services: "4000"}, default: "type:INCOME"}\n'
    remap(
        drive, name, '  account: "type:INCOME"\n  taxCode: none\nsingle_line', f"{account}  taxCode: none\nsingle_line"
    )
    remap(drive, name, "fields:\n", f"{RULES}fields:\n")
    (drive.mappings / "another_invoice.yaml").write_text(BOTH, "utf-8")


def trade(drive: Rounds) -> list[str]:
    """Make deals of all kinds; gives the ids of those that are billed first."""
    box = drive.sandbox
    accounts = [add_account(box, f"Firm {number}", f"{number % 2}@firm.example") for number in range(5)]
    deals = [add_deal(box, accounts[number % 5], f"{number + 1}00.50", Name=f"Deal {number}") for number in range(8)]
    for number, price in enumerate(["33.33", "100.00", "250.00", "99.99"]):
        deals.append(add_deal(box, accounts[number], None, Name=f"Lines {number}"))
        for product in ("HW-100", "SV-200")[: 1 + number % 2]:
            add_line(box, deals[-1], price, quantity="3", product=product)
    for deal in deals[:3]:
        add_order(box, accounts[0], deal)
    return deals


def change_much(drive: Rounds, deals: list[str]) -> None:
    """Let happen whatever a plan has to decide about."""
    box = drive.sandbox
    change(drive, deals[0], Name="Renamed")
    change(drive, deals[1], StageName="Closed Lost")
    change(drive, deals[3], CloseDate="2026-12-24")
    box.org.delete("Opportunity", deals[4])
    remove(drive, invoice_of(box, deals[5]))
    change(drive, deals[5], Description="touched")
    set_amount(box, deals[9], "1.00")
    account = add_account(box, "Late Firm", "late@firm.example")
    new = [add_deal(box, account, amount, Name=f"New {amount}") for amount in ("500.00", "100.005", "20.00", "-75.00")]
    add_deal(box, None, "300.00", Name="Nobody's")
    add_deal(box, account, "300.00", Name="Twice")
    add_line(box, add_deal(box, account, None, Name="Sold"), "12.34", quantity="7")
    orders = [add_order(box, account, new[0]) for _ in range(2)]
    alone = add_order(box, account, None, "640.00")
    sell_as(box, orders[1], None)
    add_order(box, account, alone and None, "77.00")
    rows = box.org.rows("Account")
    box.org.merge("Account", rows[0]["Id"], [rows[1]["Id"]])
    box.org.update("Account", rows[2]["Id"], {"Name": "Renamed Firm", "BillingCity": "Ulm"})


@pytest.fixture
def staged(drive: Rounds) -> tuple[Sync, PlanSummary]:
    """A run whose records are staged, and its plan in one part."""
    map_everything(drive)
    deals = trade(drive)
    drive.run()
    drive.run_back()
    in_doubt(drive, win(drive))
    change_much(drive, deals)
    drive.sandbox.clock.advance(8 * 86_400)  # the week's first run reads all that is linked
    sync = drive.sync()
    steps.preflight(sync)
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)
    return sync, steps.plan(sync)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(rows=1, at_once=1)
@given(rows=st.integers(1, 60), at_once=st.integers(1, 12))
def test_the_size_of_parts_makes_no_difference(staged: tuple[Sync, PlanSummary], rows: int, at_once: int) -> None:
    sync, whole = staged
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "ROWS", rows)
        for module in (candidates, parents):
            patch.setattr(module, "AT_ONCE", at_once)
        patch.setattr(plan_file, "PART", at_once)
        assert steps.plan(sync) == whole
    assert not [*sync.files.names("part."), *sync.files.names("made.")]


@pytest.mark.parametrize("nth", [1, 4, 9])
def test_a_worker_that_dies_between_parts_leaves_a_plan_that_can_be_made(
    staged: tuple[Sync, PlanSummary], nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, whole = staged
    monkeypatch.setattr(parts, "ROWS", 7)
    write, left = Staging.write_table, iter(range(1, 1_000))

    def dies(files: Staging, name: str, table: pa.Table, **more: Any) -> None:
        if next(left) == nth:
            raise Killed
        write(files, name, table, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Staging, "write_table", dies)
        with pytest.raises(Killed):
            steps.plan(sync)
    monkeypatch.setattr(parts, "ROWS", 11)  # an upgrade in between: what is left lies in the way
    assert steps.plan(sync) == whole


def test_a_line_that_was_staged_twice_is_not_billed_twice(staged: tuple[Sync, PlanSummary]) -> None:
    sync, _ = staged
    name = sync.files.names("lines.Opportunity.")[-1]
    lines = sync.files.read_table(name)
    assert lines is not None
    sync.files.write_table(name, pa.concat_tables([lines, lines.slice(0, 1)]))
    delta = sync.files.read_json("delta.Opportunity") or {}
    delta["parts"][name] += 1
    sync.files.write_json("delta.Opportunity", delta)
    with pytest.raises(ConfigurationError, match=r"lines of Opportunity were staged twice\. .* Clear the task"):
        steps.plan(sync)


def test_two_tries_of_a_plan_at_once_do_not_take_each_others_parts(
    staged: tuple[Sync, PlanSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, whole = staged
    monkeypatch.setattr(parts, "ROWS", 7)
    apply, write, others = made.transform, Staging.write_table, iter([True])

    def dies(files: Staging, name: str, table: pa.Table, **more: Any) -> None:
        if ".lines." in name:
            raise Killed
        write(files, name, table, **more)

    def with_another_try(*given: Any) -> Transformed:
        for _ in others:  # the other one divides, and dies before the lines
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Staging, "write_table", dies)
                with pytest.raises(Killed):
                    parts.parts_of(sync, "Opportunity")
        return apply(*given)

    monkeypatch.setattr(made, "transform", with_another_try)
    assert steps.plan(sync) == whole


def test_a_part_that_is_gone_is_not_taken_for_nothing(staged: tuple[Sync, PlanSummary]) -> None:
    sync, _ = staged
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "ROWS", 7)
        divided = parts.parts_of(sync, "Opportunity")
    sync.files.remove("part.")
    with pytest.raises(ConfigurationError, match=r"A part of Opportunity is missing\. .* Clear the task plan"):
        divided[0].lines()


@pytest.mark.parametrize("rows", [2, 50_000])
def test_a_purge_of_all_that_was_read_plans_nothing(drive: Rounds, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        add_deal(drive.sandbox, add_account(drive.sandbox), Name=f"Deal {number}")
    drive.sandbox.clock.advance(600)
    sync = drive.sync()
    steps.preflight(sync)
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)
    for name in sync.files.names("records.Opportunity.Opportunity."):
        table = sync.files.read_table(name)
        assert table is not None
        kept = table.drop_columns([each for each in table.column_names if each == "IsDeleted"])
        sync.files.write_table(name, kept.append_column("IsDeleted", pa.array([True] * table.num_rows)))
    monkeypatch.setattr(parts, "ROWS", rows)
    assert steps.plan(sync).actions.get("invoice", {}) == {}
