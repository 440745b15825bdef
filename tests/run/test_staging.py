"""The files between the steps, by themselves: what is written is read again, and what is not whole is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from intents import like
from plans import planned, rows, stage_plan
from room import DEAL, DOCUMENT, Room

from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError, Problem
from airflow_provider_kashoo.core.rules import kept
from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.intents import (
    INTENTS,
    Ask,
    Create,
    Intent,
    Keep,
    Release,
)
from airflow_provider_kashoo.core.rules.order import in_order
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run import plan_file
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft, PlanFile, decisions_about
from airflow_provider_kashoo.sync.run.waits import MOST_WAITS, waiting

BEGUN = Intent(
    record=Record("invoice", "Opportunity", DEAL, 2),
    reason="won, and “not” billed yet",
    mapping="invoices",
    sale="006000000000009AAA",
    generation=3,
    link_version=4,
    source_read="2026-03-02T12:00:00+00:00",
    kashoo_id=501,
    currency="USD",
    total=25_000,
)
PARKED = Problem("closed_period", "its date lies in a locked period", "Unlock the period.")
SAID: dict[str, Any] = {
    "document": DOCUMENT | {"contact": {"link": ["customer", "001000000000001AAA"]}, "poNumber": None},
    "changes": {"memo": "Zürich", "lines": []},
    "held": {"memo": None},
    "base": "ab12",
    "into": "006000000000007AAA",
    "into_sale": "006000000000008AAA",
    "settlement": "Paid",
    "error_class": "closed_period",
    "fix": "Unlock the period.",
}
"""Something in every field that some class of intents has of its own."""


def intents() -> list[Intent]:
    every = [BEGUN.become(kind, **_own(kind)) for kind in INTENTS.values()]
    not_ending = [
        replace(each, ends_waiting=not each.ends_waiting) for each in every if isinstance(each, Ask | Keep | Release)
    ]
    return in_order([*every, *not_ending])


def _own(kind: type[Intent]) -> dict[str, Any]:
    return {name: value for name, value in SAID.items() if name in kind.__dataclass_fields__}


def stage(room: Room, plan: list[Intent]) -> PlanSummary:
    """Stage a plan with its summary, as the step plan does."""
    summary = stage_plan(room.sync, plan)
    room.sync.files.write_json("summary", {**asdict(summary), "windows": {}})
    return summary


def refused(room: Room, step: Any = steps.approve) -> str:
    with pytest.raises(ConfigurationError) as said:
        step(room.sync)
    return str(said.value)


# -- the plan


def test_an_intent_of_every_class_survives_with_the_same_digest(room: Room) -> None:
    room.store.waiting.park(BEGUN, PARKED, "run0")  # what is at rest closes that, so it is a row too
    plan = intents()
    summary = stage(room, plan)
    read = rows(room.sync)
    assert [type(each) for each in read] == [type(each) for each in plan]
    assert read == plan
    assert {type(each) for each in read} == set(INTENTS.values())
    assert steps.approve(room.sync) == summary.digest


def test_an_intent_with_the_least_in_it_survives_too(room: Room) -> None:
    room.store.waiting.park(BEGUN, PARKED, "run0")
    plan = in_order([kind(record=BEGUN.record) for kind in INTENTS.values()])
    stage(room, plan)
    assert rows(room.sync) == plan


def test_of_a_record_at_rest_there_is_no_row(room: Room) -> None:
    stage(room, intents())
    assert not any(isinstance(each, Keep | Release) for each in rows(room.sync))
    assert {type(each) for each in planned(room.sync)} == set(INTENTS.values()) - {Release}


def test_an_empty_plan_is_a_plan(room: Room) -> None:
    summary = stage(room, [])
    assert planned(room.sync) == []
    assert steps.approve(room.sync) == summary.digest


def test_a_run_without_a_plan_says_what_to_clear(room: Room) -> None:
    with pytest.raises(ConfigurationError, match=r"no plan.* Clear the task plan, with"):
        PlanFile(room.sync.files)
    assert refused(room).startswith("This run has no plan.")


@pytest.mark.parametrize(
    "old",
    [
        {"action": "create", "target": "invoice", "source_id": DEAL, "payload": "{}"},
        {"action": "create", "intent": json.dumps({"record": asdict(BEGUN.record), "of_yesterday": 1})},
        {"action": "create", "intent": json.dumps({"reason": "no record"})},
        {"action": "of yesterday", "intent": json.dumps({"record": asdict(BEGUN.record)})},
    ],
)
def test_a_plan_of_another_version_is_refused_with_what_to_clear(room: Room, old: dict[str, str]) -> None:
    stage(room, intents())
    room.sync.files.write_table("plan", pa.Table.from_pylist([old]))
    said = refused(room, lambda sync: PlanFile(sync.files).rows())
    assert said.startswith("The plan of this run was made by another version of this package.")
    assert said.endswith("Clear the task plan, with everything downstream.")


def test_a_delta_of_another_version_is_refused_with_what_to_clear(room: Room) -> None:
    room.sync.files.write_json("delta.Opportunity", {"source": "salesforce.Opportunity", "of_yesterday": 1})
    said = refused(room, steps.plan)
    assert said.startswith("What the extract of Opportunity staged was made by another version of this package.")
    assert said.endswith("Clear that task and what follows.")


@pytest.mark.parametrize("lacks", ["org_id", "notes", "searched_books", "totals"])
def test_a_summary_of_an_older_version_is_refused_with_its_plan(room: Room, lacks: str) -> None:
    kept = asdict(stage_plan(room.sync, intents(), searched_books=True))
    del kept[lacks]
    room.sync.files.write_json("summary", {**kept, "windows": {}})
    assert refused(room).endswith("Clear the task plan, with everything downstream.")


def test_what_a_newer_version_says_beside_it_is_left_aside(room: Room) -> None:
    summary = stage(room, intents())
    room.sync.files.write_json("summary", {**asdict(summary), "windows": {}, "of_tomorrow": 1})
    assert steps.approve(room.sync) == summary.digest


@pytest.mark.parametrize("change", [{"total": 1}, {"reason": "other"}, {"kashoo_id": 502}, {"document": {}}])
def test_a_plan_that_says_anything_else_is_not_the_one_that_was_summarised(room: Room, change: dict[str, Any]) -> None:
    create = BEGUN.become(Create, document=DOCUMENT)
    stage(room, [create])
    stage_plan(room.sync, [replace(create, **change)])
    assert refused(room).startswith("The plan of this run is incomplete.")


KEEP = BEGUN.become(Keep, reason="nothing changed", sources={"memo": {"Name": "h"}}, held={"Paid__c": "h"})


@pytest.mark.parametrize(
    "change",
    [
        *({"kashoo_id": 502}, {"source_read": "2026-03-03"}, {"link_version": 5}),
        *({"sources": None}, {"held": {}}, {"observed": {}}, None),
    ],
)
def test_unchanged_records_that_say_anything_else_are_not_approved_nor_applied(
    room: Room, change: dict[str, Any] | None
) -> None:
    stage(room, [KEEP])
    steps.approve(room.sync)
    stage_plan(room.sync, [replace(KEEP, **change)] if change else [])
    assert refused(room, steps.apply).startswith("The plan of this run is not the one that was approved.")
    assert refused(room).startswith("The plan of this run is incomplete.")


def test_the_digest_depends_neither_on_the_size_of_the_parts_nor_on_the_order_of_what_is_at_rest(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [replace(BEGUN, total=each).become(Create, document=DOCUMENT) for each in range(7)]
    unchanged = [like(KEEP, kind=kind, id=f"006{each:012}AAA") for kind in ("invoice", "customer") for each in range(9)]
    whole = stage(room, [*asked, *unchanged])
    for size in (1, 2, 5, 100):
        monkeypatch.setattr(kept, "PART", size)
        monkeypatch.setattr(plan_file, "PART", size)
        assert stage(room, [*asked, *reversed(unchanged)]) == whole
        assert steps.approve(room.sync) == whole.digest
        monkeypatch.setattr(plan_file, "PART", 3)  # read in other parts than it was written in
        assert steps.approve(room.sync) == whole.digest
    assert len(planned(room.sync)) == 25


def test_unchanged_records_are_never_all_read_at_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_file, "PART", 4)
    stage(room, [like(KEEP, id=f"006{each:012}AAA") for each in range(9)])
    assert [part.num_rows for part in PlanFile(room.sync.files).kept()] == [4, 4, 1]


def test_why_a_record_was_not_written_can_be_looked_up(room: Room) -> None:
    draft = Draft(Pending.of(room.store))
    ids = [f"006{each:012}AAA" for each in range(4)]
    kept_one, parked = like(KEEP, id=ids[0]), like(BEGUN, id=ids[1]).parked(PARKED)
    naming = like(BEGUN, id=ids[2]).become(Create, document={"memo": ids[1], "about": [ids[3]]})
    draft.add([kept_one, parked, naming, like(BEGUN, id=ids[1], kind="item").become(Release, reason="not needed")])
    draft.skipped.note("invoice", Action.SKIP, "not IsWon", ids[2:], "invoices")
    draft.stage(room.sync.files, seconds_for=float, notes=[])
    assert decisions_about(room.sync.files, ids[0]) == [
        ("invoice", "invoices", Action.UNCHANGED, "nothing changed", 2),
    ]
    assert decisions_about(room.sync.files, ids[1]) == [
        ("invoice", "invoices", Action.PARK, PARKED.cause, 2),
        ("item", "invoices", Action.SKIP, "not needed", 1),
    ]
    assert decisions_about(room.sync.files, ids[3]) == [("invoice", "invoices", Action.SKIP, "not IsWon", 1)]
    assert decisions_about(room.sync.files, "006000000000999AAA") == []


def test_of_a_run_without_a_plan_nothing_is_known(room: Room) -> None:
    assert decisions_about(room.sync.files, DEAL) == []


def test_only_the_approved_plan_is_applied(room: Room) -> None:
    stage(room, intents())
    assert refused(room, steps.apply).startswith("The plan of this run is not the one that was approved.")
    steps.approve(room.sync)
    stage(room, intents()[1:])
    assert refused(room, steps.apply).startswith("The plan of this run is not the one that was approved.")


# -- files


@pytest.mark.parametrize("file", ["plan.parquet", "kept.parquet", "summary.json"])
@pytest.mark.parametrize("left", [b"", b"PAR1", b"{"])
def test_a_damaged_file_is_named_with_what_to_clear(room: Room, file: str, left: bytes) -> None:
    stage(room, intents())
    (room.sync.files.folder / file).write_bytes(left)
    said = refused(room)
    assert said.startswith(f"The staged file {file.split('.', maxsplit=1)[0]} of this run cannot be read.")
    assert "Clear the task that wrote it" in said


def test_what_is_not_staged_is_nothing(room: Room) -> None:
    assert room.sync.files.read_json("other") is None
    assert room.sync.files.read_table("other") is None


def test_a_file_is_whole_or_not_there(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    files = room.sync.files
    files.write_json("kept", {"a": 1})
    monkeypatch.setattr(type(files.folder), "rename", lambda *_: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        files.write_json("kept", {"a": 2})
    monkeypatch.undo()
    assert files.read_json("kept") == {"a": 1}
    assert files.names("kept") == ["kept"]


def test_names_lists_by_prefix_and_remove_removes_by_it(room: Room) -> None:
    files = room.sync.files
    for name in ("bulk.one", "bulk.two", "other"):
        files.write_json(name, {})
    files.write_table("bulk.one", pa.table({"a": [1]}))
    assert files.names("bulk.") == ["bulk.one", "bulk.two"]
    files.remove("bulk.one")
    assert files.names("") == ["books", "bulk.two", "other"]


def test_another_run_of_the_same_scope_has_a_folder_of_its_own(room: Room) -> None:
    files = room.sync.files
    other = files.of_run("kashoo_to_salesforce", "run1")
    again = files.of_run(room.sync.name, "run2")
    assert len({files.folder, other.folder, again.folder}) == 3
    assert other.folder.parts[-3:-1] == ("kashoo_to_salesforce", "scope")
    other.write_json("a", {"b": 1})
    assert (files.read_json("a"), other.read_json("a")) == (None, {"b": 1})
    assert files.of_run(room.sync.name, "run1").folder == files.folder


def test_run_ids_that_read_alike_have_folders_of_their_own(room: Room) -> None:
    files = room.sync.files
    folders = {files.of_run("s", run_id).folder.name for run_id in ("a/b", "a:b", "a_b", "x" * 200, "x" * 201)}
    assert len(folders) == 5
    assert all(len(name) <= 89 and "/" not in name for name in folders)


# -- waits


def test_what_was_read_before_a_wait_is_not_read_again_after_it(room: Room) -> None:
    room.books.put("invoice", 501, DOCUMENT, totalDue=Decimal("250.10"), other={"rate": [Decimal("0.30")]})
    reads = room.reads()
    before, gone = reads.read("invoice", 501, 1), reads.read("invoice", 502, 1)
    assert reads.keep()
    later = room.reads()
    after = later.read("invoice", 501, 1)
    assert before is not None
    assert after is not None
    assert (after.raw, gone, later.read("invoice", 502, 1)) == (before.raw, None, None)
    assert after.fingerprint(room.store.hashes) == before.fingerprint(room.store.hashes)
    assert room.books.read_ids == [501, 502]
    assert not later.keep(), "the try got no further than the one before it"


def test_what_another_run_wrote_since_is_read_again(room: Room) -> None:
    room.books.put("invoice", 501, DOCUMENT)
    reads = room.reads()
    for version in (1, 1, 2):
        reads.read("invoice", 501, version)
    assert room.books.read_ids == [501, 501]


def test_the_next_plan_reads_afresh(room: Room) -> None:
    room.books.put("invoice", 501, DOCUMENT)
    reads = room.reads()
    reads.read("invoice", 501, 1)
    reads.keep()
    reads.forget()
    room.reads().read("invoice", 501, 1)
    assert room.books.read_ids == [501, 501]


def spent(room: Room, *, got_on: bool = False) -> None:
    with waiting(room.sync, "plan", lambda: got_on):
        raise BudgetSpent(60.0)


def test_a_step_waits_for_its_budget_until_it_is_in_vain(room: Room) -> None:
    for _ in range(MOST_WAITS):
        with pytest.raises(BudgetSpent):
            spent(room)
    with pytest.raises(ConfigurationError, match=f"waited for its request budget {MOST_WAITS + 1} times"):
        spent(room)


@pytest.mark.parametrize("between", ["it got on", "it was done"])
def test_a_step_that_gets_on_begins_to_count_anew(room: Room, between: str) -> None:
    for _ in range(2 * MOST_WAITS):
        with pytest.raises(BudgetSpent):
            spent(room)
        if between == "it was done":
            with waiting(room.sync, "plan"):
                pass
        else:
            with pytest.raises(BudgetSpent):
                spent(room, got_on=True)
