"""What docs/how-to/attach-the-invoice-pdf.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from invoices import invoice, pages

from airflow_provider_kashoo.reports.invoice_pdf import refused
from airflow_provider_kashoo.reports.invoice_pdf.filled import filled
from airflow_provider_kashoo.reports.invoice_pdf.fonts import PACKAGES
from airflow_provider_kashoo.reports.invoice_pdf.labels import LANGUAGES, NAMES
from airflow_provider_kashoo.reports.invoice_pdf.render import SHIPPED, render

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "attach-the-invoice-pdf.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def rows(head: str) -> list[list[str]]:
    """The rows of the table with this head, cell by cell."""
    table = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table]


def named(text: str) -> set[str]:
    return set(re.findall("`([a-z_]+)`", text))


def test_the_example_makes_a_pdf_by_the_template_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (template,) = [block for block in blocks("") if "sys.inputs" in block]
    Path("my-invoice.typ").write_text(template)
    (example,) = blocks("python")
    exec(compile(example, "example", "exec"), {})  # noqa: S102  of our own docs
    assert pages(Path("invoice.pdf").read_bytes()) == ["Invoice INV-1 to Acme Robotics: 1,417.50 CAD"]


def test_its_table_of_labels_has_each_of_them_and_its_english_word() -> None:
    found = rows("label")
    assert {name for row in found for name in named(row[0])} == NAMES
    for names, words in found:
        for name in named(names) - {"months", "decimal", "thousands"}:
            assert LANGUAGES["en"][name] in words


def test_its_table_of_fields_has_each_that_a_template_gets() -> None:
    given = filled(invoice())
    assert {name for row in rows("field") for name in named(row[0])} == given.keys()
    of_lines = next(what for names, what in rows("field") if names == "`lines`")
    assert named(of_lines) == given["lines"][0].keys()


def test_the_fonts_it_names_are_those_that_are_used() -> None:
    assert {name.replace("-", "_") for row in rows("package") for name in re.findall("`([a-z-]+)`", row[0])} == {
        *PACKAGES
    }


def test_it_quotes_what_a_missing_character_gives() -> None:
    missing = refused._MISSING.of(character="'\N{ROCKET}'", code="U+1F680", where="lines 5 description")
    assert f"> {missing.cause}" in PAGE


def test_the_shipped_template_can_be_copied(tmp_path: Path) -> None:
    copy = tmp_path / "my-invoice.typ"
    copy.write_bytes(SHIPPED.read_bytes())
    assert render(invoice(), copy) == render(invoice())
