from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intents import like

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    INTENTS,
    WRITES,
    Ask,
    Create,
    Intent,
    Keep,
    Link,
    Park,
    Release,
    Tell,
    Update,
    Upsert,
    Void,
)
from airflow_provider_kashoo.core.rules.order import in_order
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record

DEAL = "006000000000001AAA"
ANY = Intent(record=Record("invoice", "Opportunity", DEAL), mapping="invoices", reason="won")
CLASSES = list(INTENTS.values())
REFUSED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")


def test_parents_come_first_then_the_biggest_invoices_each_tie_by_id_and_part():
    wanted = [
        like(ANY, Link, kind="customer", id="009"),
        like(ANY, Create, kind="customer", id="003"),
        like(ANY, Update, kind="customer", id="001"),
        like(ANY, Create, kind="item", id="01t"),
        like(ANY, Link, total=1),
        like(ANY, Create, total=90000, id="009"),
        like(ANY, Create, total=500, id="001"),
        like(ANY, Create, total=500, id="002", part=1),
        like(ANY, Create, total=500, id="002", part=2),
        like(ANY, Create, total=None, id="000"),
        like(ANY, Update, total=10**9),
        like(ANY, Release),
        like(ANY, Tell, kind="Opportunity", id="006"),
    ]
    assert in_order(reversed(wanted)) == wanted


def test_a_question_comes_before_the_update_of_its_record_and_a_void_last_of_all():
    wanted = [like(ANY, each) for each in (Ask, Update, Park, Void)]
    assert in_order(reversed(wanted)) == wanted


KINDS = ["customer", "item", "invoice", "payment", "Opportunity"]
SOME = st.lists(
    st.builds(
        lambda of, kind, ident: like(ANY, of, kind=kind, id=ident),
        st.sampled_from(CLASSES),
        st.sampled_from(KINDS),
        st.text("abc", max_size=2),
    ),
    max_size=8,
    unique_by=lambda each: (each.record.kind, each.action, each.record.id),
)


def test_a_payment_and_its_invoice_have_one_record_and_two_keys():
    invoice, payment = like(ANY, Create), like(ANY, Create, kind="payment")
    assert payment.reference == invoice.reference
    assert (payment.needs, invoice.needs) == (2, 1)
    assert payment.key == invoice.key.replace("/create/", "/create_payment/") != invoice.key


@given(SOME, st.randoms())
def test_a_parent_is_never_applied_after_what_needs_it(intents, random):
    ordered = in_order(random.sample(intents, len(intents)))
    places = [KINDS.index(each.record.kind) for each in ordered]
    assert places == sorted(places)
    applied = [each for each in ordered if each.action in WRITES]
    assert applied == [each for each in in_order(intents) if each.action in WRITES]


def test_every_action_has_one_kind_of_intent():
    assert set(INTENTS) == set(Action)
    assert [each.action for each in CLASSES] == list(INTENTS)


def test_what_writes_needs_requests_of_kashoo_or_may_be_repeated_and_nothing_else_does():
    assert {each.action for each in CLASSES if each.requests or each.action.repeatable} == WRITES
    assert {each.action: each.requests for each in CLASSES if each.requests} == {
        Action.CREATE: 1,
        Action.UPDATE: 2,
        Action.VOID: 3,
    }


def test_records_of_one_parent_are_sent_side_by_side_and_payments_after_invoices():
    tells = [like(ANY, Tell, parent=parent, id=f"00600000000000{n}AAA") for n, parent in enumerate("ABAB")]
    assert [each.parent for each in in_order(tells)] == ["A", "A", "B", "B"]
    made = [like(ANY, Upsert, parent=parent, rank=rank) for rank in (1, 0) for parent in "BA"]
    assert [(each.rank, each.parent) for each in in_order(made)] == [(0, "A"), (0, "B"), (1, "A"), (1, "B")]


def test_what_an_action_means_to_the_store():
    assert [each for each in Action if each.repeatable] == [Action.WRITE_BACK, Action.UPSERT]
    assert [each for each in Action if each.keeps_own_record] == [Action.UPSERT]
    assert [each for each in Action if each.ends_link] == [Action.VOID]
    assert [each for each in Action if each.overwrites] == [Action.UPDATE]


def test_an_intent_names_its_operation_its_mark_in_the_books_and_its_record():
    update = like(ANY, Update, part=2, generation=3, link_version=4, source_read="now")
    assert update.key == f"salesforce_to_kashoo/Opportunity/{DEAL}/2/update/3"
    assert update.write == (update.key, 4, "now")
    assert update.reference == Reference(DEAL, 2, 3)
    assert str(update.record) == f"Opportunity {DEAL}, part 2"
    assert str(ANY.record) == f"Opportunity {DEAL}"


DOCUMENT, CHANGED, HELD = {"date": "2026-03-01", "memo": "x"}, {"memo": "x"}, {"number": "7"}


@pytest.mark.parametrize(
    ("intent", "written", "day"),
    [
        (like(ANY, Create, document=DOCUMENT), DOCUMENT, "2026-03-01"),
        (like(ANY, Update, document=DOCUMENT, changes=CHANGED), CHANGED, "2026-03-01"),
        (like(ANY, Tell, document={"Paid__c": 1, "Due__c": 2}, changes={"Paid__c": 1}), {"Paid__c": 1}, None),
        (like(ANY, Link, document=DOCUMENT, held=HELD), HELD, "2026-03-01"),
        (like(ANY, Keep, held={"Paid__c": "hash"}), {}, None),
        (like(ANY, Void, base="hash"), {}, None),
        (like(ANY, Park), {}, None),
    ],
    ids=lambda each: each.action.value if isinstance(each, Intent) else "",
)
def test_an_intent_says_what_it_writes_and_under_which_day(intent, written, day):
    assert (intent.written, intent.date) == (written, day)


@pytest.mark.parametrize("of", CLASSES)
def test_what_is_decided_later_keeps_all_that_was_said_before(of):
    said = like(
        ANY, part=2, sale="801", sync="s", generation=3, link_version=4, source_read="now", kashoo_id=5, currency="CAD",
        total=6,
    )  # fmt: skip
    decided = said.become(of, reason="because")
    assert type(decided) is of
    assert decided.become(Intent, reason="won") == said
    assert decided.reason == "because"


def test_what_only_one_kind_says_is_given_with_the_decision():
    update = like(ANY, Create, document=DOCUMENT).become(Update, changes=CHANGED, base="hash")
    assert (update.document, update.changes, update.base) == (DOCUMENT, CHANGED, "hash")
    with pytest.raises(TypeError, match="changes"):
        ANY.become(Create, changes=CHANGED)


@pytest.mark.parametrize(("of", "decided"), [(Park, Intent.parked), (Ask, Intent.asked)])
def test_what_is_parked_or_asked_says_why_and_what_to_do(of, decided):
    intent = decided(like(ANY, Update, kashoo_id=5, changes=CHANGED), REFUSED)
    assert type(intent) is of
    assert intent.problem == REFUSED
    assert (intent.reason, intent.kashoo_id, intent.record) == (REFUSED.cause, 5, ANY.record)


def test_a_record_that_a_mapping_reads_is_named_as_the_mapping_says():
    text = "version: 1\nname: customers\nfrom: {object: Account}\nto: customer\nfields:\n  name: {from: Name}\n"
    park = Park.of(load_mapping(text, "m.yaml"), "some_sync", "001", source_read="now")
    assert park.record == Record("customer", "Account", "001")
    assert (park.mapping, park.sync, park.sale, park.source_read) == ("customers", "some_sync", "001", "now")
    assert Park.of(load_mapping(text, "m.yaml"), "some_sync", "001", sale="801").sale == "801"
