"""The accounts and taxes of the books, and the codes by which mappings name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from airflow_provider_kashoo.clients.entries import Account, Tax
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.model import Field, Mapping, nearest
from airflow_provider_kashoo.core.rules.totals import NO_TAX, tax_codes
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

FIRST_INCOME = "type:INCOME"
"""In a mapping: the income account with the lowest number."""

ADD_CODE = "Add it in Kashoo, or map the value to one that Kashoo has."

ACCOUNT, TAX_CODE = "account", "taxCode"
NOUNS = {ACCOUNT: "account", TAX_CODE: "tax"}
"""Field with a code -> what it names; also the error class of a record whose code names none."""

Why = tuple[str, str]
"""Why a code does not name exactly one account or tax: cause and fix."""

T = TypeVar("T")


@dataclass(frozen=True)
class Codes:
    """The codes that preflight read and the plan uses.

    :param accounts: code (number, name, or ``type:INCOME``) -> account id.
    :param rates: tax code -> percent.
    :param shared: ``account`` and ``taxCode`` -> code that several of them have, so that it names none -> why.
    """

    accounts: dict[str, int]
    rates: dict[str, Decimal]
    shared: dict[str, dict[str, Why]]

    @classmethod
    def read(cls, sync: Sync) -> Codes:
        """Read both lists from Kashoo."""
        accounts, taxes = list(sync.kashoo.accounts()), list(sync.kashoo.taxes())
        named = _grouped(accounts, lambda each: each.name) | _grouped(accounts, lambda each: each.number)
        ids = {code: found[0].id for code, found in named.items() if len(found) == 1}
        if income := [(_by_number(each.number or ""), each.id) for each in accounts if each.is_income]:
            ids[FIRST_INCOME] = min(income)[1]
        rates = _grouped(taxes, lambda each: each.code)
        shared = {
            ACCOUNT: {code: _shared_account(code, found) for code, found in named.items() if len(found) > 1},
            TAX_CODE: {code: _shared_tax(code, found) for code, found in rates.items() if len(found) > 1},
        }
        return cls(ids, {code: found[0].rate for code, found in rates.items() if len(found) == 1}, shared)

    def stage(self, sync: Sync) -> None:
        """Keep them for the plan."""
        sync.files.write_json("books", {"accounts": self.accounts, "rates": self.rates, "shared": self.shared})

    @classmethod
    def staged(cls, sync: Sync) -> Codes:
        """Give what preflight staged."""
        kept = sync.files.read_json("books")
        if kept is None:
            raise ConfigurationError("The task preflight of this run left no result.", remedy=clear("preflight"))
        rates = {code: Decimal(rate) for code, rate in kept["rates"].items()}
        return cls(kept["accounts"], rates, kept.get("shared", {}))

    def unknown(self, mapping: Mapping) -> Iterator[str]:
        """Say, with file and line, which constants of a mapping name nothing in the books, or more than one thing."""
        for section in ("fields", "lines", "single_line"):
            for name, value in getattr(mapping, section).items():
                for code in _constants(value):
                    for each in self._strange(name, code):
                        known = self.accounts if name == ACCOUNT else [*self.rates, NO_TAX]
                        cause, fix = self._why(name, each, nearest(each, known))
                        yield f"{mapping.place(section, name)}: {cause}. {fix}"

    def resolve(self, document: dict[str, Any]) -> dict[str, Any] | Problem:
        """Replace account codes by ids, in a copy.

        :returns: a problem when a code that comes from the data names nothing in the books, or more than one thing.
        """
        lines = []
        for line in [document, *document.get("lines", [])]:
            for name, noun in NOUNS.items():
                for each in self._strange(name, line.get(name)):
                    return Problem(noun, *self._why(name, each, ADD_CODE))
            code = line.get(ACCOUNT)
            lines.append(line if code is None else line | {ACCOUNT: self.accounts[code]})
        resolved: dict[str, Any] = lines[0]
        return resolved | {"lines": lines[1:]} if "lines" in document else resolved

    def _strange(self, name: str, code: str | None) -> Iterator[str]:
        """List the codes in a field that do not name exactly one account or tax."""
        if name == ACCOUNT and code is not None and code not in self.accounts:
            yield code
        if name == TAX_CODE:
            yield from (each for each in tax_codes(code) if each not in self.rates)

    def _why(self, name: str, code: str, fix: str) -> Why:
        """Say why a code is strange.

        :param fix: what to do if the books do not have it.
        """
        return self.shared.get(name, {}).get(code) or (f"Kashoo has no {NOUNS[name]} {code!r}", fix)


def _grouped(rows: Iterable[T], code: Callable[[T], str | None]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for each in rows:
        if name := code(each):
            groups.setdefault(name, []).append(each)
    return groups


def _shared_account(code: str, found: list[Account]) -> Why:
    """Say which accounts have a name; or a number, which people rarely give twice."""
    if all(each.number == code for each in found):
        names = " and ".join(repr(each.name or "") for each in found)
        fix = "Give one of them another number in Kashoo, or use the name."
        return f"Kashoo has {len(found)} accounts with the number {code!r}: {names}", fix
    numbers = " and ".join(each.number or f"one without a number (id {each.id})" for each in found)
    fix = "Use the number of the right one, or rename one of them in Kashoo."
    return f"Kashoo has {len(found)} accounts named {code!r}: {numbers}", fix


def _shared_tax(code: str, found: list[Tax]) -> Why:
    rates = " and ".join(f"{each.rate.normalize():f} %" for each in found)
    fix = "Give one of them another abbreviation in Kashoo, and use that of the right one."
    return f"Kashoo has {len(found)} taxes with the abbreviation {code!r}: {rates}", fix


def _by_number(number: str) -> tuple[bool, int, str]:
    """Order accounts by their numbers; what has none, or one with other letters, comes last."""
    return not number.isdecimal(), int(number) if number.isdecimal() else 0, number


def _constants(field: Field) -> Iterator[str]:
    if field.value is not None:
        yield str(field.value)
    yield from (field.map or {}).values()
    if field.default:
        yield from _constants(field.default)
