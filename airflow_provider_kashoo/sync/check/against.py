"""All that is wrong with mappings that are understood, held against both sides: one path for preflight and check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_kashoo.core.kinds import TOLD
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.together import warnings_together
from airflow_provider_kashoo.sync.check.computed import computed_mistakes
from airflow_provider_kashoo.sync.check.conditions import condition_mistakes
from airflow_provider_kashoo.sync.check.paths import path_mistakes
from airflow_provider_kashoo.sync.check.pdfs import pdf_mistakes
from airflow_provider_kashoo.sync.check.sides import Sides
from airflow_provider_kashoo.sync.check.values import part_mistakes, value_mistakes
from airflow_provider_kashoo.sync.check.write_backs import write_back_mistakes


def mistakes_into_books(mappings: Iterable[Mapping], sides: Sides) -> Iterator[Mistake]:
    """List mistakes and warnings of the mappings into the books; the others are passed over."""
    mappings = [each for each in mappings if each.into_books]
    for mapping in mappings:
        yield from path_mistakes(mapping, sides.salesforce)
        yield from condition_mistakes(mapping, sides)
        yield from value_mistakes(mapping, sides)
        yield from part_mistakes(mapping, sides)
        yield from computed_mistakes(mapping, sides)
    yield from code_mistakes(mappings, sides)
    yield from warnings_together(mappings)


def mistakes_of_write_backs(mappings: Iterable[Mapping], sides: Sides) -> Iterator[Mistake]:
    """List mistakes of the write-backs; the others are passed over."""
    for mapping in mappings:
        if not mapping.into_books and mapping.from_.object in TOLD:
            yield from write_back_mistakes(mapping, sides)
            yield from pdf_mistakes(mapping)


def code_mistakes(mappings: Iterable[Mapping], sides: Sides) -> list[Mistake]:
    """List the constants that name nothing in the books; kept codes are read again before that is said."""
    codes, mappings = sides.codes, list(mappings)
    if codes is None:
        return []
    found = [mistake for each in mappings for mistake in codes.unknown(each)]
    return [mistake for each in mappings for mistake in codes.unknown(each)] if found and codes.renew() else found


def joined(own: Iterable[Mistake], against: Iterable[Mistake]) -> list[Mistake]:
    """Put together what is wrong with files and what is against both sides; of one place, the first says it all."""
    own = list(own)
    places = {each.place for each in own}
    return sorted({*own, *(each for each in against if each.place not in places)})
