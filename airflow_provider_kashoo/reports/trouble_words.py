"""What each trouble is called in a message, what to do about it, and on which page."""

from __future__ import annotations

from airflow_provider_kashoo.core.rules import tie_out
from airflow_provider_kashoo.core.rules.alerts import Name, Told, Trouble
from airflow_provider_kashoo.reports.digest import counted

_TITLES = {
    Name.PARKED: "{records} parked: {words}",
    Name.IN_DOUBT: "{writes} in doubt: {words}",
    Name.TO_REVIEW: "{questions} for you: {words}",
    Name.APPROVAL: "plan {which} waits for an approval",
    Name.FAILED: "the last run of {which} failed",
    Name.LATE: "the sync {which} is late",
    Name.NOTHING_CAME_IN: "nothing came in from Salesforce in {runs}",
    Name.TIE_OUT: "{differences} in the tie-out: {which}",
}
_BUDGET, _SLOW = (
    "Kashoo asked for a pause: its request limit was reached",
    "the sync {which} needs {requests}: it will be late",
)

_WELL = {
    Name.PARKED: "no longer parked: {words}",
    Name.IN_DOUBT: "no longer in doubt: {words}",
    Name.TO_REVIEW: "no longer asked: {words}",
    Name.APPROVAL: "plan {which} no longer waits for an approval",
    Name.FAILED: "the sync {which} runs again",
    Name.LATE: "the sync {which} is no longer late",
    Name.NOTHING_CAME_IN: "records come in from Salesforce again",
    Name.BUDGET: "the request limit of Kashoo holds again",
    Name.TIE_OUT: "no difference in the tie-out any more: {which}",
}

_FIXES = {
    Name.IN_DOUBT: "Nothing yet: the next run looks them up. If it lasts: airflow kashoo resolve.",
    Name.APPROVAL: "Read the plan, then approve or reject it in Airflow.",
    Name.FAILED: "Read the log of the task that failed, then clear it. Nothing is billed twice.",
    Name.LATE: "Look at its DAG: is it paused, does a task wait for a pool, an approval or the request limit?",
    Name.NOTHING_CAME_IN: "If deals were won meanwhile, look at what the Salesforce user may read.",
    Name.BUDGET: "Nothing is lost: the tasks go on by themselves. If it comes often, lower the budget.",
}

_PAGES = {
    Name.APPROVAL: "plugin/kashoo/plan",
    Name.FAILED: "dags/{which}",
    Name.LATE: "dags/{which}",
    Name.NOTHING_CAME_IN: "plugin/kashoo",
    Name.BUDGET: "plugin/kashoo",
    Name.TIE_OUT: "plugin/kashoo/tie-out",
}


def title_of(each: Trouble) -> str:
    """Say what is wrong, in a few words."""
    title = (_SLOW if each.which else _BUDGET) if each.name is Name.BUDGET else _TITLES[each.name]
    nouns = ("record", "write", "question", "run", "difference", "request")
    counts = {f"{noun}s": counted(each.count, noun) for noun in nouns}
    return title.format(**counts, which=each.which, words=_words(each.which))


def well_of(each: Told) -> str:
    """Say that it is over."""
    return _WELL[each.name].format(which=each.which, words=_words(each.which))


def fix_of(each: Trouble) -> str:
    """Say what to do; empty if it is not the same for all of its records."""
    if each.name is Name.TIE_OUT:
        return next((step for name, step in tie_out.NEXT_STEP.items() if name == each.which), "")
    return each.fix or _FIXES.get(each.name, "")


def page_of(each: Trouble) -> str:
    """Give the path of the page on which one does it, below the address of Airflow."""
    return _PAGES.get(each.name, "plugin/kashoo/todo").format(which=each.which)


def _words(which: str) -> str:
    return which.replace("_", " ")
