"""What of a plan asks for a person's approval, and why."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intents import like

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.rules.approval import FIRST_RUN, VOIDED, Above, Policy
from airflow_provider_kashoo.core.rules.intents import INTENTS, WRITES, Create, Intent, Park, Update, Void
from airflow_provider_kashoo.core.values.money import to_minor
from airflow_provider_kashoo.core.values.record import Record

ANY = Intent(record=Record("invoice", "Opportunity", "006000000000001AAA"), currency="USD", total=10_001)
LINES = {"lines": [], "memo": "x"}
RULES = ("set memo", "require approval: Amount >= 50000")
MAPPING = """\
version: 1
name: m
from: {object: Opportunity}
to: invoice
fields: {contact: {link: AccountId, mapping: c}, date: {from: CloseDate}, currency: org}
single_line: {description: {from: Name}, amount: {from: Amount}, account: "4000", taxCode: none}
rules: [%s]
"""


def asks(policy: Policy, *intents: Intent, first_run: bool = False) -> dict[str, int]:
    return policy.asks(intents, first_run=first_run)


def dollars(amount: int) -> Above:
    return Above(each=to_minor(amount))


def test_by_itself_a_plan_asks_for_nothing() -> None:
    assert asks(Policy(), *(like(ANY, each) for each in INTENTS.values()), first_run=True) == {}


@pytest.mark.parametrize("of", [Create, Update, Void])
def test_a_rule_asks_for_each_invoice_that_is_created_changed_or_voided(of: type[Intent]) -> None:
    assert asks(Policy(), like(ANY, of, rules=RULES), like(ANY, of, rules=RULES[:1])) == {RULES[1]: 1}


def test_what_is_not_written_asks_for_nothing() -> None:
    assert asks(Policy(dollars(0), dollars(0), 0, True, True), like(ANY, Park, rules=RULES), first_run=True) == {}


@given(st.integers(0, 10**12), st.integers(-(10**12), 10**12), st.sampled_from([Create, Update]))
def test_an_invoice_asks_if_it_is_above_the_amount_and_not_if_it_is_equal(
    most: int, total: int, of: type[Intent]
) -> None:
    found = asks(Policy(invoice_above=Above(each=Decimal(most))), like(ANY, of, total=total))
    assert bool(found) == (total > most)


def test_a_currency_has_its_own_amount_and_one_that_is_not_named_has_none_to_spare() -> None:
    policy = Policy(invoice_above=Above(of={"USD": to_minor(100), "CAD": to_minor(200)}))
    plan = [like(ANY, Create, currency=currency, total=total) for currency, total in [("USD", 10_000), ("CAD", 20_001)]]
    assert asks(policy, *plan) == {"an invoice above 200.00 CAD": 1}
    assert asks(policy, like(ANY, Create, currency="EUR", total=1)) == {"an invoice above 0.00 EUR": 1}


def test_invoices_of_one_currency_are_added_up_and_only_those_whose_money_moves() -> None:
    policy = Policy(total_above=dollars(200))
    two = [like(ANY, Create, document=LINES), like(ANY, Update, changes=LINES)]
    assert asks(policy, *two) == {"invoices of more than 200.00 USD together": 2}
    assert asks(policy, two[0], like(ANY, Update, changes={"memo": "x"})) == {}
    assert asks(policy, two[0], like(ANY, Create, document=LINES, currency="CAD")) == {}
    assert asks(policy, two[0], like(ANY, Create, document=LINES, kind="customer")) == {}


def test_writes_are_counted_of_every_kind() -> None:
    plan = [like(ANY, of, kind="customer") for of in INTENTS.values()]
    assert asks(Policy(writes_above=len(WRITES)), *plan) == {}
    assert asks(Policy(writes_above=len(WRITES) - 1), *plan) == {"more than 4 writes": 5}


def test_a_void_asks_if_voids_do() -> None:
    assert asks(Policy(voids=True), like(ANY, Void), like(ANY, Create)) == {VOIDED: 1}


def test_a_first_run_asks_if_it_writes_anything() -> None:
    policy = Policy(first_run=True)
    assert asks(policy, like(ANY, Create), first_run=True) == {FIRST_RUN: 1}
    assert asks(policy, like(ANY, Create), first_run=False) == asks(policy, first_run=True) == {}


def test_a_rule_says_what_it_requires_and_may_catch_every_deal() -> None:
    mapping = load_mapping(MAPPING % "{when: Amount >= 50000, require: approval}, {require: approval}", "m.yaml")
    labels = [rule.label for rule in mapping.rules]
    assert labels == ["require approval: Amount >= 50000", "require approval of every deal"]
    assert [rule.changes() for rule in mapping.rules] == [[], []]


@pytest.mark.parametrize("wrong", ["{require: a look}", "{require: approval, skip: no}", "{require: true}"])
def test_nothing_else_can_be_required(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"m\.yaml:7.*(approval|exactly one)"):
        load_mapping(MAPPING % wrong, "m.yaml")
