"""Plans that a test makes by hand, and what is staged of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_kashoo.core.rules.intents import Intent, Keep
from airflow_provider_kashoo.core.rules.kept import intents_of
from airflow_provider_kashoo.core.rules.order import in_order
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.sync.run.pending import Pending
from airflow_provider_kashoo.sync.run.plan_file import Draft, PlanFile
from airflow_provider_kashoo.sync.run.sync import Sync


def stage_plan(sync: Sync, intents: Sequence[Intent], **said: Any) -> PlanSummary:
    """Stage the files of a plan, without its summary, which is returned."""
    draft = Draft(Pending.of(sync.store))
    draft.add(intents)
    scope = {"org_id": sync.store.org_id, "business_id": sync.store.business_id}
    return draft.stage(sync.files, **{"seconds_for": float, "notes": ["a note"]} | scope | said)


def rows(sync: Sync) -> list[Intent]:
    """Give what acts of a staged plan."""
    return PlanFile(sync.files).rows()


def kept(sync: Sync) -> list[Keep]:
    """Give the unchanged records that are no rows."""
    return [each for part in PlanFile(sync.files).kept() for each in intents_of(part, range(part.num_rows))]


def planned(sync: Sync) -> list[Intent]:
    """Give all of it."""
    return in_order([*rows(sync), *kept(sync)])
