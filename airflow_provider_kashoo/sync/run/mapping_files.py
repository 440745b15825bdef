"""The mapping files of a directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.computed_check import unfit_values
from airflow_provider_kashoo.core.mapping.file.constants import unfit_constants
from airflow_provider_kashoo.core.mapping.file.load import Reading, mistakes_together, read_mapping, understood
from airflow_provider_kashoo.core.mapping.file.mistakes import MappingMistakes, Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping


def load_mappings(directory: Path) -> dict[str, Mapping]:
    """Read every ``*.yaml`` of a directory and check that links point to mappings that exist.

    :returns: mapping name -> mapping, in file order.
    :raises ConfigurationError: for a missing or empty directory, and with all mistakes of all files at once.
    """
    readings = read_files(files_of(directory))
    if mistakes := mistakes_of(readings):
        raise MappingMistakes(mistakes)
    return understood(readings)


def files_of(directory: Path) -> list[Path]:
    """List the mapping files of a directory, and those that were meant to be some.

    :raises ConfigurationError: when it has none, or does not exist.
    """
    files = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")]) if directory.is_dir() else []
    if not files:
        raise ConfigurationError(f"No mapping files in {directory}.", remedy="Run: airflow kashoo init")
    return files


def read_files(files: Iterable[Path]) -> list[Reading]:
    """Read files as far as each is understood."""
    return [_read(file) for file in files]


def mistakes_of(readings: Iterable[Reading]) -> list[Mistake]:
    """List what is wrong with files by themselves, and with each other."""
    readings = list(readings)
    found = [mistake for reading in readings for mistake in reading.mistakes]
    for reading in readings:
        if reading.mapping:
            found += [*unfit_constants(reading.mapping), *unfit_values(reading.mapping)]
    return [*found, *mistakes_together(readings)]


def _read(file: Path) -> Reading:
    if file.suffix == ".yml":
        name = file.with_suffix(".yaml").name
        return Reading(str(file), None, [Mistake(str(file), 1, 1, "a file *.yml is not read", f"Rename it to {name}.")])
    try:
        return read_mapping(file.read_text("utf-8"), str(file))
    except UnicodeDecodeError as error:
        before = file.read_bytes()[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        return Reading(str(file), None, [Mistake(str(file), line, column, "not UTF-8", "Save the file as UTF-8.")])
    except OSError as error:
        fault = f"the file cannot be read: {error.strerror}"
        return Reading(str(file), None, [Mistake(str(file), 1, 1, fault, "Correct its name, or give access to it.")])
