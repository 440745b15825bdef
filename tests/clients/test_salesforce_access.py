"""A connection that cannot work: each reason is named, with its own fix, and nothing is tried again."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from requests_mock import Mocker

from airflow_provider_kashoo.clients.logins import BY_CODE, BY_DESCRIPTION, what_to_do
from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.clients.transport import Unlimited, new_session
from airflow_provider_kashoo.clients.versions import check_version
from airflow_provider_kashoo.core.errors import ConfigurationError, UnreachableError

ORG = "https://acme.my.salesforce.com"
OFFERED = [
    {"label": "x", "url": f"/services/data/v{version}.0", "version": f"{version}.0"} for version in range(31, 68)
]
NO_SUCH_PAGE = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
RETIRED = [{"errorCode": "UNSUPPORTED_API_VERSION", "message": "This API version is retired."}]


def client(version: str = "67.0") -> SalesforceClient:
    return SalesforceClient(new_session(Unlimited(), 20), lambda: Session("token", ORG), version, connection="org")


def refused(salesforce: Mocker, version: str, status: int, errors: Any, offered: Any = OFFERED) -> str:
    """Give what is said when every path of a version is answered so."""
    salesforce.get(f"{ORG}/services/data/", json=offered)
    salesforce.get(f"{ORG}/services/data/v{version}/limits", status_code=status, json=errors)
    with pytest.raises(ConfigurationError) as caught:
        client(version).now()
    return str(caught.value)


@pytest.mark.parametrize(
    ("version", "status", "errors"),
    [("99.0", 404, NO_SUCH_PAGE), ("20.0", 410, RETIRED), ("67", 404, NO_SUCH_PAGE), ("v67.0", 404, [])],
)
def test_a_version_that_the_org_does_not_offer_is_named_with_the_newest(
    requests_mock: Mocker, version: str, status: int, errors: Any
) -> None:
    assert refused(requests_mock, version, status, errors) == (
        f"The org does not offer version {version} of Salesforce's API, only 31.0 to 67.0. Nothing was written. "
        "Set the extra version of connection org to 67.0."
    )
    [listed] = [each for each in requests_mock.request_history if each.path == "/services/data/"]
    assert "Authorization" not in listed.headers


def test_a_page_that_is_missing_in_a_version_on_offer_is_no_matter_of_the_version(requests_mock: Mocker) -> None:
    said = refused(requests_mock, "67.0", 404, NO_SUCH_PAGE)
    assert said.startswith("Salesforce does not have what was asked for")


@pytest.mark.parametrize("offered", [[], {"error": "x"}, [1], [{"label": "x"}], None])
def test_a_list_of_versions_that_cannot_be_read_hides_no_refusal(requests_mock: Mocker, offered: Any) -> None:
    assert "(410 UNSUPPORTED_API_VERSION)" in refused(requests_mock, "60.0", 410, RETIRED, offered)


def test_a_list_of_versions_without_an_answer_hides_no_refusal(requests_mock: Mocker) -> None:
    requests_mock.get(f"{ORG}/services/data/", exc=requests.ConnectionError)
    requests_mock.get(f"{ORG}/services/data/v60.0/limits", status_code=404, json=NO_SUCH_PAGE)
    with pytest.raises(ConfigurationError, match="404 NOT_FOUND"):
        client("60.0").now()


@pytest.mark.parametrize("offered", [["46.0", "67.0"], []])
def test_a_version_without_bulk_queries_is_too_old_although_it_is_on_offer(offered: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"Version 46.0 .* is too old: 47.0 is the oldest"):
        check_version("46.0", offered, "org")
    check_version("47.0", ["47.0"], "org")


def test_versions_are_compared_as_numbers() -> None:
    with pytest.raises(ConfigurationError, match=r"only 67.0 to 100.0\. .* connection org to 100.0"):
        check_version("9.0", ["100.0", "67.0", "99.0"], "org")


def test_an_object_that_the_user_may_not_see_is_named(requests_mock: Mocker) -> None:
    requests_mock.get(f"{ORG}/services/data/", json=OFFERED)
    requests_mock.get(f"{ORG}/services/data/v67.0/sobjects/Order/describe", status_code=404, json=NO_SUCH_PAGE)
    with pytest.raises(ConfigurationError, match=r"no object Order, or .* may not see it.* read access"):
        client().describe("Order")


def test_a_session_that_may_not_use_the_api_is_not_taken_for_a_wrong_password(requests_mock: Mocker) -> None:
    said = "This session is not valid for use with the REST API"
    answer = [{"errorCode": "INVALID_SESSION_ID", "message": said}]
    requests_mock.get(f"{ORG}/services/data/v67.0/limits", status_code=401, json=answer)
    with pytest.raises(ConfigurationError, match=r"may not use the REST API.*scope api.*Use Any API Client"):
        client().now()


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("TotalRequests Limit exceeded.", UnreachableError),
        ("The Concurrent deal desk used up the limit.", UnreachableError),
    ],
)
def test_a_daily_limit_is_told_by_how_its_message_begins(requests_mock: Mocker, message: str, kind: type) -> None:
    answer = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": message}]
    requests_mock.get(f"{ORG}/services/data/v67.0/limits", status_code=403, json=answer)
    with pytest.raises(kind, match="daily"):
        client().now()
    assert requests_mock.call_count == 1


# -- logins


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_every_code_of_a_refused_login_has_a_fix(code: str) -> None:
    found = what_to_do(code, "whatever")
    assert found
    assert not found.endswith(".")
    assert found[0].islower()


@pytest.mark.parametrize("described", sorted(BY_DESCRIPTION))
def test_a_description_counts_only_as_a_whole(described: str) -> None:
    assert what_to_do("invalid_grant", f"{described.capitalize()}.") == BY_DESCRIPTION[described]
    assert what_to_do("invalid_grant", f"not {described}") == BY_CODE["invalid_grant"]
    assert what_to_do("server_error", described) is None
