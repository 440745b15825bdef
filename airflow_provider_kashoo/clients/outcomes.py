"""What Kashoo's answers mean, in one table: whether anything was written, and who has to act.

All of it is assumed: the API's status codes and error bodies are not publicly documented (only 401 and
404 are evidenced). For a write, only a status in this table proves that nothing was written; anything
else after sending is ambiguous and is looked up, never repeated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from airflow_provider_kashoo.clients.said import Answer, answer_of
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.operations import Event


@dataclass(frozen=True)
class Outcome:
    """One row of the table.

    :param event: what it means for an operation.
    :param stop: the run cannot continue with other records either.
    """

    event: Event
    problem: Problem
    stop: bool = False


_COMPARE = "Correct what Kashoo names, in Salesforce, Kashoo or the mapping. It is tried again by itself."

REFUSED_BY_STATUS = {
    400: Problem("refused", "Kashoo refused the record (400)", _COMPARE),
    404: Problem("not_found", "Kashoo does not have this record or path (404)", "Check if it was removed by hand."),
    405: Problem("not_allowed", "Kashoo does not allow this operation (405)", "Check the profile in the connection."),
    413: Problem("too_large", "the record is too large for Kashoo (413)", "Shorten descriptions or split the deal."),
    415: Problem("refused", "Kashoo refused the content type (415)", "Check the profile in the connection."),
    422: Problem("refused", "Kashoo refused the record (422)", _COMPARE),
}

JUDGES_THE_RECORD = frozenset({400, 422})
"""Statuses that are about what the record says."""

OF_FIELDS = {
    "date": Problem(
        "date",
        "Kashoo does not accept its date",
        "Change the date in Salesforce; if Kashoo says that the period is closed, open it there.",
    ),
    "currency": Problem("currency", "Kashoo does not accept its currency", "Correct it in Salesforce or Kashoo."),
    "taxCode": Problem("tax", "Kashoo does not accept its tax code", "Correct taxCode in the mapping."),
    "account": Problem("account", "Kashoo does not accept its account", "Correct account in the mapping."),
    "contact": Problem("contact", "Kashoo does not accept its customer", "Correct the customer in Kashoo."),
}
"""Field that an answer names as the one at fault -> what that means. Words of a message never count for this."""

STOPS = {
    402: Outcome(
        Event.SILENCE,
        Problem("subscription", "the Kashoo subscription does not cover this (402)", "Renew the subscription."),
        stop=True,
    ),
    403: Outcome(
        Event.TURNED_AWAY,
        Problem("permission", "the Kashoo user may not do this (403)", "Give the user access to the business."),
        stop=True,
    ),
}
"""Only 403 proves that nothing was written; 402 may come from a limit that is checked after writing."""

TURNED_AWAY = Problem("rate_limit", "Kashoo asked to slow down (429)", "Nothing to do: it is sent again.")
NOT_SENT = Problem("unreachable", "Kashoo could not be reached", "Nothing to do: it is sent again.")
TOO_LATE = Problem("too_late", "its deadline passed before it could be sent", "Nothing to do: it is sent again.")
NO_ANSWER = Problem(
    "no_answer", "it was sent, but Kashoo gave no conclusive answer", "Nothing to do: it is looked up before a new try."
)
NOT_GONE = Problem(
    "not_gone", "Kashoo reported that it was removed, but it still exists", "Nothing to do: it is looked up again."
)
NOT_CHANGED = Problem(
    "not_changed", "Kashoo reported success, but the record is unchanged", "Nothing to do: it is looked up again."
)


def of_write(status: int, body: str, secrets: Iterable[str] = ()) -> Outcome:
    """Classify the answer to a write that was not confirmed.

    :param status: HTTP status; it alone decides whether something was written.
    :param body: what it says is added to the cause, in its own words.
    :param secrets: texts that must not be shown, such as the password of the connection.
    """
    if status == 429:
        return Outcome(Event.TURNED_AWAY, TURNED_AWAY)
    if status in STOPS:
        return STOPS[status]
    if status in REFUSED_BY_STATUS:
        return Outcome(Event.REFUSED, _refused(status, answer_of(body, secrets)))
    return Outcome(Event.SILENCE, NO_ANSWER)


def _refused(status: int, answer: Answer) -> Problem:
    problem = REFUSED_BY_STATUS[status]
    if status in JUDGES_THE_RECORD:
        found = next((OF_FIELDS[name] for name in answer.fields if name in OF_FIELDS), None)
        problem = replace(found, cause=f"{found.cause} ({status})") if found else problem
    return problem.quoting(answer.words)


class WriteFailed(Exception):
    """A write was not confirmed.

    :param outcome: what that means.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.problem.unquoted)
