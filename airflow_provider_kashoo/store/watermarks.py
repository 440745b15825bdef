"""How far each source was read and settled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from airflow_provider_kashoo.core.window import moves_to
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.tables import watermarks


class Watermarks:
    """Watermarks of one scope, by source such as ``salesforce.Opportunity``."""

    def __init__(self, database: Database, scope_id: int) -> None:
        self._database, self._scope_id = database, scope_id

    def get(self, source: str) -> datetime | None:
        """Give a watermark, UTC; None when the source was never read to an end."""
        with self._database.begin() as connection:
            value = connection.execute(select(watermarks.c.value).where(*self._is(source))).scalar_one_or_none()
        return None if value is None else datetime.fromtimestamp(value, UTC)

    def move(self, source: str, *, lower: datetime, upper: datetime, run_id: str) -> bool:
        """Move a watermark forward to ``upper``, if :func:`~.window.moves_to` allows it.

        :returns: whether it moved.
        """
        with self._database.begin() as connection:
            now = self._database.lock(connection, f"watermarks/{self._scope_id}")
            value = connection.execute(select(watermarks.c.value).where(*self._is(source))).scalar_one_or_none()
            known = None if value is None else datetime.fromtimestamp(value, UTC)
            if not moves_to(upper, lower=lower, known=known):
                return False
            values = {"value": upper.timestamp(), "run_id": run_id, "moved_at": now}
            if known is None:
                connection.execute(insert(watermarks).values(scope_id=self._scope_id, source=source, **values))
            else:
                connection.execute(update(watermarks).where(*self._is(source)).values(values))
            return True

    def _is(self, source: str) -> tuple[Any, ...]:
        return watermarks.c.scope_id == self._scope_id, watermarks.c.source == source
