"""Which fields of a linked record may change: those whose values in Salesforce changed since they were last written.

A mapping that is edited, or another record that is renamed, does not change what was billed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from airflow_provider_kashoo.core.rules.diff import UNKNOWN, BaseHashes

Sources = Mapping[str, Mapping[str, str] | None]
"""Field -> path in Salesforce -> keyed hash of the value; None instead of the paths if they are not known.

The paths of lines begin with the field of the line; ``mapping`` stands for the name of the mapping.
"""


def touched(now: Sources, made_from: Sources | None, base: BaseHashes) -> set[str]:
    """List the fields that may change.

    A path that the mapping did not read before says nothing: only that the mapping changed.

    :param now: from what the fields would be made now.
    :param made_from: from what the link was made; None if that is not known, then every field may change.
    :param base: of the link; a field whose last written value is not known may change too.
    """
    every = {*now, *base}
    if made_from is None:
        return every
    return {name for name in every if _is_touched(name, now, made_from) or base.get(name, ("known",))[0] == UNKNOWN}


def _is_touched(name: str, now: Sources, made_from: Sources) -> bool:
    before, here = made_from.get(name, {}), now.get(name) or {}
    return before is None or any(before.get(path, value) != value for path, value in here.items())


def made_of(now: Sources, made_from: Sources | None, pending: Collection[str]) -> Sources:
    """Give what a link is made from after a comparison.

    :param pending: fields that a person is asked about: they are compared with what they were made from before.
    """
    return {**now, **{name: (made_from or {}).get(name) for name in pending}}


def unknown(now: Sources, names: Iterable[str]) -> Sources:
    """Give what a link is made from if some fields have other values in the books than it would give them."""
    return {**now, **dict.fromkeys(names)}
