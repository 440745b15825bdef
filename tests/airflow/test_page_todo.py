"""The view To do over a real store: what it lists, and what each button leaves in the store, with who pressed it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import AirflowFailException
from airflow.utils.session import create_session
from fastapi.testclient import TestClient
from records import add_account, add_deal, invoice_of
from sqlalchemy import insert
from tasks import Run

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Create
from airflow_provider_kashoo.core.rules.questions import CHANGED_ON_BOTH_SIDES, PAID_INVOICE_CHANGED
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.operators.replay import KashooReplayOperator
from airflow_provider_kashoo.plugins.api import app
from airflow_provider_kashoo.plugins.kept import Kept
from airflow_provider_kashoo.plugins.routes import acts, todo
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store import figures, tables
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.store.stuck import groups_of, oldest_of, page_of

SYNC, RUN, REPLAY = "salesforce_to_kashoo", "scheduled__1", "kashoo_replay"
NO_ACCOUNT = Problem("no_account", "account '<b>4000</b>' is not in Kashoo", "Add the account.")
HOME = {"origin": "http://testserver"}

Ask = Callable[..., Any]


class Page:
    """What the browser of somebody with a role gets."""

    def __init__(self, patch: pytest.MonkeyPatch, role: str = "admin") -> None:
        user = SimpleAuthManagerUser(username="ann", role=role)
        patch.setattr(app, "dependency_overrides", {get_user: lambda: user})
        self.browser = TestClient(app)

    def get(self, path: str = "", status: int = 200) -> Any:
        answer = self.browser.get(f"/api/todo{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, status: int = 200, headers: dict[str, str] = HOME, **body: Any) -> Any:
        answer = self.browser.post(f"/api/todo/{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def groups(self) -> dict[str, Any]:
        return {each["cause"]: each for each in self.get()["pairs"][0]["groups"]}

    def items(self, state: str, cause: str, after: int = 0) -> Any:
        pair = self.get()["pairs"][0]["id"]
        return self.get(f"/items?pair={pair}&state={state}&cause={cause}&after={after}")


@pytest.fixture(scope="module")
def billed(store_file: Path, sandbox: Sandbox) -> str:
    """A deal that a finished run billed."""
    deal = add_deal(sandbox, add_account(sandbox), "250.00", Name="Billed")
    sandbox.clock.advance(600)
    Run(sandbox, SYNC, RUN).up_to("commit")
    return deal


@pytest.fixture
def store(billed: str, store_file: Path) -> Iterator[SyncStore]:
    """The store; what a test lets wait is gone afterwards."""
    database = open_database()
    (pair,) = figures.pairs(database)
    yield SyncStore(database, pair.org_id, pair.business_id)
    with database.begin() as connection:
        done = tables.operations.c.state == "done"
        connection.execute(tables.operations.delete().where(~done))
        connection.execute(tables.review_items.delete())
        connection.execute(tables.approvals.delete())
    database.dispose()


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    create_auth_manager()
    monkeypatch.setattr(todo, "KEPT", Kept(patience=60))
    return Page(monkeypatch)


@pytest.fixture
def dag(airflow_db: None) -> Iterator[None]:
    """Airflow has read the DAG of replays; its runs are gone afterwards."""
    file = Path(__file__).parents[2] / "dags" / f"{REPLAY}.py"
    with create_session() as session:
        if session.get(DagBundleModel, "todo") is None:
            session.add(DagBundleModel(name="todo"))
    sync_bag_to_db(DagBag(file), "todo", None)
    yield
    with create_session() as session:
        for run in session.query(DagRun).filter(DagRun.dag_id == REPLAY):
            session.delete(run)
        session.get(DagModel, REPLAY).is_paused = False


def intent(deal: str) -> Create:
    return Create(
        record=Record("invoice", "Opportunity", deal), mapping="m", sale=deal, document={}, currency="USD", total=25_000
    )


def parked(store: SyncStore, sandbox: Sandbox, count: int = 1, problem: Problem = NO_ACCOUNT) -> list[str]:
    account = add_account(sandbox)
    deals = [add_deal(sandbox, account, "120.00") for _ in range(count)]
    for deal in deals:
        store.waiting.park(intent(deal), problem, RUN)
    return deals


def asked(store: SyncStore, deal: str, problem: Problem = CHANGED_ON_BOTH_SIDES) -> str:
    link = store.links.of_sources("invoice", [deal])[deal]
    problem = problem.of(fields="date", what="date") if "{" in problem.cause else problem
    store.reviews.open(link.intent(SYNC), replace(problem), RUN)
    return f"R{store.reviews.all_open()[-1]['id']}"


def in_doubt(store: SyncStore, deal: str) -> int:
    sent = store.journal.send(
        intent(deal), run_id=RUN, lease="a", deadline_seconds=60, payload_hash="h", fields={}, contact_id=None
    )
    with store.database.begin() as connection:
        row = tables.operations.c.id == sent.id
        connection.execute(tables.operations.update().where(row).values(state="in_doubt", deadline=1.0))
    return sent.id


def rows(store: SyncStore, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(store.database.url.database or "")) as opened:
        return opened.execute(query, values).fetchall()


def audited(store: SyncStore) -> tuple[str, str]:
    return rows(store, "SELECT event, reason FROM audit ORDER BY id DESC LIMIT 1")[0]


def test_nothing_waits(store: SyncStore, page: Page) -> None:
    assert page.get() | {"now": "", "pairs": 0} == {"now": "", "may_act": True, "pairs": 0, "plans": []}
    assert page.groups() == {}


def test_what_waits_is_grouped_by_cause(store: SyncStore, page: Page, sandbox: Sandbox, billed: str) -> None:
    deals = parked(store, sandbox, 2)
    doubtful = in_doubt(store, add_deal(sandbox, add_account(sandbox)))
    number = asked(store, billed)
    groups = page.groups()
    assert {cause: (each["state"], each["count"], each["totals"]) for cause, each in groups.items()} == {
        "no_account": ("parked", 2, []),  # never sent: of how much it would be is not known
        "no_answer_yet": ("in_doubt", 1, ["250.00 USD"]),
        CHANGED_ON_BOTH_SIDES.error_class: ("asked", 1, ["250.00 USD"]),
    }
    assert groups["no_account"]["fix"] == "Add the account."
    shown = page.items("parked", "no_account")
    assert shown["after"] is None
    assert [(each["id"], each["cause"], each["kashoo_id"]) for each in shown["items"]] == [
        (deal, NO_ACCOUNT.cause, None) for deal in deals
    ]
    (address,) = shown["items"][0]["opens"].values()  # no profile says where Kashoo shows a record
    assert address.endswith(f"/{deals[0]}")
    assert page.items("in_doubt", "no_answer_yet")["items"][0]["number"] == str(doubtful)
    (question,) = page.items("asked", CHANGED_ON_BOTH_SIDES.error_class)["items"]
    assert (question["number"], question["sides"], question["total"]) == (number, ["books", "salesforce"], "250.00 USD")


def test_names_are_asked_for_on_request(store: SyncStore, page: Page, sandbox: Sandbox) -> None:
    deal = add_deal(sandbox, add_account(sandbox, "Adams & Sons"), "120.00", Name="<b>Roof</b>")
    store.waiting.park(intent(deal), NO_ACCOUNT, RUN)
    pair = page.get()["pairs"][0]["id"]
    said = page.get(f"/names?pair={pair}&state=parked&cause=no_account")
    (named,) = said["names"].values()
    assert named == {"name": "<b>Roof</b>", "customer": "Adams & Sons", "amount": "120.00 USD", "invoice": ""}
    assert said["missing"] == ""


def test_ten_thousand_stuck_records_come_in_pages_and_at_once(store: SyncStore, page: Page) -> None:
    scope = figures.pairs(store.database)[0]
    common = {"scope_id": scope.id, "run_id": RUN, "action": "create", "target": "invoice", "part": 1, "generation": 1}
    common |= {"source_object": "Opportunity", "state": "parked", "attempts": 0, "link_version": 0, "currency": "USD"}
    said = {"error_class": "no_account", "cause": "c", "fix": "f", "expected_total": 100}
    ids = [f"006{number:012d}AAA" for number in range(10_000)]
    made = [common | said | {"key": each, "source_id": each, "sale_id": each, "created_at": 1000.0} for each in ids]
    with store.database.begin() as connection:
        connection.execute(insert(tables.operations), made)
    assert (page.groups()["no_account"]["count"], page.groups()["no_account"]["totals"]) == (10_000, ["10,000.00 USD"])
    first = page.items("parked", "no_account")
    second = page.items("parked", "no_account", first["after"])
    assert [each["id"] for each in first["items"] + second["items"]] == ids[:200]
    last = page.items("parked", "no_account", first["after"] + 9_800)
    assert (len(last["items"]), last["after"]) == (100, None)
    begun = time.perf_counter()
    groups_of(store.database, scope.id, oldest_of(store.database, scope.id))
    page_of(store.database, scope, "parked", "no_account")
    assert time.perf_counter() - begun < 3  # a fifth of a second on an idle machine


def test_a_group_is_as_old_as_its_first_try(store: SyncStore, page: Page, sandbox: Sandbox) -> None:
    (deal,) = parked(store, sandbox)
    with store.database.begin() as connection:
        waits = tables.operations.c.source_id == deal
        connection.execute(
            tables.operations.update().where(waits).values(created_at=1000.0, state="closed", closed_at=2000.0)
        )
        row = dict(connection.execute(tables.operations.select().where(waits)).mappings().one())
        again = row | {"state": "parked", "created_at": 2000.0, "closed_at": None}
        del again["id"]
        connection.execute(insert(tables.operations), again)
    assert page.groups()["no_account"]["since"][:16] == "1970-01-01T00:16"
    assert page.items("parked", "no_account")["items"][0]["since"][:16] == "1970-01-01T00:16"


def test_a_question_is_dismissed_once(store: SyncStore, page: Page, billed: str) -> None:
    number = asked(store, billed)
    page.post("dismiss", item=number, reason="agreed by phone")
    assert rows(store, "SELECT dismissed_by, dismissed_reason FROM review_items") == [
        ("ann (id ann)", "agreed by phone")
    ]
    assert audited(store)[0] == "dismissed"
    assert "ann (id ann)" in audited(store)[1]
    assert page.groups() == {}
    assert number in page.post("dismiss", 409, item=number, reason="twice")["what"]
    assert "reason is needed" in page.post("dismiss", 409, item=number, reason=" ")["what"]
    page.post("dismiss", 422, item="", reason="x")


def test_of_two_who_press_at_once_one_is_told_so(store: SyncStore, page: Page, billed: str) -> None:
    dismissed = "SELECT count(*) FROM audit WHERE event = 'dismissed'"
    said, ((before,),) = {"item": asked(store, billed), "reason": "agreed"}, rows(store, dismissed)
    with ThreadPoolExecutor(4) as people:
        sent = [people.submit(page.browser.post, "/api/todo/dismiss", json=said, headers=HOME) for _ in range(4)]
    assert sorted(each.result().status_code for each in sent) == [200, 409, 409, 409]
    assert rows(store, dismissed) == [(before + 1,)]


def test_who_looks_holds_up_no_run(store: SyncStore, page: Page, sandbox: Sandbox, plan: str) -> None:
    parked(store, sandbox)
    with closing(sqlite3.connect(store.database.url.database or "")) as run:
        run.execute("BEGIN IMMEDIATE")
        assert (list(page.groups()), len(page.get()["plans"])) == (["no_account"], 1)
        assert len(page.items("parked", "no_account")["items"]) == 1


@pytest.mark.parametrize(("side", "name"), [("books", "Kashoo"), ("salesforce", "Salesforce")])
def test_a_side_is_said_to_be_right(store: SyncStore, page: Page, billed: str, side: str, name: str) -> None:
    number = asked(store, billed)
    assert page.post("settle", item=number, side=side, reason="r")["said"].startswith(f"{name} is right")
    assert rows(store, "SELECT settled_for, settled_by FROM review_items") == [(side, "ann (id ann)")]
    assert [(each["cause"], each["state"]) for each in page.groups().values()] == [("settled", "parked")]
    page.post("settle", 422, item=number, side="both", reason="r")


def test_what_is_in_doubt_is_found_or_not(store: SyncStore, page: Page, sandbox: Sandbox, billed: str) -> None:
    ident = str(in_doubt(store, add_deal(sandbox, add_account(sandbox))))
    taken = invoice_of(sandbox, billed)
    assert "belongs to" in page.post("resolve", 409, item=ident, kashoo_id=taken["id"])["what"]
    assert "has no invoice" in page.post("resolve", 409, item=ident, kashoo_id=1)["what"]
    page.post("resolve", 422, item=ident, kashoo_id=0)
    page.post("resolve", 422, item=ident)
    assert list(page.groups()) == ["no_answer_yet"]
    books = sandbox.books
    copy = books.create(books.main(), "invoices", {**taken, "number": None, "memo": ""})
    page.post("resolve", item=ident, kashoo_id=copy["id"])
    assert rows(store, "SELECT state, kashoo_id FROM operations WHERE id = ?", ident) == [("done", copy["id"])]
    assert "ann (id ann)" in str(rows(store, "SELECT * FROM audit ORDER BY id DESC LIMIT 2"))
    other = str(in_doubt(store, add_deal(sandbox, add_account(sandbox))))
    page.post("resolve", item=other, kashoo_id=None)
    assert rows(store, "SELECT state FROM operations WHERE id = ?", other) == [("not_written",)]
    assert "not in doubt" in page.post("resolve", 409, item=other, kashoo_id=None)["what"]


@pytest.fixture
def plan(store: SyncStore) -> Iterator[str]:
    """The digest of a plan that asks."""
    digest = "3f5a9c1e07bd" + "0" * 52
    store.start_run(SYNC, "asks")
    with store.database.begin() as connection:
        named = tables.runs.c.run_id == "asks"
        summary = {"sync": SYNC, "digest": digest, "asks": {"first run": 1}, "actions": {}, "totals": {"USD": 100}}
        summary |= {"windows": {}, "requests": 1}
        connection.execute(tables.runs.update().where(named).values(digest=digest, summary=summary))
    yield digest[:12]
    with store.database.begin() as connection:
        connection.execute(tables.runs.delete().where(tables.runs.c.run_id == "asks"))


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_plan_is_decided(store: SyncStore, page: Page, plan: str, decision: str) -> None:
    (shown,) = page.get()["plans"]
    assert (shown["digest"], shown["asks"], shown["totals"]) == (plan, {"first run": 1}, ["1.00 USD"])
    assert "reason" in page.post("decide", 409, digest=plan, decision="reject", reason="")["what"]
    page.post("decide", digest=plan, decision=decision, reason="right")
    kept = rows(store, "SELECT decision, decided_by, reason FROM approvals")
    assert kept == [(decision, "ann (id ann)", "right")]
    assert page.get()["plans"] == []
    assert "that stands" in page.post("decide", digest=plan, decision=decision, reason="again")["said"]
    assert len(rows(store, "SELECT * FROM approvals")) == 1
    page.post("decide", 409, digest="0" * 12, decision="approve")


def test_only_who_was_asked_decides(store: SyncStore, page: Page, plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "assigned_to", lambda *_: {"7": "Bob"})
    assert "Bob" in page.post("decide", 403, digest=plan, decision="approve")["detail"]
    assert rows(store, "SELECT * FROM approvals") == []
    monkeypatch.setattr(acts, "assigned_to", lambda *_: {"ann": "Ann"})
    page.post("decide", digest=plan, decision="approve")


def test_answers_and_runs_need_rights_of_their_own(
    store: SyncStore, page: Page, sandbox: Sandbox, plan: str, dag: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    parked(store, sandbox)
    refused: list[Any] = []
    monkeypatch.setattr(acts, "may", lambda _, *asked: refused.append(asked))
    page.post("decide", 403, digest=plan, decision="approve")
    page.post("replay", 403, all=True)
    assert [(method, dag_id, entity.value) for method, dag_id, entity in refused] == [
        ("PUT", SYNC, "HITL_DETAIL"),
        ("POST", REPLAY, "RUN"),
    ]
    assert rows(store, "SELECT * FROM approvals") == []
    with create_session() as session:
        assert session.query(DagRun).filter(DagRun.dag_id == REPLAY).count() == 0


def test_of_a_paid_invoice_only_the_books_can_be_right(store: SyncStore, page: Page, billed: str) -> None:
    number = asked(store, billed, Problem(PAID_INVOICE_CHANGED.error_class, "c", "f"))
    (item,) = page.items("asked", PAID_INVOICE_CHANGED.error_class)["items"]
    assert item["sides"] == ["books"]
    assert "No run changes this invoice" in page.post("settle", 409, item=number, side="salesforce", reason="r")["what"]


def test_names_of_another_business_are_not_asked_for(store: SyncStore, page: Page) -> None:
    other = SyncStore(store.database, store.org_id, "another")
    try:
        said = page.get(f"/names?pair={other.scope_id}&state=parked&cause=x", 409)
        assert "lead to another org or business" in said["detail"]
    finally:
        with store.database.begin() as connection:
            connection.execute(tables.scopes.delete().where(tables.scopes.c.id == other.scope_id))


def test_a_replay_is_a_run_of_its_own(store: SyncStore, page: Page, sandbox: Sandbox, dag: None) -> None:
    one, _ = parked(store, sandbox, 2)
    answer = page.post("replay", ids=[one])
    with create_session() as session:
        run = session.query(DagRun).filter(DagRun.dag_id == REPLAY).one()
        assert (run.run_id, run.conf, run.triggering_user_name) == (
            answer["run_id"],
            {"ids": [one], "cause": None},
            "ann",
        )
    assert page.post("replay", ids=[one])["run_id"] == answer["run_id"]  # somebody else presses, too
    assert page.post("replay", cause="no_account")["run_id"] != answer["run_id"]
    assert "dealt with meanwhile" in page.post("replay", 409, ids=["006000000000001AAA"])["what"]
    assert "Nothing is parked" in page.post("replay", 409, cause="another")["what"]
    page.post("replay", 422)
    page.post("replay", 422, ids=[one], all=True)


def test_a_replay_that_cannot_start_says_why(store: SyncStore, page: Page, sandbox: Sandbox, dag: None) -> None:
    parked(store, sandbox)
    for change, said in (
        ("is_paused", "is paused"),
        ("has_import_errors", "cannot read"),
        ("is_stale", "does not know"),
    ):
        with create_session() as session:
            setattr(session.get(DagModel, REPLAY), change, True)
        assert said in page.post("replay", 409, all=True)["what"]
        with create_session() as session:
            setattr(session.get(DagModel, REPLAY), change, False)
            assert session.query(DagRun).filter(DagRun.dag_id == REPLAY).count() == 0


def again(**params: Any) -> Any:
    run = SimpleNamespace(run_id="r", triggering_user_name="ann")
    return KashooReplayOperator(task_id="replay").execute({"params": params, "dag_run": run})  # type: ignore[typeddict-item]


def test_the_operator_bills_what_was_asked_for(
    store: SyncStore, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = parked(store, sandbox, 2)
    (third,) = parked(store, sandbox, problem=replace(NO_ACCOUNT, error_class="else"))
    assert again(ids=[one], cause=None)["created"] >= 1
    assert "Asked for by ann" in capsys.readouterr().out
    waits = "SELECT source_id FROM operations WHERE state = 'parked'"
    assert {row[0] for row in rows(store, waits)} == {other, third}
    assert again(ids=[one], cause=None) == {"not_parked": 1}  # somebody was faster, or the task begins again
    assert again(ids=None, cause="no_account")["created"] >= 1
    assert rows(store, waits) == [(third,)]
    assert again(ids=None, cause="no_account") == {}
    assert again()["created"] >= 1
    assert again() == {}
    for deal in (one, other, third):
        assert invoice_of(sandbox, deal)["totalDue"] == 12_000


def test_a_replay_without_a_store_fails_at_once(new_store: Path, sandbox: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="airflow kashoo init"):
        again()


ACTIONS: dict[str, dict[str, Any]] = {
    "dismiss": {"item": "R1", "reason": "r"},
    "settle": {"item": "R1", "reason": "r", "side": "books"},
    "resolve": {"item": "1", "kashoo_id": None},
    "decide": {"digest": "3f5a9c1e07bd", "decision": "approve"},
    "replay": {"all": True},
}


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_only_look_and_another_site_change_nothing(
    store: SyncStore, page: Page, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    page.post(action, 403, {"origin": "https://evil.example.com"}, **ACTIONS[action])
    viewer = Page(monkeypatch, "viewer")
    viewer.post(action, 403, **ACTIONS[action])
    assert viewer.get()["may_act"] is False
    if action != "replay":
        assert Page(monkeypatch).post(action, 409, **ACTIONS[action])["what"]


def test_groups_that_are_not_there_are_empty_or_refused(store: SyncStore, page: Page) -> None:
    assert page.items("parked", "unknown") == {"items": [], "after": None}
    page.get("/items?pair=999&state=parked&cause=x", 404)
    page.get("/items?pair=1&state=done&cause=x", 422)


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("sqlite:////nowhere/none.db", 409, "airflow kashoo init"),
        ("postgres://me:pass-word-1@127.0.0.1:1/store", 503, ""),
    ],
)
def test_a_store_that_cannot_be_used_says_so(
    store: SyncStore, page: Page, monkeypatch: pytest.MonkeyPatch, url: str, status: int, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", url)
    for answer in (page.get(status=status), page.post("dismiss", status, item="R1", reason="r")):
        assert said in answer["remedy"]
        assert "pass-word-1" not in str(answer)
