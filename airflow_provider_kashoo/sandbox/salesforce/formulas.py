"""Formula fields: computed when they are read, so that they change without any stamp moving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from airflow_provider_kashoo.sandbox.salesforce.tables import Row, Table

Formula = Callable[[Mapping[str, Table], Row, date], Any]


def _account_terms(tables: Mapping[str, Table], row: Row, _today: date) -> Any:
    account = tables["Account"].rows.get(row["AccountId"] or "")
    return account["Payment_Terms__c"] if account else None


def _days_since_close(_tables: Mapping[str, Table], row: Row, today: date) -> Any:
    return (today - date.fromisoformat(row["CloseDate"])).days


#: (object, field) -> what it shows. One looks at another record, one at the calendar.
FORMULAS: dict[tuple[str, str], Formula] = {
    ("Opportunity", "Account_Terms__c"): _account_terms,
    ("Opportunity", "Days_Since_Close__c"): _days_since_close,
    ("Order", "Account_Terms__c"): _account_terms,
}
