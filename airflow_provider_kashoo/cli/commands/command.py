"""What a command of ``airflow kashoo`` is made of: a function, its arguments, its help, and how its errors end."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, Arg

if TYPE_CHECKING:
    from airflow_provider_kashoo.store.database import Database
    from airflow_provider_kashoo.sync.run.sync import Sync

Command = Callable[[Namespace], None]

TO_KASHOO, TO_SALESFORCE = "salesforce_to_kashoo", "kashoo_to_salesforce"

CONNECTIONS = (
    Arg(("--kashoo-conn-id",), help="connection to Kashoo, as in your DAG", default="kashoo_default"),
    Arg(("--salesforce-conn-id",), help="connection to Salesforce, as in your DAG", default="salesforce_default"),
)

COMMANDS: list[ActionCommand] = []
"""All commands; ``--help`` sorts them by name."""


def command(title: str, *args: Arg, about: str, epilog: str | None = None) -> Callable[[Command], Command]:
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

        COMMANDS.append(ActionCommand(call.__name__.replace("_", "-"), title, run, args, about, epilog))
        return run

    return add


def opened(args: Namespace, name: str = TO_KASHOO) -> AbstractContextManager[Sync]:
    """Open a run outside any DAG; the Salesforce connection says of which org."""
    from airflow_provider_kashoo.core.window import RunFacts
    from airflow_provider_kashoo.runtime.open_run import open_sync

    named = {each: value for each, value in vars(args).items() if each in {"kashoo_conn_id", "salesforce_conn_id"}}
    return open_sync(name, RunFacts(run_id="by hand"), begins=True, **named)


@contextmanager
def opened_store() -> Iterator[Database]:
    """Open the store for a command that asks neither side.

    :raises ConfigurationError: when it is missing or old.
    """
    from airflow_provider_kashoo.settings import open_database

    database = open_database()
    try:
        database.check()
        yield database
    finally:
        database.dispose()


def say(text: str) -> None:
    """Print a line of a command's output."""
    print(text)  # noqa: T201  the command line's output
