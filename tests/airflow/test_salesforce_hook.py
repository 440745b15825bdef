"""KashooSalesforceHook: a login that was refused, one that failed for a moment, and a key that cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests_mock
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_kashoo.core.errors import (
    AuthenticationError,
    ConfigurationError,
    UnreachableError,
)
from airflow_provider_kashoo.hooks.salesforce import KashooSalesforceHook
from airflow_provider_kashoo.sandbox.server import Sandbox
from tests.airflow.environment import set_connection, shown


def test_the_salesforce_hook_logs_in_and_reads(sandbox: Sandbox) -> None:
    organization = KashooSalesforceHook().client.organization()
    assert (organization.id, organization.currency) == (sandbox.org.org_id, "USD")


def test_a_wrong_secret_is_an_authentication_error_without_the_secret(sandbox: Sandbox, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "salesforce_default", consumer_secret="WRONG-SECRET-0815")
    with pytest.raises(AuthenticationError) as refused:
        KashooSalesforceHook().client.organization()
    assert str(refused.value).startswith("Salesforce refused the login (invalid_client: invalid client credentials).")
    assert refused.value.remedy == "Check connection salesforce_default: correct consumer_secret."
    assert "WRONG-SECRET-0815" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_expired_session_is_renewed_without_notice(sandbox: Sandbox) -> None:
    client = KashooSalesforceHook().client
    client.organization()
    first = client._login
    sandbox.clock.advance(3 * 3600)
    assert client.organization().id == sandbox.org.org_id
    assert client._login != first
    logins = [seen for seen in sandbox.logs["salesforce"].entries() if seen["path"].endswith("/oauth2/token")]
    refused = [seen["status"] for seen in sandbox.logs["salesforce"].entries() if seen["status"] == 401]
    assert len(refused) == 1
    assert logins[-1]["status"] == 200


def test_an_unreachable_salesforce_is_tried_again_not_a_crash(sandbox: Sandbox, monkeypatch: Any) -> None:
    set_connection(monkeypatch, "salesforce_default", domain="localhost:9/acme.my")
    with pytest.raises(UnreachableError, match="Salesforce cannot be reached"):
        KashooSalesforceHook().client.organization()


CLIENT = {"consumer_key": "key", "consumer_secret": "SECRET-0815", "domain": "acme.my"}
TOKEN_URL = "https://acme.my.salesforce.com/services/oauth2/token"
SOAP_URL = "https://login.salesforce.com/services/Soap/u/59.0"


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Salesforce connection of this test, to an org that is only a name."""

    def set_org(login: str | None = None, password: str | None = None, **extra: Any) -> KashooSalesforceHook:
        given = {"conn_type": "salesforce", "login": login, "password": password, "extra": extra or CLIENT}
        monkeypatch.setenv("AIRFLOW_CONN_ORG", json.dumps(given))
        return KashooSalesforceHook("org")

    return set_org


def log_in(hook: KashooSalesforceHook) -> Any:
    """Open the connection; the first use logs in."""
    return hook.client


def soap_fault(code: str) -> str:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com">'
        f"<e:Body><e:Fault><detail><sf:fault><sf:exceptionCode>{code}</sf:exceptionCode>"
        "<sf:exceptionMessage>SECRET-0815</sf:exceptionMessage></sf:fault></detail></e:Fault></e:Body></e:Envelope>"
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "<html>SECRET-0815</html>"),
        (503, ""),
        (429, "slow down"),
        (404, "<html>no such page</html>"),
        (200, "<html>maintenance</html>"),
        (200, "[]"),
        (200, '{"access_token": "x"}'),
        (400, '[{"errorCode": "SERVER_UNAVAILABLE", "message": "SECRET-0815"}]'),
        (400, '"SECRET-0815"'),
        (503, '{"error": "temporarily_unavailable"}'),
        (400, '{"error": "SECRET 0815 <b>"}'),
        (400, '{"error": ["SECRET-0815"]}'),
        (400, "{}"),
        (400, '{"error": "invalid_grant", "error_description": "login rate exceeded"}'),
        (400, '{"error": "invalid_grant", "error_description": "Login rate exceeded."}'),
    ],
)
def test_a_login_that_the_org_did_not_refuse_is_tried_again(org: Any, status: int, body: str) -> None:
    with requests_mock.Mocker() as salesforce:
        salesforce.post(TOKEN_URL, status_code=status, text=body)
        with pytest.raises(UnreachableError, match=r"the login \(.*connection org") as failed:
            log_in(org())
    assert "SECRET" not in shown(failed.value)


@pytest.mark.parametrize("word", ["invalid_grant", "invalid_client", "invalid_client_id", "access_denied"])
def test_a_login_that_the_org_refused_is_not_tried_again(org: Any, word: str) -> None:
    with requests_mock.Mocker() as salesforce:
        salesforce.post(TOKEN_URL, status_code=400, json={"error": word, "error_description": "SECRET-0815"})
        with pytest.raises(
            AuthenticationError, match=rf"refused the login \({word}\)\..*Check connection org"
        ) as failed:
            log_in(org())
    assert "SECRET" not in shown(failed.value)


@pytest.mark.parametrize(
    ("word", "described", "todo"),
    [
        ("invalid_grant", "request not supported on this domain", "set domain to your My Domain"),
        ("invalid_grant", "no client credentials user enabled", "set a Run As user"),
        ("invalid_grant", "authentication failure", "correct login, password and security_token"),
        ("invalid_grant", "see invalid client credentials of authentication failure", "see which of its values"),
        ("invalid_client", None, "correct consumer_secret"),
    ],
)
def test_each_refused_login_has_a_fix_of_its_own(org: Any, word: str, described: str | None, todo: str) -> None:
    with requests_mock.Mocker() as salesforce:
        salesforce.post(TOKEN_URL, status_code=400, json={"error": word, "error_description": described})
        with pytest.raises(AuthenticationError, match=f"Check connection org: {todo}"):
            log_in(org())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, soap_fault("INVALID_OPERATION"), AuthenticationError),
        (500, soap_fault("UNSUPPORTED_API_VERSION"), AuthenticationError),
        (500, soap_fault("INVALID_LOGIN"), AuthenticationError),
        (500, soap_fault("LOGIN_MUST_USE_SECURITY_TOKEN"), AuthenticationError),
        (500, soap_fault("SERVER_UNAVAILABLE"), UnreachableError),
        (500, soap_fault("LOGIN_RATE_EXCEEDED"), UnreachableError),
        (503, "<html><p>SECRET-0815</html>", UnreachableError),
        (200, "<html><p>SECRET-0815</html>", UnreachableError),
        (200, "<html/>", UnreachableError),
    ],
)
def test_a_login_by_soap_is_told_apart_in_the_same_way(org: Any, status: int, body: str, kind: Any) -> None:
    with requests_mock.Mocker() as salesforce:
        salesforce.post(SOAP_URL, status_code=status, text=body)
        with pytest.raises(kind) as failed:
            log_in(org("me@acme.example", CLIENT["consumer_secret"], security_token="t"))
    assert "SECRET" not in shown(failed.value)


def encrypted_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    way = serialization.BestAvailableEncryption(b"SECRET-0815")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, way).decode()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"private_key": "MIIEvSECRET-0815"}, "has a private key that is not an RSA key in PEM"),
        ({"private_key": encrypted_key()}, "has an encrypted private key"),
        (
            {"private_key_file_path": "/nowhere/SECRET-0815.pem"},
            r"has a private key file that cannot be read \(No such file",
        ),
        ({"private_key": None}, "lacks what a login needs"),
    ],
)
def test_a_key_that_cannot_be_used_is_a_matter_of_the_connection(org: Any, extra: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Connection org {said}") as failed:
        log_in(org("me@acme.example", consumer_key="key", **extra))
    assert failed.value.remedy
    assert "SECRET" not in shown(failed.value)
    assert "MII" not in shown(failed.value)


def test_a_version_with_a_letter_is_a_matter_of_the_connection(org: Any) -> None:
    with pytest.raises(ConfigurationError, match="Check version, domain and private key"):
        log_in(org("me@acme.example", "pass-word-1", security_token="t", version="v67.0"))
