"""A mapping file as far as it is understood: what is faulty is left out, so that the rest can be checked as well."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from airflow_provider_kashoo.core.errors import shown
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake, Places
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where, read_yaml
from airflow_provider_kashoo.core.values.texts import close_to, nearest

DOCS = "See airflow kashoo docs mapping."
"""The page comes with the package; whoever has only that finds no file of the repository."""

_NOUNS = {
    "string_": "a text",
    "list_": "a list, such as [a, b]",
    "dict_": "a block, such as {a: b}",
    "decimal_": "a number, such as 5",
    "int_": "a whole number",
    "bool_": "true or false",
}
"""How a type of pydantic's faults begins -> what is wanted."""

STAND_INS: dict[str, Any] = {"version": 1, "name": "", "fields": {}}
"""What a file is read with that lacks one of these; without the others, nothing more can be said of it."""

_UNIT = "version", "name", "from", "to"
"""Keys that are understood as a whole or not at all; of the others, each entry is."""


class Draft:
    """A mapping file, and the mistakes that were found in it.

    :param text: YAML.
    :param file: name used in messages.
    """

    def __init__(self, text: str, file: str) -> None:
        content = read_yaml(text)
        self.places = Places(file, content.marks)
        self.mistakes = [Mistake(file, *slip) for slip in content.slips]
        self.gone: set[Where] = set()
        self._data = deepcopy(content.data)
        self._is_read = bool(content.marks) or not content.slips

    def mapping(self) -> Mapping | None:
        """Give the mapping, as far as it is understood; None if hardly anything is."""
        if not self._is_read:
            return None
        for _ in range(2):
            try:
                mapping = Mapping.model_validate(self._data)
            except ValidationError as error:
                self._refuse(error)
            else:
                mapping._places = self.places  # noqa: SLF001  not a key of the file
                return mapping
        return None

    def leave_out(self, where: Where) -> None:
        """Take a part out; call it last place first, because what follows in a list moves up."""
        part = self._data
        for step in where[:-1]:
            part = part[step]
        del part[where[-1]]
        self.places = self.places.without(where)
        self.gone.add(where)

    def _refuse(self, error: ValidationError) -> None:
        """Note the mistakes, and leave out the parts that have them."""
        fresh = not self.gone  # what is wrong only without a part that was left out is no mistake of its own
        faults = error.errors()
        unknown = [tuple(each["loc"]) for each in faults if each["type"] == "extra_forbidden"]
        meant = {(*where[:-1], near) for where in unknown if (near := close_to(str(where[-1]), _keys(where[:-1])))}
        faulty: dict[Where, None] = {}
        seen: set[Where] = set()
        for each in faults:
            loc: Where = tuple(each["loc"])
            where = loc if each["type"] == "missing" else self._found(loc)
            if fresh and where not in seen and not (each["type"] == "missing" and loc in meant):
                self.mistakes.append(self._explained(where, each))
            seen.add(where)
            if (unit := self._unit(where)) is not None:
                faulty[unit] = None
        for where in sorted(faulty, key=lambda each: [str(each[0]), *each[1:]], reverse=True):
            self.leave_out(where)
        self.gone |= {where[:2] for where in meant}
        if isinstance(self._data, dict):
            self._data = {**{key: deepcopy(value) for key, value in STAND_INS.items()}, **self._data}
            self.gone |= {(key,) for key in STAND_INS if (key,) not in self.places.marks}

    def _found(self, loc: Where) -> Where:
        """Cut what leads to a fault to what the file has; pydantic names its own types, too."""
        where: Where = ()
        for step in loc:
            found = next((each for each in ((*where, step), (*where, str(step))) if each in self.places.marks), None)
            if found is None:
                break
            where = found
        return where

    def _unit(self, where: Where) -> Where | None:
        """Give the part that is left out because of a fault in it."""
        if not where or where[:1] not in self.places.marks:
            return None
        unit = where[:1] if where[0] in _UNIT else where[:2]
        return unit if unit in self.places.marks else where[:1]

    def _explained(self, where: Where, fault: Any) -> Mistake:
        name = ".".join(str(part) for part in where) or "the file"
        if fault["type"] == "extra_forbidden":
            what, fix = f"unknown key {where[-1]!r}", nearest(str(where[-1]), _keys(where[:-1]))
        elif fault["type"] == "enum":
            known, given = re.findall(r"'(\w+)'", fault["ctx"]["expected"]), str(fault["input"])
            what, fix = f"{name} is {given!r}, and takes {', '.join(known)}", nearest(given, known)
        elif fault["type"] in {"model_type", "model_attributes_type"} and where:
            takes = "a text, a whole number, true, false, or a block such as {from: Name}"
            block = isinstance(fault["input"], str)  # where a value is wanted, a text is one
            what = f"{name}: {shown(fault['input'])} is not {'a block, such as {a: b}' if block else takes}"
            fix = DOCS
        elif not where:
            what, fix = "the file is empty" if fault["input"] is None else "the file is no mapping", DOCS
        else:
            said, near = _without_advice(_plainly(fault))
            what, fix = f"{name}: {said}", near or DOCS
            if fault["type"] == "string_type" and isinstance(fault["input"], int | float):
                fix = "Write it in quotes."
        offset = getattr(fault.get("ctx", {}).get("error"), "offset", None)  # of an expression
        return self.places.mistake(where, what, fix, offset)


def _plainly(fault: Any) -> str:
    """Say a fault without the words of pydantic."""
    noun = next((noun for kind, noun in _NOUNS.items() if fault["type"].startswith(kind)), "")
    if noun:
        return f"{shown(fault['input'])} is not {noun}"
    if fault["type"] == "missing":
        return "it is missing"
    if fault["type"] == "literal_error":
        return f"{shown(fault['input'])} is not {fault['ctx']['expected']}"
    return str(fault["msg"]).removeprefix("Value error, ")


def _without_advice(said: str) -> tuple[str, str]:
    """Take the nearest known name off a message; see :func:`~.texts.nearest`."""
    found = re.fullmatch(r"(.*?)\. ((?:Did you mean|Known:) .*)", said, re.DOTALL)
    return (found[1], found[2]) if found else (said, "")


def _keys(where: Where) -> list[str]:
    """List the keys that a block of a file may have."""
    kind: Any = Mapping
    for step in where:
        kind = next(_inner(kind, step), None)
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return [option.alias or key for key, option in kind.model_fields.items()] if is_model else []


def _inner(kind: Any, step: str | int) -> Iterator[Any]:
    """Give the model of a part of a block."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        kinds = [each.annotation for key, each in kind.model_fields.items() if (each.alias or key) == step]
    else:
        kinds = list(get_args(kind)[-1:])
    for each in kinds:
        options = get_args(each) if get_origin(each) in {types.UnionType, Union} else [each]
        yield from (option for option in options if _leads_on(option))


def _leads_on(kind: Any) -> bool:
    return get_origin(kind) in {list, dict} or (isinstance(kind, type) and issubclass(kind, BaseModel))
