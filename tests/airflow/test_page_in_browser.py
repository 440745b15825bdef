"""The page as a person sees it: a real browser, and a real Airflow below a path."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect, sync_playwright
from records import add_account, add_deal
from sqlalchemy import URL

from airflow_provider_kashoo.core.errors import Problem
from airflow_provider_kashoo.local_airflow import FORWARD, USER, LocalAirflow
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.find_invoices import find_invoices
from airflow_provider_kashoo.store.store import SyncStore

REPOSITORY = Path(__file__).parents[2]
AXE = REPOSITORY / "ui" / "node_modules" / "axe-core" / "axe.min.js"
SCRIPT = REPOSITORY / "airflow_provider_kashoo" / "plugins" / "static" / "kashoo.js"
PICTURES = REPOSITORY / "docs" / "how-to" / "pictures"
TAKE = bool(os.environ.get("TAKE_PICTURES"))
"""Set to take those of the docs anew."""

SECONDS = 300
DEAL, CUSTOMER = "<script>alert(1)</script> & Sons", '<img src="x" onerror="alert(2)"> Ltd.'
THEMES = ("light", "dark")
FADED = """Promise.all(
    document.getAnimations()
        .filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
        .map((each) => each.finished.catch(() => 0))
)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's, as ``make test`` installs it."""
    path = shutil.which("chromium")
    if path is None and not os.environ.get("CI"):
        pytest.skip("there is no chromium; as root, make test installs it on Debian")
    with sync_playwright() as playwright:
        # As root there is no sandbox, and a container has little shared memory.
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])


@pytest.fixture(scope="module")
def airflow(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """An Airflow below ``/air`` that knows nothing yet; its DAGs run only when they are triggered."""
    home = tmp_path_factory.mktemp("airflow")
    with Sandbox() as box:
        add_deal(box, add_account(box, CUSTOMER), "98765.00", Name=DEAL)
        box.clock.advance(600)
        own = {
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            "AIRFLOW__KASHOO__APPROVE_FIRST_RUN": "False",
        }
        local = LocalAirflow(home, REPOSITORY / "dags", box.describe()["env"] | own, "/air")
        with local.running():
            wait(local.ready)
            yield local


@pytest.fixture(scope="module")
def run(airflow: LocalAirflow) -> str:
    """A finished run; gives its id, as an address has it."""
    airflow.unpause(FORWARD)
    airflow.trigger(FORWARD)
    (done,) = wait(lambda: [each for each in airflow.runs(FORWARD) if each["state"] in {"success", "failed"}])
    assert done["state"] == "success"
    return quote(done["dag_run_id"], safe="")


def wait(done: Callable[[], Any]) -> Any:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if found := done():
            return found
        time.sleep(0.5)
    pytest.fail("it did not come about")


class Seen:
    """One person's browser, and what went wrong in it."""

    def __init__(self, browser: Browser, airflow: LocalAirflow, width: int = 1280) -> None:
        self.url, self.faults = airflow.url, list[str]()
        self.context: BrowserContext = browser.new_context(viewport={"width": width, "height": 850})
        token = airflow._session.headers["Authorization"].removeprefix("Bearer ")
        self.context.add_cookies([{"name": "_token", "value": token, "url": airflow.url}])
        self.context.add_init_script("localStorage.setItem('theme', 'light')")
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.faults.append(dialog.message), dialog.dismiss()))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)

    def open(self, path: str) -> Locator:
        """Open a place of Airflow; give what the Kashoo page shows there once it has loaded."""
        self.page.goto(f"{self.url}/{path}")
        shown = self.page.locator("[data-kashoo]")
        expect(shown.get_by_role("status", name="Loading")).to_have_count(0)
        expect(shown).to_be_visible()
        return shown

    def turn(self, theme: str) -> None:
        """Change the theme as another tab of the same person would."""
        self.page.evaluate(
            "(newValue) => window.dispatchEvent(new StorageEvent('storage', {key: 'theme', newValue}))", theme
        )
        self.page.wait_for_function(f"document.documentElement.classList.contains('{theme}')")

    def answer(self, path: str, status: int, body: Any) -> None:
        """Let the API answer so, whatever it would say."""
        pattern = re.compile(rf"/kashoo/api/{path}")
        self.page.route(pattern, lambda route: route.fulfill(status=status, json=body))

    def reach(self, name: str) -> None:
        """Go to a button, a link or a field by the tabulator."""
        for _ in range(60):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("(document.activeElement.ariaLabel || document.activeElement.textContent)") == name:
                return
        pytest.fail(f"{name} cannot be reached")

    def serious(self) -> list[str]:
        """What axe finds that keeps people out, once no colour fades any more."""
        self.page.evaluate(FADED)
        self.page.add_script_tag(path=AXE)
        found = self.page.evaluate("axe.run('[data-kashoo]')")["violations"]
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]


@pytest.fixture
def seen(browser: Browser, airflow: LocalAirflow) -> Iterator[Callable[..., Seen]]:
    opened: list[Seen] = []

    def see(width: int = 1280) -> Seen:
        opened.append(Seen(browser, airflow, width))
        return opened[-1]

    yield see
    for each in opened:
        each.page.unroute_all(behavior="ignoreErrors")
        each.context.close()
        assert each.faults == []


def test_a_newcomer_is_told_the_first_steps(seen: Callable[..., Seen]) -> None:
    new = seen()
    today = new.open("plugin/kashoo")
    expect(today.get_by_text("Three steps to the first invoices")).to_be_visible()
    expect(today.get_by_text("airflow kashoo plan")).to_be_visible()
    expect(new.open("plugin/kashoo/invoices").get_by_text("No invoice was made yet.")).to_be_visible()
    expect(new.open("plugin/kashoo/plan").get_by_text("No plan is kept.")).to_be_visible()
    expect(new.open("plugin/kashoo/tie-out").get_by_text("No tie-out was made yet.")).to_be_visible()
    expect(new.open("").get_by_text("See the first steps")).to_be_visible()


VIEWS = {
    "today": ("plugin/kashoo", "USD"),
    "invoices": ("plugin/kashoo/invoices", "98,765.00 USD"),
    "named": ("plugin/kashoo/invoices?find=Sons", DEAL),
    "plans": ("plugin/kashoo/plan", "Plans"),
    "plan": (f"plugin/kashoo/plan?dag={FORWARD}&run={{run}}", DEAL),
    "mapping": ("plugin/kashoo/mapping", "AccountId"),
    "tie-out": ("plugin/kashoo/tie-out", "Invoices dated 2026-03-01 to 2026-03-31"),
    "todo": ("plugin/kashoo/todo", "Nothing waits for you."),
    "dashboard": ("", "Waits for a person"),
    "run": (f"dags/{FORWARD}/runs/{{run}}/plugin/kashoo-plan", "Outcome"),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_shown_in_each_theme(seen: Callable[..., Seen], run: str, view: str) -> None:
    path, text = VIEWS[view]
    one = seen()
    asked: list[str] = []
    if view == "tie-out":
        answer_with_a_tie_out(one)
    one.page.on("request", lambda request: asked.append(request.url))
    shown = one.open(path.format(run=run))
    expect(shown.get_by_text(text).first).to_be_visible()
    assert [each for each in asked if "kashoo/" in each and not each.startswith(f"{one.url}/")] == []
    assert shown.locator("img, script").count() == 0  # names are text
    for theme in THEMES:
        one.turn(theme)
        assert one.serious() == []
        if TAKE and (view, theme) in {("today", "light"), ("invoices", "dark")}:
            PICTURES.mkdir(exist_ok=True)
            clip: Any = {"x": 0, "y": 0, "width": 1280, "height": 850}
            one.page.screenshot(path=PICTURES / f"the-page-{view}.png", clip=clip)


def answer_with_a_tie_out(one: Seen) -> None:
    """Show one that was not made here: comparing takes a DAG run of its own, and its routes have tests of theirs."""
    counts = {"deals": 100_000, "invoices": 99_999, "books": 99_999, "not_ours": 0}
    amounts = dict.fromkeys(("deals", "taxes", "invoices", "books", "owed", "not_ours", "difference"), "98,765.00")
    row = {
        "id": "07ff4f3d482a", "name": "unexplained", "source_id": "006000000000001AAA", "part": 1, "kashoo_id": 501,
        "kind": "invoice", "next_step": "Look at it now.", "deal": "98,765.00", "books": "0.00",
        "state": "investigating", "why": DEAL, "by": "ann (id 1)", "decided_at": "2026-04-01T06:00:00Z",
        "may_be_marked": True,
        "opens": {"Salesforce": "https://acme.example/006000000000001AAA"},
    }  # fmt: skip
    shown = {
        "currency": "USD", "month": "2026-03", "matching": 100_000, "offset": 0, "page": 100, "rows": [row] * 100,
        "names": [{"name": "unexplained", "count": 100_000, "sum": "98,765.00", "apart": False}],
    }  # fmt: skip
    month = {"currency": "USD", "month": "2026-03", "closed": False, "why_open": ["100,000 differences are open"]}
    total = {"currency": "USD", "customers": 9_000, "open": "98,765.00", "credits": "0.00", "balance": "98,765.00"}
    customer = {
        "source_id": "001000000000001AAA", "kashoo_id": 77, "open": "98,765.00", "credits": "0.00",
        "balance": "98,765.00", "ours": "98,765.00", "says": "1.00", "opens": {},
    }  # fmt: skip
    owed = {"since": "2026-02-01", "totals": [total | {"differences": 1}], "notes": ["9 payments cannot be read."]}
    whole = {
        "business": CUSTOMER, "from": "2026-03-01", "to": "2026-03-31", "at": "2026-04-01T06:00:00Z",
        "unexplained": 1, "notes": ["9 records are not compared"], "shown": None,
        "owed": owed, "customers": [],
        "months": [month | amounts | {"counts": counts, "differences": 100_000}],
    }  # fmt: skip
    listed = {"dag_id": "kashoo_tie_out", "run_id": "night", "at": "2026-04-01T06:00:00Z"}
    one.answer("tie-outs$", 200, {"tie_outs": [listed, listed | {"run_id": "before"}]})
    one.answer(r"tie-outs/[^?]+\?currency=&", 200, whole)
    one.answer(r"tie-outs/[^?]+\?currency=USD&", 200, whole | {"shown": shown})
    changed = row | {"source_id": "001000000000001AAA", "kind": "customer", "name": "changed in Salesforce"}
    balances = shown | {"month": "today", "matching": 1, "rows": [changed]}
    one.answer(
        r"tie-outs/[^?]+\?currency=USD&month=today", 200, whole | {"shown": balances, "customers": [customer] * 100}
    )


def test_differences_come_in_pages_and_a_person_decides(seen: Callable[..., Seen], run: str) -> None:
    one = seen(width=700)
    answer_with_a_tie_out(one)
    shown = one.open("plugin/kashoo/tie-out")
    shown.get_by_role("button", name="Show 100,000 differences of 2026-03 USD").click()
    expect(shown.get_by_text("1 to 100 of 100,000")).to_be_visible()
    shown.get_by_role("button", name="Decide about unexplained of 006000000000001AAA").first.click()
    expect(shown.get_by_role("button", name="It may stay")).to_be_disabled()
    shown.get_by_role("textbox", name="Reason").fill("credit note 118")
    for theme in THEMES:
        one.turn(theme)
        assert one.serious() == []
    sent = []
    one.page.on("request", lambda request: sent.append(request.post_data_json) if request.post_data else None)
    one.answer("tie-outs/differences/07ff4f3d482a", 200, {"state": "dismissed"})
    shown.get_by_role("button", name="It may stay").click()
    expect(shown.get_by_role("textbox", name="Reason")).to_have_count(0)
    assert sent == [{"state": "dismissed", "reason": "credit note 118"}]
    wide = one.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert wide, "the page itself must not scroll sideways"


def test_who_owes_what_is_shown_with_what_its_account_says(seen: Callable[..., Seen], run: str) -> None:
    one = seen(width=700)
    answer_with_a_tie_out(one)
    shown = one.open("plugin/kashoo/tie-out")
    shown.get_by_role("button", name="Show customers who owe USD").click()
    expect(shown.get_by_text("Differences of balances in USD")).to_be_visible()
    expect(shown.get_by_text("100 customers, the largest balances first")).to_be_visible()
    expect(shown.get_by_role("link", name="001000000000001AAA")).to_have_count(0)  # a customer is no invoice
    assert one.serious() == []


def test_the_story_of_a_deal_is_told(seen: Callable[..., Seen], run: str) -> None:
    one = seen()
    one.open("plugin/kashoo/invoices?find=Sons").get_by_role("link", name=DEAL).click()
    shown = one.page.locator("[data-kashoo]")
    expect(shown.get_by_text("What happened")).to_be_visible()
    expect(shown.get_by_text("98,765.00 USD")).to_be_visible()
    shown.get_by_role("button", name="Ask Salesforce and Kashoo now").click()
    expect(shown.get_by_text(f"{DEAL} of {CUSTOMER}")).to_be_visible()
    expect(shown.get_by_text("The next run leaves the invoice as it is")).to_be_visible()
    assert one.serious() == []


def test_a_plan_is_searched(seen: Callable[..., Seen], run: str) -> None:
    shown = seen().open(VIEWS["plan"][0].format(run=run))
    rows = shown.get_by_role("region", name="Rows of the plan").get_by_role("row")
    expect(rows).to_have_count(51)  # the first page, and what the columns are
    shown.get_by_role("textbox", name="Find in this plan").fill("& sons")
    expect(rows).to_have_count(2)
    shown.get_by_role("combobox", name="Show only").select_option("link")
    expect(shown.get_by_text("No row matches.")).to_be_visible()


def test_it_works_by_keyboard_alone(seen: Callable[..., Seen], run: str) -> None:
    one = seen()
    one.open("plugin/kashoo")
    keys, reach = one.page.keyboard, one.reach
    reach("Invoices")
    keys.press("Enter")
    expect(one.page.get_by_role("heading", name="Newest invoices")).to_be_visible()
    reach("Find invoices")
    keys.type("98,765.00")
    keys.press("Enter")
    expect(one.page.get_by_role("heading", name="Invoices of 98,765.00")).to_be_visible()
    reach(one.page.get_by_role("link", name=re.compile("^006")).first.text_content() or "")
    keys.press("Enter")
    expect(one.page.get_by_role("heading", name="What happened")).to_be_visible()


def test_what_fails_says_what_to_do_and_can_be_tried_again(seen: Callable[..., Seen], run: str) -> None:
    one = seen()
    one.answer("today", 409, {"what": "The sync store does not exist.", "remedy": "Run: airflow kashoo init"})
    shown = one.open("plugin/kashoo")
    expect(shown.get_by_role("alert")).to_contain_text("Run: airflow kashoo init")
    assert one.serious() == []
    one.page.unroute(re.compile("/kashoo/api/today"))
    shown.get_by_role("button", name="Try again").click()
    expect(shown.get_by_role("heading", name="Requests to Kashoo")).to_be_visible()

    one.answer("mappings", 403, {"detail": "Forbidden"})
    expect(one.open("plugin/kashoo/mapping").get_by_text("You may not see this.")).to_be_visible()
    one.page.route(re.compile("/kashoo/api/invoices"), lambda route: route.abort())
    expect(one.open("plugin/kashoo/invoices").get_by_text("Airflow does not answer.")).to_be_visible()
    one.faults.clear()  # the browser notes each answer that was no 200


def test_many_rows_come_in_pages(seen: Callable[..., Seen], run: str) -> None:
    one = seen(width=700)

    def answer(route: Route) -> None:
        whole = route.fetch().json()
        route.fulfill(json=whole | {"matching": 100_000, "more_rows": 95_000})

    one.page.route(re.compile(r"/kashoo/api/plans/[^/]+/.+"), answer)
    shown = one.open(VIEWS["plan"][0].format(run=run))
    expect(shown.get_by_text("1 to 50 of 100,000")).to_be_visible()
    expect(shown.get_by_text("95,000 more rows")).to_be_visible()
    shown.get_by_role("button", name="Later").click()
    expect(shown.get_by_text("51 to 100 of 100,000")).to_be_visible()
    wide = one.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert wide, "the page itself must not scroll sideways"


def test_a_run_that_is_under_way_shows_how_far_it_is(
    seen: Callable[..., Seen], run: str, airflow: LocalAirflow
) -> None:
    real = airflow._session.get(f"{airflow.url}/kashoo/api/today", timeout=30).json()
    running = {
        "sync": FORWARD,
        "run_id": "a/b",
        "planned": 400,
        "done": 100,
        "requests_left": 310,
        "done_at": real["now"],
    }
    real["pairs"][0] |= {"running": [running], "writes": {"done": 5, "parked": 2, "in_doubt": 1}, "asked": 1}
    real["schedules"][1] |= {"paused": False, "next_at": real["now"], "late": True}
    one = seen()
    one.answer("today", 200, real)
    shown = one.open("plugin/kashoo")
    expect(shown.get_by_text("100 of 400 writes done, about 310 requests to Kashoo left.")).to_be_visible()
    expect(shown.get_by_text("Kashoo to Salesforce is late.")).to_be_visible()
    expect(shown.get_by_text("4 records wait for a person.")).to_be_visible()
    assert one.serious() == []


@pytest.fixture
def waits(airflow: LocalAirflow, run: str) -> str:
    """The billed deal is parked, and a person is asked about its invoice; gives its id."""
    database = Database(URL.create("sqlite", database=str(airflow.log.parent / "kashoo_store.db")))
    (pair,) = figures.pairs(database)
    store = SyncStore(database, pair.org_id, pair.business_id)
    (row,) = find_invoices(database, pair.id, amount=Decimal(9_876_500)).rows
    link = store.links.of_sources("invoice", [row["source_id"]])[row["source_id"]]
    refused = Problem("no_account", f"account '{DEAL}' is not in Kashoo", "Add the account in Kashoo.")
    store.waiting.park(link.intent(FORWARD).parked(refused), refused, "by hand")
    edited = Problem("edited_in_books", "memo was edited in Kashoo", "Compare both, and correct what is wrong.")
    store.reviews.open(link.intent(FORWARD), edited, "by hand")
    database.dispose()
    return str(row["source_id"])


def plain(one: Seen, path: str, picture: Path) -> None:
    """Take a picture for the docs, in which people have names of people."""

    def answer(route: Route) -> None:
        said = route.fetch().text()
        for odd, name in ((DEAL, "4000"), (CUSTOMER, "Adams & Sons")):
            said = said.replace(json.dumps(odd)[1:-1], name)
        route.fulfill(body=said, content_type="application/json")

    one.page.route(re.compile(r"/kashoo/api/"), answer)
    expect(one.open(path).get_by_role("table")).to_have_count(2)
    one.page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 1280, "height": 700})


def test_what_waits_is_dismissed_by_keyboard_and_tried_again(
    seen: Callable[..., Seen], airflow: LocalAirflow, waits: str
) -> None:
    one = seen()
    shown = one.open("plugin/kashoo/todo")
    expect(shown.get_by_text(f"account '{DEAL}' is not in Kashoo")).to_be_visible()
    shown.get_by_role("button", name="Show names").first.click()
    expect(shown.get_by_text(CUSTOMER).first).to_be_visible()
    assert shown.locator("img, script").count() == 0
    assert one.serious() == []
    if TAKE:
        plain(seen(), "plugin/kashoo/todo", PICTURES / "the-page-todo.png")

    keys, dialog = one.page.keyboard, one.page.get_by_role("alertdialog")
    one.reach(f"Dismiss: {waits}")
    keys.press("Enter")
    expect(dialog).to_be_visible()
    assert one.serious() == []
    expect(dialog.get_by_role("button", name="Dismiss")).to_be_disabled()  # without a reason
    expect(dialog.get_by_role("textbox")).to_be_focused()
    keys.type("agreed by phone")
    keys.press("Enter")
    expect(shown.get_by_text("It is left as it is")).to_be_visible()
    expect(shown.get_by_text("memo was edited")).to_have_count(0)

    shown.get_by_role("button", name=f"Try again: {waits}").click()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    shown.get_by_role("button", name=f"Try again: {waits}").click()
    dialog.get_by_role("button", name="Try again").click()
    expect(shown.get_by_role("link", name="Open the run to see what comes of it.")).to_be_visible()
    (done,) = wait(lambda: [each for each in airflow.runs("kashoo_replay") if each["state"] in {"success", "failed"}])
    assert (done["state"], done["triggering_user_name"]) == ("success", USER)
    expect(one.open("plugin/kashoo/todo").get_by_text("Nothing waits for you.")).to_be_visible()


def test_an_airflow_that_shares_less_says_so_instead_of_breaking(browser: Browser) -> None:
    page = browser.new_page()
    page.add_script_tag(content="globalThis.React = {createElement() {}}; globalThis.ReactRouterDOM = {};")
    page.add_script_tag(content=SCRIPT.read_text("utf-8"))
    said = page.evaluate("['Kashoo', 'Kashoo today', 'Kashoo plan'].map((name) => globalThis[name]())")
    assert all("does not share ChakraUI" in each for each in said)
    page.close()
