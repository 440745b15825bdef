"""``airflow kashoo ...``. Every ``airflow`` command imports this module: what a command needs is imported in it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

if TYPE_CHECKING:
    from airflow_provider_kashoo.sync.run.sync import Sync

Command = Callable[[Namespace], None]

TO_KASHOO, TO_SALESFORCE = "salesforce_to_kashoo", "kashoo_to_salesforce"

_COMMANDS: list[ActionCommand] = []
_CONNECTIONS = (
    Arg(("--kashoo-conn-id",), help="connection to Kashoo, as in your DAG", default="kashoo_default"),
    Arg(("--salesforce-conn-id",), help="connection to Salesforce, as in your DAG", default="salesforce_default"),
)


def get_kashoo_commands() -> list[Any]:
    """Give the command group that the provider info names."""
    return [
        GroupCommand(
            name="kashoo",
            help="Invoices in Kashoo for won Salesforce deals, and payments back",
            description="Set up, check and correct the syncs. The DAGs salesforce_to_kashoo and kashoo_to_salesforce "
            "do the daily work. Begin with: airflow kashoo init",
            subcommands=_COMMANDS,
        )
    ]


def _command(title: str, *args: Arg, about: str, epilog: str | None = None) -> Callable[[Command], Command]:
    """Make a command of a function. An error of this package ends it with its message and exit status 1."""

    def add(call: Command) -> Command:
        @wraps(call)
        def run(given: Namespace) -> None:
            from airflow_provider_kashoo.cli.console import log_to_stderr
            from airflow_provider_kashoo.core.errors import SyncError

            log_to_stderr()
            try:
                call(given)
            except SyncError as error:
                raise SystemExit(str(error)) from None

        _COMMANDS.append(ActionCommand(call.__name__, title, run, args, about, epilog))
        return run

    return add


@_command(
    "Create what the DAGs need: pools, store, DAG and mapping files",
    Arg(("--no-copy",), help="create pools and store only", action="store_true"),
    about="Create the pools and the sync store, and copy the shipped DAGs and mappings to where Airflow looks for "
    "them. It asks neither Kashoo nor Salesforce, never overwrites a file, and may be run again. In a new Airflow, run "
    "this first: airflow db migrate",
)
def init(args: Namespace) -> None:
    """Create pools and store; copy DAGs and mappings, never over edits."""
    from airflow_provider_kashoo.runtime.setup import copy_shipped, create_pools_and_store
    from airflow_provider_kashoo.settings import open_database
    from airflow_provider_kashoo.store.database import shown

    for name, slots in create_pools_and_store().items():
        _say(f"pool   {name}: {slots} slots")
    _say(f"store  {shown(open_database().url)}")
    for path, state in [] if args.no_copy else copy_shipped():
        _say(f"{state:<6} {path}")


@_command(
    "Check connections, permissions and mappings",
    Arg(("files",), help="mapping files to report on; without any, all of the mappings directory", nargs="*"),
    Arg(("--describe",), help="check against this file; nobody is asked, and no store is needed", metavar="FILE"),
    Arg(("--save-describe",), help="save what Salesforce and Kashoo know of it, for --describe", metavar="FILE"),
    Arg(("--format",), help="table or json", choices=("table", "json"), default="table"),
    *_CONNECTIONS,
    about="List every mistake of every mapping file with file, line and column, and what to write instead. Exit status "
    "1 if there is any; warnings alone are 0. The task preflight does the same. Nothing is written to Kashoo or "
    "Salesforce.",
    epilog="Example, for CI:\n"
    "  airflow kashoo check --save-describe describe.json\n"
    "  airflow kashoo check --describe describe.json include/mappings/*.yaml",
)
def check(args: Namespace) -> None:
    """Check mapping files; exit status 1 when anything must be corrected."""
    from airflow_provider_kashoo.cli import check as command

    given = {"files": [], "describe": None, "save_describe": None, "format": "table"} | vars(args)
    if given["describe"] is not None and given["save_describe"] is not None:
        print("Give either --describe or --save-describe.", file=sys.stderr)  # noqa: T201  as the parser would
        raise SystemExit(2)
    connections = {name: given[name] for name in ("kashoo_conn_id", "salesforce_conn_id") if name in given}
    report = command.check(given["files"], given["describe"], given["save_describe"], connections)
    lines = [command.as_json(report)] if given["format"] == "json" else command.as_text(report)
    for line in lines:
        _say(line)
    if not report.is_clean:
        raise SystemExit(1)


@_command(
    "Show what the next run would do, and the money it moves",
    Arg(("--sync",), help="which sync", choices=(TO_KASHOO, TO_SALESFORCE), default=TO_KASHOO),
    Arg(("--since",), help="read from this time on, ISO 8601 UTC", metavar="TIME"),
    Arg(("--until",), help="read up to this time, ISO 8601 UTC", metavar="TIME"),
    Arg(("--limit",), help="as a test batch of so many invoices", type=int),
    Arg(("--remap",), help="what the mappings as they are now would change in linked records", action="store_true"),
    Arg(("--format",), help="table, json or html", choices=("table", "json", "html"), default="table"),
    Arg(("--output",), help="write it to a file", metavar="FILE"),
    *_CONNECTIONS,
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
    with _opened(args, args.sync) as sync:
        shown.show(shown.plan(sync, run), args.format, args.output)


_PLAN = Arg(("digest",), help="of the plan: its first 12 characters or more, as the log of the task plan shows it")


@_command(
    "Approve a plan that waits for a person",
    _PLAN,
    Arg(("--reason",), help="why, for whoever audits the books later", default=""),
    about="Approve exactly this plan; the task approve that waits for it goes on. Who approved it, when, and the "
    "totals are kept. Neither Kashoo nor Salesforce is asked.",
    epilog="Example: airflow kashoo approve 3f5a9c1e07bd",
)
def approve(args: Namespace) -> None:
    """Approve a plan."""
    _decide(args, "approve")


@_command(
    "Reject a plan that waits for a person",
    _PLAN,
    Arg(("--reason",), help="why, for whoever reads the failed task", required=True),
    about="Nothing of the plan is written, and the task approve that waits for it fails with your reason. The next run "
    "plans its records again, and asks again.",
    epilog="Example: airflow kashoo reject 3f5a9c1e07bd --reason 'the new prices are missing'",
)
def reject(args: Namespace) -> None:
    """Reject a plan."""
    _decide(args, "reject")


def _decide(args: Namespace, decision: str) -> None:
    from airflow_provider_kashoo.cli.approve import decide
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.settings import open_database, staging_root

    for line in decide(open_database(), staging_root(), args.digest, decision, by=this_user(), reason=args.reason):
        _say(line)


@_command(
    "Explain one record: why it was billed, or why it was not",
    Arg(("record",), help="Salesforce id, 15 or 18 characters; number of an invoice; or id of a record in Kashoo"),
    Arg(("--stored",), help="what the store and the last plans know; ask neither side", action="store_true"),
    Arg(("--format",), help="table or json", choices=("table", "json"), default="table"),
    *_CONNECTIONS,
    about="Read the record, and say which conditions hold, which rules catch it, from what each field is made, and "
    "what the next run would do; then what the last plans decided, which record of the books it is, what waits or is "
    "asked about it, and all that was done. Nothing is written. With --stored, Kashoo and Salesforce are not asked.",
    epilog="Example: airflow kashoo explain 006WU00000abcdeYAA",
)
def explain(args: Namespace) -> None:
    """Explain one record."""
    from rich.console import Console

    from airflow_provider_kashoo.cli.explain import as_json, print_story, tell
    from airflow_provider_kashoo.settings import open_database, staging_root
    from airflow_provider_kashoo.sync.run.staged_runs import newest_runs

    database = open_database()
    try:
        database.check()
        opened = None if args.stored else partial(_opened, args)
        story = tell(args.record, database, newest_runs(staging_root()), opened)
    finally:
        database.dispose()
    if args.format == "json":
        _say(as_json(story))
    else:
        print_story(story, Console())


@_command(
    "List what waits for a person, and how far each source was read",
    about="List parked records, writes in doubt and review items, each with its cause and what to do, and up to when "
    "each source was read. It reads the store only: Kashoo and Salesforce are not asked.",
)
def status(_: Namespace) -> None:
    """List what waits for a person, and the watermarks."""
    from airflow_provider_kashoo.cli.status import print_status
    from airflow_provider_kashoo.settings import open_database

    print_status(open_database())


@_command(
    "Link what was billed by hand, so that no run bills it again",
    Arg(
        ("--from",),
        help="read deals that changed since then (ISO 8601, UTC); give the start_date of your DAG. "
        "Without it: where the next run begins",
        dest="since",
        metavar="DATE",
    ),
    Arg(("--dry-run",), help="show the report and link nothing", action="store_true"),
    Arg(("--yes",), help="link without asking, for scripts", action="store_true"),
    Arg(("--output",), help="write the report as CSV too", metavar="FILE.csv"),
    *_CONNECTIONS,
    about="Find the customers, items and invoices that are in Kashoo already, show the evidence, and link them after "
    "you agree. Nothing is written to Kashoo or Salesforce. Do this before the first run of salesforce_to_kashoo. "
    "You may repeat it.",
    epilog="Example, for a DAG whose start_date is 2026-01-01:\n"
    "  airflow kashoo adopt --from 2026-01-01 --dry-run --output adopt.csv\n"
    "  airflow kashoo adopt --from 2026-01-01\n\n"
    "What is ambiguous is never linked; the report says how to mark the right invoice.",
)
def adopt(args: Namespace) -> None:
    """Link what is in the books already."""
    from airflow_provider_kashoo.cli import adopt as by_hand
    from airflow_provider_kashoo.cli.console import instant_given

    since = instant_given("--from", args.since)
    choice = by_hand.Choice(dry_run=args.dry_run, yes=args.yes, output=args.output)
    with _opened(args) as sync:
        by_hand.adopt(sync, since, choice)


@_command(
    "Try parked records again now",
    Arg(("--all",), help="try every parked operation", action="store_true"),
    Arg(("ids",), help="operation ids, as airflow kashoo status shows them", nargs="*", type=int),
    *_CONNECTIONS,
    about="Read the Salesforce records of parked operations again, and write those that can be written now. Every run "
    "of the DAG does the same. No watermark moves, and what is in doubt is not sent again.",
    epilog="Example: airflow kashoo replay 86 88",
)
def replay(args: Namespace) -> None:
    """Replay parked operations."""
    from airflow_provider_kashoo.sync.by_hand import replay as by_hand

    if bool(args.ids) == args.all:
        raise SystemExit("Give operation ids, or --all. See: airflow kashoo status")
    with _opened(args) as sync:
        outcome = by_hand.replay(sync, None if args.all else args.ids)
    if not outcome:
        _say("Nothing is parked.")
    for name, count in sorted(outcome.items()):
        _say(f"{name:<12} {count}")


@_command(
    "Say whether a write in doubt is in Kashoo",
    Arg(("id",), help="operation id, as airflow kashoo status shows it", type=int),
    Arg(("--found",), help="id of the record in Kashoo", type=int, metavar="KASHOO_ID"),
    Arg(("--absent",), help="Kashoo does not have it: the next run plans it again", action="store_true"),
    *_CONNECTIONS,
    about="A write in doubt was sent, and the sync cannot find out whether it arrived. Look in Kashoo, then give "
    "--found with the id of the record, or --absent. Nothing is written to Kashoo or Salesforce.",
    epilog="Example: airflow kashoo resolve 86 --found 4711",
)
def resolve(args: Namespace) -> None:
    """Close one write in doubt."""
    from airflow_provider_kashoo.sync.by_hand import resolve as by_hand

    if (args.found is not None) == args.absent:
        raise SystemExit("Give --found KASHOO_ID or --absent.")
    with _opened(args) as sync:
        _say(f"operation {args.id} is {by_hand.resolve(sync, args.id, args.found)}")


@_command(
    "Say which customer or item in Kashoo a record is",
    Arg(("record",), help="Salesforce id of the Account or Product"),
    Arg(("--to",), help="id of its customer or item in Kashoo", type=int, metavar="KASHOO_ID"),
    Arg(("--new",), help="it is none of those in Kashoo; the next run makes a new one", action="store_true"),
    *_CONNECTIONS,
    about="Use it when a customer or an item was removed, merged or mixed up in Kashoo. What waits for it goes on with "
    "the next run. Its values in Kashoo stay as they are until they change in Salesforce. Nothing is written to Kashoo "
    "or Salesforce.",
    epilog="Example: airflow kashoo relink 001xx000003DGb2AAG --to 4711",
)
def relink(args: Namespace) -> None:
    """Link a record to another customer or item."""
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.sync.by_hand.relink import relink as link_again

    if (args.to is not None) == args.new:
        raise SystemExit("Give --to KASHOO_ID or --new.")
    with _opened(args) as sync:
        _say(link_again(sync, args.record, args.to, by=this_user()))


@_command(
    "Leave as it is what a person was asked about",
    Arg(("items",), help="ids of review items, as airflow kashoo status shows them", nargs="+", metavar="R12"),
    Arg(("--reason",), help="why, for whoever audits the books later", required=True),
    about="A review item asks a person to decide. If everything is right as it is, dismiss the item: it is not shown "
    "again until what it says changes. Who dismissed it, when and why is kept. Nothing is written to Kashoo or "
    "Salesforce.",
    epilog="Example: airflow kashoo dismiss R12 --reason 'the customer kept the old price'",
)
def dismiss(args: Namespace) -> None:
    """Dismiss review items."""
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.settings import open_database
    from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss as leave

    database = open_database()
    database.check()
    for item in args.items:
        left = leave(database, item, by=this_user(), reason=args.reason)
        _say(f"{item}: left as it is: {left['source_object']} {left['source_id']}, {left['cause']}")


@_command(
    "Serve a simulated Salesforce and Kashoo",
    Arg(("--salesforce-port",), help="port of the simulated Salesforce; 0 picks a free one", type=int, default=0),
    Arg(("--kashoo-port",), help="port of the simulated Kashoo; 0 picks a free one", type=int, default=0),
    Arg(("--dataset",), help="demo, empty, scale:ROWS or generated:ROWS", default="demo"),
    Arg(("--seed",), help="the same seed makes the same data", type=int, default=1),
    about="Print one JSON line (addresses, CA bundle, the environment that points any DAG here), then serve until "
    "stopped. No real Salesforce or Kashoo is contacted. "
    # the backslash is for Rich, which would take the extra for markup
    "Needs the extra: pip install 'airflow-provider-kashoo\\[sandbox]'",
    epilog="Example: airflow kashoo sandbox --dataset scale:1000",
)
def sandbox(args: Namespace) -> None:
    """Serve the sandbox until stopped."""
    from airflow_provider_kashoo.sandbox.dataset import UnknownDataset
    from airflow_provider_kashoo.sandbox.server import serve

    ports = {"salesforce_port": args.salesforce_port, "kashoo_port": args.kashoo_port}
    try:
        serve(dataset=args.dataset, seed=args.seed, **ports)
    except UnknownDataset as error:
        raise SystemExit(f"--dataset {error}") from None


@_command(
    "Run both syncs in a real Airflow against simulated systems",
    Arg(("--keep",), help="leave everything running, with the Airflow UI, until Ctrl-C", action="store_true"),
    about="Start the sandbox and an Airflow of its own, turn won deals into invoices, let customers pay, write the "
    "payments back, and compare both sides to the cent. Your Airflow and your accounts are not touched. Exit status 0 "
    "only if both sides agree.",
)
def demo(args: Namespace) -> None:
    """Run the demo; exit status 0 only if both sides agree."""
    from airflow_provider_kashoo.demo import main
    from airflow_provider_kashoo.settings import shipped

    raise SystemExit(main(dags=shipped("dags"), keep=args.keep))


def _opened(args: Namespace, name: str = TO_KASHOO) -> AbstractContextManager[Sync]:
    """Open a run outside any DAG; the Salesforce connection says of which org."""
    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.runtime.open_run import open_sync

    named = {each: value for each, value in vars(args).items() if each in {"kashoo_conn_id", "salesforce_conn_id"}}
    return open_sync(name, RunFacts(run_id="by hand"), begins=True, **named)


def _say(text: str) -> None:
    print(text)  # noqa: T201  the command line's output
