from __future__ import annotations

import pytest

from airflow_provider_kashoo.core.kinds import (
    CUSTOMER,
    INVOICE,
    KINDS,
    LINKED_KINDS,
    MAPPED,
    ORDER,
    PARENTS,
    PAYMENT,
    Kind,
    is_billed,
    is_dated,
    is_payment,
)

EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def test_parents_are_written_before_what_is_billed_with_them():
    assert list(KINDS) == sorted(ORDER, key=ORDER.__getitem__) == ["customer", "item", "invoice", "payment"]
    assert PARENTS == ("customer", "item")
    assert set(LINKED_KINDS.values()) == set(PARENTS)


def test_what_is_written_back_is_not_billed():
    names = [*KINDS, "Opportunity", "Contact"]
    assert [name for name in names if is_billed(name)] == ["invoice"]
    assert [name for name in names if is_dated(name)] == ["invoice", "payment"]


def test_no_mapping_makes_a_payment():
    assert [name for name in KINDS if name not in MAPPED] == ["payment"] == [name for name in KINDS if is_payment(name)]
    assert (PAYMENT.billed, PAYMENT.lines, PAYMENT.rungs) == (False, {}, {})


@EACH
def test_a_record_is_looked_for_by_fields_that_its_kind_has(kind: Kind):
    named = {*kind.identity, *(name for rung in kind.rungs.values() for name in (*rung.agree, *rung.against))}
    assert named <= kind.fields.keys()
    assert all(kind.fields[name].required for name in kind.identity)


@pytest.mark.parametrize("kind", [KINDS[name] for name in MAPPED], ids=MAPPED)
def test_only_what_is_billed_has_lines_and_is_known_by_our_reference_alone(kind: Kind):
    assert kind.billed == bool(kind.lines) == (not kind.rungs)


@EACH
def test_a_field_is_a_link_exactly_where_another_kind_is_made_for_it(kind: Kind):
    linked = {name for name, field in {**kind.fields, **kind.lines}.items() if field.type == "link"}
    assert linked == {**kind.fields, **kind.lines}.keys() & LINKED_KINDS.keys()


def test_an_invoice_whose_date_was_moved_may_still_be_the_one_that_was_sent():
    assert INVOICE.identity == ("contact", "date")
    assert CUSTOMER.identity == ("name",)
