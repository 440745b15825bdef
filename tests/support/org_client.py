"""What the tests of our Salesforce client share."""

from __future__ import annotations

from datetime import UTC, datetime

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PRIVATE = "Wile E. Coyote, Box 12"
MOCKED = "https://acme.my.salesforce.com"
MOCK_TOKEN = "00D000000000001!mocked-token"
slept: list[float] = []
"""The pauses that a client took."""
