"""The tables of the sync store.

They hold ids, states, counts, times, keyed hashes and one expected total per link and operation: no names but
those of the books' own accounts and taxes, no addresses, no lines. What a person is asked names the amounts and
dates that differ. Times are epoch seconds UTC, amounts are minor units. Every row about a record belongs to one
Salesforce org and Kashoo business, so that a test business never makes production look synced.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from airflow_provider_kashoo.core.rules.operations import LIVE

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_LIVE_STATES = ", ".join(sorted(f"'{state.value}'" for state in LIVE))


def _scope() -> Column[int]:
    return Column("scope_id", ForeignKey("scopes.id"), nullable=False)


settings = Table(
    "settings", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False)
)

pools = Table(
    "pools",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("recorded_at", Float, nullable=False),
)

scopes = Table(
    "scopes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("org_id", String(18), nullable=False),
    Column("business_id", String(32), nullable=False),
    Column("created_at", Float, nullable=False),
    # When all of the books were searched for our references; nothing is created before that.
    Column("swept_at", Float),
    # Kinds whose listing contained one of our references: only for these can absence be proved.
    Column("references_seen", JSON, nullable=False, server_default="[]"),
    UniqueConstraint("org_id", "business_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    Column("sync", String(64), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("digest", String(64)),
    Column("summary", JSON),
    # How the records of a test batch compare with what was sent: counts by field, and what differs.
    Column("read_back", JSON(none_as_null=True)),
    # How many changed records its deltas had; empty until it is over, and if no watermark moves.
    Column("records_read", Integer),
    UniqueConstraint("scope_id", "sync", "run_id"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    Column("sync", String(64), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("decided_by", String(250), nullable=False),
    Column("reason", Text, nullable=False),
    # Counts and totals of the plan, as the person saw them.
    Column("shown", JSON, nullable=False),
    Index("ix_approvals_digest", "scope_id", "digest"),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    Column("source", String(128), nullable=False),
    Column("value", Float, nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("moved_at", Float, nullable=False),
    UniqueConstraint("scope_id", "source"),
)

kept_codes = Table(
    "kept_codes",
    metadata,
    Column("scope_id", ForeignKey("scopes.id"), primary_key=True, autoincrement=False),
    # Numbers, names and ids of accounts, codes and rates of taxes: the one place with names of the books.
    Column("codes", JSON, nullable=False),
    Column("read_at", Float, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    Column("target", String(16), nullable=False),
    Column("source_object", String(80), nullable=False),
    Column("source_id", String(18), nullable=False),
    Column("part", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("sale_id", String(18), nullable=False),
    Column("kashoo_id", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("currency", String(3)),
    Column("expected_total", BigInteger),
    Column("journal_date", String(10)),
    Column("settlement", String(16)),
    # When the source was read from which this link was written, or with which it was compared: ISO 8601 UTC.
    Column("source_read", String(40)),
    # When the books were read for the newest write-back of its invoice: ISO 8601 UTC.
    Column("told_read", String(40)),
    Column("fields", JSON, nullable=False),
    # From which values in Salesforce each field was made, as keyed hashes; empty when that is not known.
    Column("sources", JSON(none_as_null=True)),
    # What was seen last of fields that the mapping gives to the side that changed last; empty if there are none.
    Column("observed", JSON(none_as_null=True)),
    Column("written_back", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # One sale is billed once, whether it arrives as Opportunity, as Order or as both.
    Index(
        "uq_links_sale",
        "scope_id",
        "target",
        "sale_id",
        "part",
        unique=True,
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
    Index(
        "uq_links_kashoo_id",
        "scope_id",
        "target",
        "kashoo_id",
        "source_id",
        unique=True,
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
    Index("ix_links_source_id", "scope_id", "source_id"),
    # To find the last link of a sale among the ended ones too.
    Index("ix_links_sale_id", "scope_id", "sale_id"),
    # To walk through the linked records of an object, in order.
    Index(
        "ix_links_source_object",
        "scope_id",
        "source_object",
        "source_id",
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
    # To find the records that have several invoices.
    Index(
        "ix_links_part",
        "scope_id",
        "source_id",
        sqlite_where=text("state = 'live' AND part > 1"),
        postgresql_where=text("state = 'live' AND part > 1"),
    ),
    # To find links that ended, invoices that are open, and the oldest of these, without reading all links.
    Index("ix_links_state", "scope_id", "target", "state", "settlement", "journal_date"),
)

own_records = Table(
    "own_records",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    # Salesforce object of the record, and by what it is found there; for an Account, its id.
    Column("target", String(80), nullable=False),
    Column("external_id", String(120), nullable=False),
    # What the invoice was billed from, and the invoice; for an Account, the customer.
    Column("source_object", String(80), nullable=False),
    Column("source_id", String(18), nullable=False),
    Column("kashoo_id", BigInteger),
    Column("salesforce_id", String(18)),
    Column("state", String(16), nullable=False),
    # Keyed hash of what was written to each field.
    Column("fields", JSON, nullable=False),
    # When the books were read for its newest write: ISO 8601 UTC.
    Column("told_read", String(40), nullable=False),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("scope_id", "target", "external_id"),
    Index("ix_own_records_kashoo_id", "scope_id", "target", "kashoo_id"),
    Index("ix_own_records_source_id", "scope_id", "source_id"),
)

operations = Table(
    "operations",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    Column("run_id", String(250), nullable=False),
    Column("key", String(200), nullable=False),
    Column("action", String(16), nullable=False),
    Column("target", String(80), nullable=False),
    Column("source_object", String(80), nullable=False),
    Column("source_id", String(18), nullable=False),
    Column("part", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("sale_id", String(18), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease", String(64)),
    Column("payload_hash", String(64)),
    Column("fields", JSON),
    Column("sources", JSON(none_as_null=True)),
    Column("reference", String(64)),
    Column("kashoo_id", BigInteger),
    Column("contact_id", BigInteger),
    Column("currency", String(3)),
    Column("expected_total", BigInteger),
    Column("journal_date", String(10)),
    Column("link_version", Integer, nullable=False),
    # When the source was read for the intent that was sent or parked: ISO 8601 UTC.
    Column("source_read", String(40)),
    Column("seen_read", String(40)),
    Column("error_class", String(64)),
    Column("cause", Text),
    Column("fix", Text),
    Column("created_at", Float, nullable=False),
    Column("sent_at", Float),
    Column("deadline", Float),
    Column("closed_at", Float),
    Index(
        "uq_operations_live_key",
        "scope_id",
        "key",
        unique=True,
        sqlite_where=text(f"state IN ({_LIVE_STATES})"),
        postgresql_where=text(f"state IN ({_LIVE_STATES})"),
    ),
    Index("ix_operations_state", "scope_id", "state"),
    Index("ix_operations_source_id", "scope_id", "source_id"),
    Index("ix_operations_run_id", "scope_id", "run_id"),
)

review_items = Table(
    "review_items",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    Column("run_id", String(250), nullable=False),
    Column("target", String(80), nullable=False),
    Column("source_object", String(80), nullable=False),
    Column("source_id", String(18), nullable=False),
    Column("part", Integer, nullable=False, server_default="1"),
    Column("kashoo_id", BigInteger),
    Column("error_class", String(64), nullable=False),
    Column("cause", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("closed_at", Float),
    # A dismissed item stays open, unseen, until its cause is gone: the same question is not asked again.
    Column("dismissed_at", Float),
    Column("dismissed_by", String(250)),
    Column("dismissed_reason", Text),
    # A settled item stays open until a run has done what the person said: "books" or "salesforce" is right.
    Column("settled_for", String(16)),
    Column("settled_by", String(250)),
    Column("settled_reason", Text),
    Index(
        "uq_review_items_open",
        "scope_id",
        "target",
        "source_id",
        "error_class",
        "part",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)

differences = Table(
    "differences",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    # A keyed hash of name, record, month and both amounts: no amount is kept.
    Column("key", String(32), nullable=False),
    Column("name", String(40), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("month", String(7), nullable=False),
    Column("source_id", String(18)),
    Column("kashoo_id", BigInteger),
    Column("state", String(16), nullable=False),
    Column("found_at", Float, nullable=False),
    Column("resolved_at", Float),
    Column("decided_at", Float),
    Column("decided_by", String(250)),
    Column("reason", Text),
    UniqueConstraint("scope_id", "key"),
    Index("ix_differences_month", "scope_id", "month"),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    # A hash of notifier and arguments: no address is kept.
    Column("name", String(64), nullable=False),
    # What was billed until then was said.
    Column("billed_up_to", Float, nullable=False),
    # Until then somebody is sending; 0 when nobody is.
    Column("taken_until", Float, nullable=False),
    UniqueConstraint("scope_id", "name"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel_id", ForeignKey("channels.id"), nullable=False),
    Column("name", String(32), nullable=False),
    Column("which", String(64), nullable=False),
    Column("count", Integer, nullable=False),
    Column("since", Float),
    Column("said_at", Float, nullable=False),
    UniqueConstraint("channel_id", "name", "which"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    _scope(),
    Column("at", Float, nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("operation_id", Integer),
    Column("event", String(32), nullable=False),
    Column("target", String(80), nullable=False),
    Column("source_object", String(80), nullable=False),
    Column("source_id", String(18), nullable=False),
    Column("kashoo_id", BigInteger),
    Column("fields", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    # Over this row and the hash of the row before it in its scope, see store/audit.py.
    Column("hash", String(64)),
    Index("ix_audit_source_id", "scope_id", "source_id"),
    # To find the newest row, and to read all in order.
    Index("ix_audit_id", "scope_id", "id"),
)

budget_slots = Table(
    "budget_slots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("budget", String(250), nullable=False),
    Column("taken_at", Float, nullable=False),
    # The answer's time once it is known, the deadline until then: the other side may count at either end.
    Column("counts_from", Float, nullable=False),
    Index("ix_budget_slots_budget_counts_from", "budget", "counts_from"),
)

budget_closures = Table(
    "budget_closures",
    metadata,
    Column("budget", String(250), primary_key=True),
    Column("until", Float, nullable=False),
)
