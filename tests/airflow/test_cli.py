from __future__ import annotations

import io
import json
from argparse import Namespace
from pathlib import Path

import pytest
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from records import writes

from airflow_provider_kashoo import cli
from airflow_provider_kashoo.hooks.settings import open_database
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.store import recorded_pools
from tests.airflow.environment import set_connection

REPOSITORY = Path(__file__).parents[2]
SHIPPED = {
    **{f"dags/{path.name}": path for path in (REPOSITORY / "dags").glob("*.py")},
    **{f"include/mappings/{path.name}": path for path in (REPOSITORY / "include" / "mappings").glob("*.yaml")},
}


@pytest.fixture
def home(airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty AIRFLOW_HOME."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    monkeypatch.delenv("AIRFLOW_CONN_KASHOO_STORE", raising=False)
    return tmp_path


def init(no_copy: bool = False) -> None:
    cli.init(Namespace(no_copy=no_copy))


def test_init_copies_every_dag_and_mapping_into_an_empty_home(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init()
    for name, source in SHIPPED.items():
        assert (home / name).read_bytes() == source.read_bytes()
    said = capsys.readouterr().out.splitlines()
    assert sorted(line for line in said if line.startswith("copied")) == sorted(
        f"copied {home / name}" for name in SHIPPED
    )
    assert f"store  sqlite:///{home}/kashoo_store.db" in said
    open_database().check()


def test_init_never_overwrites_what_was_edited(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init()
    edited, gone, *rest = sorted(SHIPPED)
    (home / edited).write_text("# mine\n")
    (home / gone).unlink()
    capsys.readouterr()
    init()
    assert (home / edited).read_text() == "# mine\n"
    assert (home / gone).read_bytes() == SHIPPED[gone].read_bytes()
    said = capsys.readouterr().out.splitlines()
    kept = [f"kept   {home / name}" for name in (edited, *rest)]
    assert [line for line in said if line.startswith("copied")] == [f"copied {home / gone}"]
    assert sorted(line for line in said if line.startswith("kept")) == sorted(kept)


def test_init_may_leave_the_files_out(home: Path) -> None:
    init(no_copy=True)
    assert not (home / "dags").exists()
    assert (home / "kashoo_store.db").is_file()


def test_init_creates_the_pools_and_leaves_a_size_that_was_changed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with create_session() as session:
        session.query(Pool).filter(Pool.pool.in_(["salesforce_api", "kashoo_api"])).delete()
    init(no_copy=True)
    assert recorded_pools(open_database()) == {"salesforce_api": 4, "kashoo_api": 2}
    with create_session() as session:
        pool = Pool.get_pool("kashoo_api", session=session)
        assert (pool.slots, pool.include_deferred) == (2, False)
        pool.slots = 7
    capsys.readouterr()
    try:
        init(no_copy=True)
        assert "pool   kashoo_api: 7 slots" in capsys.readouterr().out
        assert recorded_pools(open_database()) == {"salesforce_api": 4, "kashoo_api": 7}
    finally:
        with create_session() as session:
            Pool.get_pool("kashoo_api", session=session).slots = 2


def test_check_says_that_both_syncs_can_run(sandbox: Sandbox, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init()
    capsys.readouterr()
    cli.check(Namespace())
    assert capsys.readouterr().out.splitlines() == ["ok     salesforce_to_kashoo", "ok     kashoo_to_salesforce"]


def test_check_before_init_says_what_to_run(sandbox: Sandbox, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.check(Namespace())
    assert stopped.value.code == 1
    wrong = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in wrong] == ["wrong  salesforce_to_kashoo", "wrong  kashoo_to_salesforce"]
    assert all(line.endswith("Run: airflow kashoo init") for line in wrong)


def test_check_says_what_is_wrong_with_each_sync(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init()
    mapping = home / "include" / "mappings" / "payment_to_order.yaml"
    mapping.write_text(mapping.read_text().replace("Kashoo_Paid__c", "Kashoo_Payed__c"))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.check(Namespace())
    said = capsys.readouterr().out
    assert said.startswith("ok     salesforce_to_kashoo\nwrong  kashoo_to_salesforce: ")
    assert f"{mapping}:9: Order has no field 'Kashoo_Payed__c'. Did you mean 'Kashoo_Paid__c'?" in said
    set_connection(monkeypatch, "kashoo_default", business_id="12345")
    with pytest.raises(SystemExit):
        cli.check(Namespace())
    assert "The Kashoo user has no business 12345." in capsys.readouterr().out


def test_status_before_init_says_what_to_run(home: Path) -> None:
    with pytest.raises(SystemExit, match="Run: airflow kashoo init"):
        cli.status(Namespace())


def test_status_of_a_new_store_is_empty(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init()
    capsys.readouterr()
    cli.status(Namespace())
    assert capsys.readouterr().out == "Nothing was synced yet.\n"


def test_status_names_the_scope_that_has_nothing_waiting(
    sandbox: Sandbox, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init()
    cli.check(Namespace())
    capsys.readouterr()
    cli.status(Namespace())
    scope = f"{sandbox.org.org_id} / {sandbox.books.main()}"
    assert capsys.readouterr().out.replace("\n", " ").strip() == f"{scope}: nothing waits for a person."


def test_the_store_may_be_a_connection(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = {"conn_type": "postgres", "host": "db", "login": "me", "password": "hidden", "schema": "sync"}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(postgres))
    url = open_database().url
    assert url.render_as_string() == "postgresql+psycopg://me:***@db/sync"


def adopt(since: str | None = "2026-01-01", **given: object) -> None:
    cli.adopt(Namespace(**{"since": since, "dry_run": False, "yes": False, "output": None} | given))


def test_adopt_reports_asks_and_links(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init()
    capsys.readouterr()
    with pytest.raises(SystemExit, match="Give --from DATE"):
        adopt(None)
    with pytest.raises(SystemExit, match="--from soon is no date"):
        adopt("soon")
    sent = writes(sandbox)
    adopt(dry_run=True, output=str(home / "adopt.csv"))
    said = capsys.readouterr().out
    assert said.startswith("Reads from Kashoo about ")
    assert said.endswith("Nothing was linked.\n")
    matches = (home / "adopt.csv").read_text().count("\nmatch,")
    assert matches >= 3
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    adopt()
    assert capsys.readouterr().out.endswith(f"Link {matches} records? [y/N] Nothing was linked.\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    adopt()
    assert capsys.readouterr().out.endswith(f"Linked {matches} records.\n")
    adopt(yes=True)
    assert f" {matches} linked before, " in capsys.readouterr().out.replace("\n", " ")
    assert writes(sandbox) == sent


def test_help_of_adopt_teaches_with_an_example() -> None:
    (group,) = cli.get_kashoo_commands()
    (command,) = [each for each in group.subcommands if each.name == "adopt"]
    assert "airflow kashoo adopt --from 2026-01-01 --dry-run --output adopt.csv" in command.epilog
