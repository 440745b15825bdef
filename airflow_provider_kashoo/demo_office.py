"""What the demo's office gets besides: the invoice as a PDF, a Case for a late one, and a mail to a local mailbox."""

from __future__ import annotations

import json
import logging
import mailbox
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow_provider_kashoo.local_airflow import free_ports
from airflow_provider_kashoo.sandbox.server import Sandbox
from airflow_provider_kashoo.settings import shipped

NOTIFY = "kashoo_notify"
TO = "books@firm.example"
SMTP = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
LATE = "case_from_overdue_invoice.yaml"
LATE_DAYS = 3
"""Invoices of the sandbox are at most ten days late."""

WRITE_BACKS = {"payment_to_opportunity.yaml": "to: Opportunity\n", "payment_to_order.yaml": "to: Order\n"}
PDF = """\
attach_pdf:
  seller: {name: Northwind Trading Ltd., address: [1 Main Street, Toronto ON M5V 1A1], tax_number: GST 12345 6789}
  terms: Payable by the due date.
"""


class Office:
    """The mappings and the mailbox of one demo.

    :param home: AIRFLOW_HOME; what it makes is removed with it.
    :ivar prints: whether PDFs can be made: the extra ``pdf`` is installed.
    :ivar gets_mail: whether there is a mailbox: the extra ``demo`` is installed.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.prints, self.gets_mail = find_spec("typst") is not None, find_spec("aiosmtpd") is not None
        self._mail = home / "mail"

    @contextmanager
    def open(self) -> Iterator[dict[str, str]]:
        """Copy the mappings and open the mailbox; give what the environment of Airflow needs."""
        own = {"AIRFLOW__KASHOO__MAPPINGS_DIR": str(self._mappings())}
        if not self.gets_mail:
            yield own
            return
        from aiosmtpd.controller import Controller
        from aiosmtpd.handlers import Mailbox

        (port,) = free_ports(1)
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        server = Controller(Mailbox(self._mail), hostname="127.0.0.1", port=port)
        server.start()
        try:
            extra = {"from_email": "kashoo@firm.example", "disable_ssl": True, "disable_tls": True}
            smtp = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
            notify = [{"class": SMTP, "kwargs": {"to": TO}}]
            own |= {"AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(smtp), "AIRFLOW__KASHOO__NOTIFY": json.dumps(notify)}
            yield own
        finally:
            server.stop()

    def _mappings(self) -> Path:
        """Copy the shipped mappings, with Cases, and with PDFs if they can be made."""
        folder, source = self._home / "mappings", shipped("include/mappings")
        folder.mkdir()
        for path in source.glob("*.yaml"):
            text = path.read_text("utf-8")
            to = WRITE_BACKS.get(path.name, "") if self.prints else ""
            (folder / path.name).write_text(text.replace(to, to + PDF) if to else text, "utf-8")
        late = (source / "examples" / "receivables" / LATE).read_text("utf-8")
        (folder / LATE).write_text(late.replace("days_overdue >= 14", f"days_overdue >= {LATE_DAYS}"), "utf-8")
        return folder

    def rows(self, sandbox: Sandbox) -> Iterator[tuple[str, str, str]]:
        """Say what there is, for the closing table."""
        files = sandbox.org.rows("ContentDocument")
        yield "invoices as PDF", str(len(files)) if self.prints else "install the extra pdf", ""
        cases: list[dict[str, Any]] = sandbox.org.rows("Case")
        yield "Cases of late invoices", str(len(cases)), cases[0]["Subject"] if cases else ""
        if not self.gets_mail:
            yield "mails", "", "install the extra demo"
            return
        mails = list(mailbox.Maildir(self._mail)) if self._mail.is_dir() else []
        for mail in mails:
            yield f"mail to {mail['To']}", "", str(mail["Subject"])
