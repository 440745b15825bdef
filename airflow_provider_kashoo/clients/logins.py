"""Why Salesforce refuses a login, by its error code or by a description that it always words alike.

Codes and descriptions are evidenced in Salesforce's documents and in issue threads; what to do is ours.
"""

from __future__ import annotations

KEY = "correct consumer_key; a new app needs ten minutes before it works"
WRONG_KEY = "correct consumer_secret"
WRONG_LOGIN = "correct login, password and security_token, or unlock the user; for a sandbox org, set domain to test"
API_ENABLED = "give its user the permission API Enabled; the edition of the org must include the API"
SOAP = (
    "turn on SOAP API login() in Setup > User Interface and give its user the permission Use Any API Auth; or better, "
    "log in with consumer_key and consumer_secret"
)
ACTIVE = "activate its user in Salesforce"
ASK_AN_ADMIN = "see its user's login history in Setup > Users"
LOGIN_RULES = "let the login IP ranges and login hours of its user's profile admit the workers"

BY_DESCRIPTION = {
    "authentication failure": WRONG_LOGIN,
    "request not supported on this domain": "set domain to your My Domain, such as acme.my, instead of login or test",
    "no client credentials user enabled": "set a Run As user in the client credentials flow of the app",
    "client credentials flow not enabled": "enable the client credentials flow in the app",
    "invalid client credentials": WRONG_KEY,
    "client identifier invalid": KEY,
    "user hasn't approved this consumer": "correct login, or pre-authorize its user in the app's policies",
    "user is not admin approved to access this app": "pre-authorize its user in the app's policies",
    "inactive user": ACTIVE,
    "inactive organization": "the org is not active; ask Salesforce",
    "ip restricted": LOGIN_RULES,
    "ip restricted or invalid login hours": LOGIN_RULES,
    "invalid assertion": "correct private_key; the app must hold the certificate of that key",
    "audience is invalid": "set domain to login, or to test for a sandbox org",
    "expired authorization code": "set the clock of this worker right; a signed JWT is good for three minutes",
    "expired access/refresh token": "log in anew and replace the token",
    # the text of a SOAP fault
    "invalid username, password, security token; or user locked out": WRONG_LOGIN,
    "soap api login() is disabled by default in this org. contact the org administrator to enable soap api login()": (
        SOAP
    ),
}
"""OAuth's ``error_description`` or the text of a SOAP fault, in lower case without its period -> what to do."""

BY_CODE = {
    # OAuth: what the token endpoint calls its error
    "access_denied": ASK_AN_ADMIN,
    "inactive_org": "the org is not active; ask Salesforce",
    "inactive_user": ACTIVE,
    "invalid_app_access": "let the app's policies admit its user",
    "invalid_assertion_type": "correct private_key and login",
    "invalid_client": WRONG_KEY,
    "invalid_client_credentials": WRONG_KEY,
    "invalid_client_id": KEY,
    "invalid_grant": f"see which of its values is wrong; {ASK_AN_ADMIN}",
    "invalid_request": "fill all that its way of login needs",
    "invalid_scope": "give the app the scope api",
    "unauthorized_client": "let the app's policies admit its user",
    "unsupported_grant_type": "enable this OAuth flow in the app",
    # SOAP: the exception code of a fault
    "API_CURRENTLY_DISABLED": API_ENABLED,
    "API_DISABLED_FOR_ORG": API_ENABLED,
    "FUNCTIONALITY_NOT_ENABLED": SOAP,
    "INSUFFICIENT_ACCESS": SOAP,
    "INVALID_LOGIN": WRONG_LOGIN,
    "INVALID_OPERATION": f"set version to 64.0 or older, newer ones have no SOAP login, and {SOAP}",
    "INVALID_SSO_GATEWAY_URL": "its user logs in by single sign-on only; use consumer_key and consumer_secret",
    "LOGIN_CHALLENGE_ISSUED": "add the workers' addresses to Setup > Network Access",
    "LOGIN_CHALLENGE_PENDING": "add the workers' addresses to Setup > Network Access",
    "LOGIN_DURING_RESTRICTED_DOMAIN": LOGIN_RULES,
    "LOGIN_DURING_RESTRICTED_TIME": LOGIN_RULES,
    "LOGIN_MUST_USE_SECURITY_TOKEN": "fill in security_token; Salesforce mails a new one to its user",
    "ORG_LOCKED": "the org is locked; ask Salesforce",
    "PASSWORD_LOCKOUT": "unlock its user in Setup > Users, then correct the password",
    "TRIAL_EXPIRED": "the trial of the org has ended; ask Salesforce",
    "UNSUPPORTED_API_VERSION": "set version to one that the org offers; a login by password needs 64.0 or older",
    "UNSUPPORTED_CLIENT": "set version to one that the org offers",
}
"""Code -> what to do about a login that no retry can help."""

LOGIN_RATE_EXCEEDED = "login rate exceeded"
"""The description of an ``invalid_grant`` that passes by itself."""


def what_to_do(code: str, description: str) -> str | None:
    """Say how to mend a login that was refused; None if it may pass by itself.

    :param code: OAuth's ``error``, or the exception code of a SOAP fault.
    :param description: OAuth's ``error_description`` or a fault's text; compared whole, never searched for words.
    """
    said = _plain(description)
    if code not in BY_CODE or said == LOGIN_RATE_EXCEEDED:
        return None
    return BY_DESCRIPTION.get(said, BY_CODE[code])


def words(code: str, description: str) -> str:
    """Name what was refused: the code, and Salesforce's description if it is a known one, which quotes nothing.

    :param code: as for :func:`what_to_do`, and so is ``description``.
    """
    return f"{code}: {_plain(description)}" if _plain(description) in BY_DESCRIPTION else code


def _plain(description: str) -> str:
    return description.strip().rstrip(".").lower()
