"""What is wrong in one org and business, as the store shows it, and the message that people get of it."""

from __future__ import annotations

from typing import Any

import pytest
from journalled import CHANGE, NEW, REFUSED, send
from sqlalchemy import insert, update

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.alerts import OF_RECORDS, Name, News, Told, Trouble, news
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.reports.digest import MOST_SHOWN, Billed, Digest, Entry, age
from airflow_provider_kashoo.reports.page import digest_page
from airflow_provider_kashoo.reports.trouble_words import fix_of, page_of, title_of, well_of
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.figures import Pair, pairs
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.tables import budget_closures, differences, watermarks
from airflow_provider_kashoo.sync.notify.billed import billed_between
from airflow_provider_kashoo.sync.notify.compose import Composer
from airflow_provider_kashoo.sync.notify.troubles import Found, Limits, troubles_of
from airflow_provider_kashoo.sync.read.names import Named
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

LIMITS = Limits(late_after=26, empty_runs=3)
HOUR = 3_600.0
HOSTILE = '<img src="http://evil.example/x.png"> {{ conn.kashoo_default.password }} & Söhne'


@pytest.fixture
def pair(sqlite_database: Database, sqlite_store: SyncStore) -> Pair:
    (found,) = pairs(sqlite_database)
    return found


@pytest.fixture
def sqlite_store(sqlite_database: Database) -> SyncStore:
    return SyncStore(sqlite_database, "00D000000000001EAA", "9990000001")


def run(store: SyncStore, sync: str, run_id: str, read: int | None = 1, *, ends: bool = True) -> None:
    store.start_run(sync, run_id)
    if ends:
        store.finish_run(sync, run_id, read)


def named(found: Found) -> list[tuple[str, str]]:
    return [each.key for each in found.troubles]


def test_nothing_is_wrong_in_a_store_that_is_in_step(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair
) -> None:
    assert troubles_of(sqlite_database, pair, LIMITS) == Found([])
    sqlite_store.journal.answered(send(sqlite_store), CHANGE, "written")
    run(sqlite_store, TO_KASHOO, "r")
    assert troubles_of(sqlite_database, pair, LIMITS, lambda *_: True) == Found([])


def test_records_are_told_by_cause_but_not_while_a_write_is_under_way(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair, clock: Any
) -> None:
    sent = send(sqlite_store)
    assert troubles_of(sqlite_database, pair, LIMITS) == Found([], OF_RECORDS)
    sqlite_store.journal.failed(sent, Event.REFUSED, REFUSED)
    (parked,) = troubles_of(sqlite_database, pair, LIMITS).troubles
    assert (parked.key, parked.count, parked.since, parked.fix) == (
        (Name.PARKED, "closed_period"),
        1,
        clock.now,
        REFUSED.fix,
    )
    assert parked.totals == {"USD": NEW.total}


def test_a_write_whose_worker_died_is_in_doubt_after_its_deadline(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair, clock: Any
) -> None:
    send(sqlite_store)
    clock.sleep(61)
    assert named(troubles_of(sqlite_database, pair, LIMITS)) == [(Name.IN_DOUBT, "no_answer_yet")]


def test_the_last_run_that_is_over_tells_whether_a_sync_fails(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair
) -> None:
    asked = []

    def failed(sync: str, run_id: str) -> bool:
        asked.append((sync, run_id))
        return run_id == "failed"

    run(sqlite_store, TO_KASHOO, "failed", ends=False)
    run(sqlite_store, TO_KASHOO, "goes on", ends=False)
    assert named(troubles_of(sqlite_database, pair, LIMITS, failed)) == [(Name.FAILED, TO_KASHOO)]
    assert asked == [(TO_KASHOO, "goes on"), (TO_KASHOO, "failed")]
    run(sqlite_store, TO_KASHOO, "well")
    assert named(troubles_of(sqlite_database, pair, LIMITS, failed)) == []


def test_a_sync_is_late_and_nothing_comes_in(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair, clock: Any
) -> None:
    for number, read in enumerate((5, 0, 0, None, 0)):  # a test batch moves no watermark, and counts for nothing
        run(sqlite_store, TO_KASHOO, f"run {number}", read)
    mark = {"scope_id": pair.id, "source": "kashoo.invoices", "value": 1.0, "run_id": "r", "moved_at": clock.now}
    with sqlite_database.begin() as connection:
        connection.execute(insert(watermarks), mark)
    clock.sleep(26 * HOUR)
    assert named(troubles_of(sqlite_database, pair, LIMITS)) == [(Name.NOTHING_CAME_IN, TO_KASHOO)]
    clock.sleep(1)
    assert named(troubles_of(sqlite_database, pair, Limits(26, 0))) == [(Name.LATE, TO_SALESFORCE)]
    assert named(troubles_of(sqlite_database, pair, Limits(27, 4))) == []


def test_the_request_limit_is_in_trouble(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair, clock: Any
) -> None:
    with sqlite_database.begin() as connection:
        connection.execute(insert(budget_closures), {"budget": "b", "until": clock.now})
    run(sqlite_store, TO_KASHOO, "long", ends=False)
    sqlite_store.record_plan(TO_KASHOO, "long", PlanSummary(digest="d" * 64, requests=9_000, seconds=27 * HOUR))
    assert named(troubles_of(sqlite_database, pair, LIMITS)) == [(Name.BUDGET, ""), (Name.BUDGET, TO_KASHOO)]
    clock.sleep(HOUR)
    sqlite_store.finish_run(TO_KASHOO, "long", 1)
    assert named(troubles_of(sqlite_database, pair, LIMITS)) == []


def test_plans_and_differences_wait_for_a_person(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair
) -> None:
    run(sqlite_store, TO_KASHOO, "asks", ends=False)
    sqlite_store.record_plan(TO_KASHOO, "asks", PlanSummary(digest="ab" * 32, asks={"a void": 2}))
    row = {"scope_id": pair.id, "currency": "USD", "month": "2026-03", "state": "investigating", "found_at": 1.0}
    with sqlite_database.begin() as connection:
        connection.execute(insert(differences), row | {"key": "1", "name": "unexplained"})
    found = troubles_of(sqlite_database, pair, LIMITS)
    assert named(found) == [(Name.APPROVAL, "ab" * 6), (Name.TIE_OUT, "unexplained")]
    other = Pair(pair.id + 1, "00D000000000002EAA", pair.business_id)
    assert named(troubles_of(sqlite_database, other, LIMITS)) == []
    with sqlite_database.begin() as connection:
        connection.execute(update(differences).values(state="dismissed"))
    sqlite_store.finish_run(TO_KASHOO, "asks")
    assert named(troubles_of(sqlite_database, pair, LIMITS)) == []


# -- the message


def park(store: SyncStore, number: int, cause: str) -> None:
    record = Record("invoice", "Opportunity", f"006{number:012d}AAA")
    sent = store.journal.send(
        type(NEW)(**{**vars(NEW), "record": record, "sale": record.id}),
        run_id="r", lease="a", deadline_seconds=60, payload_hash="h", fields={}, contact_id=77,
    )  # fmt: skip
    store.journal.failed(sent, Event.REFUSED, Problem("closed_period", cause, "Unlock the period."))


def test_a_message_has_ids_and_totals_and_no_cause(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair, clock: Any
) -> None:
    sqlite_store.journal.answered(send(sqlite_store), CHANGE, "written")
    for number in range(2, 7):
        park(sqlite_store, number, "Acme Ltd. owes 12.00")
    clock.sleep(3 * HOUR)
    found = news(troubles_of(sqlite_database, pair, LIMITS).troubles, [])
    billed = billed_between(sqlite_database, pair.id, 0, clock.now)
    digest = Composer(sqlite_database, pair, "https://a.example/air").compose(found, billed)
    assert digest.subject == "Kashoo: 1 invoice billed, 120.00 USD · 5 records parked: closed period"
    (entry,) = digest.bad
    assert (entry.total, entry.age, entry.more) == ("600.00 USD", "for 3 hours", 2)
    assert entry.link == "https://a.example/air/plugin/kashoo/todo"
    assert len({each.id for each in entry.examples}) == 3
    for said in (digest.text, digest_page(digest)):
        assert "Acme" not in said
        assert "owes" not in said
        assert "Unlock the period." in said


def test_names_and_causes_are_said_as_text_if_they_were_asked_for(
    sqlite_database: Database, sqlite_store: SyncStore, pair: Pair
) -> None:
    park(sqlite_store, 2, HOSTILE)
    found = news(troubles_of(sqlite_database, pair, LIMITS).troubles, [])
    given: list[Any] = []

    def namer(records: Any) -> Any:
        given.extend(records)
        return {records[0].id: Named("Roof <b>2</b>\nBcc: x", HOSTILE)}, ""

    digest = Composer(sqlite_database, pair, "", namer).compose(found, Billed())
    assert [each.id for each in given] == ["006000000000002AAA"]
    (example,) = digest.bad[0].examples
    assert (example.name, example.cause) == (f"Roof <b>2</b> Bcc: x, {HOSTILE}", HOSTILE)
    html = digest_page(digest)
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;img src=&#34;http://evil.example/x.png&#34;&gt; {{ conn" in html
    assert HOSTILE in digest.text
    assert "evil" not in digest.subject


def test_a_long_list_is_cut_and_counted() -> None:
    digest = Digest(bad=[Entry(f"thing {number}") for number in range(MOST_SHOWN + 2)], is_test=True)
    for said in (digest.text, digest_page(digest)):
        assert f"hing {MOST_SHOWN - 1}" in said
        assert f"hing {MOST_SHOWN}" not in said
        assert "and 2 more" in said
    assert digest.subject == f"Kashoo: a test · {MOST_SHOWN + 2} new things to look at"


@pytest.mark.parametrize(
    ("digest", "subject"),
    [
        (Digest(is_test=True), "Kashoo: a test"),
        (Digest(well=["the sync x runs again"]), "Kashoo: the sync x runs again"),
        (Digest(well=["a", "b"], known=[Entry("c")]), "Kashoo: 2 things are well again · 1 thing still to look at"),
        (Digest(Billed(changed={"invoice": 2})), "Kashoo: 2 invoices changed"),
        (
            Digest(Billed(2, {"CAD": 100, "USD": 5}, 1, {"CAD": 100}), known=[Entry("c"), Entry("d")]),
            "Kashoo: 2 invoices billed, 1.00 CAD and 0.05 USD · 2 things still to look at",
        ),
        (Digest(bad=[Entry("a\r\nBcc: b@c.example")]), "Kashoo: a Bcc: b@c.example"),
    ],
)
def test_the_subject_says_the_most_important(digest: Digest, subject: str) -> None:
    assert digest.subject == subject


def test_every_trouble_has_words_a_page_and_something_to_do() -> None:
    for name in Name:
        which = {Name.TIE_OUT: "unexplained", Name.BUDGET: ""}.get(name, TO_KASHOO)
        trouble = Trouble(name, which, 2, fix="Do it.")
        assert title_of(trouble)
        assert well_of(Told(name, which, 2)) != title_of(trouble)
        assert fix_of(trouble)
        assert page_of(trouble).startswith(("plugin/kashoo", "dags/"))
        assert "{" not in title_of(trouble) + well_of(Told(name, which, 2)) + page_of(trouble)
    assert title_of(Trouble(Name.PARKED, "no_account", 1)) == "1 record parked: no account"
    assert "9 requests" in title_of(Trouble(Name.BUDGET, TO_KASHOO, 9))


def test_an_age_is_said_in_the_largest_unit_of_which_there_are_two() -> None:
    assert [age(each) for each in (-5, 119, 7_199, 7_200, 172_800)] == [
        "for 0 min", "for 1 min", "for 119 min", "for 2 hours", "for 2 days",
    ]  # fmt: skip


def test_the_data_is_for_programs(sqlite_database: Database, pair: Pair) -> None:
    said = News(bad=[Trouble(Name.FAILED, TO_KASHOO, since=1.0)], well=[Told(Name.LATE, TO_KASHOO, 1)])
    data = Composer(sqlite_database, pair).compose(said, Billed(1, {"USD": 5})).data
    assert data["billed"]["totals"] == {"USD": 5}
    assert [each["title"] for each in data["bad"]] == ["the last run of salesforce_to_kashoo failed"]
    assert data["well"] == ["the sync salesforce_to_kashoo is no longer late"]
