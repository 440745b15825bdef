"""Which assets get an event when the plan was applied; that Airflow makes it is shown by test_round.py."""

from __future__ import annotations

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_kashoo.operators.assets import announced
from airflow_provider_kashoo.operators.sync import KashooSyncApplyOperator

SYNC = "salesforce_to_kashoo"


@pytest.mark.parametrize(
    ("outcome", "extra"),
    [
        ({}, None),
        ({"unchanged": 5, "parked": 2, "stale": 1, "in_doubt": 1, "linked": 3}, None),
        ({"created": 0}, None),
        ({"created": 3, "unchanged": 5, "parked": 1}, {"created": 3}),
        ({"updated": 1, "voided": 2}, {"updated": 1, "voided": 2}),
        ({"written_back": 4}, {"written_back": 4}),
        ({"done before": 4}, {"done before": 4}),  # an earlier try wrote them, and was not announced
    ],
)
def test_an_event_says_how_many_records_were_written(outcome: dict[str, int], extra: dict[str, int] | None) -> None:
    mine, events = Asset("mine"), OutletEventAccessors()
    outlets = [mine, AssetAlias("others")]
    assert announced(outlets, outcome, {"outlet_events": events}) == ([] if extra is None else outlets)
    assert events[mine].extra == (extra or {})


def test_each_business_may_have_assets_of_its_own() -> None:
    own = [Asset("kashoo_invoices_canada")]
    assert KashooSyncApplyOperator(task_id="apply", sync=SYNC, outlets=own).outlets == own
    assert KashooSyncApplyOperator(task_id="apply", sync=SYNC, outlets=[]).outlets == []
    assert KashooSyncApplyOperator(task_id="apply", sync=SYNC).outlets == [Asset("kashoo_invoices")]
