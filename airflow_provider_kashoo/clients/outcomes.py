"""What Kashoo's answers mean, in one table: whether anything was written, and who has to act.

All of it is assumed: the API's status codes and error bodies are not publicly documented (only 401 and
404 are evidenced). For a write, only a status in this table proves that nothing was written; anything
else after sending is ambiguous and is looked up, never repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

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


REFUSED_BY_STATUS = {
    400: Problem("refused", "Kashoo refused the record (400)", "Check its customer, currency, accounts and taxes."),
    404: Problem("not_found", "Kashoo does not have this record or path (404)", "Check if it was removed by hand."),
    405: Problem("not_allowed", "Kashoo does not allow this operation (405)", "Check the profile in the connection."),
    413: Problem("too_large", "the record is too large for Kashoo (413)", "Shorten descriptions or split the deal."),
    415: Problem("refused", "Kashoo refused the content type (415)", "Check the profile in the connection."),
    422: Problem("refused", "Kashoo refused the record (422)", "Check its customer, currency, accounts and taxes."),
}

REFUSED_BY_BODY = (
    (
        "lock",
        Problem(
            "closed_period", "its date lies in a locked period", "Change the date in Salesforce, or unlock the period."
        ),
    ),
    ("currency", Problem("currency", "Kashoo does not accept its currency", "Correct it in Salesforce or Kashoo.")),
    ("tax", Problem("tax", "Kashoo does not accept its tax code", "Correct taxCode in the mapping.")),
    ("account", Problem("account", "Kashoo does not accept its account", "Correct account in the mapping.")),
    ("contact", Problem("contact", "Kashoo does not accept its customer", "Correct the customer in Kashoo.")),
)

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


def of_write(status: int, body: str) -> Outcome:
    """Classify the answer to a write that was not confirmed.

    :param status: HTTP status.
    :param body: used to find the reason, and for nothing else.
    """
    if status == 429:
        return Outcome(Event.TURNED_AWAY, TURNED_AWAY)
    if status in STOPS:
        return STOPS[status]
    if status in {400, 422}:
        said = body.lower()
        for sign, problem in REFUSED_BY_BODY:
            if sign in said:
                return Outcome(Event.REFUSED, problem)
    if status in REFUSED_BY_STATUS:
        return Outcome(Event.REFUSED, REFUSED_BY_STATUS[status])
    return Outcome(Event.SILENCE, NO_ANSWER)


class WriteFailed(Exception):
    """A write was not confirmed.

    :param outcome: what that means.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.problem.cause)
