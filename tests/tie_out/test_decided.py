"""What a person decided, or has to decide, is called so: plans that wait or were rejected, and settled questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from records import edit, invoice_of
from rounds import Rounds, Start, moved_on, open_items, price, remap, win
from tied import found, tied

from airflow_provider_kashoo.core.rules.approval import Above, Decision, Policy
from airflow_provider_kashoo.core.rules.settled import Side
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.by_hand.settle import settle
from airflow_provider_kashoo.sync.by_hand.undo import undo
from airflow_provider_kashoo.sync.run.approval import decide
from airflow_provider_kashoo.sync.run.sync import Sync

FEE = """\
rules:
  - {when: Amount > 0, add_line: {description: Fee, amount: 5, account: "type:INCOME", taxCode: none}}
single_line:"""


@pytest.fixture
def drive(fixed_weeks: Start, tmp_path: Path) -> Iterator[Rounds]:
    drive = fixed_weeks.again(tmp_path)
    yield drive
    drive.end()


def planned(drive: Rounds) -> Sync:
    drive.sandbox.clock.advance(60)
    sync = drive.sync()
    steps.preflight(sync)
    for source in ("Account", "Product2", "Opportunity", "Order"):
        steps.extract(sync, source)
    steps.plan(sync)
    return sync


def asks(drive: Rounds, **policy: Above) -> None:
    drive.settings = replace(drive.settings, approval=Policy(**policy))


def reject(sync: Sync) -> None:
    decide(sync, steps._summary(sync), Decision.REJECT, by="ann", reason="wait")


def settled(drive: Rounds) -> str:
    """Bill a deal, let both sides change, and settle it for the books: the deal says 300.00, and the books 200.00."""
    deal = win(drive)
    drive.run()
    price(drive, deal, "300.00")
    invoice = invoice_of(drive.sandbox, deal)
    edit(drive.sandbox, "invoices", invoice, lineItems=[{**invoice["lineItems"][0], "rate": 20_000}])
    drive.run()
    settle(drive.database, deal, Side.BOOKS, by="ann", reason="agreed by phone")
    drive.run()
    drive.run_back()
    moved_on(drive)
    assert open_items(drive) == []
    return deal


def test_an_undo_that_waits_hides_no_plan_that_waits(drive: Rounds) -> None:
    win(drive)
    run_id = drive.run().sync.run.run_id
    asks(drive, invoice_above=Above(Decimal(50_000)))
    deal = win(drive, "900.00")
    planned(drive)
    assert found(drive, deal) == [("waiting for approval", 1, 90_000, 0)]
    drive.sandbox.clock.advance(60)
    undo(drive.sync(), run_id)
    assert found(drive, deal) == [("waiting for approval", 1, 90_000, 0)]


def test_only_what_asks_waits_or_is_rejected(drive: Rounds) -> None:
    """The rest of the plan is written, whatever a person decides; what was rejected stays so while it is parked."""
    asks(drive, invoice_above=Above(Decimal(50_000)))
    big, small = win(drive, "900.00"), win(drive)
    sync = planned(drive)
    assert found(drive, small) == [("not synced yet", 1, 25_000, 0)]
    assert found(drive, big) == [("waiting for approval", 1, 90_000, 0)]
    reject(sync)
    assert found(drive, small) == [("not synced yet", 1, 25_000, 0)]
    assert found(drive, big) == [("rejected", 1, 90_000, 0)]
    steps.approve(sync)
    drive.apply(sync)
    steps.commit(sync)
    assert found(drive, small) == []
    assert found(drive, big) == [("rejected", 1, 90_000, 0)]


def test_a_plan_that_asks_as_a_whole_waits_and_is_rejected_as_a_whole(drive: Rounds) -> None:
    asks(drive, total_above=Above(Decimal(50_000)))
    deals = [win(drive, "300.00"), win(drive, "300.00")]
    sync = planned(drive)
    for name in ("waiting for approval", "rejected"):
        assert [found(drive, deal) for deal in deals] == [[(name, 1, 30_000, 0)]] * 2
        reject(sync)


def test_the_newest_plan_of_an_invoice_counts(drive: Rounds) -> None:
    """The older one asked for it; the newer one asks for something else."""
    asks(drive, invoice_above=Above(Decimal(50_000)))
    deal = win(drive, "900.00")
    planned(drive)
    price(drive, deal, "400.00")
    win(drive, "901.00")
    planned(drive)
    assert found(drive, deal) == [("not synced yet", 1, 40_000, 0)]


def test_what_was_settled_for_the_books_keeps_no_month_open(drive: Rounds) -> None:
    """A person decided about just these amounts, with a reason: the report gives it. It can still be looked into."""
    deal = settled(drive)
    assert found(drive, deal) == [("settled for the books", 1, 30_000, 20_000)]
    (difference,) = (each for each in tied(drive).differences if each.source_id == deal)
    assert (difference.state, difference.why, difference.is_open) == ("settled", "agreed by phone", False)
    assert not any("differences are open" in why for cell in tied(drive).cells for why in cell.why_open)


def test_what_was_settled_before_the_mapping_changed_is_the_work_of_the_mapping(drive: Rounds) -> None:
    """Nobody was asked about 305.00."""
    deal = settled(drive)
    remap(drive, "invoice_from_opportunity", "single_line:", FEE)
    assert found(drive, deal) == [("billed by an earlier mapping", 1, 30_500, 20_000)]
