"""The tie-out finds every planted difference, gives each the right name, and writes nothing."""

from __future__ import annotations

from collections import defaultdict

import pytest
from planted import Locked, Planted, found_by
from rounds import Start

from airflow_provider_kashoo.core.rules.tie_out import Name
from airflow_provider_kashoo.reports.tie_out import TieOut


@pytest.fixture(scope="module")
def planted(fixed_weeks: Start, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    fixed_weeks.again(folder).end()
    planted = Planted(Locked(fixed_weeks.box, folder))
    planted.drive.runs = 200
    planted.plant()
    return planted


def named(report: TieOut) -> dict[str, set[str]]:
    found = defaultdict(set)
    for each in report.differences:
        if each.source_id or each.kashoo_id:
            found[str(each.name)].add(found_by(report, each))
    return found


def test_every_planted_difference_is_found_and_named_right(planted: Planted) -> None:
    report = planted.tie_out()
    assert named(report) == planted.wanted
    planted.reject()
    after = planted.tie_out()
    assert named(after) == planted.wanted
    assert {*named(report), *named(after)} == {*map(str, Name)}


def test_the_sum_of_the_differences_is_what_deals_and_books_are_apart(planted: Planted) -> None:
    report = planted.tie_out()
    for cell in report.cells:
        moved = [each.deal_minor - each.books_minor for each in cell.differences if each.moves_totals]
        assert cell.deals - cell.books == sum(moved)
    assert {cell.month for cell in report.cells} == {"2026-01", "2026-02", "2026-03"}
