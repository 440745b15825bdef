"""Several invoices of one record are written back together: what they say, added up.

Written back one by one, each would overwrite what the others say. Each link keeps the status of its own invoice, by
which later runs see that money came in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from airflow_provider_kashoo.core.rules.intents import Intent, Keep, Tell
from airflow_provider_kashoo.core.rules.settlement import VOID, Allocation, Invoice, status_of
from airflow_provider_kashoo.store.links import Linked
from airflow_provider_kashoo.sync.tell.affected import AT_REST, Affected, Found, Known
from airflow_provider_kashoo.sync.tell.balances import Balances
from airflow_provider_kashoo.sync.tell.own_records import OwnRecords
from airflow_provider_kashoo.sync.tell.payments import Payments


@dataclass(frozen=True)
class Together:
    """The invoices of one record that are written back together.

    :param known: each link with its invoice, in the order of the parts.
    :param statuses: the status of each by itself.
    :param paid: all their payments.
    """

    known: Sequence[Known]
    statuses: Sequence[str]
    paid: list[Allocation] = field(default_factory=list)

    @classmethod
    def of(cls, known: Sequence[Known], paid: Mapping[int, list[Allocation]]) -> Together:
        """Put them together."""
        own = [paid.get(invoice.id, []) for _, invoice in known]
        statuses = [status_of(invoice, each) for (_, invoice), each in zip(known, own, strict=True)]
        return cls(known, statuses, [part for each in own for part in each])

    @property
    def first(self) -> Known:
        """Stands for all: its link remembers what was written back, and its number is written.

        Amounts are those of all that were not removed; the due date is the next one of what is still owed.
        """
        standing = [each for each in self.known if not each[1].removed]
        if not standing:
            return self.known[0]
        link, first = standing[0]
        invoices = [invoice for _, invoice in standing]
        owed = [each.due_date for each in invoices if each.due_date and each.balance > 0]
        added = replace(
            first,
            total=sum(each.total for each in invoices),
            balance=sum(each.balance for each in invoices),
            due_date=min(owed, default=max((each.due_date or "" for each in invoices), default="") or None),
        )
        return link, added

    def each(self, decided: Intent) -> Iterator[Intent]:
        """Say of each link what was decided about all together."""
        link, _ = self.first
        for (other, _), status in zip(self.known, self.statuses, strict=True):
            if other.kashoo_id == link.kashoo_id:
                yield replace(decided, settlement=status) if isinstance(decided, Tell | Keep) else decided
            elif isinstance(decided, Keep):
                yield replace(decided, kashoo_id=other.kashoo_id, link_version=other.version, settlement=status)


def known_together(
    affected: Affected, payments: Payments, balances: Balances, own: OwnRecords
) -> tuple[list[Sequence[Known]], Found]:
    """Find the records with several invoices of which something may have changed.

    :param balances: takes those that are still owed, whether anything happened to them or not.
    :returns: of each of them all links with their invoices; and what is decided already.
    """
    groups, found = list[Sequence[Known]](), Found()
    for links in affected.in_parts():
        if balances.are_told:
            owed = (link for link in links if link.settlement not in AT_REST)
            balances.add([(link, invoice) for link in owed if (invoice := affected.invoice(link, found))])
            balances.unread += found.unread
        if _at_rest(affected, payments, own, links, found):
            continue
        known = [(link, invoice) for link in links if (invoice := affected.invoice(link, found))]
        if len(known) == len(links):  # what cannot be read is parked
            groups.append(known)
    return groups, found


def _at_rest(affected: Affected, payments: Payments, own: OwnRecords, links: Sequence[Linked], found: Found) -> bool:
    """Say whether nothing happened to the invoices of a record since it was written back.

    Only those that are still owed are looked at: to read the others in every run would cost requests for ever.
    """
    due = [link for link in links if link.settlement not in AT_REST]
    moved = any(link.settlement is None or link.kashoo_id in payments.paid_lately for link in links)
    if affected.weekly or moved or affected.is_unsettled(links[0]):
        return False
    known = [(link, affected.invoice(link, found)) for link in due]
    if not all(_is_same(link, invoice) for link, invoice in known):
        return False
    return not own.moving([(link, invoice) for link, invoice in known if invoice])


def _is_same(link: Linked, invoice: Invoice | None) -> bool:
    if invoice is None or invoice.removed:
        return link.settlement == VOID
    return invoice.total == link.expected_total and status_of(invoice, ()) == link.settlement
