"""The logins of the simulated org: three flows of the OAuth token endpoint, and the SOAP call ``login()``.

Evidenced: the codes and texts of the refusals; that client credentials are served at the org's own domain only; that
the audience of a JWT is the login domain, whatever domain it is sent to. Assumed: which of several faults of one login
is named; that the wrong one of ``login`` and ``test`` answers as to a user it does not know.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from fastapi import APIRouter, Request, Response

from airflow_provider_kashoo.sandbox.salesforce.access import LOGIN, MY_DOMAIN, Access
from airflow_provider_kashoo.sandbox.salesforce.wire import Body, State, reply, state_of

LOGIN_DOMAIN = "sandbox.login_domain"
"""Key of the ASGI scope: the domain that the path was sent to, such as ``login`` or ``acme.my``."""
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
OLDEST_SOAP, NEWEST_SOAP, NEWEST_SOAP_LOGIN = 31, 67, 64
DOMAINS = frozenset({LOGIN, MY_DOMAIN})
"""Where the users of this org log in: it is no sandbox in Salesforce's sense, so ``test`` does not know them."""

_INVALID_LOGIN = "Invalid username, password, security token; or user locked out."
_NO_TOKEN = f"{_INVALID_LOGIN} Are you at a new location? You must add a security token to your password to log in."
_SOAP_GONE = (
    "The SOAP Login operation is not available in the API version specified ({}.0). "
    "Refer to the documentation for supported versions."
)
_SOAP_OFF = (
    "SOAP API login() is disabled by default in this org. Contact the org administrator to enable SOAP API login()."
)
router = APIRouter()

Form = dict[str, str]


class Refused(Exception):
    """A login that is refused, in the words of OAuth or of a SOAP fault."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


def _domain(request: Request) -> str:
    return str(request.scope.get(LOGIN_DOMAIN, MY_DOMAIN))


# -- OAuth


def _client(access: Access, form: Form) -> None:
    if form.get("client_id") != access.consumer_key:
        raise Refused("invalid_client_id", "client identifier invalid")
    if form.get("client_secret") != access.consumer_secret:
        raise Refused("invalid_client", "invalid client credentials")


def _client_credentials(state: State, domain: str, form: Form) -> None:
    if domain != MY_DOMAIN:
        raise Refused("invalid_grant", "request not supported on this domain")
    _client(state.org.access, form)


def _password(state: State, domain: str, form: Form) -> None:
    access = state.org.access
    _client(access, form)
    allowed = {access.password + access.security_token}
    allowed |= {access.password} if access.trusted_network else set()
    known = form.get("username") == access.username and form.get("password") in allowed
    if domain not in DOMAINS or not known or access.locked:
        raise Refused("invalid_grant", "authentication failure")


def _jwt_bearer(state: State, domain: str, form: Form) -> None:
    access = state.org.access
    try:
        claims: dict[str, Any] = jwt.decode(form.get("assertion", ""), options={"verify_signature": False})
        expiry = float(claims.get("exp", 0))  # a text as well as a number: clients send both
    except (jwt.PyJWTError, TypeError, ValueError):
        raise Refused("invalid_grant", "invalid assertion") from None
    if claims.get("iss") != access.consumer_key:
        raise Refused("invalid_client_id", "client identifier invalid")
    if not _is_signed(access, form["assertion"]):
        raise Refused("invalid_grant", "invalid assertion")
    audience = re.fullmatch(r"https://(?:[^/]+/)?([\w.-]+)\.salesforce\.com", str(claims.get("aud")))
    if domain not in DOMAINS or audience is None or audience[1] != LOGIN:
        raise Refused("invalid_grant", "audience is invalid")
    if expiry <= state.org.clock.time():
        raise Refused("invalid_grant", "expired authorization code")
    if claims.get("sub") != access.username:
        raise Refused("invalid_grant", "user hasn't approved this consumer")


def _is_signed(access: Access, assertion: str) -> bool:
    key: Any = serialization.load_pem_private_key(access.private_key.encode(), None).public_key()
    try:
        jwt.decode(assertion, key, algorithms=["RS256"], options={"verify_aud": False, "verify_exp": False})
    except jwt.PyJWTError:
        return False
    return True


def _unsupported(_state: State, _domain: str, _form: Form) -> None:
    raise Refused("unsupported_grant_type", "grant type not supported")


_GRANTS: dict[str, Callable[[State, str, Form], None]] = {
    "client_credentials": _client_credentials,
    "password": _password,
    JWT_BEARER: _jwt_bearer,
}


@router.post("/services/oauth2/token")
async def token(request: Request, body: Body) -> Response:
    """Log in by client credentials, by user name and password, or by a signed JWT."""
    state = state_of(request)
    form = {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
    form |= _basic(request.headers.get("authorization", ""))
    grant = form.get("grant_type", "")
    try:
        _GRANTS.get(grant, _unsupported)(state, _domain(request), form)
    except Refused as refused:
        return reply({"error": refused.code, "error_description": refused.text}, 400)
    return reply(_granted(state, signed=grant != JWT_BEARER))


def _basic(header: str) -> Form:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        name, secret = "", ""
    return {"client_id": name, "client_secret": secret}


def _granted(state: State, *, signed: bool) -> dict[str, str]:
    org, url = state.org, state.instance_url()
    who = f"{url}/id/{org.org_id}/{org.user_id}"
    content = {"access_token": state.new_token(), "scope": "api", "instance_url": url, "id": who}
    content |= {"token_type": "Bearer", "api_instance_url": url}
    if signed:
        issued = str(int(org.clock.time() * 1000))
        signature = hmac.new(org.access.consumer_secret.encode(), (who + issued).encode(), "sha256").digest()
        content |= {"issued_at": issued, "signature": base64.b64encode(signature).decode()}
    return content


# -- SOAP


@router.post("/services/Soap/u/{version}")
async def soap(request: Request, version: str, body: Body) -> Response:
    """Log in with the security token at the end of the password; nothing else of SOAP is simulated."""
    state, text = state_of(request), body.decode("utf-8", "replace")
    given = {name: _element(text, name) for name in ("username", "password", "organizationId")}
    try:
        _soap_version(state.org.access, version)
        _soap_login(state, _domain(request), given)
    except Refused as refused:
        fault = f"<faultcode>{refused.code}</faultcode><faultstring>{escape(refused.text)}</faultstring><detail>"
        fault += f'<sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{refused.code}</sf:exceptionCode>'
        fault += f"<sf:exceptionMessage>{escape(refused.text)}</sf:exceptionMessage></sf:LoginFault></detail>"
        return _envelope(f"<soapenv:Fault>{fault}</soapenv:Fault>", 500)
    server = f"{state.instance_url()}/services/Soap/u/{version}/{state.org.org_id[:15]}"
    result = f"<passwordExpired>false</passwordExpired><sandbox>false</sandbox><serverUrl>{server}</serverUrl>"
    result += f"<sessionId>{state.new_token()}</sessionId><userId>{state.org.user_id}</userId>"
    return _envelope(f"<loginResponse><result>{result}</result></loginResponse>")


def _element(text: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}>([^<]*)</", text)
    return unescape(found[1]) if found else ""


def _soap_version(access: Access, version: str) -> None:
    number = int(version[:-2]) if re.fullmatch(r"\d{1,3}\.0", version) else 0
    if not OLDEST_SOAP <= number <= NEWEST_SOAP:
        raise Refused("UNSUPPORTED_API_VERSION", f"Invalid Api version specified on URL: {version}")
    if number > NEWEST_SOAP_LOGIN:
        raise Refused("INVALID_OPERATION", _SOAP_GONE.format(number))
    if not access.soap_login:
        raise Refused("INVALID_OPERATION", _SOAP_OFF)


def _soap_login(state: State, domain: str, given: Form) -> None:
    access = state.org.access
    elsewhere = domain not in DOMAINS or given["organizationId"] not in {"", state.org.org_id}
    if elsewhere or access.locked or given["username"] != access.username:
        raise Refused("INVALID_LOGIN", _INVALID_LOGIN)
    if given["password"] == access.password and not access.trusted_network:
        raise Refused("LOGIN_MUST_USE_SECURITY_TOKEN", _NO_TOKEN)
    if given["password"] not in {access.password, access.password + access.security_token}:
        raise Refused("INVALID_LOGIN", _INVALID_LOGIN)


def _envelope(content: str, status: int = 200) -> Response:
    spaces = {
        "soapenv": "http://schemas.xmlsoap.org/soap/envelope/",
        "sf": "urn:fault.partner.soap.sforce.com",
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    }
    named = " ".join(f'xmlns:{name}="{space}"' for name, space in spaces.items())
    body = f"<soapenv:Body>{content}</soapenv:Body>"
    text = f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope {named}>{body}</soapenv:Envelope>'
    return Response(text, status, media_type="text/xml;charset=UTF-8")
