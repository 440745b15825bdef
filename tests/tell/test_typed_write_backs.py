"""Write-backs to fields of every type: each value in the type of its field; and one bad record beside good ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from inprocess import in_process
from records import writes
from rounds import Rounds, open_items, operations, remap, win

from airflow_provider_kashoo.clients.refusals import refusal
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.sandbox.salesforce.schema import Field
from airflow_provider_kashoo.sync.preflight import check_both_sides
from airflow_provider_kashoo.sync.run.sync import TO_SALESFORCE

LAST = "  Kashoo_Last_Payment__c: {from: last_payment_date}"
TYPED = """
  Is_Paid__c: {from: status, map: {Paid: "true"}, default: "false"}
  Is_Billed__c: "true"
  Due__c: {from: due_date}
  Copies__c: 5
  Steps__c: {from: status, map: {Open: Blue;Red}, default: Red}
"""
NEW = (
    Field("Is_Paid__c", "boolean", default=False),
    Field("Is_Billed__c", "boolean", default=False),
    Field("Due__c", "datetime", length=40),
    Field("Copies__c", "double", precision=5, scale=1),
    Field("Steps__c", "multipicklist", length=4099, values=("Red", "Blue")),
)


@pytest.fixture
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    with in_process() as box:
        deals = box.org.tables["Opportunity"].sobject
        deals.fields.update({each.name: each for each in NEW})
        deals.see(frozenset())
        drive = Rounds(box, tmp_path_factory.mktemp("typed"))
        yield drive
        drive.end()


def test_each_value_is_written_in_the_type_of_its_field_and_then_rests(drive: Rounds) -> None:
    remap(drive, "payment_to_opportunity", LAST, LAST + TYPED)
    deal = win(drive)
    drive.run()
    drive.run_back()
    row = drive.sandbox.org.get("Opportunity", deal)
    day = next(iter(drive.sandbox.books.business(drive.sandbox.books.main()).tables["invoices"].listed()))["dueDate"]
    assert (row["Is_Paid__c"], row["Is_Billed__c"], row["Copies__c"]) == (False, True, 5)
    assert (row["Due__c"], row["Steps__c"]) == (f"{day}T00:00:00.000+0000", "Red;Blue")
    assert open_items(drive) == []
    before = writes(drive.sandbox)
    for _ in range(2):  # the week's first run compares with what Salesforce holds
        drive.sandbox.clock.advance(7 * 86_400)
        drive.run()
        drive.run_back()
    assert writes(drive.sandbox) == before


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Is_Paid__c: {from: status}", "Is_Paid__c takes true or false, not 'Open'"),
        ("Kashoo_Paid__c: {from: number}", "Kashoo_Paid__c is a number field, and number is a text"),
        ("Kashoo_Status__c: {from: status, map: {Paid: Payed}, default: Open}", "Kashoo_Status__c takes only 'Open'"),
        ("Kashoo_Last_Payment__c: {from: paid}", "Kashoo_Last_Payment__c is a date field, and paid is an amount"),
    ],
)
def test_preflight_refuses_what_can_never_fit_with_file_and_line(drive: Rounds, line: str, says: str) -> None:
    kept = "\n".join(each for each in mapping_text(drive).splitlines() if line.split(":", maxsplit=1)[0] not in each)
    (drive.mappings / "payment_to_opportunity.yaml").write_text(f"{kept}\n  {line}\n", "utf-8")
    remap(drive, "payment_to_opportunity", line, line)  # the mappings are read anew
    place = f"payment_to_opportunity.yaml:{len(kept.splitlines()) + 1}:3: "
    with pytest.raises(ConfigurationError) as refused:
        check_both_sides(drive.sync(TO_SALESFORCE))
    assert f"{place}{says}" in str(refused.value)


def mapping_text(drive: Rounds) -> str:
    return (drive.mappings / "payment_to_opportunity.yaml").read_text("utf-8")


class Parser:
    """Salesforce's parser: a record with a bad value is refused together with all that are sent with it."""

    def __init__(self, patch: pytest.MonkeyPatch, bad: set[str]) -> None:
        self.bad, self.sent = bad, list[int]()
        real = SalesforceClient.json

        def json_of(client: SalesforceClient, method: str, path: str, **options: Any) -> Any:
            if method == "PATCH":
                self._read(options["data"])
            return real(client, method, path, **options)

        patch.setattr(SalesforceClient, "json", json_of)

    def _read(self, body: str) -> None:
        records = json.loads(body)["records"]
        self.sent.append(len(records))
        for record in records:
            if record["Id"] in self.bad:
                at = body.index('"Kashoo_Paid__c": ', body.index(record["Id"])) + len('"Kashoo_Paid__c": 0')
                said = f"Cannot deserialize instance of currency from VALUE_STRING at [line:1, column:{at}]"
                raise refusal(400, [{"errorCode": "JSON_PARSER_ERROR", "message": said}])


@pytest.mark.parametrize("bad", [[0], [6], [2, 3], []])
def test_a_record_that_spoils_its_request_is_parked_alone(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch, bad: list[int]
) -> None:
    deals = [win(drive) for _ in range(7)]
    drive.run()
    parser = Parser(monkeypatch, {deals[at] for at in bad})
    drive.run_back()
    assert open_items(drive) == [(deals[at], "json_parser_error") for at in bad]
    for row in operations(drive, State.PARKED):
        assert row["cause"].startswith(
            "Salesforce refused the record: JSON_PARSER_ERROR for Kashoo_Paid__c: Cannot deserialize instance"
        )
    told = [drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] for deal in deals]
    assert told == [None if at in bad else "Open" for at in range(7)]
    assert len(parser.sent) <= 1 + 6 * len(bad)
    parser.bad = set()
    drive.run_back()
    assert open_items(drive) == []


def test_all_records_of_a_request_may_be_bad(drive: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [win(drive) for _ in range(5)]
    drive.run()
    Parser(monkeypatch, set(deals))
    drive.run_back()
    assert open_items(drive) == sorted((deal, "json_parser_error") for deal in deals)


def test_a_refusal_that_is_not_about_the_records_parks_none_of_them(
    drive: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    win(drive)
    drive.run()

    def refuse(*_: Any, **__: Any) -> Any:
        raise refusal(403, [{"errorCode": "API_DISABLED_FOR_ORG", "message": "x"}])

    sync = drive.prepare(TO_SALESFORCE)
    with monkeypatch.context() as refused:
        refused.setattr(SalesforceClient, "update", refuse)
        with pytest.raises(ConfigurationError, match="API Enabled"):
            drive.apply(sync)
    [row] = operations(drive, State.RETRY)
    assert row["cause"] == "The connection's user may not use Salesforce's API (403 API_DISABLED_FOR_ORG)"
    assert drive.finish(sync) == {"written_back": 1}
