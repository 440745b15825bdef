"""Once a week: whether the customers and items that we linked are still in the books.

One listing of each. What a list does not show proves nothing (pages shift, lists lag): it is read by its
id, and only a record that is removed, or answered with 404, is put to a person. What changed is left as
it is; the three-way comparison sees it when its record in Salesforce changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from airflow_provider_kashoo.clients.documents import is_gone
from airflow_provider_kashoo.core.errors import UnreadableError
from airflow_provider_kashoo.core.rules.plan import Action, PlanRow
from airflow_provider_kashoo.core.rules.questions import removed_in_books
from airflow_provider_kashoo.sync.run.sync import Sync

TARGETS = ("customer", "item")


def stage(sync: Sync) -> None:
    """List the linked customers and items that the books show as removed, do not list, or list."""
    found = {}
    for target in TARGETS:
        linked = {link.kashoo_id for link in sync.store.links.of_target(target)}
        listed: dict[int, bool] = {}
        if linked:
            listed = {row["id"]: is_gone(row) for row in sync.kashoo.listing(target, removed=True)}
        found[target] = {
            "standing": sorted(ident for ident in linked if listed.get(ident) is False),
            "removed": sorted(ident for ident in linked if listed.get(ident) is True),
            "absent": sorted(linked - listed.keys()),
        }
    sync.files.write_json("contacts", found)


def plan(sync: Sync) -> Iterator[PlanRow]:
    """Give a row to review for each that is removed; note which ones stand, so that their reviews close."""
    standing: list[tuple[str, str]] = []
    for target, found in _staged(sync).items():
        gone, here = set(found["removed"]), set(found["standing"])
        for ident in found["absent"] if target not in sync.kashoo.profile.only_listed else []:
            with suppress(UnreadableError):
                (gone if is_gone(sync.kashoo.read(target, ident)) else here).add(ident)
        named: set[int] = set()
        for link in sync.store.links.of_target(target):
            if link.kashoo_id in here:
                standing.append((target, link.source_id))
            elif link.kashoo_id in gone - named:
                named.add(link.kashoo_id)  # two records may share a customer; a person is asked once
                yield removed_in_books(link.row(sync.name, Action.REVIEW, ""))
    sync.files.write_json("contacts.standing", {"records": standing})


def notes(sync: Sync) -> list[str]:
    """Say what could not be looked at: absence from a list alone is never taken for a removal."""
    staged = _staged(sync)
    return [
        f"{len(staged[target]['absent'])} linked {target}s are not listed, and Kashoo gives none by its id"
        for target in sync.kashoo.profile.only_listed
        if staged.get(target, {}).get("absent")
    ]


def standing(sync: Sync) -> set[tuple[str, str]]:
    """List (target, source id) of what is linked to a record that stands in the books."""
    staged = sync.files.read_json("contacts.standing") or {}
    return {(target, source_id) for target, source_id in staged.get("records", [])}


def _staged(sync: Sync) -> dict[str, Any]:
    return dict(sync.files.read_json("contacts") or {})
