from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.rules.pairing import NEAR, Deal, FreeInvoice, Verdict, pair

DAY = date(2026, 3, 1)
DEAL = Deal("a", 1, "CAD", 25000, DAY, "PO 7")
INVOICE = FreeInvoice(10, 1, "CAD", 25000, DAY)
NUMBERED = replace(INVOICE, ident=11, total=1, date=DAY - timedelta(days=300), numbers=("1001", " po  7"))
EXACT = "customer, currency, total and date"
ABOUT = "customer, currency and total, within 31 days"
NUMBER = "number or PO number"


def test_the_strongest_rung_speaks_and_takes_its_invoice_from_the_weaker_ones():
    twin = replace(DEAL, ident="b", po_number=None)
    assert pair([DEAL, twin], [INVOICE, NUMBERED]) == {
        "a": Verdict(11, NUMBER, (11,)),
        "b": Verdict(10, EXACT, (10,)),
    }


def test_dates_may_lie_a_month_apart_and_no_day_more():
    for days, met in ((31, True), (-31, True), (32, False), (-32, False)):
        verdicts = pair([DEAL], [replace(INVOICE, date=DAY + timedelta(days=days))])
        assert verdicts == ({"a": Verdict(10, ABOUT, (10,))} if met else {})


def test_customer_and_currency_are_part_of_every_rung():
    for invoice in (INVOICE, NUMBERED):
        assert pair([DEAL], [replace(invoice, customer=2)]) == {}
        assert pair([DEAL], [replace(invoice, currency="USD")]) == {}


def test_an_empty_number_is_no_evidence():
    assert pair([replace(DEAL, po_number=" ")], [replace(NUMBERED, numbers=("", " "))]) == {}


def test_what_a_rung_left_in_question_no_weaker_rung_decides():
    # Two invoices bear the number: neither may go to the deal whose total one of them happens to have.
    copies = [NUMBERED, replace(INVOICE, ident=12, total=300, numbers=("PO 7",))]
    other = replace(DEAL, ident="b", total=300, po_number=None)
    assert pair([DEAL, other], copies) == {
        "a": Verdict(None, NUMBER, (11, 12)),
        "b": Verdict(None, EXACT, (12,), ("a",)),
    }


def test_a_deal_that_may_be_billed_already_gets_nothing_and_leaves_its_rival_in_question():
    blocked = replace(DEAL, blocked=True)
    assert pair([blocked], [INVOICE]) == {"a": Verdict(None, EXACT, (10,))}
    assert pair([blocked, replace(DEAL, ident="b")], [INVOICE])["b"] == Verdict(None, EXACT, (10,), ("a",))


def test_a_year_of_equal_months_is_told_apart_by_its_days_alone():
    months = [DAY + timedelta(days=30 * month) for month in range(12)]
    deals = [Deal(f"d{n}", 1, "CAD", 100, day) for n, day in enumerate(months)]
    exact = [FreeInvoice(n, 1, "CAD", 100, day) for n, day in enumerate(months, start=1)]
    late = [replace(invoice, date=invoice.date + timedelta(days=3)) for invoice in exact]
    assert [verdict.invoice for verdict in pair(deals, exact).values()] == list(range(1, 13))
    assert {verdict.invoice for verdict in pair(deals, late).values()} == {None}


NUMBERS = st.sampled_from([None, "7", "8"])
WHERE = {
    "customer": st.integers(1, 2),
    "currency": st.just("CAD"),
    "total": st.sampled_from([100, 200]),
    "date": st.integers(0, 60).map(lambda days: DAY + timedelta(days=days)) | st.just(DAY),
}
DEALS = st.lists(
    st.builds(
        Deal, st.sampled_from("abcdef"), po_number=NUMBERS, blocked=st.sampled_from([False] * 4 + [True]), **WHERE
    ),
    max_size=5,
    unique_by=lambda each: each.ident,
)
INVOICES = st.lists(
    st.builds(FreeInvoice, st.integers(1, 9), numbers=NUMBERS.map(lambda each: (each,) if each else ()), **WHERE),
    max_size=5,
    unique_by=lambda each: each.ident,
)


def evidence(deal: Deal, invoice: FreeInvoice) -> int:
    """The strongest rung on which a pair meets, told another way; 0 for none."""
    if (deal.customer, deal.currency) != (invoice.customer, invoice.currency):
        return 0
    if deal.po_number in invoice.numbers:
        return 3
    if deal.total != invoice.total:
        return 0
    return 2 if deal.date == invoice.date else int(abs(deal.date - invoice.date) <= NEAR)


@given(DEALS, INVOICES)
def test_what_is_linked_is_unique_on_both_sides(deals, invoices):
    verdicts = pair(deals, invoices)
    linked = {ident: verdict.invoice for ident, verdict in verdicts.items() if verdict.invoice is not None}
    assert len(set(linked.values())) == len(linked)
    by_ident, invoice_of = {deal.ident: deal for deal in deals}, {invoice.ident: invoice for invoice in invoices}
    strength = {ident: evidence(by_ident[ident], invoice_of[invoice]) for ident, invoice in linked.items()}
    for ident, invoice in linked.items():
        deal, own = by_ident[ident], strength[ident]
        assert own
        assert not deal.blocked
        for other in invoices:  # nothing else as good for this deal, but what better evidence gave to another
            holder = next((each for each, taken in linked.items() if taken == other.ident), None)
            if other.ident != invoice and evidence(deal, other) >= own:
                assert holder is not None
                assert strength[holder] > own
        for rival in deals:  # nor another deal as good for this invoice, but one that has a better one
            if rival.ident != ident and evidence(rival, invoice_of[invoice]) >= own:
                assert strength.get(rival.ident, 0) > own


@given(DEALS, INVOICES)
def test_nothing_that_is_certain_is_missed_and_nothing_met_is_unsaid(deals, invoices):
    verdicts = pair(deals, invoices)
    for deal in deals:
        met = [invoice for invoice in invoices if evidence(deal, invoice)]
        if not met:
            assert deal.ident not in verdicts
        rivals = [each for each in deals if any(evidence(each, invoice) for invoice in met) and each != deal]
        if len(met) == 1 and not rivals and not deal.blocked:
            assert verdicts[deal.ident].invoice == met[0].ident


@given(DEALS, INVOICES, st.randoms())
def test_the_order_of_both_lists_changes_nothing(deals, invoices, random):
    assert pair(random.sample(deals, len(deals)), random.sample(invoices, len(invoices))) == pair(deals, invoices)


@given(DEALS, INVOICES, st.randoms())
def test_what_was_linked_before_a_crash_changes_nothing_for_the_rest(deals, invoices, random):
    verdicts = pair(deals, invoices)
    linked = {ident: verdict.invoice for ident, verdict in verdicts.items() if verdict.invoice is not None}
    done = {ident: invoice for ident, invoice in linked.items() if random.random() < 0.5}
    left = pair(
        [deal for deal in deals if deal.ident not in done],
        [invoice for invoice in invoices if invoice.ident not in done.values()],
    )
    assert left == {ident: verdict for ident, verdict in verdicts.items() if ident not in done}
