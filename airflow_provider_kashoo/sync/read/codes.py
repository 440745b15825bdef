"""The accounts and taxes of the books, and the codes by which mappings name them.

They are kept in the store for a day, and read again when one is named that is not known: see :class:`.KeptCodes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from airflow_provider_kashoo.clients.entries import Account, Tax
from airflow_provider_kashoo.core.errors import ConfigurationError, Problem
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.rules.totals import INCLUDED, NO_TAX, mixes, tax_codes
from airflow_provider_kashoo.core.values.texts import nearest
from airflow_provider_kashoo.sync.run.staging import clear
from airflow_provider_kashoo.sync.run.sync import Sync

FIRST_INCOME = "type:INCOME"
"""In a mapping: the income account with the lowest number."""

ADD_CODE = "Add it in Kashoo, or map the value to one that Kashoo has."

INCLUDED_IS_OFF = (
    "Whether Kashoo's API takes such codes is not known: if you saw it in a test business, set taxes_included in the "
    "connection's profile."
)
SAME_FOR_ALL = "Write a minus before each of them, or before none."

ACCOUNT, TAX_CODE = "account", "taxCode"
NOUNS = {ACCOUNT: "account", TAX_CODE: "tax"}
"""Field with a code -> what it names; also the error class of a record whose code names none."""

CASH = "cash or bank account"
"""What the account of a payment names: not every account takes one."""

Why = tuple[str, str]
"""Why a code does not name exactly one account or tax: cause and fix."""

T = TypeVar("T")


@dataclass
class Codes:
    """The codes that preflight found and the plan uses.

    :param accounts: code (number, name, or ``type:INCOME``) -> account id.
    :param rates: tax code -> percent.
    :param cash: those codes that name a cash or bank account.
    :param shared: ``account`` and ``taxCode`` -> code that several of them have, so that it names none -> why.
    :param again: reads them from Kashoo; None when this run did so already.
    :param included: whether a code may say that the amount includes the tax, such as ``-GST``.
    :param counted: currencies without two decimals that the books take.
    """

    accounts: dict[str, int]
    rates: dict[str, Decimal]
    shared: dict[str, dict[str, Why]]
    again: Callable[[], Codes] | None = None
    cash: frozenset[str] = frozenset()
    included: bool = False
    counted: frozenset[str] = frozenset()

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
        single = {code: found[0].rate for code, found in rates.items() if len(found) == 1}
        cash = (code for code, found in named.items() if len(found) == 1 and found[0].takes_payments)
        return _taken_by(sync, cls(ids, single, shared, cash=frozenset(cash)))

    @classmethod
    def read_and_kept(cls, sync: Sync) -> Codes:
        """Read them, and keep them for a day."""
        codes = cls.read(sync)
        sync.store.codes.keep(codes.values)
        return codes

    @classmethod
    def known(cls, sync: Sync) -> Codes:
        """Give what the store kept; read them if that is a day old."""
        kept = sync.store.codes.get()
        return cls.read_and_kept(sync) if kept is None else cls._of(sync, kept, partial(cls.read_and_kept, sync))

    def stage(self, sync: Sync) -> None:
        """Hand them to the plan."""
        sync.files.write_json("books", {**self.values, "kept": self.again is not None})

    @classmethod
    def staged(cls, sync: Sync) -> Codes:
        """Give what preflight staged."""

        def again() -> Codes:
            codes = cls.read_and_kept(sync)
            codes.stage(sync)  # should this try of the plan die, the next one need not read them
            return codes

        staged = sync.files.read_json("books")
        if staged is None:
            raise ConfigurationError("The task preflight of this run left no result.", remedy=clear("preflight"))
        return cls._of(sync, staged, again if staged.get("kept") else None)

    @classmethod
    def _of(cls, sync: Sync, values: Mapping[str, Any], again: Callable[[], Codes] | None) -> Codes:
        return _taken_by(sync, cls.of_values(values, again))

    @classmethod
    def of_values(cls, values: Mapping[str, Any], again: Callable[[], Codes] | None = None) -> Codes:
        """Give them from :attr:`values`."""
        rates = {code: Decimal(rate) for code, rate in values["rates"].items()}
        return cls(
            values["accounts"],
            rates,
            values.get("shared", {}),
            again,
            frozenset(values.get("cash", ())),
            values.get("included", False),
            frozenset(values.get("counted", ())),
        )

    @property
    def values(self) -> dict[str, Any]:
        """What is kept of them, as JSON."""
        rates = {code: str(rate) for code, rate in self.rates.items()}
        found = {"accounts": self.accounts, "rates": rates, "shared": self.shared, "cash": sorted(self.cash)}
        return found | {"included": self.included, "counted": sorted(self.counted)}

    def renew(self) -> bool:
        """Read them again, once in a run; say whether that was done.

        :raises SyncError: as the client does.
        """
        if self.again is None:
            return False
        new, self.again = self.again(), None
        self.accounts, self.rates, self.shared, self.cash = new.accounts, new.rates, new.shared, new.cash
        return True

    def unknown(self, mapping: FieldMapping) -> Iterator[Mistake]:
        """Say which constants of a mapping name nothing in the books, or more than one thing."""
        for where, name, value in mapping.sections():
            named = CASH if (name, "mark_paid") == (ACCOUNT, where[-2]) else name
            for code in _constants(value):
                for each in self._strange(named, code):
                    known = {ACCOUNT: self.accounts, CASH: self.cash}.get(named, [*self.rates, NO_TAX])
                    cause, fix = self._why(named, each, nearest(each, known))
                    yield mapping.mistake(where, cause, fix)

    def resolve(self, document: dict[str, Any]) -> dict[str, Any] | Problem:
        """Replace account codes by ids, in a copy; the first code that is not known lets them be read again.

        :returns: a problem when a code that comes from the data names nothing in the books, or more than one thing.
        :raises SyncError: as :meth:`renew`.
        """
        problem = self._problem(document)
        if problem and self.renew():
            problem = self._problem(document)
        if problem:
            return problem
        lines = []
        for line in [document, *document.get("lines", [])]:
            code = line.get(ACCOUNT)
            lines.append(line if code is None else line | {ACCOUNT: self.accounts[code]})
        resolved: dict[str, Any] = lines[0]
        return resolved | {"lines": lines[1:]} if "lines" in document else resolved

    def deposit(self, code: str) -> int | Problem:
        """Give the id of the cash or bank account that a code names; as :meth:`resolve` otherwise."""
        if code not in self.cash:
            self.renew()
        return self.accounts[code] if code in self.cash else Problem(ACCOUNT, *self._why(CASH, code, ADD_CODE))

    def _problem(self, document: dict[str, Any]) -> Problem | None:
        """Say which code of a document is strange, if one is."""
        for line in [document, *document.get("lines", [])]:
            for name, noun in NOUNS.items():
                for each in self._strange(name, line.get(name)):
                    return Problem(noun, *self._why(name, each, ADD_CODE))
        return None

    def _strange(self, name: str, code: str | None) -> Iterator[str]:
        """List the codes in a field that do not name exactly one account or tax."""
        if name == ACCOUNT and code is not None and code not in self.accounts:
            yield code
        if name == CASH and code not in self.cash:
            yield str(code)
        if name == TAX_CODE:
            yield from (each for each in tax_codes(code) if not self._has_tax(each))
            if mixes(code):
                yield str(code)

    def _has_tax(self, code: str) -> bool:
        return code.removeprefix(INCLUDED if self.included else "") in self.rates

    def _why(self, name: str, code: str, fix: str) -> Why:
        """Say why a code is strange.

        :param fix: what to do if the books do not have it.
        """
        if name == TAX_CODE and mixes(code):
            return f"in the tax code {code!r} some taxes are included in the amount, others are not", SAME_FOR_ALL
        if name == TAX_CODE and code.startswith(INCLUDED) and not self.included:
            return f"the tax code {code!r} says that the amount includes the tax", INCLUDED_IS_OFF
        shared = self.shared.get(ACCOUNT if name == CASH else name, {})
        code = code.removeprefix(INCLUDED) if name == TAX_CODE else code
        return shared.get(code) or (f"Kashoo has no {NOUNS.get(name, name)} {code!r}", fix)


def _taken_by(sync: Sync, codes: Codes) -> Codes:
    """Add what the connection's profile says now that the books take."""
    profile = sync.kashoo.profile
    return replace(codes, included=profile.taxes_included, counted=frozenset(profile.iso_minor_units))


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
