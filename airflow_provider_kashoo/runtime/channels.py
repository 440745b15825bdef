"""The notifiers that people are told by: those of ``[kashoo] notify``, and those that an operator was given."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from airflow.providers.http.notifications.http import HttpNotifier
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import BaseNotifier, conf

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.hooks.mail import TwoPartHook

SECONDS = 30
"""How long an HTTP receiver may take, unless its notifier says otherwise."""

EXAMPLE = (
    'Give a list such as [{"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", '
    '"kwargs": {"to": "me@firm.example"}}].'
)


@dataclass(frozen=True)
class Channel:
    """One way to tell people.

    :param notifier: as it was given; :meth:`send` works with a copy, because rendering changes it.
    :param label: for logs: its class and its place, no address.
    """

    notifier: BaseNotifier
    label: str

    @property
    def identity(self) -> str:
        """What makes it this channel: its class and its arguments."""
        own = {name: value for name, value in vars(self.notifier).items() if not name.startswith("_")}
        own.pop("context", None)
        # An object's own words may differ from process to process.
        values = json.dumps(own, sort_keys=True, default=lambda value: type(value).__name__)
        return f"{type(self.notifier).__module__}.{type(self.notifier).__qualname__} {values}"

    def send(self, message: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        """Send a message; templates of the notifier find it under ``kashoo``.

        :param message: at least ``subject``, ``text``, ``html`` and ``id``.
        :param context: of the task.
        :raises Exception: whatever the notifier raises.
        """
        notifier = copy.copy(self.notifier)
        if isinstance(notifier, SmtpNotifier):
            _as_mail(notifier, message)
        elif isinstance(notifier, HttpNotifier):
            _as_json(notifier)
        notifier({**context, "kashoo": dict(message)})


def channels_of(given: Iterable[BaseNotifier] = ()) -> list[Channel]:
    """Give all channels, each once.

    :param given: notifiers of an operator.
    :raises ConfigurationError: for a setting that names no notifier; it says which.
    """
    found: dict[str, Channel] = {}
    for place, notifier in enumerate([*_configured(), *given], 1):
        if not isinstance(notifier, BaseNotifier):
            raise ConfigurationError(f"notify has {shown(type(notifier).__name__)}, which is no notifier.")
        channel = Channel(notifier, f"{type(notifier).__name__} ({place})")
        found.setdefault(channel.identity, channel)
    return list(found.values())


def _configured() -> list[BaseNotifier]:
    text = (conf.get("kashoo", "notify", fallback=None) or "").strip()
    if not text:
        return []
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"[kashoo] notify is not JSON: {error}.", remedy=EXAMPLE) from None
    if not isinstance(entries, list):
        raise ConfigurationError("[kashoo] notify is no list.", remedy=EXAMPLE)
    return [_notifier(place, entry) for place, entry in enumerate(entries, 1)]


def _notifier(place: int, entry: Any) -> BaseNotifier:
    """Make one. What its constructor says is shown: it names arguments, not their values."""
    where = f"Entry {place} of [kashoo] notify"
    if not isinstance(entry, dict) or not isinstance(entry.get("class"), str) or set(entry) - {"class", "kwargs"}:
        raise ConfigurationError(f"{where} is not an object with class and kwargs.", remedy=EXAMPLE)
    module, _, name = entry["class"].rpartition(".")
    try:
        made = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        remedy = "Give the module and the name of the class; install its provider where the tasks run."
        raise ConfigurationError(f"{where}: there is no {shown(entry['class'])}.", remedy=remedy) from None
    if not (isinstance(made, type) and issubclass(made, BaseNotifier)):
        raise ConfigurationError(f"{where}: {shown(entry['class'])} is no notifier.", remedy=EXAMPLE)
    try:
        return made(**(entry.get("kwargs") or {}))
    except TypeError as error:
        raise ConfigurationError(f"{where}: {error}.", remedy="Correct its kwargs.") from None


def _as_mail(notifier: SmtpNotifier, message: Mapping[str, Any]) -> None:
    """Fill in what the notifier leaves open. As templates: a text from Salesforce must not be taken for one."""
    notifier.subject = notifier.subject or "{{ kashoo.subject }}"
    if notifier.html_content is None:
        notifier.html_content = "{{ kashoo.html }}"
        if type(notifier).hook is SmtpNotifier.hook and "{{" not in notifier.smtp_conn_id:
            hook = TwoPartHook(str(message["text"]), smtp_conn_id=notifier.smtp_conn_id, auth_type=notifier.auth_type)
            vars(notifier)["hook"] = hook
    headers = {
        # The same if it is sent again, so that mail programs show it once.
        "Message-ID": f"<{message['id']}@kashoo.airflow.invalid>",
        "Auto-Submitted": "auto-generated",  # no out-of-office replies
    }
    notifier.custom_headers = headers | (notifier.custom_headers or {})


# Chats read <...> as a link or as a call to everybody: single quotation marks look alike.
_CHAT = "{{ (kashoo.subject ~ '\n\n' ~ kashoo.text) | replace('<', '\u2039') | replace('>', '\u203a') }}"


def _as_json(notifier: HttpNotifier) -> None:
    """Fill in a body that Slack, Teams and the like take, and a limit: without it, a dead receiver holds a worker."""
    if notifier.json is None and notifier.data is None:
        notifier.json = {"text": _CHAT}
    notifier.extra_options = {"timeout": SECONDS, **notifier.extra_options}
