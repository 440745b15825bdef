"""``airflow kashoo check``: every mistake of every mapping file at once, held against both sides or a saved file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.core.errors import SyncError
from airflow_provider_kashoo.core.mapping.file.load import Reading, understood
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.settings import mappings_dir, settings
from airflow_provider_kashoo.sync.check.against import joined, mistakes_into_books, mistakes_of_write_backs
from airflow_provider_kashoo.sync.check.saved import Asked, load, save
from airflow_provider_kashoo.sync.check.sides import Sides
from airflow_provider_kashoo.sync.run.mapping_files import files_of, mistakes_of, read_files

FORMAT = "1.0"


@dataclass
class Report:
    """What a check found.

    :param checked: the files that it reports on -> the name of their mapping, as far as it is understood.
    :param against: ``live``, or the file that stood for both sides.
    :param found: mistakes and warnings.
    :param error: why both sides were not asked; empty if they were.
    """

    checked: dict[str, str]
    against: str
    found: list[Mistake] = field(default_factory=list)
    error: str = ""

    @property
    def mistakes(self) -> list[Mistake]:
        """What must be corrected."""
        return [each for each in self.found if not each.may_be_meant]

    @property
    def warnings(self) -> list[Mistake]:
        """What may be meant."""
        return [each for each in self.found if each.may_be_meant]

    @property
    def is_clean(self) -> bool:
        """Whether nothing must be corrected."""
        return not (self.mistakes or self.error)


def check(files: Iterable[str], describe: str | None, save_to: str | None, connections: dict[str, str]) -> Report:
    """Check mapping files.

    :param files: those to report on; all of the mappings directory if there are none.
    :param describe: the file that stands for both sides; None asks them.
    :param save_to: the file into which both sides are saved.
    :param connections: as :func:`~airflow_provider_kashoo.runtime.open_run.open_sync` takes them.
    :raises ConfigurationError: when there are no mappings, or a file of the sides cannot be read or written.
    """
    asked_for = [Path(each) for each in files] or files_of(mappings_dir())
    folders = [_read(folder, asked_for) for folder in dict.fromkeys(each.parent for each in asked_for)]
    readings = [reading for folder in folders for reading in folder]
    shown = {str(each) for each in asked_for}
    names = {each.file: each.mapping.name if each.mapping else "" for each in readings}
    report = Report({file: names[file] for file in sorted(shown)}, describe or "live")
    own = [mistake for folder in folders for mistake in mistakes_of(folder)]
    against = set[Mistake]()
    mappings = [list(understood(folder).values()) for folder in folders]
    if describe is not None:
        against = _held_against(load(Path(describe), settings().zone), mappings)
    else:
        try:
            with _both_sides(connections) as (sides, asked):
                against = _held_against(sides, mappings)
                asked.complete(mapping for folder in mappings for mapping in folder)
        except SyncError as error:
            report.error = str(error)
        else:
            if save_to is not None and sides.codes is not None:
                save(Path(save_to), asked.objects, sides.codes)
    report.found = [each for each in joined(own, against) if each.file in shown]
    return report


def _read(folder: Path, asked_for: list[Path]) -> list[Reading]:
    """Read all mappings of a folder, because they link to each other; and files of it by other names."""
    return read_files(sorted({*folder.glob("*.yaml"), *(each for each in asked_for if each.parent == folder)}))


def _held_against(sides: Sides, folders: Iterable[list[Mapping]]) -> set[Mistake]:
    return {
        mistake
        for mappings in folders
        for held in (mistakes_into_books, mistakes_of_write_backs)
        for mistake in held(mappings, sides)
    }


@contextmanager
def _both_sides(connections: dict[str, str]) -> Iterator[tuple[Sides, Asked]]:
    """Log in to both sides, and read the codes of the books."""
    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.runtime.open_run import open_sync
    from airflow_provider_kashoo.sync.preflight import open_sides
    from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

    with open_sync(TO_KASHOO, RunFacts(run_id="by hand"), begins=True, mappings={}, **connections) as sync:
        sides = open_sides(sync)
        asked = Asked(sides.salesforce)
        yield Sides(asked, sides.codes, sides.zone), asked


def as_json(report: Report) -> str:
    """Tell it to programs."""

    def row(mistake: Mistake) -> dict[str, Any]:
        return {
            "file": mistake.file,
            "line": mistake.line,
            "column": mistake.column,
            "mapping": report.checked[mistake.file],
            "what": mistake.what,
            "fix": mistake.fix,
        }

    told = {
        "format_version": FORMAT,
        "mistakes": [row(each) for each in report.mistakes],
        "warnings": [row(each) for each in report.warnings],
        "checked": list(report.checked),
        "against": report.against,
        "error": report.error,
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def as_text(report: Report) -> Iterator[str]:
    """Tell it to people, line by line."""
    yield from (str(each) for each in report.mistakes)
    yield from (f"{each.place}: warning: {each.what}. {each.fix}".rstrip() for each in report.warnings)
    if report.error:
        yield f"not checked against Salesforce and Kashoo: {report.error}"
    else:
        where = "Salesforce and Kashoo" if report.against == "live" else report.against
        yield (
            f"{_count(len(report.checked), 'file')} checked against {where}: "
            f"{_count(len(report.mistakes), 'mistake')}, {_count(len(report.warnings), 'warning')}"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
