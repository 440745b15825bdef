"""Lines of a billed deal: only what the deal changed is written; the account and the taxes of a line stay as billed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from airflow_provider_kashoo.core.rules.made_from import Sources

LINES = "lines"
WHOLE = frozenset({"Id", "mapping", "rules"})
"""If one of these changed (other lines, another mapping, what a rule looks at), all of each line is made anew."""

_AS_BILLED = ("account", "taxCode", "project", "item")
_SOLD = frozenset({"description", "quantity", "amount"})

Line = Mapping[str, Any]


def as_billed(ours: list[Line], theirs: Any, now: Sources | None, made_from: Sources | None) -> list[Line]:
    """Give lines that say what the deal changed, and are as billed in everything else.

    :param ours: as the mapping makes them now.
    :param theirs: as the books hold them.
    :param now: from what they are made now.
    :param made_from: from what they were made.
    """
    changed = _changed((now or {}).get(LINES), (made_from or {}).get(LINES))
    if changed & WHOLE or not isinstance(theirs, list) or not _are_pairs(ours, theirs):
        return ours
    kept = {name for name in _AS_BILLED if name not in changed} | (set() if changed & _SOLD else {"description"})
    return [_with(line, other, kept) for line, other in zip(ours, theirs, strict=True)]


def _changed(now: Mapping[str, str] | None, before: Mapping[str, str] | None) -> set[str]:
    """List the fields of a line that the deal changed; all of it, if from what it was made is not known."""
    if now is None or before is None:
        return {"Id"}
    return {key.partition(".")[0] for key, value in now.items() if before.get(key, value) != value}


def _are_pairs(ours: list[Line], theirs: list[Line]) -> bool:
    """Say whether each line stands beside itself: a new order of lines, or of shares, would mix them up."""
    if [line.get("item") for line in ours] != [line.get("item") for line in theirs]:
        return False
    mine, billed = ([repr([line.get(name) for name in _AS_BILLED]) for line in lines] for lines in (ours, theirs))
    return mine == billed or sorted(mine) != sorted(billed)


def _with(line: Line, other: Line, kept: Collection[str]) -> Line:
    return {name: value for name, value in line.items() if name not in kept} | {
        name: other[name] for name in kept if name in other
    }


def differ(ours: list[Line], theirs: Any, texts: Collection[str]) -> bool:
    """Say whether lines differ by more than their texts and their order."""
    if not isinstance(theirs, list):
        return True
    return _amounts(ours, texts) != _amounts(theirs, texts)


def _amounts(lines: list[Line], texts: Collection[str]) -> list[str]:
    return sorted(
        repr(sorted((name, value) for name, value in line.items() if name not in texts and value is not None))
        for line in lines
    )
