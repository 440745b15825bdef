"""The logins of the simulated Salesforce where a client that behaves never gets; no sockets."""

from __future__ import annotations

import re
from typing import Any

import jwt
import pytest
import requests
from inprocess import WEDNESDAY
from orgs import BASE
from simple_salesforce.api import Salesforce

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.inprocess import InProcessAdapter
from airflow_provider_kashoo.sandbox.salesforce.access import WAYS, Access
from airflow_provider_kashoo.sandbox.salesforce.logins import JWT_BEARER
from airflow_provider_kashoo.sandbox.server import Sandbox

NAMES = {"organization_id": "organizationId", "private_key": "privatekey"}


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(dataset="empty", serve=False, clock=Clock(WEDNESDAY, source=lambda: 0.0))


@pytest.fixture
def session(sandbox: Sandbox) -> requests.Session:
    session = requests.Session()
    session.mount("https://", InProcessAdapter(sandbox.apps["salesforce"]))
    return session


@pytest.fixture
def access(sandbox: Sandbox) -> Access:
    return sandbox.org.access


def asked(sandbox: Sandbox, session: requests.Session, form: dict[str, Any], domain: str = "login") -> Any:
    url = f"{sandbox.salesforce_url}/{domain}.salesforce.com/services/oauth2/token"
    answer = session.post(url, data=form)
    return answer.status_code, answer.json()


def claims(access: Access, **changes: Any) -> dict[str, Any]:
    known = {"iss": access.consumer_key, "sub": access.username, "aud": "https://login.salesforce.com"}
    return known | {"exp": WEDNESDAY.timestamp() + 180} | changes


def signed(access: Access, **changes: Any) -> dict[str, str]:
    assertion = jwt.encode(claims(access, **changes), access.private_key, "RS256")
    return {"grant_type": JWT_BEARER, "assertion": assertion}


@pytest.mark.parametrize("way", WAYS)
def test_every_session_ends_after_two_hours(sandbox: Sandbox, session: requests.Session, way: Any) -> None:
    given = sandbox.connection(way)
    extra = {NAMES.get(name, name): value for name, value in given["extra"].items()}
    access = sandbox.org.access
    access.trusted_network = way == "trusted_soap"
    sf = Salesforce(given.get("login"), given.get("password"), session=session, **extra)
    access.trusted_network = False
    headers = {"Authorization": f"Bearer {sf.session_id}"}
    assert session.get(f"https://{sf.sf_instance}{BASE}/limits", headers=headers).status_code == 200
    now = sandbox.clock.time()
    sandbox.clock.advance(7200)
    assert session.get(f"https://{sf.sf_instance}{BASE}/limits", headers=headers).status_code == 401
    sandbox.clock.restore(now)


@pytest.mark.parametrize("domain", ["login", "test"])
def test_client_credentials_are_refused_at_a_login_domain(
    sandbox: Sandbox, session: requests.Session, access: Access, domain: str
) -> None:
    refused = {"error": "invalid_grant", "error_description": "request not supported on this domain"}
    assert asked(sandbox, session, access.app, domain) == (400, refused)
    assert asked(sandbox, session, access.app, "acme.my")[0] == 200


def test_a_jwt_opens_a_session_without_signature(sandbox: Sandbox, session: requests.Session, access: Access) -> None:
    status, granted = asked(sandbox, session, signed(access))
    assert (status, granted["token_type"], granted["instance_url"]) == (200, "Bearer", sandbox.salesforce_url)
    assert {"issued_at", "signature"}.isdisjoint(granted)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exp": WEDNESDAY.timestamp()}, "expired authorization code"),
        ({"exp": "soon"}, "invalid assertion"),
        ({"exp": None}, "invalid assertion"),
        ({"aud": "https://test.salesforce.com"}, "audience is invalid"),
        ({"aud": "https://acme.my.salesforce.com"}, "audience is invalid"),
        ({"aud": "https://login.salesforce.com.evil.example"}, "audience is invalid"),
        ({"aud": None}, "audience is invalid"),
        ({"sub": "someone@acme.example"}, "user hasn't approved this consumer"),
        ({"iss": "3MVG9"}, "client identifier invalid"),
    ],
)
def test_a_jwt_with_wrong_claims_is_refused(
    sandbox: Sandbox, session: requests.Session, access: Access, changes: dict[str, Any], said: str
) -> None:
    status, refused = asked(sandbox, session, signed(access, **changes))
    assert (status, refused["error_description"]) == (400, said)


def test_a_jwt_that_the_app_did_not_sign_is_refused(
    sandbox: Sandbox, session: requests.Session, access: Access
) -> None:
    others = (jwt.encode(claims(access), "s" * 32, "HS256"), jwt.encode(claims(access), None, "none"), "x.y.z", "")
    for assertion in others:
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        refused = {"error": "invalid_grant", "error_description": "invalid assertion"}
        assert asked(sandbox, session, form) == (400, refused)


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("64.0", None),
        ("31.0", None),
        ("65.0", "INVALID_OPERATION"),
        ("67.0", "INVALID_OPERATION"),
        ("68.0", "UNSUPPORTED_API_VERSION"),
        ("30.0", "UNSUPPORTED_API_VERSION"),
        ("nonsense", "UNSUPPORTED_API_VERSION"),
    ],
)
def test_soap_login_ends_with_version_64(
    sandbox: Sandbox, session: requests.Session, access: Access, version: str, code: str | None
) -> None:
    person = f"<u:username>{access.username}</u:username>"
    person += f"<u:password>{access.password.replace('&', '&amp;').replace('<', '&lt;')}{access.security_token}"
    url = f"{sandbox.salesforce_url}/login.salesforce.com/services/Soap/u/{version}"
    answer = session.post(url, f"<u:login>{person}</u:password></u:login>")
    found = re.search("<sf:exceptionCode>(.*)</sf:exceptionCode>", answer.text)
    assert (answer.status_code, found and found[1]) == (500 if code else 200, code)
