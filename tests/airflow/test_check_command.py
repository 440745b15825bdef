"""``airflow kashoo check``: against the connections and against a saved file, for people, for programs and for CI."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest
from records import writes

from airflow_provider_kashoo.cli import commands as cli
from airflow_provider_kashoo.cli.commands import set_up
from airflow_provider_kashoo.sandbox.server import Sandbox
from tests.airflow.environment import set_connection

NOTHING = "6 files checked against Salesforce and Kashoo: 0 mistakes, 0 warnings\n"
PAYED = "Order has no field 'Kashoo_Payed__c', or the user may not see it"


@pytest.fixture
def home(airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty AIRFLOW_HOME."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    monkeypatch.delenv("AIRFLOW_CONN_KASHOO_STORE", raising=False)
    return tmp_path


@pytest.fixture
def mappings(home: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The mappings directory after ``init``."""
    set_up.init(Namespace(no_copy=False))
    capsys.readouterr()
    return home / "include" / "mappings"


def check(*words: str | Path) -> int:
    """Run the command as Airflow does; give its exit status."""
    parser = ArgumentParser()
    (group,) = cli.get_kashoo_commands()
    (command,) = [each for each in group.subcommands if each.name == "check"]
    for arg in command.args:
        arg.add_to_parser(parser)
    try:
        command.func(parser.parse_args([str(word) for word in words]))
    except SystemExit as stopped:
        if isinstance(stopped.code, str):
            print(stopped.code)  # noqa: T201  as the interpreter does
        return stopped.code if isinstance(stopped.code, int) else 1
    return 0


def replace(file: Path, old: str, new: str) -> Path:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    return file


def test_nothing_is_wrong_with_what_is_shipped(
    sandbox: Sandbox, mappings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = writes(sandbox)
    set_up.check(Namespace())
    assert (capsys.readouterr().out, writes(sandbox)) == (NOTHING, sent)


def test_before_init_it_says_what_to_run(sandbox: Sandbox, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check() == 1
    said = capsys.readouterr().out
    assert said.startswith("not checked against Salesforce and Kashoo: ")
    assert said.endswith("Run: airflow kashoo init\n")


def test_mistakes_of_both_syncs_are_listed_and_those_of_files_even_without_a_connection(
    sandbox: Sandbox, mappings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    back = replace(mappings / "payment_to_order.yaml", "Kashoo_Paid__c", "Kashoo_Payed__c")
    deals = replace(mappings / "invoice_from_opportunity.yaml", "Amount >= 100", "Amount = 100")
    assert check() == 1
    broken = f"{deals}:9:12: 'Amount = 100' is not a valid condition; is equal is written ==."
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith(broken)
    assert second.startswith(f"{back}:10:3: {PAYED}. Did you mean 'Kashoo_Paid__c'?")
    assert last == "6 files checked against Salesforce and Kashoo: 2 mistakes, 0 warnings"
    set_connection(monkeypatch, "kashoo_default", business_id="12345")
    assert check() == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(broken)
    assert "The Kashoo user has no business with the id 12345." in last


def test_only_the_files_that_are_named_are_reported_on(
    sandbox: Sandbox, mappings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    back = replace(mappings / "payment_to_order.yaml", "Kashoo_Paid__c", "Kashoo_Payed__c")
    assert check(mappings / "invoice_from_opportunity.yaml", mappings / "item_from_product.yaml") == 0
    assert capsys.readouterr().out == NOTHING.replace("6 files", "2 files")
    assert check(back) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 file checked against Salesforce and Kashoo: 1 mist")
    assert check(mappings / "nothing.yaml") == 1
    assert capsys.readouterr().out.startswith(f"{mappings}/nothing.yaml:1:1: the file cannot be read: No such file")


def test_a_warning_alone_is_no_failure(sandbox: Sandbox, mappings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deals = replace(mappings / "invoice_from_opportunity.yaml", "date: {from: CloseDate}", "date: {from: Name}")
    assert check() == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{deals}:13:3: warning: Name is a text, and date takes a date; ")
    assert last == NOTHING.replace("0 warnings\n", "1 warning")


def test_programs_get_json(sandbox: Sandbox, mappings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    back = replace(mappings / "payment_to_order.yaml", "Kashoo_Paid__c", "Kashoo_Payed__c")
    assert check("--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "format_version": "1.0",
        "mistakes": [
            {
                "file": str(back),
                "line": 10,
                "column": 3,
                "mapping": "payment_to_order",
                "what": PAYED,
                "fix": "Did you mean 'Kashoo_Paid__c'? Or create it, or give the user access to it.",
            }
        ],
        "warnings": [],
        "checked": [str(each) for each in sorted(mappings.glob("*.yaml"))],
        "against": "live",
        "error": "",
    }


def test_a_saved_file_stands_for_both_sides_without_connections_or_store(
    sandbox: Sandbox, mappings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = mappings / "describe.json"
    assert check("--save-describe", saved) == 0
    assert capsys.readouterr().out == NOTHING
    for side in ("KASHOO", "SALESFORCE"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{side}_DEFAULT")
    monkeypatch.setenv(
        "AIRFLOW_CONN_KASHOO_STORE", json.dumps({"conn_type": "postgres", "host": "127.0.0.1", "port": 1})
    )
    assert check("--describe", saved) == 0
    assert capsys.readouterr().out == NOTHING.replace("Salesforce and Kashoo", str(saved))
    replace(mappings / "payment_to_order.yaml", "Kashoo_Paid__c", "Kashoo_Payed__c")
    replace(mappings / "invoice_from_order.yaml", 'account: "type:INCOME"', 'account: "40000"')
    assert check("--describe", saved) == 1
    said = capsys.readouterr().out
    assert PAYED in said
    assert "Kashoo has no account '40000'. Did you mean '4000'?" in said


def test_wrong_use_is_told_from_mistakes(mappings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--describe", "a.json", "--save-describe", "b.json") == 2
    assert capsys.readouterr().err == "Give either --describe or --save-describe.\n"
    assert check("--describe", mappings / "missing.json") == 1
    assert "missing.json cannot be read: No such file or directory." in capsys.readouterr().out


def test_a_file_that_cannot_be_saved_is_said(
    sandbox: Sandbox, mappings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("--save-describe", mappings / "missing" / "describe.json") == 1
    assert "describe.json cannot be written: No such file or directory." in capsys.readouterr().out
