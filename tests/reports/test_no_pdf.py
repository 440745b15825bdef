"""What cannot be set gives no PDF, and says what, where, and what to do; what looks like markup is text."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from invoices import LINES, SELLER, invoice, line, pages

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.reports.invoice_pdf import fonts
from airflow_provider_kashoo.reports.invoice_pdf.document import NoPdf, Party, Tax
from airflow_provider_kashoo.reports.invoice_pdf.render import render

EMOJI = "\N{ROCKET}"


def refused(*given: object, **more: object) -> NoPdf:
    with pytest.raises(NoPdf) as caught:
        render(*given, **more)
    assert str(caught.value).startswith("Invoice INV-1042: ")
    assert "No PDF was made." in str(caught.value)
    return caught.value


@pytest.mark.parametrize("standard", [None, "factur-x"])
def test_a_character_without_a_glyph_is_named_with_its_place(standard: str | None) -> None:
    problem = refused(invoice((*LINES, line(f"Launch {EMOJI} now"))), standard=standard).problem
    assert problem.error_class == "missing_glyph"
    assert problem.cause == f"No font has the character '{EMOJI}' (U+1F680) of lines 5 description"


@pytest.mark.parametrize(
    ("character", "code"), [("\x00", "U+0000"), ("\x07", "U+0007"), ("\U0010ffff", "U+10FFFF"), ("\ud800", "U+D800")]
)
def test_what_is_no_character_to_be_shown_is_named_by_its_code(character: str, code: str) -> None:
    problem = refused(invoice(buyer=Party(f"A{character}B"))).problem
    assert problem.error_class == "missing_glyph"
    assert problem.cause == f"No font has the character that cannot be shown ({code}) of buyer name"


def test_an_address_that_cannot_be_shown_is_found_in_its_line() -> None:
    problem = refused(invoice(buyer=Party("A", ("B", f"C{EMOJI}")))).problem
    assert problem.cause.endswith("of buyer address 2")


@pytest.mark.parametrize(
    "words",
    [
        "#panic()",
        "#panic(",
        "$x$ and $",
        "*a* _b_ `c`",
        "</xml> &amp; <b>",
        "]}) #read('/etc/passwd')",
        '\\u{1F680} \\" \\\\',
        "= Heading",
        "// comment",
        "<label> @ref",
        "{page} {pages} {0} %s",
        "#sys.inputs",
    ],
)
@pytest.mark.parametrize("standard", [None, "factur-x"])
def test_what_looks_like_markup_is_text_everywhere(words: str, standard: str | None) -> None:
    document = invoice(
        (line(f"1 {words}", tax_code=f"2 {words}"),),
        seller=Party(f"3 {words}", (f"4 {words}",), f"5 {words}", "CA"),
        buyer=Party(f"6 {words}", (f"7 {words}",), f"8 {words}"),
        taxes=(Tax(f"9 {words}", 0),),
        tax=0,
        po_number=f"10 {words}",
        memo=f"11 {words}",
        terms=f"12 {words}",
        number=f"13 {words}",
    )
    found = "".join(" ".join(pages(render(document, standard=standard))).split())
    assert [n for n in range(1, 14) if "".join(f"{n} {words}".split()) not in found] == []


def test_a_template_that_fails_is_named_with_the_line(tmp_path: Path) -> None:
    template = tmp_path / "own.typ"
    template.write_text("Hello\n\n#unknown-word\n")
    problem = refused(invoice(), template).problem
    assert problem.error_class == "template_failed"
    assert problem.cause == f"The template {template} fails: line 3 of own.typ: unknown variable: unknown-word"
    assert "unknown-word" not in problem.unquoted


def test_a_template_may_not_read_outside_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "templates").mkdir()
    template = tmp_path / "templates" / "own.typ"
    template.write_text('#read("../secret.txt")')
    assert refused(invoice(), template).problem.error_class == "template_failed"


def test_a_template_that_fails_is_not_blamed_on_a_good_logo(tmp_path: Path) -> None:
    logo, template = tmp_path / "logo.svg", tmp_path / "own.typ"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    template.write_text("#panic()")
    assert refused(invoice(seller=replace(SELLER, logo=logo)), template).problem.error_class == "template_failed"


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"", "empty"), (b"GIF89a", ""), (b"no picture", ""), (b"x" * 1_100_000, "1,048,576")],
)
def test_a_logo_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, why: str) -> None:
    logo = tmp_path / "logo{0}.png"
    if content is not None:
        logo.write_bytes(content)
    problem = refused(invoice(seller=replace(SELLER, logo=logo))).problem
    assert problem.error_class == "logo_unreadable"
    assert problem.cause.startswith(f"The logo {logo} cannot be read: ")
    assert why in problem.cause


def test_amounts_that_do_not_add_up_make_no_invoice() -> None:
    problem = refused(replace(invoice(), total=469729, balance=469729)).problem
    assert problem.error_class == "totals_differ"
    assert problem.cause == "Its lines and taxes add up to 4,697.28 CAD, but its total is 4,697.29 CAD"
    problem = refused(replace(invoice(), balance=1)).problem
    assert problem.cause == "Its balance and payments add up to 0.01 CAD, but its total is 4,697.28 CAD"


def test_what_is_set_up_wrongly_stops_the_run(tmp_path: Path) -> None:
    for given, words in (
        ({"template": tmp_path / "none.typ"}, r"template .*none\.typ is not there"),
        ({"fonts": [tmp_path / "none"]}, "folder of fonts .*none is not there"),
        ({"standard": "zugferd"}, "no standard 'zugferd'"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            render(invoice(), **given)
    for document, words in (
        (invoice(language="nl"), "An invoice in 'nl' lacks words for: amount"),
        (invoice(labels={"totel": "x"}), "no label totel"),
        (invoice(labels={"months": "a b"}), "does not have 12 names"),
        (invoice(labels={"day": "{dag}"}), "label day"),
        (invoice(paper="a99"), "paper 'a99'"),
        (invoice(language="x#1"), "language 'x#1'"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            render(document)


@pytest.mark.parametrize("module", ["typst", "fontpkg_noto_sans"])
def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as caught:
        render(invoice())
    assert 'pip install "airflow-provider-kashoo[pdf]"' in str(caught.value)


def test_a_name_that_no_installed_font_has_is_shown_with_a_folder_of_fonts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Debian's fonts-noto-cjk would be."""
    import manimgx_fonts_cjk

    folder = Path(manimgx_fonts_cjk.__file__).parent
    monkeypatch.setattr(fonts, "PACKAGES", ("fontpkg_noto_sans",))
    japanese = invoice(buyer=Party("株式会社"))
    assert refused(japanese).problem.cause == "No font has the character '株' (U+682A) of buyer name"
    assert "株式会社" in pages(render(japanese, fonts=[folder]))[0]
