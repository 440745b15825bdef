"""Is this record in the books already? A ladder of evidence, strongest first.

Known links are looked up before this ladder; what it finds is linked, not written.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kashoo.core.values.ids import Reference

Row = Mapping[str, Any]

AMBIGUOUS = "ambiguous_match"
"""Error class of a record for which a rung holds more than one."""


@dataclass(frozen=True)
class Match:
    """What the ladder found.

    :param kashoo_id: the one record that matches; None when there is none or more than one.
    :param evidence: which rung, in words for the plan.
    :param candidates: every record on that rung.
    """

    kashoo_id: int | None
    evidence: str
    candidates: tuple[int, ...] = ()


def fold(text: str | None) -> str:
    """Bring a company's name to the form in which two spellings of it are equal: case, accents, punctuation."""
    plain = unicodedata.normalize("NFKD", text or "").casefold()
    kept = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(letter for letter in kept if unicodedata.category(letter)[0] in "LNM")


FOLDED = frozenset({("name", "postalCode")})
"""The rung whose spelling people vary; elsewhere punctuation tells two records apart: ``M-1.5`` is not ``M-15``."""


class Ladder:
    """Rungs over one listing of the books.

    :param rows: documents as read back, each with ``id``, ``references`` and the target's fields.
    :param rungs: words for the plan -> the fields that must all agree, strongest first.
    :param apart: the field that tells two records apart, however alike the rest of them is.
    :param linked: which of the rows are linked to Salesforce records; what bears a reference is one's own, too.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        rungs: Mapping[str, tuple[str, ...]],
        apart: str | None = None,
        linked: Collection[int] = (),
    ) -> None:
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

        :returns: the first rung on which anything stands; two records on it are no match but a question.
        """
        if found := self._by_reference.get(reference):
            return _match(found, "our reference")
        for rung, fields in self._rungs.items():
            key = _key(document, fields)
            if key and (found := [each for each in self._by_rung[rung].get(key, []) if self._may_be(each, document)]):
                return _match(found, rung)
        return Match(None, "not in the books")

    def _may_be(self, ident: int, document: Row) -> bool:
        """Say whether a record that looks alike is not surely another one: somebody else's, under another name."""
        theirs = self._others.get(ident)
        return not theirs or theirs == _plain(document.get(self._apart or ""), folded=self._apart == "name")


RUNGS: dict[str, dict[str, tuple[str, ...]]] = {
    "customer": {"same e-mail": ("email",), "same name and postal code": ("name", "postalCode")},
    "item": {"same code": ("code",), "same name": ("name",)},
    "invoice": {},
}
"""An invoice is known by our reference alone: two sales to one customer may look the same."""


APART = {"customer": "name", "item": "code", "invoice": None}
"""Two Accounts with one e-mail are two customers when they have two names; so are two products with two codes."""


def _key(row: Row, fields: tuple[str, ...]) -> tuple[str, ...] | None:
    key = tuple(_plain(row.get(field), folded=fields in FOLDED) for field in fields)
    return key if all(key) else None


def _plain(text: str | None, *, folded: bool) -> str:
    return fold(text) if folded else " ".join((text or "").casefold().split())


def _match(found: list[int], evidence: str) -> Match:
    return Match(found[0] if len(found) == 1 else None, evidence, tuple(sorted(found)))
