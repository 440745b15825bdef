"""Why typst made no PDF, in the words of somebody who sends invoices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, NoPdf
from airflow_provider_kashoo.reports.invoice_pdf.filled import no_logo

if TYPE_CHECKING:
    import typst

_MISSING = Problem(
    "missing_glyph",
    "No font has the character {character} ({code}) of {where}",
    "Install a font that has it, or correct the text. See airflow kashoo docs attach-the-invoice-pdf.",
)
_FAILED = Problem("template_failed", "The template {file} fails", "Correct the template.")

_NO_FONT = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
_PLACE = re.compile(r"┌─ .*?([^/\s]+):(\d+):\d+")
_NEITHER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What neither JSON nor XML can carry, or only one of them."""


def why(document: InvoiceDocument, invoice: dict[str, Any], template: Path, error: typst.TypstError) -> NoPdf:
    """Say what is to blame: a character, the logo, or the template.

    :param invoice: what the template got.
    """
    if missing := _NO_FONT.search(error.diagnostic):
        text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), missing[1])
        return _missing(document, invoice, text)
    if (refusal := _of_the_logo(invoice)) is not None:
        return no_logo(document, refusal)
    place = _PLACE.search(error.diagnostic)
    line = f"line {place[2]} of {place[1]}: " if place else ""
    return NoPdf(document.number, _FAILED.of(file=str(template)).quoting(line + " ".join(error.message.split())))


def no_character(document: InvoiceDocument, invoice: dict[str, Any]) -> NoPdf | None:
    """Find a control character, or half of a pair of surrogates, before anything is made of it."""
    for _, text in _texts(invoice):
        if found := _NEITHER.search(text):
            return _missing(document, invoice, found[0])
    return None


def _missing(document: InvoiceDocument, invoice: dict[str, Any], text: str) -> NoPdf:
    where = next((place for place, written in _texts(invoice) if text in written), "the template")
    codes = " ".join(f"U+{ord(character):04X}" for character in text)
    character = shown(text) if text.isprintable() else "that cannot be shown"
    return NoPdf(document.number, _MISSING.of(character=character, code=codes, where=where))


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Give each text of an invoice with the place where a person finds it, such as ``lines 3 description``."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{place} {key.replace('_', ' ')}".lstrip())
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _texts(inner, f"{place} {number}")


def _of_the_logo(invoice: dict[str, Any]) -> str | None:
    """Give what typst says of the logo alone; None if it can show it."""
    import typst

    if not (logo := invoice["seller"]["logo"]):
        return None if logo is None else "it is empty"
    try:
        typst.compile(f"#image(bytes({tuple(logo)}))".encode(), format="png", ppi=1)
    except typst.TypstError as error:
        return error.message
    return None
