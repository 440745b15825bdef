# ruff: noqa: S608 - the strings are what is tested
from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.window import Window

LOWER = datetime(2026, 11, 22, 18, 0, tzinfo=timezone(timedelta(hours=-8)))
WINDOW = Window(LOWER, datetime(2026, 11, 24, tzinfo=UTC), moves=True, note="")
WITHIN = "SystemModstamp >= 2026-11-23T02:00:00Z AND {}SystemModstamp < 2026-11-24T00:00:00Z"
DEAL = "006000000000001AAA"


def test_changes_are_read_half_open_by_stamp_and_id_deleted_ones_included():
    assert soql.changed("Opportunity", WINDOW) == (
        f"SELECT Id, SystemModstamp, IsDeleted FROM Opportunity WHERE {WITHIN.format('')} ORDER BY SystemModstamp, Id"
    )


def test_parents_are_found_by_the_stamps_of_their_lines():
    assert soql.changed_parents("OpportunityLineItem", "OpportunityId", WINDOW) == (
        f"SELECT Id, OpportunityId FROM OpportunityLineItem WHERE {WITHIN.format('')} ORDER BY SystemModstamp, Id"
    )


def test_deals_are_found_by_the_stamps_of_what_they_refer_to():
    within = "Account." + WITHIN.format("Account.")
    assert soql.changed_by_reference("Opportunity", "Account", WINDOW) == (
        f"SELECT Id FROM Opportunity WHERE {within} ORDER BY Id"
    )
    assert soql.changed_by_reference("OrderItem", "Product2", WINDOW, owner="OrderId").startswith(
        "SELECT OrderId FROM OrderItem WHERE Product2.SystemModstamp >= 2026-11-23T02:00:00Z AND Product2."
    )


def test_whole_records_are_read_by_id():
    assert list(soql.by_ids("Opportunity", ["Id", "Account.Name"], [DEAL, "006000000000002AAA"])) == [
        f"SELECT Id, Account.Name FROM Opportunity WHERE Id IN ('{DEAL}', '006000000000002AAA') ORDER BY Id"
    ]


def test_children_are_read_by_the_id_of_their_parent_in_the_order_asked_for():
    (text,) = soql.by_ids("Contact", ["Email"], [DEAL], key="AccountId", order="AccountId, CreatedDate")
    assert text == f"SELECT Email FROM Contact WHERE AccountId IN ('{DEAL}') ORDER BY AccountId, CreatedDate"


@pytest.mark.parametrize("bad", ["x' OR Name LIKE '%", "006'", "006\\", "006 001", "006,001", ""])
def test_ids_with_quotes_or_anything_else_that_ends_a_literal_are_refused(bad):
    with pytest.raises(ValueError, match="is not a Salesforce id"):
        list(soql.by_ids("Opportunity", ["Id"], [DEAL, bad]))


def test_no_ids_are_no_query():
    assert list(soql.by_ids("Opportunity", ["Id"], [])) == []


@given(st.integers(1, 3 * soql.IDS_PER_QUERY + 1))
def test_every_id_is_asked_for_once_in_queries_the_uri_can_hold(number):
    ids = [f"006{place:012d}AAA" for place in range(number)]
    texts = list(soql.by_ids("Opportunity", ["Id"], ids))
    asked = [ident for text in texts for ident in text.split("(")[1].split(")")[0].replace("'", "").split(", ")]
    assert asked == ids
    assert len(texts) == -(-number // soql.IDS_PER_QUERY)
    assert max(map(len, texts)) < 16_384 // 2


def test_the_org_is_asked_for_its_name_and_its_currency():
    assert soql.ORGANIZATION == "SELECT Id, Name, IsSandbox FROM Organization"
    assert soql.ORGANIZATION_CURRENCY == "SELECT DefaultCurrencyIsoCode FROM Organization"


def test_a_part_of_a_text_stands_for_itself():
    query = soql.with_part_of_text("Opportunity", ["Name", "Account.Name"], "50%_off 'a\\b'", 20)
    part = r"'%50\%\_off \'a\\b\'%'"
    assert query == (
        f"SELECT Id FROM Opportunity WHERE Name LIKE {part} OR Account.Name LIKE {part} "
        "ORDER BY SystemModstamp DESC, Id LIMIT 20"
    )
