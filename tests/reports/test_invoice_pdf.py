"""An invoice as PDF says all that the invoice says, as a page that a business sends."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from invoices import BUYER, LINES, SELLER, invoice, line, pages, places

from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, Party, Tax
from airflow_provider_kashoo.reports.invoice_pdf.fonts import PACKAGES, fonts
from airflow_provider_kashoo.reports.invoice_pdf.labels import LANGUAGES, NAMES
from airflow_provider_kashoo.reports.invoice_pdf.render import compiled, render

PICTURES = Path(__file__).parents[2] / "docs" / "how-to" / "pictures"
MINUS = "\N{MINUS SIGN}"
TAKE = bool(os.environ.get("TAKE_PICTURES"))
"""Set to take those of the docs anew."""

ABROAD = Party(
    "株式会社さくら商事 · «Ромашка»",
    ("東京都千代田区丸の内一丁目", "ул. Тверская, 7, Москва", "Ελληνική Εταιρεία, Αθήνα"),
)


def text(document: InvoiceDocument) -> str:
    return "\n".join(pages(render(document)))


def test_equal_invoices_are_equal_bytes() -> None:
    assert render(invoice()) == render(invoice())
    assert render(invoice()) != render(invoice(memo="Thanks"))


def test_a_template_that_sets_no_date_gives_equal_bytes_too(tmp_path: Path) -> None:
    template = tmp_path / "plain.typ"
    template.write_text("Hello")
    made = render(invoice(), template)
    assert made == render(invoice(), template)
    assert b"D:20260331000000Z" in made


def test_all_that_an_invoice_says_is_in_it() -> None:
    found = text(invoice())
    for each in (
        *("INV-1042", "March 31, 2026", "April 30, 2026", "PO 77-2031", "Page 1 of 1", "Amount (CAD)"),
        *(SELLER.name, *SELLER.address, SELLER.tax_number, BUYER.name, *BUYER.address),
        *("Phase 1: design and data model", "7,000", "0.1648", "1,153.60", MINUS + "250.00"),
        *(
            "4,473.60",
            "GST 5%",
            "223.68",
            "4,697.28 CAD",
            "Balance due",
            "Harbour Bank",
            "Thank you for your business.",
        ),
    ):
        assert each in found


def test_an_invoice_of_one_line_is_one_page() -> None:
    assert len(pages(render(invoice((line(),))))) == 1


def test_eighty_lines_are_three_pages_with_the_head_on_each_and_all_lines() -> None:
    found = pages(render(invoice(tuple(line(f"Work {number:03}") for number in range(80)))))
    assert len(found) == 3
    assert ["Description" in page for page in found] == [True] * 3
    assert [f"Page {number} of 3" in page for number, page in enumerate(found, 1)] == [True] * 3
    assert all(f"Work {number:03}" in "".join(found) for number in range(80))


@pytest.mark.parametrize("count", range(22, 32))
def test_totals_are_never_on_a_page_without_a_line(count: int) -> None:
    """Around the number of lines that fill the first page."""
    found = pages(render(invoice(tuple(line("Work") for _ in range(count)))))
    (of_totals,) = [page for page in found if "Subtotal" in page]
    assert "Work" in of_totals
    assert "Balance due" in of_totals


def test_a_last_line_longer_than_a_page_is_shown_whole() -> None:
    made = render(invoice((line(), line("\n".join(f"part {number:03}" for number in range(150))))))
    found = pages(made)
    assert all(f"part {number:03}" in "".join(found) for number in range(150))
    assert sum("Balance due" in page for page in found) == 1
    assert min(height for page in range(len(found)) for _, _, height in places(made, page)) > 0


def test_what_is_paid_has_a_stamp() -> None:
    paid = text(invoice(paid=invoice().total))
    assert "P A I D" in paid or "PAID" in paid
    assert "0.00 CAD" in paid
    assert "PAID" not in text(invoice(paid=100)).replace(" ", "")


def test_what_is_paid_in_part_says_how_much_is_left() -> None:
    found = text(invoice(paid=100000))
    assert MINUS + "1,000.00" in found
    assert "3,697.28 CAD" in found


def test_a_total_below_zero_is_a_credit_note() -> None:
    back = tuple(replace(each, quantity=-each.quantity, amount=-each.amount) for each in LINES)
    found = text(invoice(back))
    assert "Credit note" in found
    assert "Balance due" not in found
    assert MINUS + "4,697.28" in found
    assert "Your credit" in found


def test_what_was_paid_too_much_is_the_customers() -> None:
    found = text(invoice((line(amount=10000),), tax=0, paid=12000))
    assert "Your credit" in found
    assert "20.00 CAD" in found
    assert MINUS + "20.00" not in found


@pytest.mark.parametrize(
    ("currency", "rate", "amount"),
    [("JPY", "16.5", "5,000"), ("KWD", "0.0165", "5.000"), ("CAD", "0.165", "50.00"), ("XYZ", "0.165", "50.00")],
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, rate: str, amount: str) -> None:
    sold = line(amount=5000, rate=Decimal("16.5"), quantity=Decimal("2.50"))
    found = text(invoice((sold,), tax=0, currency=currency)).split("\n")
    row = next(each for each in found if each.startswith("Hours"))
    assert row.split() == ["Hours", "2.5", rate, amount]


def test_taxes_that_are_in_the_prices_are_named_below_the_total() -> None:
    document = replace(invoice((line(amount=10000),), tax=0), taxes=(Tax("VAT 20%", 1667),))
    found = text(document)
    assert "including VAT 20%" in found
    assert "16.67" in found
    assert "Subtotal" not in found


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_every_label_and_writes_them(language: str) -> None:
    labels = LANGUAGES[language]
    assert labels.keys() == NAMES
    found = text(invoice(language=f"{language}-XX", paid=1))
    absent = {"credit_note", "credit", "included", "paid_stamp", "page", "day", "months", "decimal", "thousands"}
    assert [labels[name] for name in NAMES - absent if labels[name] not in found] == []
    assert labels["page"].format(page=1, pages=1) in found


@pytest.mark.parametrize(
    ("language", "amount", "day"),
    [
        ("en", "4,697.28", "March 31, 2026"),
        ("fr", "4\u202f697,28", "31 mars 2026"),
        ("de", "4.697,28", "31. März 2026"),
        ("es", "4.697,28", "31 de marzo de 2026"),
    ],
)
def test_numbers_and_days_are_written_as_the_language_does(language: str, amount: str, day: str) -> None:
    found = text(invoice(language=language))
    assert amount in found
    assert day in found


def test_own_labels_replace_those_of_the_language() -> None:
    found = text(invoice(labels={"invoice": "Tax invoice", "tax_number": "BN"}))
    assert "Tax invoice INV-1042" in found
    assert "BN GST 81234" in found
    assert "Balance due" in found


def test_names_in_other_scripts_are_shown() -> None:
    found = text(invoice(buyer=ABROAD))
    for each in (ABROAD.name, *ABROAD.address):
        assert each in found


def test_a_us_letter_is_wider() -> None:
    assert b"[0 0 612 792]" in render(invoice(paper="us-letter"))


@pytest.mark.parametrize("name", ["logo.svg", "logo.png"])
def test_a_logo_is_in_it(tmp_path: Path, name: str) -> None:
    logo = tmp_path / name
    logo.write_bytes(LOGO if name.endswith("svg") else PNG)
    assert len(render(invoice(seller=replace(SELLER, logo=logo)))) > len(render(invoice()))


def test_long_words_are_broken_into_lines_of_their_column() -> None:
    made = places(render(invoice((line("x" * 300),), po_number="P" * 90)))
    assert len({height for text, _, height in made if "xxx" in text}) > 4
    assert sum(text.count("x") for text, _, _ in made) >= 300
    names = [left for text, left, _ in made if text.startswith("PO number")]
    assert max(left for text, left, _ in made if "PPP" in text) > names[0]
    assert len({height for text, _, height in made if "PPP" in text}) > 1


def test_the_fonts_of_the_machine_are_not_used() -> None:
    """They would make other bytes of the same invoice on another machine."""
    found = {each.path for each in fonts().fonts()}
    packages = {str(Path(spec.origin).parent) for name in PACKAGES if (spec := find_spec(name)) and spec.origin}
    assert [path for path in found if path and not path.startswith(tuple(packages))] == []


def test_a_template_of_ones_own_gets_the_invoice_and_files_beside_it(tmp_path: Path) -> None:
    template = tmp_path / "own.typ"
    (tmp_path / "words.typ").write_text('#let thanks = "Merci"')
    template.write_text(
        '#import "words.typ": thanks\n'
        "#let invoice = json(bytes(sys.inputs.invoice))\n"
        "#thanks #invoice.number #invoice.lines.at(0).amount"
    )
    assert pages(render(invoice(), template)) == ["Merci INV-1042 2,220.00"]


def test_it_is_an_archivable_pdf() -> None:
    made = render(invoice())
    assert b"<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in made
    assert b"Invoice INV-1042" in made


def test_the_pictures_of_the_docs_are_pictures_of_this(tmp_path: Path) -> None:
    """They are taken by ``TAKE_PICTURES=1``."""
    logo = tmp_path / "logo.svg"
    logo.write_bytes(LOGO)
    seller = replace(SELLER, logo=logo)
    for name, document in {
        "invoice.png": invoice(seller=seller),
        "invoice-other-scripts.png": invoice(seller=seller, buyer=ABROAD, language="fr", paid=invoice().total),
    }.items():
        (page,) = compiled(document, to="png")
        assert page.startswith(b"\x89PNG")
        if TAKE:
            (PICTURES / name).write_bytes(page)
        assert (PICTURES / name).stat().st_size


LOGO = b"""<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60">
<rect width="60" height="60" rx="12" fill="#1f4e5f"/>
<path d="M30 10 L44 34 H36 V48 H24 V34 H16 Z" fill="#fff"/></svg>"""
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
