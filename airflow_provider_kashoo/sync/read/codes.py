"""The accounts and taxes of the books, and the codes by which mappings name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.model import Field, Mapping, nearest
from airflow_provider_kashoo.core.rules.totals import NO_TAX, tax_codes
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

FIRST_INCOME = "type:INCOME"
"""In a mapping: the income account with the lowest number."""

ADD_CODE = "Add it in Kashoo, or map the value to one that Kashoo has."


@dataclass(frozen=True)
class Codes:
    """The codes that preflight read and the plan uses.

    :param accounts: code (number, name, or ``type:INCOME``) -> account id.
    :param rates: tax code -> percent.
    """

    accounts: dict[str, int]
    rates: dict[str, Decimal]

    @classmethod
    def read(cls, sync: Sync) -> Codes:
        """Read both lists from Kashoo."""
        accounts: dict[str, int] = {}
        income: list[tuple[tuple[bool, int, str], int]] = []
        for account in sync.kashoo.accounts():
            if account.name:
                accounts.setdefault(account.name, account.id)
            if account.number:
                accounts[account.number] = account.id
            if account.is_income:
                income.append((_by_number(account.number or ""), account.id))
        if income:
            accounts[FIRST_INCOME] = min(income)[1]
        return cls(accounts, {tax.code: tax.rate for tax in sync.kashoo.taxes()})

    def stage(self, sync: Sync) -> None:
        """Keep them for the plan."""
        sync.files.write_json("books", {"accounts": self.accounts, "rates": self.rates})

    @classmethod
    def staged(cls, sync: Sync) -> Codes:
        """Give what preflight staged."""
        kept = sync.files.read_json("books")
        if kept is None:
            raise ConfigurationError("The task preflight of this run left no result.", remedy=clear("preflight"))
        return cls(kept["accounts"], {code: Decimal(rate) for code, rate in kept["rates"].items()})

    def unknown(self, mapping: Mapping) -> Iterator[str]:
        """Say, with file and line, which constants of a mapping the books do not have."""
        for section in ("fields", "lines", "single_line"):
            for name, field in getattr(mapping, section).items():
                for code in _constants(field):
                    if (complaint := self._complaint(name, code)) is not None:
                        yield f"{mapping.place(section, name)}: {complaint}"

    def _complaint(self, name: str, code: str) -> str | None:
        if name == "account" and code not in self.accounts:
            return f"Kashoo has no account {code!r}. {nearest(code, self.accounts)}"
        if name == "taxCode":
            for each in tax_codes(code):
                if each not in self.rates:
                    return f"Kashoo has no tax {each!r}. {nearest(each, [*self.rates, NO_TAX])}"
        return None

    def resolve(self, document: dict[str, Any]) -> dict[str, Any] | Problem:
        """Replace account codes by ids, in a copy.

        :returns: a problem when the books lack a code that comes from the data.
        """
        lines = []
        for line in [document, *document.get("lines", [])]:
            code = line.get("account")
            if code is not None and code not in self.accounts:
                return Problem("account", "Kashoo does not have the account of one of its lines", ADD_CODE)
            if any(each not in self.rates for each in tax_codes(line.get("taxCode"))):
                return Problem("tax", "Kashoo does not have the tax of one of its lines", ADD_CODE)
            lines.append(line if code is None else line | {"account": self.accounts[code]})
        resolved: dict[str, Any] = lines[0]
        return resolved | {"lines": lines[1:]} if "lines" in document else resolved


def _by_number(number: str) -> tuple[bool, int, str]:
    """Order accounts by their numbers; what has none, or one with other letters, comes last."""
    return not number.isdecimal(), int(number) if number.isdecimal() else 0, number


def _constants(field: Field) -> Iterator[str]:
    if field.value is not None:
        yield str(field.value)
    yield from (field.map or {}).values()
    if field.default:
        yield from _constants(field.default)
