"""Contact data that somebody changed in Kashoo, of fields that a mapping gives to Kashoo: found in the week's list.

Kashoo does not say when a customer was changed (none is evidenced), so its values are compared with those that were
read back when it was written last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.kinds import CUSTOMER
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.policies import Owner
from airflow_provider_kashoo.core.rules.diff import UNKNOWN
from airflow_provider_kashoo.core.rules.ownership import owner_of
from airflow_provider_kashoo.sync.run.sync import Sync

NAME = "contact_changes"

FROM_KASHOO = frozenset({Owner.KASHOO, Owner.LATEST})


def pushed_fields(mapping: Mapping) -> dict[str, str]:
    """Field in Kashoo -> field in Salesforce, of those that go back; what a mapping computes cannot be turned round."""
    return {
        name: str(spec.from_)
        for name, spec in mapping.fields.items()
        if _is_plain(spec) and owner_of(CUSTOMER.name, name, mapping.owners) in FROM_KASHOO
    }


def _is_plain(spec: Field) -> bool:
    return spec.model_dump(exclude_defaults=True).keys() <= {"from_", "optional", "default"} and "." not in str(
        spec.from_
    )


class ContactChanges:
    """Collects them while customers are listed.

    :ivar found: of each customer the mapping, the record, and Salesforce field -> value in Kashoo, hash of the value
        that was sent last, owner.
    """

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        into = (each for each in sync.mappings.values() if each.to == CUSTOMER.name)
        self._mappings = {each.from_.object: each for each in into if pushed_fields(each)}
        self.found: list[dict[str, Any]] = []

    def add(self, entries: Iterable[Entry]) -> None:
        """Compare some customers with what was written last."""
        if not self._mappings:
            return
        there = {each.id: each for each in entries if not each.removed}
        hashes = self._sync.store.hashes
        for link in self._sync.store.links.sharing(CUSTOMER.name, there):
            mapping, entry = self._mappings.get(link.source_object), there[link.kashoo_id]
            changed = {}
            for name, path in pushed_fields(mapping).items() if mapping else ():
                sent, read_back = link.fields.get(name, (UNKNOWN, UNKNOWN))
                value = entry.fields.get(name)
                if read_back != UNKNOWN and hashes.of(value) != read_back and mapping:
                    changed[path] = [value, sent, owner_of(CUSTOMER.name, name, mapping.owners).value]
            if changed and mapping:
                own = {"source_object": link.source_object, "source_id": link.source_id, "kashoo_id": link.kashoo_id}
                self.found.append({"mapping": mapping.name, **own, "fields": changed})

    def stage(self) -> None:
        """Stage what was found."""
        self._sync.files.write_json(NAME, {"records": self.found})
