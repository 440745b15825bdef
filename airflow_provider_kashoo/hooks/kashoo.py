"""The connection ``kashoo`` as a hook."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from airflow.providers.http.hooks.http import HttpHook

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.kashoo_http import never_left
from airflow_provider_kashoo.clients.outcomes import WriteFailed, of_write
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.transport import Unlimited, adapter_of, new_session, unreachable
from airflow_provider_kashoo.core.errors import ConfigurationError, RefusedError, SyncError, UnreachableError
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.settings import existing_connection, open_database, settings, structured
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import INIT, Database
from airflow_provider_kashoo.store.store import keyed_hash

DEFAULT_HOST = "https://api.kashoo.com/api"
DEFAULT_BUDGET = [{"requests": 500, "seconds": 3600}, {"requests": 5, "seconds": 1}]
READS = frozenset({"GET", "HEAD", "OPTIONS"})
UNKNOWN = "It is not known whether it was written."
LOOK_FIRST = "Look in Kashoo before you send it again."


class KashooHook(HttpHook):
    """Send requests to Kashoo, with its tokens, the request budget and deadlines.

    It is an :class:`~airflow.providers.http.hooks.http.HttpHook` with its own session: extras never become
    headers, bodies are never logged, redirects are not followed, https is used unless the host says otherwise.

    :param kashoo_conn_id: connection with base URL, e-mail, password and business id.
    """

    conn_name_attr = "kashoo_conn_id"
    default_conn_name = "kashoo_default"
    conn_type = "kashoo"
    hook_name = "Kashoo"
    get_connection = staticmethod(existing_connection)

    def __init__(self, kashoo_conn_id: str = default_conn_name, method: str = "GET", **kwargs: Any) -> None:
        super().__init__(method=method, http_conn_id=kashoo_conn_id, **kwargs)
        self.kashoo_conn_id = kashoo_conn_id
        self._session: requests.Session | None = None
        self._client: KashooClient | None = None

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """Return this hook's session; each of its requests takes a slot of the budget.

        The session has no token: :meth:`run` and :meth:`client` send it with each request.

        :param headers: if given, a new session that always sends them is returned, within the same budget.
        :param extra_options: not supported; this hook sets deadline, redirects and TLS itself.
        :raises ValueError: for any of ``extra_options``.
        :raises ConfigurationError: when the store does not exist, or the budget is malformed.
        """
        _refuse_options(extra_options)
        if self._session is None:
            self._session = new_session(self.budget(), settings().send_deadline)
        if not headers:
            return self._session
        own = requests.Session()
        for scheme in ("https://", "http://"):
            own.mount(scheme, adapter_of(self._session))
        own.headers.update(headers)
        return own

    def budget(self, database: Database | None = None) -> Budget:
        """Return the request budget of this connection, kept in the sync store.

        :param database: the store, if it is open already.
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
        if database is None:
            database = open_database()
            database.check()
        # Everybody who can read the store sees the name: it must not contain an e-mail address.
        return Budget(database, keyed_hash(database).of(f"budget of {_account(connection)}"), limits)

    def client(self) -> KashooClient:
        """Return the client that the steps use.

        :raises ConfigurationError: when the connection is incomplete.
        """
        if self._client is None:
            self._client = self._new_client(self.get_conn())
        return self._client

    def run(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> requests.Response:
        """Send one request below the base URL, with a fresh token and within the budget.

        A read whose token has expired is sent once more with a new one; a write never is.

        :param endpoint: path such as ``users/me/businesses``.
        :param data: query parameters of a GET; otherwise the body, as JSON text or as an object to encode.
        :param headers: of this request only.
        :param extra_options: not supported, as for :meth:`get_conn`.
        :param request_kwargs: only ``json``, another name for the body.
        :raises RefusedError: for a status that is not 2xx; the body is never part of a message or log.
        :raises UnreachableError: when there was no answer; it says whether something may have been written.
        :raises TypeError: for any other keyword.
        :raises ValueError: for ``extra_options``, and for a body given twice or to a GET.
        """
        _refuse_options(extra_options)
        body = request_kwargs.pop("json", None)
        if request_kwargs:
            raise TypeError(f"KashooHook.run does not support {', '.join(sorted(request_kwargs))}; only json.")
        if body is not None and (data is not None or self.method == "GET"):
            raise ValueError("Give the body once, as json or as data; a GET has none, its query is data.")
        client = self.client()
        path = "/" + (endpoint or "").lstrip("/")
        try:
            response = client.request(self.method, path, data if body is None else body, headers=headers)
        except requests.RequestException as error:
            raise self._unanswered(error) from None
        self.check_response(response)
        return response

    def check_response(self, response: requests.Response) -> None:
        """Raise for a status that is not 2xx, without its body and without its query.

        :raises RefusedError: saying that nothing was written, or that it is not known.
        """
        status, method = response.status_code, str(response.request.method)
        if 200 <= status < 300:
            return
        what = f"Kashoo answered {status} to {method} {urlsplit(response.request.path_url).path}."
        if method not in READS and of_write(status, "").event is Event.SILENCE:
            raise RefusedError(what, status=status, error_class="no_answer", written=UNKNOWN, remedy=LOOK_FIRST)
        raise RefusedError(what, status=status, error_class="refused", remedy="Check the record in Kashoo.")

    def _unanswered(self, error: requests.RequestException) -> UnreachableError:
        said = unreachable("Kashoo", error)
        if self.method in READS or never_left(error):
            return said
        return UnreachableError(said.what, written=UNKNOWN, remedy=LOOK_FIRST)

    def test_connection(self) -> tuple[bool, str]:
        """Log in and look for the business; never raises, and the message contains no secret."""
        try:
            return self._tested()
        except (SyncError, WriteFailed) as error:
            return False, str(error)
        except requests.RequestException as error:
            return False, str(unreachable("Kashoo", error))
        except Exception as error:  # noqa: BLE001  the form needs a message; that of others may contain secrets
            return False, f"Failed with {type(error).__name__}; its message may contain secrets and is not shown."

    def _tested(self) -> tuple[bool, str]:
        try:
            client = self.client()
        except ConfigurationError as error:
            if error.remedy != INIT:
                raise
            # Connections are created before the store: these two requests do not count against the budget.
            client = self._new_client(new_session(Unlimited(), settings().send_deadline))
        names = {business.id: business.name for business in client.businesses()}
        if client.business_id not in names:
            return False, f"Logged in, but the user has no business {client.business_id}, only {sorted(names)}."
        return True, f"Connected to {names[client.business_id] or f'business {client.business_id}'}."

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
        overrides = structured(extra, "profile", {})
        if not isinstance(overrides, dict):
            raise ConfigurationError(
                "The extra 'profile' of the Kashoo connection is not a JSON object.",
                remedy='Write for example {"item": "/businesses/{b}/products"}, or leave it empty.',
            )
        if extra.get("reference_field"):
            overrides = {"invoice_reference": extra["reference_field"], **overrides}
        return KashooClient(
            session,
            _base_url(connection),
            str(connection.login),
            str(connection.password),
            str(extra["business_id"]),
            Profile().overridden(overrides),
            connection=self.kashoo_conn_id,
        )


def _base_url(connection: Any) -> str:
    host = str(connection.host or DEFAULT_HOST)
    url = host if "://" in host else f"https://{host}"
    if connection.port:
        raise ConfigurationError(
            f"Connection {connection.conn_id} has a port, which would be put behind the path.",
            remedy="Write the port into the host, like https://books.example:8443/api.",
        )
    try:
        named = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        named = False
    if not named:
        raise ConfigurationError(
            f"The host of connection {connection.conn_id} is not an address.",
            remedy=f"Write it with its path, like {DEFAULT_HOST}.",
        )
    return url


def _account(connection: Any) -> str:
    """Return host and login, equal for all connections that share one request limit of Kashoo."""
    url = urlsplit(_base_url(connection))
    port = url.port or {"http": 80}.get(url.scheme, 443)
    return f"{url.hostname}:{port}/{connection.login}".casefold()


def _refuse_options(options: dict[str, Any] | None) -> None:
    if options:
        raise ValueError(f"KashooHook does not support extra_options; it was given {', '.join(sorted(options))}.")
