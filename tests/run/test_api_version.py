"""Preflight compares the API version of the connection before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from inprocess import in_process
from rounds import Rounds

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.preflight import check_both_sides


@pytest.mark.parametrize(("version", "says"), [("46.0", "too old"), ("99.0", "does not offer version 99.0")])
def test_preflight_compares_the_version_with_what_the_org_offers(tmp_path: Path, version: str, says: str) -> None:
    with in_process() as box:
        drive = Rounds(box, tmp_path)
        sync = drive.sync()
        sync.salesforce._version = version
        box.logs["salesforce"].clear()
        with pytest.raises(ConfigurationError, match=says):
            check_both_sides(sync)
        assert [seen["path"].rstrip("/") for seen in box.logs["salesforce"].entries()] == ["/services/data"]
        drive.end()
