"""Published ways to read a delta, played on small histories: each loses or repeats a record, and ours does not.

They are models of what public issues describe, not of what any tool does today.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from history import DAY, HOUR, MINUTE, Org, Rules, RunFacts, Statement, Sync, Trip, Version, instant, play

ALICE, BOB, CAROL = 1, 2, 3
Reader = Callable[[Org, float], list[Version]]


def ours(org: Org, *moments: float, rules: Rules | None = None) -> Sync:
    """Play our runs at these moments, and one long after, by pages of two rows that are queries of their own."""
    sync = Sync(org, rules or Rules())
    facts = RunFacts("run", first=instant(0))
    play([sync.in_turn([Trip(facts, at, pages=(2,), locator=False) for at in (*moments, max(moments) + HOUR)])])
    return sync


def theirs(org: Org, peer: Reader, *moments: float) -> dict[int, Version]:
    """Play a peer's runs at these moments, and one long after; gives what it holds then."""
    held: dict[int, Version] = {}
    for moment in (*moments, max(moments) + HOUR):
        held |= {version.record: version for version in peer(org, moment)}
    return held


def lost(org: Org, held: dict[int, Version]) -> list[int]:
    return [final.record for final in org.finals() if held.get(final.record) != final]


class Cursor:
    """Remembers the highest stamp it saw and asks for what is after it, up to whatever is there.

    :param strict: ``>`` instead of ``>=``.
    :param lookback: seconds it goes back behind the cursor.
    """

    def __init__(self, *, strict: bool, lookback: float = 0) -> None:
        self.strict, self.lookback, self.highest = strict, lookback, float("-inf")

    def __call__(self, org: Org, moment: float) -> list[Version]:
        lower = self.highest - self.lookback + self.strict
        rows = org.stamped(lower, float("inf"), moment)
        self.highest = max([self.highest, *(row.stamp for row in rows)])
        return rows


class SinceLastRun:
    """Reads ``[last run, now)`` by some clock, without an overlap.

    :param skew: how far the clock is ahead of Salesforce's.
    """

    def __init__(self, skew: float = 0) -> None:
        self.skew, self.last = skew, float("-inf")

    def __call__(self, org: Org, moment: float) -> list[Version]:
        lower, self.last = self.last, moment + self.skew
        return org.stamped(lower, self.last, moment)


class Remembering:
    """Reads with a generous overlap, hands on only what a set of keys does not hold.

    :param key: what of a record makes it known.
    :param keep: how many keys are kept.
    """

    def __init__(self, key: Callable[[Version], object], keep: int = 10_000) -> None:
        self.key, self.keep, self.known = key, keep, dict[object, None]()

    def __call__(self, org: Org, moment: float) -> list[Version]:
        new = [row for row in org.stamped(moment - 2 * DAY, moment, moment) if self.key(row) not in self.known]
        self.known |= dict.fromkeys(map(self.key, new))
        self.known = dict.fromkeys([*self.known][-self.keep :])
        return new


class Paged:
    """Reads pages of two, a minute apart, each a query of its own.

    :param offset: by their number; otherwise from the stamp of the last row seen on, which ends at equal stamps.
    """

    def __init__(self, *, offset: bool) -> None:
        self.offset = offset
        self.highest = float("-inf")

    def __call__(self, org: Org, moment: float) -> list[Version]:
        rows: list[Version] = []
        lower = self.highest if self.offset else self.highest + 1
        while True:
            found = org.stamped(lower, float("inf"), moment)
            page = found[len(rows) :][:2] if self.offset else found[:2]
            rows += page
            if len(page) < 2:
                break
            lower = lower if self.offset else page[-1].stamp + 1
            moment += MINUTE
        self.highest = max([self.highest, *(row.stamp for row in rows)])
        return rows


# -- named bugs


def late_org() -> Org:
    """Alice is written first and seen last: her transaction takes two minutes."""
    org = Org()
    org.write(ALICE, 1000, commit=1120)
    org.write(BOB, 1060)
    return org


def tied_org() -> Org:
    """Alice and Bob bear the same second; Bob is seen only after the run that read Alice."""
    org = Org()
    org.write(ALICE, 1000.1)
    org.write(BOB, 1000.8, commit=1002)
    return org


@pytest.mark.parametrize("strict", [True, False])
def test_airbyte_27146_records_seen_late_with_stamps_below_the_cursor(strict: bool) -> None:
    org = late_org()
    assert lost(org, theirs(org, Cursor(strict=strict), 1100)) == [ALICE]
    assert ours(org, 1100).books.missed(org.finals()) == []


def test_airbyte_27146_a_lookback_alone_moves_the_edge_and_keeps_the_bug() -> None:
    """Behind a cursor of stamps seen, whatever is committed later than the lookback is lost; we know what is open."""
    org = Org()
    org.write(ALICE, 1000, commit=1000 + 2 * HOUR)
    org.write(BOB, 1000 + HOUR)
    assert lost(org, theirs(org, Cursor(strict=False, lookback=600), 1060 + HOUR)) == [ALICE]
    assert ours(org, 1060 + HOUR, rules=Rules(covered_age=DAY)).books.missed(org.finals()) == []


def test_airbyte_42537_some_rows_of_one_second_are_missing() -> None:
    org = tied_org()
    assert lost(org, theirs(org, Cursor(strict=True), 1001)) == [BOB]
    assert ours(org, 1001).books.missed(org.finals()) == []


def test_airbyte_27048_a_large_part_is_absent_without_an_error() -> None:
    """Rows that are touched while pages are counted slide to the end, and the rest moves under the reader's offset."""
    org = Org()
    for record in range(10):
        org.write(record, 1000 + record)
    for record in range(4):
        org.write(record, 2000 + MINUTE * record + 30, kind="touch")
    missing = lost(org, theirs(org, Paged(offset=True), 2000))
    assert len(missing) >= 3
    assert ours(org, 2000).books.missed(org.finals()) == []


def test_supaglue_532_a_bulk_edit_gives_more_rows_one_stamp_than_a_page_holds() -> None:
    org = Org()
    org.transaction(1000, 1000, *(Statement(1000, record) for record in range(5)))
    assert lost(org, theirs(org, Paged(offset=False), 2000)) == [2, 3, 4]
    assert ours(org, 2000).books.missed(org.finals()) == []


# -- ways that are wrong whoever takes them


def test_a_watermark_by_the_workers_clock_jumps_over_what_that_clock_is_ahead() -> None:
    org = Org()
    org.write(ALICE, 1100)
    peer = SinceLastRun(skew=5 * MINUTE)
    assert lost(org, theirs(org, peer, 1000)) == [ALICE]
    assert ours(org, 1000).books.missed(org.finals()) == []


def test_windows_that_touch_without_an_overlap_lose_what_is_committed_late() -> None:
    org = late_org()
    assert lost(org, theirs(org, SinceLastRun(), 1100)) == [ALICE]
    assert ours(org, 1100).books.missed(org.finals()) == []


# -- de-duplication by event, generation by generation (n8n, 2025 to 2026)


def deal_edited_twice() -> Org:
    org = Org()
    org.write(ALICE, 1000)
    org.write(BOB, 1010)
    org.write(ALICE, 1100 + HOUR)
    org.write(BOB, 1200 + HOUR, kind="touch")
    return org


def test_n8n_windows_without_overlap_miss_objects() -> None:
    org = late_org()
    assert lost(org, theirs(org, SinceLastRun(), 1100)) == [ALICE]


def test_n8n_keys_that_are_pruned_repeat_what_the_overlap_reads_again() -> None:
    org = deal_edited_twice()
    peer = Remembering(lambda row: (row.record, row.stamp), keep=1)
    handed = [row for moment in (1050.0, 1060.0) for row in peer(org, moment)]
    assert [row.record for row in handed].count(ALICE) == 2
    assert ours(org, 1050, 1060).books.twice == []


def test_n8n_ids_alone_as_keys_drop_every_later_update() -> None:
    org = deal_edited_twice()
    assert lost(org, theirs(org, Remembering(lambda row: row.record), 1050, 1300 + HOUR)) == [ALICE, BOB]
    assert ours(org, 1050, 1300 + HOUR).books.missed(org.finals()) == []


def test_n8n_ids_and_stamps_as_keys_act_again_on_edits_that_change_nothing() -> None:
    org = deal_edited_twice()
    peer = Remembering(lambda row: (row.record, row.stamp))
    handed = [row for moment in (1050, 1300 + HOUR) for row in peer(org, moment)]
    assert [(row.record, row.content) for row in handed].count((BOB, 1)) == 2
    sync = ours(org, 1400, 1300 + HOUR)
    assert sync.books.missed(org.finals()) == []
    assert sync.books.effects == {(ALICE, 1, False): 1, (ALICE, 2, False): 1, (BOB, 1, False): 1}


def test_keys_of_id_and_stamp_do_not_see_the_second_change_of_one_second() -> None:
    org = Org()
    org.write(CAROL, 1000)
    org.write(CAROL, 2000.1, commit=2000.2)
    org.write(CAROL, 2000.5, commit=2001.5, kind="delete")
    peer = Remembering(lambda row: (row.record, row.stamp))
    assert lost(org, theirs(org, peer, 1050, 2001)) == [CAROL]
    assert ours(org, 1050, 2001).books.missed(org.finals()) == []
