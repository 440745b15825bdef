"""One run of one sync: both sides, the store, the mappings, and where its files lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.mapping.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.transform import Surroundings
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync.run.staging import Staging

TO_KASHOO = "salesforce_to_kashoo"
TO_SALESFORCE = "kashoo_to_salesforce"
KASHOO_SOURCES = ("invoices", "payments")

TRIES = 3
"""How often a run sends what was turned away for a moment, before it is parked."""

BACKOFF_SECONDS = 2.0
"""The pause before the second try; it doubles."""


@dataclass(frozen=True)
class Settings:
    """The section ``[kashoo]`` of Airflow's configuration, in plain types.

    :param zone: business time zone in which a DateTime becomes a date.
    :param send_deadline: seconds a write may take from its journal entry to its answer.
    :param settle: seconds after that before an unanswered write is looked up.
    """

    overlap: timedelta = timedelta(seconds=600)
    margin: timedelta = timedelta(seconds=300)
    send_deadline: float = 60
    settle: float = 600
    zone: str = "UTC"


@dataclass(frozen=True)
class Sync:
    """What every step works with.

    :param name: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    :param org_currency: the org's own currency; None when the org does not say.
    """

    name: str
    run: RunFacts
    salesforce: SalesforceClient
    kashoo: KashooClient
    store: SyncStore
    budget: Budget
    mappings: Mapping[str, FieldMapping]
    files: Staging
    settings: Settings
    org_currency: str | None

    @property
    def surroundings(self) -> Surroundings:
        """What a transform needs beside the records."""
        targets = {name: mapping.to for name, mapping in self.mappings.items()}
        return Surroundings(self.settings.zone, self.org_currency, targets)

    @property
    def sources(self) -> list[str]:
        """List the Salesforce objects that mappings into the books read."""
        return sorted({each.from_.object for each in self.mappings.values() if each.into_books})

    def mappings_from(self, sobject: str) -> list[FieldMapping]:
        """List the mappings into the books that read an object."""
        return [each for each in self.mappings.values() if each.into_books and each.from_.object == sobject]

    def mappings_to(self, target: str) -> list[FieldMapping]:
        """List the mappings that make a target: ``customer``, ``item``, ``invoice`` or a Salesforce object."""
        return [each for each in self.mappings.values() if each.to == target]
