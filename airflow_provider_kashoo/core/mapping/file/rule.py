"""One rule of a mapping: what it does with the deals that it catches."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field as Option
from pydantic import field_validator, model_validator

from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.mapping.file.field import Field, Strict, checked_path

ACTIONS = ("skip", "park", "set", "add_line", "split", "mark_paid", "require")
LINES = "lines."
SET_IN_LINES = ("description", "item", "account", "taxCode", "project")
"""What a rule may set in lines: anything that changes no amount."""

WHOLE = Decimal(100)
_REQUIRES = "require approval"
_NEVER_FOR_ALL = frozenset({"skip", "park", "mark_paid"})


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


class MarkPaid(Strict):
    """A payment of the whole invoice of a prepaid deal."""

    account: Field = Option(description="Cash or bank account that received the money, by number or name")
    date: Field = Option(description="Day of the payment")

    def fields(self) -> dict[str, Field]:
        """Give the fields of the payment that the mapping fills."""
        return {"account": self.account, "date": self.date}


class InParts(Strict):
    """From which child records a deal becomes several invoices, one for each; paths are read from the child."""

    from_: str = Option(alias="from", description="Child relationship, such as Billing_Milestones__r")
    share: str = Option(description="Path of its percent of each line; of one deal together 100")
    date: str = Option(description="Path of the date of its invoice")
    due_date: str | None = Option(
        None, alias="dueDate", description="Path of the due date; otherwise as many days after the date as for the deal"
    )
    memo: str | None = Option(None, description="Path of the memo; otherwise that of the deal")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        return _only(data, "split: {invoices: ...}", ("from", "share", "date", "dueDate", "memo"))

    @field_validator("from_", "share", "date", "due_date", "memo")
    @classmethod
    def _are_paths(cls, path: str | None) -> str | None:
        return None if path is None else checked_path(path)

    def paths(self) -> dict[str, str]:
        """Give the key that names each path that is read from a child -> the path."""
        given = {"share": self.share, "date": self.date, "dueDate": self.due_date, "memo": self.memo}
        return {key: path for key, path in given.items() if path is not None}


class Split(Strict):
    """What is divided: each line, or the whole deal into several invoices."""

    project: dict[str, Decimal] | None = Option(
        None, alias="lines.project", description="Project -> percent of each line; together 100"
    )
    account: dict[str, Decimal] | None = Option(
        None, alias="lines.account", description="Account -> percent of each line; together 100"
    )
    invoices: InParts | None = Option(None, description="One invoice for each child record of the deal")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        return _only(data, "split", ("invoices", "lines.project", "lines.account"))

    @model_validator(mode="after")
    def _divides_one_thing(self) -> Split:
        if len(self.model_fields_set) != 1:
            raise ValueError("split takes one of invoices, lines.project and lines.account")
        for name, shares in self.shares().items():
            if (total := sum(shares.values(), Decimal(0))) != WHOLE or min(shares.values()) <= 0:
                raise ValueError(f"the shares of {name} add up to {total.normalize():f}; each above 0, together 100")
        return self

    def shares(self) -> dict[str, dict[str, Decimal]]:
        """Give the field of lines that is divided -> its values, each with the percent of a line."""
        given = {"lines.project": self.project, "lines.account": self.account}
        return {name: shares for name, shares in given.items() if shares is not None}


def _only(data: Any, what: str, keys: tuple[str, ...]) -> Any:
    """Refuse keys that there are not, in words that name those that there are."""
    if isinstance(data, dict) and (unknown := [key for key in data if key not in keys]):
        raise ValueError(f"{what} takes {', '.join(keys[:-1])} or {keys[-1]}, not {unknown[0]!r}")
    return data


class Rule(Strict):
    """Catches deals by a condition, and does one thing with them."""

    when: str | None = Option(None, description="Which deals it catches; all of them, if not given")
    skip: str | None = Option(None, description="Why such a deal is not billed")
    park: str | None = Option(None, description="Why such a deal waits for a person")
    set: dict[str, Field] | None = Option(None, description="Fields of the invoice, and of its lines as lines.Field")
    add_line: AddLine | None = Option(None, description="A line that is added")
    split: Split | None = Option(None, description="What is divided: each line, or the deal into several invoices")
    mark_paid: MarkPaid | None = Option(
        None, description="A payment is made of the whole invoice: for deals that were paid in advance, and no others"
    )
    require: Literal["approval"] | None = Option(
        None, description="A person must approve the plan that creates, changes or voids the invoice of such a deal"
    )

    @model_validator(mode="after")
    def _does_one_thing(self) -> Rule:
        given = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(ACTIONS)}")
        if self.when is None and given[0] in _NEVER_FOR_ALL:
            raise ValueError(f"a rule that would {given[0]} every deal; add when")
        for name in self.set or {}:
            if name.startswith(LINES) and name.removeprefix(LINES) not in SET_IN_LINES:
                raise ValueError(f"set takes fields of the invoice, and lines. with one of {', '.join(SET_IN_LINES)}")
        return self

    @property
    def invoices(self) -> InParts | None:
        """From which child records the deal becomes several invoices; None if it stays one."""
        return self.split.invoices if self.split else None

    @property
    def split_lines(self) -> dict[str, dict[str, Decimal]]:
        """The field of lines that is divided -> its values, each with the percent of a line."""
        return self.split.shares() if self.split else {}

    @property
    def label(self) -> str:
        """Say what it does, for people."""
        if self.add_line:
            said = self.add_line.description.value
            return f"add_line {said}" if isinstance(said, str) else "add_line"
        if self.invoices:
            return f"split into invoices by {self.invoices.from_}"
        if self.set or self.split:
            return f"{'set' if self.set else 'split'} {', '.join(self.set or self.split_lines)}"
        if self.mark_paid:
            return "mark_paid"
        if self.require:
            return f"{_REQUIRES}: {self.when}" if self.when else f"{_REQUIRES} of every deal"
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
        for name, field in self.mark_paid.fields().items() if self.mark_paid else ():
            yield ("mark_paid", name), field

    def changes(self) -> list[str]:
        """Name the fields of one invoice that it changes; ``lines`` stands for all lines."""
        names = ["lines" if name.startswith(LINES) else name for name in self.set or {}]
        return list(dict.fromkeys([*names, *(["lines"] if self.add_line or self.split_lines else [])]))


def requires_approval(label: str) -> bool:
    """Say whether the label of a rule is that of one that requires an approval."""
    return label.startswith(_REQUIRES)


LINE_FIELDS = {f"{LINES}{name}": target for name, target in INVOICE.lines.items()}
"""The fields of lines, as rules name them."""
