"""Who may log in to the simulated org: one integration user, one connected app, and what the org allows them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LOGIN, MY_DOMAIN = "login", "acme.my"
Way = Literal["client_credentials", "jwt_bearer", "password", "soap", "trusted_soap", "session_id"]
WAYS: tuple[Way, ...] = get_args(Way)


@dataclass
class Access:
    """The credentials of an org, and what an administrator may set about logins.

    :param locked: whether the user entered too many wrong passwords.
    :param trusted_network: whether the clients come from a network where a password needs no security token.
    :param soap_login: whether the SOAP call ``login()`` is on; new orgs have it off (evidenced).
    """

    consumer_key: str
    consumer_secret: str
    password: str
    security_token: str
    username: str = "integration@acme.example"
    locked: bool = False
    trusted_network: bool = False
    soap_login: bool = True

    @classmethod
    def of(cls, seed: int) -> Access:
        """Make the credentials of the org with this seed."""

        def secret(name: str) -> str:
            return hashlib.sha256(f"{name} {seed}".encode()).hexdigest()

        return cls(
            consumer_key=f"3MVG9{secret('key')}",
            consumer_secret=secret("secret").upper(),
            # Markup, because clients put it into XML.
            password=f"<&>{secret('password')[:20]}",
            security_token=secret("token")[:24],
        )

    @cached_property
    def private_key(self) -> str:
        """The private key that belongs to the app's certificate, as PEM; made when first needed."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        plain = serialization.NoEncryption()
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()

    @property
    def app(self) -> dict[str, str]:
        """The form that logs in by client credentials."""
        known = {"client_id": self.consumer_key, "client_secret": self.consumer_secret}
        return {"grant_type": "client_credentials", **known}

    def connection(self, way: Way, *, at: str, org_id: str, session_id: str = "") -> dict[str, Any]:
        """Return an Airflow connection of type ``salesforce`` that logs in this way.

        :param at: host and port of the sandbox, for ``domain``: clients append ``.salesforce.com`` to it.
        :param session_id: of a session that is open already.
        """
        person = {"login": self.username, "password": self.password}
        app = {"consumer_key": self.consumer_key, "consumer_secret": self.consumer_secret}
        extra: dict[str, Any] = {"domain": f"{at}/{MY_DOMAIN}", "version": "67.0"}
        if way == "client_credentials":
            return {"conn_type": "salesforce", "extra": app | extra}
        if way == "session_id":
            given = {"session_id": session_id, "instance_url": f"https://{at}"}
            return {"conn_type": "salesforce", "extra": given | extra}
        if way == "jwt_bearer":
            extra |= {"consumer_key": self.consumer_key, "private_key": self.private_key}
            extra["domain"] = f"{at}/{LOGIN}"
            return {"conn_type": "salesforce", "login": self.username, "extra": extra}
        if way == "password":
            person["password"] += self.security_token
            return {"conn_type": "salesforce", **person, "extra": app | extra}
        extra["version"] = "64.0"
        extra |= {"security_token": self.security_token} if way == "soap" else {"organization_id": org_id}
        return {"conn_type": "salesforce", **person, "extra": extra}
