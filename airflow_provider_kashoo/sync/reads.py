"""What a plan read of single records before it had to wait for its budget.

Without it a plan that needs more requests than the budget gives at a time would begin anew after each wait, and never
end. What is hours old by then is old in the plan alone: a record is read again right before it is written.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.sync import Sync

NAME = "reads"
MOST_WAITS = 24
_EXACT = "decimal"


class Reads:
    """The single reads of one plan, each paid for once."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        staged = sync.files.read_json(NAME) or {"kept": {}, "waits": 0}
        self._kept: dict[str, Any] = _decoded(staged["kept"])
        self._before, self._waits = len(self._kept), staged["waits"]

    def read(self, target: str, kashoo_id: int, version: int) -> dict[str, Any] | None:
        """Read a record of the books, or give what was read of it before the wait; None when it is not there.

        :param version: of its link: what was read before another run wrote it does not fit that.
        :raises BudgetSpent: when the budget needs a longer wait; what was read so far is kept.
        """
        key = f"{target}/{kashoo_id}/{version}"
        if key not in self._kept:
            self._kept[key] = self._sync.kashoo.read(target, kashoo_id)
        return self._kept[key]  # type: ignore[no-any-return]

    def keep(self) -> None:
        """Keep what was read for the next try of the plan.

        :raises ConfigurationError: when it waited often and read nothing in between: it would do so for ever.
        """
        waits = 0 if len(self._kept) > self._before else self._waits + 1
        if waits > MOST_WAITS:
            raise ConfigurationError(
                f"The plan waited for its request budget {waits} times and got no further: a list of the books is "
                "longer than the budget gives at once, or others spend it.",
                remedy="Raise the budget of the connection, or let other DAGs rest; then clear its task plan.",
            )
        self._sync.files.write_json(NAME, {"kept": _encoded(self._kept), "waits": waits})

    def forget(self) -> None:
        """Forget it: the plan is made, and the next one reads afresh."""
        self._sync.files.remove(f"{NAME}.json")


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
