"""The reference data of the books: accounts and taxes, and the codes a mapping names them by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.model import Field, Mapping, nearest
from airflow_provider_kashoo.core.rules.totals import NO_TAX, tax_codes
from airflow_provider_kashoo.sync.run.sync import Sync

FIRST_INCOME = "type:INCOME"
"""In a mapping: the income account with the lowest number."""


@dataclass(frozen=True)
class Books:
    """What preflight read and the plan resolves against.

    :param accounts: code (number, name, or ``type:INCOME``) -> account id.
    :param rates: tax code -> percent.
    """

    accounts: dict[str, int]
    rates: dict[str, Decimal]

    @classmethod
    def read(cls, sync: Sync) -> Books:
        """Read both lists from Kashoo: two short listings."""
        accounts: dict[str, int] = {}
        income: list[tuple[tuple[bool, int, str], int]] = []
        for row in sync.kashoo.listing("accounts"):
            accounts.setdefault(str(row.get("name")), row["id"])
            accounts[str(row.get("number"))] = row["id"]
            if row.get("type") == sync.kashoo.profile.income_type:
                income.append((_by_number(row.get("number")), row["id"]))
        if income:
            accounts[FIRST_INCOME] = min(income)[1]
        rates = {str(row["abbreviation"]): Decimal(str(row["rate"])) for row in sync.kashoo.listing("taxes")}
        return cls(accounts, rates)

    def stage(self, sync: Sync) -> None:
        """Keep them for the plan."""
        sync.files.write_json("books", {"accounts": self.accounts, "rates": self.rates})

    @classmethod
    def staged(cls, sync: Sync) -> Books:
        """Give what preflight staged."""
        kept = sync.files.read_json("books")
        if kept is None:
            raise ConfigurationError("This run has no preflight.", remedy="Clear its task preflight and what follows.")
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
            return f"the books have no account {code!r}. {nearest(code, self.accounts)}"
        if name == "taxCode":
            for each in tax_codes(code):
                if each not in self.rates:
                    return f"the books have no tax {each!r}. {nearest(each, [*self.rates, NO_TAX])}"
        return None

    def resolve(self, document: dict[str, Any]) -> dict[str, Any] | Problem:
        """Replace account codes by ids, in a copy.

        :returns: a problem when a code from the data is not in the books.
        """
        lines = []
        for line in [document, *document.get("lines", [])]:
            code = line.get("account")
            if code is not None and code not in self.accounts:
                return Problem("account", "the books lack the account of one of its lines", "Add it, or map the value.")
            if any(each not in self.rates for each in tax_codes(line.get("taxCode"))):
                return Problem("tax", "the books lack the tax of one of its lines", "Add it, or map the value.")
            lines.append(line if code is None else line | {"account": self.accounts[code]})
        resolved: dict[str, Any] = lines[0]
        return resolved | {"lines": lines[1:]} if "lines" in document else resolved


def _by_number(number: Any) -> tuple[bool, int, str]:
    """Order accounts by their numbers; what has none, or one with other letters, comes last."""
    text = str(number or "")
    return not text.isdecimal(), int(text) if text.isdecimal() else 0, text


def _constants(field: Field) -> Iterator[str]:
    if field.value is not None:
        yield str(field.value)
    yield from (field.map or {}).values()
    if field.default:
        yield from _constants(field.default)
