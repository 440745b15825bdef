"""What a plan is identified by: every field of every row, in order, and what is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

import pytest
from intents import like

from airflow_provider_kashoo.core.rules.intents import INTENTS, Create, Intent, Keep, Release
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.run import plan_file
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft

DEAL = "006000000000001AAA"
ANY = Intent(record=Record("invoice", "Opportunity", DEAL), mapping="invoices", reason="won")
ONE = like(ANY, Create)
CLASSES = list(INTENTS.values())
CHANGED = {
    "record": replace(ANY.record, kind="customer"),
    "generation": 2,
    "kashoo_id": 5,
    "link_version": 1,
    "document": {"memo": "x"},
    "changes": {"memo": "x"},
    "held": {"memo": "x"},
    "sources": {"memo": {}},
    "total": 1,
}


class Nowhere:
    """Files that are not kept."""

    def write_batches(self, _: str, __: Any, parts: Iterable[Any]) -> None:
        for _each in parts:
            pass


class Anything(dict[Any, Any]):
    """Every record is parked: so what is at rest closes something, and is a row."""

    def __contains__(self, _: object) -> bool:
        return True


def staged(*intents: Intent, parked: Any = ()) -> PlanSummary:
    draft = Draft(Pending(parked, {}))
    draft.add(intents)
    nowhere: Any = Nowhere()
    return draft.stage(nowhere, seconds_for=float, notes=[])


@pytest.fixture
def _unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a person be shown the same of every plan, so that the rows alone differ."""
    monkeypatch.setattr(plan_file, "summarise", lambda *_, **__: PlanSummary())


def digest_with(*intents: Intent) -> str:
    return staged(*intents, parked=Anything()).digest


@pytest.mark.usefixtures("_unseen")
@pytest.mark.parametrize(("of", "name"), [(of, field.name) for of in CLASSES for field in fields(of)])
def test_the_digest_covers_every_field_of_every_row(of: type[Intent], name: str) -> None:
    intent = like(ANY, of)
    value = not intent.ends_waiting if name == "ends_waiting" else CHANGED.get(name, "other")  # type: ignore[attr-defined]
    assert digest_with(replace(intent, **{name: value})) != digest_with(intent)


@pytest.mark.usefixtures("_unseen")
@pytest.mark.parametrize("of", CLASSES)
def test_the_digest_covers_which_record_a_row_is_about(of: type[Intent]) -> None:
    parts: dict[str, Any] = {"kind": "customer", "object": "Order", "id": "other", "part": 2}
    assert parts.keys() == {field.name for field in fields(Record)}
    digests = {digest_with(like(ANY, of)), *(digest_with(like(ANY, of, **{name: parts[name]})) for name in parts)}
    assert len(digests) == 1 + len(parts)


@pytest.mark.usefixtures("_unseen")
def test_the_digest_covers_what_is_to_be_done() -> None:
    assert len({digest_with(like(ANY, of)) for of in CLASSES}) == len(CLASSES)


@pytest.mark.usefixtures("_unseen")
def test_the_digest_tells_a_row_from_an_unchanged_record_in_columns() -> None:
    digests = {digest_with(like(ANY, Keep)), staged(like(ANY, Keep)).digest, staged().digest}
    assert len(digests) == 3


@pytest.mark.parametrize("of", [Keep, Release])
def test_the_digest_covers_how_many_records_are_at_rest_and_why(of: type[Intent]) -> None:
    one, two = like(ANY, of), like(ANY, of, id="006000000000002AAA")
    plans = [(), (one,), (one, two), (replace(one, reason="another"),)]
    assert len({staged(ONE, *each).digest for each in plans}) == len(plans)


def test_why_a_record_is_skipped_is_covered_and_which_one_it_is_is_not() -> None:
    """It does not act: that it is counted is what a person is shown of it."""
    one = like(ANY, Release)
    assert staged(one) == staged(like(one, id="006000000000002AAA"))


@pytest.mark.usefixtures("_unseen")
def test_the_digest_depends_on_order_and_number_of_rows() -> None:
    one, two = like(ONE, total=1), like(ONE, total=2)
    plans = [(), (one,), (one, one), (one, two), (two, two)]
    assert len({digest_with(*each) for each in plans}) == len(plans)


def test_the_order_in_which_a_document_was_built_leaves_the_digest_alone() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert staged(like(ONE, document=one)).digest == staged(like(ONE, document=other)).digest
