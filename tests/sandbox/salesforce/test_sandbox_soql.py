# ruff: noqa: S608 - SOQL made of literals of this file
from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.salesforce.evaluate import run
from airflow_provider_kashoo.sandbox.salesforce.org import Org, SalesforceError
from airflow_provider_kashoo.sandbox.salesforce.soql import (
    Comparison,
    Condition,
    Group,
    Literal,
    Membership,
    Not,
    Path,
    Query,
    SoqlError,
    Sort,
    parse,
)

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def frozen() -> Clock:
    return Clock(START, source=lambda: 0.0)


@pytest.fixture(scope="module")
def org() -> Org:
    org = Org(frozen())
    acme = org.insert("Account", {"Name": "Acme 100% O'Brien", "Payment_Terms__c": 30, "Approved__c": True})
    org.insert("Account", {"Name": "acme_two", "Type": "Prospect"})
    org.insert("Contact", {"LastName": "Díaz", "FirstName": "Ana", "AccountId": acme})
    org.insert("Contact", {"LastName": "Zed", "Email": "zed@example.test"})
    for day, stage, amount in (("22", "Closed Won", "10.10"), ("23", "Closed Won", None), ("01", "Prospecting", "7")):
        fields = {"Name": f"Deal {day}", "StageName": stage, "CloseDate": f"2026-11-{day}", "Amount": amount}
        org.insert("Opportunity", fields | {"AccountId": acme if day != "01" else None})
    org.clock.advance(3600)
    org.delete("Contact", org.insert("Contact", {"LastName": "Gone", "AccountId": acme}))
    return org


def names(org: Org, query: str, *, deleted: bool = False) -> list[str]:
    result = run(org, query, base="/services/data/v67.0", deleted=deleted)
    return [result.project(row)["Name"] for row in result.rows]


def code(org: Org, query: str) -> tuple[str, str]:
    with pytest.raises(SalesforceError) as caught:
        run(org, query, base="")
    assert caught.value.status == 400
    return caught.value.code, caught.value.message


# -- the grammar

WORDS = st.sampled_from(["Name", "Amount", "CloseDate", "Tax_Number__c", "Order1"])
PATHS = st.lists(WORDS, min_size=1, max_size=3).map(lambda names: Path(tuple(names)))


def quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")


LITERALS = st.one_of(
    st.text(max_size=8).map(lambda text: Literal("string", text, quoted(text))),
    st.decimals(-(10**6), 10**6, places=3).map(lambda number: Literal("number", str(number))),
    st.dates().map(lambda day: Literal("date", day.isoformat())),
    st.datetimes().map(lambda at: Literal("datetime", f"{at:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0"))),
    st.sampled_from(["true", "false"]).map(lambda text: Literal("boolean", text)),
    st.just(Literal("null", "null")),
    st.integers(0, 999).map(lambda days: Literal("range", f"LAST_N_DAYS:{days}")),
    st.sampled_from(["TODAY", "YESTERDAY"]).map(lambda text: Literal("range", text)),
)
COMPARISONS = st.one_of(
    st.builds(Comparison, PATHS, st.sampled_from(["=", "!="]), LITERALS),
    st.builds(Comparison, PATHS, st.sampled_from(["<", "<=", ">", ">="]), LITERALS.filter(lambda x: x.kind != "null")),
    st.builds(Membership, PATHS, st.booleans(), st.lists(LITERALS, min_size=1, max_size=3).map(tuple)),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(Group, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
SORTS = st.builds(Sort, PATHS, st.booleans(), st.booleans())
PLAIN = st.builds(
    Query,
    st.lists(PATHS, min_size=1, max_size=4).map(tuple),
    st.sampled_from(["Account", "Order", "Contacts"]),
    st.none() | CONDITIONS,
    st.lists(SORTS, max_size=2).map(tuple),
    st.none() | st.integers(0, 9999),
    st.integers(0, 2000),
)


def literal(value: Literal) -> str:
    return f"'{value.raw}'" if value.kind == "string" else value.text


def condition(part: Condition) -> str:
    match part:
        case Group(op, parts):
            return f" {op.upper()} ".join(f"({condition(inner)})" for inner in parts)
        case Not(inner):
            return f"NOT ({condition(inner)})"
        case Comparison(path, op, value):
            return f"{'.'.join(path.names)} {op} {literal(value)}"
        case Membership(path, negated, values):
            assert not isinstance(values, Query)
            return f"{'.'.join(path.names)}{' NOT' * negated} IN ({', '.join(map(literal, values))})"


def written(query: Query) -> str:
    fields = ", ".join(f"({written(f)})" if isinstance(f, Query) else ".".join(f.names) for f in query.fields)
    text = f"SELECT {fields or 'COUNT()'} FROM {query.sobject}"
    if query.where:
        text += f" WHERE {condition(query.where)}"
    if query.order:
        terms = (
            f"{'.'.join(s.path.names)} {'DESC' if s.descending else 'ASC'} NULLS {'LAST' if s.nulls_last else 'FIRST'}"
            for s in query.order
        )
        text += f" ORDER BY {', '.join(terms)}"
    if query.limit is not None:
        text += f" LIMIT {query.limit}"
    return text + f" OFFSET {query.offset}" * bool(query.offset)


@given(PLAIN, st.none() | PLAIN)
def test_what_is_written_is_read_back(query: Query, child: Query | None) -> None:
    if child:
        query = Query((*query.fields, child), query.sobject, query.where, query.order, query.limit, query.offset)
    assert parse(written(query)) == query


@given(st.text(alphabet="SELECT Id FROMWHERE='()<>,.1\\n", max_size=60))
def test_any_text_is_a_query_or_a_soql_error(text: str) -> None:
    with contextlib.suppress(SoqlError):
        parse(text)


def test_keywords_and_spacing_are_free() -> None:
    assert parse("select\n Id,Name from Account where(Name like 'a%')and not Id=null limit 5") == parse(
        "SELECT Id, Name FROM Account WHERE (Name LIKE 'a%') AND NOT Id = NULL LIMIT 5"
    )


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELECT FROM Account",
        "SELECT * FROM Account",
        "SELECT Id Account",
        "SELECT Id FROM Account a",
        "SELECT Id FROM Account, Contact",
        "SELECT Id, COUNT() FROM Account",
        "SELECT COUNT(Id) FROM Account",
        "SELECT COUNT() FROM Account ORDER BY Name",
        "SELECT toLabel(Type) FROM Account",
        "SELECT FIELDS(ALL) FROM Account LIMIT 1",
        "SELECT Id FROM Account GROUP BY Id",
        "SELECT Id FROM Account FOR UPDATE",
        "SELECT Id FROM Account ALL ROWS",
        "SELECT Id FROM Account USING SCOPE mine",
        "SELECT Id FROM Account WHERE",
        "SELECT Id FROM Account WHERE Name",
        "SELECT Id FROM Account WHERE Name = ",
        "SELECT Id FROM Account WHERE Name == 'x'",
        "SELECT Id FROM Account WHERE Name = :x",
        "SELECT Id FROM Account WHERE Name = 'x",
        "SELECT Id FROM Account WHERE Name = 'x' AND",
        "SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
        "SELECT Id FROM Account WHERE (Name = 'a'",
        "SELECT Id FROM Account WHERE Name < null",
        "SELECT Id FROM Account WHERE Name IN ()",
        "SELECT Id FROM Account WHERE Name IN 'a'",
        "SELECT Id FROM Account WHERE Name INCLUDES ('a')",
        "SELECT Id FROM Account WHERE CreatedDate = NEXT_WEEK",
        "SELECT Id FROM Account WHERE CreatedDate > 2026-01-01T00:00:00",
        r"SELECT Id FROM Account WHERE Name = 'a\x'",
        r"SELECT Id FROM Account WHERE Name = '\_'",
        "SELECT Id FROM Account LIMIT x",
        "SELECT Id FROM Account LIMIT -1",
        "SELECT Id FROM Account OFFSET 1 LIMIT 1",
        "SELECT Id, (SELECT Id, (SELECT Id FROM Contacts) FROM Contacts) FROM Account",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId, Id FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 1)",
        "SELECT Id FROM Account;",
    ],
)
def test_what_is_no_soql_here_is_malformed(org: Org, query: str) -> None:
    assert code(org, query)[0] == "MALFORMED_QUERY"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT COUNT(Id) FROM Account", "COUNT("),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 1", "FIELDS("),
        ("SELECT Name FROM Account GROUP BY Name", "GROUP BY"),
        ("SELECT Id FROM Account WHERE CreatedDate = THIS_MONTH", "THIS_MONTH"),
        ("SELECT Id FROM Account ALL ROWS", "ALL ROWS"),
        ("SELECT TYPEOF Owner WHEN User THEN Name END FROM Account", "TYPEOF"),
    ],
)
def test_what_is_soql_elsewhere_is_said_not_to_be_simulated(org: Org, query: str, named: str) -> None:
    assert f"({named} is not simulated here)" in code(org, query)[1]


@pytest.mark.parametrize(
    "query", ["SELECT Id FROM Account WHERE Name = 'GROUP BY' AND", "SELECT Id FROM WHERE Id IN ('x')"]
)
def test_a_mistake_is_only_a_mistake(org: Org, query: str) -> None:
    assert "not simulated" not in code(org, query)[1]


def test_an_error_points_at_its_place(org: Org) -> None:
    message = code(org, "SELECT Id\nFROM Account WHERE Nme = 'x'")[1]
    assert "\nERROR at Row:2:Column:20\n" in message
    lines = message.split("\n")
    assert lines[1][lines[2].index("^") :].startswith("Nme")


# -- names and types


@pytest.mark.parametrize(
    ("query", "error", "wording"),
    [
        ("SELECT Id FROM Invoice__c", "INVALID_TYPE", "sObject type 'Invoice__c' is not supported."),
        ("SELECT Foo FROM Account", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        ("SELECT Account.Foo FROM Contact", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        ("SELECT Id FROM Contact WHERE Account.Foo = 1", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        ("SELECT Id FROM Account ORDER BY Foo", "INVALID_FIELD", "No such column 'Foo' on entity 'Account'."),
        ("SELECT Boss.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Boss' in field path."),
        ("SELECT (SELECT Id FROM Deals) FROM Account", "INVALID_TYPE", "Didn't understand relationship 'Deals'"),
        (
            "SELECT (SELECT Foo FROM Contacts) FROM Account",
            "INVALID_FIELD",
            "No such column 'Foo' on entity 'Contact'.",
        ),
        ("SELECT Id, Name, id FROM Account", "INVALID_FIELD", "duplicate field selected: Id"),
        (
            "SELECT Id FROM Account WHERE SystemModstamp > '2026-01-01T00:00:00Z'",
            "INVALID_FIELD",
            "field 'SystemModstamp' must be of type dateTime and should not be enclosed in quotes",
        ),
        ("SELECT Id FROM Account WHERE SystemModstamp > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"),
        (
            "SELECT Id FROM Opportunity WHERE CloseDate = '2026-01-01'",
            "INVALID_FIELD",
            "must be of type date and should",
        ),
        ("SELECT Id FROM Opportunity WHERE CloseDate = 2026-01-01T00:00:00Z", "INVALID_FIELD", "must be of type date "),
        ("SELECT Id FROM Opportunity WHERE Amount = '1'", "INVALID_FIELD", "must be of type double and should not"),
        ("SELECT Id FROM Opportunity WHERE Amount > TODAY", "INVALID_FIELD", "must be of type double"),
        ("SELECT Id FROM Opportunity WHERE IsWon = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Opportunity WHERE IsWon > true", "INVALID_FIELD", "invalid operator on boolean field"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD", "must be of type string and should be enclosed"),
        ("SELECT Id FROM Account WHERE Name IN ('a', 5)", "INVALID_FIELD", "must be of type string"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_FIELD", "invalid operator on id field"),
        ("SELECT Id FROM Account WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: nope"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered in a query call"),
        ("SELECT Id FROM Account ORDER BY BillingAddress", "INVALID_FIELD", "can not be sorted in a query call"),
        ("SELECT Id FROM Opportunity WHERE CloseDate > 2026-02-30", "MALFORMED_QUERY", "Invalid date: 2026-02-30"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM Account WHERE Name IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY", "semi-join"),
        ("SELECT Id FROM Account WHERE Name = 'x' AND Foo = 1", "INVALID_FIELD", "No such column 'Foo'"),
    ],
)
def test_wrong_names_and_types_are_errors_even_when_nothing_matches(
    org: Org, query: str, error: str, wording: str
) -> None:
    got, message = code(org, query)
    assert got == error
    assert wording in message


def test_currency_is_unknown_to_a_single_currency_org() -> None:
    single = Org(frozen(), multi_currency=False)
    assert code(single, "SELECT CurrencyIsoCode FROM Account")[0] == "INVALID_FIELD"
    assert len(run(Org(frozen()), "SELECT CurrencyIsoCode FROM Account", base="").rows) == 0


# -- what it finds

ACME, TWO = "Acme 100% O'Brien", "acme_two"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Name = 'ACME 100% o\\'BRIEN'", [ACME]),
        ("Name != 'acme_two'", [ACME]),
        ("Type != 'Prospect'", [ACME]),  # a null is not equal to anything
        ("Type NOT IN ('Prospect')", [ACME]),
        ("Type = null", [ACME]),
        ("Type = ''", [ACME]),
        ("Type IN ('Prospect', null)", [ACME, TWO]),
        ("Type < 'zzz'", [TWO]),
        ("Type LIKE '%'", [TWO]),
        ("NOT Type LIKE 'x%'", [ACME, TWO]),
        ("Name LIKE 'ACME%'", [ACME, TWO]),
        ("Name LIKE 'acme_t_o'", [TWO]),
        ("Name LIKE 'acme\\_%'", [TWO]),
        ("Name LIKE '%100\\%%'", [ACME]),
        ("Name LIKE 'acme'", []),
        ("Payment_Terms__c = 30.00", [ACME]),
        ("Payment_Terms__c > 30", []),
        ("Payment_Terms__c <= 30", [ACME]),
        ("Payment_Terms__c != 30", [TWO]),
        ("Approved__c = false", [TWO]),
        ("(Name = 'x' OR Approved__c = true) AND NOT (Type = 'Prospect' OR Type = 'Other')", [ACME]),
        ("SystemModstamp = 2026-11-23T02:00:00Z AND SystemModstamp < 2026-11-23T02:00:00.500Z", [ACME, TWO]),
        ("SystemModstamp >= 2026-11-22T21:00:00-05:00", [ACME, TWO]),
        ("SystemModstamp > 2026-11-23T02:00:00+00:00", []),
        ("CreatedDate = TODAY", [ACME, TWO]),
        ("CreatedDate < TODAY", []),
        ("CreatedDate <= TODAY", [ACME, TWO]),
        ("CreatedDate = YESTERDAY", []),
        ("Id IN (SELECT AccountId FROM Contact)", [ACME]),
        ("Id IN (SELECT AccountId FROM Contact WHERE Email != null)", []),
        ("Id NOT IN (SELECT AccountId FROM Contact WHERE LastName = 'Díaz')", [TWO]),
        ("Id = '001010000000001'", [ACME]),
        ("Id > '001010000000001AAA'", [TWO]),
        ("Id IN ('001010000000002', '001010000000001AAA', '001010000000001')", [ACME, TWO]),
        ("Owner.Name = 'integration user'", [ACME, TWO]),
    ],
)
def test_conditions(org: Org, where: str, found: list[str]) -> None:
    assert names(org, f"SELECT Name FROM Account WHERE {where}") == found


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("WHERE CloseDate = YESTERDAY", ["Deal 22"]),
        ("WHERE CloseDate != TODAY", ["Deal 22", "Deal 01"]),
        ("WHERE CloseDate > YESTERDAY", ["Deal 23"]),
        ("WHERE CloseDate = LAST_N_DAYS:1", ["Deal 22", "Deal 23"]),
        ("WHERE CloseDate < LAST_N_DAYS:21", ["Deal 01"]),
        ("WHERE CloseDate < 2026-11-22", ["Deal 01"]),
        ("WHERE Account.SystemModstamp >= 2026-01-01T00:00:00Z AND IsWon = true", ["Deal 22", "Deal 23"]),
        ("WHERE Account.Name = null", ["Deal 01"]),
        ("WHERE Account.Name != 'x'", ["Deal 22", "Deal 23", "Deal 01"]),
        ("WHERE AccountId = '001010000000001' AND Amount > 10", ["Deal 22"]),
        ("ORDER BY Amount", ["Deal 23", "Deal 01", "Deal 22"]),
        ("ORDER BY Amount NULLS LAST", ["Deal 01", "Deal 22", "Deal 23"]),
        ("ORDER BY Amount DESC", ["Deal 23", "Deal 22", "Deal 01"]),
        ("ORDER BY Amount DESC NULLS LAST", ["Deal 22", "Deal 01", "Deal 23"]),
        ("ORDER BY Account.Name DESC NULLS LAST, CloseDate DESC", ["Deal 23", "Deal 22", "Deal 01"]),
        ("ORDER BY StageName, Id DESC LIMIT 2", ["Deal 23", "Deal 22"]),
        ("ORDER BY CloseDate LIMIT 1 OFFSET 1", ["Deal 22"]),
        ("LIMIT 0", []),
    ],
)
def test_dates_parents_and_order(org: Org, rest: str, found: list[str]) -> None:
    assert names(org, f"SELECT Name FROM Opportunity {rest}") == found


def test_only_query_all_sees_the_recycle_bin(org: Org) -> None:
    query = "SELECT Name FROM Contact WHERE Account.Name LIKE 'Acme%' AND IsDeleted = true"
    assert names(org, query) == []
    assert names(org, query, deleted=True) == ["Gone"]


def test_records_nest_parents_and_children(org: Org) -> None:
    query = (
        "SELECT name, account.owner.Name, Account.Name, Account.BillingAddress, Amount FROM Opportunity "
        "ORDER BY CloseDate DESC LIMIT 2"
    )
    result = run(org, query, base="/services/data/v67.0")
    record = result.project(result.rows[1])
    assert list(record) == ["attributes", "Name", "Account", "Amount"]
    assert record["attributes"]["url"] == f"/services/data/v67.0/sobjects/Opportunity/{result.rows[1]['Id']}"
    assert record["Amount"] == Decimal("10.10")
    assert record["Account"]["Name"] == ACME
    assert record["Account"]["BillingAddress"] is None
    assert record["Account"]["Owner"]["attributes"]["type"] == "User"
    orphan = run(org, "SELECT Account.Name FROM Opportunity WHERE AccountId = null", base="")
    assert orphan.project(orphan.rows[0])["Account"] is None
    parents = run(org, "SELECT Id, (SELECT Name FROM Contacts WHERE Email = null) FROM Account", base="")
    one, two = (parents.project(row)["Contacts"] for row in parents.rows)
    assert (one["totalSize"], one["done"], one["records"][0]["Name"]) == (1, True, "Ana Díaz")
    assert two is None
