"""No password, token or name of a customer in what is raised."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


def raises_without(secrets: Callable[[], list[str]]) -> Callable[..., Any]:
    """As pytest.raises; nothing secret may stand in the message, nor in what a task log would print of it."""

    @contextmanager
    def checked(kind: type[BaseException], match: str | None = None) -> Iterator[Any]:
        with pytest.raises(kind, match=match) as caught:
            yield caught
        printed = str(caught.value) + "".join(traceback.format_exception(caught.value))
        assert [secret for secret in secrets() if secret in printed] == []

    return checked
