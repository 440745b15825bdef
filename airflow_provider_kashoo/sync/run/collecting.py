"""Python's garbage collector, while many objects are made that are all kept."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 200_000
"""Objects made between two of its looks; Python's default is 700."""


@contextmanager
def rarely() -> Iterator[None]:
    """Let the garbage collector look rarely.

    A plan of 100,000 rows is made of a million objects, none of which is garbage before its end. The collector walks
    through all of them again and again to find that out, which takes a quarter of the time (measured).
    """
    before = gc.get_threshold()
    gc.set_threshold(RARELY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
