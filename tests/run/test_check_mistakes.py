"""Mistakes that people make in mappings: each is said with its place and what to write, and all of them at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from checked import SHIPPED, edited, held, said, save_sandbox, sides
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.check.saved import load

MISTAKES = yaml.safe_load((Path(__file__).parent / "check_mistakes.yaml").read_text("utf-8"))
DEALS = "invoice_from_opportunity"
FILES = {path.name: path.read_text("utf-8") for path in sorted(SHIPPED.glob("*.yaml"))}


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case["new"][:40])
def test_each_mistake_is_said_with_its_place_and_what_to_write(tmp_path: Path, case: dict) -> None:
    assert said(edited(tmp_path, case["in"], (case["old"], case["new"]))) == case["said"]


def test_the_shipped_mappings_have_none(tmp_path: Path) -> None:
    assert held(sides(), SHIPPED) == []


def test_all_mistakes_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    folder = edited(
        tmp_path,
        DEALS,
        ("name: invoice", "name: &n invoice"),
        ("  - Amount >= 100", '  - Amount = 100\n  - StageName == "Closed won"\n  - Amout > 5'),
        ("  date: {from: CloseDate}", "  dat: {from: CloseDate}"),
        ("default: 30", "default: soon"),
        ("  currency: {from: CurrencyIsoCode}", "  currency: {form: CurrencyIsoCode}"),
        ("  memo: {from: Name}", "  memo: {from: Nmae, map: {NO: Norway}}"),
        ('  account: "type:INCOME"', '  account: "40000"'),
        ("mapping: item_from_product", "mapping: item_from_products"),
        ("single_line:", "rules:\n  - {when: Amount >, skip: x}\n  - {set: {poNumber: x}, skip: y}\nsingle_lin:"),
    )
    found = [line.split(": ", 2) for line in said(folder)]
    assert [(place, what) for place, what, *_ in found if place.startswith("m.yaml")] == [
        (
            "m.yaml:9:12",
            "'Amount = 100' is not a valid condition; is equal is written ==. See airflow kashoo docs mapping.",
        ),
        ("m.yaml:10:5", "the picklist StageName has no 'Closed won'. Did you mean 'Closed Won'?"),
        (
            "m.yaml:11:5",
            "Opportunity has no field 'Amout', or the user may not see it. Did you mean 'Amount'? Or mark it optional",
        ),
        ("m.yaml:15:3", "invoice has no field 'dat'. Did you mean 'date'?"),
        ("m.yaml:18:64", "dueDate"),
        ("m.yaml:19:14", "unknown key 'form'. Did you mean 'from'?"),
        (
            "m.yaml:20:3",
            "Opportunity has no field 'Nmae', or the user may not see it. Did you mean 'Name'? Or mark it optional",
        ),
        ("m.yaml:20:28", 'YAML reads the word NO as false. Write "NO" in quotes, or true or false.'),
        ("m.yaml:22:3", "links to the unknown mapping 'item_from_products'. Did you mean 'item_from_product'?"),
        ("m.yaml:26:3", "Kashoo has no account '40000'. Did you mean '4000'?"),
        ("m.yaml:29:20", "'Amount >' is not a valid condition. See airflow kashoo docs mapping."),
        ("m.yaml:30:5", "rules.1"),
        ("m.yaml:31:1", "unknown key 'single_lin'. Did you mean 'single_line'?"),
    ]


def test_two_mappings_that_may_bill_one_record_are_named_both(tmp_path: Path) -> None:
    folder = edited(tmp_path, DEALS, ("version: 1", "version: 1"))
    text = (folder / "m.yaml").read_text("utf-8")
    other = text.replace("name: invoice_from_opportunity", "name: other")
    (folder / "n.yaml").write_text(other, "utf-8")
    assert said(folder) == [
        (
            "(warning) n.yaml:7:1: may bill the same Opportunity as invoice_from_opportunity (m.yaml:7:1); the records "
            "that meet both are parked. Let their when exclude each other, such as Type == ... here, and Type != ... "
            "there."
        )
    ]
    (folder / "n.yaml").write_text(other.replace("Amount >= 100", "Amount < 100"), "utf-8")
    assert said(folder) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("memo: {from: Name}", "memo: {from: Type, map: {Legacy: x}, default: y}"),  # an open picklist may get it
        ("memo: {from: Name}", "memo: {from: StageName, map: {Lead: x}, default: y}"),
        ("Amount >= 100", 'StageName != "Lead"'),
        ("memo: {from: Name}", "memo: {from: CloseDate}"),
        ("date: {from: CloseDate}", "date: {from: CreatedDate}"),
        ("quantity: {from: Quantity}", "quantity: {from: Description, map: {one: '1'}, default: '2'}"),
        ("currency: {from: CurrencyIsoCode}", "currency: CHF"),
    ],
)
def test_what_may_be_right_is_let_through(tmp_path: Path, old: str, new: str) -> None:
    saved = tmp_path / "saved.json"
    save_sandbox(saved, tmp_path / "run")
    kept = json.loads(saved.read_text("utf-8"))
    kept["objects"]["Opportunity"]["fields"]["StageName"]["inactive"] = ["Lead"]
    saved.write_text(json.dumps(kept), "utf-8")
    assert held(load(saved, "UTC"), edited(tmp_path, DEALS, (old, new))) == []


def test_what_was_saved_says_what_the_sides_say(tmp_path: Path) -> None:
    live = save_sandbox(tmp_path / "saved.json", tmp_path / "run")
    assert live == held(load(tmp_path / "saved.json", "UTC"), SHIPPED) == []


def test_the_saved_file_has_no_secret_and_no_record(tmp_path: Path) -> None:
    save_sandbox(tmp_path / "saved.json", tmp_path / "run")
    kept = json.loads((tmp_path / "saved.json").read_text("utf-8"))
    assert kept.keys() == {"format_version", "objects", "books"}
    assert kept["books"].keys() == {"accounts", "cash", "counted", "included", "rates", "shared"}
    allowed = {"name", "key_prefix", "replicateable", "fields", "children"}
    assert all(each.keys() == allowed for each in kept["objects"].values())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory."),
        ("", "is no file that --save-describe wrote."),
        ("[]", "is no file that --save-describe wrote."),
        ('{"format_version": "1.0"}', "is no file that --save-describe wrote."),
        ('{"format_version": "1.0", "objects": {"A": {"key_prefix": "", "fields": 3}}, "books": {}}', "is no file"),
        ('{"format_version": "2.0"}', "has the format '2.0', and '1.0' is read."),
        ('{"format_version": "1.0", "objects": {"A": {}}, "books": {}}', "wrote"),
        ("[" * 100_000, "is no file that --save-describe wrote."),
        ("\ud800".encode("utf-8", "surrogatepass"), "is no file that --save-describe wrote."),
    ],
)
def test_a_wrong_file_is_said_in_one_message(tmp_path: Path, content: str | bytes | None, says: str) -> None:
    file = tmp_path / "saved.json"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigurationError) as refused:
        load(file, "UTC")
    assert says in str(refused.value)
    assert f"airflow kashoo check --save-describe {file}" in str(refused.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corrupted") / "mappings"
    shutil.copytree(SHIPPED, folder)
    return folder


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(FILES)),
    st.floats(0, 1),
    st.characters(codec="utf-8"),
    st.sampled_from(["put", "cut", "set"]),
)
@example("payment_to_order.yaml", 0.9, "x", "put")
def test_one_wrong_character_is_said_or_does_no_harm(
    folder: Path, name: str, place: float, character: str, how: str
) -> None:
    text = FILES[name]
    at = int(place * len(text))
    broken = text[:at] + ("" if how == "cut" else character) + text[at + (how != "put") :]
    (folder / name).write_text(broken, "utf-8")
    try:
        for mistake in held(sides(), folder):
            assert mistake.line >= 1
            assert mistake.column >= 1
            assert mistake.what
            assert not mistake.what.endswith(".")
    finally:
        (folder / name).write_text(text, "utf-8")
