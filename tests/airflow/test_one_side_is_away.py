"""A step needs the side that it reads or writes, and no other: the rest of a run goes on while that one is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from records import writes
from tasks import Run

from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.store import SyncStore, org_of_run
from tests.airflow.environment import set_connection

TO_KASHOO, TO_SALESFORCE = "salesforce_to_kashoo", "kashoo_to_salesforce"
AWAY = {
    "salesforce": lambda patch: set_connection(patch, "salesforce_default", domain="localhost:1/acme.my"),
    "kashoo": lambda patch: set_connection(patch, "kashoo_default", host="http://127.0.0.1:1/api"),
}


@pytest.fixture
def billed(new_run: Callable[[str], Run]) -> None:
    """Invoices stand in the books, and Salesforce does not know it yet."""
    new_run(TO_KASHOO).up_to("commit")


@pytest.fixture(scope="module")
def other_org() -> Iterator[Sandbox]:
    with Sandbox(seed=2) as box:
        yield box


def turn_to(other: Sandbox, patch: pytest.MonkeyPatch) -> None:
    """Point the connection of Salesforce to another org."""
    for name in ("AIRFLOW_CONN_SALESFORCE_DEFAULT", "REQUESTS_CA_BUNDLE"):
        patch.setenv(name, other.describe()["env"][name])


def store_of(sandbox: Sandbox) -> SyncStore:
    return SyncStore(open_database(), sandbox.org.org_id, str(sandbox.books.main()))


@pytest.mark.parametrize("side", AWAY)
@pytest.mark.parametrize("sync", [TO_KASHOO, TO_SALESFORCE])
def test_a_plan_is_approved_while_a_side_is_away(
    new_run: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch, sync: str, side: str
) -> None:
    run = new_run(sync).up_to("plan")
    AWAY[side](monkeypatch)
    assert len(run("approve")) == 64


def test_invoices_are_written_and_committed_while_salesforce_is_away(
    sandbox: Sandbox, new_run: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(TO_KASHOO).up_to("approve")
    AWAY["salesforce"](monkeypatch)
    assert run("apply")["created"] > 29
    AWAY["kashoo"](monkeypatch)
    assert set(run("commit")) == {f"salesforce.{name}" for name in ("Account", "Product2", "Opportunity", "Order")}
    finished = store_of(sandbox).run(TO_KASHOO, run.run_id)
    assert finished
    assert finished["finished_at"]


def test_write_backs_are_committed_while_both_sides_are_away(
    billed: None, new_run: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(TO_SALESFORCE).up_to("apply")
    for go_away in AWAY.values():
        go_away(monkeypatch)
    assert set(run("commit")) == {"kashoo.invoices", "kashoo.payments"}


@pytest.mark.parametrize(
    ("sync", "source", "side"), [(TO_KASHOO, "Order", "salesforce"), (TO_SALESFORCE, "payments", "kashoo")]
)
def test_a_delta_asks_the_side_it_is_of_alone(
    billed: None, new_run: Callable[[str], Run], sync: str, source: str, side: str
) -> None:
    assert new_run(sync).up_to("preflight").asked(source) == {side}


def test_each_step_asks_the_sides_it_needs_alone(billed: None, new_run: Callable[[str], Run]) -> None:
    run = new_run(TO_SALESFORCE)
    asked = {
        step: run.asked(step) for step in ("preflight", "invoices", "payments", "plan", "approve", "apply", "commit")
    }
    assert asked == {
        "preflight": {"kashoo", "salesforce"},
        "invoices": {"kashoo"},
        "payments": {"kashoo"},
        "plan": {"salesforce"},
        "approve": set(),
        "apply": {"salesforce"},
        "commit": set(),
    }


@pytest.mark.parametrize("last", ["preflight", "plan"])
def test_a_delta_of_another_org_than_the_run_began_with_is_refused(
    new_run: Callable[[str], Run], other_org: Sandbox, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    run = new_run(TO_KASHOO).up_to(last)
    turn_to(other_org, monkeypatch)
    with pytest.raises(AirflowFailException, match=f"leads to org {other_org.org.org_id} now.*task preflight"):
        run("Account")


def test_nothing_is_written_to_another_org_than_the_plan_is_for(
    sandbox: Sandbox, billed: None, new_run: Callable[[str], Run], other_org: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(TO_SALESFORCE).up_to("approve")
    mine, other = sandbox.org.org_id, other_org.org.org_id
    journal, sent = store_of(sandbox).journal, other_org.logs["salesforce"].total
    with monkeypatch.context() as patch:
        turn_to(other_org, patch)
        with pytest.raises(AirflowFailException, match=f"began with org {mine}, but .* leads to org {other} now"):
            run("apply")
    assert writes(other_org)["salesforce"] == 0
    assert other_org.logs["salesforce"].total == sent + 2  # the login, and who it is
    assert journal.unsettled("sent", "retry", "in_doubt", "parked") == []
    assert run("apply")["written_back"] == 29


def test_a_run_that_begins_again_with_another_org_asks_salesforce_which_one_it_is_of(
    sandbox: Sandbox, new_run: Callable[[str], Run], other_org: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(TO_KASHOO).up_to("preflight")
    known = open_database(), str(sandbox.books.main()), TO_KASHOO, run.run_id
    assert org_of_run(*known) == sandbox.org.org_id
    turn_to(other_org, monkeypatch)
    run.up_to("plan")
    assert org_of_run(*known) is None
    assert len(run("approve")) == 64
    AWAY["salesforce"](monkeypatch)
    with pytest.raises(AirflowException, match="Salesforce"):
        run("approve")


def test_a_run_of_another_business_or_sync_or_name_is_another_run(
    sandbox: Sandbox, new_run: Callable[[str], Run]
) -> None:
    run, database, business = new_run(TO_KASHOO).up_to("preflight"), open_database(), str(sandbox.books.main())
    assert org_of_run(database, business, TO_KASHOO, run.run_id)
    assert org_of_run(database, "1", TO_KASHOO, run.run_id) is None
    assert org_of_run(database, business, TO_SALESFORCE, run.run_id) is None
    assert org_of_run(database, business, TO_KASHOO, "another") is None
