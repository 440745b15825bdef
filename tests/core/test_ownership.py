"""Who decides about a field that both sides changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.rules.diff import Merge
from airflow_provider_kashoo.core.rules.ownership import ONLY_BY_A_PERSON, OWNERS, Decision, Owner, decide
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


def both_changed(kind: str, name: str, *, known: bool = True, mark: str = "", money_came: bool = False) -> Decision:
    known_fields = [name] if known else []
    return decide(kind, {name: "ours"}, Merge(conflicts=[name]), known=known_fields, mark=mark, money_came=money_came)


def one_changed(kind: str, *names: str, money_came: bool = False) -> Decision:
    write = dict.fromkeys(names, "ours")
    return decide(kind, write, Merge(write=write), known=names, mark="", money_came=money_came)


def test_the_table_here_is_the_whole_table():
    assert {(kind, name) for kind, name, _ in ROWS} == {(kind, name) for kind in KINDS for name in fields_of(kind)}
    kept = {(kind, name) for kind, row in OWNERS.items() for name, owner in row.items() if owner is Owner.KASHOO}
    assert kept == {(kind, name) for kind, name, what in ROWS if what == "asked"}
    assert {name for _, name, what in ROWS if what == "forbidden"} <= ONLY_BY_A_PERSON


@pytest.mark.parametrize(("kind", "name", "what"), ROWS)
def test_what_both_sides_changed_is_written_or_put_to_a_person(kind, name, what):
    assert (
        both_changed(kind, name)
        == {
            "written": Decision({name: "ours"}),
            "asked": Decision({}, (CHANGED_ON_BOTH_SIDES.of(fields=name),)),
            "forbidden": Decision(None, (IDENTITY_CHANGED.of(fields=name),)),
        }[what]
    )


@pytest.mark.parametrize(("kind", "name", "what"), ROWS)
def test_where_nobody_knows_what_was_written_last_an_invoice_of_the_books_stays(kind, name, what):
    asked = Decision({}, (CHANGED_ON_BOTH_SIDES.of(fields=name),))
    assert both_changed(kind, name, known=False) == (asked if kind == "invoice" else both_changed(kind, name))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_person_wrote_beside_our_reference_stays_and_nobody_is_asked(kind, known):
    name = MARKS[kind]
    assert both_changed(kind, name, known=known, mark=name) == Decision({})


def test_a_mark_that_only_salesforce_changed_is_written():
    merged = Merge(write={"memo": "ours"})
    assert decide("invoice", {}, merged, known=["memo"], mark="memo", money_came=False) == Decision({"memo": "ours"})


@pytest.mark.parametrize(("kind", "name", "what"), ROWS)
def test_what_only_salesforce_changed_is_written_but_for_whom_and_in_which_money_an_invoice_is(kind, name, what):
    forbidden = kind == "invoice" and name in {"contact", "currency"}
    asked = Decision(None, (IDENTITY_CHANGED.of(fields=name),))
    assert one_changed(kind, name) == (asked if forbidden else Decision({name: "ours"}))


def test_one_question_names_all_that_only_a_person_changes_and_nothing_else_is_written_then():
    asked = (IDENTITY_CHANGED.of(fields="contact, currency"),)
    assert one_changed("invoice", "currency", "memo", "contact", "lines", money_came=True) == Decision(None, asked)


@pytest.mark.parametrize("money_came", [True, False])
def test_lines_are_left_to_a_person_once_money_came(money_came):
    wanted = Decision(None, (PAID_INVOICE_CHANGED,)) if money_came else Decision({"lines": "ours", "memo": "ours"})
    assert one_changed("invoice", "lines", "memo", money_came=money_came) == wanted
    assert one_changed("invoice", "memo", "date", money_came=money_came) == Decision({"memo": "ours", "date": "ours"})
    assert one_changed("customer", "name", money_came=money_came) == Decision({"name": "ours"})


def test_lines_that_both_changed_are_asked_about_once_whether_money_came_or_not():
    asked = (CHANGED_ON_BOTH_SIDES.of(fields="lines"),)
    assert both_changed("invoice", "lines", money_came=True) == both_changed("invoice", "lines") == Decision({}, asked)


def test_a_field_that_is_empty_in_salesforce_now_is_emptied_in_the_books():
    merged = Merge(conflicts=["dueDate"])
    assert decide("invoice", {}, merged, known=["dueDate"], mark="memo", money_came=False).write == {"dueDate": None}


def test_two_questions_of_one_record_are_both_asked():
    merged = Merge(write={"contact": "ours"}, conflicts=["lines", "currency"])
    decision = decide("invoice", {}, merged, known=["lines", "currency"], mark="memo", money_came=False)
    assert decision == Decision(
        None, (CHANGED_ON_BOTH_SIDES.of(fields="currency, lines"), IDENTITY_CHANGED.of(fields="contact"))
    )


def asked_of(decision: Decision) -> set[str]:
    """Name the fields in the questions of a decision."""
    causes = [each.cause for each in decision.questions if each is not PAID_INVOICE_CHANGED]
    return {name for cause in causes for name in cause.split(" changed ")[0].split(", ")}


@given(st.sampled_from(sorted(KINDS)), st.data(), st.booleans())
def test_a_field_is_never_both_written_and_asked_and_none_is_forgotten(kind, data, money_came):
    places = {name: data.draw(st.sampled_from(["write", "conflict", "kept", None])) for name in fields_of(kind)}
    known = data.draw(st.sets(st.sampled_from(fields_of(kind))))
    merged = Merge(
        write={name: "ours" for name, place in places.items() if place == "write"},
        kept=[name for name, place in places.items() if place == "kept"],
        conflicts=[name for name, place in places.items() if place == "conflict"],
    )
    before, document = dict(merged.write), dict.fromkeys(fields_of(kind), "ours")
    decision = decide(kind, document, merged, known=known, mark=MARKS[kind], money_came=money_came)
    written, asked = {*(decision.write or {})}, asked_of(decision)
    assert not written & asked
    assert not written & {*merged.kept}
    assert decision.write is not None or decision.questions
    if decision.write is not None:
        assert written | asked == {*merged.write, *merged.conflicts} - ({MARKS[kind]} & {*merged.conflicts})
        assert {name: decision.write[name] for name in written} == dict.fromkeys(written, "ours")
    assert kind != "invoice" or not written & ONLY_BY_A_PERSON
    assert merged.write == before
