"""Change the code that money depends on in every small way, and count how many changes the fast tests notice.

Run by ``make test-long``. It fails if the tests of a module miss more than a tenth of its changes, or one that
``survivors.txt`` does not explain. Everything happens in a copy: the repository stays as it is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).parents[2]
PACKAGE = "airflow_provider_kashoo"
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
LEAST = 90
"""Percent of the changes that must be noticed."""

MODULES = ("core/values/money", "core/rules/totals", "core/rules/diff", "core/rules/ownership", "core/rules/operations")
TESTS = (
    "money",
    "totals_and_settlement",
    "other_currencies",
    "public_cents_and_dates",
    "diff",
    "ownership",
    "owners_of_mappings",
    "operations",
)
NOTICED = ("killed", "timeout", "segfault", "suspicious", "caught by type check")
SURVIVORS = Path(__file__).with_name("survivors.txt")

CONFIGURATION = f"""\
[tool.pytest.ini_options]
pythonpath = ["tests/support"]
markers = ["long: not run here"]

[tool.mutmut]
source_paths = ["{PACKAGE}"]
only_mutate = {[f"{PACKAGE}/{each}.py" for each in MODULES]}
also_copy = ["include"]
pytest_add_cli_args = ["-m", "not long", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {[f"tests/core/test_{each}.py" for each in TESTS]}
"""


def copy_into(folder: Path) -> None:
    """Copy what the tests need."""
    leave_out = shutil.ignore_patterns("__pycache__")
    for each in (PACKAGE, "include", "tests/core", "tests/support"):
        shutil.copytree(REPOSITORY / each, folder / each, ignore=leave_out)
    shutil.copy(REPOSITORY / "tests/conftest.py", folder / "tests")
    (folder / "pyproject.toml").write_text(CONFIGURATION)


def mutmut(folder: Path, *arguments: str) -> str:
    """Run mutmut there, and give what it prints."""
    return subprocess.run([MUTMUT, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def changed(folder: Path, name: str) -> str:
    """Say what a change puts into which function: this stays the same when other lines of the module move."""
    diff = mutmut(folder, "show", name).splitlines()
    before, after = (
        " ".join(line[1:].strip() for line in diff if line.startswith(sign) and not line.startswith(sign * 3))
        for sign in "-+"
    )
    function = re.sub(r"^x_|^xǁ|__mutmut_\d+$", "", name.rpartition(".")[2]).replace("ǁ", ".")
    return f"{function}: {before} => {after}"


def explained() -> set[str]:
    """List the changes that survivors.txt explains: each stands behind a line that says why nobody can notice it."""
    return {line for line in SURVIVORS.read_text("utf-8").splitlines() if line and not line.startswith("#")}


def main() -> int:
    """Run it; the exit code says whether enough was noticed."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_into(folder)
        subprocess.run([MUTMUT, "run"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
        outcomes = defaultdict[str, list[tuple[str, str]]](list)
        for line in mutmut(folder, "results", "--all", "true").splitlines():
            name, _, outcome = line.strip().rpartition(": ")
            module = "/".join(name.split(".")[1:-1])
            if module in MODULES:
                outcomes[module].append((name, outcome))
        failed, known = False, explained()
        for module in MODULES:
            found = outcomes[module]
            left = sorted(changed(folder, name) for name, outcome in found if outcome not in NOTICED)
            share = 100 * (len(found) - len(left)) // len(found) if found else 0
            unknown = [each for each in left if each not in known]
            print(f"{module}: {share} % of {len(found)} changes noticed, {len(left)} not")
            print("".join(f"  not explained: {each}\n" for each in unknown), end="")
            failed |= share < LEAST or bool(unknown)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
