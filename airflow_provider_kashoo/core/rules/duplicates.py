"""Is this record in the books already? Kinds of evidence ("rungs"), tried one by one, strongest first.

Known links are looked up before; a record found here is linked. Likeness links only a record that belongs to nobody
yet, and only if nothing speaks against it. So it does not matter which of two records that are alike comes first, or
whether both come in one run. A mapping's ``on_duplicate`` may leave what is alike to a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import Kind, Rung
from airflow_provider_kashoo.core.mapping.file.policies import OnDuplicate
from airflow_provider_kashoo.core.values.ids import Reference
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.core.values.spelling import compact, digits, fold, plain, same_phone, text_of

Row = Mapping[str, Any]

AMBIGUOUS = "ambiguous_match"
"""Error class of a record with more than one match on the same rung."""

DOUBTFUL = "doubtful_match"
"""Error class of a record whose only matches have something that speaks against them."""

UNCONFIRMED = "unconfirmed_match"
"""Error class of a record whose match by likeness a person has to confirm."""

LEFT = "left_as_duplicate"
"""Error class of a record that is left out because one that is like it is in the books."""

OUR_REFERENCE = "our reference"
ABSENT = "not in the books"
OF_OTHERS = "what looks like it in the books belongs to another record"

SPELLINGS: Mapping[str, Callable[[Any], str]] = {"name": fold, "street": fold, "postalCode": compact, "phone": digits}
"""Field -> the form in which it is compared; :func:`~.spelling.plain` for all others."""

NAMED = 5
"""How many records a message names; of more it gives the number."""

LABELS = {"email": "e-mail", "postalCode": "postal code"}
"""Field -> what a person calls it, where that is not its name."""


@dataclass(frozen=True)
class Match:
    """The result of a search.

    :param kashoo_id: the one record that matches; None when there is none, more than one, or a doubt.
    :param evidence: name of the rung, for the plan.
    :param candidates: every record on that rung that it could be.
    :param against: fields that speak against them.
    """

    kashoo_id: int | None
    evidence: str
    candidates: tuple[int, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def by_likeness(self) -> bool:
        """Whether something else than our own reference says so."""
        return self.evidence != OUR_REFERENCE


class Ladder:
    """The rungs, built from one listing of the books.

    :param rows: documents as read from the books, each with ``id``, ``references`` and the kind's fields.
    :param kind: defines which fields must agree, and which ones speak against a match.
    :param linked: Kashoo ids of rows that are linked to records. Those of *other* records, by link or by reference,
        are never found by likeness.
    """

    def __init__(self, rows: Iterable[Row], kind: Kind, linked: Iterable[int] = ()) -> None:
        self._rungs, self._taken = kind.rungs, {*linked}
        self._rows: dict[int, Row] = {}
        self._by_reference: dict[Reference, list[int]] = defaultdict(list)
        self._by_rung: dict[str, dict[tuple[str, ...], list[int]]] = {rung: defaultdict(list) for rung in kind.rungs}
        for row in rows:
            for reference in row["references"]:
                self._by_reference[reference].append(row["id"])
                self._taken.add(row["id"])
            self._rows[row["id"]] = row
            for name, rung in kind.rungs.items():
                if key := _key(row, rung):
                    self._by_rung[name][key].append(row["id"])

    def take(self, kashoo_id: int) -> None:
        """Note that a record is linked now, as if that had been known before."""
        self._taken.add(kashoo_id)

    def find(self, document: Row, reference: Reference) -> Match:
        """Look a document up.

        :returns: what is on the first rung that nothing speaks against, else on the first rung with anything. With two
            or more, or with doubts, ``kashoo_id`` is None and a person decides.
        """
        if found := self._by_reference.get(reference):
            return _match(found, OUR_REFERENCE)
        doubtful, of_others = None, False
        for name, rung in self._rungs.items():
            key = _key(document, rung)
            on_rung = self._by_rung[name].get(key, []) if key else []
            alike = [each for each in on_rung if each not in self._taken]
            of_others = of_others or len(alike) < len(on_rung)
            doubts = {each: _against(self._rows[each], document, rung) for each in alike}
            if clear := [each for each in alike if not doubts[each]]:
                return _match(clear, name)
            if alike and doubtful is None:
                against = tuple(field for field in rung.against if any(field in doubts[each] for each in alike))
                doubtful = Match(None, name, tuple(sorted(alike)), against)
        return doubtful or Match(None, OF_OTHERS if of_others else ABSENT)

    def undecided(
        self, match: Match, record: Record, document: Row, policy: OnDuplicate = OnDuplicate.LINK
    ) -> Problem | None:
        """Say why a match is not linked without a person, naming the record and all that it could be.

        :param policy: what the mapping says about a match by likeness.
        :returns: None when it is linked, or there is no match.
        """
        by_hand = match.by_likeness and policy in {OnDuplicate.SKIP, OnDuplicate.REVIEW}
        if not match.candidates or (match.kashoo_id is not None and not by_hand):
            return None
        kind, evidence = record.kind, match.evidence
        if not match.by_likeness:
            return copied(len(match.candidates))
        several = len(match.candidates) > 1
        first, more = match.candidates[:NAMED], len(match.candidates[NAMED:])
        listed = _listed([*map(str, first), *([f"{more} more"] if more else [])])
        cause = f"{kind}{'s' if several else ''} {listed} in Kashoo {'have' if several else 'has'} the {evidence}"
        names = f"{_listed([_name(self._rows[each]) for each in first])} in Kashoo, {_name(document)} in Salesforce"
        relink = f"airflow kashoo relink {record.id}"
        to = "--to with the id of the right one" if several else f"--to {match.candidates[0]}"
        fields = _listed([LABELS.get(each, each) for each in match.against]) if match.against else ""
        cause += f", but another {fields}" if fields else ""
        if policy is OnDuplicate.SKIP:
            fix = f"Bill its deals by hand. To bill them here, run {relink} {to}."
            fix += f" If it is another {kind}, run {relink} --new."
            return Problem(LEFT, cause, fix).quoting(names)
        if match.kashoo_id is not None:
            fix = f"If it is the same {kind}, run {relink} {to}. If not, run {relink} --new."
            return Problem(UNCONFIRMED, cause, fix).quoting(names)
        if not fields:
            fix = f"Merge them in Kashoo, correct the one that is wrong, or run {relink} {to}."
            return Problem(AMBIGUOUS, cause, fix).quoting(names)
        fix = (
            f"If it is the same {kind}, give both the same {fields}, or run {relink} {to}. If not, run {relink} --new."
        )
        return Problem(DOUBTFUL, cause, fix).quoting(names)


def copied(count: int) -> Problem:
    """Say that several records carry the same reference."""
    return Problem(AMBIGUOUS, f"{count} records in Kashoo carry its reference", "Remove it from the copy in Kashoo.")


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _key(row: Row, rung: Rung) -> tuple[str, ...] | None:
    key = tuple(_spelled(row, field) for field in rung.agree)
    return key if all(key) else None


def _against(row: Row, document: Row, rung: Rung) -> list[str]:
    """List the fields that both fill, and differently."""
    return [field for field in rung.against if _differs(field, _spelled(row, field), _spelled(document, field))]


def _differs(field: str, theirs: str, ours: str) -> bool:
    if not theirs or not ours or theirs == ours:
        return False
    return not (SPELLINGS.get(field) is digits and same_phone(theirs, ours))


def _spelled(row: Row, field: str) -> str:
    return SPELLINGS.get(field, plain)(row.get(field))


def _name(row: Row) -> str:
    return repr(text_of(row.get("name")))


def _match(found: list[int], evidence: str) -> Match:
    return Match(found[0] if len(found) == 1 else None, evidence, tuple(sorted(found)))
