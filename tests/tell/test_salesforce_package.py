"""What an administrator deploys to Salesforce: fields, objects and permissions, made of mappings."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_kashoo.clients.describe import ObjectInfo, object_info
from airflow_provider_kashoo.core.mapping.file.load import read_mapping
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.reports.salesforce_package import NAMESPACE, NewField, Package, files_of
from airflow_provider_kashoo.sandbox.salesforce.schema import Schema
from airflow_provider_kashoo.sync.check.needed import needed
from airflow_provider_kashoo.sync.run.mapping_files import read_files

GOLDEN = Path(__file__).parent / "golden" / "salesforce_package.txt"
EXAMPLES = Path(__file__).parents[2] / "include" / "mappings"

DEALS = """
version: 1
name: deals
from: {object: Opportunity, lines: OpportunityLineItems, pick: {Milestones__r: Due__c}}
to: invoice
when: [IsWon, Region__c == "EU & UK", Account.Terms__c > 5]
fields:
  contact: {link: AccountId, mapping: customers}
  date: {from: CloseDate}
  dueDate: {from: Milestones__r.Due__c}
  currency: {from: CurrencyIsoCode}
  poNumber: {from: Po__c, optional: true}
  memo: {from: Partner__r.Code__c}
lines:
  description: {from: PricebookEntry.Product2.Name, default: {from: Description}}
  amount: {from: TotalPrice}
  account: "4000"
  taxCode: none
"""
BACK = """
version: 1
name: back
from: {object: invoice}
to: Opportunity
fields:
  Paid__c: {from: paid}
  Status__c: {from: status}
  Is_Paid__c: {from: status, map: {Paid: "true", Overpaid: "true"}, default: "false"}
  Days__c: {from: days_overdue}
  Share__c: {expr: paid / total}
  Note__c: {text: "<{number}> & {status}", max_length: 1000}
  Fixed__c: Kashoo
  NextStep: {from: number}
  Mixed__c: {from: due_date, default: none}
"""
INVOICES = """
version: 1
name: invoices
from: {object: invoice}
to: Bill__c
match: Key__c
when: [balance > 0]
fields:
  Deal__c: {from: opportunity}
  Either__c: {from: deal}
  Due__c: {from: due_date}
leave:
  Closed__c: true
"""
PAYMENTS = """
version: 1
name: payments
from: {object: payment}
to: Receipt__c
match: Receipt_Key__c
fields:
  Name: {from: number}
  Bill__r.Key__c: {from: invoice_key}
  Till__r.Number__c: {from: number}
"""


def read(*texts: str) -> list[Mapping]:
    readings = [read_mapping(text.lstrip(), f"{text.split()[3]}.yaml") for text in texts]
    assert [mistake for each in readings for mistake in each.mistakes] == []
    return [each.mapping for each in readings if each.mapping]


class Org:
    """The simulated org, as a describer."""

    def __init__(self) -> None:
        self._schema = Schema(org_currency="USD", multi_currency=True)

    def describe(self, sobject: str) -> ObjectInfo:
        return object_info(self._schema.objects[sobject].describe(""))


@pytest.fixture(scope="module")
def package() -> Package:
    return needed(read(DEALS, BACK, INVOICES, PAYMENTS))


def test_the_files_are_those_that_were_looked_at(package: Package) -> None:
    """After a change that is meant, copy the actual text over the golden file, and look at each difference."""
    actual = "".join(f"== {path}\n{text}" for path, text in files_of(package).items())
    assert actual == GOLDEN.read_text("utf-8")


def test_every_file_is_well_formed_and_escaped(package: Package) -> None:
    files = files_of(package)
    roots = {path: ET.fromstring(text.encode()) for path, text in files.items() if path.endswith(".xml")}  # noqa: S314
    assert {root.tag.partition("}")[0] for root in roots.values()} == {f"{{{NAMESPACE}"}
    package = Package(fields={("Account", "A__c"): NewField("Picklist", values=("<a> & b",))})
    [field] = [text for path, text in files_of(package).items() if path.endswith("A__c.field-meta.xml")]
    assert "&lt;a&gt; &amp; b" in field
    assert ET.fromstring(field.encode()).find(f".//{{{NAMESPACE}}}value/{{{NAMESPACE}}}label").text == "<a> & b"  # type: ignore[union-attr]  # noqa: S314


def test_the_order_of_the_mappings_does_not_matter(package: Package) -> None:
    assert files_of(needed(read(PAYMENTS, INVOICES, BACK, DEALS))) == files_of(package)


def test_each_field_has_the_type_of_what_it_gets(package: Package) -> None:
    assert {f"{sobject}.{name}": made for (sobject, name), made in package.fields.items()} == {
        "Opportunity.Paid__c": NewField("Currency", precision=18, scale=2),
        "Opportunity.Status__c": NewField(
            "Picklist", values=("Open", "Partly Paid", "Paid", "Overpaid", "Refunded", "Void")
        ),
        "Opportunity.Is_Paid__c": NewField("Checkbox"),
        "Opportunity.Days__c": NewField("Number", precision=18),
        "Opportunity.Share__c": NewField("Number", precision=18, scale=2),
        "Opportunity.Note__c": NewField("LongTextArea", length=1000),
        "Opportunity.Fixed__c": NewField("Text", length=255),
        "Bill__c.Key__c": NewField("Text", length=80, is_key=True),
        "Bill__c.Deal__c": NewField("Lookup", to="Opportunity"),
        "Bill__c.Either__c": NewField("Text", length=18),
        "Bill__c.Due__c": NewField("Date"),
        "Bill__c.Closed__c": NewField("Checkbox"),
        "Receipt__c.Receipt_Key__c": NewField("Text", length=80, is_key=True),
        "Receipt__c.Bill__c": NewField("Lookup", to="Bill__c"),
    }
    assert package.objects == {"Bill__c": False, "Receipt__c": True}


def test_the_user_may_do_what_the_mappings_need_and_no_more(package: Package) -> None:
    allowed = {name: (access.create, access.edit) for name, access in package.access.items()}
    assert allowed == {
        "Account": (False, False),
        "Bill__c": (True, True),
        "Opportunity": (False, True),
        "Product2": (False, False),
        "Receipt__c": (True, True),
    }
    edited = {f"{sobject}.{name}" for (sobject, name), edit in package.visible.items() if edit}
    written = {f"{sobject}.{name}" for sobject, name in package.fields}
    assert edited == written | {"Opportunity.NextStep"}
    assert {f"{sobject}.{name}" for (sobject, name), edit in package.visible.items() if not edit} == {
        "Account.Terms__c",
        "Opportunity.AccountId",
        "Opportunity.Region__c",
        "OpportunityLineItem.Description",
    }


def test_what_cannot_be_known_is_said_with_its_place(package: Package) -> None:
    access = "is not known here. Give the user access by hand, or use --describe."
    yours = "by hand, and give the user access to it."
    assert package.by_hand == [
        f"deals.yaml:11:3: whether Opportunity has the optional Po__c {access}",
        f"deals.yaml:12:3: where Opportunity.Partner__r leads {access}",
        f"deals.yaml:3:1: where Opportunity.Milestones__r leads {access}",
        f"back.yaml:14:3: no type of field takes all that Mixed__c can get. Make the field Mixed__c {yours}",
        f"payments.yaml:9:3: no mapping writes the record that Till__r.Number__c names. Make the field Till__c {yours}",
    ]


def test_what_is_known_of_an_org_leaves_nothing_open() -> None:
    folders = (EXAMPLES, EXAMPLES / "examples" / "receivables")
    readings = read_files(sorted(file for folder in folders for file in folder.glob("*.yaml")))
    package = needed([each.mapping for each in readings if each.mapping], Org())
    assert package.by_hand == []
    assert package.visible["Account", "Payment_Terms__c"] is False
    assert package.visible["Account", "Kashoo_Open_Balance__c"] is True
    assert ("Opportunity", "StageName") not in package.visible


def test_the_shipped_mappings_get_the_fields_that_the_simulated_org_has() -> None:
    folders = (EXAMPLES, EXAMPLES / "examples" / "receivables")
    readings = read_files(sorted(file for folder in folders for file in folder.glob("*.yaml")))
    package = needed([each.mapping for each in readings if each.mapping])
    types = {"Currency": "currency", "Date": "date", "Lookup": "reference", "Picklist": "picklist", "Text": "string"}
    for (sobject, name), made in package.fields.items():
        there = Org().describe(sobject).fields[name]
        if (sobject, name) != ("Kashoo_Payment__c", "Kind__c"):  # a text, in that org
            assert (there.type, there.is_key) == (types[made.type], made.is_key), (sobject, name)
            assert there.values == made.values
        assert there.reference_to == ((made.to,) if made.to else ())
    assert len(package.fields) > 20
