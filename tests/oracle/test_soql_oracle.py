# ruff: noqa: S608 - the strings are what is tested
"""Every query this package sends is SOQL, says a parser that shares nothing with us or with our sandbox.

A second opinion, because a mistake made both in the queries and in the sandbox that answers them would never show.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from driver import BEGINNING
from hypothesis import given
from hypothesis import strategies as st
from inprocess import InProcessDriver, in_process
from records import add_account, add_deal, add_line, add_order

from airflow_provider_kashoo.clients import soql
from airflow_provider_kashoo.core.window import Window
from airflow_provider_kashoo.sync.read import dirty

HERE = Path(__file__).parent
NODE = shutil.which("node")
WITHIN = "SystemModstamp >= 2026-11-23T02:00:00Z AND SystemModstamp < 2026-11-24T00:00:00Z"
BROKEN = [
    "SELECT FROM Opportunity",
    "SELECT Id Opportunity",
    "SELECT Id, FROM Opportunity",
    "SELECT Id FROM Opportunity WHERE",
    "SELECT Id FROM Opportunity WHERE SystemModstamp >=",
    "SELECT Id FROM Opportunity WHERE SystemModstamp >= 2026-11-23T02:00:00",
    "SELECT Id FROM Opportunity WHERE Id IN ()",
    "SELECT Id FROM Opportunity WHERE Id IN ('006000000000001AAA' '006000000000002AAA')",
    "SELECT Id FROM Opportunity WHERE Id IN ('006000000000001AAA) ORDER BY Id",
    f"SELECT Id FROM Opportunity WHERE {WITHIN} ORDER BY",
    f"SELECT Id FROM Opportunity ORDER BY Id WHERE {WITHIN}",
    f"SELECT Id FROM Opportunity WHERE {WITHIN} AND",
    f"SELECT Id FROM WHERE {WITHIN}",
]

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not on the PATH: nothing here can parse SOQL")


def judge(texts: Sequence[str]) -> list[str | None]:
    """Give for each query None, or what is wrong with it; one process for all."""
    if not (HERE / "node_modules").is_dir():
        pytest.fail("The SOQL parser is not installed: run make test, or npm install in tests/oracle.")
    given = "\n".join(map(json.dumps, texts))
    done = subprocess.run([str(NODE), "judge.js"], cwd=HERE, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdicts = [json.loads(line) for line in done.stdout.split("\n")]
    assert len(verdicts) == len(texts)
    return verdicts


def refused(texts: Sequence[str]) -> dict[str, str]:
    return {text: verdict for text, verdict in zip(texts, judge(texts), strict=True) if verdict is not None}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What arrived at the sandbox while both syncs read every object and relation of the shipped mappings."""
    texts: set[str] = set()
    with in_process() as box:
        box.apps["salesforce"] = recording(box.apps["salesforce"], texts)
        account = add_account(box, email="ap@acme.example")
        deal = add_deal(box, account)
        add_line(box, deal, "125.00")
        add_order(box, account, None)
        drive = InProcessDriver(box, tmp_path_factory.mktemp("oracle"))
        drive.run()
        drive.run_back()
        box.org.delete("Opportunity", deal)
        drive.run(since=BEGINNING)
        drive.run_back()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dirty, "BULK_FROM", 0)
            patch.setattr("time.sleep", lambda _: None)
            add_deal(box, account)
            drive.run()
        drive.database.dispose()
    return texts


def recording(app: Callable[..., Awaitable[None]], texts: set[str]) -> Callable[..., Awaitable[None]]:
    async def recorded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = bytearray()

        async def overheard() -> Any:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        await app(scope, overheard, send)
        texts.update(parse_qs(scope["query_string"].decode()).get("q", []))
        if scope["path"].endswith("/composite"):
            for part in json.loads(body)["compositeRequest"]:
                texts.update(parse_qs(urlsplit(part["url"]).query).get("q", []))
        if scope["path"].endswith("/jobs/query"):
            texts.add(json.loads(body)["query"])

    return recorded


def test_every_query_of_both_syncs_parses(sent: set[str]) -> None:
    assert refused(sorted(sent)) == {}


@pytest.mark.parametrize(
    "kind",
    [
        "SELECT Id, SystemModstamp, IsDeleted FROM Opportunity WHERE SystemModstamp >= ",
        "SELECT Id, SystemModstamp, IsDeleted FROM Order WHERE SystemModstamp >= ",
        "SELECT Id, SystemModstamp, IsDeleted, MasterRecordId FROM Account WHERE SystemModstamp >= ",
        "SELECT Id, SystemModstamp, IsDeleted FROM Product2 WHERE SystemModstamp >= ",
        "SELECT Id, OpportunityId FROM OpportunityLineItem WHERE SystemModstamp >= ",
        "SELECT Id, OrderId FROM OrderItem WHERE SystemModstamp >= ",
        "SELECT Id FROM Opportunity WHERE Account.SystemModstamp >= ",
        "SELECT OpportunityId FROM OpportunityLineItem WHERE Product2.SystemModstamp >= ",
        "SELECT Id FROM Opportunity WHERE SystemModstamp >= ",
        soql.ORGANIZATION,
        soql.ORGANIZATION_CURRENCY,
    ],
)
def test_no_kind_of_query_was_left_out(sent: set[str], kind: str) -> None:
    assert [text for text in sent if text.startswith(kind)]


@pytest.mark.parametrize(
    "where",
    [
        " FROM Opportunity WHERE Id IN (",
        " FROM OrderItem WHERE OrderId IN (",
        " FROM OpportunityLineItem WHERE Opportunity.SystemModstamp >= ",
    ],
)
def test_reads_of_whole_records_were_not_left_out(sent: set[str], where: str) -> None:
    assert [text for text in sent if where in text]


NAMES = st.from_regex(r"[A-Z][A-Za-z0-9]{0,20}(_[A-Za-z0-9]{1,8})?(__c)?", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(".".join)
IDS = st.lists(st.from_regex(r"[a-zA-Z0-9]{15}([A-Z0-5]{3})?", fullmatch=True), min_size=1, max_size=3)
INSTANTS = st.datetimes(datetime(1999, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
WINDOWS = st.builds(Window, INSTANTS, INSTANTS, moves=st.booleans(), note=st.just(""))
QUERIES = st.one_of(
    st.builds(soql.changed, NAMES, WINDOWS, st.lists(NAMES, max_size=2)),
    st.builds(soql.changed_since, NAMES, INSTANTS),
    st.builds(soql.newest_stamp, NAMES, INSTANTS),
    st.builds(soql.in_window, NAMES, st.lists(PATHS, min_size=1, max_size=30), WINDOWS, st.one_of(st.none(), NAMES)),
    st.builds(soql.changed_parents, NAMES, NAMES, WINDOWS),
    st.builds(soql.changed_by_reference, NAMES, PATHS, WINDOWS, owner=NAMES),
    st.builds(
        lambda *given, key, order: next(soql.by_ids(*given, key=key, order=order)),
        NAMES,
        st.lists(PATHS, min_size=1, max_size=30),
        IDS,
        key=NAMES,
        order=st.lists(PATHS, min_size=1, max_size=3).map(", ".join),
    ),
)


def test_every_function_makes_soql_of_whatever_names_instants_and_ids() -> None:
    texts: list[str] = []

    @given(QUERIES)
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    assert len(texts) > 50
    assert refused(texts) == {}


def test_a_query_as_long_as_they_get_parses() -> None:
    ids = [f"006{number:012d}AAA" for number in range(soql.IDS_PER_QUERY)]
    (text,) = soql.by_ids("Opportunity", [f"Account.Custom_{number}__c" for number in range(100)], ids)
    assert refused([text]) == {}


def test_the_oracle_bites() -> None:
    assert [*refused(BROKEN)] == BROKEN
