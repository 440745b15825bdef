"""What the store remembers of records of our own in Salesforce."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_kashoo.core.rules.intents import Upsert
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.store.own_records import GONE, LEFT, MADE, SENT

DEAL, CASE = "006000000000001AAA", "500000000000001AAA"
UPSERT = Upsert(
    record=Record("Case", "Opportunity", DEAL),
    sync="kashoo_to_salesforce",
    source_read="2026-03-01T00:00:00+00:00",
    external_id="1:7",
    kashoo_id=7,
    changes={"Status": "New", "Description": "late"},
)
BOTH = {"Status": "hash of New", "Description": "hash of late"}


def row(store):
    return store.own_records.of("Case")["1:7"]


def test_a_record_is_sent_made_left_and_gone(store) -> None:
    store.own_records.note(UPSERT)
    assert (row(store).state, row(store).salesforce_id, row(store).fields) == (SENT, None, {})
    store.own_records.confirm(replace(UPSERT, salesforce_id=CASE), BOTH, "Open")
    assert (row(store).state, row(store).salesforce_id, row(store).fields) == (MADE, CASE, BOTH)
    store.own_records.confirm(replace(UPSERT, leaves=True), {"Status": "x"}, "Paid")
    assert (row(store).state, row(store).salesforce_id) == (LEFT, CASE)
    store.own_records.confirm(UPSERT, None, "Unreachable")
    assert (row(store).state, row(store).fields) == (GONE, {})


def test_of_a_write_with_an_unknown_end_only_its_own_fields_are_forgotten(store) -> None:
    store.own_records.note(UPSERT)
    store.own_records.confirm(replace(UPSERT, salesforce_id=CASE), BOTH, "Open")
    store.own_records.forget(replace(UPSERT, changes={"Description": "paid in part"}))
    assert (row(store).state, row(store).fields) == (MADE, {"Status": "hash of New"})


def test_a_creation_with_an_unknown_end_is_still_to_be_made(store) -> None:
    store.own_records.note(UPSERT)
    store.own_records.confirm(UPSERT, {}, None)
    assert (row(store).state, row(store).fields) == (SENT, {})


def test_an_older_reading_is_outdated(store) -> None:
    store.own_records.note(UPSERT)
    older = replace(UPSERT, source_read="2026-02-01T00:00:00+00:00")
    assert (store.own_records.is_outdated(older), store.own_records.is_outdated(UPSERT)) == (True, False)
    assert store.own_records.is_newer("Case", "1:7", older.source_read)
    assert not store.own_records.is_newer("Case", "1:8", older.source_read)


def test_records_are_found_by_their_invoices_and_those_of_another_object_are_not(store) -> None:
    store.own_records.note(UPSERT)
    store.own_records.note(replace(UPSERT, external_id="1:7#2"))
    store.own_records.note(replace(UPSERT, record=Record("Kashoo_Invoice__c", "Opportunity", DEAL)))
    found = store.own_records.of_invoices("Case", [7, 8])
    assert {invoice: [each.external_id for each in made] for invoice, made in found.items()} == {7: ["1:7", "1:7#2"]}
