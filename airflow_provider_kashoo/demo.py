"""The demo: both syncs in a real Airflow of its own, against the sandbox, compared to the cent at the end."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from airflow_provider_kashoo.demo_office import NOTIFY, Office
from airflow_provider_kashoo.local_airflow import BACK, FORWARD, USER, LocalAirflow
from airflow_provider_kashoo.sandbox.server import Sandbox

START_SECONDS, RUN_SECONDS = 180, 300
STOPPED = 130
ENDING = (signal.SIGTERM, signal.SIGHUP)
SETTLE_SECONDS = 1200
"""The sandbox's clock is advanced by this before the last run, so that its window holds our own write-backs."""

READS_BY_POST = ("/authTokens", "/services/oauth2/token", "/composite")

Cents = dict[str, int]


class DemoFailed(Exception):
    """A step failed; the message says which, and where the log is."""


class Demo:
    """One demo, step by step.

    :param dags: folder of the shipped DAGs.
    :param office: what there is besides invoices and payments, if anything.
    :param environment: what Airflow needs for that.
    """

    def __init__(
        self,
        dags: Path,
        home: Path,
        sandbox: Sandbox,
        console: Console,
        office: Office | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.sandbox, self.console = sandbox, console
        self.office = office
        self.airflow = LocalAirflow(home, dags, {**sandbox.describe()["env"], **(environment or {})})
        self.peak_memory = 0
        self.started = time.monotonic()

    def run(self) -> bool:
        """Go through all steps, print the table, and say whether both sides agree."""
        self._step("Airflow starts", self.airflow.ready, START_SECONDS)
        self._run(FORWARD, 1, "won deals become invoices", scheduled=True)
        paid = self._customers_pay()
        self._run(BACK, 1, "payments come back", scheduled=True)
        if self.office and self.office.gets_mail:
            self._run(NOTIFY, 1, "people are told", scheduled=True)
        self.sandbox.clock.advance(SETTLE_SECONDS)
        before = self._writes()
        self._run(FORWARD, 2, "nothing is left to do", scheduled=False)
        return self._print_result(paid, self._writes() - before)

    def _run(self, dag: str, number: int, what: str, *, scheduled: bool) -> None:
        if scheduled:
            self.airflow.unpause(dag)
        else:
            self.airflow.trigger(dag)

        def finished() -> bool:
            for each in self.airflow.asked(dag):
                self.airflow.approve(each)
                self.console.print(f"[green]done[/]  {USER} reads and approves: {each['subject']}")
            runs = self.airflow.runs(dag)
            if any(run["state"] == "failed" for run in runs):
                raise DemoFailed(f"A run of {dag} failed; see {self.airflow.log}.")
            return len(runs) >= number and all(run["state"] == "success" for run in runs)

        self._step(f"{dag}: {what}", finished, RUN_SECONDS)

    def _step(self, what: str, done: Callable[[], bool], seconds: float) -> None:
        begun = time.monotonic()
        with self.console.status(what) as status:
            while not done():
                elapsed = time.monotonic() - begun
                if elapsed > seconds:
                    raise DemoFailed(f"{what}: not done after {seconds:.0f} s; see {self.airflow.log}.")
                self.peak_memory = max(self.peak_memory, self.airflow.memory())
                requests_seen = len(self.sandbox.logs["kashoo"].entries())
                status.update(f"{what} ({elapsed:.0f} s, {requests_seen} requests to Kashoo)")
                time.sleep(0.5)
        self.console.print(f"[green]done[/]  {what}  [dim]{time.monotonic() - begun:.0f} s[/]")

    def _customers_pay(self) -> int:
        """Pay every third invoice in full and every third in part, as customers would."""
        ours = self._ours("invoices", "memo")
        count = 0
        for number, invoice in enumerate(ours):
            if number % 3 == 2:
                continue
            amount = invoice["totalDue"] if number % 3 == 0 else invoice["totalDue"] // 3
            body = {"invoice": invoice["id"], "amount": amount}
            requests.post(f"{self.sandbox.admin_url}/kashoo/payments", json=body, timeout=30).raise_for_status()
            count += 1
        self.console.print(f"[green]done[/]  {count} customers pay, in full or in part")
        return count

    def _ours(self, kind: str, field: str) -> list[dict[str, Any]]:
        """List the records of the books that carry a reference of the sync."""
        books = self.sandbox.books
        rows: list[dict[str, Any]] = []
        while page := books.page(books.main(), kind, offset=len(rows)):
            rows += page
        return [row for row in rows if "[sf:" in (row.get(field) or "")]

    def _writes(self) -> int:
        """Count the requests that may have changed something on either side, logins and reads left out."""
        seen = [entry for log in self.sandbox.logs.values() for entry in log.entries()]
        return sum(entry["method"] != "GET" and not entry["path"].endswith(READS_BY_POST) for entry in seen)

    def _print_result(self, paid: int, last_writes: int) -> bool:
        invoices = self._ours("invoices", "memo")
        sold, open_in_salesforce, written_back = self._salesforce_side()
        billed: Cents = defaultdict(int)
        open_: Cents = defaultdict(int)
        for invoice in invoices:
            billed[invoice["currency"]] += invoice["totalDue"]
            open_[invoice["currency"]] += invoice["balanceDue"]
        agree = (
            dict(billed) == dict(sold)
            and dict(open_) == dict(open_in_salesforce)
            and written_back == paid
            and last_writes == 0
        )
        table = Table("", "Salesforce", "Kashoo", title="Both sides agree to the cent" if agree else "The sides DIFFER")
        for kind, field in (("customers", "notes"), ("items", "description"), ("invoices", "memo")):
            table.add_row(f"{kind} made", "", str(len(self._ours(kind, field))))
        for code in sorted({*billed, *sold}):
            table.add_row(f"invoiced {code}", _money(sold[code]), _money(billed[code]))
            table.add_row(f"open {code}", _money(open_in_salesforce[code]), _money(open_[code]))
        table.add_row("payments", f"{written_back} written back", f"{paid} received")
        for row in self.office.rows(self.sandbox) if self.office else ():
            table.add_row(*row)
        used = len(self.sandbox.logs["kashoo"].entries())
        table.add_row("requests to Kashoo", "", f"{used} of 500 an hour")
        table.add_row("writes of the last run", "", str(last_writes))
        table.add_row("Airflow's peak memory", "", f"{self.peak_memory / 2**20:.0f} MiB")
        table.add_row("seconds", "", f"{time.monotonic() - self.started:.0f}")
        self.console.print(table)
        return agree

    def _salesforce_side(self) -> tuple[Cents, Cents, int]:
        """Compute from Salesforce alone what should be invoiced, and what was written back as open and paid."""
        sold: Cents = defaultdict(int)
        open_: Cents = defaultdict(int)
        deals = [row for row in self.sandbox.org.rows("Opportunity") if row["IsWon"] and (row["Amount"] or 0) >= 100]
        billed = {row["Id"] for row in deals}
        orders = [
            row
            for row in self.sandbox.org.rows("Order")
            if row["StatusCode"] == "Activated" and row["TotalAmount"] >= 100 and row["OpportunityId"] not in billed
        ]
        paid = 0
        for row, amount in [*((row, row["Amount"]) for row in deals), *((row, row["TotalAmount"]) for row in orders)]:
            sold[row["CurrencyIsoCode"]] += int(Decimal(amount) * 100)
            open_[row["CurrencyIsoCode"]] += int(Decimal(row["Kashoo_Balance__c"] or 0) * 100)
            paid += bool(row["Kashoo_Paid__c"])
        return sold, open_, paid


def main(*, dags: Path, keep: bool = False) -> int:
    """Run the demo. Its folder is removed at the end, unless it failed.

    :param dags: folder of the shipped DAGs.
    :param keep: leave sandbox and Airflow running until Ctrl-C.
    :returns: exit status: 0 only if both sides agree to the cent, 130 when it was stopped.
    """
    console = Console()
    home = Path(tempfile.mkdtemp(prefix="kashoo-demo-"))
    console.print(f"A simulated Salesforce and Kashoo, and a real Airflow in {home}")
    try:
        with _stopped_by_signals():
            agree = _run(dags, home, console, keep=keep)
    except KeyboardInterrupt:
        console.print("stopped")
        shutil.rmtree(home, ignore_errors=True)
        return STOPPED
    if agree:
        shutil.rmtree(home, ignore_errors=True)
    else:
        console.print(f"Logs and files are in {home}", soft_wrap=True)
    return 0 if agree else 1


def _run(dags: Path, home: Path, console: Console, *, keep: bool) -> bool:
    office = Office(home)
    with Sandbox() as sandbox, office.open() as environment:
        demo = Demo(dags, home, sandbox, console, office, environment)
        with demo.airflow.running():
            try:
                agree = demo.run()
            except DemoFailed as error:
                console.print(f"[red]failed[/]  {error}")
                agree = False
            if keep:
                _wait(console, demo)
    return agree


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turn the signals that end a process into an exception, so that Airflow, in its own session, is stopped too."""

    def stop(*_: object) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # the clean-up is under way
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(console: Console, demo: Demo) -> None:
    """Say where everything is, and wait to be stopped."""
    airflow = demo.airflow
    console.print(
        f"""
Airflow   {airflow.url}
user      {USER}
password  {airflow.password}
sandbox   {demo.sandbox.admin_url} (/state says what both sides hold)

In another terminal, for airflow kashoo status and all other commands:
source {airflow.exported()}

Ctrl-C stops everything and removes it.""",
        highlight=False,
        soft_wrap=True,
    )
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print("stopping")


def _money(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"
