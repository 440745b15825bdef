"""Commands for whoever signs the books: what the sync wrote, and whether deals, invoices and books agree."""

from __future__ import annotations

from argparse import Namespace

from airflow.cli.cli_config import Arg

from airflow_provider_kashoo.cli.commands.command import CONNECTIONS, TO_KASHOO, command, opened, opened_store, say


@command(
    "Compare won deals, invoices and books of a period",
    Arg(("--from",), help="first day, by the date of the invoice; by default the last month begins it", metavar="DATE"),
    Arg(("--to",), help="last day; by default today", metavar="DATE"),
    Arg(("--format",), help="table, json, html or csv", choices=("table", "json", "html", "csv"), default="table"),
    Arg(("--output",), help="write it to a file", metavar="FILE"),
    Arg(("--mark",), help="say something about the difference with this id, as the report shows it", metavar="ID"),
    Arg(("--as",), help="what it is", choices=("investigating", "dismissed", "open")),
    Arg(("--why",), help="the reason, for whoever audits the books later", default=""),
    *CONNECTIONS,
    about="Add up the won deals, the invoices that this sync expects, and what Kashoo lists, by currency and month; "
    "name every difference with both amounts and the next step. Kashoo's invoices are listed, and Salesforce is asked "
    "by one bulk query for each object. Nothing is written to either side. It ends with status 1 if a difference is "
    "unexplained. With --mark, a difference that the DAG kashoo_tie_out noted is investigated or dismissed; neither "
    "side is asked.",
    epilog="Examples:\n  airflow kashoo tie-out --from 2026-01-01 --to 2026-01-31\n"
    "  airflow kashoo tie-out --format html --output january.html\n"
    "  airflow kashoo tie-out --mark 07ff4f3d482a --as dismissed --why 'a credit note, see R12'",
)
def tie_out(args: Namespace) -> None:
    """Compare a period, or say something about a difference."""
    from dataclasses import replace

    from airflow_provider_kashoo.cli import tie_out as shown
    from airflow_provider_kashoo.cli.console import day_given
    from airflow_provider_kashoo.runtime.dags import start_of

    state = getattr(args, "as")
    if (args.mark is None) != (state is None):
        raise SystemExit("--mark ID and --as STATE go together.")
    if args.mark is not None:
        _mark(args.mark, state, args.why)
        return
    first, last = (day_given(f"--{name}", getattr(args, name)) for name in ("from", "to"))
    with opened(args) as sync:
        report = shown.compared(replace(sync, run=replace(sync.run, first=start_of(TO_KASHOO))), first, last)
    shown.show(report, args.format, args.output)
    if report.unexplained:
        raise SystemExit(1)


def _mark(ident: str, state: str, why: str) -> None:
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.sync.tie_out.marks import mark

    with opened_store() as database:
        found = mark(database, ident, state, by=this_user(), reason=why)
    say(f"{ident}: {found['name']} in {found['month']} is {state}")


@command(
    "Write the audit trail for an auditor, or check that it is whole",
    Arg(("--from",), help="from this day or time on (UTC)", dest="since", metavar="TIME"),
    Arg(("--to",), help="up to this time (UTC); of a day without a time, all of it", dest="until", metavar="TIME"),
    Arg(("--format",), help="table, csv or json", choices=("table", "csv", "json"), default="table"),
    Arg(("--output",), help="write it to a file", metavar="FILE"),
    Arg(("--verify",), help="check that no row was altered or removed", action="store_true"),
    Arg(("--head",), help="with --verify: the head that you noted earlier", metavar="HASH"),
    about="Each row says what was done with a record or decided about a plan, when, in which run, and why. Each has a "
    "hash over itself and the row before it. The newest hash of an org and business is their head, and is printed with "
    "every export: note it down outside of the database. Exit status 1 if the trail is not whole. Neither Kashoo nor "
    "Salesforce is asked.",
    epilog="Examples:\n  airflow kashoo audit --from 2026-01-01 --to 2026-03-31 --format csv --output audit.csv\n"
    "  airflow kashoo audit --verify --head 3f5a...",
)
def audit(args: Namespace) -> None:
    """Export the audit trail, or verify it."""
    from airflow_provider_kashoo.cli import audit as trail
    from airflow_provider_kashoo.cli.console import end_given, instant_given

    if args.head and not args.verify:
        raise SystemExit("--head goes with --verify.")
    since, until = instant_given("--from", args.since), end_given("--to", args.until)
    with opened_store() as database:
        if args.verify:
            whole = trail.verify(database, args.head or "", say)
            raise SystemExit(0 if whole else 1)
        trail.export(database, since, until, args.format, args.output)
