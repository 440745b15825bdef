"""Intents as tests of the core and the store make them: one like another one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from airflow_provider_kashoo.core.rules.intents import Intent
from airflow_provider_kashoo.core.values.record import Record

T = TypeVar("T", bound=Intent)
_RECORD = {each.name for each in fields(Record)}


def like(intent: Intent, to: type[T] | None = None, **changes: Any) -> T:
    """Give an intent that says the same but for what is given.

    :param to: its class; that of the other one when not given.
    :param changes: fields of the intent or of its record.
    """
    named = {name: changes.pop(name) for name in _RECORD & changes.keys()}
    return intent.become(to or type(intent), record=replace(intent.record, **named), **changes)  # type: ignore[return-value]
