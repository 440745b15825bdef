"""Commands by which a person decides what the sync asks, or corrects what it knows."""

from __future__ import annotations

from argparse import Namespace

from airflow.cli.cli_config import Arg

from airflow_provider_kashoo.cli.commands.command import CONNECTIONS, command, opened, opened_store, say

_PLAN = Arg(("digest",), help="of the plan: its first 12 characters or more, as the log of the task plan shows it")


@command(
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


@command(
    "Reject a plan that waits for a person",
    _PLAN,
    Arg(("--reason",), help="why, for whoever reads the failed task", required=True),
    about="If single records ask, these are parked with your reason, the task approve goes on, and the rest of the "
    "plan is written. If the plan asks as a whole, such as a first run, nothing of it is written, the task fails, and "
    "the next run plans the records again and asks again.",
    epilog="Example: airflow kashoo reject 3f5a9c1e07bd --reason 'the new prices are missing'",
)
def reject(args: Namespace) -> None:
    """Reject a plan."""
    _decide(args, "reject")


def _decide(args: Namespace, decision: str) -> None:
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.runtime.decide import decide
    from airflow_provider_kashoo.settings import open_database, staging_root

    for line in decide(open_database(), staging_root(), args.digest, decision, by=this_user(), reason=args.reason):
        say(line)


@command(
    "Try parked records again now",
    Arg(("--all",), help="try all that is parked", action="store_true"),
    Arg(("ids",), help="ids of parked records, as airflow kashoo status shows them", nargs="*", metavar="ID"),
    *CONNECTIONS,
    about="Read parked records again in Salesforce, and write those that can be written now. Every run "
    "of the DAG does the same. No watermark moves, and what is in doubt is not sent again. What a person rejected or "
    "undid is tried only if it is named: --all leaves it out.",
    epilog="Example: airflow kashoo replay 006WU00000abcdeYAA",
)
def replay(args: Namespace) -> None:
    """Replay parked records."""
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.sync.by_hand import replay as by_hand

    if bool(args.ids) == args.all:
        raise SystemExit("Give ids, or --all. See: airflow kashoo status")
    with opened(args) as sync:
        outcome = by_hand.replay(sync, None if args.all else args.ids, by=this_user())
    if not outcome:
        say("Nothing is parked.")
    for name, count in sorted(outcome.items()):
        say(f"{name:<12} {count}")


@command(
    "Void the invoices that a run created, after an approval",
    Arg(
        ("--run",), help="id of the run, as Airflow and airflow kashoo history show it", required=True, metavar="RUN_ID"
    ),
    *CONNECTIONS,
    about="Plan to void what a run of salesforce_to_kashoo created, and show the plan. Paid, changed and locked "
    "invoices stay, each with the reason. Nothing is voided before you approve exactly this plan; then run the same "
    "command again. A deal whose invoice is voided is not billed again until you replay it. Customers and items, and "
    "what the run changed, stay as they are.",
    epilog="Example: airflow kashoo undo --run scheduled__2026-03-04T02:00:00+00:00",
)
def undo(args: Namespace) -> None:
    """Undo a run."""
    from airflow_provider_kashoo.cli import undo as shown
    from airflow_provider_kashoo.cli.console import printer
    from airflow_provider_kashoo.runtime.waiting_tasks import is_going
    from airflow_provider_kashoo.sync.by_hand import undo as by_hand

    with opened(args) as sync:
        shown.show(by_hand.undo(sync, args.run, is_going), args.run, printer())


@command(
    "Say whether a write in doubt is in Kashoo",
    Arg(("id",), help="id of the record, as airflow kashoo status shows it", metavar="ID"),
    Arg(("--found",), help="id of the record in Kashoo", type=int, metavar="KASHOO_ID"),
    Arg(("--absent",), help="Kashoo does not have it: the next run plans it again", action="store_true"),
    *CONNECTIONS,
    about="A write in doubt was sent, and the sync cannot find out whether it arrived. Look in Kashoo, then give "
    "--found with the id of the record, or --absent. Nothing is written to Kashoo or Salesforce.",
    epilog="Example: airflow kashoo resolve 006WU00000abcdeYAA --found 4711",
)
def resolve(args: Namespace) -> None:
    """Close one write in doubt."""
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.sync.by_hand import resolve as by_hand

    if (args.found is not None) == args.absent:
        raise SystemExit("Give --found KASHOO_ID or --absent.")
    with opened(args) as sync:
        state = by_hand.resolve(sync, args.id, args.found, by=this_user())
    say(f"{args.id}: {state.replace('_', ' ')}")


@command(
    "Say which customer or item in Kashoo a record is",
    Arg(("record",), help="Salesforce id of the Account or Product"),
    Arg(("--to",), help="id of its customer or item in Kashoo", type=int, metavar="KASHOO_ID"),
    Arg(("--new",), help="it is none of those in Kashoo; the next run makes a new one", action="store_true"),
    *CONNECTIONS,
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
    with opened(args) as sync:
        say(link_again(sync, args.record, args.to, by=this_user()))


@command(
    "Leave as it is what a person was asked about",
    Arg(("items",), help="ids, as airflow kashoo status shows them", nargs="+", metavar="ID"),
    Arg(("--why",), help="for whoever audits the books later", required=True),
    about="A review item asks a person to decide. If everything is right as it is, dismiss the item: it is not shown "
    "again until what it says changes. Who dismissed it, when and why is kept. Nothing is written to Kashoo or "
    "Salesforce.",
    epilog="Example: airflow kashoo dismiss R12 --why 'the customer kept the old price'",
)
def dismiss(args: Namespace) -> None:
    """Dismiss review items."""
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.sync.by_hand.dismiss import dismiss as leave

    with opened_store() as database:
        for item in args.items:
            left = leave(database, item, by=this_user(), reason=args.why)
            say(f"{item}: left as it is: {left['source_object']} {left['source_id']}, {left['cause']}")


@command(
    "Say which side is right about what both sides changed",
    Arg(("id",), help="id of the question or of its record, as airflow kashoo status shows them", metavar="ID"),
    Arg(
        ("--books",),
        help="Kashoo is right; nothing is asked until one side changes",
        action="store_true",
    ),
    Arg(("--salesforce",), help="Salesforce is right: the next run writes its values", action="store_true"),
    Arg(("--reason",), help="why, for whoever audits the books later", required=True),
    about="For questions about fields that changed on both sides, or that may change only by a person's hand. The next "
    "run does what you say, and its plan shows it; if the question says something else by then, you are asked again. "
    "Invoices that were paid or lie in a locked period are never changed: --salesforce refuses. Who settled it, when "
    "and why is kept. Nothing is written to Kashoo or Salesforce now.",
    epilog="Example: airflow kashoo settle R12 --books --reason 'price agreed by phone'",
)
def settle(args: Namespace) -> None:
    """Settle a question."""
    from airflow_provider_kashoo.cli.console import this_user
    from airflow_provider_kashoo.core.rules.settled import NAMES, Side
    from airflow_provider_kashoo.sync.by_hand.settle import settle as decide_for

    if args.books == args.salesforce:
        raise SystemExit("Give --books or --salesforce.")
    side = Side.BOOKS if args.books else Side.SALESFORCE
    with opened_store() as database:
        item = decide_for(database, args.id, side, by=this_user(), reason=args.reason)
    say(f"{args.id}: {NAMES[side]} is right: {item['source_object']} {item['source_id']}. The next run does it.")
