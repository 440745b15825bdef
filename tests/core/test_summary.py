from __future__ import annotations

from dataclasses import fields, replace

import pytest
from intents import like

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import (
    INTENTS,
    Action,
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
from airflow_provider_kashoo.core.rules.summary import Counts, PlanSummary, as_text, digest_of, summarise
from airflow_provider_kashoo.core.values.record import Record

DEAL = "006000000000001AAA"
ANY = Intent(record=Record("invoice", "Opportunity", DEAL), mapping="invoices", reason="won")
ONE = like(ANY, Create)
CLASSES = list(INTENTS.values())


def summary_of(*intents: Intent, counts: Counts | None = None, **more: object) -> PlanSummary:
    given = {"seconds_for": lambda requests: requests / 5, "notes": ["first run"], **more}
    return summarise(list(intents), counts or Counts(), **given)


def digest_with(*intents: Intent) -> str:
    """Give the digest of a plan whose intents alone differ, whatever is shown of them."""
    return digest_of(intents, PlanSummary())


def counted(*records: tuple[str, Action, str]) -> Counts:
    counts = Counts()
    for kind, action, reason in records:
        counts.note(kind, action, reason)
    return counts


# -- the digest

CHANGED = {
    "record": replace(ANY.record, kind="customer"),
    "generation": 2,
    "kashoo_id": 5,
    "link_version": 1,
    "document": {"memo": "x"},
    "changes": {"memo": "x"},
    "held": {"memo": "x"},
    "total": 1,
    "ends_waiting": False,
}


@pytest.mark.parametrize(("of", "name"), [(of, field.name) for of in CLASSES for field in fields(of)])
def test_the_digest_covers_every_field_of_every_intent(of, name):
    intent = like(ANY, of)
    assert digest_with(
        replace(intent, **{name: CHANGED.get(name, "other") if name != "ends_waiting" else not intent.ends_waiting})
    ) != digest_with(intent)


@pytest.mark.parametrize("of", CLASSES)
def test_the_digest_covers_which_record_an_intent_is_about(of):
    parts = {"kind": "customer", "object": "Order", "id": "other", "part": 2}
    assert parts.keys() == {field.name for field in fields(Record)}
    digests = {digest_with(like(ANY, of)), *(digest_with(like(ANY, of, **{name: parts[name]})) for name in parts)}
    assert len(digests) == 1 + len(parts)


def test_the_digest_covers_what_is_to_be_done():
    assert len({digest_with(like(ANY, of)) for of in CLASSES}) == len(CLASSES)


SHOWN = {
    "actions": {"invoice": {"create": 1}},
    "totals": {"CAD": 1},
    "reasons": {"skip: not IsWon": 1},
    "requests": 1,
    "seconds": 0.5,
    "notes": ["first run"],
    "org_id": "00D000000000001EAA",
    "business_id": "9990000001",
    "searched_books": True,
}


@pytest.mark.parametrize("name", [field.name for field in fields(PlanSummary) if field.name != "digest"])
def test_the_digest_covers_all_that_a_person_is_shown(name):
    shown = replace(PlanSummary(), **{name: SHOWN[name]})
    assert digest_of([ONE], shown) != digest_of([ONE], PlanSummary())


def test_the_digest_does_not_cover_itself():
    summary = summary_of(ONE)
    assert digest_of([ONE], summary) == digest_of([ONE], replace(summary, digest="")) == summary.digest


@pytest.mark.parametrize("action", [Action.SKIP, Action.UNCHANGED])
def test_the_digest_covers_what_is_only_counted(action):
    once, twice = [("invoice", action, "today's reason")], [("invoice", action, "today's reason")] * 2
    digests = {summary_of(ONE, counts=counted(*records)).digest for records in ([], once, twice)}
    assert len(digests) == 3


def test_the_digest_depends_on_order_and_number_of_intents():
    one, two = like(ONE, total=1), like(ONE, total=2)
    plans = [(), (one,), (one, one), (one, two), (two, one)]
    assert len({digest_with(*each) for each in plans}) == len({summary_of(*each).digest for each in plans}) == 5


def test_the_order_in_which_a_document_was_built_leaves_the_digest_alone():
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert summary_of(like(ONE, document=one)).digest == summary_of(like(ONE, document=other)).digest


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
    summary = summary_of(*MIXED, counts=counted(*COUNTED))
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
    counts = counted(("item", Action.UNCHANGED, ""), ("customer", Action.UNCHANGED, ""))
    told = like(ANY, Tell, kind="Opportunity")
    assert list(summary_of(told, ONE, counts=counts).actions) == ["customer", "item", "invoice", "Opportunity"]


def test_a_summary_says_for_whom_and_from_what_the_plan_was_made():
    summary = summary_of(ONE, org_id="o", business_id="b", searched_books=True)
    assert (summary.org_id, summary.business_id, summary.searched_books) == ("o", "b", True)


def test_the_plan_is_told_to_people_with_money_in_major_units():
    text = as_text(summary_of(*MIXED, counts=counted(*COUNTED)))
    for told in ("3 create", "101.00 CAD", "1.00 USD", "2 x skip: not IsWon", "6 requests", "first run"):
        assert told in text
    assert summary_of().digest[:12] in as_text(summary_of())
