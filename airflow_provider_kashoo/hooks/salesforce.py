"""The connection ``salesforce`` as a hook: the provider's own login, our own transport."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError

import requests
from airflow.providers.salesforce.hooks.salesforce import SalesforceHook

from airflow_provider_kashoo.clients.logins import what_to_do, words
from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.clients.transport import Unlimited, new_session, unreachable
from airflow_provider_kashoo.core.errors import AuthenticationError, ConfigurationError, SyncError, UnreachableError
from airflow_provider_kashoo.settings import existing_connection, settings

if TYPE_CHECKING:
    from simple_salesforce.exceptions import SalesforceAuthenticationFailed

NO_WAY_TO_LOG_IN = "INVALID AUTH"
"""Code of simple-salesforce for a connection whose fields do not suffice for any login."""

WHAT_A_LOGIN_NEEDS = (
    "Client credentials need consumer_key, consumer_secret and your My Domain as domain; "
    "JWT bearer needs login, consumer_key and private_key."
)


class KashooSalesforceHook(SalesforceHook):
    """Log in as Airflow's Salesforce provider does, then use our client.

    Every login that the provider's connection form offers works, and so does a session that is open already, with
    the extra ``session_id``. A login goes through the same session as all requests, so that the deadline and the
    CA bundle apply to it too.

    :param salesforce_conn_id: an ordinary Salesforce connection.
    """

    get_connection = staticmethod(existing_connection)

    def __init__(self, salesforce_conn_id: str = SalesforceHook.default_conn_name) -> None:
        self._transport = new_session(Unlimited(), settings().send_deadline)
        self._used: str | None = None
        super().__init__(salesforce_conn_id, session=self._transport)

    @cached_property
    def client(self) -> SalesforceClient:
        """The client that the steps use.

        :raises AuthenticationError: when the org refuses the login.
        :raises ConfigurationError: when the connection is incomplete, or its key cannot be used.
        :raises UnreachableError: when Salesforce does not answer, or neither allows nor refuses the login.
        """
        try:
            version = str(self._log_in().sf_version)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise unreachable("Salesforce", error) from None
        return SalesforceClient(self._transport, self._new_session, version, connection=self.conn_id)

    def get_conn(self) -> Any:
        """Return simple-salesforce, logged in; see the provider's hook."""
        self.session_id = self._get_field(self.get_connection(self.conn_id).extra_dejson, "session_id")
        return super().get_conn()

    def _new_session(self) -> Session:
        connection = self._log_in()
        self.__dict__.pop("conn", None)
        if not connection.sf_instance:
            raise self._wrong("has an instance_url without https://", "Write all of it, as the browser shows it.")
        if connection.auth_type == "direct":
            self._refuse_again(connection.session_id)
        return Session(str(connection.session_id), f"https://{connection.sf_instance}")

    def _refuse_again(self, session_id: str) -> None:
        """Refuse to use a given session for the second time: it is asked for again only when it has ended."""
        if session_id == self._used:
            raise self._wrong(
                "gives a session that has ended, and a session id cannot be renewed",
                "Put a new one into session_id; for a sync that runs by itself use client credentials or JWT bearer.",
            )
        self._used = session_id

    def _log_in(self) -> Any:
        """Log in; the caller retries when the connection fails."""
        with self._explained(), warnings.catch_warnings():
            # It would write the consumer key into the log.
            warnings.filterwarnings("ignore", module="simple_salesforce.login")
            return self.get_conn()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Convert login errors to ours. Their causes are dropped: some quote a key or the whole answer."""
        from jwt.exceptions import InvalidKeyError
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed

        try:
            yield
        except SalesforceAuthenticationFailed as error:
            raise self._failed(error) from None
        except InvalidKeyError:
            raise self._wrong(
                "has a private key that is not an RSA key in PEM", "Paste it with all its lines."
            ) from None
        except TypeError as error:
            if "password" in str(error).lower():  # cryptography's error for an encrypted key
                raise self._wrong("has an encrypted private key", "Use one without a passphrase.") from None
            raise self._wrong("lacks what a login needs", WHAT_A_LOGIN_NEEDS) from None
        except (requests.JSONDecodeError, AttributeError, ExpatError, UnicodeDecodeError):
            raise self._not_now("an answer that cannot be read") from None
        except requests.exceptions.InvalidURL:
            raise self._wrong("does not give a valid address", "Correct domain or instance.") from None
        except requests.RequestException:
            raise
        except (OSError, ValueError) as error:
            raise self._unusable(error) from None

    def _failed(self, error: SalesforceAuthenticationFailed) -> SyncError:
        code = str(error.code)
        if code == NO_WAY_TO_LOG_IN:
            return self._wrong("lacks what a login needs", WHAT_A_LOGIN_NEEDS)
        if todo := what_to_do(code, error.auth_message):
            said = words(code, error.auth_message)
            return AuthenticationError(
                f"Salesforce refused the login ({said}).", remedy=f"Check connection {self.conn_id}: {todo}."
            )
        return self._not_now(code if re.fullmatch(r"\w{1,60}", code) and error.code else "no reason given")

    def _unusable(self, error: OSError | ValueError) -> SyncError:
        if isinstance(error, OSError):
            return self._wrong(
                f"has a private key file that cannot be read ({error.strerror})",
                "Check private_key_file_path; every worker needs the file.",
            )
        return self._wrong("has a value that cannot be used for a login", "Check version, domain and private key.")

    def _wrong(self, what: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"Connection {self.conn_id} {what}.", remedy=remedy)

    def _not_now(self, what: str) -> UnreachableError:
        return UnreachableError(
            f"Salesforce neither allowed nor refused the login ({what}).",
            remedy=f"The task tries again by itself; if it lasts, check the domain of connection {self.conn_id}.",
        )
