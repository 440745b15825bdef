"""The buttons of the view To do. Each does what a command of ``airflow kashoo`` does, as the user of Airflow."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.settled import NAMES, Side
from airflow_provider_kashoo.plugins.access import ACTS, may, named
from airflow_provider_kashoo.plugins.opened import Sides, store
from airflow_provider_kashoo.runtime.decide import dag_of, plan_named
from airflow_provider_kashoo.runtime.decide import decide as decide_about
from airflow_provider_kashoo.runtime.replay_runs import REPLAY, start_replay
from airflow_provider_kashoo.runtime.waiting_tasks import assigned_to
from airflow_provider_kashoo.settings import staging_root
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss as leave
from airflow_provider_kashoo.sync.by_hand.named import parked_now
from airflow_provider_kashoo.sync.by_hand.resolve import resolve
from airflow_provider_kashoo.sync.by_hand.settle import settle as decide_for

router = APIRouter(prefix="/api/todo", dependencies=ACTS)

Store = Annotated[Database, Depends(store)]
Item = Annotated[str, Field(min_length=1, max_length=40)]
Reason = Annotated[str, Field(max_length=1_000)]
Said = dict[str, Any]


class Dismissed(BaseModel):
    """A question that is left as it is."""

    item: Item
    reason: Reason


class Settled(Dismissed):
    """A question of which one side is right."""

    side: Side


class LookedUp(BaseModel):
    """What a person found in Kashoo.

    :param kashoo_id: of the record; None if Kashoo does not have it.
    """

    item: Item
    kashoo_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None


class Decided(BaseModel):
    """What a person decided about a plan.

    :param digest: its first 12 characters or more.
    """

    digest: Annotated[str, Field(max_length=64)]
    decision: Literal["approve", "reject"]
    reason: Reason = ""


class Again(BaseModel):
    """What is to be tried again: some records, all that is parked for a cause, or all that is parked."""

    ids: Annotated[list[Item], Field(max_length=100)] = []
    cause: Annotated[str, Field(max_length=64)] = ""
    all: bool = False


@router.post("/dismiss")
def dismiss(body: Dismissed, database: Store, user: GetUserDep) -> Said:
    """Leave a question as it is."""
    leave(database, body.item, by=named(user), reason=body.reason)
    return {"said": "It is left as it is, and shown again only if what it says changes."}


@router.post("/settle")
def settle(body: Settled, database: Store, user: GetUserDep) -> Said:
    """Note which side is right."""
    decide_for(database, body.item, body.side, by=named(user), reason=body.reason)
    return {"said": f"{NAMES[body.side]} is right: the next run does it."}


@router.post("/resolve")
def looked_up(body: LookedUp, sides: Sides, user: GetUserDep) -> Said:
    """Close a write in doubt; a record that is said to be there is read in Kashoo first."""
    with sides() as sync:
        resolve(sync, body.item, body.kashoo_id, by=named(user))
    there = f"It is Kashoo's {body.kashoo_id}." if body.kashoo_id else "Kashoo does not have it: the next run plans it."
    return {"said": there}


@router.post("/decide")
def decide(body: Decided, database: Store, user: GetUserDep) -> Said:
    """Approve or reject a plan, if Airflow lets this person answer for its DAG, and nobody else was asked."""
    plan, root = plan_named(database, body.digest), staging_root()
    dag_id = dag_of(root, plan) or plan.sync
    if not may(user, "PUT", dag_id, DagAccessEntity.HITL_DETAIL):
        raise HTTPException(403, f"You may not answer for the DAG {dag_id}.")
    asked = assigned_to(dag_id, plan.run_id)
    if asked and str(user.get_id()) not in asked:
        raise HTTPException(403, f"Only these were asked about this plan: {', '.join(sorted(asked.values()))}.")
    if body.decision == "reject" and not body.reason.strip():
        raise ConfigurationError("A reason is needed: whoever reads the failed task sees it.", remedy="Write one.")
    lines = decide_about(database, root, body.digest, body.decision, by=named(user), reason=body.reason.strip())
    return {"said": " ".join(lines[-2:])}


@router.post("/replay")
def replay(body: Again, database: Store, user: GetUserDep) -> Said:
    """Start a run that tries parked records again."""
    if sum((bool(body.ids), bool(body.cause), body.all)) != 1:
        raise HTTPException(422, "Say which records: ids, a cause, or all.")
    if not may(user, "POST", REPLAY, DagAccessEntity.RUN):
        raise HTTPException(403, f"You may not start runs of the DAG {REPLAY}.")
    parked_now(database, body.ids, body.cause)
    run_id = start_replay(body.ids, body.cause, by=user.get_name())
    return {"said": "A run tries it again.", "dag_id": REPLAY, "run_id": run_id}
