"""One record in a hundred is bad, in every way we know: the others arrive, and each bad one is parked once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from inprocess import in_process
from records import (
    add_account,
    add_deal,
    add_line,
    books_rows,
    invoices_of,
    remove_a_twin,
    set_amount,
    set_currencies,
    twins,
)
from rounds import Rounds, open_items, operations

from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync.by_hand.replay import replay

GOOD = 891
CUSTOMERS = 30
Mend = Callable[[Sandbox, str], Any]


@dataclass(frozen=True)
class Bad:
    """A way to be bad: what its deal and, where that is at fault, its customer are parked as."""

    make: Callable[[Sandbox], str]
    mend: Mend
    deal: str
    customer: str = ""
    total: int = 25000


def force(box: Sandbox, sobject: str, ident: str, **fields: Any) -> None:
    """Write what Salesforce's own rules would refuse, as imports and triggers of an org sometimes manage to."""
    table = box.org.table(sobject)
    box.org._save(table, table.rows[ident] | fields, table.rows[ident])


def customer_of(box: Sandbox, deal: str) -> str:
    return str(box.org.get("Opportunity", deal)["AccountId"])


def day(box: Sandbox, back: int) -> str:
    return (box.clock.now().date() - timedelta(days=back)).isoformat()


def with_line(box: Sandbox, name: str, description: str | None = None) -> str:
    deal = add_deal(box, add_account(box, name), None)
    line = add_line(box, deal, "125.00", quantity="2")
    box.org.update("OpportunityLineItem", line, {"Description": description})
    return deal


def not_adding_up(box: Sandbox) -> str:
    deal = with_line(box, "Odd Sums")
    set_amount(box, deal, "240.00")
    return deal


def describe_lines(box: Sandbox, deal: str) -> None:
    for line in box.org.rows("OpportunityLineItem"):
        if line["OpportunityId"] == deal:
            box.org.update("OpportunityLineItem", line["Id"], {"Description": "4100"})


def forced(**fields: Any) -> Callable[[Sandbox], str]:
    def make(box: Sandbox) -> str:
        deal = add_deal(box, add_account(box, f"Forced {sorted(fields)}"))
        force(box, "Opportunity", deal, **fields)
        return deal

    return make


def nameless(box: Sandbox) -> str:
    deal = add_deal(box, add_account(box, "Soon Nameless"))
    force(box, "Account", customer_of(box, deal), Name=None)
    return deal


BAD = {
    "no account": Bad(
        lambda box: add_deal(box, None),
        lambda box, deal: box.org.update("Opportunity", deal, {"AccountId": add_account(box, "Found Again")}),
        "missing_value",
    ),
    "a currency the books lack": Bad(
        lambda box: add_deal(box, add_account(box, "Thames Ltd"), CurrencyIsoCode="GBP"),
        lambda box, _: set_currencies(box, "USD", "CAD", "EUR", "GBP"),
        "refused",
    ),
    "lines that do not add up": Bad(
        not_adding_up, lambda box, deal: set_amount(box, deal, "250.00"), "lines_do_not_add_up"
    ),
    "a locked date": Bad(
        lambda box: add_deal(box, add_account(box, "Late Payer"), CloseDate=day(box, 300)),
        lambda box, deal: box.org.update("Opportunity", deal, {"CloseDate": day(box, 1)}),
        "refused",
    ),
    "an account code the books lack": Bad(
        lambda box: with_line(box, "Mistyped", description="41OO"), describe_lines, "account"
    ),
    "an ambiguous customer": Bad(twins, remove_a_twin, "waiting_for_parent", "ambiguous_match"),
    "a date before Salesforce's years": Bad(
        forced(CloseDate="0999-12-31"),
        lambda box, deal: box.org.update("Opportunity", deal, {"CloseDate": day(box, 0)}),
        "wrong_type",
    ),
    "a missing date": Bad(
        forced(CloseDate=None),
        lambda box, deal: box.org.update("Opportunity", deal, {"CloseDate": day(box, 0)}),
        "missing_value",
    ),
    "a name emptied": Bad(
        nameless,
        lambda box, deal: box.org.update("Account", customer_of(box, deal), {"Name": "Named Again"}),
        "waiting_for_parent",
        "missing_value",
    ),
}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rounds, dict[str, str], list[str]]]:
    with in_process() as box:
        drive = Rounds(box, tmp_path_factory.mktemp("poison"))
        mapping = drive.mappings / "invoice_from_opportunity.yaml"
        lines, single = mapping.read_text("utf-8").split("single_line:")
        lines = lines.replace('account: "type:INCOME"', 'account: {from: Description, default: "type:INCOME"}')
        mapping.write_text(f"{lines}single_line:{single}", "utf-8")
        set_currencies(box, "USD", "CAD", "EUR")
        box.books.lock_until(box.books.main(), day(box, 200))
        accounts = [add_account(box, f"Customer {number}") for number in range(CUSTOMERS)]
        good: list[str] = []
        bad: dict[str, str] = {}
        for name, each in BAD.items():
            good += [add_deal(box, accounts[at % CUSTOMERS], "250.00") for at in range(GOOD // len(BAD))]
            bad[name] = each.make(box)
        drive.run()
        yield drive, bad, good
        drive.database.dispose()


def parked(drive: Rounds) -> Counter[tuple[str, str, str]]:
    found = operations(drive, State.PARKED)
    return Counter((str(row["target"]), str(row["source_id"]), str(row["error_class"])) for row in found)


def wanted(drive: Rounds, bad: dict[str, str]) -> Counter[tuple[str, str, str]]:
    customers = {name: customer_of(drive.sandbox, bad[name]) for name, each in BAD.items() if each.customer}
    return Counter(
        [("invoice", bad[name], each.deal) for name, each in BAD.items()]
        + [("customer", ident, BAD[name].customer) for name, ident in customers.items()]
    )


def test_one_in_a_hundred_is_bad_and_the_others_arrive(story: tuple[Rounds, dict[str, str], list[str]]) -> None:
    drive, bad, good = story
    assert len(bad) * 100 == len(bad) + len(good)
    invoices = books_rows(drive.sandbox, "invoices")
    assert Counter(row["memo"] for row in invoices) == Counter(f"Deal [sf:{deal}:1:1]" for deal in good)
    assert {row["totalDue"] for row in invoices} == {25000}
    # Whoever has a deal that could be sent has a customer: the currency and the date are refused only by the books.
    names = {row["contactInformation"]["name"] for row in books_rows(drive.sandbox, "customers")}
    assert names == {
        *(f"Customer {at}" for at in range(CUSTOMERS)),
        "Twin & Co",
        "TWIN & Co.",
        "Thames Ltd",
        "Late Payer",
    }


def test_each_bad_record_is_parked_once_with_its_class_however_many_runs_see_it(
    story: tuple[Rounds, dict[str, str], list[str]],
) -> None:
    drive, bad, _ = story
    assert parked(drive) == wanted(drive, bad)
    drive.run()
    assert parked(drive) == wanted(drive, bad)


def test_replay_after_the_repair_empties_the_parking(story: tuple[Rounds, dict[str, str], list[str]]) -> None:
    drive, bad, good = story
    for name, each in BAD.items():
        each.mend(drive.sandbox, bad[name])
    replay(drive.sync(), None)
    assert open_items(drive) == []
    assert {name: [row["totalDue"] for row in invoices_of(drive.sandbox, deal)] for name, deal in bad.items()} == {
        name: [each.total] for name, each in BAD.items()
    }
    before = books_rows(drive.sandbox, "invoices")
    drive.run()
    assert books_rows(drive.sandbox, "invoices") == before
    assert len(before) == len(good) + len(bad)
