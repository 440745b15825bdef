"""What the package imports is what pyproject.toml declares: nothing comes along by luck."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "airflow_provider_kashoo"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = packages_distributions()


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~!; ]", each)[0].lower() for each in requirements}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)


def distribution(module: str) -> str | None:
    """Name what a module comes from; None for Python itself and this package."""
    top, *rest = module.split(".")
    if top in sys.stdlib_module_names or top == PACKAGE.name:
        return None
    if top == "airflow":
        return f"apache-airflow-providers-{rest[1]}" if rest[:1] == ["providers"] else "apache-airflow"
    return DISTRIBUTIONS[top][0].lower()


def needed(*, sandbox: bool) -> set[str]:
    files = [path for path in PACKAGE.rglob("*.py") if (PACKAGE / "sandbox" in path.parents) is sandbox]
    return {name for path in files for module in imported(path) if (name := distribution(module))}


def test_what_is_imported_is_declared() -> None:
    base, extras = declared(PROJECT["dependencies"]), PROJECT["optional-dependencies"]
    assert needed(sandbox=False) - base - declared(extras["pdf"]) - declared(extras["demo"]) == set()
    assert needed(sandbox=True) - base - declared(extras["sandbox"]) == set()


def test_each_declaration_that_is_not_airflow_says_why() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    lines = {name: re.search(rf'^    "{name}\b.*$', text, re.MULTILINE | re.IGNORECASE) for name in WITH_A_REASON}
    assert [name for name, line in lines.items() if line is None or "#" not in line[0]] == []


WITH_A_REASON = ("tenacity", "urllib3", "starlette", "simple-salesforce", "PyJWT", "fastapi")


def test_what_the_benchmarks_import_is_there() -> None:
    """They run by hand, and import what they measure only then."""
    missing = []
    for file in (REPOSITORY / "bench").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
                module = importlib.import_module(str(node.module))
                submodules = {path.stem for path in Path(str(module.__file__)).parent.glob("*.py")}
                missing += [each.name for each in node.names if each.name not in {*vars(module), *submodules}]
    assert missing == []
