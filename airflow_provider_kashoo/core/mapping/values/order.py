"""The order of child records, written as in SOQL: ``SortOrder, CreatedDate DESC NULLS LAST``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

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


def sort(table: pa.Table, terms: Sequence[Term], *groups: str) -> pa.Table:
    """Sort records; of equal ones the lower Id comes first. A field that the table lacks is passed over.

    :param groups: columns that come before all terms, so that the records of a group stay together.
    """
    keys: dict[str, Any] = {name: table[name] for name in groups}
    directions = dict.fromkeys(groups, "ascending")
    for number, term in enumerate(terms):
        if term.path in table.column_names:
            values = table[term.path]
            keys[f"full {number}"] = pc.if_else(values.is_valid(), *((0, 1) if term.nulls_last else (1, 0)))
            directions[f"full {number}"] = "ascending"
            keys[f"value {number}"] = pc.utf8_lower(values) if pa.types.is_string(values.type) else values
            directions[f"value {number}"] = "descending" if term.descending else "ascending"
    if "Id" in table.column_names:
        keys["Id"], directions["Id"] = table["Id"], "ascending"
    return table.take(pc.sort_indices(pa.table(keys), sort_keys=list(directions.items())))
