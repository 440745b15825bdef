"""``airflow kashoo init --salesforce``: what the mappings need in Salesforce, as a project to deploy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.reports.salesforce_package import files_of
from airflow_provider_kashoo.settings import mappings_dir, settings
from airflow_provider_kashoo.sync.check.needed import needed
from airflow_provider_kashoo.sync.check.saved import load
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings


def made(folder: str | None, describe: str | None) -> Iterator[str]:
    """Print the project, or write it; nothing is sent to Salesforce.

    :param folder: where it is written; None prints it. A file that is there and differs is never written over.
    :param describe: file of ``check --save-describe``; None for an org of which nothing is known.
    :raises ConfigurationError: for mistakes in the mappings, and for a folder that cannot be written.
    """
    org = load(Path(describe), settings().zone).salesforce if describe else None
    package = needed(load_mappings(mappings_dir()).values(), org)
    files = files_of(package)
    if folder is None:
        for path, text in files.items():
            yield f"== {path}"
            yield text
    else:
        yield from _written(Path(folder), files)
    if package.by_hand:
        yield "Left to you:"
        yield from (f"  {said}" for said in package.by_hand)


def _written(folder: Path, files: dict[str, str]) -> Iterator[str]:
    there = {path: folder / path for path in files if (folder / path).exists()}
    try:
        if other := [path for path, at in there.items() if at.read_text("utf-8") != files[path]]:
            fault = f"{folder} has another {other[0]}."
            raise ConfigurationError(fault, remedy="Give an empty folder, and compare the two.")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
            yield f"{'same' if path in there else 'made':<6} {folder / path}"
    except OSError as error:
        fault = f"{error.filename or folder} cannot be written: {error.strerror}."
        raise ConfigurationError(
            fault, remedy="Give another folder.", written="The folder may be half written."
        ) from None
    yield f"Deploy it: cd {folder} && sf project deploy start --dry-run, then without --dry-run."
