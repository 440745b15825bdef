"""Differences add up, and each name has its reason: whatever three sides may say of an invoice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.rules.settled import Settled, Side
from airflow_provider_kashoo.core.rules.settlement import STATUSES
from airflow_provider_kashoo.core.rules.tie_out import (
    APART,
    NEXT_STEP,
    Billed,
    Leaves,
    Lines,
    Name,
    View,
    name_of,
)
from airflow_provider_kashoo.reports.tie_out import Tie, TieOut

JANUARY = View("USD", "2026-01-10", 11_300, 1_300)
DEAL_LINES = Lines(10_000, ("G",))
AGREES = Billed(
    source_id="006A", kashoo_id=1, deal=JANUARY, invoice=JANUARY, books=JANUARY,
    lines_of_deal=DEAL_LINES, lines_of_books=DEAL_LINES,
)  # fmt: skip
MORE = replace(JANUARY, minor=12_000)

views = st.builds(
    lambda currency, day, minor, tax: View(currency, day, minor, min(minor, tax)),
    st.sampled_from(["USD", "CAD"]),
    st.sampled_from(["2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01"]),
    st.sampled_from([0, 1, 100, 101, 5_000]),
    st.sampled_from([0, 13]),
)
lines = st.none() | st.builds(Lines, st.sampled_from([100, 5_000]), st.sampled_from([(), ("G",)]))
billed = st.builds(
    Billed,
    source_id=st.sampled_from(["", "006A", "006B"]),
    kashoo_id=st.sampled_from([None, 1, 2]),
    deal=st.none() | views,
    invoice=st.none() | views,
    books=st.none() | views,
    copy=st.booleans(),
    odd=st.booleans(),
    voided=st.booleans(),
    leaves=st.none() | st.sampled_from(Leaves),
    doubtful=st.booleans(),
    parked=st.sampled_from(["", "closed_period", "currency", "rejected", "account"]),
    asked=st.sampled_from([frozenset(), frozenset({"locked_invoice_changed"}), frozenset({"credit_due"})]),
    approval=st.sampled_from([None, Name.WAITING, Name.REJECTED]),
    due=st.booleans(),
    settled=st.none() | st.just(Settled(Side.BOOKS, "ann", "the deal says 2026-02-01, 50.00 USD")),
    before=st.booleans(),
    unchanged=st.booleans(),
    lines_of_deal=lines,
    lines_of_books=lines,
    settlement=st.none() | st.sampled_from(STATUSES),
    owed=st.none() | st.sampled_from([0, 50, 100, 5_000]),
)


def tied(*given_: Billed) -> Tie:
    tie = Tie("2026-01-01", "2026-02-28", lambda each: f"{each.source_id}{each.deal_minor}")
    tie.add_all(given_)
    return tie


@given(st.lists(billed, max_size=8))
def test_deals_less_books_are_the_sum_of_the_named_differences(given_: list[Billed]) -> None:
    ours = [each for each in given_ if each.source_id]
    for cell in tied(*given_).cells():
        moved = [each for each in cell.differences if each.name not in APART]
        assert cell.deals - cell.books == sum(each.deal_minor - each.books_minor for each in moved)
        here = [view for each in ours if (view := each.books) and view.cell == (cell.currency, cell.month)]
        assert cell.books == sum(view.minor for view in here)
        assert cell.difference == cell.deals + cell.taxes - cell.books


@given(billed)
def test_a_name_is_given_exactly_if_the_sides_differ(each: Billed) -> None:
    name = name_of(each)
    if each.source_id and not (each.copy or each.odd or (each.voided and each.deal is None and each.books is None)):
        sides = {view and view.compared for view in (each.deal, each.invoice, each.books)}
        assert (name is None) == (len(sides) == 1)


@given(billed)
def test_nothing_is_unexplained_that_the_sync_knows_of(each: Billed) -> None:
    """A name may be missed only where neither Salesforce, the journal, a plan nor a person says anything."""
    if name_of(each) is Name.UNEXPLAINED:
        assert {each.doubtful, each.copy, each.odd} == {False}
        assert each.deal or each.invoice is None or each.leaves is None
        assert each.deal is None or (each.due, each.approval, each.parked) == (False, None, "")


UNLINKED = replace(AGREES, invoice=None, books=None, kashoo_id=None)
IN_SALESFORCE = replace(AGREES, deal=MORE, lines_of_deal=Lines(10_700, ("G",)))
IN_BOOKS = replace(AGREES, books=MORE, lines_of_books=Lines(10_700, ("G",)))
LOST = replace(AGREES, deal=None)
SAID = Settled(Side.BOOKS, "ann", "lines changed: the deal says 2026-01-10, 120.00 USD", "agreed by phone")
LOCKED, ASKED = frozenset({"locked_invoice_changed"}), frozenset({"paid_invoice_changed"})


@pytest.mark.parametrize(
    ("each", "name"),
    [
        (AGREES, None),
        (replace(AGREES, books=replace(JANUARY, day="2026-01-31")), None),
        (Billed(kashoo_id=1, books=JANUARY), Name.NOT_OURS),
        (replace(UNLINKED, due=True), Name.NOT_SYNCED),
        (UNLINKED, Name.UNEXPLAINED),
        (replace(UNLINKED, before=True), Name.BEFORE_SYNC),
        (replace(UNLINKED, due=True, approval=Name.WAITING), Name.WAITING),
        (replace(UNLINKED, due=True, approval=Name.REJECTED), Name.REJECTED),
        (replace(UNLINKED, due=True, parked="account"), Name.PARKED),
        (replace(UNLINKED, parked="closed_period"), Name.PERIOD_LOCKED),
        (replace(UNLINKED, parked="currency"), Name.CURRENCY),
        (replace(UNLINKED, parked="rejected"), Name.REJECTED),
        (replace(UNLINKED, doubtful=True), Name.IN_DOUBT),
        (replace(UNLINKED, asked=frozenset({"second_of_sale"})), Name.ASKED),
        (replace(UNLINKED, books=JANUARY), Name.NOT_LINKED),
        (replace(AGREES, books=None), Name.REMOVED),
        (replace(LOST, books=None), Name.REMOVED),
        (replace(LOST, books=None, voided=True), None),
        (replace(AGREES, books=None, odd=True), Name.ODD),
        (Billed(source_id="006A", kashoo_id=2, books=JANUARY, copy=True), Name.TWICE),
        *((replace(LOST, leaves=leaves), Name(leaves.value)) for leaves in Leaves),
        (LOST, Name.UNEXPLAINED),
        (replace(LOST, parked="account"), Name.PARKED),
        (IN_BOOKS, Name.CHANGED_IN_BOOKS),
        (replace(IN_BOOKS, lines_of_books=None), Name.CHANGED_IN_BOOKS),
        (replace(AGREES, books=replace(JANUARY, day="2026-02-01")), Name.DATE),
        (replace(AGREES, books=replace(JANUARY, currency="CAD")), Name.CURRENCY),
        (replace(AGREES, books=replace(JANUARY, minor=10_000), lines_of_books=Lines(10_000)), Name.TAX),
        (replace(AGREES, books=replace(JANUARY, minor=11_301)), Name.ROUNDING),
        (replace(AGREES, books=replace(JANUARY, minor=11_302)), Name.TAX),
        (replace(IN_SALESFORCE, due=True), Name.NOT_SYNCED),
        (replace(IN_SALESFORCE, due=True, asked=LOCKED), Name.PERIOD_LOCKED),
        (replace(IN_SALESFORCE, due=True, asked=ASKED), Name.ASKED),
        (replace(IN_SALESFORCE, due=True, parked="account"), Name.PARKED),
        (replace(IN_SALESFORCE, unchanged=True), Name.OLDER_MAPPING),
        (replace(IN_SALESFORCE, unchanged=True, settled=SAID), Name.SETTLED),
        (replace(IN_SALESFORCE, settled=SAID, lines_of_deal=DEAL_LINES), Name.SETTLED),
        (replace(IN_SALESFORCE, settled=SAID, due=True), Name.SETTLED),
        (replace(IN_SALESFORCE, settled=SAID, due=True, deal=replace(MORE, minor=2_000)), Name.NOT_SYNCED),
        (replace(IN_SALESFORCE, settled=SAID, deal=replace(MORE, minor=2_000)), Name.UNEXPLAINED),
        (replace(IN_SALESFORCE, settled=SAID, deal=replace(MORE, day="2026-02-10")), Name.UNEXPLAINED),
        (replace(IN_BOOKS, settled=SAID), Name.CHANGED_IN_BOOKS),
        (replace(IN_SALESFORCE, parked="rejected"), Name.REJECTED),
        (replace(IN_SALESFORCE, parked="closed_period"), Name.PERIOD_LOCKED),
        (replace(IN_SALESFORCE, lines_of_deal=DEAL_LINES), Name.TAX),
        (IN_SALESFORCE, Name.UNEXPLAINED),
        (replace(IN_BOOKS, deal=MORE, due=True), Name.NOT_SYNCED),
        (replace(IN_BOOKS, deal=MORE), Name.CHANGED_ON_BOTH),
        (replace(IN_BOOKS, deal=replace(JANUARY, minor=1)), Name.CHANGED_ON_BOTH),
    ],
)
def test_what_a_difference_is_called(each: Billed, name: Name | None) -> None:
    assert name_of(each) == name


def test_every_name_says_what_to_do() -> None:
    assert {*NEXT_STEP} == {*Name}


@pytest.mark.parametrize(
    ("status", "owed", "differs"),
    [
        ("Open", 11_300, False), ("Open", 11_200, True), ("Paid", 0, False), ("Paid", 1, True),
        ("Partly Paid", 5_000, False), ("Partly Paid", 0, True), ("Partly Paid", 11_300, True),
        ("Overpaid", -5, False), ("Overpaid", 5, True), ("Refunded", 11_300, False), ("Refunded", 0, True),
        (None, 5_000, False),
    ],
)  # fmt: skip
def test_what_is_owed_is_held_against_what_was_written_back(status: str | None, owed: int, *, differs: bool) -> None:
    (cell,) = tied(replace(AGREES, settlement=status, owed=owed)).cells()
    names = Counter(each.name for each in cell.differences)
    assert names[Name.PAID_DIFFERENTLY] == differs
    assert cell.deals + cell.taxes == cell.books


def test_what_moves_no_total_is_counted_apart() -> None:
    (cell,) = tied(AGREES, Billed(kashoo_id=9, books=MORE)).cells()
    assert (cell.deals, cell.taxes, cell.invoices, cell.books, cell.not_ours) == (10_000, 1_300, 11_300, 11_300, 12_000)
    assert cell.counts == {"deals": 1, "invoices": 1, "books": 1, "not_ours": 1}
    taxes, other = cell.differences
    assert (taxes.name, taxes.source_id, taxes.deal_minor, taxes.books_minor, taxes.id) == ("tax", None, 0, 1_300, "")
    assert (other.name, other.kashoo_id, other.id) == ("not ours", 9, "")


def test_a_spreadsheet_runs_no_formula_of_a_reason() -> None:
    tie = tied(replace(UNLINKED, due=True))
    cells = tie.cells()
    cells[0].differences = [replace(each, why="=HYPERLINK(1)") for each in cells[0].differences]
    assert ",'=HYPERLINK(1)" in TieOut("b", "2026-01-01", "2026-01-31", 0.0, cells).as_csv()
