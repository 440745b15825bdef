"""One run of one sync: both sides, the store, the mappings, and its staged files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from airflow_provider_kashoo.clients.describe import STANDARD_PREFIXES
from airflow_provider_kashoo.clients.kashoo import KashooClient
from airflow_provider_kashoo.clients.salesforce import Organization, SalesforceClient
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import MAPPED
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.rules.approval import BY_RULES_ALONE, Policy
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.store.budget import Budget
from airflow_provider_kashoo.store.store import SyncStore
from airflow_provider_kashoo.sync.run.staging import Staging, clear

TO_KASHOO = "salesforce_to_kashoo"
TO_SALESFORCE = "kashoo_to_salesforce"
TIE_OUT = "kashoo_tie_out"
KASHOO_SOURCES = ("invoices", "payments")


@dataclass(frozen=True)
class Settings:
    """The section ``[kashoo]`` of Airflow's configuration, in plain types.

    :param zone: business time zone in which a DateTime becomes a date.
    :param send_deadline: seconds a write may take from its journal entry to its answer.
    :param settle: seconds after that before an unanswered write is looked up.
    :param retention: how long staged files stay after a step last began to work with them.
    :param approval: when a person has to approve a plan.
    """

    overlap: timedelta = timedelta(seconds=600)
    margin: timedelta = timedelta(seconds=300)
    send_deadline: float = 60
    settle: float = 600
    zone: str = "UTC"
    retention: timedelta = timedelta(days=7)
    approval: Policy = BY_RULES_ALONE


class Org:
    """The Salesforce org of a run. Login happens when a step first needs it.

    :param log_in: gives a client that is logged in.
    :param begun_with: id of the org that the run began with; None when only a login can tell.
    """

    def __init__(self, log_in: Callable[[], SalesforceClient], begun_with: str | None = None) -> None:
        self._log_in, self._begun_with = log_in, begun_with
        self._described: dict[str, Any] = {}

    @property
    def id(self) -> str:
        """Its 18-character id, as the run knows it."""
        return self._begun_with or self.opened[1].id

    @cached_property
    def opened(self) -> tuple[SalesforceClient, Organization]:
        """Log in at the first use.

        :raises ConfigurationError: when the connection leads to another org than the run began with.
        :raises SyncError: as the login does.
        """
        client = self._log_in()
        organization = client.organization()
        if self._begun_with not in (None, organization.id):
            raise ConfigurationError(
                f"This run began with org {self._begun_with}, but connection {client.connection} leads to org "
                f"{organization.id} now.",
                remedy=f"Correct the connection, or begin again. {clear('preflight')}",
            )
        client.recall(self._described)
        return client, organization

    def recall(self, described: dict[str, Any]) -> None:
        """Give the client describes that were read before, now or when it is opened."""
        self._described = described
        if "opened" in vars(self):
            self.opened[0].recall(described)


@dataclass(frozen=True)
class Sync:
    """What every step works with. Neither side is asked anything before a step uses it.

    :param name: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    """

    name: str
    run: RunFacts
    org: Org
    kashoo: KashooClient
    store: SyncStore
    budget: Budget
    mappings: Mapping[str, FieldMapping]
    files: Staging
    settings: Settings

    @property
    def salesforce(self) -> SalesforceClient:
        """The client of Salesforce; the first use logs in."""
        return self.org.opened[0]

    @cached_property
    def salesforce_url(self) -> str:
        """The address of the org, as preflight staged it: no login is needed for it. Empty if it did not."""
        return str((self.files.read_json("addresses") or {}).get("salesforce", ""))

    @property
    def surroundings(self) -> Surroundings:
        """What a transform needs beside the records."""
        targets = {name: mapping.to for name, mapping in self.mappings.items()}
        profile = self.kashoo.profile
        room = {kind: profile.room(kind) for kind in MAPPED}
        counted = frozenset(profile.iso_minor_units)
        return Surroundings(self.settings.zone, self.org.opened[1].currency, targets, room, profile.line_text, counted)

    @property
    def sources(self) -> list[str]:
        """List the Salesforce objects that mappings into the books read."""
        return sorted({each.from_.object for each in self.mappings.values() if each.into_books})

    def recall_describes(self) -> None:
        """Give the client the describes that preflight staged, so that this step need not read them again."""
        self.org.recall(self.files.read_json("described") or {})

    def object_of(self, record_id: str) -> str | None:
        """Say of which object a record is, by its key prefix; None for one that is neither mapped nor standard."""
        return self._prefixes.get(record_id[:3])

    @cached_property
    def _prefixes(self) -> dict[str | None, str]:
        return STANDARD_PREFIXES | {self.salesforce.describe(sobject).key_prefix: sobject for sobject in self.sources}

    def mappings_from(self, sobject: str) -> list[FieldMapping]:
        """List the mappings into the books that read an object."""
        return [each for each in self.mappings.values() if each.into_books and each.from_.object == sobject]

    def mappings_to(self, target: str) -> list[FieldMapping]:
        """List the mappings that make a target: ``customer``, ``item``, ``invoice`` or a Salesforce object."""
        return [each for each in self.mappings.values() if each.to == target]
