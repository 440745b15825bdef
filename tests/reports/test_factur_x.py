"""The XML in a PDF is a Factur-X invoice: its schema says so, and the PDF names it where readers look."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import facturx
import pytest
from invoices import LINES, SELLER, invoice, line, pages
from lxml.etree import fromstring
from pypdf import PdfReader

from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, NoPdf, Party
from airflow_provider_kashoo.reports.invoice_pdf.factur_x import factur_x
from airflow_provider_kashoo.reports.invoice_pdf.metadata import name_factur_x
from airflow_provider_kashoo.reports.invoice_pdf.render import render

BACK = tuple(replace(each, quantity=-each.quantity, amount=-each.amount) for each in LINES)
GERMAN = Party("Müller & Söhne <GmbH>", ("Berlin",), "DE 123 456 789", "DE")


def said(document: InvoiceDocument) -> dict[str, str]:
    """The texts of the XML by the names of their elements; of the attached one, checked by its schema."""
    made = render(document, standard="factur-x")
    name, xml = facturx.get_xml_from_pdf(made, check_xsd=False)
    assert name == "factur-x.xml"
    facturx.xml_check_xsd(xml, flavor="factur-x", level="minimum")
    return {each.tag.rpartition("}")[2]: each.text or "" for each in fromstring(xml).iter()}


def test_it_says_who_whom_when_and_how_much() -> None:
    found = said(invoice(seller=GERMAN, currency="EUR", paid=100000))
    assert {key: found[key] for key in ("TypeCode", "DateTimeString", "CountryID", "IssuerAssignedID")} == {
        "TypeCode": "380",
        "DateTimeString": "20260331",
        "CountryID": "DE",
        "IssuerAssignedID": "PO 77-2031",
    }
    assert {key: value for key, value in found.items() if key.endswith("Amount")} == {
        "TaxBasisTotalAmount": "4473.60",
        "TaxTotalAmount": "223.68",
        "GrandTotalAmount": "4697.28",
        "DuePayableAmount": "3697.28",
    }
    assert found["InvoiceCurrencyCode"] == "EUR"


def test_names_are_those_of_the_invoice() -> None:
    xml = factur_x(invoice(seller=GERMAN))
    assert "Müller &amp; Söhne &lt;GmbH&gt;" in xml
    assert '<ram:ID schemeID="VA">DE123456789</ram:ID>' in xml
    assert "<ram:SpecifiedLegalOrganization><ram:ID>GST812345678RT0001</ram:ID>" in factur_x(invoice())


def test_a_credit_note_has_positive_amounts() -> None:
    found = said(invoice(BACK))
    assert found["TypeCode"] == "381"
    assert found["GrandTotalAmount"] == found["DuePayableAmount"] == "4697.28"


@pytest.mark.parametrize("currency", ["JPY", "CAD"])
def test_amounts_have_the_decimals_of_their_currency(currency: str) -> None:
    found = said(invoice((line(amount=5000),), tax=0, currency=currency))
    assert found["GrandTotalAmount"] == {"JPY": "5000", "CAD": "50.00"}[currency]
    assert found["TaxTotalAmount"] == {"JPY": "0", "CAD": "0.00"}[currency]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (invoice(seller=replace(SELLER, country="")), "the seller has no country code"),
        (invoice(seller=replace(SELLER, country="Canada")), "the seller has no country code"),
        (invoice(seller=replace(SELLER, tax_number=" ")), "the seller has no tax number"),
        (invoice(currency="KWD"), "KWD has more than two decimals"),
    ],
)
def test_what_the_standard_does_not_allow_is_refused(document: InvoiceDocument, why: str) -> None:
    with pytest.raises(NoPdf, match=why) as caught:
        render(document, standard="factur-x")
    assert caught.value.problem.error_class == "no_e_invoice"
    assert render(document)


def test_equal_invoices_are_equal_bytes_and_look_the_same() -> None:
    made = render(invoice(), standard="factur-x")
    assert made == render(invoice(), standard="factur-x")
    assert pages(made) == pages(render(invoice()))


def test_a_template_of_ones_own_gets_the_xml_too(tmp_path: Path) -> None:
    template = tmp_path / "my own.typ"
    template.write_text("Hello")
    made = render(invoice(), template, standard="factur-x")
    assert pages(made) == ["Hello"]
    assert facturx.get_xml_from_pdf(made)[0] == "factur-x.xml"


def test_the_pdf_names_it_where_readers_look() -> None:
    reader = PdfReader(BytesIO(render(invoice(), standard="factur-x")), strict=True)
    (attached,) = reader.trailer["/Root"]["/AF"]
    assert attached.get_object()["/AFRelationship"] == "/Data"
    metadata = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    for each in (
        "ConformanceLevel>MINIMUM<",
        "DocumentFileName>factur-x.xml<",
        "DocumentType>INVOICE<",
        "Version>1.0<",
    ):
        assert f"<fx:{each}/fx:" in metadata
    assert metadata.count("<pdfaSchema:prefix>fx</pdfaSchema:prefix>") == 1
    fromstring(metadata)
    assert reader.metadata.title == "Invoice INV-1042"


def test_another_way_of_writing_pdfs_is_noticed() -> None:
    with pytest.raises(ValueError, match="typst"):
        name_factur_x(b"%PDF-2.0")
