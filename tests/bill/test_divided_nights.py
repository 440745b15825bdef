"""The same records, divided over nights in any way, end in the same books: no night decides who is who."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from records import Row, add_account, add_customer, add_deal, add_item, add_line_of, add_product, books_rows
from rounds import OPEN_STATES, Rounds, Start, change, operations, reviews

NAMES = st.sampled_from(["A+B GmbH", "AB GmbH", "ab gmbh."])
MAYBE = {
    "email": st.sampled_from([None, None, "pay@x.example", "PAY@x.example", "ap@y.example"]),
    "postalCode": st.sampled_from([None, "10115", "101 15"]),
    "street": st.sampled_from([None, None, "Torstr. 1", "Torstr. 2"]),
}
CUSTOMERS = st.fixed_dictionaries({"name": NAMES, **MAYBE})
ITEMS = st.fixed_dictionaries(
    {"name": st.sampled_from(["Support", "Support yearly"]), "code": st.sampled_from([None, "SUP", "sup"])}
)


@dataclass(frozen=True)
class World:
    """What people made before the first night.

    :param deals: (place of its account, place of its product).
    :param by_hand: customers and items that the accountant made.
    """

    accounts: list[Row]
    products: list[Row]
    deals: list[tuple[int, int]]
    by_hand: tuple[list[Row], list[Row]]

    def make(self, drive: Rounds) -> list[str]:
        """Make it; gives the ids of the deals, none of which is won."""
        box = drive.sandbox
        for each in self.by_hand[0]:
            add_customer(box, **each)
        for each in self.by_hand[1]:
            add_item(box, **each)
        accounts = [
            add_account(box, a["name"], a["email"], BillingPostalCode=a["postalCode"], BillingStreet=a["street"])
            for a in self.accounts
        ]
        products = [add_product(box, each["name"], each["code"]) for each in self.products]
        deals = []
        for account, product in self.deals:
            deals.append(add_deal(box, accounts[account], None, StageName="Prospecting"))
            add_line_of(box, deals[-1], products[product], "250.00")
        return deals


@st.composite
def worlds(draw: Any, *, by_hand: bool) -> World:
    accounts = draw(st.lists(CUSTOMERS, min_size=2, max_size=4))
    products = draw(st.lists(ITEMS, min_size=1, max_size=3))
    places = [draw(st.integers(0, len(products) - 1)) for _ in accounts]

    def made(of: Any) -> list[Row]:
        return draw(st.lists(of, max_size=2)) if by_hand else []

    return World(accounts, products, list(enumerate(sorted(places))), (made(CUSTOMERS), made(ITEMS)))


def end(drive: Rounds) -> dict[str, list[str]]:
    """Give what must be equal: the records of the books by what they say, and what is linked or waits."""
    box = drive.sandbox
    customers = {row["id"]: (row["contactInformation"], row.get("notes")) for row in books_rows(box, "customers")}
    items = {row["id"]: (row["name"], row.get("code"), row.get("description")) for row in books_rows(box, "items")}
    invoices = {
        row["id"]: (row["memo"], row["totalDue"], customers[row["contact"]], items[row["lineItems"][0]["item"]])
        for row in books_rows(box, "invoices")
    }
    records: dict[str, dict[int, Any]] = {"customer": customers, "item": items, "invoice": invoices}
    linked = [
        (kind, link.source_id, rows[link.kashoo_id])
        for kind, rows in records.items()
        for link in drive.store.links.of_target(kind)
    ]
    waiting = [
        (row["source_id"], row["error_class"], row["cause"], row["fix"]) for row in operations(drive, *OPEN_STATES)
    ]
    return {
        **{kind: sorted(map(str, rows.values())) for kind, rows in records.items()},
        "linked": sorted(map(str, linked)),
        "waiting": sorted(map(str, waiting)),
        "asked": sorted(map(str, reviews(drive))),
    }


def backfill(drive: Rounds) -> dict[str, Any]:
    """Fill up the days until now: every other night is one of these."""
    now = drive.sandbox.clock.now()
    days = {"interval_start": now - timedelta(days=3), "interval_end": now + timedelta(days=1)}
    return {"run_type": "backfill", **days}


def played(start: Start, folder: Path, world: World, nights: list[list[int]]) -> dict[str, list[str]]:
    drive = start.again(folder)
    try:
        deals = world.make(drive)
        for number, night in enumerate([*nights, []]):  # a doubt about what another one got is gone the night after
            for place in night:
                change(drive, deals[place], StageName="Closed Won")
            drive.run(**(backfill(drive) if number % 2 else {}))
        drive.run()
        return end(drive)
    finally:
        drive.end()


@pytest.fixture(scope="module")
def start(fixed_weeks: Start) -> Start:
    return fixed_weeks


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[], Path]:
    count = iter(range(1_000_000))
    return lambda: tmp_path / str(next(count))


def any_order(world: World) -> Any:
    """Any order of the deals, each in a night of its own or with its neighbours."""
    return st.tuples(st.permutations(range(len(world.deals))), cuts(world)).map(parted)


def kept_order(world: World) -> Any:
    """The order of their ids, because the first Account that is billed gets the hand-made customer like it."""
    return cuts(world).map(lambda cut: parted((range(len(world.deals)), cut)))


def cuts(world: World) -> Any:
    return st.lists(st.booleans(), min_size=len(world.deals), max_size=len(world.deals))


def parted(drawn: tuple[Any, list[bool]]) -> list[list[int]]:
    nights: list[list[int]] = [[]]
    for place, cut in zip(*drawn, strict=True):
        if cut and nights[-1]:
            nights.append([])
        nights[-1].append(place)
    return nights


Case = tuple[World, list[list[int]]]

OF_SALESFORCE = worlds(by_hand=False).flatmap(lambda world: st.tuples(st.just(world), any_order(world)))
WITH_HAND_MADE = worlds(by_hand=True).flatmap(lambda world: st.tuples(st.just(world), kept_order(world)))

GARCIA = {"name": "AB GmbH", "postalCode": "10115", "email": "pay@x.example", "street": None}
OTHERS = [
    GARCIA | {"email": "ap@y.example", "street": "Torstr. 2"},
    GARCIA | {"name": "A+B GmbH", "street": "Torstr. 1"},
    GARCIA | {"name": "ab gmbh.", "postalCode": "101 15"},
]
SUPPORTS = [{"name": "Support", "code": "SUP"}, {"name": "Support yearly", "code": "SUP"}]
SUPPORTS += [{"name": "Support yearly", "code": None}]
DEALS = [(0, 0), (1, 1), (2, 1), (3, 2)]
ALIKE = World([GARCIA, *OTHERS], SUPPORTS, DEALS, ([], []))
BESIDE = World([GARCIA, *OTHERS], SUPPORTS, DEALS, ([GARCIA | {"email": None}, OTHERS[1]], SUPPORTS[1:2]))


def held(start: Start, folder: Callable[[], Path], *, examples: int, drawn: Any, first: Case) -> None:
    @settings(max_examples=examples)
    @example(first)
    @given(drawn)
    def check(case: Case) -> None:
        world, nights = case
        together = [[*range(len(world.deals))]]
        assert played(start, folder(), world, nights) == played(start, folder(), world, together)

    check()


@pytest.mark.parametrize("examples", [2, pytest.param(40, marks=pytest.mark.long)])
def test_no_night_and_no_order_decides_who_is_who(start: Start, folder: Callable[[], Path], examples: int) -> None:
    held(start, folder, examples=examples, drawn=OF_SALESFORCE, first=(ALIKE, [[3, 1], [2, 0]]))


@pytest.mark.parametrize("examples", [2, pytest.param(40, marks=pytest.mark.long)])
def test_beside_hand_made_records_no_night_decides(start: Start, folder: Callable[[], Path], examples: int) -> None:
    held(start, folder, examples=examples, drawn=WITH_HAND_MADE, first=(BESIDE, [[0], [1, 2], [3]]))
