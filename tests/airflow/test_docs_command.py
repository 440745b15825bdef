"""The documentation is where messages say that it is, also for whoever has the package alone."""

from __future__ import annotations

import re
import tomllib
from argparse import Namespace
from pathlib import Path

import pytest

from airflow_provider_kashoo.cli.commands import look
from airflow_provider_kashoo.cli.docs import pages
from airflow_provider_kashoo.core.mapping.file.draft import DOCS

REPOSITORY = Path(__file__).parents[2]
PAGES = [page for page in (REPOSITORY / "docs").rglob("*.md") if page.parent.name != "decisions"]


def test_all_pages_are_listed_with_their_headings(capsys: pytest.CaptureFixture[str]) -> None:
    look.docs(Namespace(page=None))
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert set(listed) == {page.stem for page in PAGES}
    assert len(listed) == len(PAGES)
    assert listed["wait-for-invoices"] == "Let another DAG wait for the sync"


def test_the_page_that_mistakes_of_mappings_name_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    look.docs(Namespace(page=DOCS.removeprefix("See airflow kashoo docs ").removesuffix(".")))
    assert capsys.readouterr().out.strip() == (REPOSITORY / "docs/reference/mapping.md").read_text().strip()


def test_a_page_that_is_none_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(SystemExit, match=r"^There is no page 'maping'\. Did you mean 'mapping'\?$"):
        look.docs(Namespace(page="maping"))


def test_the_wheel_has_them_where_they_are_looked_for() -> None:
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["docs"] == "airflow_provider_kashoo/shipped/docs"
    assert pages()["mapping"].is_relative_to(REPOSITORY / "docs")


def test_no_message_names_a_file_that_only_a_checkout_has() -> None:
    sources = (REPOSITORY / "airflow_provider_kashoo").rglob("*.py")
    found = [path.name for path in sources if re.search(r"\bdocs/[\w-]+/[\w-]+\.md", path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("page", [REPOSITORY / "README.md", *PAGES], ids=lambda page: page.stem)
def test_every_link_leads_to_a_file_that_exists(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
