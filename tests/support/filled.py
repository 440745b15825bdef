"""A store that has seen many records: their links, finished writes and audit rows, made within the database."""

from __future__ import annotations

import json

from sqlalchemy import text

from airflow_provider_kashoo.store.database import Database

FIELDS = ("contact", "currency", "date", "dueDate", "lines", "memo", "terms")
VOIDED_EACH, OPEN_EACH = 1_000, 100
"""One invoice of so many was voided; one is still open."""

SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, {count}))",
}
IDENT = "'{prefix}F' || CAST(10000000000 + i AS VARCHAR) || 'AAA'"
LINKS = """INSERT INTO links (scope_id, target, source_object, source_id, part, generation, sale_id, kashoo_id, version,
    state, currency, expected_total, journal_date, settlement, source_read, fields, sources, written_back, created_at,
    updated_at)
{series} SELECT {scope}, '{kind}', '{sobject}', {ident}, 1, 1, {ident}, 900000000000 + i, 1,
    {state}, 'USD', 25000, '2025-06-30', {settlement}, '2025-06-30T00:00:00+00:00', {fields}, {sources}, {empty}, 0, 0
FROM n"""
OPERATIONS = """INSERT INTO operations (scope_id, run_id, key, action, target, source_object, source_id, part,
    generation, sale_id, state, attempts, kashoo_id, link_version, created_at)
{series} SELECT {scope}, 'old ' || CAST(i / 1000 AS VARCHAR), 'old/' || {ident}, 'create', '{kind}', '{sobject}',
    {ident}, 1, 1, {ident}, 'done', 1, 900000000000 + i, 0, 0
FROM n"""
AUDIT = """INSERT INTO audit (scope_id, at, run_id, event, target, source_object, source_id, kashoo_id, fields, reason)
{series} SELECT {scope}, 0, 'old', 'create', '{kind}', '{sobject}', {ident}, 900000000000 + i, {empty}, 'won'
FROM n"""
KINDS = (("invoice", "Opportunity", "006", 1), ("customer", "Account", "001", 4), ("item", "Product2", "01t", 20))
"""Kind, object, key prefix, and of how many invoices there is one."""


def fill(database: Database, scope_id: int, invoices: int) -> None:
    """Give a store so many more invoices, with customers and items; nearly all are paid.

    Their Salesforce ids name no records.
    """
    sqlite = database.url.get_backend_name() == "sqlite"
    as_json = "'{}'" if sqlite else "'{}'::json"
    hashes = {name: ["0" * 32, "1" * 32] for name in FIELDS}
    values = {
        "scope": scope_id,
        "fields": as_json.format(json.dumps(hashes)),
        "sources": as_json.format(json.dumps(dict.fromkeys(FIELDS, "2" * 32))),
        "empty": as_json.format("{}"),
    }
    with database.begin() as connection:
        for kind, sobject, prefix, each in KINDS:
            sold = kind == "invoice"
            more = {
                "series": SERIES[database.url.get_backend_name()].format(count=max(invoices // each, 1)),
                "ident": IDENT.format(prefix=prefix),
                "state": f"CASE WHEN i % {VOIDED_EACH} = 1 THEN 'voided' ELSE 'live' END" if sold else "'live'",
                "settlement": f"CASE WHEN i % {OPEN_EACH} = 2 THEN 'Open' ELSE 'Paid' END" if sold else "NULL",
            }
            for statement in (LINKS, OPERATIONS, AUDIT):
                filled = statement.format(kind=kind, sobject=sobject, **values, **more)
                connection.exec_driver_sql(filled.replace("%", "%%") if not sqlite else filled)
    if not sqlite:  # as its autovacuum does some time after
        with database.begin() as connection:
            connection.execute(text("ANALYZE"))
