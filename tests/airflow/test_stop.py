from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from driver import Driver, up_to_approval
from records import books_rows

from airflow_provider_kashoo.core.errors import StoppedError
from airflow_provider_kashoo.operators.sync import KashooSyncApplyOperator
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync import steps


def test_sigterm_lets_the_write_in_flight_finish_and_nothing_after_it(tmp_path: Path) -> None:
    """Airflow's task runner calls on_kill from its handler of SIGTERM; the handler returns and the task goes on."""
    operator = KashooSyncApplyOperator(task_id="apply", sync="salesforce_to_kashoo")
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
    try:
        with Sandbox() as box:
            driver = Driver(box, tmp_path)
            box.clock.advance(60)
            sync = driver.sync()
            up_to_approval(sync)

            def terminate(stage: str) -> None:
                if stage.startswith("received POST") and stage.endswith("/records/invoices"):
                    os.kill(os.getpid(), signal.SIGTERM)
                    box.faults["kashoo"].hook = None

            box.faults["kashoo"].hook = terminate
            with pytest.raises(StoppedError):
                steps.apply(sync, lambda: operator._stopping)
            ours = [row for row in books_rows(box, "invoices") if "[sf:" in (row["memo"] or "")]
            assert len(ours) == 1
            assert [link.kashoo_id for link in sync.store.links.of_target("invoice")] == [ours[0]["id"]]
            assert sync.store.journal.unsettled("sent", "in_doubt", "retry") == []
            outcome = steps.apply(sync)
            assert outcome["created"] == 28
            assert outcome["done before"] == 26
            assert outcome["linked"] == 4
            assert sync.store.journal.unsettled("parked") == []
    finally:
        signal.signal(signal.SIGTERM, before)
