"""A store for a plan that is only shown: it is read like any other, and what a plan notes stays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_kashoo.store.kept_codes import KeptCodes
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.store import SyncStore


class Rehearsal(SyncStore):
    """The store of one org and business, which stays as it is.

    :param store: of the same org and business.
    """

    def __init__(self, store: SyncStore) -> None:
        super().__init__(store.database, store.org_id, store.business_id)
        self.codes = _Unkept(self._scope)
        self._forgotten = False

    @property
    def knows_books(self) -> bool:
        """As :attr:`.SyncStore.knows_books`; False once this plan found what the store does not know."""
        return not self._forgotten and super().knows_books

    def forget_books(self) -> None:
        """Note it for this plan."""
        self._forgotten = True

    def mark_reference_seen(self, target: str) -> None:
        """Note nothing: only a look-up asks for it."""


class _Unkept(KeptCodes):
    """The codes of the books, as they are kept, or as this plan read them."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._read: dict[str, Any] | None = None

    def get(self) -> dict[str, Any] | None:
        return super().get() if self._read is None else self._read

    def keep(self, codes: Mapping[str, Any]) -> None:
        self._read = dict(codes)

    def forget(self) -> None:
        self._read = None
