"""Who decides about a field that both sides changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import KINDS, MAPPED
from airflow_provider_kashoo.core.rules.diff import Merge
from airflow_provider_kashoo.core.rules.ownership import ONLY_BY_A_PERSON, OWNERS, Decision, Owner, decide, hold
from airflow_provider_kashoo.core.rules.questions import CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED, PAID_INVOICE_CHANGED

# The table once more, by hand: a change of the code has to be meant.
BOTH_CHANGED = {
    "customer": {
        "written": "name firstName lastName email phone street city province postalCode country notes",
        "asked": "currency",
        "forbidden": "",
    },
    "item": {"written": "name code description account taxCode", "asked": "", "forbidden": ""},
    "invoice": {"written": "date dueDate poNumber memo", "asked": "lines currency", "forbidden": "contact"},
}
ROWS = [
    (kind, name, what) for kind, row in BOTH_CHANGED.items() for what, names in row.items() for name in names.split()
]
MARKS = {"customer": "notes", "item": "description", "invoice": "memo"}
"""Where our reference stands, in these tests."""


def fields_of(kind: str) -> list[str]:
    return [*KINDS[kind].fields, *(["lines"] if KINDS[kind].lines else [])]


def both_changed(kind: str, name: str, *, known: bool = True, mark: str = "") -> Decision:
    return decide(kind, {name: "ours"}, Merge(conflicts=[name]), known=[name] if known else [], mark=mark)


def one_changed(kind: str, *names: str) -> Decision:
    write = dict.fromkeys(names, "ours")
    return decide(kind, write, Merge(write=write), known=names, mark="")


def asked(question: Problem, *names: str) -> Decision:
    return Decision({}, (question.of(fields=", ".join(names)),), frozenset(names))


def test_the_table_here_is_the_whole_table():
    assert {(kind, name) for kind, name, _ in ROWS} == {(kind, name) for kind in MAPPED for name in fields_of(kind)}
    kept = {(kind, name) for kind, row in OWNERS.items() for name, owner in row.items() if owner is Owner.REVIEW}
    assert kept == {(kind, name) for kind, name, what in ROWS if what == "asked"}
    assert {name for _, name, what in ROWS if what == "forbidden"} <= ONLY_BY_A_PERSON


@pytest.mark.parametrize(("kind", "name", "what"), ROWS)
def test_what_both_sides_changed_is_written_or_put_to_a_person(kind, name, what):
    assert (
        both_changed(kind, name)
        == {
            "written": Decision({name: "ours"}),
            "asked": asked(CHANGED_ON_BOTH_SIDES, name),
            "forbidden": asked(IDENTITY_CHANGED, name),
        }[what]
    )


@pytest.mark.parametrize(("kind", "name", "what"), ROWS)
def test_where_nobody_knows_what_was_written_last_an_invoice_of_the_books_stays(kind, name, what):
    question = asked(CHANGED_ON_BOTH_SIDES, name)
    assert both_changed(kind, name, known=False) == (question if kind == "invoice" else both_changed(kind, name))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", MAPPED)
def test_what_a_person_wrote_beside_our_reference_stays_and_nobody_is_asked(kind, known):
    name = MARKS[kind]
    assert both_changed(kind, name, known=known, mark=name) == Decision({})


def test_a_mark_that_only_salesforce_changed_is_written():
    merged = Merge(write={"memo": "ours"})
    assert decide("invoice", {}, merged, known=["memo"], mark="memo") == Decision({"memo": "ours"})


@pytest.mark.parametrize(("kind", "name", "what"), ROWS)
def test_what_only_salesforce_changed_is_written_but_for_whom_and_in_which_money_an_invoice_is(kind, name, what):
    forbidden = kind == "invoice" and name in {"contact", "currency"}
    assert one_changed(kind, name) == (asked(IDENTITY_CHANGED, name) if forbidden else Decision({name: "ours"}))


def test_one_question_names_all_that_only_a_person_changes_and_nothing_else_is_written_then():
    decision = one_changed("invoice", "currency", "memo", "contact", "lines")
    assert decision.questions == (IDENTITY_CHANGED.of(fields="contact, currency"),)
    assert decision.write == {}
    assert decision.pending == {"contact", "currency", "lines", "memo"}


HELD = PAID_INVOICE_CHANGED.of(changes="")


def held(*money: str, texts: tuple[str, ...] = (), after_payment: tuple[str, ...] = ()) -> Decision:
    """Hold back what changed of a paid invoice."""
    return hold(one_changed("invoice", *money, *texts), money, after_payment, HELD)


def test_once_money_came_a_person_is_asked_about_money_and_date_and_texts_stay_as_billed():
    assert held("date", "lines", texts=("memo", "dueDate", "poNumber")) == Decision(
        {}, (HELD,), frozenset({"date", "lines"}), ("dueDate", "memo", "poNumber")
    )


def test_lines_whose_texts_alone_differ_stay_as_billed():
    assert held(texts=("memo", "lines")) == Decision({}, (), frozenset(), ("lines", "memo"))


def test_texts_that_the_mapping_names_follow_after_a_payment():
    decision = held("date", texts=("memo", "poNumber"), after_payment=("memo",))
    assert decision == Decision({"memo": "ours"}, (HELD,), frozenset({"date"}), ("poNumber",))


def test_a_field_that_is_empty_in_salesforce_now_is_emptied_in_the_books():
    merged = Merge(conflicts=["dueDate"])
    assert decide("invoice", {}, merged, known=["dueDate"], mark="memo").write == {"dueDate": None}


def test_two_questions_of_one_record_are_both_asked():
    merged = Merge(write={"contact": "ours"}, conflicts=["lines", "currency"])
    decision = decide("invoice", {}, merged, known=["lines", "currency"], mark="memo")
    both = (CHANGED_ON_BOTH_SIDES.of(fields="currency, lines"), IDENTITY_CHANGED.of(fields="contact"))
    assert decision == Decision({}, both, frozenset({"contact", "currency", "lines"}))


def test_the_side_that_changed_a_field_last_owns_it_where_that_is_known_and_a_person_decides_elsewhere():
    owners = dict.fromkeys(("name", "phone", "email"), Owner.LATEST)
    newer = {"name": Owner.SALESFORCE, "phone": Owner.KASHOO}
    merged, document = Merge(conflicts=["email", "name", "phone"]), {"name": "ours", "phone": "ours"}
    decision = decide("customer", document, merged, known=owners, mark="", owners=owners, newer=newer)
    question = CHANGED_ON_BOTH_SIDES.of(fields="email")
    assert decision == Decision({"name": "ours"}, (question,), frozenset({"email"}), stays=("phone",))


def of_kashoo(*conflicts: str, write: tuple[str, ...] = ()) -> Decision:
    """Decide about an invoice whose fields are Kashoo's."""
    merged = Merge(write=dict.fromkeys(write, "ours"), conflicts=[*conflicts])
    owners = dict.fromkeys(conflicts, Owner.KASHOO)
    return decide("invoice", {}, merged, known=conflicts, mark="", owners=owners)


def test_what_kashoo_owns_stays_but_for_what_only_a_person_changes():
    assert of_kashoo("memo", "dueDate") == Decision(stays=("dueDate", "memo"))
    question = CHANGED_ON_BOTH_SIDES.of(fields="contact")
    assert of_kashoo("memo", "contact") == Decision({}, (question,), frozenset({"contact"}), stays=("memo",))
    other = IDENTITY_CHANGED.of(fields="currency")
    assert of_kashoo("memo", write=("currency",)) == Decision({}, (other,), frozenset({"currency"}), stays=("memo",))


def test_what_kashoo_owns_stays_after_a_payment_too_but_for_what_moves_money():
    decision = hold(of_kashoo("memo", "date"), {"date"}, (), HELD)
    assert decision == Decision({}, (HELD,), frozenset({"date"}), (), ("memo",))


@given(st.sampled_from(sorted(MAPPED)), st.data(), st.booleans())
def test_a_field_is_written_or_pending_or_as_billed_and_none_is_forgotten(kind, data, money_came):
    names = st.sets(st.sampled_from(fields_of(kind)))
    places = {name: data.draw(st.sampled_from(["write", "conflict", "kept", None])) for name in fields_of(kind)}
    merged = Merge(
        write={name: "ours" for name, place in places.items() if place == "write"},
        kept=[name for name, place in places.items() if place == "kept"],
        conflicts=[name for name, place in places.items() if place == "conflict"],
    )
    before, document = dict(merged.write), dict.fromkeys(fields_of(kind), "ours")
    decision = decide(kind, document, merged, known=data.draw(names), mark=MARKS[kind])
    if money_came and kind == "invoice":
        money = {name for name in decision.write if name not in KINDS[kind].texts}
        decision = hold(decision, money, ("memo",), HELD)
        assert decision.write.keys() <= {"memo"}
    parts = [{*decision.write}, decision.pending, {*decision.as_billed}]
    everything = {*merged.write, *merged.conflicts} - ({MARKS[kind]} & {*merged.conflicts})
    assert set().union(*parts) == everything
    assert sum(map(len, parts)) == len(everything)
    assert bool(decision.pending) == bool(decision.questions)
    assert kind != "invoice" or not decision.write.keys() & ONLY_BY_A_PERSON
    assert merged.write == before
