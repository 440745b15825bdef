"""Editors complete and check mapping files by a schema that is made from the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from airflow_provider_kashoo.core.mapping.file.schema import FILE, LINE, schema

SHIPPED = Path(__file__).parents[2] / "include" / "mappings"
FILES = sorted(SHIPPED.glob("*.yaml"))


def faults(mapping: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(json.loads(schema())).iter_errors(mapping)]


def test_the_schema_that_is_shipped_is_the_one_of_the_models() -> None:
    assert (SHIPPED / FILE).read_text("utf-8") == schema(), "Run: make schema"


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_shipped_file_names_the_schema_and_fits_it(file: Path) -> None:
    text = file.read_text("utf-8")
    assert (text.splitlines()[0], faults(yaml.safe_load(text))) == (LINE, [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("feilds", {}), ("when", "IsWon"), ("on_leave", "void"), ("rules", [{"add_lines": {}}]), ("version", 2)),
        *(("owners", {"memo": "nobody"}), ("owners", {"mem": "kashoo"}), ("on_duplicate", "ask")),
    ],
)
def test_an_editor_sees_what_does_not_fit(key: str, value: Any) -> None:
    mapping = yaml.safe_load((SHIPPED / "invoice_from_opportunity.yaml").read_text("utf-8"))
    assert faults(mapping | {key: value})


def test_an_editor_takes_owners_and_a_policy() -> None:
    mapping = yaml.safe_load((SHIPPED / "customer_from_account.yaml").read_text("utf-8"))
    assert faults(mapping | {"owners": {"phone": "latest", "default": "review"}, "on_duplicate": "merge"}) == []


def test_an_editor_takes_a_constant_and_a_rule() -> None:
    mapping = yaml.safe_load((SHIPPED / "invoice_from_opportunity.yaml").read_text("utf-8"))
    line = {"description": "Fee", "percent": 2.5, "account": "4200", "taxCode": "none"}
    assert faults(mapping | {"rules": [{"when": "IsWon", "add_line": line}, {"set": {"memo": "one"}}]}) == []
