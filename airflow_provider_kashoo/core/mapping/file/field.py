"""How one field gets its value, as it is written in a mapping file."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, field_validator, model_validator
from pydantic import Field as Option

from airflow_provider_kashoo.core.mapping.values.calculation import Calculation, calculation
from airflow_provider_kashoo.core.mapping.values.formats import Format, format_of
from airflow_provider_kashoo.core.mapping.values.own_functions import Returns

Scalar = str | int | bool

_PATH = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
SOURCES = ("from_", "value", "text", "link", "expr", "call")


class Piece(NamedTuple):
    """A piece of a template: words, then the value of a path, written by a format, if any."""

    words: str
    path: str | None
    format: Format | None


class Strict(BaseModel):
    """A part of a mapping file: it has no other keys than these."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def checked_path(path: str) -> str:
    """Refuse what is no path of a field.

    :raises ValueError: naming it, and what a path looks like.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no field; write one name, a path such as Account.Name, or expr to compute it")
    return path


class Field(Strict):
    """How one target field gets its value; a bare scalar in the file is a constant."""

    from_: str | None = Option(None, alias="from", description="Path of a source field, such as Account.Name")
    value: Scalar | None = Option(None, description="A constant")
    text: str | None = Option(None, description="Text with {Path} or {Path:format} in it")
    expr: str | None = Option(None, description="Computed from fields, such as Quantity * UnitPrice")
    call: str | None = Option(None, description="A function of your own, such as my_package.rules:terms")
    inputs: list[str] = Option(default_factory=list, description="Paths of the fields that the function gets")
    returns: Returns | None = Option(None, description="What the function returns")
    length: int | None = Option(None, ge=1, description="Most characters of a text that the function returns")
    nulls: bool = Option(False, description="The function may return nothing")
    link: str | None = Option(None, description="Path of the Salesforce id of the record to link to")
    mapping: str | None = Option(None, description="The mapping that makes the linked record")
    map: dict[str, str] | None = Option(None, description="Source value -> target value")
    default: Field | None = Option(None, description="Used when the source is empty or not in map")
    add_days: Field | None = Option(None, description="Days to add to a date")
    optional: bool = Option(False, description="The source field may not exist in this org")
    max_length: int | None = Option(None, ge=1, description="Cut text to this many characters")
    format: str | None = Option(None, description="How a number or date is written: #,##0.00, or %d %B %Y")

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Let editors take a bare constant, too."""
        return {"anyOf": [{"type": ["string", "integer", "boolean"]}, handler(core)]}

    @model_validator(mode="before")
    @classmethod
    def _constant(cls, data: Any) -> Any:
        return {"value": data} if isinstance(data, str | int | bool) else data

    @model_validator(mode="after")
    def _one_source(self) -> Field:
        for given_path in (self.from_, self.link, *self.inputs):
            if given_path:
                checked_path(given_path)
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of from, value, text, link, expr, call")
        if (self.link is None) != (self.mapping is None):
            raise ValueError("link and mapping go together")
        return self

    @model_validator(mode="after")
    def _whole_call(self) -> Field:
        if self.call is None:
            stray = [name for name in ("inputs", "returns", "length", "nulls") if name in self.model_fields_set]
            if stray:
                raise ValueError(f"{stray[0]} belongs to call, and there is none")
            return self
        if not _FUNCTION.fullmatch(self.call):
            raise ValueError(f"{self.call!r} is no function; write package.module:name")
        if not self.inputs or self.returns is None:
            raise ValueError("call needs inputs (paths of fields) and returns (text, date, number, money or code)")
        if self.length is not None and self.returns != "text":
            raise ValueError("length is for a function that returns text")
        return self

    @model_validator(mode="after")
    def _plain_format(self) -> Field:
        if self.format is not None and self.from_ is None and self.expr is None:
            raise ValueError("format goes with from or expr; inside text, write {Path:format}")
        if self.format is not None and (self.map is not None or self.add_days is not None):
            raise ValueError("format cannot be joined with map or add_days; compute with expr what is to be written")
        return self

    @field_validator("expr")
    @classmethod
    def _is_expression(cls, text: str | None) -> str | None:
        return text if text is None or calculation(text) else None

    @field_validator("format")
    @classmethod
    def _is_format(cls, text: str | None) -> str | None:
        return text if text is None or format_of(text) else None

    @field_validator("text")
    @classmethod
    def _is_template(cls, text: str | None) -> str | None:
        for _, path, _, conversion in string.Formatter().parse(text or ""):
            if path is not None and (not path or conversion):
                raise ValueError("text takes {Path} and nothing else in braces, but a format: {Path:format}")
        pieces_of(text or "")  # the formats, too
        return text

    @property
    def calculation(self) -> Calculation | None:
        """The parsed expression."""
        return None if self.expr is None else calculation(self.expr)

    @property
    def formats(self) -> list[tuple[str | None, Format]]:
        """The formats that it writes values by, each with the path of its value; None for that of the expression."""
        own = [] if self.format is None else [(self.from_, format_of(self.format))]
        return own + [(piece.path, piece.format) for piece in pieces_of(self.text or "") if piece.format]

    @property
    def computes(self) -> bool:
        """Say whether it, or a field in it, needs numbers and dates and not their texts."""
        own = self.expr is not None or self.call is not None or bool(self.formats)
        return own or any(part.computes for part in (self.default, self.add_days) if part)

    def paths(self) -> Iterator[tuple[str, bool]]:
        """List the source paths this field reads, each with whether it is optional."""
        computed = self.calculation.paths if self.calculation else ()
        in_text = (piece.path for piece in pieces_of(self.text or ""))
        for path in (self.from_, self.link, *in_text, *computed, *self.inputs):
            if path:
                yield path, self.optional
        for part in (self.default, self.add_days):
            if part:
                yield from part.paths()


def pieces_of(template: str) -> list[Piece]:
    """Take a template such as ``Invoice {number}, due {due_date:%d %B %Y}`` apart.

    :raises ExpressionError: for a format that is none.
    """
    parsed = string.Formatter().parse(template)
    return [Piece(said, path, format_of(given) if given else None) for said, path, given, _ in parsed]
