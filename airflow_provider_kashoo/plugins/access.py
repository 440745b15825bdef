"""Who may see and who may act: Airflow's auth manager decides, by the DAG that writes the invoices."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.sdk import conf
from fastapi import Depends, HTTPException, Request

from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

OTHER_SITE = "This request does not come from a page of this Airflow, so nothing was done."


def same_origin(request: Request) -> None:
    """Refuse what another site lets a browser send with a person's cookie; a program with a token may come as it is.

    :raises HTTPException: 403.
    """
    if request.headers.get("authorization"):
        return
    site = request.headers.get("sec-fetch-site")
    sender = request.headers.get("origin") or request.headers.get("referer") or ""
    ours = {request.headers.get("host"), urlsplit(conf.get("api", "base_url", fallback="") or "").netloc}
    if site not in {None, "same-origin"} or urlsplit(sender).netloc not in ours - {None, ""}:
        raise HTTPException(403, OTHER_SITE)


def named(user: GetUserDep) -> str:
    """Name who asks, as the store keeps it: by the name and id that Airflow knows."""
    return f"{user.get_name()} (id {user.get_id()})"


Who = Annotated[str, Depends(named)]

READS = [Depends(requires_access_dag("GET", param_dag_id=TO_KASHOO))]
"""For routes that show what the store holds."""

READS_THE_DAG = [Depends(requires_access_dag("GET"))]
"""For routes that show one DAG, which ``dag_id`` of the path names."""

ASKS_KASHOO = [Depends(requires_access_dag("PUT", param_dag_id=TO_KASHOO))]
"""For routes that write nothing, but use up requests to Kashoo."""

ACTS = [*ASKS_KASHOO, Depends(same_origin)]
"""For routes that change something."""


def may(user: BaseUser, method: Literal["POST", "PUT"], dag_id: str, entity: DagAccessEntity | None = None) -> bool:
    """Say whether a person may do something with a DAG, or with a part of it."""
    return bool(
        get_auth_manager().is_authorized_dag(
            method=method, access_entity=entity, details=DagDetails(id=dag_id), user=user
        )
    )
