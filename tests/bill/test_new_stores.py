"""A store that does not know the books yet: what its first plan leaves out is adopted all the same."""

from __future__ import annotations

import pytest
from driver import SOURCES
from records import add_account, add_deal, add_line, edit, invoice_of
from rounds import Rounds, bearing, billed_once, change, links, moved_by, moved_on, open_items, win

from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

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


LINE_BY_LINE = """
version: 1
name: invoice_from_line
from: {object: OpportunityLineItem}
to: invoice
when:
  - Opportunity.IsWon
  - Opportunity.Amount < 100     # others are billed as deals
fields:
  contact: {link: Opportunity.AccountId, mapping: customer_from_account}
  date: {from: Opportunity.CloseDate}
  currency: {from: CurrencyIsoCode}
single_line:
  description: {from: Name}
  amount: {from: TotalPrice}
  account: "type:INCOME"
  taxCode: none
"""


def test_an_invoice_of_an_object_of_ones_own_choice_is_found_by_its_mark(
    drive: Rounds, second: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SOURCES, TO_KASHOO, (*SOURCES[TO_KASHOO], "OpportunityLineItem"))
    for each in (drive, second):
        (each.mappings / "invoice_from_line.yaml").write_text(LINE_BY_LINE)
    deal = add_deal(drive.sandbox, add_account(drive.sandbox), None)
    line = add_line(drive.sandbox, deal, "50.00")
    drive.run()
    (invoice,) = bearing(drive, line)
    edit(drive.sandbox, "invoices", invoice, date=moved_by(drive, -60))
    change(drive, deal, StageName="Closed Lost")
    drive.sandbox.clock.advance(3600)
    second.run()
    assert links(second)[line] == invoice["id"]
    moved_on(second)
    change(drive, deal, StageName="Closed Won")
    second.run()
    second.look_up()
    assert len(bearing(second, line)) == 1
