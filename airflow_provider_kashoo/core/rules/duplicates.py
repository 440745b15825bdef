"""Is this record in the books already? Kinds of evidence ("rungs"), tried one by one, strongest first.

Known links are looked up before; a record found here is linked, not written.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kashoo.core.kinds import Kind
from airflow_provider_kashoo.core.values.ids import Reference

Row = Mapping[str, Any]

AMBIGUOUS = "ambiguous_match"
"""Error class of a record with more than one match on the same rung."""


@dataclass(frozen=True)
class Match:
    """The result of a search.

    :param kashoo_id: the one record that matches; None when there is none or more than one.
    :param evidence: name of the rung, for the plan.
    :param candidates: every record on that rung.
    """

    kashoo_id: int | None
    evidence: str
    candidates: tuple[int, ...] = ()


def fold(text: str | None) -> str:
    """Normalise a company's name, so that spellings that differ in case, accents or punctuation are equal."""
    plain = unicodedata.normalize("NFKD", text or "").casefold()
    kept = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter for letter in kept if unicodedata.category(letter)[0] in "LNM")


FOLDED = frozenset({("name", "postalCode")})
"""The rung where spelling varies; elsewhere punctuation distinguishes records: ``M-1.5`` is not ``M-15``."""


class Ladder:
    """The rungs, built from one listing of the books.

    :param rows: documents as read from the books, each with ``id``, ``references`` and the kind's fields.
    :param kind: defines which fields must agree, and which one proves two records different.
    :param linked: ids of rows linked to Salesforce records; a row with one of our references counts as linked too.
    """

    def __init__(self, rows: Iterable[Row], kind: Kind, linked: Collection[int] = ()) -> None:
        rungs, apart = kind.rungs, kind.apart
        self._rungs, self._apart = rungs, apart
        self._others: dict[int, str] = {}
        self._by_reference: dict[Reference, list[int]] = defaultdict(list)
        self._by_rung: dict[str, dict[tuple[str, ...], list[int]]] = {rung: defaultdict(list) for rung in rungs}
        for row in rows:
            for reference in row["references"]:
                self._by_reference[reference].append(row["id"])
            if apart and (row["references"] or row["id"] in linked):
                self._others[row["id"]] = _plain(row.get(apart), folded=apart == "name")
            for rung, fields in rungs.items():
                if key := _key(row, fields):
                    self._by_rung[rung][key].append(row["id"])

    def find(self, document: Row, reference: Reference) -> Match:
        """Look a document up.

        :returns: the first rung with any record on it; with two or more, ``kashoo_id`` is None and a person decides.
        """
        if found := self._by_reference.get(reference):
            return _match(found, "our reference")
        for rung, fields in self._rungs.items():
            key = _key(document, fields)
            if key and (found := [each for each in self._by_rung[rung].get(key, []) if self._may_be(each, document)]):
                return _match(found, rung)
        return Match(None, "not in the books")

    def _may_be(self, ident: int, document: Row) -> bool:
        """Return whether a similar record may be this one: not if it is linked and its ``apart`` field differs."""
        theirs = self._others.get(ident)
        return not theirs or theirs == _plain(document.get(self._apart or ""), folded=self._apart == "name")


def _key(row: Row, fields: tuple[str, ...]) -> tuple[str, ...] | None:
    key = tuple(_plain(row.get(field), folded=fields in FOLDED) for field in fields)
    return key if all(key) else None


def _plain(text: str | None, *, folded: bool) -> str:
    return fold(text) if folded else " ".join((text or "").casefold().split())


def _match(found: list[int], evidence: str) -> Match:
    return Match(found[0] if len(found) == 1 else None, evidence, tuple(sorted(found)))
