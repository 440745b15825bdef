"""Leave as it is what a person was asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.reviews import Reviews
from airflow_provider_kashoo.sync.by_hand.named import SEE, one_question


def dismiss(database: Database, item: str, *, by: str, reason: str) -> Mapping[str, Any]:
    """Leave a question as it is: it is not shown again until what it says changes. Neither side is asked or changed.

    :param item: its id, such as ``R12``, or that of its record if nothing else is asked about that.
    :param by: who says so; it is kept with the reason.
    :returns: the item.
    :raises ConfigurationError: when there is no such open item, or no reason.
    """
    if not reason.strip():
        raise ConfigurationError("A reason is needed: it is what an auditor reads later.", remedy="Give --why TEXT.")
    scope, asked = one_question(database, item)
    found = Reviews(scope).dismiss(asked["id"], by, reason.strip())
    if found is None:
        raise ConfigurationError(f"{item} was closed meanwhile.", remedy=SEE)
    return found
