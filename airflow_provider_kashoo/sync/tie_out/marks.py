"""What a person says about a difference of a tie-out. Neither side is asked or changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.reports.difference import DISMISSED, INVESTIGATING, OPEN
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.differences import SHOWN, Differences, scopes_of

STATES = (OPEN, INVESTIGATING, DISMISSED)


def mark(database: Database, ident: str, state: str, *, by: str, reason: str) -> Mapping[str, Any]:
    """Say what a person thinks of a difference; it counts until an amount of it changes, or it is gone.

    :param ident: as the report shows it.
    :param state: one of :data:`STATES`.
    :param by: who says so; it is kept with the reason.
    :returns: the difference.
    :raises ConfigurationError: when no difference is known by this id, or a reason is missing.
    """
    if state != OPEN and not reason.strip():
        raise ConfigurationError(
            "A reason is needed: it is what an auditor reads later.",
            remedy="Say why; on the command line with --why TEXT.",
        )
    known = re.fullmatch(f"[0-9a-f]{{{SHOWN},32}}", ident.lower())
    scopes = scopes_of(database, ident.lower()) if known else []
    found = (Differences(scope).mark(ident.lower(), state, by=by, reason=reason.strip()) for scope in scopes)
    row = next((each for each in found if each), None)
    if row is None:
        raise ConfigurationError(
            f"No open difference has the id {shown(ident)}.",
            remedy="The DAG kashoo_tie_out notes differences; take the id from the report of its last run.",
        )
    return row
