"""Say which side is right about what both sides changed. The next run does it; this writes to neither side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.rules.settled import ABOUT_BOTH, NAMES, ONLY_BOOKS, SETTLED, Side
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.store.links import Links
from airflow_provider_kashoo.store.reviews import Reviews
from airflow_provider_kashoo.store.waiting import Waiting
from airflow_provider_kashoo.sync.by_hand.named import SEE, one_question
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

BY_HAND = "by hand"


def settle(database: Database, named: str, side: Side, *, by: str, reason: str) -> Mapping[str, Any]:
    """Note which side is right, and let the next run read the record.

    If the books are right, that run takes what both sides say as what was synced last; nothing is written until one of
    them changes. If Salesforce is right, it writes Salesforce's values, unless the invoice was paid or locked
    meanwhile. If the question says something else by then, it is asked again.

    :param named: id of the question, such as ``R12``, or of its record if nothing else is asked about that.
    :param by: who says so; it is kept with the reason.
    :returns: the question.
    :raises ConfigurationError: when no such question is open, or it has no side that could be right.
    """
    if not reason.strip():
        raise ConfigurationError("A reason is needed: it is what an auditor reads later.", remedy="Give --reason TEXT.")
    scope, item = one_question(database, named)
    if item["error_class"] not in ABOUT_BOTH:
        raise ConfigurationError(
            f"{named} is not about what both sides changed: {item['cause']}.",
            remedy=f"{item['fix']} If all is right as it is, dismiss it.",
        )
    if side is Side.SALESFORCE and item["error_class"] in ONLY_BOOKS:
        raise ConfigurationError(
            f"No run changes this invoice: {item['cause']}.",
            remedy="Correct it in Kashoo by hand, then settle it with --books. Or undo the change in Salesforce.",
        )
    with scope.writing() as tx:
        link = Links(tx).parts_of(item["target"], [item["source_id"]]).get(item["source_id"], {}).get(item["part"])
        if link is None or not Reviews(tx).settle(item["id"], side, by, reason.strip()):
            raise ConfigurationError(f"{named} was closed meanwhile, or its record has no link any more.", remedy=SEE)
        problem = SETTLED.of(side=NAMES[side])
        Waiting(tx).park(link.intent(TO_KASHOO).parked(problem), problem, BY_HAND)
    return item
