"""A store that does not know the books yet: what its first plan leaves out is adopted all the same."""

from __future__ import annotations

import pytest
from records import edit, invoice_of
from rounds import Rounds, bearing, billed_once, change, moved_by, moved_on, open_items, win

MOVED = "changed_on_both_sides"
"""A store that did not write the invoice cannot tell who moved its date: it asks, and leaves it where it is."""


@pytest.fixture
def deal(drive: Rounds) -> str:
    """A deal that was billed through another store, and whose invoice the accountant moved out of reach."""
    deal = win(drive)
    drive.run()
    edit(drive.sandbox, "invoices", invoice_of(drive.sandbox, deal), date=moved_by(drive, -60))
    return deal


@pytest.fixture
def second(drive: Rounds, tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    """A new store for the same org and books."""
    return Rounds(drive.sandbox, tmp_path_factory.mktemp("second"))


def test_a_deal_outside_of_its_first_test_batch_is_not_billed_again(drive: Rounds, deal: str, second: Rounds) -> None:
    drive.sandbox.clock.advance(3600)
    second.run(limit=1)
    second.run()
    billed_once(second, deal, asked=MOVED)


def test_a_deal_that_is_unfit_at_first_is_not_billed_again(drive: Rounds, deal: str, second: Rounds) -> None:
    account = drive.sandbox.org.get("Opportunity", deal)["AccountId"]
    change(drive, deal, AccountId=None)
    drive.sandbox.clock.advance(3600)
    second.run()
    assert deal in [ident for ident, _ in open_items(second)]
    change(drive, deal, AccountId=account)
    second.run()
    billed_once(second, deal, asked=MOVED)


@pytest.mark.parametrize("close_date", [None, 60])
def test_a_deal_that_is_lost_at_first_is_named_and_not_billed_again(
    drive: Rounds, deal: str, second: Rounds, close_date: int | None
) -> None:
    change(drive, deal, StageName="Closed Lost")
    drive.sandbox.clock.advance(3600)
    second.run()
    moved_on(second)
    assert open_items(second) == [(deal, "no_longer_billable")]
    change(drive, deal, StageName="Closed Won", **({"CloseDate": moved_by(drive, close_date)} if close_date else {}))
    second.run()
    second.look_up()
    assert len(bearing(second, deal)) == 1
