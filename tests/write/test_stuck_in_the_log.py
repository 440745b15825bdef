"""What a run leaves stuck is in the log of its task, by record, as a warning and without a name."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
from records import add_deal, invoice_of
from rounds import Rounds, change, win


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def test_a_parked_record_is_named_with_its_cause(drive: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    deal = add_deal(drive.sandbox, None, "250.00", Name="Secret project")
    drive.run()
    (said,) = [each for each in warnings(caplog) if deal in each]
    (parked,) = drive.store.journal.unsettled("parked")  # type: ignore[arg-type]
    assert said == f"Opportunity {deal}: invoice parked: {parked['cause']}"
    assert "Secret" not in caplog.text


def test_a_question_is_named(drive: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    deal = win(drive)
    drive.run()
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 25000)
    change(drive, deal, Amount=Decimal(300))
    caplog.clear()
    drive.run()
    (said,) = [each for each in warnings(caplog) if deal in each]
    assert said.startswith(f"Opportunity {deal}: a person is asked about the invoice: the deal changed after a payment")
