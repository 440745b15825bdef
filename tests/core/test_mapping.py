from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings

SHIPPED = Path(__file__).parents[2] / "include" / "mappings"
CUSTOMER = """\
version: 1
name: customers
from: {object: Account}
to: customer
fields:
  name: {from: Name}
"""
INVOICE = """\
# A comment moves every line.
version: 1
name: invoices
from: {object: Opportunity, lines: OpportunityLineItems}
to: invoice
when:
  - IsWon
  - Amount >= 100
fields:
  contact: {link: AccountId, mapping: customers}
  date: {from: CloseDate}
  currency: {from: CurrencyIsoCode}
lines:
  amount: {from: TotalPrice}
  account: "4000"
  taxCode: none
"""
BACK = """\
version: 1
name: back
from: {object: invoice}
to: Opportunity
fields:
  Paid__c: {from: paid}
"""


def fault(text: str, file: str = "m.yaml") -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_mapping(text, file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "old", "new", "place", "words"),
    [
        (INVOICE, "{object: Opp", "{object: [Opp", 4, "not YAML"),
        (INVOICE, "  date:", "\tdate:", 11, "not YAML"),
        (CUSTOMER, CUSTOMER, "", 1, "the file is empty"),
        (CUSTOMER, CUSTOMER, "- a\n- b\n", 1, "the file is no mapping"),
        (CUSTOMER, "version: 1", "version: 2", 1, "version: '2' is not 1"),
        (CUSTOMER, "name: customers\n", "", 1, "name: it is missing"),
        (INVOICE, "fields:", "feilds:", 9, "unknown key 'feilds'. Nothing was written. Did you mean 'fields'?"),
        (INVOICE, "lines: Opp", "line: Opp", 4, "unknown key 'line'. Nothing was written. Did you mean 'lines'?"),
        (INVOICE, "Items}", "Items, order: SortOrder LIMIT 1}", 4, "'SortOrder LIMIT 1' is not an order"),
        (
            INVOICE,
            "Items}",
            'Items, order: "Id, (SELECT Id FROM Notes)"}',
            4,
            "'(SELECT Id FROM Notes)' is not an order",
        ),
        (INVOICE, "Items}", 'Items, order: "Id,"}', 4, "'' is not an order; write: Field, or Field DESC NULLS LAST"),
        (INVOICE, "Items}", 'Items, pick: {Notes: "Id LIMIT 9"}}', 4, "'Id LIMIT 9' is not an order"),
        (INVOICE, ", lines: OpportunityLineItems", ", order: Id", 4, "order sorts lines, and there are none"),
        (INVOICE, "date: {from:", "date: {form:", 11, "unknown key 'form'. Nothing was written. Did you mean 'from'?"),
        (INVOICE, "  date:", "  dat:", 11, "invoice has no field 'dat'. Nothing was written. Did you mean 'date'?"),
        (INVOICE, "  taxCode:", "  taxcode:", 16, "no field 'taxcode'. Nothing was written. Did you mean 'taxCode'?"),
        (INVOICE, "  date: {from: CloseDate}\n", "", 9, "fields lacks the required 'date'"),
        (INVOICE, "  taxCode: none\n", "", 13, "lines lacks the required 'taxCode'"),
        (INVOICE, INVOICE[INVOICE.index("lines:\n") :], "", 2, "an invoice needs lines or single_line"),
        (INVOICE, "Amount >= 100", "Amount >=", 8, "'Amount >=' is not a valid condition"),
        (INVOICE, "Amount >= 100", "len(Name) > 2", 8, "'len(Name)' is not a field"),
        (INVOICE, "{from: CloseDate}", "{from: CloseDate, value: x}", 11, "exactly one of from, value, text, link"),
        (INVOICE, "{from: CloseDate}", "{optional: true}", 11, "exactly one of from, value, text, link"),
        (INVOICE, ", mapping: customers", "", 10, "link and mapping go together"),
        (INVOICE, "{link: AccountId, mapping: customers}", "{from: AccountId}", 10, "'contact' must be a link"),
        (INVOICE, "{from: CloseDate}", "{link: Id, mapping: customers}", 11, "'date' cannot be a link"),
        (INVOICE, "date: {from: CloseDate}", "date: 1.5", 11, "fields.date: '1.5' is not a text, a whole number"),
        (INVOICE, "taxCode: none", "taxCode: {from: T, map: {NO: S}}", 16, "reads the word NO as false. Nothing was"),
        (INVOICE, "taxCode: none", "taxCode: {from: T, map: {N: ON}}", 16, 'Write "ON" in quotes, or true or false.'),
        (INVOICE, "taxCode: none", "taxCode: *x", 16, "the alias *x stands for something else"),
        (INVOICE, "taxCode: none", "taxCode: {from: TotalPrice * 1.05}", 16, "'TotalPrice * 1.05' is no field; write"),
        (INVOICE, "taxCode: none", 'taxCode: {text: "{Tax"}', 16, "expected '}' before end of string"),
        (INVOICE, "taxCode: none", 'taxCode: {text: "{Tax:.2f}"}', 16, "'.2f' is no format; numbers are written as"),
        (INVOICE, "taxCode: none", 'taxCode: {text: "{}"}', 16, "text takes {Path} and nothing else"),
        (INVOICE, "taxCode: none", "taxCode: none\n  taxCode: S", 17, "the key 'taxCode' appears twice"),
        (INVOICE, "to: invoice", "to: invioce", 5, "Did you mean 'invoice'?"),
        (
            BACK,
            "{from: paid}",
            "{from: payed}",
            6,
            "an invoice has no 'payed'. Nothing was written. Did you mean 'paid'?",
        ),
        (CUSTOMER, "fields:", "reduces: {from: ParentId}\nfields:", 5, "a mapping to customer has no reduces"),
        (BACK, "fields:", 'when: [status == "Paid"]\nfields:', 5, "a write-back without match has no when"),
        (BACK, "{from: paid}", '{text: "{payd} of {total}"}', 6, "an invoice has no 'payd'"),
    ],
)
def test_every_fault_is_named_with_file_line_and_what_to_write(text, old, new, place, words):
    assert old in text
    message = fault(text.replace(old, new, 1))
    assert re.match(rf"m\.yaml:{place}:\d+: ", message), message
    assert words in message


def test_the_unchanged_examples_are_without_fault():
    assert load_mapping(INVOICE, "m.yaml").into_books
    assert not load_mapping(BACK, "m.yaml").into_books


def in_directory(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    return tmp_path


def faults_of(directory: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_mappings(directory)
    return str(caught.value)


def test_mappings_are_read_in_the_order_of_their_files(tmp_path):
    assert list(load_mappings(in_directory(tmp_path, b=CUSTOMER, a=INVOICE, c=BACK))) == [
        "invoices",
        "customers",
        "back",
    ]


def test_a_link_to_an_unknown_mapping_names_its_line_and_the_nearest(tmp_path):
    text = INVOICE.replace("mapping: customers", "mapping: customer")
    message = faults_of(in_directory(tmp_path, a=text, b=CUSTOMER))
    assert message.startswith(f"{tmp_path / 'a.yaml'}:10:3: links to the unknown mapping 'customer'")
    assert message.endswith("Did you mean 'customers'?")


def test_a_link_in_a_default_is_checked_too(tmp_path):
    default = "mapping: customers, default: {link: ParentId, mapping: parents}"
    message = faults_of(in_directory(tmp_path, a=INVOICE.replace("mapping: customers", default), b=CUSTOMER))
    assert message.startswith(f"{tmp_path / 'a.yaml'}:10:3: links to the unknown mapping 'parents'")


def test_a_doubled_name_is_refused_where_it_stands_the_second_time(tmp_path):
    message = faults_of(in_directory(tmp_path, a=CUSTOMER, b="\n" + CUSTOMER))
    assert message.startswith(
        f"{tmp_path / 'b.yaml'}:3:1: a second mapping named customers, after {tmp_path / 'a.yaml'}:2:1"
    )


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("Opportunitiy", "Did you mean 'Opportunity'?"),
        ("Order", "Known: Opportunity. Or add match: for a record of its own."),
        (
            "Account",
            "Known: Opportunity. Or add match: for a record of its own.",
        ),  # its customer is written to the books, but no invoice is made of it
    ],
)
def test_a_write_back_to_what_no_invoice_is_made_of_is_refused_and_names_the_nearest(tmp_path, to, says):
    text = BACK.replace("to: Opportunity", f"to: {to}")
    message = faults_of(in_directory(tmp_path, a=INVOICE, b=CUSTOMER, c=text))
    fault = f"no mapping makes invoices from {to}, so there is nothing to write back to it"
    assert message == f"{tmp_path / 'c.yaml'}:4:1: {fault}. Nothing was written. {says}"


def test_a_write_back_is_checked_whichever_file_comes_first(tmp_path):
    order = INVOICE.replace("name: invoices", "name: orders").replace("{object: Opportunity,", "{object: Order,")
    files = {"a": BACK.replace("to: Opportunity", "to: Order"), "b": order, "c": INVOICE, "d": CUSTOMER}
    assert list(load_mappings(in_directory(tmp_path, **files))) == ["back", "orders", "invoices", "customers"]


def test_a_directory_without_mappings_says_how_to_get_some(tmp_path):
    for directory in (tmp_path, tmp_path / "missing"):
        assert "airflow kashoo init" in faults_of(directory)


def test_the_shipped_mappings_all_load_and_point_to_each_other():
    mappings = load_mappings(SHIPPED)
    assert {name: mapping.to for name, mapping in mappings.items()} == {
        "customer_from_account": "customer",
        "invoice_from_opportunity": "invoice",
        "invoice_from_order": "invoice",
        "item_from_product": "item",
        "payment_to_opportunity": "Opportunity",
        "payment_to_order": "Order",
    }
    assert all(name == Path(mapping.file).stem for name, mapping in mappings.items())
    targets = {link.mapping: mappings[link.mapping].to for each in mappings.values() for link in each.links()}
    assert targets == {"customer_from_account": "customer", "item_from_product": "item"}


def test_a_mapping_knows_which_paths_it_reads_where_and_which_may_be_missing():
    extra = "  dueDate: {from: CloseDate, add_days: {from: Account.Terms__c, optional: true, default: 30}}\n"
    extra += '  memo: {text: "{Name} for {Account.Name}", default: {from: Memo__c, optional: true}}\n'
    mapping = load_mapping(
        INVOICE.replace("lines:\n  amount", extra + "lines:\n  amount") + "sale: {from: Sale__c}\n", "m"
    )
    assert mapping.header_paths() == {
        "AccountId": (("fields", "contact"), False),
        "CloseDate": (("fields", "dueDate"), False),
        "CurrencyIsoCode": (("fields", "currency"), False),
        "Account.Terms__c": (("fields", "dueDate"), True),
        "Name": (("fields", "memo"), False),
        "Account.Name": (("fields", "memo"), False),
        "Memo__c": (("fields", "memo"), True),
        "Sale__c": (("sale",), False),
        "IsWon": (("when", 0), False),
        "Amount": (("when", 1), False),
    }
    order = dict.fromkeys(("SortOrder", "CreatedDate"), (("from", "order"), True))
    assert mapping.line_paths() == {"TotalPrice": (("lines", "amount"), False)} | order
    assert mapping.place("fields", "memo") == "m:14:3"
    assert mapping.place("fields", "memo", "no such part") == "m:14:3"


def test_an_order_that_is_asked_for_must_exist_and_the_usual_one_need_not():
    asked = load_mapping(INVOICE.replace("Items}", 'Items, order: "Product2.Name DESC, SortOrder"}'), "m")
    paths = {name: asked.line_paths()[name] for name in ("Product2.Name", "SortOrder")}
    assert paths == dict.fromkeys(paths, (("from", "order"), False))
    assert "CreatedDate" not in asked.line_paths()


def test_a_path_is_optional_only_when_every_field_that_reads_it_says_so():
    both = CUSTOMER + "  notes: {from: Extra__c, optional: true}\n  city: {from: Extra__c}\n"
    assert load_mapping(both, "m").header_paths()["Extra__c"][1] is False
    turned = CUSTOMER + "  city: {from: Extra__c}\n  notes: {from: Extra__c, optional: true}\n"
    assert load_mapping(turned, "m").header_paths()["Extra__c"][1] is False


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "add_days: 30",
            'add_days: "45 days"',
            "dueDate: add_days: '45 days' is not a number. Nothing was written. Correct the constant.",
        ),
        ("currency: {from: CurrencyIsoCode}", "currency: Canadian", "currency: 'Canadian' is not a three-letter ISO"),
        (
            "date: {from: CloseDate}",
            "date: {from: CloseDate, default: soon}",
            "date: 'soon' is not a date. Nothing was",
        ),
        ("quantity: {from: Quantity}", "quantity: {from: Size, map: {L: many}, default: 1}", "'many' is not a number"),
        ("amount: {from: TotalPrice}", "amount: {from: Price, default: '1,000'}", "'1,000' is not a"),
    ],
)
def test_a_constant_that_its_field_never_takes_is_refused(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = (SHIPPED / "invoice_from_opportunity.yaml").read_text("utf-8")
    text = text.replace("add_days: {from: Account.Payment_Terms__c, optional: true, default: 30}", "add_days: 30")
    text = re.sub(r" +#.*", "", text).replace(old, new, 1)
    assert new in text
    for other in ("customer_from_account", "item_from_product"):
        (tmp_path / f"{other}.yaml").write_text((SHIPPED / f"{other}.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "deals.yaml").write_text(text, "utf-8")
    said = faults_of(tmp_path)
    assert (fault in said, "deals.yaml:" in said) == (True, True), said


def test_a_file_that_would_be_passed_over_for_its_name_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CUSTOMER)
    (tmp_path / "b.yml").write_text(INVOICE)
    with pytest.raises(ConfigurationError, match=r"b.yml:1:1: a file \*.yml is not read. .*Rename it to b.yaml."):
        load_mappings(tmp_path)


def test_the_mistakes_of_several_files_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 2", "utf-8")
    (tmp_path / "b.yaml").write_text("name: [", "utf-8")
    said = faults_of(tmp_path)
    assert said.startswith("The mapping files have 6 mistakes:")
    assert ("a.yaml:1:1: version: '" in said, "b.yaml:2:1: not YAML" in said) == (True, True)


def test_aliases_that_stand_for_a_billion_words_are_refused_at_once() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in itertools.pairwise("abcdefghij")
    )
    with pytest.raises(ConfigurationError, match=r"m\.yaml:2:8: the alias \*a stands for something else"):
        load_mapping(bomb, "m.yaml")
