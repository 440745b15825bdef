"""The PDF of an invoice in Salesforce Files: one document, a new version when the invoice changed, none when not."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader
from records import add_account, add_deal, edit, invoice_of
from rounds import Rounds, bearing, fault, knows, open_items, price, remap, win

from airflow_provider_kashoo.sandbox.salesforce.files import CONTENT

ATTACHED = """to: Opportunity
attach_pdf:
  seller: {name: Northwind Trading Ltd., address: [1 Main Street]}
  terms: 30 days
"""


@pytest.fixture
def attaching(drive: Rounds) -> Rounds:
    remap(drive, "payment_to_opportunity", "to: Opportunity\n", ATTACHED)
    return drive


def files(drive: Rounds, record: str) -> list[list[dict[str, Any]]]:
    """The documents of a record, each with its versions, oldest first."""
    rows = drive.sandbox.org.rows
    linked = [row["ContentDocumentId"] for row in rows("ContentDocumentLink") if row["LinkedEntityId"] == record]
    return [[row for row in rows("ContentVersion") if row["ContentDocumentId"] == each] for each in linked]


def text(drive: Rounds, version: dict[str, Any]) -> str:
    data = drive.sandbox.org.tables["ContentVersion"].rows[version["Id"]][CONTENT]
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages)


def test_an_invoice_is_attached_once_and_a_new_version_follows_a_change(attaching: Rounds) -> None:
    account = add_account(attaching.sandbox, "Blue Harbor")
    deal = add_deal(attaching.sandbox, account, "250.00")
    attaching.run()
    attaching.run_back()
    ((first,),) = files(attaching, deal)
    number = invoice_of(attaching.sandbox, deal)["number"]
    assert (first["Title"], first["FileExtension"]) == (f"Invoice {number}", "pdf")
    assert files(attaching, account) == [[first]]
    for part in ("Blue Harbor", "Northwind Trading Ltd.", str(number), "250.00", "30 days"):
        assert part in text(attaching, first)
    for _ in range(2):
        attaching.sandbox.clock.advance(8 * 86_400)
        attaching.run_back()
    assert files(attaching, deal) == [[first]]
    price(attaching, deal, "300.00")
    attaching.run()
    attaching.run_back()
    ((_, second),) = files(attaching, deal)
    assert "300.00" in text(attaching, second)
    assert open_items(attaching) == []


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_file_without_an_answer_is_attached_once(attaching: Rounds, kind: str) -> None:
    deal = win(attaching)
    attaching.run()
    fault(attaching, kind, "sobjects/ContentVersion$", system="salesforce")
    with pytest.raises(Exception, match="Salesforce"):
        attaching.run_back()
    attaching.sandbox.clock.advance(3600)
    attaching.run_back()
    ((version,),) = files(attaching, deal)
    assert version["Title"].startswith("Invoice ")
    assert open_items(attaching) == []


def test_a_name_that_no_font_has_parks_the_file_and_nothing_else(attaching: Rounds) -> None:
    deal, other = win(attaching), win(attaching)
    attaching.run()
    (invoice,) = bearing(attaching, deal)
    edit(attaching.sandbox, "invoices", invoice, memo=f"\U000131d1 {invoice['memo']}")
    attaching.run_back()
    assert (files(attaching, deal), len(files(attaching, other))) == ([], 1)
    assert open_items(attaching) == [(deal, "missing_glyph")]
    edit(attaching.sandbox, "invoices", invoice, memo=invoice["memo"])
    attaching.sandbox.clock.advance(3600)
    attaching.run_back()
    assert (len(files(attaching, deal)), open_items(attaching)) == (1, [])


def test_a_pdf_is_fetched_where_the_profile_names_a_path(attaching: Rounds) -> None:
    knows(attaching, invoice_pdf="{collection}/{id}/pdf")
    deal = win(attaching)
    attaching.run()
    attaching.run_back()
    ((version,),) = files(attaching, deal)
    content = attaching.sandbox.org.tables["ContentVersion"].rows[version["Id"]][CONTENT]
    assert content == f"%PDF-1.4 invoice {invoice_of(attaching.sandbox, deal)['number']} of 25000".encode()
    knows(attaching, invoice_pdf="{collection}/{id}/nowhere")
    price(attaching, deal, "300.00")
    attaching.run()
    attaching.run_back()
    assert open_items(attaching) == [(deal, "pdf_not_there")]


BROKEN = {
    "logo_unreadable": "  seller: {name: Northwind, logo: gone.png}\n",
    "template_failed": "  template: broken.typ\n",
    "pdf_not_set_up": "  template: gone.typ\n",
    "no_e_invoice": "  standard: factur-x\n",
}


@pytest.mark.parametrize("why", BROKEN)
def test_what_cannot_be_printed_waits_until_the_mapping_is_mended(drive: Rounds, why: str) -> None:
    broken = f"to: Opportunity\nattach_pdf:\n{BROKEN[why]}".replace("broken.typ", str(drive.mappings / "broken.typ"))
    (drive.mappings / "broken.typ").write_text("#panic(1)\n", "utf-8")
    remap(drive, "payment_to_opportunity", "to: Opportunity\n", broken)
    deal = win(drive)
    drive.run()
    drive.run_back()
    assert (files(drive, deal), open_items(drive)) == ([], [(drive_first(drive), why), (deal, why)])
    assert drive.sandbox.org.get("Opportunity", deal)["Kashoo_Status__c"] == "Open"
    remap(drive, "payment_to_opportunity", broken, "to: Opportunity\nattach_pdf: true\n")
    drive.sandbox.clock.advance(3600)
    drive.run_back()
    assert (len(files(drive, deal)), open_items(drive)) == (1, [])


def drive_first(drive: Rounds) -> str:
    """The deal that was billed before."""
    return min(link.source_id for link in drive.store.links.of_target("invoice"))


def test_an_invoice_whose_lines_and_total_differ_in_the_books_is_not_printed(attaching: Rounds) -> None:
    deal = win(attaching)
    attaching.run()
    table = attaching.sandbox.books.business(attaching.sandbox.books.main()).tables["invoices"]
    (invoice,) = bearing(attaching, deal)
    table.put({**table.rows[invoice["id"]], "lineItems": []})
    attaching.run_back()
    assert open_items(attaching) == [(deal, "totals_differ")]
    table.put(table.rows[invoice["id"]] | {"lineItems": invoice["lineItems"]})
    attaching.sandbox.clock.advance(3600)
    attaching.run_back()
    assert (len(files(attaching, deal)), open_items(attaching)) == (1, [])
