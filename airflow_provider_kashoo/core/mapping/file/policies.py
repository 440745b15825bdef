"""What a mapping says about values that differ: who owns a field, and what it means that two records are alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from airflow_provider_kashoo.core.kinds import KINDS

DEFAULT = "default"
"""In place of a field: all that are not named."""

LINES = "lines"


class Owner(StrEnum):
    """Whose value stays when both sides changed a field."""

    SALESFORCE = "salesforce"
    KASHOO = "kashoo"
    LATEST = "latest"
    REVIEW = "review"


class OnDuplicate(StrEnum):
    """What is done with a record that is like one in the books, but carries no reference of ours."""

    LINK = "link"
    UPDATE = "update"
    MERGE = "merge"
    SKIP = "skip"
    REVIEW = "review"


def owned_fields(kind: str) -> list[str]:
    """List what `owners` of a mapping to this kind may name."""
    known = KINDS[kind]
    return [*known.fields, *([LINES] if known.lines else []), DEFAULT]


EVERY_OWNED: list[Any] = sorted({name for kind in KINDS for name in owned_fields(kind)})
"""What they may name in any mapping, for editors."""
