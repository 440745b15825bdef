"""A mapping file as YAML: its content, the place of each part, and what YAML would silently read as something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

LONGEST = 1_000_000
"""Most characters of a file; the longest mapping that anybody wrote has a few thousand."""

DEEPEST = 40
"""Most levels of a file; a mapping needs ten."""

Where = tuple[str | int, ...]
"""The keys and places that lead to a part of a file."""


class Mark(NamedTuple):
    """Where a part of a file is; lines and columns count from 1.

    :param line: of its key, or of the part itself if it has none.
    :param text: line and column of the first character of its value.
    :param plain: whether the characters of the value stand in the file one after the other.
    """

    line: int
    column: int
    text: tuple[int, int]
    plain: bool = False

    def character(self, offset: int) -> tuple[int, int]:
        """Give line and column of a character of the value, from 0, or of its beginning if that is not known."""
        line, column = self.text
        return line, column + (offset if self.plain else 0)


class Slip(NamedTuple):
    """What YAML refuses, or would read as something else."""

    line: int
    column: int
    what: str
    fix: str


@dataclass(frozen=True)
class Content:
    """What a file says.

    :param data: None if it cannot be read.
    """

    data: Any = None
    marks: dict[Where, Mark] = field(default_factory=dict)
    slips: list[Slip] = field(default_factory=list)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads words and numbers as people mean them; YAML 1.1 has more of both than they know."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  as the base has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        """Read every key as the text that it is in the file."""
        return {str(key.value): self.construct_object(value, deep=deep) for key, value in node.value}


for _tag, _form, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)\.[0-9]+", "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_form})$"), list(_first))

_WORDS = {"on": "true", "yes": "true", "off": "false", "no": "false"}
"""What YAML 1.1 takes for a yes or no, beside these words themselves."""

_OCTAL = re.compile(r"[-+]?0[0-9]+")


CHECK = "Check indentation, quotes and colons, here and in the line before."


def read_yaml(text: str) -> Content:
    """Read a file; what is not YAML at all, has aliases, or is too large has no content."""
    if len(text) > LONGEST:
        fault = f"the file has {len(text):,} characters, and a mapping has at most {LONGEST:,}"
        return Content(slips=[Slip(1, 1, fault, "Is it a mapping?")])
    try:
        if slips := list(_refused(text)):
            return Content(slips=slips)
        node = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)  # noqa: S506  safe, in C where that was built
    except yaml.YAMLError as error:
        return Content(slips=[_no_yaml(text, error)])
    except ValueError:  # half a surrogate pair
        return Content(slips=[Slip(1, 1, "not YAML", CHECK)])
    if node is None:
        return Content()
    return Content(data, dict(_marks(node, ())), [*_doubled(node), *_misread(node)])


def _refused(text: str) -> Iterator[Slip]:
    """List the aliases, each name once, and stop where a file is nested too deeply."""
    depth, said = 0, set[str | None]()
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) and event.anchor not in said:
            # a few lines of aliases can stand for a billion words
            yield _slip(event, f"the alias *{event.anchor} stands for something else", "Write it out.")
            said.add(event.anchor)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            yield _slip(event, f"more than {DEEPEST} levels, one in the other", "Check indentation and brackets.")
            return


def _no_yaml(text: str, error: yaml.YAMLError) -> Slip:
    """Say where YAML cannot be read, and why if the reason is one for people."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # a character that no file may have
        before = text.encode()[: getattr(error, "position", 0)].decode(errors="ignore")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return Slip(line, column, "not YAML: a control character", "Remove it; editors may not show it.")
    line, column = mark.line + 1, mark.column + 1
    if text.splitlines()[mark.line : line] and "\t" in text.splitlines()[mark.line][: column + 1]:
        return Slip(line, column, "not YAML: a tab", "Indent with blanks.")
    if "single document" in (getattr(error, "context", None) or ""):
        return Slip(line, column, "a second mapping in one file", "Write it to a file of its own.")
    return Slip(line, column, "not YAML", CHECK)


def _slip(part: Any, what: str, fix: str) -> Slip:
    return Slip(part.start_mark.line + 1, part.start_mark.column + 1, what, fix)


def _marks(node: yaml.Node, where: Where, key: yaml.Node | None = None) -> Iterator[tuple[Where, Mark]]:
    begin = (key or node).start_mark
    yield where, Mark(begin.line + 1, begin.column + 1, *_text_of(node))
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _marks(value, (*where, str(name.value)), name)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _marks(value, (*where, number))


def _text_of(node: yaml.Node) -> tuple[tuple[int, int], bool]:
    """Say where the text of a scalar begins, inside of its quotes, and whether it stands there as it is."""
    start, end = node.start_mark, node.end_mark
    more = end.column - start.column - len(node.value) if isinstance(node, yaml.ScalarNode) else -1
    plain = start.line == end.line and more == (2 if getattr(node, "style", None) else 0)
    return (start.line + 1, start.column + 1 + (more // 2 if plain else 0)), plain


def _doubled(node: yaml.Node) -> Iterator[Slip]:
    """Find keys that appear twice in one block: YAML's reader silently keeps the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                yield _slip(key, f"the key {key.value!r} appears twice", "Keep one of them.")
            seen.add(str(key.value))
    for part in _parts(node):
        yield from _doubled(part)


def _misread(node: yaml.Node) -> Iterator[Slip]:
    """Find words such as ON or NO, the code of Ontario or Norway, and numbers such as 0400, read in several ways."""
    if isinstance(node, yaml.ScalarNode) and not node.style:
        if read := _WORDS.get(node.value.lower()):
            what = f"YAML reads the word {node.value} as {read}"
            yield _slip(node, what, f'Write "{node.value}" in quotes, or true or false.')
        elif _OCTAL.fullmatch(node.value):
            what = f"YAML reads {node.value} as another number, because it begins with 0"
            yield _slip(node, what, f'Write "{node.value}" in quotes, or the number without the 0.')
    for part in _parts(node):
        yield from _misread(part)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
