"""The days that a tie-out compares, by the dates of invoices."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from airflow_provider_kashoo.core.errors import ConfigurationError

EARLIEST, LATEST = 1900, 2200


@dataclass(frozen=True)
class Period:
    """The days that are compared, both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        """Refuse a period that ends before it begins, or in which no books were ever kept."""
        if self.first.year < EARLIEST or self.last.year > LATEST:
            said = f"The period from {self.first} to {self.last} is not within the years {EARLIEST} to {LATEST}."
            raise ConfigurationError(said, remedy="Correct --from or --to.")
        if self.first > self.last:
            raise ConfigurationError(
                f"The period ends on {self.last}, before it begins on {self.first}.", remedy="Give --from <= --to."
            )

    @classmethod
    def usual(cls, today: date) -> Period:
        """Give the month before and this one up to today: what a nightly tie-out looks at."""
        return cls((today.replace(day=1) - timedelta(days=1)).replace(day=1), today)

    @property
    def months(self) -> Iterator[str]:
        """List the months in it, ``YYYY-MM``."""
        day = self.first.replace(day=1)
        while day <= self.last:
            yield f"{day:%Y-%m}"
            day = last_day(f"{day:%Y-%m}") + timedelta(days=1)

    def covers(self, month: str) -> bool:
        """Say whether all of a month, ``YYYY-MM``, is compared."""
        return self.begins(month) and self.last >= last_day(month)

    def begins(self, month: str) -> bool:
        """Say whether a month is compared from its first day on."""
        return self.first <= date.fromisoformat(f"{month}-01")


def last_day(month: str) -> date:
    """Give the last day of a month, ``YYYY-MM``."""
    first = date.fromisoformat(f"{month}-01")
    return first.replace(day=calendar.monthrange(first.year, first.month)[1])
