"""What a check needs of both sides, as a file: mappings are checked against it where no connection is, as in CI."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.clients.describe import Describer, ObjectInfo, from_json, is_current, to_json
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.sync.check.sides import Sides, near
from airflow_provider_kashoo.sync.read.codes import Codes

FORMAT = "1.0"


class Asked:
    """A side that is asked, and remembers which objects it was asked for."""

    def __init__(self, side: Describer) -> None:
        self._side = side
        self.objects: dict[str, ObjectInfo] = {}

    def describe(self, sobject: str) -> ObjectInfo:
        """Give an object's fields and child relationships; see :class:`.Describer`."""
        self.objects[sobject] = self._side.describe(sobject)
        return self.objects[sobject]

    def complete(self, mappings: Iterable[Mapping]) -> None:
        """Ask for what further mappings of the same objects may read: their children, and what they write back to."""
        mappings = list(mappings)
        for mapping in mappings:
            for sobject in _objects_of(mapping, self.objects):
                try:
                    self.describe(sobject)
                except ConfigurationError:
                    continue  # the check said so


def _objects_of(mapping: Mapping, known: dict[str, ObjectInfo]) -> list[str]:
    if mapping.from_.object == INVOICE.name:
        return [mapping.to]
    children = known[mapping.from_.object].children if mapping.from_.object in known else {}
    return [children[name][0] for name in (mapping.from_.lines, *mapping.from_.pick) if name and name in children]


class Saved:
    """What was saved of Salesforce.

    :param file: name used in messages.
    """

    def __init__(self, file: str, objects: dict[str, ObjectInfo]) -> None:
        self._file, self._objects = file, objects

    def describe(self, sobject: str) -> ObjectInfo:
        """Give an object's fields and child relationships; see :class:`.Describer`."""
        if sobject not in self._objects:
            raise ConfigurationError(
                f"{self._file} has no object {sobject}.",
                remedy=f"{near(sobject, self._objects)} If Salesforce has it, save the file again.",
            )
        return self._objects[sobject]


def save(file: Path, objects: dict[str, ObjectInfo], codes: Codes) -> None:
    """Write the file: fields and picklist values of objects, names and numbers of accounts and taxes; no records.

    :raises ConfigurationError: when it cannot be written.
    """
    described = {name: to_json(objects[name]) for name in sorted(objects)}
    content = {"format_version": FORMAT, "objects": described, "books": codes.values}
    try:
        file.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        fault = f"{file} cannot be written: {error.strerror}."
        raise ConfigurationError(fault, remedy="Give another file.") from None


def load(file: Path, zone: str) -> Sides:
    """Read the file.

    :raises ConfigurationError: when it cannot be read, or another version of the package wrote it.
    """
    again = f"Write it again: airflow kashoo check --save-describe {file}"
    try:
        kept = json.loads(file.read_text("utf-8"))
        version = kept["format_version"]
        if version != FORMAT:
            raise ConfigurationError(f"{file} has the format {version!r}, and {FORMAT!r} is read.", remedy=again)
        if not all(is_current(each) for each in kept["objects"].values()):
            raise ConfigurationError(f"Another version of this package wrote {file}.", remedy=again)
        return Sides(Saved(str(file), _objects(kept["objects"])), Codes.of_values(kept["books"]), zone)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.", remedy=again) from None
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError):
        raise ConfigurationError(f"{file} is no file that --save-describe wrote.", remedy=again) from None


def _objects(kept: dict[str, Any]) -> dict[str, ObjectInfo]:
    return {name: from_json(each) for name, each in kept.items()}
