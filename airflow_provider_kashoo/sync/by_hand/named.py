"""Which of what waits a person means.

A record keeps its id while it waits: its Salesforce id, with ``/2`` behind it for the second invoice of a deal. The
number of an operation changes with each try, and that of a review item with each new question; both are taken, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.core.values.ids import is_record_id, to_18
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.overview import asked_in_all, parked_in_all
from airflow_provider_kashoo.store.scope import Scope

SEE = "See: airflow kashoo status"

_RECORD = re.compile(r"(\w{15}|\w{18})(?:/(\d{1,9}))?", re.ASCII)

Row = Mapping[str, Any]


def id_of(row: Row) -> str:
    """Name a record that waits, from a row of operations or review items."""
    return row["source_id"] if row["part"] == 1 else f"{row['source_id']}/{row['part']}"


def among(rows: Iterable[Row], named: str) -> list[Row]:
    """Find the rows that a person means: all of a record, or the one with a number."""
    text = named.strip()
    found = _RECORD.fullmatch(text)
    if found and is_record_id(found[1]):
        ident, part = to_18(found[1]), found[2] and int(found[2])
        return [row for row in rows if row["source_id"] == ident and part in {None, row["part"]}]
    return [row for row in rows if str(row["id"]) == text]


def one_question(database: Database, named: str) -> tuple[Scope, Row]:
    """Find the question that a person means, of any org and business.

    :param named: ``R12``, or the id of a record of which one question is open.
    :raises ConfigurationError: for anything else; of several questions, with their ids.
    """
    text = re.sub(r"^[Rr](?=\d{1,9}$)", "", named.strip())
    found = [(scope, row) for scope, row in asked_in_all(database) if among([row], text)]
    if not found:
        raise ConfigurationError(f"No open review item has the id {named!r}; their ids look like R12.", remedy=SEE)
    if len(found) > 1:
        several = "; ".join(f"R{row['id']} ({row['cause']})" for _, row in found)
        raise ConfigurationError(f"{named} is asked about more than once.", remedy=f"Give one of: {several}.")
    return found[0]


def parked_now(database: Database, idents: Iterable[str], cause: str) -> None:
    """Check that what is to be tried again is parked, whichever org and business it belongs to.

    :param idents: ids of records.
    :param cause: error class; neither ids nor a cause means all that is parked.
    :raises ConfigurationError: when one of them is not, or nothing is.
    """
    rows = parked_in_all(database)
    for ident in idents:
        if not among(rows, ident):
            raise ConfigurationError(f"Nothing is parked of {shown(ident)}: it was dealt with meanwhile.", remedy=SEE)
    if not any(cause in {"", row["error_class"]} for row in rows):
        raise ConfigurationError("Nothing is parked any more.", remedy=SEE)
