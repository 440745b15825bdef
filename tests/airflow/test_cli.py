from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from records import writes
from rich.console import Console
from rich.text import Text

from airflow_provider_kashoo.cli import adopt as by_hand
from airflow_provider_kashoo.cli import commands as cli
from airflow_provider_kashoo.cli.commands import look, set_up, try_out
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.rules.intents import Ask, Create, Link
from airflow_provider_kashoo.core.rules.questions import POSSIBLE_DUPLICATE
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import mappings_dir, open_database
from airflow_provider_kashoo.store.store import SyncStore, recorded_pools
from airflow_provider_kashoo.sync.by_hand.adopt import Finding, Report, Result
from tests.airflow.environment import set_connection

REPOSITORY = Path(__file__).parents[2]
SHIPPED = {
    **{f"dags/{path.name}": path for path in (REPOSITORY / "dags").glob("*.py")},
    **{f"include/mappings/{path.name}": path for path in (REPOSITORY / "include" / "mappings").glob("*.*")},
}


@pytest.fixture
def home(airflow_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty AIRFLOW_HOME."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    monkeypatch.delenv("AIRFLOW_CONN_KASHOO_STORE", raising=False)
    return tmp_path


def init(no_copy: bool = False) -> None:
    set_up.init(Namespace(no_copy=no_copy))


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


def test_init_copies_the_mappings_to_where_they_are_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__MAPPINGS_DIR", str(home / "own" / "mappings"))
    init()
    names = {Path(name).name for name in SHIPPED if name.startswith("include/")}
    assert {path.name for path in mappings_dir().iterdir()} == names
    assert not (home / "include").exists()


def test_init_without_airflows_own_tables_says_how_to_make_them(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    own = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "kashoo", "init"],
        env={name: value for name, value in inherited.items() if not name.startswith("AIRFLOW__")} | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.strip().endswith("Run: airflow db migrate")
    assert not (tmp_path / "kashoo_store.db").exists()


def test_init_says_what_is_wrong_with_the_store(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "me"}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(away))
    with pytest.raises(SystemExit, match=r"The sync store .* cannot be reached"):
        init()


def status(**given: object) -> int:
    """Let the command run, asking nobody; give its exit status."""
    defaults = {"stored": True, "late_after": None, "format": "table", "kashoo_conn_id": "books_of_nobody"}
    try:
        look.status(Namespace(**defaults | given))
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        raise
    return 0


def test_status_before_init_says_what_to_run(home: Path) -> None:
    with pytest.raises(SystemExit, match="Run: airflow kashoo init"):
        status()


def test_status_of_a_new_store_is_empty(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init()
    capsys.readouterr()
    status()
    assert capsys.readouterr().out == "Nothing was synced yet.\n"


def test_status_names_the_scope_that_has_nothing_waiting(
    sandbox: Sandbox, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init()
    set_up.check(Namespace())
    capsys.readouterr()
    status()
    scope = f"{sandbox.org.org_id} / {sandbox.books.main()}"
    assert capsys.readouterr().out.replace("\n", " ").strip() == f"{scope}: nothing waits for a person."


def test_status_shows_what_waits_and_the_watermarks_and_prints_every_text_as_it_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init()
    store = SyncStore(open_database(), "00D000000000001EAA", "77")
    upper = datetime(2026, 3, 2, 1, 55, 7, tzinfo=UTC)
    store.watermarks.move("salesforce.Order", lower=upper, upper=upper, run_id="scheduled__2026")
    order = Create(record=Record("invoice", "Order", "801000000000001AAA"), reason="sold")
    store.waiting.park(order, Problem("x", "it carries [sf:006...] already", "remove [/x] [bold]"), "r")
    deal = Ask(record=Record("invoice", "Opportunity", "006000000000001AAA"), kashoo_id=4711)
    store.reviews.open(deal, POSSIBLE_DUPLICATE, "r")
    monkeypatch.setenv("COLUMNS", "300")
    capsys.readouterr()
    status()
    shown = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    parked = ["801000000000001AAA", "invoice, parked", "Order", "it carries [sf:006...] already", "remove [/x] [bold]"]
    assert parked in shown
    asked = ["006000000000001AAA", "invoice, asked", "Opportunity", POSSIBLE_DUPLICATE.cause, POSSIBLE_DUPLICATE.fix]
    assert asked in shown
    assert ["R1", "Kashoo id 4711", "", "", ""] in shown
    monkeypatch.setenv("COLUMNS", "80")
    status()
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= 80
    assert {"801000000000001AAA", "006000000000001AAA"} <= set(narrow.split())  # whole, so that they can be copied
    assert ["salesforce.Order", "2026-03-02 01:55:07", "scheduled__2026"] in shown


def test_a_scope_that_waits_for_nobody_shows_its_watermarks_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init()
    now = datetime.now(UTC)
    store = SyncStore(open_database(), "00D000000000001EAA", "77")
    store.watermarks.move("kashoo.payments", lower=now, upper=now, run_id="r")
    capsys.readouterr()
    status()
    out = capsys.readouterr().out
    assert "nothing waits for a person." in out
    assert "kashoo.payments" in out


def test_the_report_of_adopt_prints_every_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    why = "memo says [sf:006...] and [/x]"
    link = Link(record=Record("invoice", "Opportunity", "[/006]"), total=100, currency="USD", kashoo_id=7)
    found = Finding(Result.MATCH, link, why, label="[/INV-1]")
    by_hand.print_report(Report([found, replace(found, result=Result.NO_MATCH)]), Console(width=300))
    out = capsys.readouterr().out
    assert out.count(why) == 2
    assert out.count("[/006]") == 2
    assert "[/INV-1]" in out


def test_a_data_set_that_does_not_exist_is_said_in_one_line() -> None:
    for name in ("deom", "scale", "scale:many", "demo:3"):
        with pytest.raises(SystemExit, match=rf"^--dataset {name} is unknown\. Give demo, empty, scale:ROWS or gen"):
            try_out.sandbox(Namespace(dataset=name, seed=1, salesforce_port=0, kashoo_port=0))


@pytest.mark.parametrize("call", [try_out.sandbox, try_out.demo])
def test_without_its_extra_the_sandbox_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[Namespace], None]
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(SystemExit, match=r"needs trustme, .*Run: pip install 'airflow-provider-kashoo\[sandbox\]'$"):
        call(Namespace(dataset="demo", seed=1, salesforce_port=0, kashoo_port=0, keep=False))


def test_what_the_sandbox_looks_for_is_what_its_extra_installs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    declared = [re.split("[>=]", each)[0] for each in project["optional-dependencies"]["sandbox"]]
    assert [name.replace("-", "_") for name in declared] == list(try_out._EXTRA)


@pytest.mark.parametrize("name", ["sandbox", "check", "status", "adopt", "replay", "undo", "resolve", "init", "demo"])
def test_help_shows_every_text_as_it_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (group,) = cli.get_kashoo_commands()
    (command,) = [each for each in group.subcommands if each.name == name]
    texts = [command.help, command.description, command.epilog or "", *(each.kwargs["help"] for each in command.args)]
    for text in texts:
        assert Text.from_markup(text).plain == text.replace("\\[", "[")


def test_help_of_sandbox_names_the_extra_and_check_says_what_it_does_not_write() -> None:
    (group,) = cli.get_kashoo_commands()
    described = {each.name: Text.from_markup(each.description).plain for each in group.subcommands}
    assert "pip install 'airflow-provider-kashoo[sandbox]'" in described["sandbox"]
    assert described["check"].endswith("Nothing is written to Kashoo or Salesforce.")


def test_the_store_may_be_a_connection(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = {"conn_type": "postgres", "host": "db", "login": "me", "password": "hidden", "schema": "sync"}
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps(postgres))
    url = open_database().url
    assert url.render_as_string() == "postgresql+psycopg://me:***@db/sync"


def adopt(since: str | None = "2026-01-01", **given: object) -> None:
    set_up.adopt(Namespace(**{"since": since, "dry_run": False, "yes": False, "output": None} | given))


def test_adopt_reports_asks_and_links(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init()
    capsys.readouterr()
    with pytest.raises(SystemExit, match="Give --from DATE"):
        adopt(None)
    with pytest.raises(SystemExit, match="--from soon is not a date"):
        adopt("soon")
    sent = writes(sandbox)
    adopt(dry_run=True, output=str(home / "adopt.csv"))
    said = capsys.readouterr().out
    assert said.startswith("Sending about ")
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


def of_command(name: str, *words: str) -> Namespace:
    """Parse a command line as Airflow does."""
    parser = ArgumentParser()
    (group,) = cli.get_kashoo_commands()
    (command,) = [each for each in group.subcommands if each.name == name]
    for arg in command.args:
        arg.add_to_parser(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("check", []),
        ("adopt", ["--from", "2026-01-01", "--dry-run"]),
        ("replay", ["--all"]),
        ("resolve", ["1", "--absent"]),
    ],
)
def test_a_command_uses_the_connections_it_is_told(
    sandbox: Sandbox,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    words: list[str],
) -> None:
    init()
    capsys.readouterr()
    plain = vars(of_command(name, *words))
    assert (plain["kashoo_conn_id"], plain["salesforce_conn_id"]) == ("kashoo_default", "salesforce_default")
    monkeypatch.setenv("AIRFLOW_CONN_BOOKS_2", os.environ["AIRFLOW_CONN_KASHOO_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_ORG_2", os.environ["AIRFLOW_CONN_SALESFORCE_DEFAULT"])
    for side in ("KASHOO", "SALESFORCE"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{side}_DEFAULT")
    command = next(each for each in cli.get_kashoo_commands()[0].subcommands if each.name == name)
    told = of_command(name, *words, "--kashoo-conn-id", "books_2", "--salesforce-conn-id", "org_2")
    if name == "resolve":
        with pytest.raises(SystemExit, match="1"):
            command.func(told)
    else:
        command.func(told)
    assert "isn't defined" not in capsys.readouterr().out
    for side in ("kashoo", "salesforce"):
        with pytest.raises(SystemExit) as stopped:
            command.func(Namespace(**vars(told) | {f"{side}_conn_id": "nobody"}))
        assert "`nobody` isn't defined" in f"{capsys.readouterr().out}{stopped.value}"


def test_a_remedy_names_the_connection_that_was_used(
    sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init()
    monkeypatch.setenv("AIRFLOW_CONN_BOOKS_2", os.environ["AIRFLOW_CONN_KASHOO_DEFAULT"])
    for change, said in (
        ({"password": "not-the-password"}, "Check login and password of connection books_2."),
        ({"host": f"{sandbox.kashoo_url}/nowhere"}, "Check the host of connection books_2, with its path."),
    ):
        set_connection(monkeypatch, "books_2", **change)
        with pytest.raises(SystemExit):
            set_up.check(of_command("check", "--kashoo-conn-id", "books_2"))
        out = capsys.readouterr().out
        assert said in out
        assert "kashoo_default" not in out


def test_a_remedy_names_the_connection_of_the_store(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__STORE_CONN_ID", "ledgerless")
    away = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "me"}
    monkeypatch.setenv("AIRFLOW_CONN_LEDGERLESS", json.dumps(away))
    with pytest.raises(SystemExit, match="Check connection ledgerless;"):
        status()


def test_help_of_adopt_teaches_with_an_example() -> None:
    (group,) = cli.get_kashoo_commands()
    (command,) = [each for each in group.subcommands if each.name == "adopt"]
    assert "airflow kashoo adopt --from 2026-01-01 --dry-run --output adopt.csv" in command.epilog


def test_no_command_mixes_the_log_into_what_it_prints(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init(no_copy=True)
    handler = logging.StreamHandler(sys.stdout)
    monkeypatch.setattr(logging.root, "handlers", [handler])
    status()
    assert handler.stream is sys.stderr


def test_explain_takes_an_id_of_either_side_and_says_what_is_unknown(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(no_copy=True)
    with pytest.raises(SystemExit, match="'Acme' is neither a Salesforce id nor a Kashoo id"):
        look.explain(Namespace(record="Acme", format="table", stored=True))
    capsys.readouterr()
    look.explain(Namespace(record="006000000000001", format="json", stored=True))
    told = json.loads(capsys.readouterr().out)
    assert (told["record"], told["plans"], told["links"]) == ("006000000000001AAA", [], [])
    look.explain(Namespace(record="12345", format="table", stored=True))
    assert "12345: neither the store nor the last runs know it." in capsys.readouterr().out
