"""What a connection may say of Kashoo in its profile."""

from __future__ import annotations

import pytest

from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.core.errors import ConfigurationError


@pytest.mark.parametrize("given", [-1, "100", True, 1.5])
def test_a_largest_page_that_is_no_number_of_rows_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match=f"has largest_page {given!r}"):
        Profile().overridden({"largest_page": given})


def test_a_largest_page_can_be_named() -> None:
    assert Profile().overridden({"largest_page": 250}).largest_page == 250
