"""Commands that set up, check and take over."""

from __future__ import annotations

import sys
from argparse import Namespace

from airflow.cli.cli_config import Arg

from airflow_provider_kashoo.cli.commands.command import CONNECTIONS, command, opened, say


@command(
    "Create what the DAGs need: pools, store, DAG and mapping files",
    Arg(("--no-copy",), help="create pools and store only", action="store_true"),
    Arg(("--salesforce",), help="instead, print what the mappings need in Salesforce", action="store_true"),
    Arg(("--write",), help="with --salesforce: write it into this folder, as a project for sf", metavar="DIR"),
    Arg(("--describe",), help="with --salesforce: what check --save-describe knows of your org", metavar="FILE"),
    about="Create the pools and the sync store, and copy the shipped DAGs and mappings to where Airflow looks for "
    "them. It asks neither Kashoo nor Salesforce, never overwrites a file, and may be run again. In a new Airflow, run "
    "this first: airflow db migrate. With --salesforce it makes none of this: it gives an administrator the "
    "fields, objects and permission set that the mappings name, and deploys nothing.",
    epilog="Example:\n  airflow kashoo init --salesforce --write kashoo-salesforce\n"
    "  cd kashoo-salesforce && sf project deploy start --dry-run",
)
def init(args: Namespace) -> None:
    """Create pools and store; copy DAGs and mappings, never over edits."""
    if getattr(args, "salesforce", False):
        _print_package(args)
        return
    if getattr(args, "write", None) or getattr(args, "describe", None):
        print("--write and --describe go with --salesforce.", file=sys.stderr)  # noqa: T201  as the parser would
        raise SystemExit(2)
    from airflow_provider_kashoo.runtime.setup import copy_shipped, create_pools_and_store
    from airflow_provider_kashoo.settings import open_database
    from airflow_provider_kashoo.store.database import shown

    for name, slots in create_pools_and_store().items():
        say(f"pool   {name}: {slots} slots")
    say(f"store  {shown(open_database().url)}")
    for path, state in [] if args.no_copy else copy_shipped():
        say(f"{state:<6} {path}")


def _print_package(args: Namespace) -> None:
    from airflow_provider_kashoo.cli import salesforce_package

    for line in salesforce_package.made(args.write, args.describe):
        say(line)


@command(
    "Check connections, permissions and mappings",
    Arg(("files",), help="mapping files to report on; without any, all of the mappings directory", nargs="*"),
    Arg(("--describe",), help="check against this file; nobody is asked, and no store is needed", metavar="FILE"),
    Arg(("--save-describe",), help="save what Salesforce and Kashoo know of it, for --describe", metavar="FILE"),
    Arg(("--format",), help="table or json", choices=("table", "json"), default="table"),
    *CONNECTIONS,
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
        say(line)
    if not report.is_clean:
        raise SystemExit(1)


@command(
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
    *CONNECTIONS,
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
    with opened(args) as sync:
        by_hand.adopt(sync, since, choice)
