"""A mapping file as YAML: its content, the line of each part, and what YAML would silently read as something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_YES = frozenset({"on", "yes", "y"})
"""What YAML 1.1 reads as true, beside the word itself."""

Where = tuple[str | int, ...]
"""The keys and places that lead to a part of a file."""


class YamlMistake(ValueError):
    """A file cannot be read as it was meant.

    :param line: of the file, from 1.
    :param fix: what to write instead.
    """

    def __init__(self, line: int, what: str, fix: str) -> None:
        super().__init__(what)
        self.line, self.what, self.fix = line, what, fix


def read_yaml(text: str) -> tuple[Any, dict[Where, int]]:
    """Read a file.

    :returns: its content, and the line of each part.
    :raises YamlMistake: when it is no YAML, has a key twice, an alias, or a word that YAML takes for a yes or no.
    """
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent):  # a few lines of them can stand for a billion
                raise _mistake(event, f"the alias *{event.anchor} stands for something else", "Write it out.")
        node = yaml.compose(text, Loader=_LOADER)
        data = yaml.load(text, Loader=_LOADER)  # noqa: S506  safe, in C where that was built
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise YamlMistake(mark.line + 1 if mark else 1, "not YAML", "Check indentation and quotes.") from None
    except YamlMistake:
        raise
    except ValueError:  # a date such as 2026-13-45
        raise YamlMistake(1, "not YAML", "Check indentation and quotes.") from None
    if (double := _doubled(node)) is not None:
        raise _mistake(double, f"the key {double.value!r} appears twice", "Keep one of them.")
    if (word := _misread(node)) is not None:
        what = f"YAML reads the word {word.value} as {'true' if word.value.lower() in _YES else 'false'}"
        raise _mistake(word, what, f'Write "{word.value}" in quotes, or true or false.')
    return data, dict(_line_numbers(node, ())) if node else {}


def _mistake(part: Any, what: str, fix: str) -> YamlMistake:
    return YamlMistake(part.start_mark.line + 1, what, fix)


def _line_numbers(node: yaml.Node, where: Where) -> Iterator[tuple[Where, int]]:
    yield where, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*where, str(key.value))
            yield from _line_numbers(value, inner)
            yield inner, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _line_numbers(value, (*where, number))


def _doubled(node: yaml.Node | None) -> yaml.Node | None:
    """Find a key that appears twice in one block: YAML's reader silently keeps the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                return key  # type: ignore[no-any-return]
            seen.add(str(key.value))
    return next((found for part in _parts(node) if (found := _doubled(part)) is not None), None)


def _misread(node: yaml.Node | None) -> yaml.Node | None:
    """Find a word such as ON or NO, the code of Ontario or Norway, that YAML reads as a yes or no."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":bool") and node.value.lower() not in {"true", "false"}:
        return node
    return next((found for part in _parts(node) if (found := _misread(part)) is not None), None)


def _parts(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
