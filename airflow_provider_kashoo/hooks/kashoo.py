"""The connection ``kashoo`` as a hook."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from airflow.providers.http.hooks.http import HttpHook

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.outcomes import WriteFailed
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.transport import Unlimited, new_session
from airflow_provider_kashoo.core.errors import ConfigurationError, RefusedError, SyncError
from airflow_provider_kashoo.hooks.settings import open_database, settings, structured
from airflow_provider_kashoo.store.budget import Budget, Limit

DEFAULT_HOST = "https://api.kashoo.com/api"
DEFAULT_BUDGET = [{"requests": 500, "seconds": 3600}, {"requests": 5, "seconds": 1}]


class KashooHook(HttpHook):
    """Talk to Kashoo: tokens, request budget and deadlines are taken care of.

    It is an :class:`~airflow.providers.http.hooks.http.HttpHook` with its own session: extras never become
    headers, bodies are never logged, redirects are not followed, https is used unless the host says otherwise.

    :param kashoo_conn_id: connection with base URL, e-mail, password and business id.
    """

    conn_name_attr = "kashoo_conn_id"
    default_conn_name = "kashoo_default"
    conn_type = "kashoo"
    hook_name = "Kashoo"

    def __init__(self, kashoo_conn_id: str = default_conn_name, method: str = "GET", **kwargs: Any) -> None:
        super().__init__(method=method, http_conn_id=kashoo_conn_id, **kwargs)
        self.kashoo_conn_id = kashoo_conn_id
        self._session: requests.Session | None = None
        self._client: KashooClient | None = None

    def get_conn(
        self,
        headers: dict[Any, Any] | None = None,
        extra_options: dict[str, Any] | None = None,  # noqa: ARG002  HttpHook's signature
    ) -> requests.Session:
        """Give the one session of this hook; each of its requests takes a slot of the budget."""
        if self._session is None:
            self._session = new_session(self.budget(), settings().send_deadline)
        if headers:
            self._session.headers.update(headers)
        return self._session

    def budget(self) -> Budget:
        """Give the request budget of this connection, kept in the sync store.

        :raises ConfigurationError: when the store does not exist, or the extra is malformed.
        """
        connection = self.get_connection(self.kashoo_conn_id)
        given = structured(connection.extra_dejson, "budget", DEFAULT_BUDGET)
        try:
            limits = [Limit(int(each["requests"]), float(each["seconds"])) for each in given]
        except (TypeError, KeyError, ValueError):
            limits = []
        if not limits or any(each.requests < 1 or each.seconds <= 0 for each in limits):
            raise ConfigurationError(
                "The extra 'budget' of the Kashoo connection is not a list of limits.",
                remedy='Write for example [{"requests": 500, "seconds": 3600}].',
            )
        database = open_database()
        database.check()
        name = f"{urlsplit(_base_url(connection)).netloc}/{connection.login}"
        return Budget(database, name, limits)

    def client(self) -> KashooClient:
        """Give the client that the steps work with.

        :raises ConfigurationError: when the connection lacks something.
        """
        if self._client is None:
            self._client = self._new_client(self.get_conn())
        return self._client

    def run(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,  # noqa: ARG002  HttpHook's signature
        **request_kwargs: Any,
    ) -> requests.Response:
        """Send one request below the base URL, with a fresh token and within the budget.

        :param endpoint: path such as ``users/me/businesses``.
        :param data: query parameters of a GET, JSON body of anything else.
        :raises RefusedError: for a status that is not 2xx; the body is in no message and in no log.
        """
        path = "/" + (endpoint or "").lstrip("/")
        response = self.client().request(self.method, path, data, headers=headers, **request_kwargs)
        self.check_response(response)
        return response

    def check_response(self, response: requests.Response) -> None:
        """Raise for a status that is not 2xx, without its body."""
        if not 200 <= response.status_code < 300:
            raise RefusedError(
                f"Kashoo answered {response.status_code} to {response.request.method} {response.request.path_url}.",
                status=response.status_code,
                error_class="refused",
                remedy="Look the record up in Kashoo.",
            )

    def test_connection(self) -> tuple[bool, str]:
        """Log in and look for the business; the message never holds a secret."""
        try:
            try:
                client = self.client()
            except ConfigurationError:  # the store is not there yet: two requests outside any budget
                client = self._new_client(new_session(Unlimited(), settings().send_deadline))
            names = {str(row["id"]): row.get("contactInformation", {}).get("name") for row in client.businesses()}
        except (SyncError, WriteFailed) as error:
            return False, str(error)
        if client.business_id not in names:
            return False, f"Logged in, but the user has no business {client.business_id}; it has {sorted(names)}."
        return True, f"Connected to {names[client.business_id]}."

    def _new_client(self, session: requests.Session) -> KashooClient:
        connection = self.get_connection(self.kashoo_conn_id)
        extra = connection.extra_dejson
        missing = [name for name in ("login", "password") if not getattr(connection, name)]
        missing += [] if extra.get("business_id") else ["business_id"]
        if missing:
            raise ConfigurationError(
                f"Connection {self.kashoo_conn_id} lacks {', '.join(missing)}.",
                remedy="Fill it in Admin > Connections.",
            )
        overrides = dict(structured(extra, "profile", {}))
        if extra.get("reference_field"):
            overrides.setdefault("invoice_reference", extra["reference_field"])
        return KashooClient(
            session,
            _base_url(connection),
            str(connection.login),
            str(connection.password),
            str(extra["business_id"]),
            Profile().overridden(overrides),
        )


def _base_url(connection: Any) -> str:
    host = str(connection.host or DEFAULT_HOST)
    if connection.port:
        raise ConfigurationError(
            f"Connection {connection.conn_id} has a port; it would end behind the path.",
            remedy="Write the port into the host, such as https://books.example:8443/api.",
        )
    return host if "://" in host else f"https://{host}"
