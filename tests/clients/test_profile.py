"""What a connection may say of Kashoo in its profile."""

from __future__ import annotations

import pytest

from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.totals import Counting
from airflow_provider_kashoo.core.values.money import Rounding


@pytest.mark.parametrize("given", [-1, "100", True, 1.5])
def test_a_largest_page_that_is_no_number_of_rows_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match=f"has largest_page {given!r}"):
        Profile().overridden({"largest_page": given})


@pytest.mark.parametrize(
    ("name", "given", "remedy"),
    [
        ("rounding", "up", 'Write "half_up" or "half_even".'),
        ("tax_rounding", "total", 'Write "document" or "line".'),
        ("tax_rounding", None, 'Write "document" or "line".'),
        ("taxes_included", 1, "Write false or true."),
        ("taxes_included", "true", "Write false or true."),
    ],
)
def test_a_way_to_count_money_that_is_not_known_is_refused(name: str, given: object, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=f"has {name} {given!r}") as refused:
        Profile().overridden({name: given})
    assert refused.value.remedy == remedy


@pytest.mark.parametrize("given", ["JPY", ["JPY", "CAD"], ["jpy"], [0], {"JPY": 0, "USD": 2}, 3, None])
def test_only_currencies_without_two_decimals_are_listed_as_counted_by_iso_4217(given: object) -> None:
    with pytest.raises(ConfigurationError, match="among iso_minor_units"):
        Profile().overridden({"iso_minor_units": given})


def test_how_kashoo_counts_can_be_said() -> None:
    assert Profile().counting == Counting(Rounding.HALF_UP, by_line=False)
    said = Profile().overridden({"rounding": "half_even", "tax_rounding": "line", "iso_minor_units": ["JPY"]})
    assert said.counting == Counting(Rounding.HALF_EVEN, by_line=True)


def test_a_largest_page_can_be_named() -> None:
    assert Profile().overridden({"largest_page": 250}).largest_page == 250


@pytest.mark.parametrize("given", ["", "https://books.example/{b}/{kind}/{id}", "http://books.example/{id}"])
def test_a_place_where_records_open_can_be_named(given: str) -> None:
    assert Profile().overridden({"record_url": given}).record_url == given


@pytest.mark.parametrize(
    "given", ["books.example/{id}", "javascript:{id}", "https://{host}/{id}", "https://x/{}", "https://x/{id", 7]
)
def test_a_place_that_no_browser_opens_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match=r"has record_url .*Write the address at which your browser"):
        Profile().overridden({"record_url": given})
