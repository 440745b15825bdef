"""Hold what was written of a record against what the books show of it, field by field.

What differs is said with its values where these are amounts, dates, numbers or ids. Of texts only the lengths are said,
because the result is kept and logged, and texts name people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.rules.totals import NO_TAX
from airflow_provider_kashoo.core.values.texts import length

LINES, TOTAL, MARK = "lines", "total", "our reference"


@dataclass(frozen=True)
class Compared:
    """One field of one record.

    :param field: of the mapping, such as ``date`` or ``lines.account``; or the total, or our reference.
    :param differs: how it differs, in words; empty if it is as it was sent.
    """

    field: str
    differs: str = ""


def compared(kind: str, sent: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[Compared]:
    """Compare the fields that were sent; one that is missing equals an empty one.

    :param sent: field -> value as it was sent, lines as a list of such mappings.
    :param shown: the same as the books show it.
    """
    for name, value in sent.items():
        if name != LINES:
            yield _compare(name, value, shown.get(name), _is_text(kind, name))
    if LINES not in sent:
        return
    lines, others = sent[LINES] or [], shown.get(LINES) or []
    if len(lines) != len(others):
        yield Compared(LINES, f"sent {len(lines)} lines, shown {len(others)}")
        return
    for line, other in zip(lines, others, strict=True):
        for name, value in line.items():
            yield _compare(f"{LINES}.{name}", value, other.get(name), _is_text(kind, name, of_line=True))


def _is_text(kind: str, name: str, *, of_line: bool = False) -> bool:
    known = KINDS[kind].lines if of_line else KINDS[kind].fields
    return name not in {"currency", "project"} and name in known and known[name].type == "text"


def _compare(name: str, sent: Any, shown: Any, is_text: bool) -> Compared:
    if _filled(sent) == _filled(shown):
        return Compared(name)
    if not is_text:
        return Compared(name, f"sent {_said(sent)}, shown {_said(shown)}")
    if not shown:
        return Compared(name, "is empty")
    if isinstance(sent, str) and isinstance(shown, str):
        if sent.startswith(shown):
            return Compared(name, f"cut off after {length(shown)} of {length(sent)} characters")
        if sent.strip() == shown.strip():
            return Compared(name, "has other blanks at its ends")
    return Compared(name, "is another text")


def _filled(value: Any) -> Any:
    """Give a value; None for one that is empty, and for no tax, which the books show as nothing or as that word."""
    return None if value in ("", NO_TAX) else value or None


def _said(value: Any) -> str:
    return "nothing" if value in (None, "") else str(value)
