"""The mapping files of a directory."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.computed_check import unfit_values
from airflow_provider_kashoo.core.mapping.constants import unfit_constants
from airflow_provider_kashoo.core.mapping.load import assemble, load_mapping
from airflow_provider_kashoo.core.mapping.model import Mapping


def load_mappings(directory: Path) -> dict[str, Mapping]:
    """Read every ``*.yaml`` of a directory and check that links point to mappings that exist.

    :returns: mapping name -> mapping, in file order.
    :raises ConfigurationError: for a missing or empty directory, all faulty files at once, or a doubled name.
    """
    files = sorted(directory.glob("*.yaml")) if directory.is_dir() else []
    if not files:
        raise ConfigurationError(f"No mapping files in {directory}.", remedy="Run: airflow kashoo init")
    loaded: list[Mapping] = []
    refused: list[ConfigurationError] = []
    for file in files:
        try:
            loaded.append(_load(file))
        except ConfigurationError as error:
            refused.append(error)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        faults = [f"{error.what} {error.remedy}" for error in refused]
        raise ConfigurationError("\n  ".join([f"{len(faults)} mapping files have mistakes:", *faults]))
    return assemble(loaded)


def _load(file: Path) -> Mapping:
    mapping = load_mapping(file.read_text("utf-8"), str(file))
    if faults := [*unfit_constants(mapping), *unfit_values(mapping)]:
        raise ConfigurationError("\n  ".join(faults))
    return mapping
