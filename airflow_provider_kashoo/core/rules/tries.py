"""When a write that Kashoo refused is sent again, though nothing about it changed.

The cause is often in the books, where nobody tells us that it is gone. So it is tried on some more days, then once a
week; at once, if its record or its mapping changed, or when a person replays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_kashoo.core.rules.actions import Action
from airflow_provider_kashoo.core.rules.made_from import Sources

DAYS = 4
"""The first day, and three more."""

WEEK_SECONDS = 7 * 86_400.0


@dataclass(frozen=True)
class Refused:
    """A parked write that was sent and refused.

    :param fields: field -> keyed hash of what was sent.
    :param sources: from what it was made; None if that is not known.
    :param days: on how many days (UTC) just this was sent.
    :param last: when it was sent last, epoch seconds.
    """

    action: Action
    fields: Mapping[str, str]
    sources: Sources | None
    days: int
    last: float

    def rests(self, now: float) -> bool:
        """Say whether it is not sent now if nothing changed.

        :param now: epoch seconds.
        """
        return self.days >= DAYS and now - self.last < WEEK_SECONDS
