"""The connection ``salesforce`` as a hook: the provider's own login, our own transport."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import requests
from airflow.providers.salesforce.hooks.salesforce import SalesforceHook

from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.clients.transport import Unlimited, new_session, unreachable
from airflow_provider_kashoo.core.errors import AuthenticationError
from airflow_provider_kashoo.hooks.settings import settings


class KashooSalesforceHook(SalesforceHook):
    """Log in as Airflow's Salesforce provider does, then speak through our client.

    Every way to log in that the provider's connection form offers works; the login goes through the same
    session, so that its deadline and the CA bundle hold there too.

    :param salesforce_conn_id: an ordinary Salesforce connection.
    """

    def __init__(self, salesforce_conn_id: str = SalesforceHook.default_conn_name) -> None:
        self._transport = new_session(Unlimited(), settings().send_deadline)
        super().__init__(salesforce_conn_id, session=self._transport)

    @cached_property
    def client(self) -> SalesforceClient:
        """The client that the steps work with.

        :raises AuthenticationError: when Salesforce refuses the login.
        :raises UnreachableError: when it does not answer.
        """
        try:
            version = str(self._log_in().sf_version)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise unreachable("Salesforce", error) from None
        return SalesforceClient(self._transport, self._new_session, version)

    def _new_session(self) -> Session:
        connection = self._log_in()
        self.__dict__.pop("conn", None)
        return Session(str(connection.session_id), f"https://{connection.sf_instance}")

    def _log_in(self) -> Any:
        from simple_salesforce.exceptions import SalesforceAuthenticationFailed

        try:
            return self.get_conn()
        except SalesforceAuthenticationFailed as error:
            raise AuthenticationError(
                f"Salesforce refused the login ({error.code}).",
                remedy=f"Check connection {self.conn_id} and the user's permissions.",
            ) from None
