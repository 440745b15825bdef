"""Once a week: whether the linked customers and items are still in the books.

Each kind is listed once, and held against the links a part at a time. A record that the list does not show may still
exist (pages shift, lists lag), so it is read by its id; a person is asked only when it is removed or answered with 404.
Changed contents do not matter here: the three-way comparison finds them when the record changes in Salesforce.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import islice

import numpy as np

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.kinds import CUSTOMER, PARENTS
from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS
from airflow_provider_kashoo.sync.read.contact_changes import ContactChanges
from airflow_provider_kashoo.sync.read.removed import Removed
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Sync

PART = 5_000
"""Records of the books that are held against the links together."""


@dataclass(frozen=True)
class _Listed:
    """Kashoo ids of linked records, by what the books list of them; as it is staged.

    :param standing: only those about which a person is asked.
    """

    standing: list[int]
    removed: list[int]
    absent: list[int]


def stage(sync: Sync) -> None:
    """List the linked customers and items that the books show as removed, or do not list; and what ends a question."""
    changes = ContactChanges(sync)
    see = {CUSTOMER.name: changes.add}
    sync.files.write_json("contacts", {kind: asdict(_listed(sync, kind, see.get(kind))) for kind in PARENTS})
    changes.stage()


def _listed(sync: Sync, kind: str, see: Callable[[list[Entry]], None] | None = None) -> _Listed:
    linked = sync.store.linked_records
    if next(linked.pages_of_kashoo_ids(kind), None) is None:
        return _Listed([], [], [])
    asked = {ident for _, ident in _asked(sync, kind)}
    standing, removed, parts = list[int](), list[int](), [np.empty(0, np.int64)]
    for some in _parts(sync.kashoo.listing(kind, removed=True)):
        listed = {each.id: each.removed for each in some}
        if see:
            see(some)
        here = linked.kashoo_ids(kind, listed)
        parts.append(np.fromiter(here, np.int64, len(here)))
        removed += (ident for ident in here if listed[ident])
        standing += (ident for ident in here & asked if not listed[ident])
    shown = np.append(np.unique(np.concatenate(parts)), -1)  # eight bytes an id; a set takes ten times that
    absent = [ident for page in linked.pages_of_kashoo_ids(kind) for ident in _absent(page, shown)]
    return _Listed(sorted(standing), sorted(removed), absent)


def _absent(page: list[int], shown: np.ndarray) -> list[int]:
    """List the ids of a page that are not among those that were shown.

    :param shown: sorted, and after them a number that is no id.
    """
    ids = np.array(page, np.int64)
    there = shown[np.searchsorted(shown[:-1], ids)] == ids
    return [int(ident) for ident in ids[~there]]


def _parts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    left = iter(entries)
    while some := list(islice(left, PART)):
        yield some


def _asked(sync: Sync, kind: str) -> set[tuple[str, int]]:
    """List (source id, Kashoo id) of linked records of which a person is asked whether they were removed."""
    sources = sync.store.reviews.sources(kind, REMOVED_IN_BOOKS)
    return {(ident, link.kashoo_id) for ident, link in sync.store.links.of_sources(kind, sources).items()}


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
        result.standing += sorted((kind, source_id) for source_id, ident in _asked(sync, kind) if ident in here)
        named: set[int] = set()
        for link in sync.store.links.sharing(kind, gone):
            if link.kashoo_id not in named:
                named.add(link.kashoo_id)  # two records may share a customer; a person is asked once
                with suppress(UnreadableError):
                    entry = sync.kashoo.read(kind, link.kashoo_id)
                    result.intents.append(removed.ask(link.intent(sync.name), entry))
    return result


def standing(sync: Sync) -> set[tuple[str, str]]:
    """List (kind, source id) of the records whose customer or item is in the books."""
    staged = sync.files.read_json("contacts.standing") or {}
    return {(target, source_id) for target, source_id in staged.get("records", [])}
