"""Whether a write-back mapping can fill the fields it names, found out before anything is written.

What an expression can give is known from the mapping: its constants, what it maps to, and the kinds of the invoice's
fields. Only texts of any length, and the sizes of amounts, are known when there is an invoice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import TOLD_TYPES
from airflow_provider_kashoo.core.mapping.file.computed_check import misfits as computed_misfits
from airflow_provider_kashoo.core.mapping.file.field import Field, pieces_of
from airflow_provider_kashoo.core.mapping.values.expressions import ExpressionError
from airflow_provider_kashoo.core.mapping.values.field_types import (
    CHECKBOX,
    DATES,
    IDS,
    NUMBERS,
    PICKLISTS,
    TEXTS,
    FieldInfo,
    fitted,
)
from airflow_provider_kashoo.core.mapping.values.operations import DATE, NUMBER, TEXT, Kind
from airflow_provider_kashoo.core.rules.settlement import PAYMENT_KINDS, STATUSES
from airflow_provider_kashoo.core.values.money import MINOR_DIGITS

What = Literal["constant", "nothing", "unmapped", "text", "whole number", "amount", "date", "record id"]

WHOLE = frozenset({"invoice_id", "payment_id"})
CODE_LENGTH = 3
MAY_BE_EMPTY = frozenset(
    ("number currency date due_date days_overdue last_payment_date overdue_since opportunity order account").split()
)
KINDS: dict[str, Kind] = {
    path: {"money": NUMBER, "number": NUMBER, "date": DATE}.get(kind, TEXT) for path, kind in TOLD_TYPES.items()
}
LENGTHS = {"date": len("YYYY-MM-DD"), "amount": len("0"), "record id": 18}


@dataclass(frozen=True)
class Given:
    """Something that an expression can give.

    :param text: of a constant; otherwise where it comes from.
    :param least: fewest characters it has as a text.
    """

    what: What
    text: str = ""
    least: int = 0


def misfits(spec: Field, name: str, field: FieldInfo, zone: str) -> Iterator[str]:
    """List what a field of a mapping can give and its field in Salesforce does not take.

    :returns: what is wrong, and what to do; each once.
    """
    yield from (f"{name}: {fault}. {fix}" for fault, fix in computed_misfits(spec, None, KINDS))
    every = dict.fromkeys(outcomes(spec))
    if unmapped := [repr(each.text) for each in every if each.what == "unmapped"]:
        yield f"{name} has a map without {', '.join(unmapped)}. Add them to the map, or a default."
    for given in every:
        if given.what == "unmapped":
            continue
        if given.what in {"constant", "nothing"}:
            found = fitted(field, given.text if given.what == "constant" else None, zone)
            if isinstance(found, Problem):
                yield f"{found.cause}. {found.fix}"
        elif fault := _fault(field, given):
            yield f"{field.name} {fault}"


def _fault(field: FieldInfo, given: Given) -> str | None:
    """Say why a field does not take something that is known in its kind only."""
    source = f"{given.text} is {_a(given.what)}"
    if field.type in NUMBERS:
        if given.what == "amount" and field.scale < MINOR_DIGITS:
            return f"has {field.scale} decimals, and {source}. Give it {MINOR_DIGITS} decimal places in Salesforce."
        fits = given.what in {"amount", "whole number"}
        return None if fits else f"is a number field, and {source}. Map it to an amount, or use a text field."
    if field.type in TEXTS:
        if not field.length or given.least <= field.length:
            return None
        return f"takes at most {field.length} characters, and {given.text} has {given.least} or more. Make it longer."
    if field.type in DATES:
        return None if given.what == "date" else f"is a {field.type} field, and {source}. Map it to a date."
    if field.type in PICKLISTS:
        if not field.restricted or given.what == "text":
            return None
        return f"is a restricted picklist, and {source}. Map it to values of the picklist."
    if field.type == CHECKBOX:
        return f"is a checkbox, and {source}. Map its values to true and false."
    if field.type in IDS:
        return None if given.what == "record id" else f"refers to a record, and {source}. Write the id of the record."
    return f"is of type {field.type}, which cannot be written back. Use another field."


def _a(what: What) -> str:
    return f"an {what}" if what == "amount" else f"a {what}"


def outcomes(spec: Field) -> Iterator[Given]:
    """List what a field of a mapping can give, defaults included."""
    own = list(_source(spec))
    if spec.map is not None:
        own = list(_mapped(spec.map, own, has_default=spec.default is not None))
    if spec.default is not None:
        unknown = spec.map is not None or any(each.what == "nothing" for each in own)
        own = [each for each in own if each.what != "nothing"]
        own += outcomes(spec.default) if unknown else ()
    yield from (_cut(each, spec.max_length) for each in own)


def _source(spec: Field) -> Iterator[Given]:
    if spec.value is not None:
        text = str(spec.value).lower() if isinstance(spec.value, bool) else str(spec.value).strip()
        yield Given("constant", text) if text else Given("nothing")
    elif spec.text is not None:
        yield from _template(spec.text)
    elif spec.format is not None:
        yield from _computed(spec, "text")
    elif spec.from_ is not None:
        yield from _of_invoice(spec.from_)
    elif spec.call is not None and spec.returns is not None:
        kinds: dict[str, What] = {"number": "amount", "money": "amount", "date": "date"}
        yield Given(kinds.get(spec.returns, "text"), spec.call, 1)
        if spec.nulls:
            yield Given("nothing")
    elif (kind := _kind(spec)) is not None:
        whats: dict[Kind, What] = {NUMBER: "amount", DATE: "date"}
        yield from _computed(spec, whats.get(kind, "text"))


def _computed(spec: Field, what: What) -> Iterator[Given]:
    yield Given(what, repr(spec.expr) if spec.expr else str(spec.from_), LENGTHS.get(what, 1))
    calculation = spec.calculation
    if (calculation is None or calculation.may_be_empty) and MAY_BE_EMPTY & {path for path, _ in spec.paths()}:
        yield Given("nothing")


def _kind(spec: Field) -> Kind | None:
    """Say what an expression gives; None when it cannot be computed, which is said elsewhere."""
    with suppress(ExpressionError):
        return spec.calculation.kind(KINDS) if spec.calculation else None
    return None


def _template(text: str) -> Iterator[Given]:
    pieces = pieces_of(text)
    paths = [piece.path for piece in pieces if piece.path]
    words = "".join(piece.words for piece in pieces).strip()
    if not paths:
        yield Given("constant", words) if words else Given("nothing")
    elif len(paths) == 1 and not words and not pieces[0].format:
        yield from _of_invoice(paths[0])
    else:
        yield Given("text", repr(text), len(words))


def _of_invoice(path: str) -> Iterator[Given]:
    if path == "status":
        yield from (Given("constant", each) for each in STATUSES)
    elif path == "kind":
        yield from (Given("constant", each) for each in PAYMENT_KINDS)
    elif path in WHOLE:
        yield Given("whole number", path, 1)
    elif path == "currency":
        yield Given("text", path, CODE_LENGTH)
    else:
        kinds: dict[str, What] = {"money": "amount", "number": "whole number", "date": "date", "link": "record id"}
        what = kinds.get(TOLD_TYPES[path], "text")
        yield Given(what, path, LENGTHS.get(what, 1))
    if path in MAY_BE_EMPTY:
        yield Given("nothing")


def _mapped(table: dict[str, str], own: list[Given], *, has_default: bool) -> Iterator[Given]:
    """Give what a map makes of values; one that is not in it parks its record, unless there is a default."""
    for each in own:
        if each.what == "nothing":
            yield each
        elif each.what != "constant":
            yield from (Given("constant", value) if value else Given("nothing") for value in table.values())
        elif each.text in table:
            yield Given("constant", table[each.text])
        else:
            yield Given("nothing") if has_default else Given("unmapped", each.text)


def _cut(given: Given, length: int | None) -> Given:
    if length is None:
        return given
    if given.what == "constant":
        return Given("constant", given.text[:length].rstrip())
    return Given(given.what, given.text, min(given.least, length))
