"""Every SOQL string this package sends.

``when`` is never part of a query: a deal that stops matching must be read too. Instants are unquoted UTC,
because date literals would use the user's time zone (evidenced).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from urllib.parse import quote

from airflow_provider_kashoo.core.values.dates import soql_instant
from airflow_provider_kashoo.core.window import Window

IDS_PER_QUERY = 200
MAX_QUERY = 16_000
"""Most bytes of a query in a URI; Salesforce allows 16,384 for the URI (evidenced)."""

ORGANIZATION = "SELECT Id, Name, IsSandbox FROM Organization"
ORGANIZATION_CURRENCY = "SELECT DefaultCurrencyIsoCode FROM Organization"


def _within(window: Window, path: str = "SystemModstamp") -> str:
    return f"{path} >= {soql_instant(window.lower)} AND {path} < {soql_instant(window.upper)}"


def _quoted(ids: Iterable[str]) -> str:
    if bad := [ident for ident in ids if not ident.isalnum()]:
        raise ValueError(f"{bad[0]!r} is not a Salesforce id")
    return ", ".join(f"'{ident}'" for ident in ids)


def fits_a_uri(text: str) -> bool:
    """Return whether a query can be sent by GET; a longer one needs a bulk job, which sends it in the body."""
    return len(quote(text)) <= MAX_QUERY


def changed(sobject: str, window: Window, more: Sequence[str] = ()) -> str:
    """Find ids and time stamps of records that changed in a window, deleted ones included."""
    names = ", ".join(["Id", "SystemModstamp", "IsDeleted", *more])
    return f"SELECT {names} FROM {sobject} WHERE {_within(window)} ORDER BY SystemModstamp, Id"


def changed_since(sobject: str, instant: datetime) -> str:
    """Find records that changed at an instant or later."""
    return f"SELECT Id FROM {sobject} WHERE SystemModstamp >= {soql_instant(instant)} ORDER BY SystemModstamp, Id"


def in_window(sobject: str, paths: Sequence[str], window: Window, relationship: str | None = None) -> str:
    """Read all fields of records that changed in a window; unordered, so that Salesforce may split the work.

    :param relationship: to the record whose time stamp decides; None for the record itself.
    """
    path = f"{relationship}.SystemModstamp" if relationship else "SystemModstamp"
    return f"SELECT {', '.join(paths)} FROM {sobject} WHERE {_within(window, path)}"


def dated(
    sobject: str, paths: Sequence[str], days: tuple[str, str, str] | None, relationship: str | None = None
) -> str:
    """Read all fields of records whose date lies between two days, or of all records.

    :param days: a field of type date, its first and its last day, ``YYYY-MM-DD``; None for every record.
    :param relationship: to the record whose date decides; None for the record itself.
    """
    text = f"SELECT {', '.join(paths)} FROM {sobject}"
    if days is None:
        return text
    field, first, last = days
    path = f"{relationship}.{field}" if relationship else field
    return f"{text} WHERE {path} >= {first} AND {path} <= {last}"


def changed_parents(child: str, parent_field: str, window: Window) -> str:
    """Find the parents of lines that changed or were deleted in a window."""
    return f"SELECT Id, {parent_field} FROM {child} WHERE {_within(window)} ORDER BY SystemModstamp, Id"


def changed_by_reference(sobject: str, reference: str, window: Window, *, owner: str = "Id") -> str:
    """Find records whose referenced record changed: approving an Account releases its earlier deals."""
    return f"SELECT {owner} FROM {sobject} WHERE {_within(window, f'{reference}.SystemModstamp')} ORDER BY Id"


def newest_stamp(sobject: str, after: datetime) -> str:
    """Find the newest time stamp of one object after an instant: one row, or none."""
    return (
        f"SELECT SystemModstamp FROM {sobject} WHERE SystemModstamp > {soql_instant(after)} "
        "ORDER BY SystemModstamp DESC LIMIT 1"
    )


def by_ids(
    sobject: str, paths: Sequence[str], ids: Sequence[str], *, key: str = "Id", order: str = "Id"
) -> Iterator[str]:
    """Read whole records by id, or children by their parent's id, in queries of limited length."""
    for start in range(0, len(ids), IDS_PER_QUERY):
        wanted = _quoted(ids[start : start + IDS_PER_QUERY])
        yield f"SELECT {', '.join(paths)} FROM {sobject} WHERE {key} IN ({wanted}) ORDER BY {order}"


def files_of(record_id: str) -> str:
    """Find the documents that are linked to a record, with the checksum of their newest version."""
    newest = "ContentDocument.LatestPublishedVersion"
    return (
        f"SELECT ContentDocumentId, ContentDocument.Title, {newest}Id, {newest}.Checksum, "
        f"{newest}.Description FROM ContentDocumentLink WHERE LinkedEntityId = {_quoted([record_id])} ORDER BY Id"
    )


def with_text(sobject: str, field: str, text: str) -> str:
    """Find the records with a text in a field."""
    return f"SELECT Id FROM {sobject} WHERE {field} = '{_escaped(text)}' ORDER BY Id"


def with_part_of_text(sobject: str, paths: Sequence[str], text: str, most: int) -> str:
    """Find the records that have a text within one of several fields, those changed last first.

    :param text: taken as it is: ``%`` and ``_`` in it stand for themselves.
    """
    within = _escaped(text).replace("%", "\\%").replace("_", "\\_")
    found = " OR ".join(f"{path} LIKE '%{within}%'" for path in paths)
    return f"SELECT Id FROM {sobject} WHERE {found} ORDER BY SystemModstamp DESC, Id LIMIT {most}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
