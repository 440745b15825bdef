"""A mapping file as YAML: the place of each part, what YAML would misread, and files that are made to do harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.core.mapping.file.load import load_mapping, read_mapping
from airflow_provider_kashoo.core.mapping.file.mistakes import MappingMistakes, Mistake, Places
from airflow_provider_kashoo.core.mapping.file.yaml_file import LONGEST, Mark, read_yaml

ITEM = """\
version: 1
name: items
from: {object: Product2}
to: item
fields:
  name: {from: Name}
  account: "4000"
"""


def places(text: str) -> list[str]:
    return [str(each) for each in read_mapping(text, "m.yaml").mistakes]


@pytest.mark.parametrize(
    ("text", "where", "offset", "column"),
    [
        ("when: [IsWon, Amount > 1]", ("when", 1), 0, 15),
        ("when: [IsWon, Amount > 1]", ("when", 1), 9, 24),
        ('when: [IsWon, "Amount > 1"]', ("when", 1), 9, 25),
        ("when: [IsWon, 'Amount > 1']", ("when", 1), 0, 16),
        ("when: ['It''s > 1']", ("when", 0), 9, 8),  # not as it stands: the beginning must do
        ('when: ["😀 == 1"]', ("when", 0), 5, 14),
        ("when:\n- >\n  Amount\n  > 1", ("when", 0), 7, 3),
        ("when: [IsWon]", ("when", 7), None, 1),
        ("when: [IsWon]", ("nothing",), None, 1),
    ],
)
def test_a_place_is_a_key_or_a_character_of_a_value(text: str, where: tuple, offset: int | None, column: int) -> None:
    mistake = Places("m", read_yaml(text).marks).mistake(where, "what", "fix", offset)
    assert mistake.column == column


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.data())
def test_what_follows_a_part_that_is_left_out_keeps_its_place(items: list[int], data: st.DataObject) -> None:
    gone = data.draw(st.integers(0, len(items) - 1))
    text = "when:\n" + "".join(f"- {{a: {each}}}\n" for each in items)
    before = Places("m", read_yaml(text).marks)
    after = before.without(("when", gone))
    kept = [number for number in range(len(items)) if number != gone]
    for now, number in enumerate(kept):
        assert (
            after.marks["when", now, "a"]
            == before.marks["when", number, "a"]
            == Mark(2 + number, 4, (2 + number, 7), True)
        )
    assert ("when", len(kept)) not in after.marks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 0400", "m.yaml:1:4: YAML reads 0400 as another number, because it begins with 0. Write"),
        ("a: off", "m.yaml:1:4: YAML reads the word off as false. Write"),
        ("a: 1\na: 2", "m.yaml:2:1: the key 'a' appears twice. Keep one of them."),
        ("a:\n\t- b", "m.yaml:2:1: not YAML: a tab. Indent with blanks."),
        ("a: é\0b", "m.yaml:1:5: not YAML: a control character. Remove it; editors may not show it."),
        ("a: !!python/object/apply:os.system [ls]", "m.yaml:1:4: not YAML. Check indentation, quotes and colons"),
        ("a: \ud800", "m.yaml:1:1: not YAML. Check indentation, quotes and colons"),
        ("[" * 100_000, "m.yaml:1:41: more than 40 levels, one in the other. Check indentation and brackets."),
        ("- " * 100_000, "m.yaml:1:81: more than 40 levels, one in the other. Check indentation and brackets."),
        ("a: &a [b]\nc: *a\nd: *a", "m.yaml:2:4: the alias *a stands for something else. Write it out."),
        ("x" * 10_000_000, f"m.yaml:1:1: the file has 10,000,000 characters, and a mapping has at most {LONGEST:,}."),
        ("a: 1\n---\na: 2", "m.yaml:2:1: a second mapping in one file. Write it to a file of its own."),
        ("%YAML 9\n---\n", "m.yaml:1:8: not YAML. Check indentation, quotes and colons"),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_yaml_refuses_or_misreads_is_said_once_and_at_once(text: str, said: str) -> None:
    begun = time.monotonic()
    assert places(text)[0].startswith(said)
    assert len([each for each in places(text) if said in each]) == 1
    assert time.monotonic() - begun < 5


def test_a_word_that_yaml_misreads_is_said_once_and_read_as_it_is_written() -> None:
    text = ITEM + "  taxCode: {from: Province, map: {ON: H, NO: G}}\n"
    assert places(text) == [
        'm.yaml:8:35: YAML reads the word ON as true. Write "ON" in quotes, or true or false.',
        'm.yaml:8:42: YAML reads the word NO as false. Write "NO" in quotes, or true or false.',
    ]


def test_keys_of_a_map_are_texts_and_days_may_stand_without_quotes() -> None:
    more = "  code: {from: IsActive, map: {true: yes it is, 1: one, 2026-01-31: a day}}\n"
    mapping = load_mapping(ITEM + more, "m.yaml")
    assert mapping.fields["code"].map == {"true": "yes it is", "1": "one", "2026-01-31": "a day"}


def test_several_mistakes_are_said_together_in_the_order_of_the_file() -> None:
    text = (
        ITEM.replace("version: 1", "version: 2").replace("to: item", "to: item\nwhen: [Name ==, 5]").replace("4000", "")
    )
    with pytest.raises(MappingMistakes) as refused:
        load_mapping(text + "  colour: red\n  code: {from: a b}\n  taxCode: [x]\n", "m.yaml")
    docs = "See airflow kashoo docs mapping."
    no_field = "is no field; write one name, a path such as Account.Name, or expr to compute it"
    form = "a text, a whole number, true, false, or a block such as {from: Name}"
    assert str(refused.value).splitlines() == [
        "The mapping files have 6 mistakes:",
        f"  m.yaml:1:1: version: '2' is not 1. {docs}",
        f"  m.yaml:5:15: 'Name ==' is not a valid condition. {docs}",
        "  m.yaml:5:17: when.1: '5' is not a text. Write it in quotes.",
        "  m.yaml:9:3: item has no field 'colour'. Known: account, code, description, name, taxCode.",
        f"  m.yaml:10:3: fields.code: 'a b' {no_field}. {docs}",
        f"  m.yaml:11:3: fields.taxCode: '['x']' is not {form}. {docs} Nothing was written.",
    ]


def test_one_mistake_is_said_in_one_line() -> None:
    found = MappingMistakes([Mistake("m.yaml", 2, 3, "it is wrong", "Mend it.")] * 2)
    assert str(found) == "m.yaml:2:3: it is wrong. Nothing was written. Mend it."
