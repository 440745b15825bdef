"""What a write needs, a slot and a token that lives long enough, is there before it is journalled as sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rounds import OPEN_STATES, Rounds, at, fault, operations, quiet, win

from airflow_provider_kashoo.core.errors import UnreachableError
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.journal import Journal, Sent
from airflow_provider_kashoo.sync.run.sync import Sync


class Late(Budget):
    """Its next slot is free only after the token has ended; none may be waited for once a write is journalled."""

    drive: Rounds
    due = True

    def acquire(self, deadline_seconds: float, wanted: int = 1) -> list[int]:
        assert operations(self.drive, State.SENT) == []
        if self.due:
            self.due = False
            self.drive.sandbox.clock.advance(26 * 3600)
        return super().acquire(deadline_seconds, wanted)


@pytest.fixture
def waiting(drive: Rounds) -> Sync:
    """A plan with a customer and an invoice, for whose first slot is waited so long."""
    win(drive)
    sync = drive.prepare()
    budget = Late(drive.database, "books", drive.limits, sleep=drive.sandbox.clock.advance)
    budget.drive = drive
    kashoo = drive.kashoo(budget)
    kashoo._authorization, kashoo._expires = sync.kashoo._authorization, sync.kashoo._expires
    return replace(sync, budget=budget, kashoo=kashoo)


def sent_by(drive: Rounds, sync: Sync) -> list[str]:
    """Apply a plan and list the last words of the paths that it sent something to."""
    before = len(drive.sandbox.logs["kashoo"].entries())
    drive.apply(sync)
    return [row["path"].rpartition("/")[2] for row in drive.sandbox.logs["kashoo"].entries()[before:]]


def test_a_token_that_ends_while_a_slot_is_waited_for_is_renewed_before_anything_is_journalled(
    drive: Rounds, waiting: Sync
) -> None:
    assert sent_by(drive, waiting) == ["authTokens", "customers", "invoices"]
    assert waiting.budget.used(1) == 3
    quiet(drive)


def test_the_deadline_of_a_write_begins_when_the_token_is_there(drive: Rounds, waiting: Sync) -> None:
    at(drive, "received POST authTokens", lambda: drive.sandbox.clock.advance(drive.settings.send_deadline + 1))
    assert sent_by(drive, waiting) == ["authTokens", "customers", "invoices"]
    assert [row["attempts"] for row in operations(drive)[-2:]] == [1, 1]


def test_a_login_that_fails_meanwhile_gives_the_slot_back_and_leaves_nothing_in_doubt(
    drive: Rounds, waiting: Sync
) -> None:
    fault(drive, "error_before", path="authTokens$", status=503, times=4)
    with pytest.raises(UnreachableError):
        drive.apply(waiting)
    drive.sandbox.clock.advance(1.1)  # less than until the deadline of a slot that nobody gave back
    assert waiting.budget.used(1) == 0
    assert operations(drive, *OPEN_STATES) == []
    assert drive.apply(waiting) == {"created": 2}


def test_what_was_made_ready_for_a_write_is_used_by_nothing_else(
    drive: Rounds, waiting: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Journal.send

    def token_ends(journal: Journal, intent: Intent, **values: Any) -> Sent:
        waiting.kashoo._expires = drive.sandbox.clock.time() + 1
        return send(journal, intent, **values)

    monkeypatch.setattr(Journal, "send", token_ends)
    assert sent_by(drive, waiting) == ["authTokens", "customers", "authTokens", "invoices"]
