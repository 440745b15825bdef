"""``airflow kashoo ...``. Every ``airflow`` command imports this module: what a command needs is imported in it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

if TYPE_CHECKING:
    from airflow_provider_kashoo.sync.run.sync import Sync


def get_kashoo_commands() -> list[Any]:
    """Give the command group that the provider info names."""
    return [
        GroupCommand(
            name="kashoo",
            help="Salesforce to Kashoo and back",
            subcommands=[
                ActionCommand(
                    name="init",
                    help="Create pools and store, copy the DAGs and mappings",
                    description=(
                        "Create the pools and the sync store, and copy the shipped DAGs and mappings to where Airflow "
                        "looks for them. A file that exists already is never overwritten. May be run again. In a new "
                        "Airflow run this first: airflow db migrate"
                    ),
                    func=init,
                    args=[_NO_COPY],
                ),
                ActionCommand(
                    name="check",
                    help="Say what a run would miss: connections, permissions, mappings",
                    description=(
                        "Do what the task preflight does, for both syncs. Nothing is written to Kashoo or Salesforce."
                    ),
                    func=check,
                    args=[*_CONNECTIONS],
                ),
                ActionCommand(
                    name="status",
                    help="Parked records, writes in doubt, review items, watermarks",
                    description=(
                        "List what a person has to look at, each with its cause and what to do, and up to when each "
                        "source was read. Reads the store only."
                    ),
                    func=status,
                    args=[],
                ),
                ActionCommand(
                    name="adopt",
                    help="Link what was billed by hand, so that no run bills it again",
                    description=(
                        "Find the customers, items and invoices that stand in Kashoo already, show by which evidence, "
                        "and link them after a question. Nothing is written to Kashoo or Salesforce. Do this before "
                        "the first run of salesforce_to_kashoo; it may be run again."
                    ),
                    epilog=(
                        "Example, for a DAG whose start_date is 2026-01-01:\n"
                        "  airflow kashoo adopt --from 2026-01-01 --dry-run --output adopt.csv\n"
                        "  airflow kashoo adopt --from 2026-01-01\n\n"
                        "What is ambiguous is never linked; the report says how to tell which invoice is the right one."
                    ),
                    func=adopt,
                    args=[_FROM, _DRY_RUN, _YES, _OUTPUT, *_CONNECTIONS],
                ),
                ActionCommand(
                    name="replay",
                    help="Read parked records again and write those that are fit now",
                    description=(
                        "Read the Salesforce records behind parked operations again, plan them afresh and apply. "
                        "Every nightly run does the same; this does it now. Ids are those of: airflow kashoo status"
                    ),
                    func=replay,
                    args=[_ALL, _IDS, *_CONNECTIONS],
                ),
                ActionCommand(
                    name="resolve",
                    help="Settle a write in doubt by what you saw in Kashoo",
                    description=(
                        "A write in doubt was sent and got no answer, and the books do not tell. Look in Kashoo: "
                        "--found with the id of the record it made, or --absent when it made none."
                    ),
                    func=resolve,
                    args=[_ID, _FOUND, _ABSENT, *_CONNECTIONS],
                ),
                ActionCommand(
                    name="sandbox",
                    help="Serve a simulated Salesforce and Kashoo",
                    description=(
                        "Print one JSON line (addresses, CA bundle, the environment that points any DAG here), then "
                        # the backslash is for Rich, which would take the extra for markup
                        "serve until stopped. Needs the extra: pip install 'airflow-provider-kashoo\\[sandbox]'"
                    ),
                    func=sandbox,
                    args=[_SALESFORCE_PORT, _KASHOO_PORT, _DATASET, _SEED],
                ),
                ActionCommand(
                    name="demo",
                    help="Run both syncs in a real Airflow against the sandbox",
                    description=(
                        "Start the sandbox and one Airflow of its own, let won deals become invoices, customers pay, "
                        "and payments come back; compare both sides to the cent. Exit status 0 only if they agree."
                    ),
                    func=demo,
                    args=[_KEEP],
                ),
            ],
        )
    ]


_NO_COPY = Arg(("--no-copy",), help="Create pools and store only", action="store_true")
_CONNECTIONS = (
    Arg(("--kashoo-conn-id",), help="connection to Kashoo, as in the operators of your DAG", default="kashoo_default"),
    Arg(("--salesforce-conn-id",), help="connection to Salesforce, likewise", default="salesforce_default"),
)
_FROM = Arg(
    ("--from",),
    help="read deals that changed since, ISO 8601 UTC: the start_date of your DAG. Default: where the next run begins",
    dest="since",
    metavar="DATE",
)
_DRY_RUN = Arg(("--dry-run",), help="show the report and link nothing", action="store_true")
_YES = Arg(("--yes",), help="link without asking, for scripts", action="store_true")
_OUTPUT = Arg(("--output",), help="write the report as CSV too", metavar="FILE.csv")
_ALL = Arg(("--all",), help="every parked operation", action="store_true")
_IDS = Arg(("ids",), help="operation ids", nargs="*", type=int)
_ID = Arg(("id",), help="operation id", type=int)
_FOUND = Arg(("--found",), help="id of the record in Kashoo", type=int, metavar="KASHOO_ID")
_ABSENT = Arg(("--absent",), help="Kashoo does not have it: it is planned afresh", action="store_true")
_SALESFORCE_PORT = Arg(("--salesforce-port",), help="0 picks a free one", type=int, default=0)
_KASHOO_PORT = Arg(("--kashoo-port",), help="0 picks a free one", type=int, default=0)
_DATASET = Arg(("--dataset",), help="demo, empty, scale:ROWS or generated:ROWS", default="demo")
_SEED = Arg(("--seed",), help="the same seed makes the same data", type=int, default=1)
_KEEP = Arg(("--keep",), help="leave everything running, with the Airflow UI", action="store_true")


def init(args: Namespace) -> None:
    """Create pools and store; copy DAGs and mappings, never over edits."""
    from airflow_provider_kashoo.core.errors import SyncError
    from airflow_provider_kashoo.runtime.setup import copy_shipped, create_pools_and_store
    from airflow_provider_kashoo.settings import open_database
    from airflow_provider_kashoo.store.database import shown

    try:
        pools = create_pools_and_store()
    except SyncError as error:
        raise SystemExit(str(error)) from None
    for name, slots in pools.items():
        _say(f"pool   {name}: {slots} slots")
    _say(f"store  {shown(open_database().url)}")
    for path, state in [] if args.no_copy else copy_shipped():
        _say(f"{state:<6} {path}")


def check(args: Namespace) -> None:
    """Preflight both syncs; exit status 1 when anything is missing."""
    from airflow_provider_kashoo.core.errors import SyncError
    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.runtime.open_run import open_sync
    from airflow_provider_kashoo.sync.preflight import check_both_sides
    from airflow_provider_kashoo.sync.run.sync import TO_KASHOO, TO_SALESFORCE

    failed = False
    for name in (TO_KASHOO, TO_SALESFORCE):
        try:
            with open_sync(name, RunFacts(run_id="check"), **_connections(args)) as sync:
                check_both_sides(sync)
            _say(f"ok     {name}")
        except SyncError as error:
            failed = True
            _say(f"wrong  {name}: {error}")
    if failed:
        raise SystemExit(1)


def status(_: Namespace) -> None:
    """List what waits for a person, and the watermarks."""
    from airflow_provider_kashoo.cli.status import print_status
    from airflow_provider_kashoo.core.errors import SyncError
    from airflow_provider_kashoo.settings import open_database

    try:
        print_status(open_database())
    except SyncError as error:
        raise SystemExit(str(error)) from None


def adopt(args: Namespace) -> None:
    """Link what stands in the books already."""
    from airflow_provider_kashoo.cli import adopt as by_hand

    since = by_hand.parse_since(args.since)
    choice = by_hand.Choice(dry_run=args.dry_run, yes=args.yes, output=args.output)
    _with_sync(args, lambda sync: by_hand.adopt(sync, since, choice))


def replay(args: Namespace) -> None:
    """Replay parked operations."""
    from airflow_provider_kashoo.sync.by_hand import replay as by_hand

    if bool(args.ids) == args.all:
        raise SystemExit("Give operation ids, or --all. See: airflow kashoo status")
    outcome = _with_sync(args, lambda sync: by_hand.replay(sync, None if args.all else args.ids))
    if not outcome:
        _say("Nothing is parked.")
    for name, count in sorted(outcome.items()):
        _say(f"{name:<12} {count}")


def resolve(args: Namespace) -> None:
    """Settle one write in doubt."""
    from airflow_provider_kashoo.sync.by_hand import replay as by_hand

    if (args.found is not None) == args.absent:
        raise SystemExit("Give --found KASHOO_ID or --absent.")
    _say(f"operation {args.id} is {_with_sync(args, lambda sync: by_hand.resolve(sync, args.id, args.found))}")


def _connections(args: Namespace) -> dict[str, str]:
    names = ("kashoo_conn_id", "salesforce_conn_id")
    return {name: value for name, value in vars(args).items() if name in names}


def _with_sync(args: Namespace, call: Callable[[Sync], Any]) -> Any:
    from airflow_provider_kashoo.core.errors import SyncError
    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.runtime.open_run import open_sync

    try:
        with open_sync("salesforce_to_kashoo", RunFacts(run_id="by hand"), **_connections(args)) as sync:
            return call(sync)
    except SyncError as error:
        raise SystemExit(str(error)) from None


def sandbox(args: Namespace) -> None:
    """Serve the sandbox until stopped."""
    from airflow_provider_kashoo.sandbox.dataset import UnknownDataset
    from airflow_provider_kashoo.sandbox.server import serve

    try:
        serve(
            dataset=args.dataset,
            seed=args.seed,
            salesforce_port=args.salesforce_port,
            kashoo_port=args.kashoo_port,
        )
    except UnknownDataset as error:
        raise SystemExit(f"--dataset {error}") from None


def demo(args: Namespace) -> None:
    """Run the demo; exit status 0 only if both sides agree."""
    from airflow_provider_kashoo.demo import main
    from airflow_provider_kashoo.settings import shipped

    raise SystemExit(main(dags=shipped("dags"), keep=args.keep))


def _say(text: str) -> None:
    print(text)  # noqa: T201  the command line's output
