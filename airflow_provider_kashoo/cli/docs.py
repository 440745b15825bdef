"""The pages of the documentation that came with this package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.values.texts import nearest
from airflow_provider_kashoo.settings import shipped

FOLDERS = ("how-to", "reference", "explanation")
"""What users read; decisions are for whoever changes the code."""


def pages() -> Mapping[str, Path]:
    """Give each page by its short name, such as ``mapping``."""
    docs = shipped("docs")
    return {path.stem: path for folder in FOLDERS for path in sorted((docs / folder).rglob("*.md"))}


def title(page: Path) -> str:
    """Give the heading of a page."""
    return page.read_text("utf-8").partition("\n")[0].lstrip("# ")


def text(name: str) -> str:
    """Give a page in Markdown.

    :raises ConfigurationError: for a name that no page has, with the nearest one.
    """
    known = pages()
    if name not in known:
        raise ConfigurationError(f"There is no page {name!r}.", written="", remedy=nearest(name, known))
    return known[name].read_text("utf-8").rstrip()
