"""An invoice becomes a PDF: typst sets it by a template. Equal invoices are equal bytes.

Every PDF is a PDF/A-3b: it can be archived, and typst refuses to make it with a character that no font has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument
from airflow_provider_kashoo.reports.invoice_pdf.factur_x import factur_x
from airflow_provider_kashoo.reports.invoice_pdf.filled import filled
from airflow_provider_kashoo.reports.invoice_pdf.fonts import fonts as fonts_in
from airflow_provider_kashoo.reports.invoice_pdf.fonts import typst_of_the_extra
from airflow_provider_kashoo.reports.invoice_pdf.metadata import name_factur_x
from airflow_provider_kashoo.reports.invoice_pdf.refused import no_character, why

SHIPPED = Path(str(files(__package__))) / "invoice.typ"
STANDARDS = ("factur-x",)
PAPERS = ("a4", "us-letter")

_ATTACHED = """\
#pdf.attach("factur-x.xml", bytes(sys.inputs.xml), relationship: "data", mime-type: "text/xml", description: "Factur-X")
#include sys.inputs.template
"""
"""Profile MINIMUM is data beside the invoice, no alternative of it (evidenced: Factur-X 1.0 specification)."""


def render(
    document: InvoiceDocument,
    template: Path | str | None = None,
    fonts: Sequence[Path | str] | None = None,
    standard: str | None = None,
) -> bytes:
    """Set an invoice as a PDF.

    :param template: a typst file instead of the shipped ``invoice.typ``; it may read files of its folder.
    :param fonts: folders with more fonts.
    :param standard: ``factur-x`` puts the invoice as XML into the PDF.
    :returns: a PDF/A-3b; equal for equal invoices, templates and fonts.
    :raises NoPdf: when this invoice cannot be set; its problem is ``missing_glyph``, ``template_failed``,
        ``logo_unreadable``, ``totals_differ`` or ``no_e_invoice``.
    :raises ConfigurationError: when typst is not installed, the template or a folder of fonts is not there, or the
        language lacks words.
    """
    if standard is not None and standard not in STANDARDS:
        raise ConfigurationError(
            f"There is no standard '{standard}' for an invoice PDF.", remedy=f"There is: {', '.join(STANDARDS)}."
        )
    if standard is None:
        (pdf,) = compiled(document, template, fonts)
        return pdf
    (pdf,) = compiled(document, template, fonts, xml=factur_x(document))
    return name_factur_x(pdf)


def compiled(
    document: InvoiceDocument,
    template: Path | str | None = None,
    fonts: Sequence[Path | str] | None = None,
    xml: str = "",
    to: Literal["pdf", "png"] = "pdf",
) -> list[bytes]:
    """Run typst: give one PDF, or a picture of each page; see :func:`render`.

    :param xml: is put into the PDF as ``factur-x.xml``.
    """
    typst = typst_of_the_extra()
    path = Path(template or SHIPPED).resolve()
    if not path.is_file():
        raise ConfigurationError(f"The template {path} is not there.", remedy="Correct its path.")
    if document.paper not in PAPERS:
        raise ConfigurationError(
            f"There is no paper '{document.paper}' for an invoice.", remedy=f"There is: {', '.join(PAPERS)}."
        )
    invoice = filled(document)
    if refusal := no_character(document, invoice):
        raise refusal
    main = _ATTACHED.encode() if xml else path
    given = {"invoice": json.dumps(invoice), "xml": xml, "template": path.name}
    settings: dict[str, Any] = {"format": to, "timestamp": _midnight(document)}
    settings |= {"pdf_standards": ["a-3b"]} if to == "pdf" else {"ppi": 110}
    try:
        made = typst.compile(main, root=path.parent, font_paths=fonts_in(fonts or ()), sys_inputs=given, **settings)
    except typst.TypstError as error:
        raise why(document, invoice, path, error) from None
    return made if isinstance(made, list) else [made]


def _midnight(document: InvoiceDocument) -> datetime:
    """Say when the PDF was made: a template that sets no date would put in the time of the clock."""
    return datetime.fromisoformat(document.date).replace(tzinfo=UTC)
