"""One difference of a tie-out, and what a person said about it."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.tie_out import APART, Name

OPEN, INVESTIGATING, DISMISSED, SETTLED = "open", "investigating", "dismissed", "settled"
"""States of a difference. One that a later tie-out does not find is resolved."""

TODAY = "today"
"""In place of a month: of what a customer owes on the day of the tie-out."""

DECIDED = frozenset({DISMISSED, SETTLED})
"""States of what a person decided; a question about the record is settled, all else dismissed."""


@dataclass(frozen=True)
class Difference:
    """One difference.

    :param currency: of both amounts.
    :param month: ``YYYY-MM`` in which it counts; :data:`TODAY` of what a customer owes.
    :param source_id: Salesforce id; None for an invoice that is not ours, and for the sum of all taxes.
    :param kashoo_id: the invoice; None if there is none. Of what an Account says, the customer.
    :param deal_minor: what Salesforce says here with taxes, minor units. Of an invoice and
        its payments, what these say.
    :param books_minor: what the books say here, minor units.
    :param kind: what :attr:`kashoo_id` is.
    :param id: by which a person names it; empty for what needs no decision.
    :param state: see :data:`OPEN`.
    :param why: the reason that a person gave.
    """

    name: str
    currency: str
    month: str
    source_id: str | None
    kashoo_id: int | None
    deal_minor: int
    books_minor: int
    next_step: str
    part: int = 1
    id: str = ""
    state: str = OPEN
    why: str = ""
    kind: str = INVOICE.name

    @property
    def is_open(self) -> bool:
        """Whether somebody has to look at it, or is looking."""
        return bool(self.id) and self.state not in DECIDED

    @property
    def is_unexplained(self) -> bool:
        """Whether it has no name and nobody decided about it."""
        return self.name == Name.UNEXPLAINED and self.is_open

    @property
    def moves_totals(self) -> bool:
        """Whether it is a part of deals less books."""
        return self.name not in APART
