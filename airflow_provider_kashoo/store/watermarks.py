"""How far each source was read and processed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from airflow_provider_kashoo.core.window import moves_to
from airflow_provider_kashoo.store.scope import Scope
from airflow_provider_kashoo.store.tables import watermarks


class Watermarks:
    """Watermarks of one scope, by source such as ``salesforce.Opportunity``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def get(self, source: str) -> datetime | None:
        """Return a watermark, UTC; None when no reading of the source was ever completed."""
        with self._scope.reading() as connection:
            value = connection.execute(select(watermarks.c.value).where(*self._is(source))).scalar_one_or_none()
        return None if value is None else datetime.fromtimestamp(value, UTC)

    def move(self, source: str, *, lower: datetime, upper: datetime, run_id: str) -> bool:
        """Move a watermark forward to ``upper``, if :func:`~.window.moves_to` allows it.

        :returns: whether it moved.
        """
        with self._scope.writing() as scope:
            connection = scope.connection
            value = connection.execute(select(watermarks.c.value).where(*self._is(source))).scalar_one_or_none()
            known = None if value is None else datetime.fromtimestamp(value, UTC)
            if not moves_to(upper, lower=lower, known=known):
                return False
            values = {"value": upper.timestamp(), "run_id": run_id, "moved_at": scope.now}
            if known is None:
                connection.execute(insert(watermarks).values(scope_id=self._scope.id, source=source, **values))
            else:
                connection.execute(update(watermarks).where(*self._is(source)).values(values))
            return True

    def _is(self, source: str) -> tuple[Any, ...]:
        return watermarks.c.scope_id == self._scope.id, watermarks.c.source == source
