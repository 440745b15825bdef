"""People are told through Airflow's own notifiers: by a real mail server, and by a real HTTP receiver."""

from __future__ import annotations

import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import receivers
from airflow.providers.http.notifications.http import HttpNotifier
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from receivers import Inbox, Mailbox, parts
from sqlalchemy import insert
from tasks import Run

from airflow_provider_kashoo.operators.notify import KashooNotifyOperator
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import open_database
from airflow_provider_kashoo.store.tables import channels, operations, runs
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO
from tests.airflow.environment import set_connection

SMTP = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
HTTP = "airflow.providers.http.notifications.http.HttpNotifier"
DAY = "2026-03-01"
HOSTILE = '<b>Kashoo</b> says {{ conn.smtp_default.password }} <img src="http://evil.example/">'


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with receivers.smtp() as (box, port):
        connect(monkeypatch, port)
        yield box


def connect(patch: pytest.MonkeyPatch, port: int) -> None:
    extra = {"from_email": "kashoo@firm.example", "disable_ssl": True, "disable_tls": True, "retry_limit": 5}
    given = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    patch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(given))


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with receivers.http() as (box, port):
        given = {"conn_type": "http", "host": f"http://127.0.0.1:{port}"}
        monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps(given))
        yield box


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY", json.dumps([{"class": SMTP, "kwargs": {"to": "me@firm.example"}}]))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.firm.example/air/")


def notify(*given: BaseNotifier, failed: tuple[str, ...] = (), **params: Any) -> dict[str, int]:
    task = SimpleNamespace(get_dr_count=lambda run_ids, **_: len({*failed} & {*run_ids}))
    context = {"ti": task, "params": params}
    return KashooNotifyOperator(task_id="notify", notify=given).execute(context)  # type: ignore[arg-type]


def change(statement: Any) -> None:
    database = open_database()
    with database.begin() as connection:
        connection.execute(statement)
    database.dispose()


@pytest.fixture(scope="module")
def synced(sandbox: Sandbox, store_file: Path) -> Path:
    """A store after one run, in which one deal is parked besides."""
    Run(sandbox, TO_KASHOO, "scheduled__1").up_to("commit")
    new = {name: value for name, value in written()[0].items() if name != "id"}
    deal = sandbox.org.insert("Opportunity", {"Name": "Parked roof", "StageName": "Prospecting", "CloseDate": DAY})
    new |= {"source_id": deal, "sale_id": deal, "key": "parked", "state": "parked", "closed_at": None}
    new |= {"error_class": "no_account", "cause": HOSTILE, "fix": "Add the account.", "run_id": "scheduled__1"}
    change(insert(operations).values(new))
    return store_file


@pytest.fixture
def billed(synced: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """That store, afresh for each test."""
    source, mine = sqlite3.connect(synced), tmp_path / "store.db"
    with sqlite3.connect(mine) as copy:
        source.backup(copy)
    source.close()
    monkeypatch.setenv("AIRFLOW_CONN_KASHOO_STORE", json.dumps({"conn_type": "sqlite", "host": str(mine)}))
    return Run(sandbox, TO_KASHOO, "scheduled__1")


def test_one_mail_after_a_run_and_none_when_there_is_no_news(billed: Run, mailbox: Mailbox) -> None:
    assert notify() == {"sent": 1}
    (mail,) = mailbox.mails
    assert (mail["From"], mail["To"]) == ("kashoo@firm.example", "me@firm.example")
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["Auto-Submitted"] == "auto-generated"
    said = parts(mail)
    assert list(said) == ["text/plain", "text/html"]
    totals: Counter[str] = Counter()
    for row in written():
        totals[row["currency"]] += row["expected_total"]
    assert len(totals) > 1
    assert mail["Subject"].startswith(f"Kashoo: {len(written())} invoices billed, ")
    for text in said.values():
        assert [each for each in totals.items() if f"{each[1] / 100:,.2f} {each[0]}" not in text] == []
        assert "parked" in text
        assert "https://airflow.firm.example/air/plugin/kashoo/todo" in text
    assert [notify() for _ in range(3)] == [{"nothing_new": 1}] * 3
    assert len(mailbox.mails) == 1


def written() -> list[Any]:
    """The invoices that were made, as they stand in the store."""
    database, c = open_database(), operations.c
    with database.begin() as connection:
        made = c.target == "invoice", c.action == "create", c.state == "done"
        rows = connection.execute(operations.select().where(*made)).mappings().all()
    database.dispose()
    return [dict(row) for row in rows]


def test_names_of_customers_stand_in_a_mail_only_if_they_were_asked_for(
    billed: Run, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify()
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY_NAMES", "True")
    change(channels.update().values(name="another"))  # so that all of it is new again
    notify()
    without, with_names = (parts(mail) for mail in mailbox.mails)
    assert "Parked roof" not in without["text/plain"] + without["text/html"]
    assert "Parked roof" in with_names["text/plain"]
    assert "Parked roof" in with_names["text/html"]
    assert "evil" not in without["text/plain"] + without["text/html"]
    assert HOSTILE in with_names["text/plain"]
    assert "&lt;b&gt;Kashoo&lt;/b&gt; says {{ conn.smtp_default.password }}" in with_names["text/html"]
    assert "<img" not in with_names["text/html"]


@pytest.mark.parametrize("connection", ["salesforce_default", "kashoo_default"])
def test_without_its_connections_a_message_goes_out_without_names(
    billed: Run, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, connection: str
) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY_NAMES", "True")
    monkeypatch.delenv(f"AIRFLOW_CONN_{connection.upper()}")
    assert notify() == {"sent": 1}
    text = parts(mailbox.mails[0])["text/plain"]
    assert "Without names: " in text
    assert connection in text
    assert "Parked roof" not in text


def test_a_login_that_is_refused_costs_the_names_only(
    billed: Run, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY_NAMES", "True")
    set_connection(monkeypatch, "salesforce_default", consumer_secret="wrong-secret-1")
    assert notify() == {"sent": 1}
    text = parts(mailbox.mails[0])["text/plain"]
    assert "Without names: " in text
    assert "wrong-secret-1" not in text


def test_what_turned_bad_and_well_is_said_once_each(billed: Run, mailbox: Mailbox) -> None:
    notify()
    mailbox.mails.clear()
    row = {"scope_id": 1, "sync": TO_KASHOO, "run_id": "broken", "started_at": 2_000_000_000.0}
    change(insert(runs).values(row))
    outcomes = [notify(failed=("broken",)) for _ in range(2)] + [notify() for _ in range(2)]
    assert outcomes == [{"sent": 1}, {"nothing_new": 1}] * 2
    bad, well = mailbox.mails
    assert "the last run of salesforce_to_kashoo failed" in bad["Subject"]
    assert "the sync salesforce_to_kashoo runs again" in well["Subject"]
    assert "Billed" not in parts(bad)["text/plain"]


def test_a_mail_server_that_is_down_keeps_nobody_else_waiting_and_nothing_is_sent_twice(
    billed: Run, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        connect(monkeypatch, taken.getsockname()[1])
        for _ in range(2):
            with pytest.raises(AirflowException, match=r"1 of 2 channels could not be told.*The others were told") as e:
                notify(HttpNotifier(endpoint="hook"))
            assert not isinstance(e.value, AirflowFailException)
    assert len(inbox.bodies) == 1
    with receivers.smtp() as (box, port):
        connect(monkeypatch, port)
        assert notify(HttpNotifier(endpoint="hook")) == {"sent": 1, "nothing_new": 1}
    assert len(inbox.bodies) == 1
    (mail,) = box.mails
    assert "invoices billed" in mail["Subject"]
    assert set(inbox.bodies[0]) == {"text"}
    assert inbox.bodies[0]["text"].startswith("Kashoo: ")


def test_a_mail_whose_answer_is_lost_is_sent_once_a_try_and_can_be_recognised(billed: Run, mailbox: Mailbox) -> None:
    mailbox.answer, mailbox.keeps = "451 try later", True
    with pytest.raises(AirflowException):
        notify()
    assert len(mailbox.mails) == 1  # Airflow's own hook would have sent it six times
    mailbox.answer = "250 OK"
    notify()
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] is not None


def test_a_receiver_that_refuses_is_told_again(billed: Run, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY", json.dumps([{"class": HTTP, "kwargs": {"endpoint": "x"}}]))
    inbox.status = 503
    with pytest.raises(AirflowException, match="1 of 1 channels"):
        notify()
    inbox.status = 200
    assert notify() == {"sent": 1}
    assert len(inbox.bodies) == 1


def test_a_chat_takes_no_text_for_a_link_or_a_call(billed: Run, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret path may stand in the connection."""
    connection = json.loads(os.environ["AIRFLOW_CONN_HTTP_DEFAULT"])
    connection["host"] += "/services/T0/secret"
    monkeypatch.setenv("AIRFLOW_CONN_HTTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY", json.dumps([{"class": HTTP}]))
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY_NAMES", "True")
    notify()
    assert inbox.paths == ["/services/T0/secret"]
    (body,) = inbox.bodies
    assert "\u2039img src=" in body["text"]
    assert "{{ conn.smtp_default.password }}" in body["text"]
    assert "<" not in body["text"]


def test_own_templates_find_the_message(billed: Run, inbox: Inbox, mailbox: Mailbox) -> None:
    own = HttpNotifier(endpoint="x", json={"summary": "{{ kashoo.subject }}", "bad": "{{ kashoo.bad | length }}"})
    mail = SmtpNotifier(to=["a@firm.example", "b@firm.example"], subject="[books] {{ kashoo.subject }}")
    assert notify(own, mail, own) == {"sent": 3}
    assert inbox.bodies[0]["summary"].startswith("Kashoo: ")
    assert int(inbox.bodies[0]["bad"]) > 0
    assert len(inbox.bodies) == 1
    assert {each["Subject"].partition("Kashoo")[0] for each in mailbox.mails} == {"", "[books] "}


def test_an_attachment_stays_beside_both_parts(billed: Run, mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "terms.pdf").write_bytes(b"%PDF")
    notify(SmtpNotifier(to="a@firm.example", files=[str(tmp_path / "terms.pdf")]))
    mail = mailbox.mails[-1]
    assert [each.get_content_type() for each in mail.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/octet-stream",
    ]  # fmt: skip


def test_what_was_billed_is_left_out_on_request(billed: Run, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY_BILLED", "False")
    notify()
    (mail,) = mailbox.mails
    assert "billed" not in mail["Subject"]


def test_a_test_is_sent_though_there_is_no_news(billed: Run, mailbox: Mailbox) -> None:
    notify()
    assert notify(test=True) == {"sent": 1}
    assert "a test" in mailbox.mails[-1]["Subject"]


def test_nobody_is_told_unless_somebody_is_named(
    billed: Run, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__KASHOO__NOTIFY")
    assert notify() == {}
    assert mailbox.mails == []


def test_neither_side_is_asked(billed: Run, mailbox: Mailbox) -> None:
    before = {side: log.total for side, log in billed.sandbox.logs.items()}
    notify()
    assert {side: log.total for side, log in billed.sandbox.logs.items()} == before


def test_no_address_is_kept(billed: Run, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.INFO):
        notify()
    for path in tmp_path.glob("store.db*"):
        assert b"firm.example" not in path.read_bytes()
    ours = [each.getMessage() for each in caplog.records if not each.name.startswith("mail.")]  # the server's own
    assert ours
    assert "me@firm.example" not in "".join(ours)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("no json", "notify is not JSON"),
        ("{}", "notify is no list"),
        ("[1]", "Entry 1 of .* is not an object with class and kwargs"),
        ('[{"class": "a.b", "kwarg": {}}]', "Entry 1 of .* is not an object with class and kwargs"),
        ('[{"class": "nowhere.Notifier"}]', "Entry 1 .* there is no 'nowhere.Notifier'"),
        ('[{"class": "Notifier"}]', "there is no 'Notifier'"),
        ('[{"class": "json.loads"}]', "'json.loads' is no notifier"),
        (f'[{{"class": "{SMTP}"}}]', "missing 1 required positional argument: 'to'"),
        (f'[{{"class": "{HTTP}"}}, {{"class": "{SMTP}", "kwargs": {{"to": "x", "toto": "x"}}}}]', "Entry 2 .*toto"),
    ],
)
def test_a_setting_that_is_wrong_fails_at_once_and_nothing_is_sent(
    setting: str, said: str, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, new_store: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__KASHOO__NOTIFY", setting)
    with pytest.raises(AirflowFailException, match=said):
        notify()


def test_the_shipped_dag_tells_in_a_real_airflow(billed: Run, mailbox: Mailbox) -> None:
    row = {"scope_id": 1, "sync": TO_KASHOO, "run_id": "goes on", "started_at": 2_000_000_000.0}
    change(insert(runs).values(row))  # so that Airflow is asked for its state
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "dags", "test", "kashoo_notify"],
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "250"},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "me@firm.example" not in said
    (mail,) = mailbox.mails
    assert "1 record parked: no account" in mail["Subject"]
    assert "nothing_new" in said


def test_a_store_that_is_missing_is_said(new_store: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"does not exist.*airflow kashoo init"):
        notify()
