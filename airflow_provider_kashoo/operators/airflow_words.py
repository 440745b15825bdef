"""Say in Airflow's exceptions how a step ended."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException

log = logging.getLogger(__name__)

UNEXPECTED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""Errors of Python for a value that nobody expected."""


@contextmanager
def in_airflow_words() -> Iterator[None]:
    """Turn errors of this package into Airflow's exceptions; nothing else does this.

    A spent budget becomes a reschedule. What a person has to correct fails at once, without retries. What is tried
    again is logged first, in one line: Airflow shows it among the frames of a traceback.

    :raises AirflowRescheduleException: for :class:`~airflow_provider_kashoo.core.errors.BudgetSpent`.
    :raises AirflowFailException: for a ConfigurationError or AuthenticationError, and for an error that nobody expects:
        the next try would meet the same value again. Its own message may contain that value, and is not shown.
    :raises AirflowException: for any other SyncError.
    """
    from airflow_provider_kashoo.core.errors import AuthenticationError, BudgetSpent, ConfigurationError, SyncError

    try:
        yield
    except BudgetSpent as spent:
        raise AirflowRescheduleException(datetime.fromtimestamp(spent.until, UTC)) from None
    except (ConfigurationError, AuthenticationError) as error:
        raise AirflowFailException(str(error)) from None
    except SyncError as error:
        log.warning("%s", error)  # in one line, before Airflow's traceback
        raise AirflowException(str(error)) from None
    except UNEXPECTED as error:
        raise AirflowFailException(_place_of(error)) from None


def _place_of(error: Exception) -> str:
    """Say where this package has a mistake, without the words of the error."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
    said = f"This package has a mistake ({place}). What was written so far is journalled and will not be written again."
    return f"{said} Please report it with this place. After an upgrade, clear the task."
