"""Symbolic links: a document refers to its customer and items by Salesforce id until they are in the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_kashoo.core.kinds import LINKED_KINDS

Document = Mapping[str, Any]

Parent = tuple[str, str]
"""Kind and Salesforce id, such as ``("customer", "001...")``."""

WAITING_FOR_PARENT = "waiting_for_parent"
"""Error class of a record whose customer or item is not in the books."""


def symbolic(parent: Parent) -> dict[str, list[str]]:
    """Return a link in the form of documents and staged files."""
    return {"link": [*parent]}


def parent_of(value: Any) -> Parent | None:
    """Read a link; None for any other value, such as a Kashoo id."""
    if isinstance(value, dict) and "link" in value:
        target, ident = value["link"]
        return target, ident
    return None


def parents_of(document: Document) -> Iterator[Parent]:
    """List the links of a document and its lines."""
    for part in [document, *document.get("lines", [])]:
        yield from filter(None, map(parent_of, part.values()))


def linked_parents(document: Document) -> Iterator[tuple[str, int]]:
    """List the (kind, Kashoo id) of the customer and the items that a document and its lines name by their ids."""
    for part in [document, *document.get("lines", [])]:
        for name, kind in LINKED_KINDS.items():
            if isinstance(part.get(name), int):
                yield kind, part[name]


def resolve_parents(document: Document, linked: Mapping[Parent, int]) -> dict[str, Any]:
    """Return a copy in which links to linked records are replaced by Kashoo ids.

    :param linked: parent -> Kashoo id.
    """

    def resolved(value: Any) -> Any:
        parent = parent_of(value)
        return linked.get(parent, value) if parent else value

    copy = {name: resolved(value) for name, value in document.items()}
    if "lines" in copy:
        copy["lines"] = [{name: resolved(value) for name, value in line.items()} for line in copy["lines"]]
    return copy
