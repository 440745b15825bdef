"""Bulk API 2.0 query jobs: many records as pages of CSV, each with its row count.

A job outlives the process that made it (evidenced: results are kept for seven days, and a locator can be read
again), so its id and the locators of the next pages are all that a retry needs.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from airflow_provider_kashoo.clients.refusals import Refused
from airflow_provider_kashoo.clients.salesforce import SalesforceClient
from airflow_provider_kashoo.core.errors import ConfigurationError, SyncError, UnreachableError

log = logging.getLogger(__name__)

PAGE_RECORDS = 25_000
"""Keeps a page within one deadline and some tens of megabytes of memory."""

_LOCATOR = re.compile(r"[?&]locator=([^&#]+)")

JOB_SECONDS = 3600.0
LONGEST_POLL = 15.0


@dataclass(frozen=True)
class Page:
    """One page of a job's results.

    :param content: CSV with a header row; null and the empty text look the same in it (evidenced).
    :param records: rows, without the header.
    :param locator: of the page after this one; None after the last.
    """

    content: bytes
    records: int
    locator: str | None


class BulkQueries:
    """Query jobs of one org.

    :param sleep: between two looks at a job.
    """

    def __init__(self, client: SalesforceClient, sleep: Callable[[float], None] | None = None) -> None:
        self._client, self._sleep = client, sleep or time.sleep  # looked up now, so that tests can replace it

    def start(self, text: str, *, deleted: bool = False) -> str:
        """Start a job; the query may be far longer than a URI.

        :param deleted: include records in the recycle bin.
        :returns: the job's id.
        """
        body = {"operation": "queryAll" if deleted else "query", "query": text}
        return str(self._client.json("POST", "/jobs/query", data=json.dumps(body))["id"])

    def wait(self, job: str) -> int:
        """Wait until a job is complete.

        :returns: how many records it found.
        :raises ConfigurationError: when it failed, was aborted, or does not exist any more.
        :raises UnreachableError: when it is not done within an hour; the next try continues to wait.
        """
        waited, pause = 0.0, 1.0
        while True:
            seen = self._client.json("GET", f"/jobs/query/{job}")
            if seen["state"] == "JobComplete":
                return int(seen["numberRecordsProcessed"])
            if seen["state"] in {"Failed", "Aborted"}:
                code = str(seen.get("errorMessage") or "").partition(":")[0]
                raise ConfigurationError(
                    f"Salesforce's bulk query job is {seen['state'].lower()}: {code or 'no reason given'}.",
                    remedy="Clear the task to start another; if that fails too, set since and until closer.",
                )
            if waited >= JOB_SECONDS:
                raise UnreachableError(
                    "Salesforce's bulk query job is not done after an hour.", remedy="The task tries again."
                )
            self._sleep(pause)
            waited, pause = waited + pause, min(LONGEST_POLL, pause * 1.5)

    def places(self, job: str) -> list[str]:
        """List locators of a finished job's results at which reading can begin, in order, from the first page on.

        Salesforce gives five at a time from version 58.0 on (evidenced). Its documentation calls them ``resultPages``
        with a ``resultUrl``; clients report ``resultChunks`` with a ``resultLink`` from real orgs (evidenced).

        :returns: nothing when the version has none, or the answer is not understood: begin at the first page only.
        """
        found: list[str] = []
        path: str | None = f"/jobs/query/{job}/resultPages" if self._client.has_result_pages else None
        try:
            while path:
                answer = self._client.json("GET", path)
                entries = answer.get("resultChunks") or answer.get("resultPages") or []
                new = [_locator(entry.get("resultLink") or entry["resultUrl"]) for entry in entries]
                following = None if answer["done"] or not new else answer["nextRecordsUrl"]
                if len({*found, *new}) < len(found) + len(new):
                    return []
                found += new
                path = following and f"/jobs/query/{job}/resultPages?locator={quote(_locator(following), safe='')}"
        except (Refused, AttributeError, KeyError, TypeError, ValueError) as error:
            log.info("Bulk job %s is read page after page: its other pages are unknown (%s)", job, type(error).__name__)
            return []
        return found

    def page(self, job: str, locator: str | None = None) -> Page:
        """Read one page of the results, renewing the login when needed; threads may read different ones at once.

        :param locator: of the page; None for the first.
        """
        options = {"maxRecords": str(PAGE_RECORDS)} | ({"locator": locator} if locator else {})
        answer = self._client.send("GET", f"/jobs/query/{job}/results", params=options, accept="text/csv")
        if "Sforce-NumberOfRecords" not in answer.headers:
            raise UnreachableError(
                "Salesforce did not answer with a page of results.", remedy="The task tries this page again."
            )
        following = answer.headers.get("Sforce-Locator", "null")
        more = None if following in {"", "null"} else following
        return Page(answer.content, int(answer.headers["Sforce-NumberOfRecords"]), more)

    def forget(self, job: str) -> None:
        """Delete a job whose results were read; on failure, Salesforce deletes it after seven days (evidenced)."""
        try:
            self._client.send("DELETE", f"/jobs/query/{job}")
        except SyncError as error:
            log.info("Bulk job %s was not deleted; Salesforce deletes it after seven days: %s", job, error)


def _locator(address: str) -> str:
    """Take the locator out of an address; the rest of it is not followed.

    :raises ValueError: when it has none.
    """
    if (match := _LOCATOR.search(address)) is None:
        raise ValueError
    return unquote(match[1])


def check_count(counted: int, seen: int) -> None:
    """Compare the number of received records with the count.

    :raises UnreachableError: when they differ, so that the task reads again.
    """
    if counted != seen:
        raise UnreachableError(f"Salesforce counted {counted} records but sent {seen}.", remedy="The task retries.")
