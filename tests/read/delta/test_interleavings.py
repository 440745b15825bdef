"""Thousands of generated histories: nothing that Salesforce promises to show is missed, nothing is applied twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest
from history import BREAKS, DAY, HOUR, MINUTE, Books, Org, Rules, RunFacts, Statement, Sync, Trip, instant, play

HISTORIES, SHARDS = 12_000, 8
SKEW = 5 * MINUTE
FIRST = DAY


@dataclass
class History:
    """One org, the runs on it side by side, and who reads with which watermark into which books."""

    org: Org
    syncs: list[Sync]
    tracks: list[tuple[Sync, list[Trip]]]


def lengths(dice: Random, rules: Rules) -> float:
    """How long a transaction stays open: mostly moments, sometimes about as long as is promised, or far longer."""
    promised = max(rules.margin, rules.covered_age or 0) + rules.overlap
    kind = dice.random()
    if kind < 0.5:
        return dice.choice((0, 0.4, 5, 40))
    if kind < 0.75:
        return dice.uniform(0, 20 * MINUTE)
    if kind < 0.9:
        return dice.uniform(0, promised)
    return dice.uniform(promised, 2 * promised)


def written(dice: Random, rules: Rules, moments: list[float]) -> Org:
    """Write mostly around the moments at which runs read, because that is where anything can be missed."""
    org = Org()
    starts = []
    for _ in range(dice.randint(4, 14)):
        near = dice.choice(moments)
        starts.append(max(float(FIRST), near + dice.choice((dice.uniform(-30, 30), dice.uniform(-HOUR, HOUR)))))
    for start in sorted(starts):
        end = start + lengths(dice, rules)
        at = sorted(dice.uniform(start, end) for _ in range(dice.randint(1, 5)))
        if dice.random() < 0.3:
            at = [at[0]] * len(at)
        kinds = dice.choices(("edit", "touch", "delete"), (8, 3, 1), k=len(at))
        records = dice.sample(range(9), len(at))
        org.transaction(start, end, *(Statement(*each) for each in zip(at, records, kinds, strict=True)))
    return org


def scheduled(dice: Random) -> list[tuple[float, RunFacts]]:
    """Runs of a timetable, by a scheduler whose clock is wrong and which may have been down for days."""
    step, skew = dice.choice((HOUR, DAY)), dice.uniform(-SKEW, SKEW)
    catchup = dice.random() < 0.5
    down = dice.randrange(6), dice.randrange(6)
    runs, missed = [], []
    for number in range(dice.randint(2, 6)):
        start = FIRST + number * step
        if min(down) <= number < max(down):
            missed.append(start)
            continue
        at = start + step - skew + dice.choice((0, 3, dice.uniform(0, 20 * MINUTE)))
        for begin in [*(missed if catchup else ()), start]:
            interval = {"interval_start": instant(begin), "interval_end": instant(begin + step)}
            runs.append((at, RunFacts("scheduled", "scheduled", first=instant(FIRST), **interval)))
        missed.clear()
    return runs


def by_hand(dice: Random, end: float) -> list[tuple[float, RunFacts]]:
    runs = []
    for _ in range(dice.randint(0, 4)):
        at = dice.uniform(FIRST + HOUR, end)
        since, until = sorted((dice.uniform(FIRST, at), dice.uniform(FIRST, at)))
        facts = dice.choice(
            (
                {},
                {"run_type": "asset_triggered"},
                {"since": instant(since)},
                {"until": instant(until)},
                {"since": instant(int(since)), "until": instant(int(until) + 1)},
                {"limit": dice.randint(1, 3)},
                {"only": frozenset("0123")},
            )
        )
        runs.append((at, RunFacts("by hand", **{"run_type": "manual", "first": instant(FIRST), **facts})))
    return runs


def backfills(dice: Random, end: float) -> list[tuple[float, RunFacts]]:
    start = dice.uniform(FIRST, end)
    interval = {"interval_start": instant(start), "interval_end": instant(start + DAY)}
    runs = [(dice.uniform(FIRST, end), RunFacts("backfill", "backfill", first=instant(FIRST), **interval))]
    return runs if dice.random() < 0.4 else []


def trips(dice: Random, runs: list[tuple[float, RunFacts]]) -> list[Trip]:
    """Give each run its pages, its pace and its misfortunes."""
    return [
        Trip(
            facts,
            at,
            pace=dice.choice((0.2, 1.0, 20.0, 5 * MINUTE)),
            pages=tuple(dice.randint(1, 3) for _ in range(3)) if dice.random() < 0.8 else (2000,),
            locator=dice.random() < 0.5,
            breaks=tuple(dice.choices(BREAKS, k=dice.choice((0, 0, 1, 2)))),
            patient=dice.random() < 0.6,
            delay=dice.choice((30, 30 * MINUTE, 5 * HOUR)),
            parks=frozenset(dice.sample(range(9), 2)) if dice.random() < 0.3 else frozenset(),
        )
        for at, facts in sorted(runs, key=lambda run: run[0])
    ]


def history(seed: str) -> History:
    dice = Random(seed)  # noqa: S311 - the same histories on every machine
    age = dice.choice((None, 2 * HOUR, DAY))
    rules = Rules(dice.choice((0, 60, 600)), dice.choice((0, 60, 300)), age)
    dags = []
    for _ in range(dice.choice((1, 1, 2))):
        plan = scheduled(dice)
        end = plan[-1][0] + HOUR if plan else FIRST + DAY
        dags.append((plan + by_hand(dice, end), backfills(dice, end)))
    moments = [at for runs, more in dags for at, _ in runs + more] or [float(FIRST)]
    org = written(dice, rules, moments)
    shared = (dict(), Books()) if dice.random() < 0.5 else None  # noqa: C408
    syncs, tracks = [], []
    for runs, more in dags:
        marks, books = shared or ({}, Books())
        sync = Sync(org, rules, marks=marks, books=books)
        syncs.append(sync)
        tracks += [(sync, trips(dice, runs)), (sync, trips(dice, more))]
    return History(org, syncs, tracks)


def rest(story: History, dice: Random) -> float:
    """Play a history to its end, then one undisturbed run of each DAG when all is committed; gives its moment."""
    done = play([sync.in_turn(runs) for sync, runs in story.tracks])
    quiet = int(max(done, story.org.end)) + 1
    at = quiet + story.syncs[0].rules.margin + 1
    for sync in story.syncs:
        interval = {"interval_start": instant(quiet - DAY), "interval_end": instant(quiet)}
        facts = dice.choice(({}, {"run_type": "asset_triggered"}, {"run_type": "scheduled", **interval}))
        sync.run(at, first=instant(FIRST), **facts)
    return at


def judge(story: History, seed: str) -> Counter[str]:
    """Play one history; raises when it broke what is promised, and counts what happened in it."""
    at = rest(story, Random(seed))  # noqa: S311
    seen: Counter[str] = Counter()
    finals = story.org.finals()
    for sync in story.syncs:
        missed = sync.books.missed(finals)
        assert [each for each in missed if sync.rules.promises(each)] == [], f"history {seed} lost records"
        assert sync.books.twice == [], f"history {seed} applied twice"
        assert all(known is None or known < upper for known, upper in sync.moves), f"history {seed} moved back"
        seen["beyond what is promised, missed"] += len(missed)
        seen["beyond what is promised"] += sum(not sync.rules.promises(each) for each in finals)
        before = sync.books.effects.copy()
        sync.run(at + HOUR, first=instant(FIRST))
        assert sync.books.effects == before, f"history {seed} is not at rest"
        assert sync.books.unsettled == set()
        seen["final versions"] += len(finals)
        seen["echoes"] += sync.books.echoes
        seen["old versions handed on"] += sync.books.old
        seen["runs"] += len(sync.windows)
        seen["empty windows"] += sum(window.empty for window in sync.windows)
        seen["covered"] += sum("confirmed nothing newer" in window.note for window in sync.windows)
        seen["passed over"] += sum("past a transaction" in window.note for window in sync.windows)
    return seen


@pytest.mark.parametrize("shard", range(SHARDS))
def test_nothing_is_missed_and_nothing_applied_twice(shard: int) -> None:
    seen: Counter[str] = Counter()
    for number in range(HISTORIES // SHARDS):
        seed = f"{shard}/{number}"
        seen += judge(history(seed), seed)
    # A model in which nothing goes wrong would prove nothing.
    assert seen["final versions"] > 5 * HISTORIES // SHARDS
    for what in ("beyond what is promised, missed", "echoes", "covered", "passed over"):
        assert seen[what] > 20, f"{what}: {seen[what]}"
