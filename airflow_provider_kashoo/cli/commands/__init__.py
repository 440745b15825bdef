"""``airflow kashoo ...``. Every ``airflow`` command imports this: what a command needs is imported in it."""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import GroupCommand

from airflow_provider_kashoo.cli.commands import accounts, decide, look, set_up, try_out
from airflow_provider_kashoo.cli.commands.command import COMMANDS

__all__ = ["accounts", "decide", "get_kashoo_commands", "look", "set_up", "try_out"]


def get_kashoo_commands() -> list[Any]:
    """Give the command group that the provider info names."""
    return [
        GroupCommand(
            name="kashoo",
            help="Invoices in Kashoo for won Salesforce deals, and payments back",
            description="Set up, check and correct the syncs. The DAGs salesforce_to_kashoo and kashoo_to_salesforce "
            "do the daily work. Begin with: airflow kashoo init",
            subcommands=COMMANDS,
        )
    ]
