"""Waiting for the budget: what a plan read of single records before it had to wait, and when waiting is in vain.

Without it a plan that needs more requests than the budget gives at a time would begin anew after each wait, and never
end. What is hours old by then is old in the plan alone: a record is read again right before it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import BudgetSpent, ConfigurationError
from airflow_provider_kashoo.sync.run.sync import Sync

NAME = "reads"
MOST_WAITS = 24
_EXACT = "decimal"


class Reads:
    """The single reads of one plan, each paid for once."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._kept: dict[str, dict[str, Any] | None] = _decoded(sync.files.read_json(NAME) or {})
        self._before = len(self._kept)

    def read(self, target: str, kashoo_id: int, version: int) -> dict[str, Any] | None:
        """Read a record of the books, or give what was read of it before the wait; None when it is not there.

        :param version: of its link: what was read before another run wrote it does not fit that.
        :raises BudgetSpent: when the budget needs a longer wait; what was read so far is kept.
        """
        key = f"{target}/{kashoo_id}/{version}"
        if key not in self._kept:
            self._kept[key] = self._sync.kashoo.read(target, kashoo_id)
        return self._kept[key]

    def keep(self) -> bool:
        """Keep what was read for the next try of the plan; says whether that is more than the last one had."""
        self._sync.files.write_json(NAME, _encoded(self._kept))
        return len(self._kept) > self._before

    def forget(self) -> None:
        """Forget it: the plan is made, and the next one reads afresh."""
        self._sync.files.remove(f"{NAME}.json")


@contextmanager
def waiting(sync: Sync, step: str, keep: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Count how often a step waits for its budget and gets no further, which it would do for ever.

    :param keep: keeps what was read for the next try; says whether the step got on.
    :raises BudgetSpent: when the budget needs a longer wait.
    :raises ConfigurationError: when it waited often, and in vain.
    """
    name = f"waits.{step}"
    try:
        yield
    except BudgetSpent:
        waits = 0 if keep() else (sync.files.read_json(name) or {"count": 0})["count"] + 1
        sync.files.write_json(name, {"count": waits})
        if waits <= MOST_WAITS:
            raise
        raise ConfigurationError(
            f"The step {step} waited for its request budget {waits} times and got no further: a list of the books is "
            "longer than the budget gives at once, or others spend it.",
            remedy="Raise the budget of the connection, or let other DAGs rest; then clear this task.",
        ) from None
    sync.files.remove(f"{name}.json")


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _encoded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    return {_EXACT: str(value)} if isinstance(value, Decimal) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_EXACT}:
            return Decimal(value[_EXACT])
        return {name: _decoded(each) for name, each in value.items()}
    return [_decoded(each) for each in value] if isinstance(value, list) else value
