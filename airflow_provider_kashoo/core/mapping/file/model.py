"""A mapping file, typed and strict; :mod:`.load` reads and checks one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field as Option
from pydantic import PrivateAttr, field_validator, model_validator

from airflow_provider_kashoo.core.kinds import CUSTOMER, MAPPED, TOLD, is_billed
from airflow_provider_kashoo.core.mapping.file.field import Field, Strict
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake, Places
from airflow_provider_kashoo.core.mapping.file.pdf import InvoicePdf
from airflow_provider_kashoo.core.mapping.file.policies import EVERY_OWNED, OnDuplicate, Owner
from airflow_provider_kashoo.core.mapping.file.rule import LINES, Rule
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.expressions import Condition
from airflow_provider_kashoo.core.mapping.values.order import AS_SOLD, Term, parse
from airflow_provider_kashoo.core.values.money import Rounding


class Source(Strict):
    """Where records come from."""

    object: str = Option(description="Salesforce object; for a write-back from Kashoo invoice, payment or customer")
    lines: str | None = Option(None, description="Child relationship whose records are the lines")
    order: str | None = Option(None, description="SOQL order of the lines; by default SortOrder, CreatedDate")
    pick: dict[str, str] = Option(
        default_factory=dict,
        description="Child relationship -> SOQL order; the first child is read as Relationship.Field",
    )

    @field_validator("order")
    @classmethod
    def _is_order(cls, text: str | None) -> str | None:
        return text if text is None or parse(text) else None

    @field_validator("pick")
    @classmethod
    def _are_orders(cls, orders: dict[str, str]) -> dict[str, str]:
        return {relationship: text for relationship, text in orders.items() if parse(text)}

    @model_validator(mode="after")
    def _order_of_lines(self) -> Source:
        if self.order and not self.lines:
            raise ValueError("order sorts lines, and there are none; add lines, or remove order")
        return self


class Mapping(Strict):
    """One mapping file: from what, to what, by which rules."""

    version: Literal[1]
    name: str
    from_: Source = Option(alias="from")
    to: str = Option(description="customer, item or invoice; for a write-back, a Salesforce object")
    when: list[str] = Option(default_factory=list, description="All must be true; each counts what it excluded")
    sale: Field | None = Option(None, description="Id of the sale; records with the same sale are billed once")
    total: Field | None = Option(None, description="What the lines must add up to")
    rounding: Rounding = Option(
        Rounding.HALF_UP, description="What becomes of half a cent, in a total and in a line of a rule with percent"
    )
    reduces: Field | None = Option(None, description="Id of the record whose invoice a negative one reduces")
    on_leave: Literal["review", "void_unpaid"] = Option(
        "review", description="What happens to an invoice whose deal must no longer be billed"
    )
    follow: list[str] = Option(
        default_factory=list,
        description="Paths of other records, such as Account.Payment_Terms__c, whose changes change an open invoice",
    )
    after_payment: list[str] = Option(
        default_factory=list, description="Fields that follow the deal even after a payment: memo, poNumber, dueDate"
    )
    owners: dict[str, Owner] = Option(
        default_factory=dict,
        description="Field, lines or default -> whose value stays when both sides changed it",
        json_schema_extra={"propertyNames": {"enum": EVERY_OWNED}},
    )
    on_duplicate: OnDuplicate = Option(
        OnDuplicate.LINK, description="What is done with a customer or item that is like one in Kashoo"
    )
    rules: list[Rule] = Option(
        default_factory=list, max_length=60, description="What is done with deals besides, in this order"
    )
    fields: dict[str, Field]
    lines: dict[str, Field] = Option(default_factory=dict)
    single_line: dict[str, Field] = Option(default_factory=dict, description="The line of a deal without lines")
    match: str | None = Option(
        None, description="External id field by which a record of its own is found: one for each invoice or payment"
    )
    find: dict[str, Field] = Option(
        default_factory=dict, description="Fields by which records that are there already are found, instead of match"
    )
    leave: dict[str, Field] = Option(
        default_factory=dict, description="Fields of its own record that are written once `when` is not met any more"
    )
    comment: str | None = Option(None, description="Comment to the Case, with {Path} in it, when money came in")
    auto_assign: bool = Option(False, description="Whether Salesforce's assignment rules choose the owner")
    attach_pdf: InvoicePdf | None = Option(None, description="The invoice is attached as a PDF; true, or how it looks")

    _conditions: list[Condition] = PrivateAttr(default_factory=list)
    _caught_by: list[Condition | None] = PrivateAttr(default_factory=list)
    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def into_books(self) -> bool:
        """Return whether this mapping writes to Kashoo; otherwise it writes back to Salesforce."""
        return self.to in MAPPED

    @property
    def tells(self) -> bool:
        """Return whether this mapping writes the state of an invoice to the record that it was billed from."""
        return not self.into_books and not self.has_own_record

    @property
    def has_own_record(self) -> bool:
        """Return whether it writes to a record of its own in Salesforce, or to the Account of a customer."""
        has_key = self.match is not None or bool(self.find)
        return self.from_.object in TOLD and (has_key or self.from_.object == CUSTOMER.name)

    @property
    def pdf(self) -> InvoicePdf | None:
        """How the PDF of an invoice looks; None if none is attached."""
        return self.attach_pdf

    @property
    def bills(self) -> bool:
        """Return whether this mapping makes invoices."""
        return is_billed(self.to)

    @property
    def conditions(self) -> list[Condition]:
        """The parsed ``when`` lines."""
        return self._conditions

    @property
    def caught_by(self) -> list[Condition | None]:
        """The parsed condition of each rule; None for one that catches every deal."""
        return self._caught_by

    @property
    def ruled(self) -> dict[str, Field]:
        """What rules set, fields of lines as ``lines.Field``; of several rules the last."""
        return {name: spec for rule in self.rules for name, spec in (rule.set or {}).items()}

    def placed_conditions(self) -> Iterator[tuple[Where, Condition]]:
        """List the conditions, those of rules too, with their places."""
        for number, condition in enumerate(self.conditions):
            yield ("when", number), condition
        for number, caught_by in enumerate(self.caught_by):
            if caught_by:
                yield ("rules", number, "when"), caught_by

    @property
    def total_paths(self) -> set[str]:
        """The source paths of the total."""
        return {path for path, _ in self.total.paths()} if self.total else set()

    @property
    def line_order(self) -> tuple[Term, ...]:
        """What the lines are sorted by."""
        return parse(self.from_.order) if self.from_.order else AS_SOLD

    def place(self, *where: str | int) -> str:
        """Return file, line and column of a part of the mapping, for messages."""
        return self.mistake(where, "").place

    def mistake(self, where: Where, what: str, fix: str = "", offset: int | None = None) -> Mistake:
        """Give a mistake in a part of the mapping its place; see :meth:`.Places.mistake`."""
        return self._places.mistake(where, what, fix, offset)

    @property
    def file(self) -> str:
        """The file, as messages name it."""
        return self._places.file

    def header_fields(self) -> Iterator[tuple[Where, Field]]:
        """List every field that reads the record itself, with its place in the file."""
        for section in ("fields", "single_line", "leave", "find"):
            for name, field in getattr(self, section).items():
                yield (section, name), field
        for name in ("sale", "total", "reduces"):
            if field := getattr(self, name):
                yield (name,), field
        for number, rule in enumerate(self.rules):
            for where, field in rule.fields():
                yield ("rules", number, *where), field

    def header_paths(self) -> dict[str, tuple[Where, bool]]:
        """Source path -> its place and whether it is optional, for the record itself."""
        found = _paths(self.header_fields())
        for where, condition in self.placed_conditions():
            for path in condition.paths:
                found.setdefault(path, (where, False))
        return found

    def line_paths(self) -> dict[str, tuple[Where, bool]]:
        """Source path -> its place and whether it is optional, for the lines and their order."""
        found = _paths((("lines", name), field) for name, field in self.lines.items())
        for term in self.line_order:
            if self.from_.order or term.path not in found:
                found[term.path] = (("from", "order"), self.from_.order is None)
        return found

    def part_paths(self) -> dict[str, dict[str, tuple[Where, bool]]]:
        """Child relationship that makes several invoices of a deal -> the paths that are read of a child, placed."""
        found: dict[str, dict[str, tuple[Where, bool]]] = {}
        for number, rule in enumerate(self.rules):
            if invoices := rule.invoices:
                placed = {
                    path: (("rules", number, "split", "invoices", key), False) for key, path in invoices.paths().items()
                }
                found[invoices.from_] = found.get(invoices.from_, {}) | placed
        return found

    def sections(self) -> Iterator[tuple[Where, str, Field]]:
        """List what fills a field of the target or of its lines: its place, the name of the field, and how."""
        for section in ("fields", "lines", "single_line", "leave"):
            for name, field in getattr(self, section).items():
                yield (section, name), name, field
        for number, rule in enumerate(self.rules):
            for where, field in rule.fields():
                yield ("rules", number, *where), where[-1].removeprefix(LINES), field
            for name, shares in rule.split_lines.items():
                for share in shares:
                    yield ("rules", number, "split", name, share), name.removeprefix(LINES), Field(value=share)

    def placed_links(self) -> Iterator[tuple[Where, Field]]:
        """List the fields that link to another mapping's record, defaults included, with their places."""
        for where, _, field in self.sections():
            each: Field | None = field
            while each:
                if each.link:
                    yield where, each
                each = each.default

    def links(self) -> Iterator[Field]:
        """List the fields that link to another mapping's record, defaults included."""
        return (field for _, field in self.placed_links())


def _paths(fields: Any) -> dict[str, tuple[Where, bool]]:
    found: dict[str, tuple[Where, bool]] = {}
    for where, field in fields:
        for path, optional in field.paths():
            found[path] = (where, optional and found.get(path, (where, True))[1])
    return found
