from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from airflow_provider_kashoo import get_provider_info
from airflow_provider_kashoo.cli import commands as cli
from airflow_provider_kashoo.get_provider_info import get_provider_info as info


def schema(name: str) -> dict:
    return json.loads(resources.files("airflow").joinpath(name).read_text("utf-8"))


def test_the_provider_info_fits_airflows_schema() -> None:
    jsonschema.validate(info(), schema("provider_info.schema.json"))


def test_the_connection_form_fits_airflows_schema() -> None:
    whole = schema("provider.yaml.schema.json")
    part = {**whole["properties"]["connection-types"], "definitions": whole.get("definitions", {})}
    jsonschema.validate(info()["connection-types"], part)
    options = {**whole["properties"]["config"], "definitions": whole.get("definitions", {})}
    jsonschema.validate(info()["config"], options)


def test_the_provider_info_imports_nothing_that_could_break_airflow() -> None:
    tree = ast.parse(Path(get_provider_info.__file__).read_text("utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {getattr(node, "module", None) for node in imported} == {"__future__", "typing"}


def test_every_class_and_function_the_provider_info_names_exists() -> None:
    import importlib

    given = info()
    names = [each["hook-class-name"] for each in given["connection-types"]] + given["cli"]
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))
    for module in [
        each for part in ("hooks", "operators", "triggers") for row in given[part] for each in row["python-modules"]
    ]:
        importlib.import_module(module)


def test_airflow_discovers_the_provider_and_its_hook() -> None:
    from airflow.providers_manager import ProvidersManager

    from airflow_provider_kashoo.hooks.kashoo import KashooHook

    manager = ProvidersManager()
    assert "airflow-provider-kashoo" in manager.providers
    hook = manager.hooks["kashoo"]
    assert hook is not None
    assert (hook.hook_name, hook.connection_type, hook.connection_id_attribute_name) == (
        "Kashoo",
        KashooHook.conn_type,
        "kashoo_conn_id",
    )


def test_the_connection_form_offers_exactly_the_extras_that_are_read() -> None:
    (form,) = info()["connection-types"]
    assert set(form["conn-fields"]) == {"business_id", "budget", "reference_field", "profile"}
    default = json.loads(form["conn-fields"]["budget"]["schema"]["default"])
    from airflow_provider_kashoo.hooks.kashoo import DEFAULT_BUDGET, DEFAULT_HOST

    assert default == DEFAULT_BUDGET
    assert form["ui-field-behaviour"]["placeholders"]["host"] == DEFAULT_HOST


def test_every_setting_has_its_default_without_any_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import conf

    monkeypatch.delenv("AIRFLOW__KASHOO__APPROVE_FIRST_RUN")
    assert {name: conf.get("kashoo", name, fallback=None) for name in info()["config"]["kashoo"]["options"]} == {
        "store_conn_id": "kashoo_store",
        "mappings_dir": None,
        "staging_path": None,
        "staging_retention_days": "7",
        "time_zone": "UTC",
        "approve_invoice_above": None,
        "approve_total_above": None,
        "approve_writes_above": None,
        "approve_voids": "True",
        "approve_first_run": "True",
        "delta_overlap_seconds": "600",
        "delta_margin_seconds": "300",
        "send_deadline_seconds": "60",
        "settle_seconds": "600",
        "late_after_hours": "26",
        "notify": None,
        "notify_billed": "True",
        "notify_names": "False",
        "notify_after_empty_runs": "7",
        "watch_seconds": "0",
    }


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_kashoo.settings import settings

    monkeypatch.setenv("AIRFLOW__KASHOO__DELTA_MARGIN_SECONDS", "7")
    monkeypatch.setenv("AIRFLOW__KASHOO__TIME_ZONE", "America/Toronto")
    assert (settings().margin.total_seconds(), settings().zone) == (7, "America/Toronto")
    assert settings().overlap.total_seconds() == 600


def test_mappings_are_looked_for_in_the_setting_then_beside_the_dags_then_in_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from airflow_provider_kashoo.settings import mappings_dir, shipped

    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    assert mappings_dir() == shipped("include/mappings")
    beside = tmp_path / "include" / "mappings"
    beside.mkdir(parents=True)
    assert mappings_dir() == beside
    monkeypatch.setenv("AIRFLOW__KASHOO__MAPPINGS_DIR", str(tmp_path / "own"))
    assert mappings_dir() == tmp_path / "own"


def test_the_commands_are_those_of_the_docs() -> None:
    (group,) = cli.get_kashoo_commands()
    assert group.name == "kashoo"
    assert {command.name for command in group.subcommands} == {
        "init",
        "check",
        "plan",
        "approve",
        "reject",
        "explain",
        "audit",
        "history",
        "docs",
        "status",
        "adopt",
        "replay",
        "undo",
        "resolve",
        "relink",
        "dismiss",
        "settle",
        "sandbox",
        "demo",
        "tie-out",
    }
    assert all(command.help for command in group.subcommands)


def test_airflow_kashoo_help_lists_every_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "kashoo", "--help"], capture_output=True, text=True, check=True
    )
    listed = Path(__file__).parents[2].joinpath("docs", "reference", "commands.md").read_text("utf-8")
    for command in cli.get_kashoo_commands()[0].subcommands:
        assert command.name in done.stdout
        assert f"`{command.name}`" in listed


def test_the_plugin_is_loaded_without_fastapi_and_mounts_one_app() -> None:
    from airflow import plugins_manager

    plugin = next(each for each in plugins_manager._get_plugins()[0] if each.name == "kashoo")
    (app,) = plugin.fastapi_apps
    assert (app["url_prefix"], app["name"]) == ("/kashoo", "Kashoo")
    light = (
        "import sys, airflow_provider_kashoo.plugins.kashoo as plugin; "
        "print([name for name in sys.modules if name.startswith('airflow_provider_kashoo')])"
    )
    done = subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, check=True)
    assert "airflow_provider_kashoo.plugins.api" not in done.stdout
