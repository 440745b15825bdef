"""Once a week: whether the linked customers and items are still in the books.

Each kind is listed once. A record that the list does not show may still exist (pages shift, lists lag), so it is read
by its id; a person is asked only when it is removed or answered with 404. Changed contents do not matter here: the
three-way comparison finds them when the record changes in Salesforce.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field

from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import PARENTS
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.sync.read.removed import Removed
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Sync


@dataclass(frozen=True)
class _Listed:
    """Kashoo ids of linked records, by what the books list of them; as it is staged."""

    standing: list[int]
    removed: list[int]
    absent: list[int]


def stage(sync: Sync) -> None:
    """List the linked customers and items that the books show as removed, do not list, or list."""
    found = {}
    for target in PARENTS:
        linked = {link.kashoo_id for link in sync.store.links.of_target(target)}
        listed: dict[int, bool] = {}
        if linked:
            listed = {each.id: each.removed for each in sync.kashoo.listing(target, removed=True)}
        standing = sorted(ident for ident in linked if listed.get(ident) is False)
        removed = sorted(ident for ident in linked if listed.get(ident) is True)
        found[target] = asdict(_Listed(standing, removed, sorted(linked - listed.keys())))
    sync.files.write_json("contacts", found)


@dataclass
class Look:
    """What the weekly look found.

    :param intents: questions to a person.
    :param standing: (kind, source id) of records whose customer or item is in the books: their questions close.
    :param notes: what could not be checked, since absence from a list alone is no proof of a removal.
    """

    intents: list[Intent] = field(default_factory=list)
    standing: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def stage(self, files: Staging) -> None:
        """Stage what :func:`standing` reads."""
        files.write_json("contacts.standing", {"records": self.standing})


def look(sync: Sync) -> Look:
    """Ask a person about each linked record that is removed."""
    result, removed = Look(), Removed(sync)
    for kind, staged in (sync.files.read_json("contacts") or {}).items():
        found = _Listed(**staged)
        gone, here = set(found.removed), set(found.standing)
        if found.absent and not sync.kashoo.gives_single(kind):
            note = f"{len(found.absent)} linked {kind}s are not listed, and Kashoo cannot read {kind}s by id"
            result.notes.append(note)
        for ident in found.absent if sync.kashoo.gives_single(kind) else []:
            with suppress(UnreadableError):
                (here if sync.kashoo.stands(kind, ident) else gone).add(ident)
        named: set[int] = set()
        for link in sync.store.links.of_target(kind):
            if link.kashoo_id in here:
                result.standing.append((kind, link.source_id))
            elif link.kashoo_id in gone - named:
                named.add(link.kashoo_id)  # two records may share a customer; a person is asked once
                with suppress(UnreadableError):
                    entry = sync.kashoo.read(kind, link.kashoo_id)
                    result.intents.append(removed.ask(link.intent(sync.name), entry))
    return result


def standing(sync: Sync) -> set[tuple[str, str]]:
    """List (kind, source id) of the records whose customer or item is in the books."""
    staged = sync.files.read_json("contacts.standing") or {}
    return {(target, source_id) for target, source_id in staged.get("records", [])}
