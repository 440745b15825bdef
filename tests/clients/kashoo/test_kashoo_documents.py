"""What is written to Kashoo is read back as the document that it was."""

from __future__ import annotations

from typing import Any

import pytest
from kashoo_calls import OURS, create, customer, invoice

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.profile import Profile


def stored(kashoo: KashooClient, target: str, document: dict[str, Any], base: Entry | None = None) -> Entry:
    if base:
        written = kashoo.send(kashoo.prepare_update(base, document, OURS))
    else:
        written = kashoo.send(kashoo.prepare_create(target, document, OURS))
    return next(each for each in kashoo.listing(target) if each.id == written.id)


CUSTOMER = {"name": "Initech", "email": "ap@initech.test", "street": "1 Main", "country": "US", "currency": "USD"}
LINE = {"description": "Hosting", "quantity": "2.5", "rate": 1_001, "taxCode": "none"}


def test_each_target_reads_back_as_the_document_that_was_written(make) -> None:
    kashoo = make()
    account = next(each.id for each in kashoo.accounts() if each.is_income)
    tax = next(each.code for each in kashoo.taxes())
    item = {"name": "Anvil", "code": "A-1", "account": account, "taxCode": tax}
    contact = stored(kashoo, "customer", CUSTOMER).id
    lines = [{**LINE, "account": account, "quantity": each} for each in ("0.1", "1000", "0.333333", "12345678.9")]
    lines += [{**LINE, "account": account, "rate": 0}, {**LINE, "account": account, "taxCode": tax}]
    deal = {"contact": contact, "date": "2026-03-10", "dueDate": "2026-04-09", "currency": "USD", "poNumber": "P-7"}
    deal |= {"memo": "Thank you", "lines": lines}
    for target, document in (("customer", CUSTOMER), ("item", item), ("invoice", deal)):
        read = stored(kashoo, target, document).document
        assert read == {**document, "id": read["id"], "references": [OURS]}


@pytest.mark.parametrize(("target", "place"), [("customer", "notes"), ("invoice", "memo")])
def test_our_reference_stands_once_beside_a_persons_own_text_and_unknown_fields_stay(make, target, place) -> None:
    kashoo = make()
    body = customer() if target == "customer" else invoice(kashoo)
    ident = create(kashoo, target, {**body, place: "Call first!", "colour": "red"}).id
    change = {"name": "Initech"} if target == "customer" else {"poNumber": "P-8"}
    once = stored(kashoo, target, change, kashoo.read(target, ident))
    twice = stored(kashoo, target, change, once)
    assert once.raw[place] == twice.raw[place] == f"Call first! {OURS}"
    assert twice.raw["colour"] == "red"
    read = twice.document
    assert (read[place], read["references"]) == ("Call first!", [OURS])
    assert change.items() <= read.items()


# -- the gateway


def test_a_write_is_complete_before_it_is_sent(make, seen) -> None:
    kashoo = make()
    with pytest.raises(ValueError, match="more digits"):
        kashoo.prepare_create("invoice", {"lines": [{**LINE, "quantity": "0.1234567890123456789"}]}, OURS)
    write = kashoo.prepare_create("customer", CUSTOMER, OURS)
    assert seen() == []
    assert kashoo.send(write).entry.is_ours(CUSTOMER, OURS)


def test_a_record_stands_until_it_is_removed_and_a_second_removal_says_that_it_is_not_known(make) -> None:
    kashoo = make()
    ident = create(kashoo, "customer", customer()).id
    assert kashoo.stands("customer", ident)
    assert kashoo.send(kashoo.prepare_remove("customer", ident)).known
    assert not kashoo.stands("customer", ident)
    assert kashoo.read("customer", ident).removed
    assert not kashoo.stands("customer", ident + 1)
    assert not kashoo.send(kashoo.prepare_remove("customer", ident)).known


def test_what_is_only_listed_is_looked_for_in_its_list(make, seen) -> None:
    kashoo = make()
    account = next(each.id for each in kashoo.accounts() if each.is_income)
    item = kashoo.send(kashoo.prepare_create("item", {"name": "Anvil", "account": account}, OURS))
    seen()
    assert [kashoo.gives_single(kind) for kind in ("item", "customer")] == [False, True]
    assert kashoo.read("item", item.id).fields["name"] == "Anvil"
    assert {path for _, path, _ in seen()} == {"items"}


def test_payments_are_listed_with_what_they_pay(make, sandbox) -> None:
    kashoo = make()
    contact = create(kashoo, "customer", customer()).id
    made = create(kashoo, "invoice", invoice(kashoo, contact=contact))
    sandbox.books.pay(int(kashoo.business_id), made.id, 4_000)
    [payment] = kashoo.payments()
    assert payment.shares == ((made.id, 4_000),)
    assert (kashoo.read("invoice", made.id).invoice.paid, made.entry.invoice.paid) == (4_000, 0)


@pytest.mark.parametrize("count", [0, 3, 7])
def test_a_list_takes_about_as_many_requests_as_was_said(make, seen, count) -> None:
    kashoo = make(profile=Profile(page_size=2))
    for number in range(count):
        create(kashoo, "customer", customer(f"Firm {number}"))
    seen()
    assert len(list(kashoo.listing("customer"))) == count
    assert abs(kashoo.requests_to_list(count) - len(seen())) <= 1
