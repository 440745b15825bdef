"""Mistakes in mapping files: each with its place, what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.yaml_file import Mark, Where


@dataclass(frozen=True, order=True)
class Mistake:
    """What a person has to correct in a mapping file.

    :param line: of the file, from 1.
    :param column: of the line, from 1.
    :param what: what is wrong, without a final period.
    :param fix: what to write instead, in sentences.
    :param may_be_meant: whether it is a warning only: it may be meant, and no run is stopped for it.
    """

    file: str
    line: int
    column: int
    what: str
    fix: str = ""
    may_be_meant: bool = False

    @property
    def place(self) -> str:
        """Where it is, in the form that editors and terminals jump to."""
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def warning(self) -> Mistake:
        """The same as a warning."""
        return replace(self, may_be_meant=True)

    def __str__(self) -> str:
        """Say all of it on one line."""
        return f"{self.place}: {self.what}. {self.fix}".rstrip()


class MappingMistakes(ConfigurationError):
    """Mapping files have mistakes; all that were found, each once, in the order of the files.

    :param heading: what to say above them.
    """

    def __init__(self, found: Iterable[Mistake], heading: str = "") -> None:
        self.mistakes = sorted(set(found))
        first = self.mistakes[0]
        if len(self.mistakes) == 1 and not heading:
            super().__init__(f"{first.place}: {first.what}.", remedy=first.fix)
        else:
            heading = heading or f"The mapping files have {len(self.mistakes)} mistakes:"
            super().__init__("\n  ".join([heading, *map(str, self.mistakes)]))


@dataclass(frozen=True)
class Places:
    """Where the parts of a file are."""

    file: str = ""
    marks: Mapping[Where, Mark] = field(default_factory=dict)

    def mistake(self, where: Where, what: str, fix: str = "", offset: int | None = None) -> Mistake:
        """Give a mistake its place: where the key of the part stands, or a character of its value.

        :param where: keys and places that lead to the part; what the file does not have is left off.
        :param offset: of that character, from 0.
        """
        parts = (where[:size] for size in range(len(where), -1, -1))
        mark = next((self.marks[part] for part in parts if part in self.marks), None)
        if mark is None:
            return Mistake(self.file, 1, 1, what, fix)
        line, column = (mark.line, mark.column) if offset is None else mark.character(offset)
        return Mistake(self.file, line, column, what, fix)

    def without(self, gone: Where) -> Places:
        """Give the places of a file from which a part was taken out: what follows it in a list moves up."""
        size = len(gone)

        def moved(where: Where) -> Where | None:
            if where[:size] == gone:
                return None
            last, own = gone[-1], where[size - 1] if len(where) >= size else None
            follows = where[: size - 1] == gone[:-1] and isinstance(last, int) and isinstance(own, int) and own > last
            return (*where[: size - 1], own - 1, *where[size:]) if follows and isinstance(own, int) else where

        marks = {new: mark for where, mark in self.marks.items() if (new := moved(where)) is not None}
        return Places(self.file, marks)
