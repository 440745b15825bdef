"""What can go wrong, by what a person or a run has to do about it.

Every message answers four questions: what happened, to which record, what was and was not
written, and what to do next. No message ever carries a request or answer body, a token or a
secret, because messages go into task logs. What Kashoo or Salesforce says of a record is kept with
the record only: see :attr:`Problem.unquoted`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

MOST_SHOWN = 80
"""Characters of a value that a message shows."""


class SyncError(Exception):
    """Base of every error this package raises on purpose.

    :param what: what happened, one sentence.
    :param remedy: what the reader should do next.
    :param record: the record it happened to, such as ``Opportunity 006...``.
    :param written: what was and was not written.
    """

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        record: str = "",
        written: str = "Nothing was written.",
    ) -> None:
        self.what = what
        self.remedy = remedy
        self.record = record
        self.written = written
        subject = f"{record}: " if record else ""
        super().__init__(" ".join(part for part in (subject + what, written, remedy) if part))


class ConfigurationError(SyncError):
    """The set-up is wrong: a mapping, a connection, a pool, a permission. The run stops."""


class AuthenticationError(SyncError):
    """A side refused our credentials. The run stops."""


class UnreachableError(SyncError):
    """A side did not answer, or answered that it is not available now. The task is tried again."""


class UnreadableError(UnreachableError):
    """Kashoo answers, but cannot return one record, or only with a value that it cannot have. The others go on.

    :param odd: the field with that value.
    """

    def __init__(self, what: str, *, odd: str = "", **more: str) -> None:
        self.odd = odd
        super().__init__(what, **more)

    @property
    def problem(self) -> Problem:
        """Why the record is parked."""
        cause = "Kashoo answers, but cannot return this record"
        if self.odd:
            cause = f"Kashoo shows its {self.odd} with a value that it cannot have"
        return Problem("unreadable", cause, "Open the record in Kashoo and correct it. Every run tries it again.")


class RefusedError(SyncError):
    """A request was answered with an error status; unless ``written`` says otherwise, retrying cannot help.

    :param status: HTTP status of the answer.
    :param error_class: a row of :mod:`airflow_provider_kashoo.clients.outcomes`.
    """

    def __init__(self, what: str, *, status: int, error_class: str, remedy: str = "", **more: str) -> None:
        self.status = status
        self.error_class = error_class
        super().__init__(what, remedy=remedy, **more)


class BudgetSpent(SyncError):
    """The request limit is reached, and the wait for a free slot is too long for a worker.

    :param until: when a useful number of slots is free, epoch seconds UTC.
    """

    def __init__(self, until: float) -> None:
        self.until = until
        super().__init__(
            "The request limit is reached.",
            written="What was written so far is journalled and will not be written again.",
            remedy="The task continues by itself when requests are allowed again.",
        )


class StoppedError(SyncError):
    """The task was asked to stop; it finished and journalled the request in flight first."""

    def __init__(self) -> None:
        super().__init__(
            "The task was stopped on request.",
            written="What was written so far is journalled and will not be written again.",
            remedy="Clear the task to continue.",
        )


@dataclass(frozen=True)
class Problem:
    """Why one record cannot be written. The others go on.

    :param error_class: short stable name, for counting and for the docs.
    :param cause: what is wrong with the record, with the value at fault; see :func:`shown`.
    :param fix: what a person should do.
    :param said: the part of the cause that quotes the other side, and may hold personal data.
    """

    error_class: str
    cause: str
    fix: str
    said: str = ""

    @property
    def unquoted(self) -> str:
        """The cause as logs and the audit may have it."""
        if not self.said:
            return self.cause
        before, _, after = self.cause.partition(self.said)
        return f"{before}…{after}" if after else before

    def quoting(self, words: str) -> Problem:
        """Add what the other side said, if it said something."""
        return replace(self, cause=f"{self.cause}: {words}", said=f": {words}") if words else self

    def of(self, **words: str) -> Problem:
        """Fill in the placeholders of cause and fix."""
        return replace(self, cause=self.cause.format(**words), fix=self.fix.format(**words))


def shown(value: Any) -> str:
    """Quote a value for a message, on one line and cut to :data:`MOST_SHOWN` characters."""
    text = " ".join(str(value).split())
    return f"'{text[: MOST_SHOWN - 1]}…'" if len(text) > MOST_SHOWN else f"'{text}'"
