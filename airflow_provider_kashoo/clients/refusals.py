"""What a refusal by Salesforce means, for a whole request or for one record."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_kashoo.clients.said import quoted
from airflow_provider_kashoo.clients.transport import TryAgain
from airflow_provider_kashoo.core.errors import (
    ConfigurationError,
    Problem,
    UnreachableError,
)

TRANSIENT = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG"})
"""Error codes of temporary problems (evidenced in issue threads)."""

TOO_LONG = "QUERY_TIMEOUT"

AT_ONCE = "ConcurrentRequests"
"""How Salesforce's message begins when too many requests run at once; the daily limit has the same code (evidenced)."""

NOT_FOR_REST = "This session is not valid for use with the REST API"
"""Salesforce's message for a login that worked, but whose session may not use the API (evidenced)."""


def session_refused(errors: Any, connection: str) -> ConfigurationError:
    """Make the error for a session that Salesforce refuses right after the login that it allowed.

    :param errors: as for :func:`refusal`.
    """
    what = "Salesforce allowed the login, and then refused its session."
    remedy = (
        f"Give the user of connection {connection} the permission API Enabled, and see in Setup > Session Settings "
        "whether sessions are locked to an address."
    )
    if _first(errors)[1].rstrip(".") == NOT_FOR_REST:
        what = "Salesforce allowed the login, but its session may not use the REST API."
        remedy = (
            f"Give the app of connection {connection} the scope api. Where API Access Control is on, admit the app, or "
            "give the user the permission Use Any API Client."
        )
    return ConfigurationError(what, remedy=remedy)


API_ENABLED = "Give the connection's user the permission API Enabled; the edition of the org must include the API."
MEANINGS = {
    "API_CURRENTLY_DISABLED": ("The connection's user may not use Salesforce's API", API_ENABLED),
    "API_DISABLED_FOR_ORG": ("The connection's user may not use Salesforce's API", API_ENABLED),
    "INSUFFICIENT_ACCESS": (
        "The connection's user lacks a permission in Salesforce",
        "Let the user read the objects and fields of the mappings, and edit the fields that are written back.",
    ),
    "FUNCTIONALITY_NOT_ENABLED": (
        "The org does not have a feature that the sync needs",
        "Ask who looks after the org whether its edition includes the REST API and Bulk API 2.0.",
    ),
    "NOT_FOUND": (
        "Salesforce does not have what was asked for, or the connection's user may not see it",
        "Check the names in the mappings, and what the user may read.",
    ),
    "UNSUPPORTED_API_VERSION": (
        "Salesforce has retired the API version of the connection",
        "Set the connection's extra version to one that the org offers.",
    ),
}
"""Error code of a request that can never succeed -> what happened, and what to do. Evidenced but for the wording."""

QUERY_REFUSALS = {
    "INVALID_FIELD": (
        "Correct the field in the mapping, or give the connection's user read access to it (field-level security)."
    ),
    "INVALID_TYPE": "Correct the object in the mapping, or give the connection's user read access to it.",
    "MALFORMED_QUERY": "Correct the mapping.",
}


class Refused(ConfigurationError):
    """A request was refused, and can never succeed.

    :param code: Salesforce's error code.
    :param errors: all of what Salesforce said; never part of the message.
    """

    def __init__(self, what: str, *, remedy: str, status: int, code: str, errors: Any) -> None:
        self.status, self.code, self.errors = status, code, errors if code else []
        super().__init__(what, remedy=remedy)

    @property
    def is_about_the_content(self) -> bool:
        """Whether another content of the same request could succeed; otherwise path, session or user are wrong."""
        return self.status == 400 and bool(self.code)


def refusal(status: int, errors: Any) -> Exception:
    """Classify a refusal: a 403 may be a permission, a daily limit or too many requests at once (evidenced).

    :param errors: the body, a list of ``errorCode`` and ``message``; anything else is ignored.
    :returns: the exception to raise; ``TryAgain`` for temporary problems.
    """
    code, message = _first(errors)
    if code == "REQUEST_LIMIT_EXCEEDED" and not message.startswith(AT_ONCE):
        return UnreachableError(
            "Salesforce's daily request limit is used up.", remedy="Wait, or raise the limit; the task tries again."
        )
    if code == TOO_LONG:
        return UnreachableError(
            "A query took too long, and Salesforce cancelled it.",
            remedy="The task tries again; if it lasts, schedule shorter intervals, or set since and until.",
        )
    if status in {429, 503} or status >= 500 or code in TRANSIENT | {"REQUEST_LIMIT_EXCEEDED"}:
        return TryAgain(f"status {status} {code}".strip(), status=status)
    what, remedy = _meaning(status, code, message)
    return Refused(what, remedy=remedy, status=status, code=code, errors=errors)


def _meaning(status: int, code: str, message: str) -> tuple[str, str]:
    if code in QUERY_REFUSALS:
        # These messages contain only field and object names.
        last = message.strip().splitlines()[-1] if message.strip() else code
        return f"Salesforce refused a query: {code}, {last}", QUERY_REFUSALS[code]
    if code in MEANINGS:
        what, remedy = MEANINGS[code]
        return f"{what} ({status} {code}).", remedy
    if 300 <= status < 400:
        return f"Salesforce redirects a request ({status}).", "Correct domain or instance in the Salesforce connection."
    said = " ".join(filter(None, (str(status), code)))
    return f"Salesforce refused a request ({said}).", "Look up the code in Salesforce's REST API guide."


def _first(errors: Any) -> tuple[str, str]:
    try:
        return str(errors[0].get("errorCode", "")), str(errors[0].get("message", ""))
    except (AttributeError, TypeError, IndexError, KeyError):
        return "", ""


FIXES = {
    "CANNOT_EXECUTE_FLOW_TRIGGER": "Correct the flow that Salesforce names, or the record.",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "Correct the Apex trigger or flow that Salesforce names, or the record.",
    "DUPLICATES_DETECTED": "Merge the duplicates, or let the duplicate rule leave this user out.",
    "DUPLICATE_VALUE": "Make the value unique, or the field not unique.",
    "ENTITY_IS_LOCKED": "End the approval process that locks the record, or unlock it.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": (
        "Correct the record, or let the validation rule leave the connection's user out."
    ),
    "FIELD_FILTER_VALIDATION_EXCEPTION": "Correct the record, or the field's lookup filter.",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (
        "Give the connection's user access to the records that this one refers to."
    ),
    "INSUFFICIENT_ACCESS_OR_READONLY": "Give the connection's user edit access to the record and its object.",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "Give the connection's user edit access to the field.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "Add the value to the picklist, or map it to one that is there.",
    "REQUIRED_FIELD_MISSING": "Fill the field in Salesforce.",
    "STORAGE_LIMIT_EXCEEDED": "Delete files in Salesforce, or buy more file storage.",
    "STRING_TOO_LONG": "Make the field longer in Salesforce, or add max_length to it in the mapping.",
}
"""Status code of a refused record -> what a person should do (codes evidenced in Salesforce's API reference)."""


def record_problem(errors: Sequence[Mapping[str, Any]], sent: str = "") -> Problem:
    """Return why one record was refused: the code, the fields, and what Salesforce said.

    :param errors: of one record of a collection (``statusCode``), or of a whole request (``errorCode``).
    :param sent: the JSON of a request with this record alone. Its parser names no field, but a place in it (evidenced).
    """
    errors = [each for each in errors if isinstance(each, dict)]
    first = errors[0] if errors else {}
    code = str(first.get("statusCode") or first.get("errorCode") or "unknown")
    if code in TRANSIENT:
        return Problem(code.lower(), f"Salesforce was busy with the record: {code}", "Nothing to do: it is sent again.")
    named = [name for each in errors for name in _names(each) or [_field_at(str(each.get("message")), sent)]]
    names = ", ".join(filter(None, dict.fromkeys(named)))
    where = f" for {names}" if names else ""
    fix = FIXES.get(code, "Correct what Salesforce names, in the record or in the mapping.")
    words = quoted("; ".join(dict.fromkeys(str(each.get("message") or "") for each in errors)))
    return Problem(code.lower(), f"Salesforce refused the record: {code}{where}", fix).quoting(words)


def _names(error: Mapping[str, Any]) -> list[str]:
    listed = error.get("fields")
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def _field_at(message: str, sent: str) -> str:
    """Name the key of a JSON text whose value a message points at; empty when it points nowhere."""
    place = re.search(r"\[line:1, column:(\d{1,9})\]", message)
    keys = re.findall(r'(?<!\\)"(\w+)":', sent[: int(place[1])]) if place else []
    return keys[-1] if keys else ""
