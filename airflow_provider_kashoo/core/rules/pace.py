"""When a number of requests will be answered, within limits of which others use a part."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

SHORT = 60.0
"""Seconds: a limit that holds for less only slows what is sent."""


@dataclass(frozen=True)
class Limit:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float


@dataclass(frozen=True)
class Pace:
    """The request limits as they stand.

    :param now: epoch seconds UTC.
    :param limits: all of them hold at once.
    :param counted: from when each request of lately counts, epoch seconds, in order; whoever sent it.
    :param closed_until: when Kashoo takes requests again; 0 when it does now.
    :param each: seconds that a request takes.
    :param patience: longest wait in seconds that a task sleeps through.
    :param batch: a longer wait ends when so many requests are free.
    """

    now: float
    limits: Sequence[Limit]
    counted: Sequence[float] = ()
    closed_until: float = 0.0
    each: float = 0.0
    patience: float = 0.0
    batch: int = 1

    @property
    def free(self) -> int:
        """How many requests can be sent within the next minute, or less time."""
        left = max(0.0, self.now + SHORT - max(self.now, self.closed_until))
        return max(0, min(self._free_of(limit, left) for limit in self.limits)) if left else 0

    def used_of(self, limit: Limit) -> int:
        """Say how many requests count against a limit now."""
        return len(self.counted) - bisect_right(self.counted, self.now - limit.seconds)

    def _free_of(self, limit: Limit, left: float) -> int:
        return int(limit.requests * max(1.0, left / limit.seconds)) - self.used_of(limit)

    def done_at(self, requests: int) -> float:
        """Say when the last of so many requests is answered, if they are sent one after the other from now on.

        :returns: epoch seconds UTC.
        """
        at, answers = self.now, list(self.counted)
        for _ in range(requests):
            free = max(self._free_at(answers, 1), self.closed_until)
            if free - at > self.patience:
                free = max(self._free_at(answers, self.batch), self.closed_until)
            at = max(at, free) + self.each
            answers.append(at)
        return at

    def _free_at(self, answers: Sequence[float], wanted: int) -> float:
        """Say when every window has room for so many requests; a past time means now."""
        found = 0.0
        for limit in self.limits:
            place = limit.requests - min(wanted, limit.requests) + 1
            if len(answers) >= place:
                found = max(found, answers[-place] + limit.seconds)
        return found
