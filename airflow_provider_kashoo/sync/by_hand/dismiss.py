"""Leave as it is what a person was asked about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.overview import scope_of_item
from airflow_provider_kashoo.store.reviews import Reviews

SEE = "See: airflow kashoo status"


def number_of(item: str) -> int:
    """Read the id of a review item, as ``airflow kashoo status`` shows it: ``R12``.

    :raises ConfigurationError: for anything else.
    """
    found = re.fullmatch(r"[Rr]?(\d{1,9})", item)
    if found is None:
        raise ConfigurationError(f"{item!r} is no review item; their ids look like R12.", remedy=SEE)
    return int(found[1])


def dismiss(database: Database, item: str, *, by: str, reason: str) -> Mapping[str, Any]:
    """Leave a question as it is: it is not shown again until what it says changes. Neither side is asked or changed.

    :param item: its id, such as ``R12``.
    :param by: who says so; it is kept with the reason.
    :returns: the item.
    :raises ConfigurationError: when there is no such open item, or no reason.
    """
    if not reason.strip():
        raise ConfigurationError("A reason is needed: it is what an auditor reads later.", remedy="Give --reason TEXT.")
    scope = scope_of_item(database, number_of(item))
    found = Reviews(scope).dismiss(number_of(item), by, reason.strip()) if scope else None
    if found is None:
        raise ConfigurationError(f"No open review item has the id {item}.", remedy=SEE)
    return found
