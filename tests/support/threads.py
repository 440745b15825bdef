"""Calls that meet, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run each call in a thread of its own; raises the first error."""
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def run(me: int) -> None:
        try:
            results[me] = calls[me]()
        except BaseException as error:  # noqa: BLE001 - raised by the caller
            errors.append(error)

    threads = [threading.Thread(target=run, args=(me,)) for me in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    return results
