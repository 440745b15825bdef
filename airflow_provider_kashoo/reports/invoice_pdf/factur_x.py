"""The invoice as XML for machines, by Factur-X 1.0 (a profile of EN 16931).

The profile is MINIMUM: who, whom, when, how much. It says what an accounting program needs to book the invoice, has no
lines, and alone counts as an electronic invoice in France but not in Germany (evidenced: Factur-X 1.0 specification).
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.values.money import decimals_of, format_in
from airflow_provider_kashoo.reports.invoice_pdf.document import InvoiceDocument, NoPdf

PROFILE = "urn:factur-x.eu:1p0:minimum"
INVOICE, CREDIT_NOTE = "380", "381"
"""Codes of UNTDID 1001."""

_SPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
_IMPOSSIBLE = Problem("no_e_invoice", "It cannot be a Factur-X invoice: {why}", "{fix}")


def factur_x(document: InvoiceDocument) -> str:
    """Write an invoice as Factur-X XML; a credit note has positive amounts.

    The seller is known by a number: of VAT if it begins with the country, else of registration (rule BR-CO-26).

    :raises NoPdf: when the seller has no country or no number, or the currency more than two decimals.
    """
    seller = document.seller
    if not re.fullmatch("[A-Z]{2}", seller.country):
        raise _no(document, "the seller has no country code of two letters", "Set the country of the seller.")
    if not seller.tax_number.strip():
        raise _no(document, "the seller has no tax number", "Set the tax number of the seller.")
    if decimals_of(document.currency) > 2:
        raise _no(document, f"{document.currency} has more than two decimals", "Make its PDF without the standard.")
    for prefix, uri in _SPACES.items():
        register_namespace(prefix, uri)
    root = Element(_tag("rsm:CrossIndustryInvoice"))
    _add(root, "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID", PROFILE)
    head = _add(root, "rsm:ExchangedDocument")
    _add(head, "ram:ID", document.number)
    _add(head, "ram:TypeCode", CREDIT_NOTE if document.total < 0 else INVOICE)
    _add(head, "ram:IssueDateTime/udt:DateTimeString", document.date.replace("-", ""), format="102")
    trade = _add(root, "rsm:SupplyChainTradeTransaction")
    agreement = _add(trade, "ram:ApplicableHeaderTradeAgreement")
    sells = _add(agreement, "ram:SellerTradeParty")
    _add(sells, "ram:Name", seller.name)
    number = seller.tax_number.replace(" ", "")
    vat = number.startswith("EL" if seller.country == "GR" else seller.country)
    if not vat:
        _add(sells, "ram:SpecifiedLegalOrganization/ram:ID", number)
    _add(sells, "ram:PostalTradeAddress/ram:CountryID", seller.country)
    if vat:
        _add(sells, "ram:SpecifiedTaxRegistration/ram:ID", number, schemeID="VA")
    _add(agreement, "ram:BuyerTradeParty/ram:Name", document.buyer.name)
    if document.po_number:
        _add(agreement, "ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID", document.po_number)
    _add(trade, "ram:ApplicableHeaderTradeDelivery")
    _add_sums(_add(trade, "ram:ApplicableHeaderTradeSettlement"), document)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode")


def _add_sums(settlement: Element, document: InvoiceDocument) -> None:
    currency, sign = document.currency, -1 if document.total < 0 else 1
    taxes = sum(tax.amount for tax in document.taxes)

    def amount(minor: int) -> str:
        return format_in(currency, sign * minor).replace(",", "")

    _add(settlement, "ram:InvoiceCurrencyCode", currency)
    sums = _add(settlement, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    _add(sums, "ram:TaxBasisTotalAmount", amount(document.total - taxes))
    _add(sums, "ram:TaxTotalAmount", amount(taxes), currencyID=currency)
    _add(sums, "ram:GrandTotalAmount", amount(document.total))
    _add(sums, "ram:DuePayableAmount", amount(document.balance))


def _add(below: Element, path: str, text: str = "", **attributes: str) -> Element:
    """Add an element below others, such as ``ram:BuyerTradeParty/ram:Name``, and give it."""
    for name in path.split("/"):
        below = SubElement(below, _tag(name))
    below.text = text or None
    below.attrib.update(attributes)
    return below


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}"


def _no(document: InvoiceDocument, why: str, fix: str) -> NoPdf:
    return NoPdf(document.number, _IMPOSSIBLE.of(why=why, fix=fix))
