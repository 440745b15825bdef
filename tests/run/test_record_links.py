"""Where a person opens the record that a line of the log is about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from room import DEAL, Room

from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.run.record_links import links_to

ORG = "https://acme.my.salesforce.com"
PATTERN = "https://books.example/{b}/{kind}s/{id}"
INVOICE, DEAL_ITSELF = Record("invoice", "Opportunity", DEAL), Record("Opportunity", "Opportunity", DEAL)


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
    room.books.business_id = "77"  # type: ignore[attr-defined]
    assert links_to(room.sync, record, kashoo_id) == f" {ORG}/{DEAL}{books}"
