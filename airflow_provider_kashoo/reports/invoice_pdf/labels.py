"""The words and the ways to write numbers and days of each language; a document may replace any of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_provider_kashoo.core.errors import ConfigurationError

LANGUAGES: dict[str, dict[str, str]] = {
    "en": {
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "date": "Date",
        "due_date": "Due date",
        "po_number": "PO number",
        "bill_to": "Bill to",
        "tax_number": "Tax number",
        "description": "Description",
        "quantity": "Quantity",
        "rate": "Price",
        "tax": "Tax",
        "amount": "Amount",
        "subtotal": "Subtotal",
        "total": "Total",
        "included": "including {tax}",
        "paid": "Paid",
        "balance_due": "Balance due",
        "credit": "Your credit",
        "paid_stamp": "PAID",
        "notes": "Notes",
        "terms": "Terms",
        "page": "Page {page} of {pages}",
        "day": "{month} {day}, {year}",
        "months": "January February March April May June July August September October November December",
        "decimal": ".",
        "thousands": ",",
    },
    "fr": {
        "invoice": "Facture",
        "credit_note": "Avoir",
        "date": "Date",
        "due_date": "Échéance",
        "po_number": "Bon de commande",
        "bill_to": "Facturé à",
        "tax_number": "N° de TVA",
        "description": "Désignation",
        "quantity": "Quantité",
        "rate": "Prix unitaire",
        "tax": "Taxe",
        "amount": "Montant",
        "subtotal": "Sous-total",
        "total": "Total",
        "included": "dont {tax}",
        "paid": "Déjà réglé",
        "balance_due": "Reste à payer",
        "credit": "En votre faveur",
        "paid_stamp": "ACQUITTÉE",
        "notes": "Remarques",
        "terms": "Conditions de paiement",
        "page": "Page {page} sur {pages}",
        "day": "{day} {month} {year}",
        "months": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "decimal": ",",
        "thousands": "\N{NARROW NO-BREAK SPACE}",
    },
    "de": {
        "invoice": "Rechnung",
        "credit_note": "Gutschrift",
        "date": "Datum",
        "due_date": "Fällig am",
        "po_number": "Bestellnummer",
        "bill_to": "Rechnung an",
        "tax_number": "USt-IdNr.",
        "description": "Beschreibung",
        "quantity": "Menge",
        "rate": "Einzelpreis",
        "tax": "Steuer",
        "amount": "Betrag",
        "subtotal": "Zwischensumme",
        "total": "Gesamtbetrag",
        "included": "darin {tax}",
        "paid": "Bezahlt",
        "balance_due": "Offener Betrag",
        "credit": "Ihr Guthaben",
        "paid_stamp": "BEZAHLT",
        "notes": "Anmerkungen",
        "terms": "Zahlungsbedingungen",
        "page": "Seite {page} von {pages}",
        "day": "{day}. {month} {year}",
        "months": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "decimal": ",",
        "thousands": ".",
    },
    "es": {
        "invoice": "Factura",
        "credit_note": "Nota de crédito",
        "date": "Fecha",
        "due_date": "Vencimiento",
        "po_number": "Orden de compra",
        "bill_to": "Facturar a",
        "tax_number": "NIF",
        "description": "Descripción",
        "quantity": "Cantidad",
        "rate": "Precio",
        "tax": "Impuesto",
        "amount": "Importe",
        "subtotal": "Subtotal",
        "total": "Total",
        "included": "incluye {tax}",
        "paid": "Pagado",
        "balance_due": "Saldo pendiente",
        "credit": "A su favor",
        "paid_stamp": "PAGADA",
        "notes": "Observaciones",
        "terms": "Condiciones de pago",
        "page": "Página {page} de {pages}",
        "day": "{day} de {month} de {year}",
        "months": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "decimal": ",",
        "thousands": ".",
    },
}
"""Language -> label -> word."""

NAMES = frozenset(LANGUAGES["en"])

_CODE = re.compile("[a-z]{2,3}")


def labels_of(language: str, own: Mapping[str, str]) -> dict[str, str]:
    """Give the words of a language, some of them replaced.

    :param language: such as ``en`` or ``fr-CA``; what follows the hyphen does not count.
    :param own: label -> word.
    :raises ConfigurationError: for a label that is not known, or a language that lacks words.
    """
    if unknown := own.keys() - NAMES:
        raise ConfigurationError(
            f"There is no label {', '.join(sorted(unknown))} on an invoice.",
            remedy=f"There are: {', '.join(sorted(NAMES))}.",
        )
    if not _CODE.fullmatch(base(language)):
        raise ConfigurationError(f"The language '{language}' is no code such as en or fr-CA.")
    found = LANGUAGES.get(base(language), {}) | dict(own)
    if missing := NAMES - found.keys():
        raise ConfigurationError(
            f"An invoice in '{language}' lacks words for: {', '.join(sorted(missing))}.",
            remedy=f"Give these labels, or one of the languages {', '.join(LANGUAGES)}.",
        )
    if len(found["months"].split()) != 12:
        raise ConfigurationError("The label months does not have 12 names.", remedy="Separate them by spaces.")
    try:
        found["day"].format(day=1, month="", year=2000)
    except (ValueError, LookupError, AttributeError):
        raise ConfigurationError(
            f"The label day, '{found['day']}', cannot be filled in.", remedy="It may have {day}, {month} and {year}."
        ) from None
    return found


def base(language: str) -> str:
    """Cut a language to its code of two or three letters."""
    return language.partition("-")[0].lower()
