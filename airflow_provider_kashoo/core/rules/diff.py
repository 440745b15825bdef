"""What changed since the last sync, field by field, without keeping the values.

A link holds two keyed hashes per field: as we sent it and as the books gave it back (Kashoo may trim
what we send). They are the base of a three-way comparison: theirs is what the books say now, ours is
what the mapping makes of Salesforce now. A field that is absent is the same as an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kashoo.core.values.ids import KeyedHash

BaseHashes = Mapping[str, tuple[str, str]]
"""Field -> (hash as sent, hash as read back)."""


@dataclass
class Merge:
    """The outcome for one record.

    :param write: fields to change in the books, with their new values.
    :param kept: fields that changed only in the books: theirs stays.
    :param conflicts: fields that changed on both sides, differently.
    """

    write: dict[str, Any] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def changed_fields(ours: Mapping[str, Any], base: BaseHashes, hashes: KeyedHash) -> list[str]:
    """List the fields whose source changed since we last sent them; a field that vanished counts."""
    now, empty = hashes.fields(ours), hashes.of(None)
    return [name for name in sorted({*now, *base}) if now.get(name, empty) != base.get(name, (empty, empty))[0]]


def as_linked(
    ours: Mapping[str, Any], resolved: Mapping[str, Any], base: BaseHashes, hashes: KeyedHash
) -> dict[str, Any]:
    """Leave the fields symbolic in which nothing changed since an invoice made by hand was adopted.

    Its base is kept with symbolic links, because its items need not be in the books: one that comes to them
    later, for another deal, must not look like a change of this one.

    :param ours: the document as the mapping makes it, its links symbolic.
    :param resolved: the same with the links that are known.
    """
    return {
        name: ours[name] if name in base and hashes.of(ours[name]) == base[name][0] else value
        for name, value in resolved.items()
    }


def merge(ours: Mapping[str, Any], theirs: Mapping[str, Any], base: BaseHashes, hashes: KeyedHash) -> Merge:
    """Compare three ways.

    :param ours: the document as the mapping makes it now.
    :param theirs: the document as the books give it now.
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
    """Make the new base after an update: of what was written, and of what both sides say alike by now.

    The base of the other fields stays: what somebody edited in them stays an edit.
    """
    alike = {name for name, value in ours.items() if hashes.of(value) == hashes.of(read.get(name))}
    return base_hashes({**ours, **written}, read, hashes, {*written, *alike})


def base_hashes(
    sent: Mapping[str, Any], read: Mapping[str, Any], hashes: KeyedHash, fields: Iterable[str] | None = None
) -> dict[str, tuple[str, str]]:
    """Make the base that a link keeps.

    :param fields: which fields; all that were sent when not given.
    """
    return {name: (hashes.of(sent.get(name)), hashes.of(read.get(name))) for name in fields or sent}
