"""Preflight names what the connection may not do, before anything is read: its API version, objects and fields."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from inprocess import in_process
from rounds import Rounds

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.preflight import check_both_sides
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE, Org


@pytest.mark.parametrize(("version", "says"), [("46.0", "too old"), ("99.0", "does not offer version 99.0")])
def test_preflight_names_the_version_and_reads_nothing_else(tmp_path: Path, version: str, says: str) -> None:
    with in_process() as box:
        drive = Rounds(box, tmp_path)
        sync, client = drive.sync(), drive.salesforce()
        client._version, client._path = version, f"/services/data/v{version}"
        sync = replace(sync, org=Org(lambda: client))
        box.logs["salesforce"].clear()
        with pytest.raises(ConfigurationError, match=says):
            check_both_sides(sync)
        paths = [seen["path"].rstrip("/") for seen in box.logs["salesforce"].entries()]
        assert paths == [f"/services/data/v{version}/composite", "/services/data"]
        drive.end()


def test_what_the_user_may_not_write_back_to_is_named_by_file_and_line(tmp_path: Path) -> None:
    with in_process() as box:
        drive = Rounds(box, tmp_path)
        box.org.revoke("Order")
        box.org.remove_field("Opportunity", "Kashoo_Paid__c")
        with pytest.raises(ConfigurationError) as refused:
            check_both_sides(drive.sync(TO_SALESFORCE))
        for said in (
            "payment_to_order.yaml:6:1: Salesforce has no object Order, or the connection's user may not see it",
            "payment_to_opportunity.yaml:10:3: Opportunity has no field 'Kashoo_Paid__c', or the user may not see it",
        ):
            assert said in str(refused.value)
        drive.end()
