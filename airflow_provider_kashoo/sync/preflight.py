"""Check that all is there that a run needs, before anything is read. All faults found are reported at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.mistakes import MappingMistakes
from airflow_provider_kashoo.sync.check.against import mistakes_into_books, mistakes_of_write_backs
from airflow_provider_kashoo.sync.check.sides import Sides
from airflow_provider_kashoo.sync.read.codes import Codes
from airflow_provider_kashoo.sync.run.record_links import Addresses
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

log = logging.getLogger(__name__)

POOLS = {"salesforce_api": 4, "kashoo_api": 2}
"""Airflow pools and the slots they are created with: how many tasks talk to a side at once."""


def check_pools(recorded: Mapping[str, int]) -> None:
    """Refuse to start when a pool was never created, because its tasks would wait for ever.

    :param recorded: pool sizes from the store; tasks cannot see pools themselves.
    :raises ConfigurationError: naming the pools.
    """
    if missing := [name for name in POOLS if not recorded.get(name)]:
        raise ConfigurationError(
            f"The pools {', '.join(missing)} were never created; tasks in them would wait for ever.",
            remedy="Run: airflow kashoo init (or restart the API server, whose plugin creates them).",
        )


def preflight(sync: Sync) -> None:
    """Check both sides and every mapping, and stage the reference data for the plan."""
    sides = check_both_sides(sync, Codes.known)
    if sides.codes:
        sides.codes.stage(sync)
    sync.files.write_json("business", {"name": sides.business})
    sync.files.write_json("described", sync.salesforce.described())
    Addresses.of_run(sync).stage(sync.files)


def check_both_sides(sync: Sync, find: Callable[[Sync], Codes] = Codes.read_and_kept) -> Sides:
    """Check both sides and every mapping.

    :param find: finds the codes of the books; unless given, Kashoo is asked, because a person may have changed them
        just now.
    :raises ConfigurationError: one message with all faults, each with its remedy.
    """
    sides = open_sides(sync, find)
    held = mistakes_of_write_backs if sides.codes is None else mistakes_into_books
    found = list(held(sync.mappings.values(), sides))
    if mistakes := [each for each in found if not each.may_be_meant]:
        raise MappingMistakes(mistakes, "The mappings do not match Kashoo or Salesforce:")
    for each in found:
        log.warning("%s", each)
    return sides


def open_sides(sync: Sync, find: Callable[[Sync], Codes] = Codes.read_and_kept) -> Sides:
    """Check that both sides are those that are meant, and read the codes of the books if the sync needs them.

    :raises ConfigurationError: for a version of Salesforce's API or a business that is not there.
    """
    sync.salesforce.check_version()
    name = _checked_business(sync)
    return Sides(sync.salesforce, find(sync) if sync.name == TO_KASHOO else None, sync.settings.zone, name or "")


def _checked_business(sync: Sync) -> str | None:
    """Give the name of the business, if it has one."""
    mine = {business.id: business.name for business in sync.kashoo.businesses()}
    if sync.kashoo.business_id not in mine:
        known = ", ".join(f"{ident} ({name or 'no name'})" for ident, name in sorted(mine.items())) or "none"
        raise ConfigurationError(
            f"The Kashoo user has no business with the id {sync.kashoo.business_id}.",
            remedy=f"Set business_id in connection {sync.kashoo.connection} to one of: {known}.",
        )
    return mine[sync.kashoo.business_id]
