"""What ``check`` says of mappings, held against a saved file of the sandbox: nobody is asked."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from inprocess import in_process
from rounds import Rounds

from airflow_provider_kashoo.core.mapping.file.load import understood
from airflow_provider_kashoo.core.mapping.file.mistakes import Mistake
from airflow_provider_kashoo.sync.check.against import joined, mistakes_into_books, mistakes_of_write_backs
from airflow_provider_kashoo.sync.check.saved import Asked, load, save
from airflow_provider_kashoo.sync.check.sides import Sides
from airflow_provider_kashoo.sync.preflight import open_sides
from airflow_provider_kashoo.sync.run.mapping_files import files_of, mistakes_of, read_files

SHIPPED = Path(__file__).parents[2] / "include" / "mappings"


def save_sandbox(file: Path, folder: Path) -> list[Mistake]:
    """Save what the sandbox knows of its objects and books; give what it says of the shipped mappings, asked live."""
    with in_process() as box:
        drive = Rounds(box, folder)
        sync = drive.sync()
        live = open_sides(sync)
        asked = Asked(live.salesforce)
        found = held(Sides(asked, live.codes, live.zone), SHIPPED)
        asked.complete(sync.mappings.values())
        assert live.codes
        save(file, asked.objects, live.codes)
        drive.end()
    return found


@cache
def sides() -> Sides:
    """Both sides of the sandbox, as they were saved once."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "describe.json"
        save_sandbox(file, Path(folder) / "run")
        return load(file, "UTC")


def held(against: Sides, folder: Path) -> list[Mistake]:
    """List what is wrong with the mappings of a folder, warnings included."""
    readings = read_files(files_of(folder))
    mappings = list(understood(readings).values())
    found = [*mistakes_into_books(mappings, against), *mistakes_of_write_backs(mappings, against)]
    return joined(mistakes_of(readings), found)


def edited(folder: Path, name: str, *edits: tuple[str, str]) -> Path:
    """Copy the shipped mappings with edits in one of them, which is called ``m.yaml``."""
    shutil.copytree(SHIPPED, folder / "mappings")
    file = folder / "mappings" / f"{name}.yaml"
    text = file.read_text("utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    file.unlink()
    (folder / "mappings" / "m.yaml").write_text(text, "utf-8")
    return folder / "mappings"


def said(folder: Path) -> list[str]:
    """Say what is wrong, without the folder; warnings begin with ``(warning)``."""
    found = held(sides(), folder)
    lines = [f"{'(warning) ' * each.may_be_meant}{each}".replace(f"{folder}/", "") for each in found]
    return [re.sub(r"/\S*/describe.json", "describe.json", line) for line in lines]
