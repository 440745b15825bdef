"""Whether the PDFs that mappings ask for can be made here: typst, templates, logos and fonts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.reports.invoice_pdf.fonts import typst_of_the_extra


def pdf_mistakes(mapping: Mapping) -> Iterator[Mistake]:
    """List what is missing for the PDFs of a mapping; they are parked, so these are warnings."""
    if (looks := mapping.pdf) is None:
        return
    try:
        typst_of_the_extra()
    except ConfigurationError as error:
        yield mapping.mistake(("attach_pdf",), error.what.rstrip("."), error.remedy).warning
    folder = Path(mapping.file).parent
    named = {"template": looks.template, "logo": looks.seller.logo} | {f"font {each}": each for each in looks.fonts}
    for what, path in named.items():
        if path and not folder.joinpath(path).exists():
            fault = f"the {what.partition(' ')[0]} {folder.joinpath(path)} is not there"
            yield mapping.mistake(
                ("attach_pdf",), fault, "Correct its path; it is looked for beside the mapping."
            ).warning
    if looks.standard and not (looks.seller.country and looks.seller.tax_number):
        fault = "an e-invoice needs country and tax_number of the seller"
        yield mapping.mistake(("attach_pdf",), fault, "Add them to seller.").warning
