"""Check that all is there that a run needs, before anything is read. All faults found are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.expressions import Condition
from airflow_provider_kashoo.core.mapping.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.mapping.write_back_check import misfits
from airflow_provider_kashoo.core.mapping.yaml_file import Where
from airflow_provider_kashoo.core.values.texts import nearest
from airflow_provider_kashoo.sync.read import columns as frames
from airflow_provider_kashoo.sync.read.codes import Codes
from airflow_provider_kashoo.sync.read.shapes import shape_of
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, Sync
from airflow_provider_kashoo.sync.value_types import value_faults

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
    if codes := check_both_sides(sync, Codes.known):
        codes.stage(sync)
    sync.files.write_json("described", sync.salesforce.described())


def check_both_sides(sync: Sync, find: Callable[[Sync], Codes] = Codes.read_and_kept) -> Codes | None:
    """Check both sides and every mapping.

    :param find: finds the codes of the books; unless given, Kashoo is asked, because a person may have changed them
        just now.
    :returns: the codes; None for the sync that does not need them.
    :raises ConfigurationError: one message with all faults, each with its remedy.
    """
    sync.salesforce.check_version()
    _check_business(sync)
    codes = find(sync) if sync.name == TO_KASHOO else None
    faults = list(_write_back_faults(sync)) if codes is None else [*_mapping_faults(sync), *_code_faults(sync, codes)]
    if faults:
        raise ConfigurationError("\n  ".join(["The mappings do not match Kashoo or Salesforce:", *faults]))
    return codes


def _code_faults(sync: Sync, codes: Codes) -> list[str]:
    """List the constants of mappings that name nothing in the books; kept codes are read again before that is said."""

    def found() -> list[str]:
        return [fault for each in sync.mappings.values() if each.into_books for fault in codes.unknown(each)]

    faults = found()
    return found() if faults and codes.renew() else faults


def _check_business(sync: Sync) -> None:
    mine = {business.id: business.name for business in sync.kashoo.businesses()}
    if sync.kashoo.business_id not in mine:
        known = ", ".join(f"{ident} ({name or 'no name'})" for ident, name in sorted(mine.items())) or "none"
        raise ConfigurationError(
            f"The Kashoo user has no business with the id {sync.kashoo.business_id}.",
            remedy=f"Set business_id in connection {sync.kashoo.connection} to one of: {known}.",
        )


def _mapping_faults(sync: Sync) -> Iterator[str]:
    for sobject in sync.sources:
        yield from _caught(partial(shape_of, sync, sobject))
    yield from value_faults(sync)
    for mapping in sync.mappings.values():
        for where, condition in mapping.placed_conditions():
            yield from _condition_faults(sync, mapping, where, condition)
            for path in condition.paths:
                if _is_formula(sync, mapping, path):
                    yield (
                        f"{mapping.place(*where)}: {path} is a formula field, and Salesforce does not report "
                        "changes of its value. Write out what the formula tests, or use a field that a flow fills in."
                    )


def _condition_faults(sync: Sync, mapping: FieldMapping, where: Where, condition: Condition) -> Iterator[str]:
    """Compare the constants of a condition with the types of its fields: no record would ever meet it."""
    try:
        found = {path: frames.column_type(sync.salesforce, mapping.from_.object, path) for path in condition.paths}
    except ConfigurationError:
        return  # shape_of reports it
    types = {path: kind for path, kind in found.items() if kind is not None}
    if len(types) == len(found):
        yield from (f"{mapping.place(*where)}: {fault}" for fault in condition.misfits(types))


def _is_formula(sync: Sync, mapping: FieldMapping, path: str) -> bool:
    try:
        info = frames.resolve(sync.salesforce, mapping.from_.object, path)
    except ConfigurationError:
        return False  # shape_of reports it
    return info is not None and info.formula


def _write_back_faults(sync: Sync) -> Iterator[str]:
    for mapping in sync.mappings.values():
        if mapping.into_books:
            continue
        try:
            fields = sync.salesforce.describe(mapping.to).fields
        except ConfigurationError as error:
            yield f"{mapping.place('to')}: {error.what} {error.remedy}"
            continue
        for name in mapping.fields:
            place = mapping.place("fields", name)
            if name not in fields:
                yield (
                    f"{place}: {mapping.to} has no field {name!r}, or the user may not see it. "
                    f"{nearest(name, fields)} Or create it, or give the user access to it."
                )
            elif not fields[name].updateable:
                yield f"{place}: the Salesforce user may not edit {mapping.to}.{name}. Give the user edit access to it."
            else:
                yield from (f"{place}: {fault}" for fault in misfits(mapping, name, fields[name], sync.settings.zone))


def _caught(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except ConfigurationError as error:
        yield f"{error.what} {error.remedy}"
