"""``airflow kashoo init --salesforce``: what an administrator deploys is printed, or written; nothing is sent."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from airflow_provider_kashoo.cli import commands as cli

STATUS = "force-app/main/default/objects/Order/fields/Kashoo_Status__c.field-meta.xml"


@pytest.fixture
def mappings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An AIRFLOW_HOME with one mapping, without pools or store."""
    folder = tmp_path / "include" / "mappings"
    folder.mkdir(parents=True)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    monkeypatch.setenv("AIRFLOW__KASHOO__MAPPINGS_DIR", str(folder))
    text = "version: 1\nname: back\nfrom: {object: invoice}\nto: Order\nfields:\n  Kashoo_Status__c: {from: status}\n"
    (folder / "back.yaml").write_text(text)
    return folder


def init(*words: str | Path) -> int | str:
    parser = ArgumentParser()
    (group,) = cli.get_kashoo_commands()
    (command,) = [each for each in group.subcommands if each.name == "init"]
    for arg in command.args:
        arg.add_to_parser(parser)
    try:
        command.func(parser.parse_args([str(word) for word in words]))
    except SystemExit as stopped:
        return stopped.code or 0
    return 0


def test_the_project_is_printed(mappings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("--salesforce") == 0
    printed = capsys.readouterr().out
    assert f"== {STATUS}\n<?xml" in printed
    assert "<field>Order.Kashoo_Status__c</field>" in printed
    assert [each.name for each in mappings.parents[1].iterdir() if each.suffix in {".db", ".sqlite"}] == []


def test_the_project_is_written_once_and_never_over_another(
    mappings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    assert init("--salesforce", "--write", project) == 0
    assert "<restricted>true</restricted>" in (project / STATUS).read_text()
    assert f"made   {project / STATUS}\n" in capsys.readouterr().out
    assert init("--salesforce", "--write", project) == 0
    assert f"same   {project / STATUS}\n" in capsys.readouterr().out
    (project / STATUS).write_text("<mine/>")
    (project / "sfdx-project.json").unlink()
    said = init("--salesforce", "--write", project)
    assert said == f"{project} has another {STATUS}. Nothing was written. Give an empty folder, and compare the two."
    assert (project / STATUS).read_text() == "<mine/>"
    assert not (project / "sfdx-project.json").exists()


def test_a_mistake_in_a_mapping_is_said_first(mappings: Path, tmp_path: Path) -> None:
    (mappings / "back.yaml").write_text("version: 1\n")
    assert "back.yaml:1:1" in str(init("--salesforce", "--write", tmp_path / "project"))
    assert not (tmp_path / "project").exists()


def test_a_folder_that_cannot_be_written_is_named(mappings: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = str(init("--salesforce", "--write", tmp_path / "file" / "project"))
    assert "cannot be written" in said
    assert str(tmp_path / "file") in said


@pytest.mark.parametrize("words", [("--write", "x"), ("--describe", "x")])
def test_its_options_need_it(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert init(*words) == 2
    assert "go with --salesforce" in capsys.readouterr().err
