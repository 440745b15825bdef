"""Owners that a mapping names: against what was decided before there were any, and what no owner may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import MAPPED
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.mapping.file.policies import DEFAULT, OnDuplicate, Owner, owned_fields
from airflow_provider_kashoo.core.rules.diff import Merge, base_hashes, merge
from airflow_provider_kashoo.core.rules.observed import newer_sides, observe
from airflow_provider_kashoo.core.rules.ownership import ONLY_BY_A_PERSON, Decision, Owners, decide, owner_of
from airflow_provider_kashoo.core.rules.questions import CHANGED_ON_BOTH_SIDES, IDENTITY_CHANGED
from airflow_provider_kashoo.core.values.ids import KeyedHash

HASHES = KeyedHash(b"secret")
MARKS = {"customer": "notes", "item": "description", "invoice": "memo"}


def fields_of(kind: str) -> list[str]:
    return [each for each in owned_fields(kind) if each != DEFAULT]


# -- without owners, nothing is decided otherwise than before

BOOKS_WON = {"customer": {"currency"}, "item": set(), "invoice": {"lines", "currency"}}


def decided_before(
    kind: str, document: Mapping[str, Any], merged: Merge, *, known: Collection[str], mark: str
) -> Decision:
    """The function as it was when the owners were a constant."""
    billed = kind == "invoice"
    conflicts = {*merged.conflicts} - {mark}
    unknown = conflicts - {*known} if billed else set()
    asked = sorted(conflicts & BOOKS_WON[kind] | unknown)
    write = merged.write | {name: document.get(name) for name in sorted(conflicts.difference(asked))}
    questions = [CHANGED_ON_BOTH_SIDES.of(fields=", ".join(asked))] if asked else []
    if billed and (identity := sorted({"contact", "currency"} & write.keys())):
        questions.append(IDENTITY_CHANGED.of(fields=", ".join(identity)))
        return Decision({}, tuple(questions), frozenset({*asked, *write}))
    return Decision(write, tuple(questions), frozenset(asked))


@st.composite
def compared(draw: st.DrawFn) -> tuple[str, dict[str, str], Merge, set[str]]:
    """A kind, its document, what both sides did to each field, and of which it is known what was written."""
    kind = draw(st.sampled_from(sorted(MAPPED)))
    places = {name: draw(st.sampled_from(["write", "conflict", "kept", None])) for name in fields_of(kind)}
    document = dict.fromkeys(draw(st.sets(st.sampled_from(fields_of(kind)))), "ours")
    merged = Merge(
        write={name: document.get(name) for name, place in places.items() if place == "write"},
        kept=[name for name, place in places.items() if place == "kept"],
        conflicts=[name for name, place in places.items() if place == "conflict"],
    )
    return kind, document, merged, draw(st.sets(st.sampled_from(fields_of(kind))))


@given(compared(), st.booleans())
def test_a_mapping_without_owners_decides_as_before(given_: Any, has_mark: bool):
    kind, document, merged, known = given_
    mark = MARKS[kind] if has_mark else ""
    assert decide(kind, document, merged, known=known, mark=mark) == decided_before(
        kind, document, merged, known=known, mark=mark
    )


# -- whatever the owners are

SIDES = st.sampled_from([Owner.SALESFORCE, Owner.KASHOO])


@given(compared(), st.data())
def test_no_owner_writes_what_only_kashoo_changed_nor_over_a_change_that_is_not_older(given_: Any, data: st.DataObject):
    kind, document, merged, known = given_
    owners = data.draw(st.dictionaries(st.sampled_from(owned_fields(kind)), st.sampled_from(Owner)))
    newer = data.draw(st.dictionaries(st.sampled_from(fields_of(kind)), SIDES))
    decision = decide(kind, document, merged, known=known, mark=MARKS[kind], owners=owners, newer=newer)
    assert decision.write.keys() <= {*merged.write, *merged.conflicts}
    for name in decision.write.keys() & {*merged.conflicts}:
        owner = owner_of(kind, name, owners)
        assert owner is Owner.SALESFORCE or (owner is Owner.LATEST and newer.get(name) is Owner.SALESFORCE)
    if kind == "invoice":
        assert not decision.write.keys() & ONLY_BY_A_PERSON
        assert not {*decision.stays} & (ONLY_BY_A_PERSON | {*merged.conflicts} - known)
    parts = [{*decision.write}, decision.pending, {*decision.stays}]
    unnamed_mark = {MARKS[kind]} & {*merged.conflicts} - owners.keys()
    assert set().union(*parts) == {*merged.write, *merged.conflicts} - unnamed_mark
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert bool(decision.pending) == bool(decision.questions)


VALUES = st.sampled_from(["a", "b", "c", None])


@given(st.sampled_from(sorted(MAPPED)), st.data())
def test_of_values_too_what_only_kashoo_changed_is_never_overwritten(kind: str, data: st.DataObject):
    was, ours, theirs = (data.draw(st.fixed_dictionaries(dict.fromkeys(fields_of(kind), VALUES))) for _ in range(3))
    owners = data.draw(st.dictionaries(st.sampled_from(owned_fields(kind)), st.sampled_from(Owner)))
    merged = merge(ours, theirs, base_hashes(was, was, HASHES), HASHES)
    written = decide(kind, ours, merged, known=was, mark=MARKS[kind], owners=owners).write
    for name in written:
        assert ours[name] != was[name]  # Salesforce changed it
        assert theirs[name] == was[name] or owner_of(kind, name, owners) is Owner.SALESFORCE


@pytest.mark.parametrize(
    ("owners", "lines", "memo"),
    [
        ({}, "review", "salesforce"),
        ({"default": "kashoo"}, "review", "kashoo"),
        ({"default": "kashoo", "lines": "latest"}, "latest", "kashoo"),
        ({"memo": "review"}, "review", "review"),
    ],
)
def test_what_moves_money_has_to_be_named(owners: Owners, lines: str, memo: str):
    given_ = {name: Owner(owner) for name, owner in owners.items()}
    assert (owner_of("invoice", "lines", given_), owner_of("invoice", "memo", given_)) == (lines, memo)


# -- who changed it since both were seen

NOW = {"memo": {"Name": "n1"}, "date": {"CloseDate": "d1"}}
BASE = {"memo": ("x", HASHES.of("Deal")), "date": ("x", HASHES.of("2026-03-01"))}
HELD = {"memo": "by hand", "date": "2026-03-01"}
LATER = {"memo": {"Name": "n2"}}


def test_only_what_differs_from_what_was_written_is_noted():
    assert observe(["memo", "date"], NOW, HELD, BASE, HASHES) == {"memo": [{"Name": "n1"}, HASHES.of("by hand")]}
    assert observe(["date"], NOW, HELD, BASE, HASHES) == {}
    assert observe(["memo"], {}, HELD, BASE, HASHES) == {}  # nobody could tell later whether Salesforce changed it
    assert observe(["memo"], NOW, {}, BASE, HASHES) == {"memo": [{"Name": "n1"}, HASHES.of(None)]}


@pytest.mark.parametrize(
    ("now", "held", "side"),
    [
        (NOW, "by hand", None),
        (NOW | LATER, "by hand", "salesforce"),
        (NOW, "by hand again", "kashoo"),
        (NOW, None, "kashoo"),
        (NOW | LATER, "by hand again", None),
        (NOW | {"memo": {"Name": "n1", "Other__c": "o"}}, "by hand", None),  # the mapping reads more: no change
        ({}, "by hand again", None),
    ],
)
def test_the_side_that_alone_changed_it_since_is_the_newer_one(now: Any, held: str | None, side: str | None):
    seen = observe(["memo"], NOW, HELD, BASE, HASHES)
    assert newer_sides(seen, now, {"memo": held}, HASHES).get("memo") == side


# -- mapping files

CUSTOMER = """\
version: 1
name: customers
from: {object: Account}
to: customer
owners: {phone: kashoo, default: latest}
on_duplicate: merge
fields:
  name: {from: Name}
"""
INVOICE = """\
version: 1
name: invoices
from: {object: Opportunity}
to: invoice
owners:
  lines: kashoo
  currency: kashoo
fields:
  contact: {link: AccountId, mapping: customers}
  date: {from: CloseDate}
  currency: USD
single_line: {amount: {from: Amount}, account: "4000", taxCode: none}
"""
BACK = "version: 1\nname: back\nfrom: {object: invoice}\nto: Opportunity\nfields: {Paid__c: {from: paid}}\n"


def test_owners_and_the_policy_are_read():
    read = load_mapping(CUSTOMER, "m.yaml")
    assert read.owners == {"phone": Owner.KASHOO, "default": Owner.LATEST}
    assert read.on_duplicate is OnDuplicate.MERGE
    assert load_mapping(INVOICE, "m.yaml").on_duplicate is OnDuplicate.LINK


@pytest.mark.parametrize(
    ("text", "old", "new", "place", "words"),
    [
        (CUSTOMER, "phone:", "fone:", 5, "customer has no field 'fone'. Nothing was written. Did you mean 'phone'?"),
        (CUSTOMER, "phone:", "lines:", 5, "customer has no field 'lines'"),
        (INVOICE, "  currency: kashoo", "  amount: kashoo", 7, "invoice has no field 'amount'"),
        (INVOICE, "  currency: kashoo", "  Lines: kashoo", 7, "Did you mean 'lines'?"),
        (INVOICE, "lines: kashoo", "lines: Kashoo", 6, "owners.lines is 'Kashoo', and takes salesforce, kashoo,"),
        (INVOICE, "lines: kashoo", "lines: lastest", 6, "Did you mean 'latest'?"),
        (INVOICE, "lines: kashoo", "lines: [kashoo]", 6, "owners.lines is \"['kashoo']\", and takes"),
        (CUSTOMER, "{phone: kashoo, default: latest}", "kashoo", 5, "owners: 'kashoo' is not a block"),
        (CUSTOMER, "merge", "marge", 6, "on_duplicate is 'marge', and takes link, update, merge, skip, review."),
        (CUSTOMER, "merge", "marge", 6, "Did you mean 'merge'?"),
        (INVOICE, "owners:", "on_duplicate: link\nowners:", 5, "a mapping to invoice has no on_duplicate"),
        (BACK, "fields", "owners: {default: kashoo}\nfields", 5, "a mapping to Opportunity has no owners"),
        (BACK, "fields", "on_duplicate: link\nfields", 5, "a mapping to Opportunity has no on_duplicate"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, old: str, new: str, place: int, words: str):
    with pytest.raises(ConfigurationError) as caught:
        load_mapping(text.replace(old, new, 1), "m.yaml")
    assert str(caught.value).startswith(f"m.yaml:{place}:")
    assert words in str(caught.value)
