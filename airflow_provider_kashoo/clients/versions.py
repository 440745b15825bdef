"""The version of Salesforce's API that the connection asks for, and those that the org offers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_provider_kashoo.core.errors import ConfigurationError

OLDEST = 47
"""Queries by Bulk API 2.0 came with version 47.0 (evidenced)."""

RESULT_PAGES = 58
"""Addresses at which to begin with a query's results, to read them in parallel, came with version 58.0 (evidenced)."""


def has_result_pages(asked: str) -> bool:
    """Say whether the results of a bulk query can be read from several places at once."""
    return _number(asked) >= RESULT_PAGES


def is_usable(asked: str) -> bool:
    """Say whether a version is new enough for what is read here."""
    return _number(asked) >= OLDEST


def check_version(asked: str, offered: Sequence[str], connection: str) -> None:
    """Compare the two.

    :param asked: such as ``67.0``.
    :param offered: by the org; empty when it does not say.
    :raises ConfigurationError: naming the version, and the newest one that the org offers.
    """
    newest = max(offered, key=_number, default="")
    advice = f"Set the extra version of connection {connection} to {newest or f'{OLDEST}.0 or newer'}."
    if offered and asked not in offered:
        oldest = min(offered, key=_number)
        raise ConfigurationError(
            f"The org does not offer version {asked} of Salesforce's API, only {oldest} to {newest}.", remedy=advice
        )
    if not is_usable(asked):
        raise ConfigurationError(
            f"Version {asked} of Salesforce's API is too old: {OLDEST}.0 is the oldest that can be used.", remedy=advice
        )


def _number(version: str) -> int:
    found = re.fullmatch(r"(\d{1,4})\.0", version)
    return int(found[1]) if found else 0
