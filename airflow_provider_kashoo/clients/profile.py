"""The Kashoo profile: everything of Kashoo's API that this package uses, in one table.

Marks: ``C`` seen in code of real clients, ``D`` in official documents, ``G`` assumed. The connection's
extra ``profile`` overrides any entry, so that a wrong assumption can be corrected without a new release.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import CUSTOMER, KINDS, TargetField
from airflow_provider_kashoo.core.rules.totals import Counting
from airflow_provider_kashoo.core.values.currencies import OTHER_DECIMALS
from airflow_provider_kashoo.core.values.ids import LONGEST_REFERENCE
from airflow_provider_kashoo.core.values.money import Rounding

BY_LINE = "line"

LONGEST_TEXT = 255
"""Most characters of a text that Kashoo stores (assumed: a usual limit; Kashoo documents none)."""


@dataclass(frozen=True)
class Profile:
    """Paths (``{b}`` is the business, ``{id}`` the record), verbs and field names."""

    token: str = "/authTokens"  # noqa: S105  C: a path
    businesses: str = "/users/me/businesses"  # C
    accounts: str = "/businesses/{b}/accounts"  # C
    taxes: str = "/businesses/{b}/taxes"  # G
    customer: str = "/businesses/{b}/contacts/customers"  # G
    item: str = "/businesses/{b}/items"  # G
    invoice: str = "/businesses/{b}/records/invoices"  # C
    payment: str = "/businesses/{b}/records/invoicePayments"  # C
    one: str = "{collection}/{id}"  # G
    update_verb: str = "PUT"  # G
    remove_verb: str = "DELETE"  # G: voids an invoice; it then answers with removed: true, or not at all
    only_listed: tuple[str, ...] = ("item",)  # G: collections without a GET of one record
    page_size: int = 100  # C: used by every client seen; the server's own maximum is unknown
    largest_page: int = 0  # rows that Kashoo is known to give in one page: fewer end a list; 0: not known
    token_duration_ms: int = 90_000_000  # C as a number, G that it is in milliseconds
    invoice_reference: str = "memo"  # C as a field, G that it can be written
    customer_reference: str = "notes"  # G
    item_reference: str = "description"  # G
    payment_reference: str = "memo"  # G: that payments have one, and keep it
    text_limits: Mapping[str, int] = field(default_factory=dict)  # G: field -> most characters, if not LONGEST_TEXT
    income_type: str = "INCOME"  # G
    cash_types: tuple[str, ...] = ("CASH", "BANK")  # CASH is C, BANK is G: accounts that take payments
    rounding: str = "half_up"  # G: what becomes of half a cent, in taxes; or half_even
    tax_rounding: str = "document"  # G: each tax is rounded once for all that it is on; or line: once for each line
    taxes_included: bool = False  # D in the app, G in its API: -GST is a tax that the amount includes
    iso_minor_units: tuple[str, ...] = ()  # G: currencies without two decimals that Kashoo counts as ISO 4217 does
    record_url: str = ""  # where a browser opens a record, with {b}, {kind} and {id}; no such address is known
    invoice_pdf: str = ""  # where an invoice is fetched as PDF, with {collection} and {id}; no such path is known
    locked_until: str = ""  # last day of the locked period, YYYY-MM-DD; no way to read it is known
    customer_fields: Mapping[str, str] = field(
        default_factory=lambda: {  # G, by analogy with a business's contactInformation.name (C)
            "name": "contactInformation.name",
            "firstName": "contactInformation.firstName",
            "lastName": "contactInformation.lastName",
            "email": "contactInformation.email",
            "phone": "contactInformation.phone",
            "street": "contactInformation.address.street",
            "city": "contactInformation.address.city",
            "province": "contactInformation.address.province",
            "postalCode": "contactInformation.address.postalCode",
            "country": "contactInformation.address.country",
            "currency": "currency",
            "notes": "notes",
        }
    )

    def collection(self, resource: str, business_id: str) -> str:
        """Return the path of a collection such as ``invoice``."""
        return str(getattr(self, resource)).format(b=business_id)

    def entity(self, resource: str, business_id: str, ident: int) -> str:
        """Return the path of one record."""
        return self.one.format(collection=self.collection(resource, business_id), id=ident)

    def paths(self, resource: str) -> Mapping[str, str]:
        """Return field of a mapping -> its path in Kashoo's JSON, without lines."""
        return self.customer_fields if resource == CUSTOMER.name else {name: name for name in KINDS[resource].fields}

    def reference_field(self, resource: str) -> str:
        """Return the text field that contains our reference."""
        return str(getattr(self, f"{resource}_reference"))

    def text_limit(self, resource: str) -> int:
        """Return how many characters that field stores, our reference included (assumed)."""
        return self.text_limits.get(self.reference_field(resource), LONGEST_TEXT)

    def room(self, resource: str) -> tuple[str, int]:
        """Return that field, and how many characters of text fit before our reference and the blank between them."""
        return self.reference_field(resource), self.text_limit(resource) - LONGEST_REFERENCE - 1

    @property
    def line_text(self) -> int:
        """How many characters a line's description stores (assumed)."""
        return self.text_limits.get("description", LONGEST_TEXT)

    @property
    def counting(self) -> Counting:
        """How Kashoo computes an invoice (assumed)."""
        return Counting(Rounding(self.rounding), by_line=self.tax_rounding == BY_LINE)

    def overridden(self, values: Mapping[str, Any]) -> Profile:
        """Apply the connection's overrides.

        :raises ConfigurationError: for a name this profile does not have, a day that is none, a way to count money that
            is not known, a field that cannot contain our reference, or a limit in which no reference has room.
        """
        known = {option.name for option in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ConfigurationError(
                f"The Kashoo connection's profile has the unknown key {unknown[0]!r}.",
                remedy=f"Known keys: {', '.join(sorted(known))}.",
            )
        if day := values.get("locked_until"):
            try:
                date.fromisoformat(str(day))
            except ValueError:
                raise ConfigurationError(
                    f"The Kashoo connection's profile has locked_until {day!r}.", remedy="Write a day as YYYY-MM-DD."
                ) from None
        changed = replace(self, **values)
        if type(changed.largest_page) is not int or changed.largest_page < 0:
            raise ConfigurationError(
                f"The Kashoo connection's profile has largest_page {changed.largest_page!r}.",
                remedy="Write how many rows Kashoo gives in one page, such as 100, or leave it out.",
            )
        _check_money(changed)
        _check_record_url(changed.record_url)
        if changed.invoice_pdf and "{id}" not in str(changed.invoice_pdf):
            raise ConfigurationError(
                f"The Kashoo connection's profile has invoice_pdf {changed.invoice_pdf!r}.",
                remedy="Write a path with {id} for the invoice, such as {collection}/{id}/pdf.",
            )
        for resource, kind in KINDS.items():
            _check_reference(changed, resource, kind.fields)
        for name, limit in changed.text_limits.items():
            if type(limit) is not int or limit < 1:
                raise ConfigurationError(
                    f"The Kashoo connection limits {name!r} to {limit!r} characters.",
                    remedy='Correct text_limits in the profile, such as {"memo": 500}.',
                )
        return changed


def _check_money(profile: Profile) -> None:
    """Refuse a way to count money that is not known: nothing may be computed by another one than a person meant."""
    choices: dict[str, tuple[object, ...]] = {
        "rounding": tuple(map(str, Rounding)),
        "tax_rounding": ("document", BY_LINE),
        "taxes_included": (False, True),
    }
    for name, known in choices.items():
        if (given := getattr(profile, name)) not in known or type(given) not in map(type, known):
            raise ConfigurationError(
                f"The Kashoo connection's profile has {name} {given!r}.",
                remedy=f"Write {' or '.join(json.dumps(each) for each in known)}.",
            )
    listed: object = profile.iso_minor_units
    for code in listed if isinstance(listed, list | tuple) else [listed]:
        if code not in [*OTHER_DECIMALS] or not isinstance(listed, list | tuple):
            raise ConfigurationError(
                f"The Kashoo connection's profile has {code!r} among iso_minor_units.",
                remedy='List currencies without two decimals, such as ["JPY", "KWD"]; the others need no entry.',
            )


def _check_record_url(pattern: Any) -> None:
    try:
        made = str(pattern).format(b="1", kind=CUSTOMER.name, id=1)
    except (LookupError, ValueError, AttributeError):
        made = "no address"
    if pattern and not made.startswith(("https://", "http://")):
        raise ConfigurationError(
            f"The Kashoo connection's profile has record_url {pattern!r}.",
            remedy="Write the address at which your browser shows a record, with {id} for its id, {b} for the business "
            "and {kind} for customer, item, invoice or payment.",
        )


def _check_reference(profile: Profile, resource: str, known: Mapping[str, TargetField]) -> None:
    name, limits = profile.reference_field(resource), profile.text_limits
    if name in known and (known[name].type != "text" or known[name].required):
        raise ConfigurationError(
            f"The Kashoo connection puts our reference into {name!r} of each {resource}, which is no free text.",
            remedy="Name a text field, such as memo or poNumber.",
        )
    limit: object = limits.get(name, LONGEST_TEXT) if isinstance(limits, Mapping) else str(limits)
    if type(limit) is not int or limit <= LONGEST_REFERENCE + 1:
        raise ConfigurationError(
            f"The Kashoo connection limits {name!r} to {limit!r} characters; our reference alone needs up to "
            f"{LONGEST_REFERENCE}.",
            remedy='Correct text_limits in the profile, such as {"memo": 500}, or name another reference_field.',
        )
