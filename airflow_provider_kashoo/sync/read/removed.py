"""Linked customers and items that were removed in Kashoo: what a person is asked, and what may be in their place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow_provider_kashoo.clients.entries import Entry
from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.rules.duplicates import Ladder
from airflow_provider_kashoo.core.rules.intents import Ask, Intent
from airflow_provider_kashoo.core.rules.questions import REMOVED_IN_BOOKS, removed_in_books
from airflow_provider_kashoo.core.values.parents import linked_parents
from airflow_provider_kashoo.sync.run.sync import Sync


class Removed:
    """Asks about removed customers and items, each in the same words as long as the question is open."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._asked: dict[tuple[str, str, int], Mapping[str, Any]] = {
            (item["target"], item["source_id"], item["part"]): item
            for item in sync.store.reviews.all_open()
            if item["error_class"] == REMOVED_IN_BOOKS.error_class
        }
        self._ladder, self._read = cache(self._list), cache(sync.kashoo.read)

    def is_asked(self, intent: Intent) -> bool:
        """Say whether a person was asked about an intent's record."""
        return intent.record.numbered in self._asked

    def ask(self, intent: Intent, entry: Entry | None) -> Ask:
        """Ask about a removed customer or item; the first question about it costs a list of its kind.

        :param entry: as the books still show it; None if they do not, then nothing tells what replaced it.
        """
        if item := self._asked.get(intent.record.numbered):
            said = removed_in_books(intent)
            return said.become(Ask, reason=item["cause"], fix=item["fix"])
        return removed_in_books(intent, self._replaced_by(intent, entry))

    def ask_of(self, document: Mapping[str, Any]) -> Ask | None:
        """Read the customer and the items of a document that Kashoo refused; ask about the first that was removed."""
        for kind, ident in dict.fromkeys(linked_parents(document)):
            link = self._sync.store.links.of_kashoo(kind, [ident]).get(ident)
            entry = self._read(kind, ident) if link else None
            if link and (entry is None or entry.removed):
                return self.ask(link.intent(self._sync.name), entry)
        return None

    def named_in(self, kind: str, kashoo_id: int) -> Problem | None:
        """Say which removed customer or item an invoice of the books names itself: it cannot be written until then."""
        entry = self._sync.kashoo.read(kind, kashoo_id)
        for parent, ident in dict.fromkeys(linked_parents(entry.fields)) if entry else ():
            found = self._read(parent, ident)
            if found is None or found.removed:
                cause = f"its {kind} in Kashoo names {parent} {ident}, which was removed"
                return Problem("names_removed", cause, f"Choose another {parent} on the {kind} in Kashoo.")
        return None

    def _replaced_by(self, intent: Intent, entry: Entry | None) -> str:
        kind = intent.record.kind
        if entry is None:
            return ""
        found = self._ladder(kind).find(entry.fields, intent.reference)
        if not found.candidates:
            return f"no other {kind} is like it"
        return f"{kind} {' and '.join(map(str, found.candidates))} may have replaced it: {found.evidence}"

    def _list(self, kind: str) -> Ladder:
        # Without references: it may have been merged into the customer of another Account.
        found = self._sync.kashoo.listing(kind)
        return Ladder(({**each.document, "references": []} for each in found), KINDS[kind])
