"""Each way to log in to Salesforce: it runs a sync and renews a session that has ended, or it says what to correct."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from driver import SOURCES, TO_KASHOO, Driver
from inprocess import WEDNESDAY
from orgs import deal

from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import AuthenticationError, ConfigurationError
from airflow_provider_kashoo.hooks.salesforce import KashooSalesforceHook
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import Fault
from airflow_provider_kashoo.sandbox.salesforce.access import WAYS, Access
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync import steps
from tests.airflow.environment import shown

RENEWING = [way for way in WAYS if way != "session_id"]
WRONG = "WRONG-0815"
OTHER = Access.of(2)


class HookDriver(Driver):
    """Runs over the client of the hook, one for all runs."""

    client: SalesforceClient

    def salesforce(self) -> SalesforceClient:
        return self.client


@pytest.fixture(scope="module")
def sandbox(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    # In the past, because a JWT expires by the clock of its client.
    with Sandbox(dataset="empty", clock=Clock(WEDNESDAY)) as box:
        environment.setenv("REQUESTS_CA_BUNDLE", str(box.ca_bundle))
        yield box


@pytest.fixture(scope="module")
def driver(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> HookDriver:
    return HookDriver(sandbox, tmp_path_factory.mktemp("driver"))


LogIn = Callable[..., SalesforceClient]


@pytest.fixture
def log_in(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogIn]:
    """Give the client of a connection that logs in one way, with some of its parts changed."""
    access = sandbox.org.access

    def client(way: Any, **changes: Any) -> SalesforceClient:
        given = sandbox.connection(way)
        own = {name: changes.pop(name) for name in ("login", "password") if name in changes}
        for name in {"domain", "instance_url"} & changes.keys():
            changes[name] = f"{sandbox.salesforce_url.removeprefix('https://')}/{changes[name]}"
        monkeypatch.setenv("AIRFLOW_CONN_ORG", json.dumps(given | own | {"extra": given["extra"] | changes}))
        access.trusted_network = way == "trusted_soap" and not access.locked
        return KashooSalesforceHook("org").client

    yield client
    access.locked, access.trusted_network, access.soap_login = False, False, True
    sandbox.faults["salesforce"].clear()


def billed(sandbox: Sandbox) -> int:
    return len(sandbox.books.business(sandbox.books.main()).tables["invoices"].listed())


def asked(sandbox: Sandbox, start: int) -> list[int]:
    return [each["status"] for each in sandbox.logs["salesforce"].entries()[start:]]


@pytest.mark.parametrize("way", RENEWING)
def test_each_login_bills_a_deal_and_renews_its_session_in_between(
    sandbox: Sandbox, driver: HookDriver, log_in: LogIn, way: str
) -> None:
    before, start = billed(sandbox), sandbox.logs["salesforce"].total
    account = sandbox.org.insert("Account", {"Name": f"Firm of {way}", "Approved__c": True})
    deal(sandbox.org, AccountId=account, Amount="200.00")
    driver.client = log_in(way)
    sandbox.clock.advance(60)
    sync = driver.sync()
    steps.preflight(sync)
    sandbox.end_sessions()
    for source in SOURCES[TO_KASHOO]:
        steps.extract(sync, source)
    steps.plan(sync)
    steps.approve(sync)
    steps.apply(sync)
    steps.commit(sync)
    assert billed(sandbox) == before + 1
    assert [status for status in asked(sandbox, start) if status != 200] == [401]


def test_a_session_id_runs_until_it_ends_and_then_says_that_it_cannot_renew(
    sandbox: Sandbox, driver: HookDriver, log_in: LogIn
) -> None:
    driver.client = log_in("session_id")
    driver.run()
    sandbox.end_sessions()
    start = sandbox.logs["salesforce"].total
    with pytest.raises(
        ConfigurationError, match=r"Connection org gives a session that has ended.*session_id"
    ) as failed:
        driver.run()
    assert "client credentials or JWT bearer" in failed.value.remedy
    assert asked(sandbox, start) == [401]


def test_a_session_id_that_was_replaced_in_the_meantime_is_used(
    sandbox: Sandbox, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = log_in("session_id")
    client.organization()
    sandbox.end_sessions()
    monkeypatch.setenv("AIRFLOW_CONN_ORG", json.dumps(sandbox.connection("session_id")))
    assert client.organization().id == sandbox.org.org_id


def test_a_jwt_can_be_sent_to_the_orgs_own_domain(sandbox: Sandbox, log_in: LogIn) -> None:
    assert log_in("jwt_bearer", instance_url="acme.my").organization().id == sandbox.org.org_id


@pytest.mark.parametrize("way", RENEWING)
def test_a_session_that_is_never_accepted_ends_after_one_new_login(sandbox: Sandbox, log_in: LogIn, way: str) -> None:
    sandbox.faults["salesforce"].add(Fault("unauthorized_before", path="^/services/data", times=None))
    start = sandbox.logs["salesforce"].total
    with pytest.raises(ConfigurationError, match=r"allowed the login, and then refused its session.*connection org"):
        log_in(way).organization()
    assert asked(sandbox, start) == [200, 401, 200, 401]


REFUSED: list[tuple[str, dict[str, str], str, str]] = [
    ("client_credentials", {"consumer_key": WRONG}, "invalid_client_id: client identifier invalid", "consumer_key"),
    ("client_credentials", {"consumer_secret": WRONG}, "invalid_client: invalid client credentials", "consumer_secret"),
    ("client_credentials", {"domain": "login"}, "invalid_grant: request not supported on this domain", "set domain"),
    ("client_credentials", {"domain": "test"}, "invalid_grant: request not supported on this domain", "set domain"),
    ("jwt_bearer", {"consumer_key": WRONG}, "invalid_client_id: client identifier invalid", "correct consumer_key"),
    ("jwt_bearer", {"private_key": OTHER.private_key}, "invalid_grant: invalid assertion", "correct private_key"),
    ("jwt_bearer", {"domain": "test"}, "invalid_grant: audience is invalid", "set domain to login"),
    ("jwt_bearer", {"domain": "acme.my"}, "invalid_grant: audience is invalid", "set domain to login"),
    ("jwt_bearer", {"login": WRONG}, "invalid_grant: user hasn't approved this consumer", "correct login"),
    ("password", {"password": WRONG}, "invalid_grant: authentication failure", "correct login, password"),
    ("password", {"domain": "test"}, "invalid_grant: authentication failure", "domain"),
    ("password", {"consumer_secret": WRONG}, "invalid_client: invalid client credentials", "consumer_secret"),
    ("soap", {"password": WRONG}, "INVALID_LOGIN: invalid username, password, security token", "security_token"),
    ("soap", {"security_token": WRONG}, "INVALID_LOGIN: invalid username, password", "security_token"),
    ("soap", {"version": "67.0"}, "INVALID_OPERATION", "set version to 64.0 or older"),
    ("soap", {"version": "99.0"}, "UNSUPPORTED_API_VERSION", "set version"),
    ("trusted_soap", {"organization_id": WRONG}, "INVALID_LOGIN: invalid username", "correct login"),
]


def refused(log_in: LogIn, way: str, **changes: str) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as failed:
        log_in(way, **changes)
    return failed.value


@pytest.mark.parametrize(("way", "changes", "said", "todo"), REFUSED)
def test_a_refused_login_names_what_was_refused_and_what_to_correct(
    sandbox: Sandbox, log_in: LogIn, way: str, changes: dict[str, str], said: str, todo: str
) -> None:
    start, access = sandbox.logs["salesforce"].total, sandbox.org.access
    error = refused(log_in, way, **changes)
    assert error.what.startswith(f"Salesforce refused the login ({said}")
    assert error.remedy.startswith("Check connection org: ")
    assert todo in error.remedy
    assert len(asked(sandbox, start)) == 1
    secrets = (access.password, access.security_token, access.consumer_secret, "PRIVATE KEY", WRONG)
    assert [secret for secret in secrets if secret in shown(error)] == []


@pytest.mark.parametrize("way", ["password", "soap", "trusted_soap"])
def test_a_locked_user_is_refused(sandbox: Sandbox, log_in: LogIn, way: str) -> None:
    sandbox.org.access.locked = True
    assert "unlock the user" in refused(log_in, way).remedy


def test_a_password_without_its_security_token_is_refused_outside_of_the_trusted_network(
    sandbox: Sandbox, log_in: LogIn
) -> None:
    error = refused(log_in, "soap", security_token="", organization_id=sandbox.org.org_id)
    assert "LOGIN_MUST_USE_SECURITY_TOKEN" in error.what
    assert "fill in security_token" in error.remedy
    error = refused(log_in, "password", password=sandbox.org.access.password)
    assert "invalid_grant" in error.what


def test_an_org_without_soap_login_says_so(sandbox: Sandbox, log_in: LogIn) -> None:
    sandbox.org.access.soap_login = False
    error = refused(log_in, "soap")
    assert "soap api login() is disabled" in error.what
    assert "turn on SOAP API login()" in error.remedy
    assert "version" not in error.remedy


def test_a_jwt_that_has_expired_on_its_way_points_to_the_clock(sandbox: Sandbox, log_in: LogIn) -> None:
    now = sandbox.clock.time()
    sandbox.clock.advance(100 * 365 * 86400)
    error = refused(log_in, "jwt_bearer")
    sandbox.clock.restore(now)
    assert "expired authorization code" in error.what
    assert "set the clock of this worker right" in error.remedy
