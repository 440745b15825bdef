"""Why Salesforce refuses a login, by its error code or by a description that it always words alike.

Codes and descriptions are evidenced in Salesforce's documents and in issue threads; what to do is ours.
"""

from __future__ import annotations

KEY_OR_SECRET = "correct consumer_key and consumer_secret; a new app needs ten minutes before it works"  # noqa: S105
PASSWORD = "correct login, password and security_token; for a sandbox org, set domain to test"  # noqa: S105  words
API_ENABLED = "give its user the permission API Enabled; the edition of the org must include the API"
SOAP = (
    "turn on SOAP API login() in Setup > User Interface and give its user the permission Use Any API Auth; or better, "
    "log in with consumer_key and consumer_secret"
)
ACTIVE = "activate its user in Salesforce"
ASK_AN_ADMIN = "see its user's login history in Setup > Users"
LOGIN_RULES = "let the login IP ranges and login hours of its user's profile admit the workers"

BY_DESCRIPTION = {
    "authentication failure": PASSWORD,
    "request not supported on this domain": "set domain to your My Domain, such as acme.my, instead of login or test",
    "no client credentials user enabled": "set a Run As user in the client credentials flow of the app",
    "client credentials flow not enabled": "enable the client credentials flow in the app",
    "invalid client credentials": KEY_OR_SECRET,
    "client identifier invalid": KEY_OR_SECRET,
    "user hasn't approved this consumer": "pre-authorize its user in the app's policies",
    "user is not admin approved to access this app": "pre-authorize its user in the app's policies",
    "inactive user": ACTIVE,
    "inactive organization": "the org is not active; ask Salesforce",
    "ip restricted": LOGIN_RULES,
    "ip restricted or invalid login hours": LOGIN_RULES,
    "invalid assertion": "correct private_key and login; the app must hold the certificate of that key",
    "audience is invalid": "set domain to login, to test for a sandbox org, or to your My Domain",
    "expired access/refresh token": "log in anew and replace the token",
}
"""OAuth's ``error_description``, in lower case -> what to do."""

BY_CODE = {
    # OAuth: what the token endpoint calls its error
    "access_denied": ASK_AN_ADMIN,
    "inactive_org": "the org is not active; ask Salesforce",
    "inactive_user": ACTIVE,
    "invalid_app_access": "let the app's policies admit its user",
    "invalid_assertion_type": "correct private_key and login",
    "invalid_client": KEY_OR_SECRET,
    "invalid_client_credentials": KEY_OR_SECRET,
    "invalid_client_id": KEY_OR_SECRET,
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
    "INVALID_LOGIN": PASSWORD,
    "INVALID_OPERATION": SOAP,
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
    :param description: OAuth's ``error_description``; compared whole, never searched for words.
    """
    said = description.strip().rstrip(".").lower()
    if code not in BY_CODE or said == LOGIN_RATE_EXCEEDED:
        return None
    return BY_DESCRIPTION.get(said, BY_CODE[code])
