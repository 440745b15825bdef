"""What a check knows of both sides: asked now, or saved before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airflow_provider_kashoo.clients.describe import Describer
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.field_types import FieldInfo
from airflow_provider_kashoo.core.values.texts import close_to
from airflow_provider_kashoo.sync.read.codes import Codes
from airflow_provider_kashoo.sync.read.columns import resolve


@dataclass(frozen=True)
class Sides:
    """Both sides.

    :param codes: the codes of the books; None where they are not known.
    :param zone: business time zone.
    :param business: name of the books; empty where that is not known.
    """

    salesforce: Describer
    codes: Codes | None
    zone: str = "UTC"
    business: str = ""

    def source(self, mapping: Mapping, path: str, *, of_line: bool = False) -> FieldInfo | None:
        """Give the field that a path of a mapping leads to; None where that is not known."""
        first, _, rest = path.partition(".")
        if not of_line and first in mapping.from_.pick:
            return self.of_child(mapping, first, rest)
        return self.of_child(mapping, mapping.from_.lines if of_line else None, path)

    def of_child(self, mapping: Mapping, relationship: str | None, path: str) -> FieldInfo | None:
        """Give the field that a path leads to from child records, or from the record itself; None if not known."""
        sobject = mapping.from_.object
        try:
            if relationship:
                child = self.salesforce.describe(sobject).children.get(relationship)
                if child is None:
                    return None
                sobject = child[0]
            return resolve(self.salesforce, sobject, path)
        except ConfigurationError:
            return None


def fields_of(mapping: Mapping) -> Iterator[tuple[Where, str, Field, bool]]:
    """List what fills a field: its place, the name of the field, how, and whether that is read from a line."""
    for where, name, spec in mapping.sections():
        yield where, name, spec, where[0] == "lines"
    for name in ("sale", "total", "reduces"):
        if spec := getattr(mapping, name):
            yield (name,), name, spec, False


def nested(where: Where, spec: Field) -> Iterator[tuple[Where, Field]]:
    """List a field and what it falls back on, each with its place."""
    while True:
        yield where, spec
        if spec.default is None:
            return
        where, spec = (*where, "default"), spec.default


def listed(values: Iterable[object], most: int = 12) -> str:
    """Quote values for a message."""
    texts = [repr(each) for each in values]
    return ", ".join(texts[:most]) + (", ..." if len(texts) > most else "")


def near(name: str, known: Iterable[str]) -> str:
    """Suggest what was meant; of many names that are not near, only some."""
    names = sorted(known)
    close = close_to(name, names)
    return f"Did you mean {close!r}?" if close else f"Known: {listed(names)}.".replace("....", "...")
