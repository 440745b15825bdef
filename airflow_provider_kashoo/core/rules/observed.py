"""Which side changed a field last, as far as two runs that looked at both sides can tell.

Kashoo shows no time of a change. But what an earlier run saw of both sides is older than what differs from it now. So
the second look at a field that differs from what was written last says who changed it since: if just one side did, that
side is the newer one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from airflow_provider_kashoo.core.mapping.file.policies import Owner
from airflow_provider_kashoo.core.rules.diff import BaseHashes
from airflow_provider_kashoo.core.rules.made_from import Sources, touched
from airflow_provider_kashoo.core.values.ids import KeyedHash

Observed = Mapping[str, Sequence[Any]]
"""Field -> from what it was made, and the hash of its value in the books, when both were last seen."""


def newer_sides(observed: Observed, now: Sources, theirs: Mapping[str, Any], hashes: KeyedHash) -> dict[str, Owner]:
    """Give the side that changed each field since it was seen; fields that both changed, or neither, are left out.

    :param now: from what the fields would be made now.
    :param theirs: the record as the books hold it now.
    """
    found = {}
    for name in observed.keys() & now.keys():
        made_from, held = observed[name]
        ours = bool(touched({name: now[name]}, {name: made_from}, {}))
        if ours != (hashes.of(theirs.get(name)) != held):
            found[name] = Owner.SALESFORCE if ours else Owner.KASHOO
    return found


def observe(
    names: Collection[str], now: Sources, theirs: Mapping[str, Any], base: BaseHashes, hashes: KeyedHash
) -> Observed:
    """Note what is seen of fields that were changed in the books since they were written.

    :param base: what was written last.
    """
    held, empty = hashes.fields(theirs), hashes.of(None)
    found = {name: held.get(name, empty) for name in sorted(now.keys() & {*names})}
    return {name: [now[name], each] for name, each in found.items() if each != base.get(name, (empty, empty))[1]}
