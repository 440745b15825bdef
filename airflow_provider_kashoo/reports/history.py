"""What happened to one record, as sentences, oldest first. ``explain`` says why; this says what, when, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kashoo.core.rules.settled import ANSWERS
from airflow_provider_kashoo.core.values.money import format_minor

Row = Mapping[str, Any]

_SAID = {
    "create": "The {what} was created in Kashoo{books}{total}",
    "update": "The {what}{books} was changed in Kashoo{fields}{total}",
    "void": "The {what}{books} was voided in Kashoo",
    "link": "The {what} was linked to what is in Kashoo{books}",
    "unlinked": "The link of the {what}{books} ended",
    "follow": "The link of the {what}{books} moved to another record or sale",
    "write_back": "What Kashoo says was written back to Salesforce{fields}",
    "upsert": "The {what} in Salesforce was written{fields}",
    "parked": "The {what} could not be written, and waits",
    "answered": "The next run does what was said about the {what}",
    "retry": "The {what} was turned away for the moment, and is sent again",
    "in_doubt": "The {what} was sent, and it is not known whether it was written",
    "found": "The {what} that was in doubt was found in Kashoo{books}",
    "absent": "The {what} that was in doubt is not in Kashoo",
    "silence": "The {what} was looked up, and it is still not known whether it was written",
    "late_answer": "An answer about the {what} came late{books}",
    "skip": "What Kashoo says was not written back",
    "replayed": "A person asked to try the {what} again",
    "dismissed": "A question about the {what} was left as it is",
    "settled": "A question about the {what} was settled",
}
"""Event of the audit -> what happened."""

_PLAIN = {"ContentVersion": "PDF of the invoice", "CaseComment": "comment to the Case"}
"""Object of Salesforce -> what people call it."""


@dataclass(frozen=True)
class Happened:
    """One event.

    :param at: epoch seconds UTC.
    :param text: a sentence.
    :param run_id: of the run that did it; empty for a question that closed by itself.
    """

    at: float
    event: str
    text: str
    run_id: str
    source_id: str


def events_of(
    entries: Iterable[Row], operations: Iterable[Row], questions: Iterable[Row], decisions: Iterable[Row]
) -> list[Happened]:
    """Tell it, oldest first.

    :param entries: rows of the audit about the record.
    :param operations: its writes.
    :param questions: what a person was asked about it.
    :param decisions: rows of the audit about plans; only those of runs that wrote to it are told.
    """
    writes = {row["id"]: row for row in operations}
    rows = list(entries)
    told = [_entry(row, writes.get(row["operation_id"], {})) for row in rows]
    told += [each for row in questions for each in _question(row)]
    # A parked record is in the audit too; a person decided about what was written.
    runs = {row["run_id"] for row in rows if row["event"] in {"create", "update", "void", "write_back", "upsert"}}
    told += [_decision(row) for row in decisions if row["run_id"] in runs]
    return sorted(told, key=lambda each: each.at)


def _entry(row: Row, write: Row) -> Happened:
    part = f", part {write['part']}" if write.get("part", 1) > 1 else ""
    total = write.get("expected_total")
    words = {
        "what": f"{_PLAIN.get(row['target'], row['target'])}{part}",
        "books": f" as {row['kashoo_id']}" if row["kashoo_id"] else "",
        "fields": f": {', '.join(row['fields'])}" if row["fields"] else "",
        "total": "" if total is None else f", {format_minor(total, write.get('currency') or '')}",
    }
    event = "answered" if row["event"] == "parked" and row["reason"] in ANSWERS else row["event"]
    said = _SAID.get(event, f"{event} of the {{what}}{{books}}").format(**words)
    why = f" ({row['reason']})" if row["reason"] else ""
    return Happened(row["at"], row["event"], f"{said}{why}.", *_of(row))


def _decision(row: Row) -> Happened:
    said = f"A person decided about its plan: {row['event']}. {row['reason']}."
    return Happened(row["at"], row["event"], said, *_of(row))


def _question(row: Row) -> list[Happened]:
    asked = Happened(row["opened_at"], "asked", f"A person was asked (R{row['id']}): {row['cause']}.", *_of(row))
    if row["closed_at"] is None:
        return [asked]
    gone = f"The question R{row['id']} was closed: its cause is gone."
    return [asked, Happened(row["closed_at"], "closed", gone, "", row["source_id"])]


def _of(row: Row) -> tuple[str, str]:
    return row["run_id"], row["source_id"]
