"""Before anything is read: is all there that the run needs? Every fault found is said at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.model import nearest
from airflow_provider_kashoo.sync.read import columns as frames
from airflow_provider_kashoo.sync.read.codes import Books
from airflow_provider_kashoo.sync.read.records import shape_of
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync

POOLS = {"salesforce_api": 4, "kashoo_api": 2}
"""Airflow pools and the slots they are created with: how many tasks talk to a side at once."""


def check_pools(recorded: Mapping[str, int]) -> None:
    """Refuse to start when a pool was never created: its tasks would wait for ever.

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
    check_both_sides(sync).stage(sync)
    sync.files.write_json("described", sync.salesforce.described())


def check_both_sides(sync: Sync) -> Books:
    """Check both sides and every mapping.

    :raises ConfigurationError: one message with all faults, each with its remedy.
    """
    _check_business(sync)
    books = Books.read(sync)
    faults = list(_mapping_faults(sync)) if sync.name == TO_KASHOO else list(_write_back_faults(sync))
    if sync.name == TO_KASHOO:
        faults += [fault for each in sync.mappings.values() if each.into_books for fault in books.unknown(each)]
    if faults:
        raise ConfigurationError("\n  ".join(["The mappings do not fit the two sides:", *faults]))
    return books


def _check_business(sync: Sync) -> None:
    mine = {str(row["id"]) for row in sync.kashoo.businesses()}
    if sync.kashoo.business_id not in mine:
        known = ", ".join(sorted(mine)) or "none"
        raise ConfigurationError(
            f"The Kashoo user has no business {sync.kashoo.business_id}.",
            remedy=f"Set business_id in connection {sync.kashoo.connection} to one of: {known}.",
        )


def _mapping_faults(sync: Sync) -> Iterator[str]:
    for sobject in sync.sources:
        yield from _caught(partial(shape_of, sync, sobject))
    for mapping in sync.mappings.values():
        for number, condition in enumerate(mapping.conditions):
            for path in condition.paths:
                if _is_formula(sync, mapping, path):
                    yield (
                        f"{mapping.place('when', number)}: {path} is a formula field: when its value changes, no stamp "
                        "moves and nobody sees it. Write what the formula computes, or use a field that a flow sets."
                    )


def _is_formula(sync: Sync, mapping: FieldMapping, path: str) -> bool:
    try:
        info = frames.resolve(sync.salesforce, mapping.from_.object, path)
    except ConfigurationError:
        return False  # said already
    return info is not None and info.formula


def _write_back_faults(sync: Sync) -> Iterator[str]:
    for mapping in sync.mappings.values():
        if mapping.into_books:
            continue
        fields = sync.salesforce.describe(mapping.to).fields
        for name in mapping.fields:
            place = mapping.place("fields", name)
            if name not in fields:
                yield f"{place}: {mapping.to} has no field {name!r}. {nearest(name, fields)} Or create it."
            elif not fields[name].updateable:
                yield f"{place}: the Salesforce user may not edit {mapping.to}.{name}. Give field-level access."


def _caught(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except ConfigurationError as error:
        yield f"{error.what} {error.remedy}"
