from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.rules.plan import (
    BOOKKEEPING,
    WRITES,
    Action,
    PlanRow,
    PlanSummary,
    as_text,
    in_order,
    summarise,
)
from airflow_provider_kashoo.core.values.ids import Reference

DEAL = "006000000000001AAA"


def row(action: Action = Action.CREATE, target: str = "invoice", **changes) -> PlanRow:
    return replace(PlanRow(action, "invoices", target, "Opportunity", DEAL, "won"), **changes)


def summary_of(*rows: PlanRow) -> PlanSummary:
    return summarise(list(rows), seconds_for=lambda requests: requests / 5, notes=["first run"])


def digest_of(*rows: PlanRow) -> str:
    return summary_of(*rows).digest


def test_parents_come_first_then_the_biggest_invoices_each_tie_by_id_and_part():
    wanted = [
        row(Action.LINK, "customer", source_id="009"),
        row(Action.CREATE, "customer", source_id="003"),
        row(Action.UPDATE, "customer", source_id="001"),
        row(Action.CREATE, "item", source_id="01t"),
        row(Action.LINK, total=1),
        row(Action.CREATE, total=90000, source_id="009"),
        row(Action.CREATE, total=500, source_id="001"),
        row(Action.CREATE, total=500, source_id="002", part=1),
        row(Action.CREATE, total=500, source_id="002", part=2),
        row(Action.CREATE, total=None, source_id="000"),
        row(Action.UPDATE, total=10**9),
        row(Action.SKIP),
        row(Action.WRITE_BACK, "Opportunity", source_id="006"),
    ]
    assert in_order(reversed(wanted)) == wanted


TARGETS = ["customer", "item", "invoice", "Opportunity"]
ROWS = st.lists(
    st.builds(row, st.sampled_from(Action), st.sampled_from(TARGETS), source_id=st.text("abc", max_size=2)),
    max_size=8,
    unique_by=lambda each: (each.target, each.action, each.source_id),
)


@given(ROWS, st.randoms())
def test_a_parent_is_never_applied_after_what_needs_it(rows, random):
    ordered = in_order(random.sample(rows, len(rows)))
    places = [TARGETS.index(each.target) for each in ordered]
    assert places == sorted(places)
    applied = [each for each in ordered if each.action in WRITES]
    assert applied == [each for each in in_order(rows) if each.action in WRITES]


CHANGED = {
    "action": Action.UPDATE,
    "part": 2,
    "generation": 2,
    "kashoo_id": 5,
    "link_version": 1,
    "payload": {"memo": "x"},
    "document": {"memo": "x"},
    "total": 1,
    "requests": 1,
}


@pytest.mark.parametrize("name", [field.name for field in fields(PlanRow)])
@pytest.mark.parametrize("action", sorted(WRITES | BOOKKEEPING))
def test_the_digest_covers_every_field_of_every_row_that_does_something(action, name):
    changed = replace(row(action), **{name: CHANGED.get(name, "other")})
    if name == "action" and action is Action.UPDATE:
        changed = row(Action.CREATE)
    assert digest_of(changed) != digest_of(row(action))


@pytest.mark.parametrize("action", [Action.SKIP, Action.UNCHANGED])
def test_rows_that_do_nothing_leave_the_digest_alone(action):
    assert digest_of(row(), row(action, reason="today's reason", source_read="now")) == digest_of(row())
    assert digest_of(row(action)) == digest_of()


def test_every_action_writes_or_keeps_books_or_does_nothing():
    assert set(Action) - WRITES - BOOKKEEPING == {Action.WAIT, Action.SKIP, Action.UNCHANGED}
    assert not WRITES & BOOKKEEPING


def test_the_digest_depends_on_order_and_number_of_rows():
    one, two = row(total=1), row(total=2)
    assert len({digest_of(), digest_of(one), digest_of(one, one), digest_of(one, two), digest_of(two, one)}) == 5


def test_the_order_in_which_a_payload_was_built_leaves_the_digest_alone():
    assert digest_of(row(payload={"a": 1, "b": 2})) == digest_of(row(payload={"b": 2, "a": 1}))


MIXED = [
    row(Action.CREATE, "customer", requests=1, total=777, currency="CAD"),
    row(Action.CREATE, currency="CAD", total=10050, requests=1),
    row(Action.CREATE, currency="CAD", total=50, requests=1),
    row(Action.CREATE, currency="USD", total=100, requests=1),
    row(Action.UPDATE, currency="CAD", total=99999, requests=2),
    row(Action.SKIP, currency="CAD", total=99999, reason="not IsWon"),
    row(Action.SKIP, reason="not IsWon"),
    row(Action.PARK, reason="no lines"),
    row(Action.REVIEW, reason="no lines"),
    row(Action.UNCHANGED, reason="nothing that is mapped changed"),
]


def test_a_summary_counts_actions_money_to_be_invoiced_reasons_and_requests():
    summary = summary_of(*MIXED)
    assert summary.actions == {
        "customer": {"create": 1},
        "invoice": {"create": 3, "update": 1, "skip": 2, "park": 1, "review": 1, "unchanged": 1},
    }
    assert summary.totals == {"CAD": 10100, "USD": 100}
    assert summary.reasons == {"skip: not IsWon": 2, "park: no lines": 1, "review: no lines": 1}
    assert (summary.requests, summary.seconds, summary.notes) == (6, 1.2, ["first run"])


def test_the_plan_is_told_to_people_with_money_in_major_units():
    text = as_text(summary_of(*MIXED))
    for told in ("3 create", "101.00 CAD", "1.00 USD", "2 x skip: not IsWon", "6 requests", "first run"):
        assert told in text
    assert summary_of().digest[:12] in as_text(summary_of())


def test_a_row_names_its_operation_its_mark_in_the_books_and_its_record():
    told = row(Action.UPDATE, part=2, generation=3)
    assert told.key == f"salesforce_to_kashoo/Opportunity/{DEAL}/2/update/3"
    assert told.reference == Reference(DEAL, 2, 3)
    assert told.record == f"Opportunity {DEAL}"
