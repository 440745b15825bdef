"""What mappings, and the rules of one, say about the same records: it may be meant, so each is a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any

from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.rule import Rule
from airflow_provider_kashoo.core.mapping.values.expressions import Comparison


def warnings_together(mappings: Iterable[Mapping]) -> Iterator[Mistake]:
    """List the mappings that may bill the same records, and the rules that contradict each other."""
    mappings = list(mappings)
    for first, second in combinations([each for each in mappings if each.bills], 2):
        if first.from_.object == second.from_.object and not exclusive(first, second):
            what = (
                f"may bill the same {second.from_.object} as {first.name} ({first.place('when')}); the records that "
                "meet both are parked"
            )
            fix = "Let their when exclude each other, such as Type == ... here, and Type != ... there."
            yield second.mistake(("when",), what, fix).warning
    for mapping in mappings:
        yield from _contradictions(mapping)


def exclusive(first: Mapping, second: Mapping) -> bool:
    """Say whether it is plain to see that no record meets the conditions of both."""
    ours, theirs = (
        [part.single for condition in mapping.conditions for part in condition.parts] for mapping in (first, second)
    )
    return any(contradict(one, other) for one in ours for other in theirs if one and other)


def contradict(one: Comparison, other: Comparison) -> bool:
    """Say whether no value meets two comparisons; False where that is not plain to see."""
    if one.path != other.path:
        return False
    return _never(one, other) or _never(other, one)


def _never(one: Comparison, other: Comparison) -> bool:
    """Say whether nothing that meets the one meets the other."""
    if one.op in {"==", "in"}:
        return all(not _meets(each, other) for each in one.constants)
    if one.op in {"<", "<="} and other.op in {">", ">="}:
        return not _holds(lambda: _ends_meet(one, other))
    return False


def _ends_meet(upper: Comparison, lower: Comparison) -> bool:
    (most,), (least,) = upper.constants, lower.constants
    return bool(least < most or (least == most and upper.op == "<=" and lower.op == ">="))


def _meets(value: Any, comparison: Comparison) -> bool:
    """Say whether a value meets a comparison; where types differ, that is left open."""
    limits = comparison.constants
    tests: dict[str, Callable[[], bool]] = {
        "==": lambda: _is_one_of(value, limits),
        "in": lambda: _is_one_of(value, limits),
        "!=": lambda: not _is_one_of(value, limits),
        "not in": lambda: not _is_one_of(value, limits),
        "<": lambda: value is not None and value < limits[0],
        "<=": lambda: value is not None and value <= limits[0],
        ">": lambda: value is not None and value > limits[0],
        ">=": lambda: value is not None and value >= limits[0],
    }
    return _holds(tests[comparison.op])


def _is_one_of(value: Any, constants: list[Any]) -> bool:
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in constants)


def _holds(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except TypeError:
        return True


def _contradictions(mapping: Mapping) -> Iterator[Mistake]:
    """List the rules that undo what an earlier one does with the same deals."""
    for (one, first), (two, second) in combinations(enumerate(mapping.rules), 2):
        before, now = (mapping.caught_by[number] for number in (one, two))
        if now is None or (before is not None and before.written == now.written):
            yield from _undone(mapping, (one, first), (two, second))


def _undone(mapping: Mapping, one: tuple[int, Rule], two: tuple[int, Rule]) -> Iterator[Mistake]:
    (number, first), (at, second) = one, two
    earlier = mapping.place("rules", number)
    for name in {*(first.set or {})} & {*(second.set or {})}:
        values = [(rule.set or {})[name].value for rule in (first, second)]
        if None not in values and values[0] != values[1]:
            what = f"sets {name} to {values[1]!r}, and the rule in {earlier} to {values[0]!r}; the last one counts"
            yield mapping.mistake(("rules", at, "set", name), what, "Remove one, or give each its own when.").warning
    if (first.skip is None) != (second.skip is None) and (first.park is None) != (second.park is None):
        what = f"catches the same deals as the rule in {earlier}; they are skipped, and none is parked"
        yield mapping.mistake(("rules", at), what, "Remove one, or give each its own when.").warning
