"""The message that people get: what was billed, what turned bad or well, and what waits. As plain text and as HTML.

It is short, and has ids, counts and totals. Names, and the causes of single records, stand in it only if they were
asked for: a cause may quote a value, or what Kashoo or Salesforce said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_kashoo.core.values.money import format_minor

MOST_SHOWN = 10
"""Entries of one list; the others are counted."""


@dataclass(frozen=True)
class Billed:
    """What was written to Kashoo.

    :param invoices: how many were made.
    :param totals: ISO code -> total of these, minor units.
    :param payments: payments of prepaid orders that were made.
    :param paid: ISO code -> total of these, minor units.
    :param made: kind -> other records that were made.
    :param changed: kind -> records that were changed.
    :param voided: invoices that were voided.
    """

    invoices: int = 0
    totals: Mapping[str, int] = field(default_factory=dict)
    payments: int = 0
    paid: Mapping[str, int] = field(default_factory=dict)
    made: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    voided: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return not (self.invoices or self.payments or self.made or self.changed or self.voided)

    @property
    def said(self) -> str:
        """Say what was billed; without an invoice, what else was done."""
        if self.invoices:
            return f"{counted(self.invoices, 'invoice')} billed, {money(self.totals)}"
        return next(iter(self.besides), "")

    @property
    def besides(self) -> list[str]:
        """Say what else was done."""
        return [
            *([f"{counted(self.payments, 'payment')} made, {money(self.paid)}"] if self.payments else []),
            *(f"{counted(count, kind)} made" for kind, count in self.made.items()),
            *(f"{counted(count, kind)} changed" for kind, count in self.changed.items()),
            *([f"{counted(self.voided, 'invoice')} voided"] if self.voided else []),
        ]


@dataclass(frozen=True)
class Example:
    """One of the records that wait.

    :param name: of the record and its customer; empty unless names were asked for.
    :param cause: why it waits; as ``name``.
    """

    id: str
    name: str = ""
    cause: str = ""


@dataclass(frozen=True)
class Entry:
    """Something that is wrong.

    :param title: what, in a few words.
    :param age: for how long, in words; empty if that is not known.
    :param total: of the invoices that have it, in words; empty if nothing is known of it.
    :param fix: what to do; empty if it is not the same for all.
    :param link: where to do it; empty if the address of Airflow is not known.
    :param examples: some of its records.
    :param more: how many more there are.
    """

    title: str
    age: str = ""
    total: str = ""
    fix: str = ""
    link: str = ""
    examples: Sequence[Example] = ()
    more: int = 0


@dataclass(frozen=True)
class Digest:
    """One message.

    :param bad: what is new.
    :param well: what is over, in words.
    :param known: what was said before, and goes on.
    :param page: address of the page *Kashoo*; empty if the address of Airflow is not known.
    :param whose: the org and the business.
    :param no_names: why names are missing that were asked for; empty otherwise.
    :param is_test: whether somebody only tries whether it arrives.
    """

    billed: Billed = field(default_factory=Billed)
    bad: Sequence[Entry] = ()
    well: Sequence[str] = ()
    known: Sequence[Entry] = ()
    page: str = ""
    whose: str = ""
    no_names: str = ""
    is_test: bool = False

    @property
    def subject(self) -> str:
        """Say the most important in one line."""
        parts = ["a test"] if self.is_test else []
        parts += [self.billed.said] if not self.billed.is_empty else []
        if self.bad:
            parts.append(self.bad[0].title if len(self.bad) == 1 else f"{len(self.bad)} new things to look at")
        elif self.well:
            parts.append(self.well[0] if len(self.well) == 1 else f"{len(self.well)} things are well again")
        if self.known and not self.bad:
            parts.append(f"{counted(len(self.known), 'thing')} still to look at")
        return " ".join(f"Kashoo: {' · '.join(parts) or 'all is well'}".split())

    @property
    def text(self) -> str:
        """Write it as plain text."""
        return "\n".join(_text(self)).strip() + "\n"

    @property
    def data(self) -> dict[str, Any]:
        """Give it for programs: amounts in minor units."""
        return {
            "subject": self.subject,
            "whose": self.whose,
            "page": self.page,
            "billed": asdict(self.billed),
            "bad": [asdict(each) for each in self.bad],
            "well": list(self.well),
            "known": [asdict(each) for each in self.known],
        }


def counted(count: int, noun: str) -> str:
    """Say how many, such as ``1 invoice`` or ``1,200 invoices``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def money(totals: Mapping[str, int]) -> str:
    """Write totals by currency, such as ``45,300.00 USD, 900.00 CAD and 20.00 EUR``."""
    *most, last = [format_minor(total, code) for code, total in totals.items()] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def age(seconds: float) -> str:
    """Say how long, in the largest unit of which there are two."""
    for name, length in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length:
            return f"for {seconds // length:.0f} {name}"
    return f"for {max(0.0, seconds) // 60:.0f} min"


def _text(digest: Digest) -> Iterator[str]:
    if digest.is_test:
        yield from ("This is a test: so it looks.", "")
    if digest.billed.invoices:
        yield f"Billed: {counted(digest.billed.invoices, 'invoice')}, {money(digest.billed.totals)}."
    if besides := digest.billed.besides:
        yield f"{'Also: ' if digest.billed.invoices else ''}{', '.join(besides)}."
    yield from _list("New", digest.bad)
    if digest.well:
        yield from ("", "Well again", *(f"- {each}" for each in digest.well))
    yield from _list("Still open", digest.known)
    if digest.no_names:
        yield from ("", f"Without names: {digest.no_names}")
    yield from ("", "-- ", *([f"See all of it: {digest.page}"] if digest.page else []), digest.whose)


def _list(title: str, entries: Sequence[Entry]) -> Iterator[str]:
    if entries:
        yield from ("", title)
        for each in entries[:MOST_SHOWN]:
            yield from _entry(each)
        if len(entries) > MOST_SHOWN:
            yield f"- and {len(entries) - MOST_SHOWN} more"


def _entry(each: Entry) -> Iterator[str]:
    yield f"- {', '.join(filter(None, [each.title, each.total, each.age]))}"
    for example in each.examples:
        yield f"    {' '.join(filter(None, [example.id, example.name]))}"
        if example.cause:
            yield f"      {' '.join(example.cause.split())}"
    if each.more:
        yield f"    and {each.more:,} more"
    if each.fix:
        yield f"  What to do: {each.fix}"
    if each.link:
        yield f"  {each.link}"
