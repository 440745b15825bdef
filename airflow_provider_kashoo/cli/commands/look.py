"""Commands that only show."""

from __future__ import annotations

from argparse import Namespace
from functools import partial

from airflow.cli.cli_config import Arg

from airflow_provider_kashoo.cli.commands.command import (
    CONNECTIONS,
    TO_KASHOO,
    TO_SALESFORCE,
    command,
    opened,
    opened_store,
    say,
)


@command(
    "Show what the next run would do, and the money it moves",
    Arg(("--sync",), help="which sync", choices=(TO_KASHOO, TO_SALESFORCE), default=TO_KASHOO),
    Arg(("--since",), help="read from this time on, ISO 8601 UTC", metavar="TIME"),
    Arg(("--until",), help="read up to this time, ISO 8601 UTC", metavar="TIME"),
    Arg(("--limit",), help="as a test batch of so many invoices", type=int),
    Arg(("--remap",), help="what the mappings as they are now would change in linked records", action="store_true"),
    Arg(("--format",), help="table, json or html", choices=("table", "json", "html"), default="table"),
    Arg(("--output",), help="write it to a file", metavar="FILE"),
    *CONNECTIONS,
    about="Read both sides and plan, with the code of a run: a row for each write, question and parked record, with "
    "the amounts before and after, totals by currency, what to look at first, and when it will be done. Nothing is "
    "written to Kashoo, Salesforce or the store; the requests to Kashoo count against the limit.",
    epilog="Examples:\n  airflow kashoo plan\n  airflow kashoo plan --format html --output plan.html",
)
def plan(args: Namespace) -> None:
    """Show what the next run would do."""
    from airflow_provider_kashoo.cli import plan as shown
    from airflow_provider_kashoo.cli.console import instant_given
    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.runtime.dags import start_of

    if args.limit is not None and args.limit < 1:
        raise SystemExit("--limit takes a number from 1 on.")
    since, until = (instant_given(f"--{name}", getattr(args, name)) for name in ("since", "until"))
    run = RunFacts("plan", first=start_of(args.sync), since=since, until=until, limit=args.limit, remap=args.remap)
    with opened(args, args.sync) as sync:
        shown.show(shown.plan(sync, run), args.format, args.output)


_PLAN = Arg(("digest",), help="of the plan: its first 12 characters or more, as the log of the task plan shows it")


@command(
    "Explain one record: why it was billed, or why it was not",
    Arg(("record",), help="Salesforce id, 15 or 18 characters; number of an invoice; or id of a record in Kashoo"),
    Arg(("--stored",), help="what the store and the last plans know; ask neither side", action="store_true"),
    Arg(("--format",), help="table or json", choices=("table", "json"), default="table"),
    *CONNECTIONS,
    about="Read the record, and say which conditions hold, which rules catch it, from what each field is made, and "
    "what the next run would do; then what the last plans decided, which record of the books it is, what waits or is "
    "asked about it, and all that was done. Nothing is written. With --stored, Kashoo and Salesforce are not asked.",
    epilog="Example: airflow kashoo explain 006WU00000abcdeYAA",
)
def explain(args: Namespace) -> None:
    """Explain one record."""
    from airflow_provider_kashoo.cli.console import printer
    from airflow_provider_kashoo.cli.explain import as_json, print_story
    from airflow_provider_kashoo.settings import staging_root
    from airflow_provider_kashoo.sync.by_hand.story import tell
    from airflow_provider_kashoo.sync.run.staged_runs import newest_runs

    with opened_store() as database:
        sides = None if args.stored else partial(opened, args)
        story = tell(args.record, database, newest_runs(staging_root()), sides)
    if args.format == "json":
        say(as_json(story))
    else:
        print_story(story, printer())


@command(
    "Read the documentation",
    Arg(("page",), help="its name, such as mapping; without one, all pages are listed", nargs="?"),
    about="Print a page of the documentation, as it was when this version was made, or list all pages.",
    epilog="Example: airflow kashoo docs mapping",
)
def docs(args: Namespace) -> None:
    """Print a page of the documentation, or list all."""
    from airflow_provider_kashoo.cli.docs import pages, text, title

    if args.page:
        say(text(args.page))
        return
    for name, page in pages().items():
        say(f"{name:<24} {title(page)}")


@command(
    "Tell what happened to one record, oldest first",
    Arg(("record",), help="Salesforce id, 15 or 18 characters, or id of a record in Kashoo"),
    Arg(("--format",), help="table or json", choices=("table", "json"), default="table"),
    about="A sentence for each thing that was done with it or asked about it: when, in which run, who decided, and "
    "why. It reads the store only. For why a record was or was not billed, and what the next run would do: airflow "
    "kashoo explain.",
    epilog="Example: airflow kashoo history 006WU00000abcdeYAA",
)
def history(args: Namespace) -> None:
    """Tell the history of one record."""
    from airflow_provider_kashoo.cli import history as told

    with opened_store() as database:
        events = told.happened(database, args.record)
    for line in [told.as_json(args.record, events)] if args.format == "json" else told.as_text(events):
        say(line)


@command(
    "List what waits for a person, by its cause, and what is late",
    Arg(("--stored",), help="what the store knows; ask neither side for names and numbers", action="store_true"),
    Arg(
        ("--late-after",),
        help="hours without a full run; else late_after_hours",
        type=float,
        metavar="HOURS",
    ),
    Arg(("--format",), help="table or json", choices=("table", "json"), default="table"),
    *CONNECTIONS,
    about="List parked records, writes in doubt, review items and plans that wait for an approval: each with names, "
    "amount, since when it waits, its cause, and what to do. Take the id for replay, resolve, dismiss and settle. "
    "Exit status 0: all is well; 1: something waits, or it cannot be read; 2: no full run of a sync ended for so long. "
    "Names are read when they are shown, and not kept; numbers of at most 20 invoices count against the limit.",
    epilog="Examples:\n  airflow kashoo status\n  airflow kashoo status --stored --format json",
)
def status(args: Namespace) -> None:
    """List what waits, and end with 0, 1 or 2."""
    from airflow_provider_kashoo.cli import status as waits
    from airflow_provider_kashoo.settings import late_after_hours, open_database
    from airflow_provider_kashoo.sync.by_hand.status import exit_status

    database = open_database()
    try:
        late_after = late_after_hours() if args.late_after is None else args.late_after
        found = waits.read(database, late_after, None if args.stored else partial(opened, args))
        limits = waits.limits_of(args.kashoo_conn_id)
        if args.format == "json":
            say(waits.as_json(found, limits))
        else:
            waits.print_status(database, found=found, limits=limits)
    finally:
        database.dispose()
    if ended := exit_status(found):
        raise SystemExit(ended)
