"""One rule of a mapping: what it does with the deals that it catches."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pydantic import Field as Option
from pydantic import model_validator

from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.field import Field, Strict

ACTIONS = ("skip", "park", "set", "add_line", "split")
LINES = "lines."
SET_IN_LINES = ("description", "item", "account", "taxCode", "project")
"""What a rule may set in lines: anything that changes no amount."""

SPLIT_BY = ("project", "account")
WHOLE = Decimal(100)


class AddLine(Strict):
    """A line that is added to the lines of a deal."""

    description: Field
    percent: Decimal | None = Option(None, gt=0, description="Percent of what the lines before it add up to")
    amount: Field | None = Option(None, description="Its amount; none is added where that is empty")
    item: Field | None = None
    account: Field
    tax_code: Field = Option(alias="taxCode")
    project: Field | None = None

    @model_validator(mode="after")
    def _one_amount(self) -> AddLine:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("give either percent or amount")
        return self

    def fields(self) -> dict[str, Field]:
        """Give the fields of the line, without its amount."""
        given = {"description": self.description, "account": self.account, "taxCode": self.tax_code}
        more = {"item": self.item, "project": self.project}
        return given | {name: field for name, field in more.items() if field is not None}


class Rule(Strict):
    """Catches deals by a condition, and does one thing with them."""

    when: str | None = Option(None, description="Which deals it catches; all of them, if not given")
    skip: str | None = Option(None, description="Why such a deal is not billed")
    park: str | None = Option(None, description="Why such a deal waits for a person")
    set: dict[str, Field] | None = Option(None, description="Fields of the invoice, and of its lines as lines.Field")
    add_line: AddLine | None = Option(None, description="A line that is added")
    split: dict[str, dict[str, Decimal]] | None = Option(
        None, description="lines.project or lines.account -> value -> percent of each line; together 100"
    )

    @model_validator(mode="after")
    def _does_one_thing(self) -> Rule:
        given = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(ACTIONS)}")
        if self.when is None and (self.skip is not None or self.park is not None):
            raise ValueError(f"a rule that would {given[0]} every deal; add when")
        for name in self.set or {}:
            if name.startswith(LINES) and name.removeprefix(LINES) not in SET_IN_LINES:
                raise ValueError(f"set takes fields of the invoice, and lines. with one of {', '.join(SET_IN_LINES)}")
        self._check_shares()
        return self

    def _check_shares(self) -> None:
        for name, shares in (self.split or {}).items():
            if name.removeprefix(LINES) not in SPLIT_BY or not name.startswith(LINES):
                raise ValueError("split takes lines.project or lines.account")
            if (total := sum(shares.values(), Decimal(0))) != WHOLE or min(shares.values()) <= 0:
                raise ValueError(f"the shares of {name} add up to {total.normalize():f}; each above 0, together 100")
        if self.split is not None and len(self.split) != 1:
            raise ValueError("split takes one of lines.project and lines.account")

    @property
    def label(self) -> str:
        """Say what it does, for people."""
        if self.add_line:
            said = self.add_line.description.value
            return f"add_line {said}" if isinstance(said, str) else "add_line"
        if self.set or self.split:
            return f"{'set' if self.set else 'split'} {', '.join(self.set or self.split or {})}"
        return f"park: {self.park}" if self.skip is None else f"skip: {self.skip}"

    def fields(self) -> Iterator[tuple[tuple[str, ...], Field]]:
        """List the fields that read the deal, with their places in the rule."""
        for name, field in (self.set or {}).items():
            yield ("set", name), field
        if self.add_line:
            for name, field in self.add_line.fields().items():
                yield ("add_line", name), field
            if self.add_line.amount:
                yield ("add_line", "amount"), self.add_line.amount

    def changes(self) -> list[str]:
        """Name the fields of the invoice that it changes; ``lines`` stands for all lines."""
        names = ["lines" if name.startswith(LINES) else name for name in self.set or {}]
        return list(dict.fromkeys([*names, *(["lines"] if self.add_line or self.split else [])]))


LINE_FIELDS = {f"{LINES}{name}": target for name, target in INVOICE.lines.items()}
"""The fields of lines, as rules name them."""
