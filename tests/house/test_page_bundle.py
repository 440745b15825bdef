"""The page that is committed is what its sources build to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
UI = REPOSITORY / "ui"
COMMITTED = REPOSITORY / "airflow_provider_kashoo" / "plugins" / "static" / "kashoo.js"


@pytest.fixture(scope="module")
def tools() -> Path:
    """What ui/package.json installs."""
    if shutil.which("node") is None and not os.environ.get("CI"):
        pytest.skip("there is no node")
    tools = UI / "node_modules" / ".bin"
    assert tools.is_dir(), "Run: make page"
    return tools


def test_the_committed_page_is_built_of_its_sources(tools: Path, tmp_path: Path) -> None:
    build = json.loads((UI / "package.json").read_text())["scripts"]["build"]
    command = [each for each in build.split() if not each.startswith("--outfile")]
    assert command[0] == "esbuild"
    built = tmp_path / "kashoo.js"
    subprocess.run([tools / "esbuild", *command[1:], f"--outfile={built}"], cwd=UI, check=True)
    assert built.read_bytes() == COMMITTED.read_bytes(), "The page is out of date. Run: make page"


def test_the_sources_of_the_page_have_the_right_types(tools: Path) -> None:
    done = subprocess.run([tools / "tsc", "--noEmit"], cwd=UI, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_page_loads_nothing_from_anywhere() -> None:
    script = COMMITTED.read_text("utf-8")
    assert not re.findall(r"https?://[^\"'`\s]*|sourceMappingURL", script)
    assert len(script) < 100_000, "React and Chakra are those of Airflow: is one of them in the bundle?"


def test_versions_are_exact() -> None:
    package = json.loads((UI / "package.json").read_text())
    assert "dependencies" not in package
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", each) for each in package["devDependencies"].values())


def test_the_places_have_the_names_that_airflow_looks_for() -> None:
    plugin = (REPOSITORY / "airflow_provider_kashoo" / "plugins" / "kashoo.py").read_text()
    registered = re.findall(r'"name": "([^"]+)",\s*"bundle_url"', plugin)
    places = re.search(r"const PLACES = (\[.*\]);", (UI / "src" / "main.ts").read_text())
    assert places is not None
    assert json.loads(places[1]) == registered
