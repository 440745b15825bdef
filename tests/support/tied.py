"""What a tie-out of the year says of single deals."""

from __future__ import annotations

from datetime import date

from rounds import Rounds

from airflow_provider_kashoo.reports.tie_out import TieOut
from airflow_provider_kashoo.sync.tie_out.period import Period
from airflow_provider_kashoo.sync.tie_out.tie_out import tie_out

YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))


def tied(drive: Rounds) -> TieOut:
    """Compare the year."""
    return tie_out(drive.sync(), YEAR)


def found(drive: Rounds, deal: str) -> list[tuple[str, int, int, int]]:
    """List the differences of a deal: name, part, amounts of deal and books, minor units."""
    mine = (each for each in tied(drive).differences if each.source_id == deal)
    return [(str(each.name), each.part, each.deal_minor, each.books_minor) for each in mine]


__all__ = ["YEAR", "found", "tied"]
