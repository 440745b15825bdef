"""Where a person opens the record that a line of the log is about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from room import DEAL, Room

from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.run.record_links import Addresses, links_to, newest_addresses
from airflow_provider_kashoo.sync.run.staging import Staging

ORG = "https://acme.my.salesforce.com"
PATTERN = "https://books.example/{b}/{kind}s/{id}"
INVOICE, DEAL_ITSELF = Record("invoice", "Opportunity", DEAL), Record("Opportunity", "Opportunity", DEAL)


def test_what_is_staged_with_a_run_is_known_without_opening_a_side(room: Room) -> None:
    Addresses(ORG, PATTERN, "77").stage(room.sync.files)
    known = Addresses.staged(room.sync.files)
    assert known.opens(DEAL, "invoice", 501) == {
        "Salesforce": f"{ORG}/{DEAL}",
        "Kashoo": "https://books.example/77/invoices/501",
    }
    assert known.opens(None, "invoice", None) == {}


def test_the_newest_run_of_an_org_and_business_that_knows_addresses_counts(room: Room) -> None:
    def run_of(scope: str, org: str) -> Staging:
        files = Staging(room.sync.files.root, "salesforce_to_kashoo", scope, org or "none")
        if org:
            Addresses(org).stage(files)
        return files

    runs = [("", "", run_of(*each)) for each in (("A-1", ""), ("B-1", "b"), ("A-1", "new"), ("A-1", "old"))]
    assert newest_addresses("A", "1", runs) == Addresses("new")
    assert newest_addresses("C", "1", runs) == Addresses()


def test_nothing_is_said_while_no_address_is_known(room: Room) -> None:
    assert links_to(room.sync, INVOICE, 501) == ""


def test_salesforce_opens_a_record_below_the_address_that_preflight_staged(room: Room) -> None:
    room.sync.files.write_json("addresses", {"salesforce": ORG})
    assert links_to(room.sync, INVOICE, 501) == f" {ORG}/{DEAL}"


@pytest.mark.parametrize(
    ("record", "kashoo_id", "books"),
    [
        (INVOICE, 501, " https://books.example/77/invoices/501"),
        (INVOICE, None, ""),  # it is not in Kashoo, or nobody knows under which id
        (DEAL_ITSELF, 501, ""),
    ],
)
def test_kashoo_opens_a_record_where_the_profile_says(
    room: Room, record: Record, kashoo_id: int | None, books: str
) -> None:
    room.sync.files.write_json("addresses", {"salesforce": ORG})
    room.books.profile = replace(room.books.profile, record_url=PATTERN)
    said = links_to(room.sync, record, kashoo_id)
    assert said == f" {ORG}/{DEAL}{books}".replace("/77/", f"/{room.sync.store.business_id}/")
