"""Drives the five steps from plain Python against a sandbox: no Airflow, no waiting, no environment."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.salesforce import SalesforceClient, Session
from airflow_provider_kashoo.clients.transport import Unlimited, new_session
from airflow_provider_kashoo.core.rules.operations import State
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.core.rules.summary import PlanSummary
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync import steps
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE, Org, Settings, Sync

SHIPPED_MAPPINGS = Path(__file__).parents[2] / "include" / "mappings"
SOURCES = {TO_KASHOO: ("Account", "Product2", "Opportunity", "Order"), TO_SALESFORCE: ("invoices", "payments")}
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
PLENTY = (Limit(1_000_000, 1),)
OPEN_STATES = (State.SENT, State.RETRY, State.IN_DOUBT, State.PARKED)
LOOK_UP_AFTER = 700.0
"""Seconds: the send deadline and the settle time are over."""


@dataclass(frozen=True)
class Done:
    """One finished run: what each step gave."""

    sync: Sync
    summary: PlanSummary
    outcome: dict[str, int]
    moved: dict[str, str]

    def report(self, source: str) -> dict[str, Any]:
        """What the extract of one Salesforce object said."""
        return self.sync.files.read_json(f"delta.{source}") or {}


def up_to_approval(sync: Sync) -> PlanSummary:
    """Take a run as far as it writes nothing: to the approval of its plan."""
    steps.preflight(sync)
    for source in SOURCES[sync.name]:
        steps.extract(sync, source)
    summary = steps.plan(sync)
    steps.approve(sync)
    return summary


class Driver:
    """A store, staging and a copy of the shipped mappings in one folder, and runs over them."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        sandbox.books.limits = []
        self.sandbox, self.folder = sandbox, folder
        self.database = self.open_store()
        self.mappings = folder / "mappings"
        if not self.mappings.exists():  # otherwise a folder that an earlier driver left
            self.database.migrate()
            shutil.copytree(SHIPPED_MAPPINGS, self.mappings)
        self.settings = Settings(margin=timedelta(0))
        self.limits = PLENTY
        self.kashoo_url, self.password = sandbox.kashoo_url, sandbox.books.password
        self.metered = True
        self.runs = 0

    def open_store(self) -> Database:
        return Database(f"sqlite:///{self.folder}/store.db")

    @property
    def store(self) -> SyncStore:
        return SyncStore(self.database, self.sandbox.org.org_id, str(self.sandbox.books.main()))

    def salesforce(self) -> SalesforceClient:
        return SalesforceClient(self._session("salesforce", Unlimited()), self.log_in, "67.0", sleep=lambda _: None)

    def log_in(self) -> Session:
        """Log in to Salesforce by client credentials."""
        form, url = self.sandbox.org.access.app, self.sandbox.salesforce_url
        answer = self._session("salesforce", Unlimited()).post(f"{url}/services/oauth2/token", data=form)
        answer.raise_for_status()
        return Session(answer.json()["access_token"], url)

    def kashoo(self, budget: Budget | None = None) -> KashooClient:
        books = self.sandbox.books
        return KashooClient(
            self._session("kashoo", budget or Unlimited()),
            self.kashoo_url,
            books.email,
            self.password,
            str(books.main()),
            sleep=lambda _: None,
            clock=self.sandbox.clock.time,  # by another one, the simulated tokens would be out of date
        )

    def _session(self, system: str, budget: Budget | Unlimited) -> requests.Session:  # noqa: ARG002  in process it picks the app
        session = new_session(budget, self.settings.send_deadline)
        session.verify, session.trust_env = str(self.sandbox.ca_bundle), False  # the environment would win over verify
        return session

    def sync(self, name: str = TO_KASHOO, **facts: Any) -> Sync:
        """Open a run; the run id is new each time unless given."""
        self.runs += 1
        run = replace(RunFacts(run_id=f"run {self.runs}", first=BEGINNING), **facts)
        budget = Budget(self.database, "books", self.limits)
        org = Org(self.salesforce)
        return Sync(
            name=name,
            run=run,
            org=org,
            kashoo=self.kashoo(budget if self.metered else None),
            store=SyncStore(self.database, org.id, str(self.sandbox.books.main())),
            budget=budget,
            mappings=load_mappings(self.mappings),
            files=Staging(self.folder / "staging", name, f"{org.id}-{self.sandbox.books.main()}", run.run_id),
            settings=self.settings,
        )

    def run(self, name: str = TO_KASHOO, **facts: Any) -> Done:
        """Run all five steps, a minute after whatever happened before."""
        self.sandbox.clock.advance(60)
        sync = self.sync(name, **facts)
        summary = up_to_approval(sync)
        outcome = steps.apply(sync)
        return Done(sync, summary, outcome, steps.commit(sync))

    def run_back(self, **facts: Any) -> Done:
        """Run all five steps of ``kashoo_to_salesforce``."""
        return self.run(TO_SALESFORCE, **facts)
