from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from intents import like

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    INTENTS,
    Ask,
    Create,
    Intent,
    Keep,
    Park,
    Release,
    Tell,
    Update,
    Void,
    Wait,
)
from airflow_provider_kashoo.core.rules.summary import PlanSummary, as_text, summarise
from airflow_provider_kashoo.core.values.record import Record

DEAL = "006000000000001AAA"
ANY = Intent(record=Record("invoice", "Opportunity", DEAL), mapping="invoices", reason="won")
ONE = like(ANY, Create)
CLASSES = list(INTENTS.values())


def summary_of(*intents: Intent, counted: Sequence[tuple[str, Action, str]] = (), **more: object) -> PlanSummary:
    given = {"seconds_for": lambda requests: requests / 5, "notes": ["first run"], **more}
    return summarise(intents, Counter(counted), **given)


# -- what a person reads

MIXED = [
    like(ANY, Create, kind="customer", total=777, currency="CAD"),
    like(ANY, Create, currency="CAD", total=10050),
    like(ANY, Create, currency="CAD", total=50),
    like(ANY, Create, currency="USD", total=100),
    like(ANY, Update, currency="CAD", total=99999),
    like(ANY, Release, currency="CAD", total=99999, reason="not IsWon"),
    like(ANY, Park, reason="no lines"),
    like(ANY, Ask, reason="no lines"),
]
COUNTED = [
    ("invoice", Action.SKIP, "not IsWon"),
    ("invoice", Action.UNCHANGED, "nothing that is mapped changed"),
]


def test_a_summary_counts_actions_money_to_be_invoiced_reasons_and_requests():
    summary = summary_of(*MIXED, counted=COUNTED)
    assert summary.actions == {
        "customer": {"create": 1},
        "invoice": {"create": 3, "update": 1, "skip": 2, "park": 1, "review": 1, "unchanged": 1},
    }
    assert summary.totals == {"CAD": 10100, "USD": 100}
    assert summary.reasons == {"skip: not IsWon": 2, "park: no lines": 1, "review: no lines": 1}
    assert (summary.requests, summary.seconds, summary.notes) == (6, 1.2, ["first run"])


def test_a_reason_to_wait_is_counted_and_one_to_write_or_to_keep_is_not():
    summary = summary_of(*(like(ANY, of) for of in (Create, Update, Void, Tell, Keep, Wait)))
    assert summary.reasons == {"wait: won": 1}
    assert (summary.requests, summary.totals) == (6, {})


@pytest.mark.parametrize("settle", [Intent.parked, Intent.asked])
def test_names_that_a_cause_quotes_stay_out_and_one_cause_is_counted_once(settle):
    problem = Problem("ambiguous", "several customers are like it", "Choose one.")
    quoting = [settle(ANY, problem.quoting(name)) for name in ("Acme Ltd", "Zenith Inc")]
    summary = summary_of(*quoting)
    assert summary.reasons == {f"{quoting[0].action.value}: several customers are like it": 2}
    assert not any(name in as_text(summary) for name in ("Acme", "Zenith"))
    assert [each.problem.cause for each in quoting] == [problem.cause + f": {n}" for n in ("Acme Ltd", "Zenith Inc")]


def test_parents_are_told_first_also_where_they_are_only_counted():
    counted = [("item", Action.UNCHANGED, ""), ("customer", Action.UNCHANGED, "")]
    told = like(ANY, Tell, kind="Opportunity")
    assert list(summary_of(told, ONE, counted=counted).actions) == ["customer", "item", "invoice", "Opportunity"]


def test_a_summary_says_for_whom_and_from_what_the_plan_was_made():
    summary = summary_of(ONE, org_id="o", business_id="b", searched_books=True)
    assert (summary.org_id, summary.business_id, summary.searched_books) == ("o", "b", True)


def test_the_plan_is_told_to_people_with_money_in_major_units():
    text = as_text(summary_of(*MIXED, counted=COUNTED))
    for told in ("3 create", "101.00 CAD", "1.00 USD", "2 x skip: not IsWon", "6 requests", "first run"):
        assert told in text
    assert "0123456789ab\n" in as_text(replace(summary_of(), digest="0123456789abcdef"))
