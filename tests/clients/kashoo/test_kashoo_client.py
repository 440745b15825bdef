"""Our Kashoo client against the simulated Kashoo over HTTP."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from kashoo_calls import PRIVATE, WRONG, create, customer, invoice, slept

from airflow_provider_kashoo.clients.kashoo import Write
from airflow_provider_kashoo.clients.kashoo_http import encode
from airflow_provider_kashoo.clients.outcomes import WriteFailed
from airflow_provider_kashoo.clients.profile import Profile
from airflow_provider_kashoo.clients.transport import DEFAULT_CLOSURE, MeteredAdapter, Unlimited
from airflow_provider_kashoo.core.errors import AuthenticationError, BudgetSpent, ConfigurationError
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.rules.pace import Limit
from airflow_provider_kashoo.sandbox.kashoo.books import KashooError
from airflow_provider_kashoo.store.budget import Budget

# -- tokens


@pytest.mark.parametrize("as_text", [False, True])
def test_a_token_is_understood_as_json_and_as_bare_text(make, sandbox, seen, as_text) -> None:
    class TextWanted(MeteredAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            if as_text and request.path_url.endswith("/authTokens"):
                del request.headers["Accept"]  # then Kashoo answers with text
            return super().send(request, *args, **options)

    kashoo, adapter = make(), TextWanted(Unlimited(), 20)
    for scheme in ("http://", "https://"):
        kashoo._session.mount(scheme, adapter)
    assert kashoo.business_id in [each.id for each in kashoo.businesses()]
    assert kashoo._authorization.startswith("TOKEN uuid:" if as_text else "TOKEN json:{")
    assert seen() == [("POST", "authTokens", 200), ("GET", "businesses", 200)]
    assert kashoo.requests_sent == 2


def test_a_token_is_used_until_shortly_before_it_expires_and_then_renewed(make, sandbox, seen) -> None:
    kashoo = make()
    kashoo.businesses()
    sandbox.clock.advance(25 * 3600 - 300)
    kashoo.businesses()
    assert [path for _, path, _ in seen()] == ["authTokens", "businesses", "businesses"]
    sandbox.clock.advance(200)  # it would still be accepted for 100 seconds
    kashoo.businesses()
    assert seen() == [("POST", "authTokens", 200), ("GET", "businesses", 200)]


def test_a_read_answered_401_logs_in_once_more(make, sandbox, seen) -> None:
    kashoo = make()
    kashoo.businesses()
    sandbox.books._tokens.clear()
    seen()
    assert kashoo.businesses()
    assert seen() == [("GET", "businesses", 401), ("POST", "authTokens", 200), ("GET", "businesses", 200)]


def test_a_read_refused_with_a_fresh_token_is_an_authentication_error(make, sandbox, seen, raises, monkeypatch) -> None:
    monkeypatch.setattr(sandbox.books, "check", Mock(side_effect=KashooError(PRIVATE, status=401)))
    with raises(AuthenticationError, "Kashoo refused the login"):
        make().businesses()
    assert [path for _, path, _ in seen()] == ["authTokens", "businesses", "authTokens", "businesses"]


def test_a_write_answered_401_is_in_doubt_and_not_repeated(make, sandbox, seen, raises) -> None:
    kashoo = make()
    kashoo.businesses()
    sandbox.books._tokens.clear()
    seen()
    with raises(WriteFailed) as caught:
        create(kashoo, "customer", customer())
    assert (caught.value.outcome.event, caught.value.outcome.stop) == (Event.SILENCE, False)
    assert seen() == [("POST", "customers", 401)]
    assert create(kashoo, "customer", customer()).id > 0  # the next write logs in again
    assert seen() == [("POST", "authTokens", 200), ("POST", "customers", 201)]


def test_a_wrong_password_is_an_authentication_error_that_tells_no_secret(make, seen, raises) -> None:
    with raises(AuthenticationError, "Check login and password") as caught:
        make(password=WRONG).businesses()
    assert "html" not in str(caught.value)
    assert (seen(), slept) == ([("POST", "authTokens", 401)], [])


# -- reading


def test_a_listing_is_read_to_the_empty_page_and_leaves_removed_rows_out(make, sandbox, seen) -> None:
    kashoo = make(profile=Profile(page_size=2))
    made = [create(kashoo, "customer", customer(f"Firm {n}")).id for n in range(5)]
    sandbox.books.remove(int(kashoo.business_id), "customers", made[1])
    seen()
    assert [each.id for each in kashoo.listing("customer")] == [made[0], *made[2:]]
    assert len(seen()) == 3  # two full pages and the empty one: a short page proves nothing


@pytest.mark.parametrize(("rows", "pages"), [(0, 1), (1, 1), (2, 2), (5, 3)])
def test_where_the_largest_page_is_known_a_short_one_ends_a_listing(make, seen, rows, pages) -> None:
    kashoo = make(profile=Profile(page_size=2, largest_page=100))
    made = [create(kashoo, "customer", customer(f"Firm {n}")).id for n in range(rows)]
    kashoo.businesses()
    seen()
    assert [each.id for each in kashoo.listing("customer")] == made
    assert len(seen()) == pages


def test_a_page_that_is_as_large_as_kashoo_makes_them_is_not_short(make, sandbox, monkeypatch, seen) -> None:
    page = sandbox.books.page
    monkeypatch.setattr(sandbox.books, "page", lambda *a, limit, **more: page(*a, limit=min(limit, 2), **more))
    kashoo = make(profile=Profile(page_size=100, largest_page=2))
    made = [create(kashoo, "customer", customer(f"Firm {n}")).id for n in range(5)]
    assert [each.id for each in kashoo.listing("customer")] == made


def test_a_row_shown_as_removed_or_twice_is_given_out_once_or_not_at_all(make, monkeypatch, sandbox) -> None:
    pages = {0: [{"id": 1}, {"id": 2, "removed": True}], 2: [{"id": 2}, {"id": 3, "removed": False}], 4: [{"id": 3}]}
    monkeypatch.setattr(sandbox.books, "page", lambda *_, offset, **__: pages.get(offset, []))
    assert [each.id for each in make().listing("customer")] == [1, 3]


def test_a_date_window_includes_both_its_ends(make) -> None:
    kashoo = make()
    made = {
        day: create(kashoo, "invoice", invoice(kashoo, date=f"2026-03-{day}")).id for day in ("09", "10", "11", "12")
    }
    listed = kashoo.listing("invoice", start="2026-03-10", end="2026-03-11")
    assert [each.id for each in listed] == [made["10"], made["11"]]


def test_a_record_that_is_not_there_reads_as_none_and_a_wrong_business_is_a_configuration_error(make, raises) -> None:
    kashoo = make()
    assert kashoo.read("customer", 1) is None
    kashoo.business_id = "1"
    with raises(ConfigurationError, "Check business_id"):
        list(kashoo.listing("customer"))


# -- writing


@pytest.mark.parametrize("shape", ["entity", "url-body", "location"])
def test_a_create_tells_its_id_in_each_of_three_answers(make, sandbox, shape) -> None:
    kashoo = make()
    sandbox.books.create_answer = shape
    written = create(kashoo, "customer", customer("Initech"))
    assert kashoo.read("customer", written.id).fields["name"] == "Initech"
    assert (written.entry is not None) == (shape == "entity")


def test_a_create_answered_by_nothing_is_in_doubt_although_it_was_written(make, sandbox, seen, raises) -> None:
    kashoo = make()
    sandbox.books.create_answer = "empty"
    with raises(WriteFailed) as caught:
        create(kashoo, "customer", customer())
    assert caught.value.outcome.event is Event.SILENCE
    assert [path for method, path, _ in seen() if method == "POST"] == ["authTokens", "customers"]
    assert len(list(kashoo.listing("customer"))) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"date": "2026-01-31"}, "The books are locked up to 2026-01-31; 2026-01-31 cannot be changed"),
        ({"currency": "XYZ"}, "'XYZ' is not a currency of this business"),
        ({"lineItems": [{"account": 1, "quantity": 1, "rate": 1}]}, "1 is not the id of one of the accounts"),
        ({"lineItems": [{"taxCode": "QQ"}]}, "'QQ'"),
        ({"memo": 5}, "memo must be text"),
    ],
)
def test_a_refusal_is_kept_in_kashoos_own_words(make, sandbox, seen, raises, change, words) -> None:
    kashoo = make()
    body = invoice(kashoo)
    if "taxCode" in str(change):
        change = {"lineItems": [body["lineItems"][0] | change["lineItems"][0]]}
    sandbox.books.lock_until(int(kashoo.business_id), "2026-01-31")
    seen()
    with raises(WriteFailed) as caught:
        create(kashoo, "invoice", body | change)
    outcome = caught.value.outcome
    assert (outcome.event, outcome.problem.error_class, outcome.stop) == (Event.REFUSED, "refused", False)
    assert words in outcome.problem.cause
    assert str(caught.value) == "Kashoo refused the record (400)"  # what may reach a log has our words alone
    assert seen() == [("POST", "invoices", 400)]
    assert list(kashoo.listing("invoice")) == []


def test_an_update_of_what_is_not_there_is_refused(make, raises) -> None:
    with raises(WriteFailed) as caught:
        make().send(Write("customer", 1, encode(customer())))
    assert (caught.value.outcome.event, caught.value.outcome.problem.error_class) == (Event.REFUSED, "not_found")


# -- the shared budget


@pytest.mark.parametrize("tells", [True, False])
def test_a_429_closes_the_budget_for_every_client_that_shares_it(
    make, sandbox, seen, raises, database, clock, tells
) -> None:
    budget = Budget(database, "shared", [Limit(100, 3600)], patience=0, sleep=clock.sleep)
    kashoo, other = make(budget), make(budget)
    for each in (kashoo, other):
        each.businesses()
    sandbox.books.retry_after = tells
    sandbox.books.limits = [(1, 3600.0)]
    kashoo.businesses()
    seen()
    with raises(WriteFailed) as caught:
        create(kashoo, "customer", customer())
    assert (caught.value.outcome.event, caught.value.outcome.problem.error_class) == (Event.TURNED_AWAY, "rate_limit")
    with raises(BudgetSpent) as spent:
        other.businesses()
    assert 3590 < spent.value.until - clock.now <= 3600 if tells else spent.value.until == clock.now + DEFAULT_CLOSURE
    assert seen() == [("POST", "customers", 429)]


def test_every_request_takes_one_slot_tokens_included_and_a_slot_taken_before_is_used(make, database, clock) -> None:
    budget = Budget(database, "b", [Limit(100, 3600)], sleep=clock.sleep)
    kashoo = make(budget)
    with kashoo.ready(lambda: None):
        assert (budget.used(3600), kashoo.requests_sent) == (2, 1)
        create(kashoo, "customer", customer())
    assert (budget.used(3600), kashoo.requests_sent) == (2, 2)
    with kashoo.ready(lambda: None):
        pass  # the journal said no: the slot is given back, not left to its deadline
    with database.begin() as connection:
        ends = connection.exec_driver_sql("SELECT counts_from FROM budget_slots").scalars().all()
    assert ends == [clock.now] * 3
