"""What mappings need in Salesforce: fields and objects that they write, and the permissions of the user of the sync.

Known without asking an org, as far as that goes: where standard relationships lead, and which fields are visible to
everyone, so that a permission set cannot name them. With an org's describes, custom relationships are known, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_provider_kashoo.clients.describe import Describer, ObjectInfo
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.kinds import INVOICE, TOLD_TYPES
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.file.write_back_check import outcomes
from airflow_provider_kashoo.core.mapping.file.yaml_file import Where
from airflow_provider_kashoo.core.mapping.values.field_types import CHECKBOX
from airflow_provider_kashoo.core.mapping.values.order import parse
from airflow_provider_kashoo.reports.salesforce_package import Access, NewField, Package
from airflow_provider_kashoo.sync.check.paths import Paths, parted

KEY_LENGTH = 80
TEXT_LENGTH = 255
RECORD_ID = 18

LOOKUPS = {"account": "Account", "opportunity": "Opportunity", "order": "Order"}
"""What a mapping reads of an invoice -> the object whose id that is; ``deal`` may be of either."""

PARENTS = {
    **{name: name for name in ("Account", "Contact", "Opportunity", "Order", "Product2", "Pricebook2")},
    "PricebookEntry": "PricebookEntry",
    "OriginalOrder": "Order",
    "BillToContact": "Contact",
    "ShipToContact": "Contact",
    "Owner": "User",
    "CreatedBy": "User",
    "LastModifiedBy": "User",
}
"""Standard relationship -> object (evidenced)."""

CHILDREN = {"OpportunityLineItems": "OpportunityLineItem", "OrderItems": "OrderItem", "Contacts": "Contact"}
"""Standard child relationship -> object (evidenced)."""

NEEDS = {
    "Opportunity": ("Account",),
    "Order": ("Account",),
    "Contact": ("Account",),
    "Case": ("Account", "Contact"),
}
"""Object -> those that must be readable before it is (assumed; evidenced is that a deployment says so)."""

OF_ANOTHER = frozenset({"OpportunityLineItem", "OrderItem", "PricebookEntry", "User"})
"""Objects without permissions of their own: they are seen with their parent (assumed)."""

ALWAYS_SEEN = frozenset(
    "Id Name IsDeleted SystemModstamp CreatedDate CreatedById LastModifiedDate LastModifiedById OwnerId "
    "CurrencyIsoCode RecordTypeId".split()
)
SEEN_OF = {
    "Contact": "FirstName LastName".split(),
    "Opportunity": "StageName CloseDate IsClosed IsWon HasOpportunityLineItem".split(),
    "OpportunityLineItem": "OpportunityId PricebookEntryId Product2Id Quantity UnitPrice TotalPrice SortOrder".split(),
    "Order": "AccountId OrderNumber Status StatusCode EffectiveDate TotalAmount".split(),
    "OrderItem": "OrderId PricebookEntryId Product2Id Quantity UnitPrice TotalPrice SortOrder".split(),
    "PricebookEntry": "Pricebook2Id Product2Id UnitPrice".split(),
    "Case": "CaseNumber Status IsClosed".split(),
}
"""Fields that everyone sees, because they are required or of the system; a permission set that names one is refused
(evidenced). Which ones is assumed where no describe is at hand."""

_PART = re.compile(r"(Billing|Shipping|Mailing)(Street|City|State|PostalCode|Country|StateCode|CountryCode)")


def needed(mappings: Iterable[Mapping], org: Describer | None = None) -> Package:
    """Collect what mappings read and write.

    :param org: what is known of the org; None for nothing.
    """
    mappings = list(mappings)
    collected = _Needed(mappings, org)
    for mapping in mappings:
        if mapping.into_books:
            collected.reads(mapping)
        else:
            collected.writes(mapping)
    return collected.package


class _Needed:
    def __init__(self, mappings: list[Mapping], org: Describer | None) -> None:
        self.package, self._org = Package(), org
        self._read = {each.from_.object for each in mappings if each.into_books}
        self._own = [(each.match, each.to) for each in mappings if each.match and each.from_.object == INVOICE.name]

    # -- what is read

    def reads(self, mapping: Mapping) -> None:
        sobject = mapping.from_.object
        self._open(sobject)
        own, picked = parted(mapping)
        self._see_all(mapping, sobject, own)
        children: dict[str, Paths] = {}
        if mapping.from_.lines:
            children[mapping.from_.lines] = mapping.line_paths()
        for relationship, order in mapping.from_.pick.items():
            where: Where = ("from", "pick", relationship)
            sorted_by = {term.path: (where, False) for term in parse(order)}
            children[relationship] = sorted_by | picked.get(relationship, {})
        for relationship, paths in [*children.items(), *mapping.part_paths().items()]:
            child = self._child(sobject, relationship)
            if child is None:
                self._by_hand(mapping, ("from",), f"where {sobject}.{relationship} leads")
            else:
                self._open(child)
                self._see_all(mapping, child, paths)

    def _see_all(self, mapping: Mapping, sobject: str, paths: Paths) -> None:
        for path, (where, optional) in paths.items():
            at = sobject
            *relations, last = path.split(".")
            for relation in relations:
                above = self._parent(at, relation)
                if above is None:
                    self._by_hand(mapping, where, f"where {at}.{relation} leads")
                    break
                self._see(at, _link(relation))
                self._open(above)
                at = above
            else:
                if not optional or self._has(at, last):
                    self._see(at, last)
                elif not self._is_always_seen(at, last):
                    self._by_hand(mapping, where, f"whether {at} has the optional {last}")

    def _by_hand(self, mapping: Mapping, where: Where, what: str) -> None:
        said = f"{mapping.place(*where)}: {what} is not known here. Give the user access by hand, or use --describe."
        if said not in self.package.by_hand:
            self.package.by_hand.append(said)

    # -- what is written

    def writes(self, mapping: Mapping) -> None:
        sobject = mapping.to
        access = self._open(sobject)
        access.edit, access.create = True, access.create or mapping.match is not None
        if mapping.match is not None:
            if sobject.endswith("__c") and sobject not in self._read:
                self.package.objects[sobject] = "Name" in mapping.fields
            self._see(sobject, mapping.match, edit=True)
            self._make(sobject, mapping.match, NewField("Text", length=KEY_LENGTH, is_key=True))
        for name in {**mapping.fields, **mapping.leave}:
            specs = [fields[name] for fields in (mapping.fields, mapping.leave) if name in fields]
            section = "fields" if name in mapping.fields else "leave"
            self._write(mapping, (section, name), name, specs)

    def _write(self, mapping: Mapping, where: Where, name: str, specs: list[Field]) -> None:
        relationship, _, key = name.partition(".")
        sobject, link = mapping.to, _link(relationship) if key else name
        made = NewField("Lookup", to=self._with_key(key, link)) if key else _type_of(specs)
        fault = ""
        if made is None:
            fault = f"no type of field takes all that {name} can get"
        elif made.type == "Lookup" and not made.to:
            fault = f"no mapping writes the record that {name} names"
        if fault and link.endswith("__c") and not self._has(sobject, link):
            # A permission for a field that is not there would stop the deployment.
            fix = f"Make the field {link} by hand, and give the user access to it"
            self.package.by_hand.append(f"{mapping.place(*where)}: {fault}. {fix}.")
            return
        self._see(sobject, link, edit=True)
        if made and not fault:
            self._make(sobject, link, made)
        if made and made.to:
            self._open(made.to)
            if key:
                self._see(made.to, key)

    def _with_key(self, key: str, link: str) -> str:
        """Find the object whose records a key names: of several, the one that the field is called after."""
        found = {to for match, to in self._own if match == key}
        return link if link in found else found.pop() if len(found) == 1 else ""

    def _make(self, sobject: str, name: str, made: NewField) -> None:
        if name.endswith("__c"):
            self.package.fields[sobject, name] = made

    # -- the user's permissions

    def _open(self, sobject: str) -> Access:
        if sobject in OF_ANOTHER:
            return Access()
        for other in NEEDS.get(sobject, ()):
            self._open(other)
        return self.package.access.setdefault(sobject, Access())

    def _see(self, sobject: str, name: str, *, edit: bool = False) -> None:
        if self._is_always_seen(sobject, name):
            return
        part = _PART.fullmatch(name)
        key = (sobject, f"{part[1]}Address" if part else name)
        self.package.visible[key] = self.package.visible.get(key, False) or edit

    def _is_always_seen(self, sobject: str, name: str) -> bool:
        info = self._describe(sobject)
        known = info.fields.get(name) if info else None
        if known and known.required and known.type != CHECKBOX:
            return True
        custom = name.endswith("__c")
        return not custom and (sobject == "User" or name in ALWAYS_SEEN or name in SEEN_OF.get(sobject, ()))

    # -- what is known of the org

    def _describe(self, sobject: str) -> ObjectInfo | None:
        try:
            return self._org.describe(sobject) if self._org else None
        except ConfigurationError:
            return None

    def _has(self, sobject: str, name: str) -> bool:
        info = self._describe(sobject)
        return info is not None and name in info.fields

    def _parent(self, sobject: str, relation: str) -> str | None:
        info = self._describe(sobject)
        for each in info.fields.values() if info else ():
            if each.relationship == relation and each.reference_to:
                return each.reference_to[0]
        return sobject if relation == "Parent" else PARENTS.get(relation)

    def _child(self, sobject: str, relationship: str) -> str | None:
        info = self._describe(sobject)
        if info and relationship in info.children:
            return info.children[relationship][0]
        return CHILDREN.get(relationship)


def _link(relationship: str) -> str:
    """Name the field behind a relationship."""
    return f"{relationship[:-1]}c" if relationship.endswith("__r") else f"{relationship}Id"


def _type_of(specs: list[Field]) -> NewField | None:
    """Say what type of field takes all that a mapping can write; None when there is none."""
    given = [each for spec in specs for each in outcomes(spec) if each.what not in {"nothing", "unmapped"}]
    whats = {each.what for each in given}
    constants = tuple(dict.fromkeys(each.text for each in given if each.what == "constant"))
    if whats == {"constant"} and set(constants) <= {"true", "false"}:
        return NewField("Checkbox")
    if whats == {"constant"} and len(constants) > 1:
        return NewField("Picklist", values=constants)
    if whats == {"amount"}:
        plain = all(TOLD_TYPES.get(spec.from_ or "") == "money" for spec in specs)
        return NewField("Currency" if plain else "Number", precision=18, scale=2)
    if whats == {"whole number"}:
        return NewField("Number", precision=18)
    if whats == {"date"}:
        return NewField("Date")
    if whats == {"record id"}:
        targets = {LOOKUPS.get(each.text, "") for each in given}
        target = targets.pop() if len(targets) == 1 else ""
        return NewField("Lookup", to=target) if target else NewField("Text", length=RECORD_ID)
    if whats and whats <= {"text", "constant"}:
        length = max(spec.max_length or TEXT_LENGTH for spec in specs)
        return NewField("Text" if length <= TEXT_LENGTH else "LongTextArea", length=length)
    return None
