"""The Kashoo profile: everything of Kashoo's API that this package uses, in one table.

Marks: ``C`` seen in code of real clients, ``D`` in official documents, ``G`` assumed. The connection's
extra ``profile`` overrides any entry, so that a wrong assumption can be corrected without a new release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import CUSTOMER, KINDS


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
    token_duration_ms: int = 90_000_000  # C as a number, G that it is in milliseconds
    invoice_reference: str = "memo"  # C as a field, G that it can be written
    customer_reference: str = "notes"  # G
    item_reference: str = "description"  # G
    income_type: str = "INCOME"  # G
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

    def overridden(self, values: Mapping[str, Any]) -> Profile:
        """Apply the connection's overrides.

        :raises ConfigurationError: for a name this profile does not have, and a day that is none.
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
        return replace(self, **values)
