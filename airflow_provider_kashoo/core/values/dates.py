"""Dates stay dates; instants are UTC. A DateTime becomes a date only in a named business zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 instant; without a zone it means UTC.

    Salesforce writes ``2026-11-23T02:00:00.000+0000`` over REST and ``...Z`` in Bulk results (evidenced).

    :raises ValueError: when the text is not an instant.
    """
    value = datetime.fromisoformat(text)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def soql_instant(value: datetime) -> str:
    """Format an instant for SOQL: UTC, unquoted, whole seconds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rest_instant(value: datetime) -> str:
    """Format an instant as Salesforce's REST API gives it: UTC, whole seconds (evidenced)."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def midnight(day: date, zone: str) -> datetime:
    """Return when a calendar day of the business begins."""
    return datetime.combine(day, time.min, ZoneInfo(zone))


def floor_second(value: datetime) -> datetime:
    """Drop the fraction: Salesforce stamps have one-second resolution (evidenced)."""
    return value.astimezone(UTC).replace(microsecond=0)


def business_date(value: datetime, zone: str) -> date:
    """Return the calendar day of an instant in the time zone of the business."""
    return value.astimezone(ZoneInfo(zone)).date()


def first_of_week(earlier: datetime, now: datetime, zone: str) -> bool:
    """Return whether a calendar week of the business began between two instants, so that weekly work is due."""
    return business_date(earlier, zone).isocalendar()[:2] != business_date(now, zone).isocalendar()[:2]
