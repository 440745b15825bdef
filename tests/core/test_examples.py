"""The example mappings: each golden file says what is read and what becomes of it, as its readers would check it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from airflow_provider_kashoo.core.mapping.golden import differences, made_of
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings

EXAMPLES = Path(__file__).parents[2] / "include" / "mappings" / "examples"
GOLDEN = sorted(EXAMPLES.glob("*/golden/*.yaml"))
RESULTS = ("made", "left_out", "parked")


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: f"{file.parents[1].name}/{file.stem}")
def test_an_example_makes_what_its_golden_file_says(file: Path) -> None:
    case = yaml.safe_load(file.read_text("utf-8"))
    found = made_of(load_mappings(file.parents[1]), case["read"])
    expected = {name: case.get(name, {}) for name in RESULTS}
    assert list(differences(expected, found)) == []


def test_each_example_has_a_golden_file_and_nothing_else_is_read_as_a_mapping() -> None:
    billing = {path for path in EXAMPLES.iterdir() if path.is_dir() and any(path.glob("invoice_from_*.yaml"))}
    assert {file.parents[1] for file in GOLDEN} == billing


def test_the_examples_that_write_to_salesforce_have_no_mistake() -> None:
    found = load_mappings(EXAMPLES / "receivables")
    assert {each.to for each in found.values()} == {"Account", "Case", "Kashoo_Invoice__c", "Kashoo_Payment__c"}
    assert all(each.has_own_record for each in found.values())


def test_a_difference_is_named_with_its_place() -> None:
    case = {"made": {"invoices": {"006": {"lines": [{"rate": "1"}, {"rate": "2"}]}}}}
    other = deepcopy(case)
    other["made"]["invoices"]["006"]["lines"][1]["rate"] = "3"
    assert list(differences(case, other)) == ["made.invoices.006.lines[2].rate: expected '2', found '3'"]
    assert list(differences(case, {"made": {}})) == [
        "made.invoices: expected {'006': {'lines': [{'rate': '1'}, {'rate': '2'}]}}, found None"
    ]


def test_a_path_that_no_record_fills_is_named() -> None:
    mappings = load_mappings(EXAMPLES / "manufacturing")
    with pytest.raises(ValueError, match=r"no Order has a \w+, so nobody knows its type"):
        made_of(mappings, {"Order": [{"Id": "801000000000001AAA", "StatusCode": "Draft"}]})


def test_the_golden_file_in_the_docs_is_true() -> None:
    page = (EXAMPLES.parents[2] / "docs" / "how-to" / "test-a-mapping.md").read_text("utf-8")
    case = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    found = made_of(load_mappings(EXAMPLES / "services"), case["read"])
    assert list(differences({name: case[name] for name in RESULTS}, found)) == []
