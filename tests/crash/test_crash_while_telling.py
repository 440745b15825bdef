"""A run that makes records, a Case, a comment and files in Salesforce dies at every boundary: each is made once."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from boundaries import Boundaries, dying
from records import add_deal, invoice_of
from rounds import Rounds, Start, _mappings, fault, open_items, operations, remap

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE, Sync

EXAMPLES = Path(__file__).parents[2] / "include" / "mappings" / "examples" / "receivables"
MADE = ("Kashoo_Invoice__c", "Kashoo_Payment__c", "Case", "CaseComment", "ContentVersion", "ContentDocumentLink")
DAY = 86_400
EVERY = 5
"""One boundary in so many is tried every day; the others are long tests."""
LOST = ["drop_before", "drop_after", "cut_body", "error_before", "error_after", "html_after"]
WAYS = ["composite/sobjects$", "composite/sobjects/Case/Kashoo_Key__c$", "sobjects/ContentVersion$"]


def late(start: Start, folder: Path) -> tuple[Rounds, str]:
    """A deal whose invoice has a Case already, and is now paid in part; its PDF and its records are not made yet."""
    drive = start.again(folder)
    shutil.copy(EXAMPLES / "case_from_overdue_invoice.yaml", drive.mappings)
    _mappings.cache_clear()
    deal = add_deal(drive.sandbox, start.account, "250.00")
    drive.run()
    drive.sandbox.clock.advance(50 * DAY)
    drive.run_back()
    for path in EXAMPLES.glob("*.yaml"):
        shutil.copy(path, drive.mappings / path.name)
    remap(drive, "payment_to_opportunity", "to: Opportunity\n", "to: Opportunity\nattach_pdf: true\n")
    drive.sandbox.books.pay(drive.sandbox.books.main(), invoice_of(drive.sandbox, deal)["id"], 10_000)
    drive.sandbox.clock.advance(DAY)
    return drive, deal


def told(drive: Rounds) -> dict[str, Any]:
    """What people see in Salesforce, without ids and times."""
    rows = {kind: drive.sandbox.org.rows(kind) for kind in MADE}
    found: dict[str, Any] = {kind: len(rows[kind]) for kind in MADE}
    found["balances"] = sorted((row["Name"], row["Balance__c"]) for row in rows["Kashoo_Invoice__c"])
    found["payments"] = sorted((row["Name"], row["Amount__c"]) for row in rows["Kashoo_Payment__c"])
    found["cases"] = sorted((row["Subject"], row["Status"], row["Description"]) for row in rows["Case"])
    found["comments"] = sorted(row["CommentBody"] for row in rows["CaseComment"])
    found["files"] = sorted((row["Title"], row["Checksum"], row["VersionNumber"]) for row in rows["ContentVersion"])
    found["accounts"] = sorted(str(row["Kashoo_Open_Balance__c"]) for row in drive.sandbox.org.rows("Account"))
    return found


def comes_to_rest(drive: Rounds, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    for _ in range(3):
        drive.sandbox.clock.advance(3600)
        drive.run_back()
    assert open_items(drive) == []
    assert operations(drive, State.SENT, State.IN_DOUBT, State.PARKED, State.RETRY) == []
    found = told(drive)
    assert wanted is None or found == wanted
    return found


def tried_again(drive: Rounds, sync: Sync) -> None:
    """Airflow tries the task again, with the plan that was approved, once the deadline of a request is over."""
    drive.sandbox.clock.advance(120)
    drive.finish(drive.sync(TO_SALESFORCE, run_id=sync.run.run_id))


def given_up(drive: Rounds, _: Sync) -> None:
    """Nobody tries it again: the next run is another one."""
    drive.sandbox.clock.advance(3600)
    drive.run_back()


@pytest.fixture(scope="module")
def wanted(fixed_weeks: Start, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What there is when nothing dies."""
    drive, _ = late(fixed_weeks, tmp_path_factory.mktemp("whole") / "run")
    drive.run_back()
    found = comes_to_rest(drive)
    assert [found[kind] for kind in MADE] == [2, 1, 2, 1, 2, 6]
    drive.end()
    return found


@pytest.mark.parametrize("turn", [0, *(pytest.param(each, marks=pytest.mark.long) for each in range(1, EVERY))])
def test_a_run_that_dies_while_it_tells_makes_each_record_once(
    fixed_weeks: Start, tmp_path: Path, wanted: dict[str, Any], turn: int
) -> None:
    drive, _ = late(fixed_weeks, tmp_path / "counted")
    sync, all_of_it = drive.prepare(TO_SALESFORCE), Boundaries()
    with dying(drive, all_of_it, "salesforce"):
        drive.finish(sync)
    assert all_of_it.count >= 60
    for at in range(1 + turn, all_of_it.count + 1, EVERY):
        drive, _ = late(fixed_weeks, tmp_path / str(at))
        sync = drive.prepare(TO_SALESFORCE)
        with dying(drive, Boundaries(at), "salesforce"):
            drive.finish(sync)
        (tried_again, given_up)[(at // EVERY) % 2](drive, sync)
        comes_to_rest(drive, wanted)
        drive.end()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", LOST)
def test_a_record_without_a_usable_answer_is_made_once(
    fixed_weeks: Start, tmp_path: Path, wanted: dict[str, Any], kind: str, way: str
) -> None:
    drive, _ = late(fixed_weeks, tmp_path / "lost")
    for method in ("POST", "PATCH"):
        fault(drive, kind, way, method, system="salesforce", times=4)
    sync = drive.prepare(TO_SALESFORCE)
    with suppress(UnreachableError):
        drive.finish(sync)
    drive.sandbox.faults["salesforce"].clear()
    comes_to_rest(drive, wanted)
    drive.end()
