"""What a mapping to Salesforce may say: a write-back to what was billed, or a record of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from airflow_provider_kashoo.core.kinds import CUSTOMER, INVOICE, PAYMENT, RELATED, SETTLEMENT_SOURCE, TOLD, FieldType
from airflow_provider_kashoo.core.mapping.file.field import pieces_of
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.values.texts import close_to, nearest

_COLUMNS = {"money": pa.decimal128(38, 2), "number": pa.decimal128(38, 0), "date": pa.date32()}

OWN = ("match", "find", "leave", "comment", "auto_assign")
"""Keys of a mapping to a record of its own."""


def mistakes_in_told(mapping: Mapping) -> Iterator[Mistake]:
    """List what is wrong with one mapping to Salesforce by itself."""
    known = _readable(mapping)
    for where, _ in mapping.placed_links():
        yield mapping.mistake(where, f"{where[-1]!r} cannot be a link", "A write-back reads the invoice only.")
    links = {spec.link for _, spec in mapping.placed_links()}
    for where, spec in mapping.header_fields():
        for path, _ in spec.paths():
            if path not in known and path not in links:
                yield _unknown(mapping, where, path, known)
    for where, condition in mapping.placed_conditions():
        for path in sorted(condition.paths - known.keys()):
            yield _unknown(mapping, where, path, known)
        if condition.paths <= known.keys():
            for fault in condition.misfits({path: _COLUMNS.get(known[path], pa.string()) for path in condition.paths}):
                said, _, fix = fault.partition(". ")
                yield mapping.mistake(where, said, fix)
    yield from _in_own(mapping, known) if mapping.has_own_record else _in_write_back(mapping)


def mistakes_between_told(mappings: Iterable[Mapping], billed: Iterable[str], *, whole: bool) -> Iterator[Mistake]:
    """List what mappings to Salesforce do to each other.

    :param billed: the objects that something is billed from.
    :param whole: whether every file is understood.
    """
    writers: dict[tuple[str, bool], Mapping] = {}
    billed = sorted(billed)
    for mapping in (each for each in mappings if not each.into_books and each.from_.object in TOLD):
        if mapping.tells and billed and mapping.to not in billed and whole:
            fault = f"no mapping makes invoices from {mapping.to}, so there is nothing to write back to it"
            meant = "" if close_to(mapping.to, billed) else " Or add match: for a record of its own."
            yield mapping.mistake(("to",), fault, nearest(mapping.to, billed) + meant)
        if (other := writers.setdefault((mapping.to, bool(mapping.find)), mapping)) is not mapping:
            fault = f"{other.name} also writes back to {mapping.to}, and each would overwrite the other"
            yield mapping.mistake(("to",), fault, "Put their fields into one mapping.")


def _readable(mapping: Mapping) -> dict[str, FieldType]:
    return TOLD[mapping.from_.object] if mapping.has_own_record else SETTLEMENT_SOURCE


def _in_write_back(mapping: Mapping) -> Iterator[Mistake]:
    if mapping.from_.object == PAYMENT.name:
        fault = "a mapping from payment needs match: the external id field of the record that each payment gets"
        yield mapping.mistake((), fault, "Add match, or map from invoice.")
    if mapping.when:
        fix = "Remove it; every invoice is written back."
        yield mapping.mistake(("when",), "a write-back without match has no when", fix)
    yield from _stray(mapping, OWN, "a write-back without match")


def _in_own(mapping: Mapping, known: dict[str, FieldType]) -> Iterator[Mistake]:
    if mapping.from_.object == CUSTOMER.name:
        if mapping.to != "Account":
            yield mapping.mistake(("to",), "a mapping from customer writes to Account", "Write to: Account.")
        for number, _ in enumerate(mapping.when):
            yield mapping.mistake(("when", number), "a mapping from customer has no when", "Remove it.")
        yield from _stray(mapping, OWN, "a mapping from customer")
    elif mapping.match in mapping.fields:
        fix = "Remove it from fields: it gets the key of the invoice or payment."
        yield mapping.mistake(("fields", str(mapping.match)), f"{mapping.match} is what match names", fix)
    if mapping.find:
        yield from _in_find(mapping)
    if mapping.leave and not mapping.when:
        yield mapping.mistake(("leave",), "leave is for when, and there is none", "Add when, or remove leave.")
    if mapping.comment is not None:
        yield from _in_comment(mapping, known)
    if mapping.attach_pdf and mapping.from_.object != INVOICE.name:
        yield mapping.mistake(("attach_pdf",), "only an invoice is attached as a PDF", "Map from invoice.")


def _in_find(mapping: Mapping) -> Iterator[Mistake]:
    if mapping.from_.object != INVOICE.name or mapping.match is not None:
        yield mapping.mistake(("find",), "find is for a mapping from invoice without match", "Remove one of the two.")
    if not any(spec.from_ in RELATED for spec in mapping.find.values()):
        fault = f"find needs a field that names the deal: one from {', '.join(RELATED)}"
        yield mapping.mistake(("find",), fault, "Add one, such as Opportunity__c: {from: deal}.")
    if not mapping.when:
        yield mapping.mistake(("find",), "find without when would change each record that is found", "Add when.")
    yield from _stray(mapping, ("leave", "comment", "attach_pdf"), "a mapping with find")


def _in_comment(mapping: Mapping, known: dict[str, FieldType]) -> Iterator[Mistake]:
    if mapping.to != "Case" or mapping.from_.object != INVOICE.name:
        yield mapping.mistake(("comment",), "comment is for a mapping from invoice to Case", "Remove it.")
    try:
        pieces = pieces_of(str(mapping.comment))
    except ValueError as error:
        yield mapping.mistake(("comment",), str(error), "Write text with {paid} or {balance:#,##0.00} in it.")
        return
    for piece in pieces:
        if piece.path and piece.path not in known:
            yield _unknown(mapping, ("comment",), piece.path, known)


def _stray(mapping: Mapping, keys: Iterable[str], what: str) -> Iterator[Mistake]:
    for key in keys:
        if key in mapping.model_fields_set:
            yield mapping.mistake((key,), f"{what} has no {key}", "Remove it.")


def _unknown(mapping: Mapping, where: tuple[str | int, ...], path: str, known: Iterable[str]) -> Mistake:
    article = "an" if mapping.from_.object == INVOICE.name else "a"
    return mapping.mistake(where, f"{article} {mapping.from_.object} has no {path!r}", nearest(path, known))
