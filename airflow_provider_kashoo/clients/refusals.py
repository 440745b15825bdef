"""What a refusal by Salesforce means, for a whole request or for one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def record_problem(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Return why one record of a collection was refused; with names of fields, without values."""
    first = errors[0] if errors else {}
    code = str(first.get("statusCode") or first.get("errorCode") or "unknown")
    if code in TRANSIENT:
        return Problem(code.lower(), f"Salesforce was busy with the record: {code}", "Nothing to do: it is sent again.")
    names = ", ".join(first.get("fields") or [])
    where = f" for {names}" if names else ""
    return Problem(code.lower(), f"Salesforce refused the record: {code}{where}", "Correct the record or the mapping.")
