"""Which invoices a deal in parts has, and when a person is asked instead, by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from intents import said
from room import DEAL, DEAL_2, Room

from airflow_provider_kashoo.core.rules.intents import Ask, Create, Wait
from airflow_provider_kashoo.core.rules.intents import Link as LinkIntent
from airflow_provider_kashoo.core.rules.made_from import Sources
from airflow_provider_kashoo.store.links import Link, LinkChange
from airflow_provider_kashoo.sync.bill.deal_parts import Divided, divide, has_parts

CHILDREN = "Billing_Milestones__r"
WHOLE: dict[str, Any] = {"lines": {"Id": "x"}}


def made(*children: str) -> list[Sources]:
    return [{"part": {"Id": child}, "lines": {"amount.x": "1"}} for child in children]


def links_of(room: Room, **sources: Any) -> dict[int, Link]:
    """Link parts: ``p1="a"`` from child a, ``p1=None`` from what is not known."""
    for name, value in sources.items():
        part = int(name[1:])
        room.books.put("invoice", 500 + part, {"lines": []})
        intent = room.begun(sources={"part": {"Id": value}} if isinstance(value, str) else value)
        link = replace(intent, record=replace(intent.record, part=part)).become(LinkIntent, reason="made")
        room.store.journal.linked(link, LinkChange(500 + part, {}, sources=intent.sources), "run0")
    return room.store.links.parts_of("invoice", [DEAL]).get(DEAL, {})


def decided(room: Room, links: dict[int, Link], *children: str, sale: str = DEAL) -> Divided:
    return divide(room.facts(), room.begun(sale=sale), CHILDREN if children else "", made(*children), links)


def shown(divided: Divided) -> list[tuple[int, int | None]]:
    return [(intent.record.part, link.kashoo_id if link else None) for intent, link in divided.parts]


def asked(divided: Divided) -> tuple[str, str]:
    (ask,) = divided.intents
    assert (isinstance(ask, Ask), divided.parts, divided.surplus, divided.whole) == (True, [], [], False)
    return ask.error_class, ask.reason  # type: ignore[attr-defined]


def test_a_new_deal_gets_an_invoice_for_each_child(room: Room) -> None:
    found = decided(room, {}, "a", "b")
    assert (shown(found), found.intents, found.surplus) == ([(1, None), (2, None)], [], [])
    assert [intent.sources for intent, _ in found.parts] == made("a", "b")
    assert str(found.parts[1][0].reference) == f"[sf:{DEAL}:2:1]"


def test_linked_parts_stay_with_their_invoices_and_what_is_missing_is_made(room: Room) -> None:
    assert shown(decided(room, links_of(room, p1="a", p3="c"), "a", "b", "c")) == [(1, 501), (2, None), (3, 503)]


def test_a_surplus_invoice_leaves_and_the_others_stay(room: Room) -> None:
    found = decided(room, links_of(room, p1="a", p2="b"), "a")
    assert (shown(found), [link.part for link in found.surplus]) == ([(1, 501)], [2])


@pytest.mark.parametrize("now", ["ac", "ba", "acd"])
def test_another_child_behind_a_linked_part_is_put_to_a_person(room: Room, now: str) -> None:
    place = 1 if now == "ba" else 2
    said = f"its {CHILDREN} changed after it was billed: part {place} is now another record"
    assert asked(decided(room, links_of(room, p1="a", p2="b"), *now)) == ("parts_changed", said)


def test_a_deal_that_was_billed_whole_stays_whole(room: Room) -> None:
    links = links_of(room, p1=WHOLE)
    assert (decided(room, links, "a", "b").whole, has_parts(links)) == (True, False)


def test_a_deal_that_no_rule_divides_is_whole_unless_it_was_billed_in_parts(room: Room) -> None:
    assert decided(room, {}).whole
    links = links_of(room, p1="a")
    assert has_parts(links)
    assert asked(decided(room, links))[1] == "it was billed in parts, and no rule of the mapping divides it now"


@pytest.mark.parametrize("sources", [None, {"part": None}])
def test_an_invoice_of_which_nobody_knows_what_it_bills_lets_no_other_be_made(room: Room, sources: Any) -> None:
    links = links_of(room, p1=sources)
    assert asked(decided(room, links, "a", "b"))[0] == "parts_unknown"
    assert shown(decided(room, links, "a")) == [(1, 501)]


def test_when_all_parts_are_linked_it_does_not_matter_that_their_children_are_not_known(room: Room) -> None:
    assert shown(decided(room, links_of(room, p1=None, p2=None), "a", "b")) == [(1, 501), (2, 502)]


def test_several_invoices_do_not_move_to_another_sale(room: Room) -> None:
    links = links_of(room, p1="a", p2="b")
    assert asked(decided(room, links, "a", "b", sale=DEAL_2))[1] == (
        "it was billed in parts, and belongs to another sale now"
    )


def test_while_one_invoice_is_in_flight_the_deal_waits(room: Room) -> None:
    links = links_of(room, p1="a")
    begun = room.begun()
    room.send(replace(begun, record=replace(begun.record, part=2)).become(Create))
    found = decided(room, links, "a", "b")
    assert (said(found.intents)[0][0], [each.record.part for each in found.intents], found.parts) == (Wait, [2], [])
