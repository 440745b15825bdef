"""Texts that a system stores only up to a number of characters, and names that people misspell."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_UTF_16 = "utf-16-le"


def cut(text: str, most: int) -> str:
    """Return the start of a text, without blanks at its end.

    :param most: characters as Java and JavaScript count them: a letter outside of Unicode's first plane, such as an
        emoji, is two. No letter is halved.
    """
    if text.isascii():
        return text[:most].rstrip()
    return text.encode(_UTF_16, "surrogatepass")[: 2 * most].decode(_UTF_16, "ignore").rstrip()


def length(text: str) -> int:
    """Count the characters of a text as :func:`cut` does."""
    return len(text) if text.isascii() else len(text.encode(_UTF_16, "surrogatepass")) // 2


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest the known name closest to a misspelt one."""
    known = sorted(known)
    close = close_to(name, known)
    return f"Did you mean {close!r}?" if close else f"Known: {', '.join(known)}."


def close_to(name: str, known: Iterable[str]) -> str | None:
    """Give the known name closest to a misspelt one; None if none is close. How custom names end does not count."""
    short = {each.removesuffix("__c"): each for each in sorted(known, reverse=True)}
    name, names = name.removesuffix("__c"), sorted(short)
    swapped = [each for each in names if sorted(each) == sorted(name)]
    close = next(iter(swapped or difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)
    return None if close is None else short[close]
