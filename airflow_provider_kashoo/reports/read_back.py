"""What was read back of a test batch, for people: a table for the log, and sentences for a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SHOWN = 20
"""So many differences are shown."""


def is_as_sent(result: Mapping[str, Any]) -> bool:
    """Return whether the books show every field as it was sent."""
    return all(sent == same for sent, same in result["fields"].values())


def as_table(result: Mapping[str, Any]) -> str:
    """Write a line for each field: how often it was sent, and how often the books show it so; then what differs."""
    if not result["fields"]:
        return "  nothing was written"
    width = max(len("field"), *map(len, result["fields"]))
    lines = [f"  {'field':<{width}}  sent  as sent"]
    lines += [f"  {name:<{width}}  {sent:>4}  {same:>7}" for name, (sent, same) in result["fields"].items()]
    return "\n".join([*lines, *(f"  {each}" for each in differences(result))])


def differences(result: Mapping[str, Any]) -> Iterator[str]:
    """Say what the books show otherwise, record by record."""
    found = result["differences"]
    for each in found[:SHOWN]:
        yield f"{each['kind']} {each['kashoo_id']} (of {each['source_id']}): {each['field']} {each['differs']}"
    if more := sum(sent - same for sent, same in result["fields"].values()) - len(found[:SHOWN]):
        yield f"and {more:,} more"


def sentences(result: Mapping[str, Any], run_id: str) -> list[str]:
    """Say how the newest test batch came out.

    :param run_id: of the run that wrote it.
    """
    records = ", ".join(f"{count:,} {kind}s" for kind, count in result["records"].items()) or "nothing"
    fields = sum(sent for sent, _ in result["fields"].values())
    said = f"The test batch of run {run_id} wrote and read back {records} at {result['at']}"
    if is_as_sent(result):
        return [f"{said}: all {fields:,} fields are as they were sent."]
    return [f"{said}. What is not as it was sent:", *differences(result)]
