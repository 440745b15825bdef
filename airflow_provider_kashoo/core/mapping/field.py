"""How one field gets its value, as it is written in a mapping file."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic import Field as Option

Scalar = str | int | bool

_PATH = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", re.ASCII)


class Strict(BaseModel):
    """A part of a mapping file: it has no other keys than these."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Field(Strict):
    """How one target field gets its value; a bare scalar in the file is a constant."""

    from_: str | None = Option(None, alias="from", description="Path of a source field, such as Account.Name")
    value: Scalar | None = Option(None, description="A constant")
    text: str | None = Option(None, description="Text with {Path} in it")
    link: str | None = Option(None, description="Path of the Salesforce id of the record to link to")
    mapping: str | None = Option(None, description="The mapping that makes the linked record")
    map: dict[str, str] | None = Option(None, description="Source value -> target value")
    default: Field | None = Option(None, description="Used when the source is empty or not in map")
    add_days: Field | None = Option(None, description="Days to add to a date")
    optional: bool = Option(False, description="The source field may not exist in this org")
    max_length: int | None = Option(None, ge=1, description="Cut text to this many characters")

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
        for given_path in (self.from_, self.link):
            if given_path and not _PATH.fullmatch(given_path):
                raise ValueError(f"{given_path!r} is no field; write one name, or a path such as Account.Name")
        given = [name for name in ("from_", "value", "text", "link") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of from, value, text, link")
        if (self.link is None) != (self.mapping is None):
            raise ValueError("link and mapping go together")
        for _, path, spec, conversion in string.Formatter().parse(self.text or ""):
            if path is not None and (not path or spec or conversion):
                raise ValueError("text takes {Path} and nothing else in braces")
        return self

    def paths(self) -> Iterator[tuple[str, bool]]:
        """List the source paths this field reads, each with whether it is optional."""
        for path in (self.from_, self.link):
            if path:
                yield path, self.optional
        for _, path, _, _ in string.Formatter().parse(self.text or ""):
            if path:
                yield path, self.optional
        for part in (self.default, self.add_days):
            if part:
                yield from part.paths()
