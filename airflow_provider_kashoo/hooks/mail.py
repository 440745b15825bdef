"""Mail as people like to get it: with a plain text beside the HTML, and sent once."""

from __future__ import annotations

from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

from airflow.providers.smtp.hooks.smtp import SmtpHook


class TwoPartHook(SmtpHook):
    """The hook of Airflow's SMTP provider, whose mails have HTML only, with a plain text beside it.

    Airflow's sends a mail up to six times if the server does not confirm it, although it may have arrived. This one
    sends it once.

    :param text: the plain text.
    """

    def __init__(self, text: str, **given: Any) -> None:
        super().__init__(**given)
        self._text = text

    @property
    def smtp_retry_limit(self) -> int:
        """How often a mail is sent again."""
        return 0

    def _build_mime_message(self, *args: Any, **given: Any) -> tuple[MIMEMultipart, list[str]]:
        # Not part of the provider's API: if a later version names it otherwise, its mails have HTML only again.
        message, recipients = super()._build_mime_message(*args, **given)
        parts: Any = message.get_payload()
        html, *files = parts
        both = [MIMEText(self._text, "plain", "utf-8"), html]
        if files:
            alternative = MIMEMultipart("alternative")
            alternative.set_payload(both)
            message.set_payload([alternative, *files])
        else:
            message.set_type("multipart/alternative")
            message.set_payload(both)
        return message, recipients
