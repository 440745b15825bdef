"""The mapping files of a directory."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.model import Mapping, assemble, load_mapping


def load_mappings(directory: Path) -> dict[str, Mapping]:
    """Read every ``*.yaml`` of a directory and check that links point to mappings that exist.

    :returns: mapping name -> mapping, in file order.
    :raises ConfigurationError: for a missing or empty directory, a faulty file, or a doubled name.
    """
    files = sorted(directory.glob("*.yaml")) if directory.is_dir() else []
    if not files:
        raise ConfigurationError(f"No mapping files in {directory}.", remedy="Run: airflow kashoo init")
    return assemble(load_mapping(file.read_text("utf-8"), str(file)) for file in files)
