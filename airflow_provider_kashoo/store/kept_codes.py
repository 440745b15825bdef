"""The codes of the books, kept for a day: most runs need none that the run before did not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import kept_codes

KEPT_SECONDS = 86_400.0


class KeptCodes:
    """The accounts and taxes of the books of one scope, as they were read last."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def get(self) -> dict[str, Any] | None:
        """Return what was kept; None when nothing is, or when it was read a day ago or earlier."""
        with self._scope.reading() as connection:
            now = self._scope.database.now(connection)
            row = connection.execute(select(kept_codes).where(self._is_mine)).one_or_none()
        # A clock that was set back makes a reading look as if it came from the future: nobody knows how old it is.
        return dict(row.codes) if row and 0 <= now - row.read_at < KEPT_SECONDS else None

    def keep(self, codes: Mapping[str, Any]) -> None:
        """Keep what was read now, in place of what was read before.

        :param codes: JSON.
        """
        with self._scope.writing() as scope:
            scope.connection.execute(delete(kept_codes).where(self._is_mine))
            values = {"scope_id": scope.id, "codes": dict(codes), "read_at": scope.now}
            scope.connection.execute(insert(kept_codes).values(values))

    def forget(self) -> None:
        """Let the next run read them again."""
        with self._scope.writing() as scope:
            scope.connection.execute(delete(kept_codes).where(self._is_mine))

    @property
    def _is_mine(self) -> Any:
        return kept_codes.c.scope_id == self._scope.id
