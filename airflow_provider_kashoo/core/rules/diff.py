"""What changed since the last sync, field by field, without keeping the values.

A link holds two keyed hashes per field: as we sent it and as the books gave it back (Kashoo may trim
what we send). They are the base of a three-way comparison: *theirs* is what the books hold now, *ours* is
what the mapping makes of Salesforce now. A missing field equals an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kashoo.core.values.ids import KeyedHash

BaseHashes = Mapping[str, tuple[str, str]]
"""Field -> (hash as sent, hash as read back)."""

UNKNOWN = ""
"""In place of the hash of what was last sent, if that is unknown: it equals no hash, so the field is written."""


@dataclass
class Merge:
    """The result of the comparison for one record.

    :param write: fields to change in the books, with their new values.
    :param kept: fields that changed only in the books: their value stays.
    :param conflicts: fields that changed on both sides, to different values.
    """

    write: dict[str, Any] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def changed_fields(ours: Mapping[str, Any], base: BaseHashes, hashes: KeyedHash) -> list[str]:
    """List the fields whose source changed since we last sent them, removed fields included."""
    now, empty = hashes.fields(ours), hashes.of(None)
    return [name for name in sorted({*now, *base}) if now.get(name, empty) != base.get(name, (empty, empty))[0]]


def as_linked(
    ours: Mapping[str, Any], resolved: Mapping[str, Any], base: BaseHashes, hashes: KeyedHash
) -> dict[str, Any]:
    """Keep the symbolic links of fields that did not change since an invoice made by hand was adopted.

    The base of such an invoice has symbolic links, because its items need not be in the books: an item that is
    created later, for another deal, must not look like a change of this one.

    :param ours: the document as the mapping makes it, its links symbolic.
    :param resolved: the same, with known links replaced by ids.
    """
    return {
        name: ours[name] if name in base and hashes.of(ours[name]) == base[name][0] else value
        for name, value in resolved.items()
    }


def merge(ours: Mapping[str, Any], theirs: Mapping[str, Any], base: BaseHashes, hashes: KeyedHash) -> Merge:
    """Compare three ways.

    :param ours: the document as the mapping makes it now.
    :param theirs: the document as the books hold it now.
    """
    result = Merge()
    ours_now, theirs_now, empty = hashes.fields(ours), hashes.fields(theirs), hashes.of(None)
    for name in sorted({*ours, *base}):
        sent, read = base.get(name, (empty, empty))
        our_hash, their_hash = ours_now.get(name, empty), theirs_now.get(name, empty)
        we_changed, they_changed = our_hash != sent, their_hash != read
        if our_hash == their_hash:
            continue
        if we_changed and they_changed:
            result.conflicts.append(name)
        elif we_changed:
            result.write[name] = ours.get(name)
        elif they_changed:
            result.kept.append(name)
    return result


def written_base(
    written: Mapping[str, Any], ours: Mapping[str, Any], read: Mapping[str, Any], hashes: KeyedHash
) -> dict[str, tuple[str, str]]:
    """Make the new base after an update, for the fields that were written or that are equal on both sides.

    The base of other fields stays, so that an edit made in Kashoo still counts as one.
    """
    equal = {name for name, value in ours.items() if hashes.of(value) == hashes.of(read.get(name))}
    return base_hashes({**ours, **written}, read, hashes, {*written, *equal})


def base_hashes(
    sent: Mapping[str, Any], read: Mapping[str, Any], hashes: KeyedHash, fields: Iterable[str] | None = None
) -> dict[str, tuple[str, str]]:
    """Make the base that is stored with a link.

    :param fields: which fields; all that were sent, if not given.
    """
    return {name: (hashes.of(sent.get(name)), hashes.of(read.get(name))) for name in fields or sent}
