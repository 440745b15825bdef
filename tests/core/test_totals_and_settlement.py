from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.kinds import SETTLEMENT_SOURCE
from airflow_provider_kashoo.core.rules.settlement import (
    Allocation,
    Invoice,
    Payment,
    allocations,
    is_complete,
    settlement_of,
)
from airflow_provider_kashoo.core.rules.totals import Counting, expected_total, mixes, net_total, tax_codes
from airflow_provider_kashoo.core.values.money import Rounding

TODAY = date(2026, 3, 1)

RATES = {"GST": Decimal(5), "PST": Decimal(7), "QST": Decimal("9.975")}


def document(*lines: tuple[str, int, str | None]) -> dict:
    return {"lines": [{"quantity": quantity, "rate": rate, "taxCode": code} for quantity, rate, code in lines]}


@pytest.mark.parametrize(
    ("lines", "net", "total"),
    [
        ([], 0, 0),
        ([("3", 3333, "none")], 9999, 9999),
        ([("0.5", 33, None)], 17, 17),
        ([("1", 10000, "GST")], 10000, 10500),
        ([("1", 10000, "GST,PST")], 10000, 11200),
        ([("1", 10000, "GST, PST")], 10000, 11200),
        ([("1", 10000, "GST"), ("2", 5000, "none")], 20000, 20500),
        ([("1", 9, "GST")] * 3, 27, 28),  # taxed on the sum: 1.35, not three times 0.45
        ([("1", 1005, "GST"), ("1", 1005, "PST,GST")], 2010, 2010 + 101 + 70),
        ([("1", 10000, "GST"), ("1", -10000, "GST")], 0, 0),
        ([("2.5", 4001, "QST")], 10003, 10003 + 998),
    ],
)
def test_the_total_is_the_lines_plus_each_tax_on_its_own_sum(lines, net, total):
    assert net_total(document(*lines)) == net
    assert expected_total(document(*lines), RATES) == total


@pytest.mark.parametrize(
    ("lines", "counting", "total"),
    [
        ([("1", 9, "GST")] * 3, Counting(), 28),  # 1.35 once
        ([("1", 9, "GST")] * 3, Counting(by_line=True), 27),  # 0.45 three times
        ([("1", 10, "GST")] * 3, Counting(by_line=True), 33),  # 0.5 three times
        ([("1", 10, "GST")] * 3, Counting(Rounding.HALF_EVEN, by_line=True), 30),
        ([("1", 10, "GST"), ("1", 30, "GST,PST")], Counting(Rounding.HALF_EVEN), 44),  # 2.0 and 2.1
        ([("1", 50, "GST")], Counting(Rounding.HALF_EVEN), 52),
        ([("0.5", 5, None)], Counting(Rounding.HALF_EVEN), 2),
    ],
)
def test_the_total_is_counted_as_the_books_count(lines, counting, total):
    assert expected_total(document(*lines), RATES, counting) == total


@pytest.mark.parametrize("counting", [Counting(), Counting(by_line=True), Counting(Rounding.HALF_EVEN)])
def test_a_tax_that_the_amount_includes_changes_no_total(counting):
    assert expected_total(document(("1", 999, "-GST"), ("3", 3333, "-GST,-PST")), RATES, counting) == 999 + 9999
    assert expected_total(document(("1", 1000, "-GST"), ("1", 1000, "GST")), RATES, counting) == 2050
    with pytest.raises(KeyError, match="HST"):
        expected_total(document(("1", 100, "-HST")), RATES, counting)


@pytest.mark.parametrize(
    ("written", "mixed"), [("-GST,-PST", False), ("GST,PST", False), (None, False), ("-GST,PST", True)]
)
def test_a_line_that_includes_some_of_its_taxes_only_is_told_apart(written, mixed):
    assert mixes(written) is mixed


def test_a_tax_the_books_do_not_have_is_never_taken_for_zero():
    with pytest.raises(KeyError, match="HST"):
        expected_total(document(("1", 100, "HST")), RATES)


@pytest.mark.parametrize(
    ("written", "codes"), [(None, []), ("", []), ("none", []), ("GST", ["GST"]), ("GST, PST", ["GST", "PST"])]
)
def test_tax_codes_stand_with_commas_and_none_is_written_out(written, codes):
    assert tax_codes(written) == codes


@given(st.lists(st.tuples(st.integers(1, 9).map(str), st.integers(-9999, 9999), st.sampled_from([None, *RATES]))))
def test_the_order_of_lines_changes_no_total(lines):
    assert expected_total(document(*lines), RATES) == expected_total(document(*reversed(lines)), RATES)


TOTAL = 10000


def invoice(balance: int, total: int = TOTAL, *, removed: bool = False) -> Invoice:
    return Invoice(7, total, balance, "CAD", number="41", due_date="2026-04-01", removed=removed)


def part(amount: int, date: str = "2026-03-01", payment: int = 1, credit: int = 0) -> Allocation:
    return Allocation(payment, 7, date, amount, credit)


@pytest.mark.parametrize(
    ("state", "parts", "status"),
    [
        (invoice(10000), [], "Open"),
        (invoice(6000), [part(4000)], "Partly Paid"),
        (invoice(0), [part(10000)], "Paid"),
        (invoice(0), [part(10000, credit=50)], "Overpaid"),
        (invoice(-50), [part(10050)], "Overpaid"),
        (invoice(6000), [part(4000, credit=50)], "Partly Paid"),
        (invoice(10000), [part(10000), part(-10000, payment=2)], "Refunded"),
        (invoice(7000), [part(10000), part(-7000, payment=2)], "Partly Paid"),
        (invoice(0), [part(10000), part(-10000, payment=2), part(10000, payment=3)], "Paid"),
        (invoice(0, total=0), [], "Paid"),
        (invoice(0, removed=True), [part(10000)], "Void"),
        (invoice(10000, removed=True), [], "Void"),
    ],
)
def test_the_status_says_what_the_books_hold_now(state, parts, status):
    assert settlement_of(state, parts, TODAY)["status"] == status


def test_a_settlement_is_told_in_the_words_a_mapping_may_read():
    parts = [part(3000, "2026-03-05", 2), part(2000, "2026-03-09", 3), part(-1000, "2026-03-12", 4)]
    told = settlement_of(invoice(6000), parts, TODAY)
    assert told == {
        "invoice_id": "7",
        "number": "41",
        "status": "Partly Paid",
        "currency": "CAD",
        "date": None,
        "due_date": "2026-04-01",
        "days_overdue": None,
        "total": 10000,
        "paid": 4000,
        "balance": 6000,
        "last_payment_date": "2026-03-09",  # a refund is no payment
    }
    assert told.keys() == SETTLEMENT_SOURCE.keys()


def test_payments_that_do_not_explain_the_balance_to_the_cent_are_incomplete():
    assert is_complete(invoice(6000), [part(5000), part(-1000)])
    assert not is_complete(invoice(6000), [part(3999)])
    assert not is_complete(invoice(6000), [])
    assert is_complete(invoice(10000), [])


def test_payments_are_split_by_invoice_and_removed_ones_count_for_nothing():
    listed = [
        Payment(1, "2026-03-01", ((7, 100), (8, 200)), unallocated=50),
        Payment(2, "2026-03-01", ((7, 999),), unallocated=50, removed=True),
        Payment(3, "2026-03-02"),
        Payment(4, "2026-03-03", ((7, -100),)),
    ]
    assert list(allocations(listed)) == [
        Allocation(1, 7, "2026-03-01", 100, 50),
        Allocation(1, 8, "2026-03-01", 200, 50),
        Allocation(4, 7, "2026-03-03", -100, 0),
    ]


class Ledger:
    """Books with one invoice: each event changes them; what they list afterwards is the state now."""

    def __init__(self) -> None:
        self.payments: dict[int, Payment] = {}

    def take(self, event: tuple) -> None:
        kind, number, *rest = event
        if kind == "reverse":
            self.payments[number] = replace(self.payments[number], removed=True)
            return
        day, amount = rest
        self.payments[number] = Payment(number, f"2026-03-{day:02d}", ((7, amount), (8, 1)))

    def settlement(self) -> dict:
        own = [each for each in allocations(self.payments.values()) if each.invoice_id == 7]
        state = invoice(TOTAL - sum(each.amount for each in own))
        assert is_complete(state, own)
        return settlement_of(state, own, TODAY)


AMOUNTS = st.sampled_from([TOTAL, -TOTAL, 1]) | st.integers(-TOTAL, TOTAL).filter(bool)
HISTORIES = st.lists(st.tuples(st.integers(1, 28), AMOUNTS, st.booleans()), max_size=6)


@given(HISTORIES, st.randoms())
def test_any_order_of_payments_refunds_and_reversals_ends_in_the_same_settlement(history, random):
    ledgers = []
    for shuffle in (False, True):
        events = [("pay", number, day, amount) for number, (day, amount, _) in enumerate(history)]
        events = random.sample(events, len(events)) if shuffle else events
        for number, (_, _, reversed_later) in enumerate(history):
            if reversed_later:  # anywhere after the payment itself
                paid = next(place for place, event in enumerate(events) if event[:2] == ("pay", number))
                events.insert(random.randint(paid + 1, len(events)), ("reverse", number))
        ledger = Ledger()
        for event in events:
            ledger.take(event)
        ledgers.append(ledger.settlement())
    assert ledgers[0] == ledgers[1]
    standing = [(day, amount) for day, amount, reversed_later in history if not reversed_later]
    assert ledgers[0]["paid"] == sum(amount for _, amount in standing)
    received = [f"2026-03-{day:02d}" for day, amount in standing if amount > 0]
    assert ledgers[0]["last_payment_date"] == max(received, default=None)


@given(HISTORIES)
def test_a_history_that_was_wholly_reversed_is_as_if_it_had_never_been(history):
    ledger = Ledger()
    for number, (day, amount, _) in enumerate(history):
        ledger.take(("pay", number, day, amount))
        ledger.take(("reverse", number))
    assert ledger.settlement() == Ledger().settlement()
