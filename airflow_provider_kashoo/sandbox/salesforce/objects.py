"""The objects of the simulated org in short: what :mod:`.schema` makes their describes from."""

from __future__ import annotations

INVOICE_STATUSES = ("Open", "Partly Paid", "Paid", "Overpaid", "Refunded", "Void")
#: Stage -> (IsClosed, IsWon, Probability). Names and probabilities are those of a new org (assumed).
STAGES = {
    "Prospecting": (False, False, 10),
    "Qualification": (False, False, 20),
    "Proposal/Price Quote": (False, False, 65),
    "Negotiation/Review": (False, False, 80),
    "Closed Won": (True, True, 100),
    "Closed Lost": (True, False, 0),
}
#: Order.Status -> StatusCode. "Approved" stands for a label of the org's own in the Activated category.
ORDER_STATUSES = {"Draft": "Draft", "Activated": "Activated", "Approved": "Activated"}
#: Case.Status -> IsClosed; names as in a new org (assumed).
CASE_STATUSES = {"New": False, "Working": False, "Escalated": False, "Closed": True}
#: What a file can be linked to, of the objects that are simulated.
LINKED = "Account|Contact|Opportunity|Order|Product2|Case|Kashoo_Invoice__c|Kashoo_Payment__c|User"
ADDRESSES = ("Billing", "Shipping", "Mailing")
#: Part of an address -> its type and length (evidenced, but for the length of the codes).
ADDRESS_PARTS = {
    "Street": "long(255)",
    "City": "text(40)",
    "State": "text(80)",
    "PostalCode": "text(20)",
    "Country": "text(80)",
    "StateCode": "text(10)",
    "CountryCode": "text(10)",
}

_LINE = """PricebookEntryId ref(PricebookEntry) required once; Product2Id ref(Product2) fixed;
    Quantity number(12.2) required; UnitPrice money; ListPrice money fixed; ServiceDate date; Description text(255)"""
_INVOICE = f"""Kashoo_Invoice__c text(40); Kashoo_Balance__c money; Kashoo_Paid__c money; Kashoo_Last_Payment__c date;
    Kashoo_Status__c pick({"|".join(INVOICE_STATUSES)}) restricted"""
_PARTS = "; ".join(f"{{0}}{part} {kind} of_{{0}}Address" for part, kind in ADDRESS_PARTS.items())
_BILLING, _SHIPPING, _MAILING = (f"{_PARTS}; {{0}}Address address fixed".format(p) for p in ADDRESSES)
SYSTEM = """CreatedDate datetime fixed; CreatedById ref(User) fixed; LastModifiedDate datetime fixed;
    LastModifiedById ref(User) fixed; SystemModstamp datetime fixed"""
#: Name, key prefix, plural -> fields: "name type(size or values) flags". required and unique as in Salesforce; fixed:
#: read-only; once: only on create; of_X: part of the compound X. CURRENCY: CurrencyIsoCode, when there is one.
OBJECTS = {
    "Account 001 Accounts": f"""
        Name text(255) required; AccountNumber text(40); Type pick(Prospect|Customer - Direct|Other); Phone phone(40);
        Industry pick(Banking|Construction|Technology|Other); Website url(255); Description long(32000); {_BILLING};
        {_SHIPPING}; ParentId ref(Account); MasterRecordId ref(Account) fixed; OwnerId ref(User); CURRENCY;
        Payment_Terms__c number(3.0); Tax_Number__c text(40); Approved__c check; External_Key__c text(80) external;
        Kashoo_Open_Balance__c money; Kashoo_Overdue_Since__c date; Kashoo_Last_Payment__c date""",
    "Contact 003 Contacts": f"""
        AccountId ref(Account); FirstName text(40) of_Name; LastName text(80) required of_Name; Name text(121) fixed;
        Email email(80); Phone phone(40); Title text(128); {_MAILING}; MasterRecordId ref(Contact) fixed;
        OwnerId ref(User); CURRENCY; Is_Billing__c check; External_Key__c text(80) external""",
    "Opportunity 006 Opportunities": f"""
        Name text(120) required; AccountId ref(Account); StageName pick({"|".join(STAGES)}) required restricted;
        Amount money; CloseDate date required; Probability percent(3.0); IsClosed check fixed; IsWon check fixed;
        Type pick(New Business|Existing Business); Description long(32000); HasOpportunityLineItem check fixed;
        Pricebook2Id ref(Pricebook2); OwnerId ref(User); ContactId ref(Contact) once; CURRENCY; {_INVOICE};
        Prepaid__c check; Account_Terms__c number(3.0) formula; Days_Since_Close__c number(5.0) formula""",
    "OpportunityLineItem 00k Opportunity_Products": f"""
        OpportunityId ref(Opportunity) required once; {_LINE}; Discount percent(5.2); Subtotal money fixed;
        TotalPrice money; ProductCode text(255) fixed; Name text(376) fixed; SortOrder int(9.0); CURRENCY fixed""",
    "Order 801 Orders": f"""
        AccountId ref(Account); OpportunityId ref(Opportunity); OrderNumber text(30) fixed;
        Status pick({"|".join(ORDER_STATUSES)}) required restricted; StatusCode pick(Draft|Activated) fixed restricted;
        EffectiveDate date required; EndDate date; Type pick(New|Renewal); PoNumber text(80); Description long(32000);
        BillToContactId ref(Contact); Pricebook2Id ref(Pricebook2); TotalAmount money fixed;
        IsReductionOrder check once; OriginalOrderId ref(Order); {_BILLING};
        OwnerId ref(User); CURRENCY; ActivatedDate datetime fixed; {_INVOICE}; Account_Terms__c number(3.0) formula""",
    "OrderItem 802 Order_Products": f"""
        OrderId ref(Order) required once; {_LINE}; TotalPrice money fixed; OrderItemNumber text(30) fixed;
        CURRENCY fixed""",
    "Product2 01t Products": """
        Name text(255) required; ProductCode text(255); Description long(4000); Family pick(None); IsActive check;
        CURRENCY; External_Key__c text(80) external""",
    "Pricebook2 01s Price_Books": """
        Name text(255) required; Description long(255); IsActive check; IsStandard check fixed""",
    "PricebookEntry 01u Price_Book_Entries": """
        Pricebook2Id ref(Pricebook2) required once; Product2Id ref(Product2) required once; UnitPrice money required;
        IsActive check; Name text(255) fixed; ProductCode text(255) fixed; CURRENCY""",
    "Organization 00D Organizations": """
        Name text(80); IsSandbox check; OrganizationType pick(Enterprise Edition|Developer Edition);
        InstanceName text(5); TimeZoneSidKey text(40); CURRENCY default""",
    # An object of the org's own, of which a deal has several.
    "Billing_Milestone__c a01 Billing_Milestones": """
        Opportunity__c ref(Opportunity) required once; Name text(80); Percent__c percent(7.4); Due__c date;
        Payable__c date; Note__c text(255); CURRENCY""",
    "Case 500 Cases": f"""
        CaseNumber text(30) fixed; Subject text(255); Description long(32000); Status pick({"|".join(CASE_STATUSES)});
        Priority pick(High|Medium|Low); Origin pick(Phone|Email|Web); Type pick(Problem|Question|Other);
        Reason pick(Performance|Feedback|Other); AccountId ref(Account); ContactId ref(Contact); OwnerId ref(User);
        ParentId ref(Case); IsClosed check fixed; ClosedDate datetime fixed; CURRENCY;
        Opportunity__c ref(Opportunity); Kashoo_Key__c text(80) external""",
    "CaseComment 00a Case_Comments": """
        ParentId ref(Case) required once; CommentBody long(4000); IsPublished check""",
    "ContentVersion 068 Content_Versions": f"""
        Title text(255); PathOnClient text(500) required once; VersionData file once; Description text(1000);
        ContentDocumentId ref(ContentDocument) once; FirstPublishLocationId ref({LINKED}) once; OwnerId ref(User);
        Checksum text(50) fixed; ContentSize int(9.0) fixed; FileExtension text(40) fixed; FileType text(20) fixed;
        VersionNumber text(20) fixed; IsLatest check fixed""",
    "ContentDocument 069 Content_Documents": """
        Title text(255) required; Description text(1000); LatestPublishedVersionId ref(ContentVersion) fixed;
        ContentSize int(9.0) fixed; FileExtension text(40) fixed; FileType text(20) fixed; OwnerId ref(User)""",
    "ContentDocumentLink 06A Content_Document_Links": f"""
        ContentDocumentId ref(ContentDocument) required once; LinkedEntityId ref({LINKED}) required once;
        ShareType pick(V|C|I) restricted; Visibility pick(AllUsers|InternalUsers|SharedUsers) restricted""",
    # What the sync makes of Kashoo's invoices and payments: objects of the org's own.
    "Kashoo_Invoice__c a02 Kashoo_Invoices": f"""
        Name text(80); Kashoo_Id__c text(80) external; Opportunity__c ref(Opportunity); Order__c ref(Order);
        Account__c ref(Account); Status__c pick({"|".join(INVOICE_STATUSES)}) restricted; Total__c money;
        Paid__c money; Balance__c money; Due_Date__c date; Invoice_Date__c date; Last_Payment__c date;
        OwnerId ref(User); CURRENCY""",
    "Kashoo_Payment__c a03 Kashoo_Payments": """
        Name text(80); Kashoo_Id__c text(80) external; Kashoo_Invoice__c ref(Kashoo_Invoice__c); Amount__c money;
        Unallocated__c money; Date__c date; Kind__c text(40); OwnerId ref(User); CURRENCY""",
    # Stands for the objects that no delta can follow: no SystemModstamp, not replicated, not even a recycle bin.
    "Billing_Setting__c a00 Billing_Settings": "Name text(80) required; Value__c text(255)",
    "User 005 Users": "Name text(121); Username text(80); Email email(128); IsActive check",
}
#: (child, its field) -> the relationship as the parent knows it.
CASCADES = {
    ("Contact", "AccountId"): "Contacts",
    ("Opportunity", "AccountId"): "Opportunities",
    ("Order", "AccountId"): "Orders",
    ("OpportunityLineItem", "OpportunityId"): "OpportunityLineItems",
    ("OrderItem", "OrderId"): "OrderItems",
    ("Billing_Milestone__c", "Opportunity__c"): "Billing_Milestones__r",
    ("Case", "AccountId"): "Cases",
    ("CaseComment", "ParentId"): "CaseComments",
    ("ContentVersion", "ContentDocumentId"): "ContentVersions",
    ("ContentDocumentLink", "ContentDocumentId"): "ContentDocumentLinks",
    ("ContentDocumentLink", "LinkedEntityId"): "ContentDocumentLinks",
    ("PricebookEntry", "Product2Id"): "PricebookEntries",
    ("PricebookEntry", "Pricebook2Id"): "PricebookEntries",
}
#: The same of children that outlive their parent.
LOOKUPS = {("Kashoo_Payment__c", "Kashoo_Invoice__c"): "Kashoo_Payments__r"}
