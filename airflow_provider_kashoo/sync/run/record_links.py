"""Where a person opens a record: its addresses in Salesforce and in Kashoo."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Sync

SALESFORCE, KASHOO = "Salesforce", "Kashoo"


@dataclass(frozen=True)
class Addresses:
    """Where the records of one org and business are opened, as far as it is known.

    Salesforce opens any record at the address of the org with its id behind it (documented). Kashoo's own addresses are
    not known: there is one only if the connection's profile says ``record_url``.

    :param salesforce: address of the org; empty if it is not known.
    :param kashoo: with ``{b}``, ``{kind}`` and ``{id}``; empty if it is not known.
    :param business_id: what ``{b}`` stands for.
    """

    salesforce: str = ""
    kashoo: str = ""
    business_id: str = ""

    @classmethod
    def of_run(cls, sync: Sync) -> Addresses:
        """Give those of a run that has logged in to Salesforce."""
        return cls(sync.salesforce.instance_url, sync.kashoo.profile.record_url, sync.store.business_id)

    def stage(self, files: Staging) -> None:
        """Keep them with the files of a run, where no login is needed to know them."""
        files.write_json("addresses", asdict(self))

    @classmethod
    def staged(cls, files: Staging) -> Addresses:
        """Give those that were staged; none is known if none were.

        :raises ConfigurationError: when the file is damaged.
        """
        found = files.read_json("addresses") or {}
        return cls(**{name: str(found.get(name, "")) for name in ("salesforce", "kashoo", "business_id")})

    def opens(self, source_id: str | None, kind: str = "", kashoo_id: int | None = None) -> dict[str, str]:
        """Name the addresses of a record.

        :param source_id: Salesforce id.
        :param kind: of the record in the books; nothing else is opened in Kashoo.
        :param kashoo_id: its id there, if known.
        """
        found = {SALESFORCE: f"{self.salesforce}/{source_id}"} if self.salesforce and source_id else {}
        if self.kashoo and kashoo_id and kind in KINDS:
            found[KASHOO] = self.kashoo.format(b=self.business_id, kind=kind, id=kashoo_id)
        return found


def newest_addresses(org_id: str, business_id: str, runs: Iterable[tuple[Any, Any, Staging]]) -> Addresses:
    """Give the addresses of an org and a business from the newest run that staged them.

    :param runs: as :func:`.staged_runs.newest_runs` lists them.
    """
    mine = (files for _, _, files in runs if files.folder.parent.name == f"{org_id}-{business_id}")
    return next((found for found in map(Addresses.staged, mine) if found.salesforce), Addresses())


def links_to(sync: Sync, record: Record, kashoo_id: int | None = None) -> str:
    """Give the addresses of a record without asking either side, for the end of a line in the log.

    :param kashoo_id: the record in the books, if known.
    :returns: each with a blank before it; empty when none is known.
    """
    known = Addresses(sync.salesforce_url, sync.kashoo.profile.record_url, sync.store.business_id)
    return "".join(f" {each}" for each in known.opens(record.id, record.kind, kashoo_id).values())
