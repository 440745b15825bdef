"""What the books show of a record is held against what was sent, field by field, and no text is said."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kashoo.core.rules.read_back import compared

LINE = {"account": 7, "item": 9, "description": "Widgets", "rate": 100, "quantity": "2", "taxCode": "HST"}
SENT = {"contact": 5, "date": "2026-01-31", "currency": "CAD", "memo": "For Ann", "poNumber": None, "lines": [LINE]}


@pytest.mark.parametrize(
    ("shown", "differs"),
    [
        ({}, {}),
        ({"poNumber": ""}, {}),
        ({"number": "INV-1"}, {}),
        ({"date": "2026-01-30"}, {"date": "sent 2026-01-31, shown 2026-01-30"}),
        ({"currency": "USD"}, {"currency": "sent CAD, shown USD"}),
        ({"memo": "For A"}, {"memo": "cut off after 5 of 7 characters"}),
        ({"memo": "For Ann "}, {"memo": "has other blanks at its ends"}),
        ({"memo": "For Bob"}, {"memo": "is another text"}),
        ({"memo": None}, {"memo": "is empty"}),
        ({"contact": None}, {"contact": "sent 5, shown nothing"}),
        ({"lines": []}, {"lines": "sent 1 lines, shown 0"}),
        ({"lines": [LINE | {"rate": 99}]}, {"lines.rate": "sent 100, shown 99"}),
        ({"lines": [LINE | {"description": "Wid"}]}, {"lines.description": "cut off after 3 of 7 characters"}),
    ],
)
def test_what_differs_is_said(shown: dict[str, Any], differs: dict[str, str]) -> None:
    found = list(compared("invoice", SENT, SENT | shown))
    assert {each.field: each.differs for each in found if each.differs} == differs
    assert {"contact", "date", "memo"} <= {each.field for each in found}


@pytest.mark.parametrize("shown", [{}, {"taxCode": ""}, {"taxCode": "none"}])
def test_no_tax_is_as_sent_however_the_books_show_it(shown: dict[str, str]) -> None:
    sent = {"name": "Widget", "taxCode": "none"}
    assert [each.differs for each in compared("item", sent, {"name": "Widget", **shown})] == ["", ""]
    (found,) = compared("item", {"taxCode": "none"}, {"taxCode": "HST"})
    assert found.differs == "sent none, shown HST"
