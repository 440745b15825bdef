"""The state of one Kashoo user: businesses, their rows, and the only ways to change them."""

from __future__ import annotations

import heapq
from copy import deepcopy
from itertools import islice, repeat
from typing import Literal

from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.kashoo import rules
from airflow_provider_kashoo.sandbox.kashoo.access import Access
from airflow_provider_kashoo.sandbox.kashoo.rules import Business, KashooError, Row

__all__ = ["PAGE", "Books", "KashooError"]

PAGE = 100  # every client pages by 100; that it is also default and maximum is assumed
RECORDS = ("invoices", "invoicePayments")
REFERENCES = ("memo", "notes", "description")
SERVER_SET = ("id", "creation", "removed", "readOnly", "links", "contactName", "balanceDue", "paid")


class Books(Access):
    """Everything one user can reach. Each public method is atomic and safe to call from any thread.

    ``create_answer`` switches what a POST answers, because no source shows it: the entity, a body with its URL, a
    ``Location`` header, or nothing. ``list_delay_seconds`` keeps a new row out of lists for so long, while its id finds
    it; with ``stores_reference`` False, memo, notes and description of a row (not of its lines) are forgotten, and
    ``cuts`` says after how many characters which text of a row ends. Rows come and go as copies; a refusal is a
    :class:`KashooError` and changes nothing.
    """

    def __init__(self, clock: Clock, *, seed: int = 1) -> None:
        super().__init__(clock, seed=seed)
        self.create_answer: Literal["entity", "url-body", "location", "empty"] = "entity"
        self.list_delay_seconds = 0.0
        self.stores_reference = True
        self.cuts: dict[str, int] = {}
        self.businesses: dict[int, Business] = {}
        self._syncs: dict[int, int] = {}
        self._last_id = 9_990_000_000 + self.rng.randrange(10**6)

    def _next_id(self) -> int:
        self._last_id += self.rng.randrange(1, 100)
        return self._last_id

    def add_business(self, name: str, *, home: str, currencies: set[str]) -> int:
        """Open a business and return its id; the first one is the one connections point to."""
        with self.lock:
            business = Business(self._next_id(), name, home, frozenset(currencies | {home}))
            self.businesses[business.id] = business
            return business.id

    def main(self) -> int:
        """Return the id of the first business."""
        return next(iter(self.businesses))

    def business(self, business_id: int) -> Business:
        """Return the business, or raise 404 (assumed for businesses the user may not reach, too)."""
        try:
            return self.businesses[business_id]
        except KeyError:
            raise KashooError(f"No business {business_id}", status=404) from None

    def lock_until(self, business_id: int, day: str | None) -> None:
        """Close the books up to and including ``day`` (YYYY-MM-DD); None opens them again."""
        with self.lock:
            self.business(business_id).locked = day or ""

    def create(self, business_id: int, kind: str, body: Row) -> Row:
        """Add a row; an id in the body is ignored (assumed), unknown fields are kept (assumed)."""
        with self.lock:
            return self._save(self.business(business_id), kind, body, None)

    def replace(self, business_id: int, kind: str, row_id: int, body: Row) -> Row:
        """Put the body in the place of the row: what it leaves out is cleared. ``removed: true`` removes the row."""
        with self.lock:
            business = self.business(business_id)
            old = self._present(business, kind, row_id)
            if body.get("id", row_id) != row_id:
                raise KashooError("The id in the body is not the one in the path")
            if body.get("removed") is True:
                return self.remove(business_id, kind, row_id)
            return self._save(business, kind, body, old)

    def remove(self, business_id: int, kind: str, row_id: int) -> Row:
        """Mark the row as removed; an invoice with allocations is refused, a payment gives its allocations back."""
        with self.lock:
            business = self.business(business_id)
            old = self._present(business, kind, row_id)
            if kind == "invoices" and business.shares[row_id]:
                raise KashooError("Payments are allocated to this invoice")
            if kind == "invoicePayments":
                rules.allocate(business, old, None)
            new = {**old, "removed": True}
            business.tables[kind].put(new)
            return self._view(business, kind, new)

    def read(self, business_id: int, kind: str, row_id: int) -> Row:
        """Return a row, a removed one too (with ``removed`` true: assumed); 404 when the id is unknown."""
        with self.lock:
            business = self.business(business_id)
            row = business.tables[kind].rows.get(row_id)
            if row is None:
                raise KashooError(f"No {row_id} among the {kind}", status=404)
            return self._view(business, kind, row)

    def page(
        self,
        business_id: int,
        *kinds: str,
        limit: int = PAGE,
        offset: int = 0,
        start: str = "",
        end: str = "~",
        of_type: str | None = None,
    ) -> list[Row]:
        """Return up to ``limit`` rows of the kinds, by date then id (assumed), skipping ``offset`` rows."""
        with self.lock:
            business = self.business(business_id)
            newest = (self.clock.time() - self.list_delay_seconds) * 1000
            tables, most = {kind: business.tables[kind] for kind in kinds}, offset + min(limit, PAGE)
            if len(tables) == 1 and of_type is None and tables[kinds[0]].newest <= newest:
                # Nothing is left out, so a page is a slice: very many pages would each look at all before them.
                kind = kinds[0]
                chosen = [(kind, row_id) for _, row_id in tables[kind].keys(start, end)[offset:most]]
            else:
                streams = [zip(table.keys(start, end), repeat(kind)) for kind, table in tables.items()]
                rows = ((kind, tables[kind].rows[row_id]) for (_, row_id), kind in heapq.merge(*streams))
                listed = ((kind, row) for kind, row in rows if row["creation"] <= newest)
                wanted = ((kind, row["id"]) for kind, row in listed if of_type in {None, row.get("type")})
                chosen = list(islice(wanted, offset, most))
            return [self._view(business, kind, tables[kind].rows[row_id]) for kind, row_id in chosen]

    def start_sync(self, business_id: int) -> int:
        """Open a sync session over the business (evidenced as the way to customers) and return its id."""
        with self.lock:
            sync_id = self._next_id()
            self._syncs[sync_id] = self.business(business_id).id
            return sync_id

    def synced_business(self, sync_id: int) -> int:
        """Return the business of a sync session, or raise 404."""
        with self.lock:
            if sync_id not in self._syncs:
                raise KashooError(f"No sync session {sync_id}", status=404)
            return self._syncs[sync_id]

    def pay(self, business_id: int, invoice_id: int, amount: int, date: str | None = None) -> Row:
        """Book a payment (negative: a refund) as the customer would make it; what exceeds the balance is credit.

        ``amount`` is in minor units, ``date`` YYYY-MM-DD with today on the clock as default.
        """
        with self.lock:
            invoice = self.read(business_id, "invoices", invoice_id)
            used = min(amount, invoice["balanceDue"])
            accounts = self.business(business_id).tables["accounts"].listed()
            banks = [row for row in accounts if row["type"] == "BANK"]
            body = {
                "account": banks[0]["id"] if banks else None,
                "contact": invoice.get("contact"),
                "currency": invoice["currency"],
                "date": date or self.clock.now().date().isoformat(),
                "amount": amount,
                "allocations": [{"amount": used, "record": invoice_id}] if used else [],
                "unallocatedAmount": amount - used,
            }
            return self.create(business_id, "invoicePayments", body)

    def _present(self, business: Business, kind: str, row_id: int) -> Row:
        row = business.tables[kind].rows.get(row_id)
        if row is None or row["removed"]:
            raise KashooError(f"No {row_id} among the {kind}, or it is removed", status=404)
        if row.get("date"):
            business.require_open(row["date"])
        return row

    def _save(self, business: Business, kind: str, body: Row, old: Row | None) -> Row:
        dropped = SERVER_SET if self.stores_reference else SERVER_SET + REFERENCES
        row = {key: deepcopy(value) for key, value in body.items() if key not in dropped}
        row |= {key: row[key][:most] for key, most in self.cuts.items() if isinstance(row.get(key), str)}
        rules.CHECKS[kind](business, row, old)
        row["id"] = old["id"] if old else self._next_id()
        row["creation"] = old["creation"] if old else int(self.clock.time() * 1000)
        row["removed"] = False
        if kind == "invoicePayments":
            rules.allocate(business, old, row)
        business.tables[kind].put(row)
        return self._view(business, kind, row)

    def _view(self, business: Business, kind: str, row: Row) -> Row:
        seen = deepcopy(row)
        if kind in RECORDS:
            contact = business.tables["customers"].rows.get(row.get("contact") or 0)
            seen["contactName"] = contact["contactInformation"]["name"] if contact else None
            seen["readOnly"] = False
        if kind == "invoices":
            seen["balanceDue"] = row["totalDue"] - business.allocated[row["id"]]
            seen["paid"] = seen["balanceDue"] == 0
        return seen
