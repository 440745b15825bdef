"""The order of child records, written as in SOQL: ``SortOrder, CreatedDate DESC NULLS LAST``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

_TERM = re.compile(
    r"([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)(?:\s+(ASC|DESC))?(?:\s+NULLS\s+(FIRST|LAST))?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Term:
    """One field to sort by.

    :param path: such as ``SortOrder`` or ``Product2.Name``.
    :param nulls_last: otherwise empty values come first, also when descending, as in SOQL (evidenced).
    """

    path: str
    descending: bool = False
    nulls_last: bool = False


def parse(text: str) -> tuple[Term, ...]:
    """Read an order.

    :raises ValueError: naming the part that is no order; nothing else may get into a query this way.
    """
    terms = []
    for part in text.split(","):
        match = _TERM.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is not an order; write: Field, or Field DESC NULLS LAST")
        path, direction, nulls = match.groups(default="")
        terms.append(Term(path, direction.upper() == "DESC", nulls.upper() == "LAST"))
    return tuple(terms)


AS_SOLD = parse("SortOrder, CreatedDate")
"""How Salesforce shows the products of a deal; an object may lack the first of the two."""


def sort(frame: pd.DataFrame, terms: Sequence[Term]) -> pd.DataFrame:
    """Sort records; of equal ones the lower Id comes first. A field that the frame lacks is passed over."""
    frame = frame.sort_values("Id", kind="stable")
    for term in reversed(terms):
        if term.path in frame.columns:
            frame = frame.sort_values(
                term.path,
                ascending=not term.descending,
                na_position="last" if term.nulls_last else "first",
                kind="stable",
                key=_without_case,
            )
    return frame.reset_index(drop=True)


def _without_case(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.str.lower() if pd.api.types.is_string_dtype(column.dtype) else column
