"""When people are told that something is wrong: once when it turns bad, once when it is well again.

A trouble is a state, not an event. What a person was told of it is kept, and held against what is so now. So a run that
finds the same again says nothing, and whoever could not be told yet hears of it as it is by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

WORSE = 10
"""A trouble is said again when so many times as many records have it as when it was said last."""


class Name(StrEnum):
    """What can be wrong; the values are stored."""

    PARKED = "parked"
    IN_DOUBT = "in_doubt"
    TO_REVIEW = "to_review"
    APPROVAL = "approval"
    FAILED = "failed"
    LATE = "late"
    NOTHING_CAME_IN = "nothing_came_in"
    BUDGET = "budget"
    TIE_OUT = "tie_out"


OF_RECORDS = frozenset({Name.PARKED, Name.IN_DOUBT, Name.TO_REVIEW})
"""These are read from the journal: while a write is under way, nothing can be said of them."""


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong now.

    :param which: tells troubles of one name apart: the cause of records, the sync, the plan, the name of a difference.
    :param count: records, runs or differences that have it.
    :param since: epoch seconds UTC; None if it is not known.
    :param totals: ISO code -> total of the invoices that have it, minor units; nothing of what was never sent.
    :param fix: what to do; empty if it is not the same for all.
    """

    name: Name
    which: str = ""
    count: int = 1
    since: float | None = None
    totals: Mapping[str, int] = field(default_factory=dict)
    fix: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it this trouble, however many records have it."""
        return self.name, self.which


@dataclass(frozen=True)
class Told:
    """What a person was told last of a trouble that was not well again by then.

    :param count: how many had it.
    :param since: as it was said, epoch seconds UTC.
    """

    name: Name
    which: str
    count: int
    since: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """As :attr:`Trouble.key`."""
        return self.name, self.which


@dataclass(frozen=True)
class News:
    """What is to be said, and what is known already.

    :param bad: turned bad.
    :param worse: known, but ten times as many have it.
    :param well: was said, and is over.
    :param known: was said, and goes on.
    """

    bad: Sequence[Trouble] = ()
    worse: Sequence[Trouble] = ()
    well: Sequence[Told] = ()
    known: Sequence[Trouble] = ()

    @property
    def is_new(self) -> bool:
        """Whether any of it has to be said."""
        return bool(self.bad or self.worse or self.well)


def news(now: Iterable[Trouble], told: Iterable[Told], unknown: Collection[Name] = ()) -> News:
    """Say what is new.

    :param now: what is wrong now, at most one of each key.
    :param told: what a person was told.
    :param unknown: names of which it is not known now what is wrong: nothing is said of them, and nothing forgotten.
    """
    said = {each.key: each for each in told}
    present = [each for each in now if each.name not in unknown]
    keys = {each.key for each in present}
    known = [each for each in present if each.key in said]
    worse = [each for each in known if each.count >= WORSE * said[each.key].count]
    return News(
        bad=[each for each in present if each.key not in said],
        worse=worse,
        well=[each for each in said.values() if each.key not in keys and each.name not in unknown],
        known=[each for each in known if each not in worse],
    )


def told_after(told: Iterable[Told], said: News) -> list[Told]:
    """Give what a person is told once the news arrived.

    A count that fell is noted too, so that it is said again when it is ten times as high as it was at its lowest.
    """
    known = {each.key: each for each in told}
    for over in said.well:
        del known[over.key]
    for each in (*said.bad, *said.worse):
        known[each.key] = Told(each.name, each.which, each.count, each.since)
    for each in said.known:
        known[each.key] = replace(known[each.key], count=min(known[each.key].count, each.count))
    return list(known.values())
