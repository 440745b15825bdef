"""The rules of the house, held against its source: each failure names the place, and what to do there."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from airflow_provider_kashoo.core.kinds import KINDS
from airflow_provider_kashoo.core.rules.intents import INTENTS

PACKAGE = Path(__file__).parents[2] / "airflow_provider_kashoo"
APART = ("sandbox/", "store/migrations/")
"""The simulated systems share no code with the rest, and a migration is never touched again."""

Rule = Callable[[ast.Module], Iterator[tuple[int, str]]]
"""Gives the line and the words of each breach in a module."""


@cache
def module(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def breaches(rule: Rule, within: str = "", but: tuple[str, ...] = ()) -> list[str]:
    """Hold a rule against every module under ``within``, those under ``but`` left out; give ``file:line what``."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(within) and not name.startswith((*APART, *but)):
            found += [f"{name}:{line} {what}" for line, what in rule(module(path))]
    return found


def said(found: list[str], remedy: str) -> str:
    return "\n".join([*found, remedy])


def dotted(node: ast.AST) -> list[str]:
    """Give the names of an expression such as ``self.sync.store.links``, calls and subscripts left out."""
    if isinstance(node, ast.Attribute):
        return [*dotted(node.value), node.attr]
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Subscript):
        return dotted(node.value)
    return [node.id] if isinstance(node, ast.Name) else []


# -- sizes


MOST_LINES = {"module": 400, "class": 300, "function": 50}


def too_long(tree: ast.Module) -> Iterator[tuple[int, str]]:
    if tree.body and (tree.body[-1].end_lineno or 0) > MOST_LINES["module"]:
        yield 1, f"the module has {tree.body[-1].end_lineno} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > MOST_LINES[kind]:
                yield node.lineno, f"the {kind} {node.name} has {lines} lines"


def test_one_idea_per_module_class_and_function() -> None:
    found = breaches(too_long)
    assert not found, said(found, f"Find the second idea in it, and give it a place of its own; at most {MOST_LINES}.")


# -- kinds


def compared(tree: ast.AST) -> Iterator[tuple[ast.AST, int, list[ast.expr]]]:
    """Give what each comparison, ``match`` and ``isinstance`` holds against each other; members of a display, too."""
    for node in ast.walk(tree):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            inner = [each for case in node.cases for each in ast.walk(case.pattern)]
            values = [each.value for each in inner if isinstance(each, ast.MatchValue)]
            sides = [node.subject, *values, *(each.cls for each in inner if isinstance(each, ast.MatchClass))]
        elif isinstance(node, ast.Call) and dotted(node.func) == ["isinstance"]:
            sides = node.args
        for each in list(sides):
            sides += each.elts if isinstance(each, ast.Tuple | ast.List | ast.Set) else []
            sides += [part for part in ast.walk(each) if isinstance(part, ast.BinOp)]
        if sides:
            yield node, sides[0].lineno, [part for side in sides for part in _alternatives(side)]


def _alternatives(side: ast.expr) -> list[ast.expr]:
    return [*_alternatives(side.left), *_alternatives(side.right)] if isinstance(side, ast.BinOp) else [side]


def kind_by_name(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for _, line, sides in compared(tree):
        for each in sides:
            if isinstance(each, ast.Constant) and each.value in KINDS:
                yield line, f"compares with {each.value!r}"


def test_nobody_but_the_kinds_knows_them_by_name() -> None:
    found = breaches(kind_by_name, but=("core/kinds.py",))
    assert not found, said(found, "Give Kind in core/kinds.py the trait that is asked for here, and ask that.")


# -- the store


DECIDES = {"kind", "target", "action"}
KIND_NAMES = {name.upper() for name in KINDS}
INTENT_CLASSES = {each.__name__ for each in INTENTS.values()}


def looks_up(node: ast.AST) -> bool:
    """Say whether a comparison asks whether a set that is not written out there has what the caller names."""
    return (
        isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.In | ast.NotIn)
        and isinstance(node.left, ast.Name)
        and isinstance(node.comparators[0], ast.Attribute)
    )


def store_decides(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Find where the store does one thing for one kind or action and another for the next.

    What looks up what the caller asks for, in a WHERE clause or in a kept set, decides nothing.
    """
    of_intents = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(".intents")
        for alias in node.names
        if alias.name in INTENT_CLASSES
    }
    for node, line, sides in compared(tree):
        if any("c" in dotted(each) for each in sides) or looks_up(node):
            continue
        for each in sides:
            names = dotted(each)
            key = each.slice.value if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Constant) else None
            literal = each.value if isinstance(each, ast.Constant) else None
            if names[-1:] and names[-1] in DECIDES and key is None:
                yield line, f"compares {'.'.join(names)}"
            elif key in DECIDES:
                yield line, f"compares [{key!r}]"
            elif names[:1] == ["Action"] or {*names[:1]} & (KIND_NAMES | of_intents):
                yield line, f"compares with {'.'.join(names)}"
            elif literal in KINDS:
                yield line, f"compares with {literal!r}"


def test_the_store_asks_intents_and_never_what_kind_or_action_they_are_of() -> None:
    found = breaches(store_decides, "store/")
    assert not found, said(found, "Give Action or Kind a trait, as Action.repeatable is one, and ask that.")


# -- Kashoo's JSON


WIRE = {
    "abbreviation",
    "allocations",
    "authToken",
    "balanceDue",
    "contactInformation",
    "creation",
    "lineItems",
    "myUserId",
    "removed",
    "totalDue",
    "unallocatedAmount",
}
"""Names that only Kashoo's JSON has; the others, such as ``dueDate``, are a mapping's own words too."""


def reads_wire(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        name: ast.expr | None = None
        if isinstance(node, ast.Subscript):
            name = node.slice
        elif isinstance(node, ast.Call) and dotted(node.func)[-1:] == ["get"] and node.args:
            name = node.args[0]
        if isinstance(name, ast.Constant) and name.value in WIRE:
            yield name.lineno, f"reads {name.value!r} of Kashoo's JSON"


def touches_raw(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "raw":
            yield node.lineno, "touches .raw"


def test_kashoos_json_ends_in_the_clients() -> None:
    # sync/read/books.py names staged columns so, as runs that began with an earlier version did; demo.py looks into the
    # simulated books, as whoever keeps the real ones does.
    found = breaches(reads_wire, but=("clients/", "sync/read/books.py", "demo.py"))
    assert not found, said(found, "Let Entry in clients/entries.py say it in our words.")


def test_nobody_takes_the_json_out_of_an_entry() -> None:
    found = breaches(touches_raw, but=("clients/",))
    assert not found, said(found, "Give Entry in clients/entries.py a property or method that says what is needed.")


# -- planners return values


TABLES = {"store", "tx", "files", "links", "journal", "waiting", "reviews", "written_back", "watermarks"}
STAGES = {"write_json", "write_table", "write_batches", "remove", "stage"}
ROOMS = ("core/", "sync/bill/", "sync/tell/")


@cache
def writing_methods() -> frozenset[str]:
    """Name every method of the store that writes, and all that stages."""
    names = set(STAGES)
    for path in (PACKAGE / "store").glob("*.py"):
        for node in ast.walk(module(path)):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                calls = {dotted(each.func)[-1] for each in ast.walk(node) if isinstance(each, ast.Call) if dotted(each)}
                if calls & {"writing", "_update_run"} or node.name.startswith(("mark_", "forget_")):
                    names.add(node.name)
    return frozenset(names)


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Walk over a function without those that are defined in it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from own_nodes(child)


def writing_generators(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Find generators that write, by themselves or through another function of their module."""
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    calls = {
        name: [dotted(each.func) for each in own_nodes(node) if isinstance(each, ast.Call)]
        for name, node in functions.items()
    }
    writing = {
        name
        for name, called in calls.items()
        if any(
            (each and each[-1] in writing_methods() and {*each[:-1]} & TABLES) or each[-1:] == ["stage"]
            for each in called
        )
    }
    while more := {
        name
        for name, called in calls.items()
        if name not in writing and any(each and each[-1] in writing and each[:-1] in ([], ["self"]) for each in called)
    }:
        writing |= more
    for name in sorted(writing):
        if any(isinstance(each, ast.Yield | ast.YieldFrom) for each in own_nodes(functions[name])):
            yield functions[name].lineno, f"the generator {name} writes"


@pytest.mark.parametrize("room", ROOMS)
def test_no_pass_of_a_plan_writes_between_two_yields(room: str) -> None:
    found = breaches(writing_generators, room)
    assert not found, said(
        found, "Whoever stops reading it ends the writing: return what is to be kept, write it in plan()."
    )


# -- the rules see what breaks them


BROKEN: list[tuple[Rule, str]] = [
    (too_long, "def f():\n" + "    x = 1\n" * 50),
    (too_long, "class A:\n" + "    x = 1\n" * 300),
    (too_long, "x = 1\n" * 401),
    (kind_by_name, "if kind == 'invoice': pass"),
    (kind_by_name, "if 'item' != kind: pass"),
    (kind_by_name, "if kind in ('customer', other): pass"),
    (kind_by_name, "match kind:\n    case 'invoice' | 'item': pass"),
    (store_decides, "if intent.record.kind == name: pass"),
    (store_decides, "if operation['target'] == name: pass"),
    (store_decides, "if intent.action is Action.VOID: pass"),
    (store_decides, "if action in {Action.VOID, other}: pass"),
    (store_decides, "if name == INVOICE.name: pass"),
    (store_decides, "match intent.action:\n    case Action.VOID: pass"),
    (store_decides, "from core.rules.intents import Void\nif isinstance(intent, Void): pass"),
    (store_decides, "from core.rules.intents import Link as L, Void\nif isinstance(intent, Void | L): pass"),
    (store_decides, "from core.rules.intents import Void\nmatch intent:\n    case Void(): pass"),
    (reads_wire, "row['totalDue']"),
    (reads_wire, "row.get('removed')"),
    (touches_raw, "{**entry.raw}"),
    (writing_generators, "def f(sync):\n    yield 1\n    sync.files.write_json('a', {})"),
    (writing_generators, "def f(self):\n    self._sync.store.waiting.park(1)\n    yield 1"),
    (
        writing_generators,
        "def f(sync):\n    yield from g(sync)\n    h(sync)\n\ndef h(sync):\n    sync.store.forget_books()",
    ),
]


@pytest.mark.parametrize(("rule", "code"), BROKEN)
def test_a_rule_sees_what_breaks_it(rule: Rule, code: str) -> None:
    assert list(rule(ast.parse(code)))


FINE: list[tuple[Rule, str]] = [
    (too_long, "def f():\n" + "    x = 1\n" * 49),
    (kind_by_name, "KINDS['invoice']"),
    (store_decides, "query.where(links.c.target == kind)"),
    (store_decides, "if target in row.references_seen: pass"),
    (store_decides, "if intent.action.repeatable: pass"),
    (reads_wire, "row['dueDate']"),
    (writing_generators, "def f(sync):\n    sync.files.write_json('a', {})\n    return 1"),
    (
        writing_generators,
        "def f(facts):\n    yield facts.wait(1)\n    yield facts.sync.store.links.of_sources('a', [])",
    ),
]


@pytest.mark.parametrize(("rule", "code"), FINE)
def test_a_rule_lets_the_rest_be(rule: Rule, code: str) -> None:
    assert not list(rule(ast.parse(code)))


def test_the_writing_methods_are_found() -> None:
    assert writing_methods() >= {
        "park",
        "put",
        "open",
        "close",
        "forget_books",
        "mark_books_known",
        "move",
        "write_json",
    }
    assert writing_methods().isdisjoint({"of_sources", "unsettled", "all_open", "sources", "read_table"})
