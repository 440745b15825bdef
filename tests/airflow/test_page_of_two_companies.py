"""Two companies whose DAGs have one schedule have runs of the same ids: the page keeps them apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from test_page_views import RUN, SYNC, Page, change, deal, page  # noqa: F401  fixtures


@pytest.fixture
def other_business(store_file: Path) -> Iterator[None]:
    """Another company has a run of the same id: both DAGs have one schedule."""
    scope = "INSERT INTO scopes (id, org_id, business_id, created_at) VALUES (77, '00D9', '999', 1.0)"
    change(store_file, scope)
    summary = '{"totals": {"CAD": 123400}, "actions": {"invoice": {"create": 1}}}'
    run = (
        "INSERT INTO runs (id, scope_id, sync, run_id, started_at, digest, summary) VALUES (7777, 77, ?, ?, 1.0, ?, ?)"
    )
    change(store_file, run, SYNC, RUN, "of another business", summary)
    yield
    change(store_file, "DELETE FROM runs WHERE id = 7777")
    change(store_file, "DELETE FROM scopes WHERE id = 77")


@pytest.mark.usefixtures("deal", "other_business")
def test_the_tab_of_a_run_shows_no_run_of_another_business(page: Page) -> None:  # noqa: F811
    assert page(f"runs/{SYNC}/{quote(RUN)}")["new_invoices"] != ["1,234.00 CAD"]


@pytest.mark.usefixtures("deal")
def test_a_number_that_no_database_holds_is_refused(page: Page) -> None:  # noqa: F811
    page(f"invoices?pair={10**30}", 422)
