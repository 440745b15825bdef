"""What a run costs in which nothing is written, logins included; each task has a process of its own in Airflow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from airflow.sdk.crypto import get_fernet
from tasks import Run, bring_in_step

from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.runtime.open_run import open_sync
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE
from tests.airflow.environment import set_connection

KEY, OTHER_KEY = "YlCImzjge_TeZc7jPJ7Jz2pgOtb4yTssA1pVyqIADWg=", "81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs="
LOGIN, BUSINESSES = "POST authTokens", "GET businesses"
INVOICES, PAYMENTS = ["GET invoices"] * 2, ["GET invoicePayments"] * 2  # a page, and the empty one
numbers = count(1)

SetKey = Callable[[str], None]
Staged = Callable[[Run], dict[Path, bytes]]


@pytest.fixture
def set_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetKey]:
    """Give Airflow a Fernet key; an empty one is none."""

    def set_key(key: str) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", key)
        get_fernet.cache_clear()

    set_key(KEY)
    yield set_key
    get_fernet.cache_clear()


@pytest.fixture(scope="module")
def in_step(sandbox: Sandbox, store_file: Path) -> Sandbox:
    """Both sides are in step, with one payment of this week; no test of this module writes anything."""
    bring_in_step(sandbox)
    return sandbox


@pytest.fixture
def run(in_step: Sandbox, set_key: SetKey) -> Callable[[str], Run]:
    return lambda sync: Run(in_step, sync, f"quiet {next(numbers)}")


@pytest.fixture
def staged(store_file: Path) -> Staged:
    """Give every staged file of a run."""
    folder = store_file.parent / "staging"
    return lambda run: {path: path.read_bytes() for path in folder.rglob(f"{run.run_id.replace(' ', '_')}-*/*")}


def tokens(box: Sandbox) -> list[bytes]:
    """List the tokens that Kashoo gave."""
    return [name.partition(":")[2].encode() for name in box.books._tokens]


def test_a_run_to_kashoo_costs_two_requests(run: Callable[[str], Run]) -> None:
    quiet = run(TO_KASHOO)
    assert quiet.requests(*quiet.steps) == [LOGIN, BUSINESSES]


def test_a_run_back_costs_six(run: Callable[[str], Run]) -> None:
    back = run(TO_SALESFORCE)
    assert back.requests(*back.steps) == [LOGIN, BUSINESSES, *INVOICES, *PAYMENTS]


@pytest.mark.parametrize("key", ["", "no key at all"])
def test_without_a_usable_fernet_key_each_task_logs_in_and_no_token_is_staged(
    run: Callable[[str], Run], set_key: SetKey, staged: Staged, in_step: Sandbox, key: str
) -> None:
    set_key(key)
    back = run(TO_SALESFORCE)
    assert back.requests(*back.steps[:-1]) == [LOGIN, BUSINESSES, LOGIN, *INVOICES, LOGIN, *PAYMENTS]
    files = staged(back)
    assert [path for path in files if path.name.startswith("token")] == []
    assert [path for path, content in files.items() if any(token in content for token in tokens(in_step))] == []


def test_where_the_largest_page_is_known_a_run_back_costs_four(
    run: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_connection(monkeypatch, "kashoo_default", profile={"largest_page": 100})
    back = run(TO_SALESFORCE)
    assert back.requests(*back.steps) == [LOGIN, BUSINESSES, *INVOICES[:1], *PAYMENTS[:1]]


def test_a_step_with_nothing_to_do_opens_no_side(run: Callable[[str], Run]) -> None:
    """A plan back compares what stands in the books with what Salesforce has: that is something to do."""
    for sync, idle in ((TO_KASHOO, ["plan", "approve", "apply", "commit"]), (TO_SALESFORCE, ["approve", "apply"])):
        quiet = run(sync).up_to("Order" if sync == TO_KASHOO else "plan")
        assert {step: quiet.asked(step) for step in idle} == {step: set() for step in idle}


def test_a_plan_that_compares_asks_salesforce_who_it_is_and_no_more(run: Callable[[str], Run]) -> None:
    back = run(TO_SALESFORCE).up_to("payments")
    assert back.requests("plan", side="salesforce") == ["POST token", "POST composite"]


def test_what_is_staged_of_a_token_is_opened_by_the_key_alone_and_goes_with_the_run(
    run: Callable[[str], Run], set_key: SetKey, staged: Staged, in_step: Sandbox
) -> None:
    back = run(TO_SALESFORCE).up_to("preflight")

    def token_files() -> dict[Path, bytes]:
        return {path: content for path, content in staged(back).items() if path.name.startswith("token")}

    ((path, content),) = token_files().items()
    assert re.fullmatch(rb'\{"encrypted": "[\w=-]+"\}', content)
    issued = tokens(in_step)
    assert [file for file, text in staged(back).items() if any(token in text for token in issued)] == []
    assert any(token in get_fernet().decrypt(re.findall(rb'"([\w=-]{99,})"', content)[0]) for token in issued)
    set_key(OTHER_KEY)
    assert back.requests("invoices") == [LOGIN, *INVOICES]
    assert path.read_bytes() != content
    for step in back.steps[2:]:
        back(step)
    assert token_files() == {}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"token": 1}', b"[1]", b'{"encrypted": 1}', b'{"encrypted": "Z0FBQUFBQm"}']
)
def test_a_token_file_that_is_damaged_is_as_good_as_none(
    run: Callable[[str], Run], staged: Staged, content: bytes
) -> None:
    back = run(TO_SALESFORCE).up_to("preflight")
    (path,) = [path for path in staged(back) if path.name == "token.json"]
    path.write_bytes(content)
    assert back.requests("payments") == [LOGIN, *PAYMENTS]
    assert back.requests("invoices") == INVOICES


def test_a_token_that_kashoo_has_ended_is_renewed_for_the_tasks_that_follow(
    run: Callable[[str], Run], in_step: Sandbox
) -> None:
    back = run(TO_SALESFORCE).up_to("preflight")
    in_step.books._tokens.clear()
    assert back.requests("invoices") == ["GET invoices", LOGIN, *INVOICES]
    assert back.requests(*back.steps[2:]) == PAYMENTS


def test_what_a_person_does_on_the_command_line_leaves_no_token(in_step: Sandbox, set_key: SetKey) -> None:
    with open_sync(TO_KASHOO, RunFacts(run_id="by hand"), begins=True) as sync:
        assert sync.kashoo.businesses()
        assert sync.files.names("token") == []
