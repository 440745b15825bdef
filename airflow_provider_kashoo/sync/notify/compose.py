"""Write the message of one channel: what is new to it, what it knows already, and what was billed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_kashoo.core.rules.alerts import OF_RECORDS, Name, News, Trouble
from airflow_provider_kashoo.core.values.ids import is_record_id
from airflow_provider_kashoo.core.values.record import Record
from airflow_provider_kashoo.reports.digest import Billed, Digest, Entry, Example, age, money
from airflow_provider_kashoo.reports.trouble_words import fix_of, page_of, title_of, well_of
from airflow_provider_kashoo.store import stuck
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.figures import Pair
from airflow_provider_kashoo.sync.by_hand.status import Waits, waits_in
from airflow_provider_kashoo.sync.notify.troubles import NAMES
from airflow_provider_kashoo.sync.read.names import Named

EXAMPLES = 3
"""Records that are listed of each new trouble."""

STATES: Mapping[Name, str] = {name: state for state, name in NAMES.items()}

Namer = Callable[[Sequence[Record]], tuple[Mapping[str, Named], str]]
"""Records -> their names by Salesforce id, and why there are none."""


@dataclass(frozen=True)
class Composer:
    """Writes messages about one org and business.

    :param base: address of Airflow, without a slash at its end; empty if it is not known.
    :param namer: reads names; None if they were not asked for.
    """

    database: Database
    pair: Pair
    base: str = ""
    namer: Namer | None = None

    def compose(self, found: News, billed: Billed, *, is_test: bool = False) -> Digest:
        """Write one.

        :raises SyncError: as :meth:`.Database.reading`.
        """
        with self.database.reading() as connection:
            now = self.database.now(connection)
        bad = [*found.bad, *found.worse]
        waits = {each.key: self._waits(each) for each in bad if each.name in OF_RECORDS}
        names, no_names = self._names(waits.values())
        return Digest(
            billed=billed,
            bad=[self._entry(each, now, waits.get(each.key, []), names) for each in bad],
            well=[well_of(each) for each in found.well],
            known=[self._entry(each, now, [], names) for each in found.known],
            page=f"{self.base}/plugin/kashoo" if self.base else "",
            whose=f"Salesforce org {self.pair.org_id}, Kashoo business {self.pair.business_id}",
            no_names=no_names,
            is_test=is_test,
        )

    def _waits(self, trouble: Trouble) -> list[Waits]:
        page, _ = stuck.page_of(self.database, self.pair, STATES[trouble.name], trouble.which)
        return waits_in(page)[:EXAMPLES]

    def _names(self, waits: Iterable[list[Waits]]) -> tuple[Mapping[str, Named], str]:
        records = [each.record for group in waits for each in group if is_record_id(each.record.id)]
        return self.namer(records) if self.namer and records else ({}, "")

    def _entry(self, each: Trouble, now: float, waits: list[Waits], names: Mapping[str, Named]) -> Entry:
        return Entry(
            title=title_of(each),
            age="" if each.since is None else age(now - each.since),
            total=money({code: total for code, total in each.totals.items() if code}),
            fix=fix_of(each),
            link=f"{self.base}/{page_of(each)}" if self.base else "",
            examples=[self._example(one, names) for one in waits],
            more=each.count - len(waits) if waits else 0,
        )

    def _example(self, one: Waits, names: Mapping[str, Named]) -> Example:
        if self.namer is None:
            return Example(one.id)
        named = names.get(one.record.id, Named())
        name = ", ".join(" ".join(part.split()) for part in (named.name, named.customer) if part.strip())
        return Example(one.id, name, one.cause)
