"""How long the other side asks us to wait: whatever it says, the answer is a time of a day at most, or none."""

from __future__ import annotations

import pytest
import requests

from airflow_provider_kashoo.clients.transport import LONGEST_CLOSURE, retry_after

NOON = "Fri, 27 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("31536000", LONGEST_CLOSURE),
        ("9" * 5000, LONGEST_CLOSURE),
        ("Fri, 27 Nov 2026 12:01:30 GMT", 90.0),
        ("Fri, 27 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_CLOSURE),
        ("Fri, 27 Nov 2026 12:01:30", 90.0),
        ("Fri, 27 Nov 2026 12:01:30 -0000", 90.0),
        ("\u00b2", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_what_it_says_is_read_or_left(value: str, seconds: float | None) -> None:
    answer = requests.Response()
    answer.headers.update({"Retry-After": value, "Date": NOON})
    assert retry_after(answer) == seconds
