"""What a refusal by Salesforce means, for a whole request or for one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_kashoo.clients.said import quoted
from airflow_provider_kashoo.clients.transport import TryAgain
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem, UnreachableError

TRANSIENT = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG"})
"""Error codes of temporary problems (evidenced in issue threads)."""

TOO_LONG = "QUERY_TIMEOUT"


def refusal(status: int, errors: Any) -> Exception:
    """Classify a refusal: a 403 may be a permission, a daily limit or too many requests at once (evidenced).

    :param errors: the body, a list of ``errorCode`` and ``message``; anything else is ignored.
    :returns: the exception to raise; ``TryAgain`` for temporary problems.
    """
    code, message = _first(errors)
    if code == "REQUEST_LIMIT_EXCEEDED" and "Concurrent" not in message:
        return UnreachableError(
            "Salesforce's daily request limit is used up.", remedy="Wait, or raise the limit; the task tries again."
        )
    if code == TOO_LONG:
        return UnreachableError(
            "A query took too long, and Salesforce cancelled it.",
            remedy="The task tries again; if it lasts, schedule shorter intervals, or set since and until.",
        )
    if status in {429, 503} or status >= 500 or code in TRANSIENT | {"REQUEST_LIMIT_EXCEEDED"}:
        return TryAgain(f"status {status} {code}".strip())
    if code in {"INVALID_FIELD", "INVALID_TYPE", "MALFORMED_QUERY"}:
        # These messages contain only field and object names.
        first = message.strip().splitlines()[-1] if message.strip() else code
        return ConfigurationError(
            f"Salesforce refused a query: {code}, {first}",
            remedy="Correct the mapping, or the user's field permissions.",
        )
    return ConfigurationError(
        f"Salesforce refused a request ({status} {code}).", remedy="Check the permissions of the connection's user."
    )


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
    "STRING_TOO_LONG": "Make the field longer in Salesforce, or add max_length to it in the mapping.",
}
"""Status code of a refused record -> what a person should do (codes evidenced in Salesforce's API reference)."""


def record_problem(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Return why one record was refused: the code, the fields, and what Salesforce said.

    :param errors: of one record of a collection (``statusCode``), or of a whole request (``errorCode``).
    """
    first = errors[0] if errors else {}
    code = str(first.get("statusCode") or first.get("errorCode") or "unknown")
    if code in TRANSIENT:
        return Problem(code.lower(), f"Salesforce was busy with the record: {code}", "Nothing to do: it is sent again.")
    names = ", ".join(dict.fromkeys(name for each in errors for name in each.get("fields") or []))
    where = f" for {names}" if names else ""
    fix = FIXES.get(code, "Correct what Salesforce names, in the record or in the mapping.")
    words = quoted("; ".join(dict.fromkeys(str(each.get("message") or "") for each in errors)))
    return Problem(code.lower(), f"Salesforce refused the record: {code}{where}", fix).quoting(words)
