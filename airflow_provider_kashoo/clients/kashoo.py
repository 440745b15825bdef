"""The Kashoo API: reads are retried, writes never are."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from airflow_provider_kashoo.clients import outcomes
from airflow_provider_kashoo.clients.entries import (
    Account,
    Business,
    Document,
    Entry,
    Json,
    Tax,
    payment_of,
    to_json,
)
from airflow_provider_kashoo.clients.kashoo_http import KashooHttp, encode, never_left, parse
from airflow_provider_kashoo.clients.outcomes import Outcome, WriteFailed
from airflow_provider_kashoo.clients.transport import (
    Broken,
    NotServed,
    TooLate,
    TryAgain,
    read_with_retries,
)
from airflow_provider_kashoo.clients.values import ident_of
from airflow_provider_kashoo.core.errors import (
    ConfigurationError,
    UnreachableError,
    UnreadableError,
)
from airflow_provider_kashoo.core.kinds import INVOICE
from airflow_provider_kashoo.core.rules.operations import Event
from airflow_provider_kashoo.core.rules.settlement import Payment
from airflow_provider_kashoo.core.values.ids import Reference, canonical

log = logging.getLogger(__name__)

MAX_PAGES = 10_000
OVERLAP = 10
"""Each page repeats the last tenth of the page before."""

MOST_UNREADABLE = 3
"""After so many unreadable records in a row, Kashoo is assumed to be down, and the records to be fine."""

_URL = re.compile(r"[^\s\"'{}<>]+")


@dataclass(frozen=True)
class Write:
    """One write, complete before anything is journalled, so that only sending it can fail.

    :param ident: the record that it changes or removes; None for a create.
    :param body: JSON; None for a removal.
    """

    kind: str
    ident: int | None
    body: str | None = field(repr=False)


@dataclass(frozen=True)
class Written:
    """A write that Kashoo answered.

    :param entry: the object in the answer; the caller checks whether it is the record.
    :param known: False when the books answered that they have no such record (404 to a removal).
    """

    id: int
    entry: Entry | None
    known: bool = True


PDF_BEGINS = b"%PDF-"


class KashooClient(KashooHttp):
    """The books of one business; same arguments as :class:`~.kashoo_http.KashooHttp`."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._unreadable: set[tuple[str, int]] = set()  # since the last successful read
        self._nameless: dict[str, list[Json]] = {}

    def businesses(self) -> list[Business]:
        """List the businesses the user may read."""
        return [Business.of(row) for row in self._read_list(self.profile.businesses, {}) if ident_of(row)]

    def accounts(self) -> Iterator[Account]:
        """List the accounts of the books."""
        return (Account.of(row, self.profile) for row in self._rows("accounts"))

    def taxes(self) -> Iterator[Tax]:
        """List the taxes of the books; one that shows no code or rate is left out."""
        for row in self._rows("taxes"):
            if tax := Tax.of(row):
                yield tax
            else:
                log.warning("Kashoo's tax %d shows no code or rate and is left out; correct it in Kashoo.", row["id"])

    def payments(self, *, start: str | None = None, end: str | None = None) -> Iterator[Payment]:
        """List the payments of these dates; see :meth:`listing`."""
        for payment in map(payment_of, self._rows("payment", start, end)):
            if payment.odd and not payment.shares:
                said = "Kashoo's payment %d shows an odd %s, and no invoice; it is left out. Correct it in Kashoo."
                log.warning(said, payment.id, payment.odd)
            yield payment

    def listing(
        self, kind: str, *, start: str | None = None, end: str | None = None, removed: bool = False
    ) -> Iterator[Entry]:
        """List the customers, items or invoices, each once; removed ones are left out.

        :param start: first ``date``, ``YYYY-MM-DD``; inclusive (assumed).
        :param end: last ``date``.
        :param removed: include removed ones, if Kashoo lists them.
        """
        return (Entry(kind, row, self.profile) for row in self._rows(kind, start, end, removed=removed))

    def nameless(self, kind: str) -> list[Entry]:
        """Return the records of the last listing that showed no usable id, and so were left out of it."""
        return [Entry(kind, row, self.profile) for row in self._nameless.get(kind, ()) if isinstance(row, dict)]

    def requests_to_list(self, count: int) -> int:
        """Estimate the requests needed to list this many records."""
        return 2 + int(count // (self.profile.page_size * (1 - 1 / OVERLAP)))

    def _rows(
        self, resource: str, start: str | None = None, end: str | None = None, *, removed: bool = False
    ) -> Iterator[Json]:
        """List a collection, page by page.

        Pages are read until one contains nothing new, because the server's own page limit is not known: a short
        page ends a list only if the profile names that limit. Pages overlap, because removing a record in the meantime
        moves later ones to an earlier page. A row without a usable id is left out, see :meth:`nameless`.
        """
        path = self.profile.collection(resource, self.business_id)
        query: dict[str, Any] = {"limit": self.profile.page_size}
        full = min(self.profile.page_size, self.profile.largest_page)
        if start:
            query["startDate"] = start
        if end:
            query["endDate"] = end
        seen: set[int | str] = set()
        nameless = self._nameless[resource] = []
        offset = 0
        for _ in range(MAX_PAGES):
            page = self._read_list(path, query | {"offset": offset})
            new = {key: row for row in page if (key := ident_of(row) or canonical(row)) not in seen}
            if not new:
                return
            offset += len(page) - len(page) // OVERLAP
            for row in new.values():
                if not ident_of(row):
                    log.warning("Kashoo lists one of its %s without an id; it is left out.", resource)
                    nameless.append(row)
                elif removed or row.get("removed") is not True:
                    yield row
            if len(page) < full:
                return
            seen |= new.keys()
        raise UnreachableError(f"Kashoo lists more than {MAX_PAGES} pages of {resource}.")

    def entry(self, kind: str, kept: Json) -> Entry:
        """Give back a record that was kept, see :attr:`.Entry.kept`."""
        return Entry.of_kept(kind, kept, self.profile)

    def gives_single(self, kind: str) -> bool:
        """Return whether one record can be read by its id; otherwise :meth:`read` searches the list."""
        return kind not in self.profile.only_listed

    def stands(self, kind: str, ident: int) -> bool:
        """Read one record; return whether it exists and is not removed.

        :raises UnreadableError: as :meth:`read`.
        """
        found = self.read(kind, ident)
        return found is not None and not found.removed

    def read(self, kind: str, ident: int) -> Entry | None:
        """Read one record, even if removed; None when it does not exist (404 or 410).

        :raises UnreadableError: when Kashoo answers, but cannot return this record.
        :raises UnreachableError: when Kashoo is down, assumed at the third unreadable record in a row.
        """
        if not self.gives_single(kind):
            return self._find(kind, ident)
        try:
            found = self._read(self.profile.entity(kind, self.business_id, ident), {})
        except NotServed as error:
            self._unreadable.add((kind, ident))
            if len(self._unreadable) >= MOST_UNREADABLE:
                raise
            raise UnreadableError(error.what, remedy=error.remedy, record=f"Kashoo's {kind} {ident}") from None
        self._unreadable.clear()
        if found is None:
            return None
        if ident_of(found) != ident:
            raise UnreadableError("Kashoo answered with another record.", record=f"Kashoo's {kind} {ident}")
        return Entry(kind, found, self.profile)

    def pdf(self, ident: int) -> bytes | None:
        """Fetch an invoice as PDF from the path of the profile; None when it is not there.

        :raises UnreadableError: when what comes is no PDF.
        """
        collection = self.profile.collection(INVOICE.name, self.business_id)
        path = self.profile.invoice_pdf.format(collection=collection, id=ident, b=self.business_id)
        response = read_with_retries(lambda: self._answered(path, {}), "Kashoo", self._sleep)
        if response is None:
            return None
        if not response.content.startswith(PDF_BEGINS):
            raise UnreadableError("Kashoo's answer is no PDF.", record=f"Kashoo's invoice {ident}")
        return response.content

    def _find(self, kind: str, ident: int) -> Entry | None:
        """Search a list for one record; one that the list shows without an id may be it."""
        found = next((each for each in self.listing(kind) if each.id == ident), None)
        if found is None and self.nameless(kind):
            raise UnreadableError("Kashoo lists a record without an id.", record=f"Kashoo's {kind} {ident}")
        return found

    def prepare_create(self, kind: str, document: Document, reference: Reference) -> Write:
        """Prepare the request that creates a record.

        :param document: by a mapping's field names, links and codes resolved to ids.
        :param reference: our reference, which the record will contain.
        :raises ValueError: for a decimal with more digits than JSON represents exactly.
        """
        return Write(kind, None, encode(to_json(kind, document, reference, self.profile)))

    def prepare_update(self, entry: Entry, changes: Document, reference: Reference) -> Write:
        """Prepare the request that replaces a record by its current values with the changes.

        :param entry: as just read; missing fields would be cleared (assumed), so all of them are sent.
        :raises ValueError: as :meth:`prepare_create`.
        """
        return Write(entry.kind, entry.id, encode(to_json(entry.kind, changes, reference, self.profile, entry.raw)))

    def prepare_remove(self, kind: str, ident: int) -> Write:
        """Prepare the request that removes a record (assumed to be how an invoice is voided)."""
        return Write(kind, ident, None)

    def send(self, write: Write) -> Written:
        """Send a write, exactly once, never retried.

        :returns: the answer; only reading the record proves that it was written, or removed.
        :raises WriteFailed: saying whether it was refused, turned away, or is in doubt; not for a removal answered by
            404, which also happens when one removal is delivered twice.
        """
        if write.ident is None:
            verb, path = "POST", self.profile.collection(write.kind, self.business_id)
        else:
            verb = self.profile.remove_verb if write.body is None else self.profile.update_verb
            path = self.profile.entity(write.kind, self.business_id, write.ident)
        try:
            return self._written(self._send(verb, path, write.body), write.kind, write.ident)
        except WriteFailed as failure:
            is_unknown = failure.outcome.problem.error_class == outcomes.REFUSED_BY_STATUS[404].error_class
            if write.ident is None or write.body is not None or not is_unknown:
                raise
            return Written(write.ident, None, known=False)

    def _send(self, method: str, path: str, body: str | None) -> requests.Response:
        try:
            response = self.request(method, path, body)
        except requests.RequestException as error:
            if isinstance(error, TooLate):
                raise WriteFailed(Outcome(Event.TURNED_AWAY, outcomes.TOO_LATE)) from None
            if never_left(error):
                raise WriteFailed(Outcome(Event.TURNED_AWAY, outcomes.NOT_SENT, stop=True)) from None
            raise WriteFailed(Outcome(Event.SILENCE, outcomes.NO_ANSWER)) from None
        if response.status_code in {200, 201, 204}:
            return response
        raise WriteFailed(outcomes.of_write(response.status_code, response.text, self._secrets))

    def _written(self, response: requests.Response, kind: str, known_id: int | None) -> Written:
        """Read the four possible answers to a create: the entity, a URL in the body, a Location header, nothing.

        A 200 may also contain something else, such as an error; a number in that is not the id of the new record.

        :param known_id: the record that was written to; None for a create.
        """
        body = parse(response)
        named = body.get("id") if isinstance(body, dict) else None
        if type(named) is int and named > 0 and known_id in {None, named}:
            return Written(named, Entry(kind, body, self.profile))
        if "html" in response.headers.get("Content-Type", ""):
            found = None
        elif known_id is not None:
            found = known_id if named is None else None
        else:
            addresses = (response.headers.get("Location"), _only_text(response, body))
            found = next(filter(None, (self._id_in(each, kind) for each in addresses)), None)
        if found is None:
            raise WriteFailed(Outcome(Event.SILENCE, outcomes.NO_ANSWER))
        return Written(found, None)

    def _id_in(self, address: Any, resource: str) -> int | None:
        """Extract the id from the address of a record in one collection; None for any other address."""
        if not isinstance(address, str) or not _URL.fullmatch(address.strip()):
            return None
        path = re.split("[?#]", address.strip())[0].rstrip("/")
        idents = (int(digits) for digits in re.findall("[1-9][0-9]{0,17}", path))
        own = (each for each in idents if path.endswith(self.profile.entity(resource, self.business_id, each)))
        return next(own, None)

    def _read_list(self, path: str, query: Mapping[str, Any]) -> list[Json]:
        found = self._read(path, query)
        if not isinstance(found, list):
            raise ConfigurationError(
                f"Kashoo does not return a list at {path}.",
                remedy=f"Check business_id, host and profile of connection {self.connection}.",
            )
        return found

    def _read(self, path: str, query: Mapping[str, Any]) -> Any:
        return read_with_retries(lambda: self._read_once(path, query), "Kashoo", self._sleep)

    def _read_once(self, path: str, query: Mapping[str, Any]) -> Any:
        response = self._answered(path, query)
        if response is None:
            return None
        parsed = parse(response)
        if parsed is None:
            raise Broken("it answered, but not with JSON")
        return parsed

    def _answered(self, path: str, query: Mapping[str, Any]) -> requests.Response | None:
        """Send a read; None when there is no such record."""
        response = self.request("GET", path, dict(query))
        status = response.status_code
        if status == 200:
            return response
        if status in {404, 410}:
            return None
        if status == 401:
            raise self._bad_credentials()
        if status in outcomes.STOPS:
            problem = outcomes.STOPS[status].problem
            raise ConfigurationError(f"Reading {path}: {problem.cause}.", remedy=problem.fix)
        if status == 429:
            raise TryAgain("status 429")
        if status >= 500:
            raise Broken(f"status {status}")
        raise ConfigurationError(
            f"Kashoo refused to read {path} ({status}).", remedy=f"Check the profile of connection {self.connection}."
        )


def _only_text(response: requests.Response, body: Any) -> Any:
    """Return the only text of an answer, bare or in JSON; with several texts, it is not the address."""
    if body is None:
        return response.text
    return next(iter(body.values())) if isinstance(body, dict) and len(body) == 1 else body
