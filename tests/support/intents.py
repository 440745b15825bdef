"""Intents as tests of the core and the store make them: one like another one."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from airflow_provider_kashoo.core.rules.intents import Ask, Intent, Park, Update
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


def said(intents: list[Intent]) -> list[tuple[Any, ...]]:
    """Give what each intent does, and to what, in short."""
    return [
        (type(each), each.error_class)
        if isinstance(each, Ask | Park)
        else (Update, dict(each.changes))
        if isinstance(each, Update)
        else (type(each), each.reason)
        for each in intents
    ]
