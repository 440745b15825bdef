"""Airflow's configuration and connections in plain types: store, staging folder and mappings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow.sdk import BaseHook, Connection, ObjectStoragePath, conf
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import URL

from airflow_provider_kashoo.core.errors import ConfigurationError, shown
from airflow_provider_kashoo.core.rules.approval import Above, Policy
from airflow_provider_kashoo.core.values.currencies import ISO_CODES
from airflow_provider_kashoo.core.values.money import NotMoney, to_minor
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync.run.sync import Settings

SECTION = "kashoo"
LOCAL_EXECUTORS = frozenset({"LocalExecutor", "airflow.executors.local_executor.LocalExecutor"})
LIBPQ = frozenset(
    (
        "sslmode sslrootcert sslcert sslkey sslpassword sslcrl ssl_min_protocol_version channel_binding gssencmode "
        "connect_timeout application_name options target_session_attrs load_balance_hosts "
        "keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout"
    ).split()
)
"""Extras of a PostgreSQL connection that are passed on; Airflow's form has others, which libpq would refuse."""
DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


def airflow_home() -> Path:
    """Return AIRFLOW_HOME, the same in every Airflow process."""
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()


def settings() -> Settings:
    """Read the section ``[kashoo]``: times in whole seconds or days, and the zone by its IANA name.

    :raises AirflowConfigException: for a time that is not a number.
    :raises ConfigurationError: for a time that is too short, and for an unknown zone.
    """
    zone = conf.get(SECTION, "time_zone")
    try:
        ZoneInfo(zone)
    except (ValueError, ZoneInfoNotFoundError):
        raise ConfigurationError(
            f"[kashoo] time_zone is {zone!r}, which is no time zone.", remedy="Give an IANA name, like Europe/Vienna."
        ) from None
    return Settings(
        overlap=timedelta(seconds=_seconds("delta_overlap_seconds", least=0)),
        margin=timedelta(seconds=_seconds("delta_margin_seconds", least=0)),
        send_deadline=_seconds("send_deadline_seconds", least=1),
        settle=_seconds("settle_seconds", least=0),
        zone=zone,
        retention=timedelta(days=_least("staging_retention_days", 1, "days")),
        approval=_approval_policy(),
    )


def _approval_policy() -> Policy:
    return Policy(
        invoice_above=_amount_above("approve_invoice_above"),
        total_above=_amount_above("approve_total_above"),
        writes_above=_least("approve_writes_above", 0, "writes") if _given("approve_writes_above") else None,
        voids=conf.getboolean(SECTION, "approve_voids"),
        first_run=conf.getboolean(SECTION, "approve_first_run"),
    )


def _given(name: str) -> str:
    return str(conf.get(SECTION, name, fallback=None) or "").strip()


def _amount_above(name: str) -> Above | None:
    """Read an amount in major units: one for every currency, or a JSON object with one for each.

    :raises ConfigurationError: for anything else.
    """
    import json

    if not (text := _given(name)):
        return None
    try:
        # Numbers stay texts until Decimal reads them: a float is not exact.
        value = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        if isinstance(value, dict):
            if unknown := sorted(set(value) - ISO_CODES):
                raise NotMoney(f"{shown(unknown[0])} is no currency")
            return Above(of={currency: _amount(amount) for currency, amount in value.items()})
        return Above(each=_amount(value))
    except (ValueError, InvalidOperation) as error:
        said = f" ({error})" if isinstance(error, NotMoney) else ""
        raise ConfigurationError(
            f"[kashoo] {name} is {shown(text)}, which is no amount{said}.",
            remedy='Give a number such as 10000, or {"USD": 10000, "CAD": 12000}.',
        ) from None


def _amount(text: Any) -> Decimal:
    amount = to_minor(Decimal(text if isinstance(text, str) else "no number"))
    if amount < 0:
        raise NotMoney("it is below 0")
    return amount


def late_after_hours() -> float:
    """Return after how many hours without a full run a sync is late.

    :raises ConfigurationError: for less than one hour.
    """
    return _least("late_after_hours", 1, "hours")


@dataclass(frozen=True)
class Tells:
    """What people are told beside what is wrong.

    :param billed: what was billed.
    :param names: names of records and customers, and the causes of single records.
    """

    billed: bool
    names: bool


def tells() -> Tells:
    """Return what messages to people have.

    :raises AirflowConfigException: for what is no yes or no.
    """
    return Tells(conf.getboolean(SECTION, "notify_billed"), conf.getboolean(SECTION, "notify_names"))


def empty_runs() -> int:
    """Return after how many runs that read nothing from Salesforce people are told; 0 means never.

    :raises ConfigurationError: for less than 0.
    """
    return _least("notify_after_empty_runs", 0, "runs")


def _seconds(name: str, *, least: int) -> int:
    return _least(name, least, "seconds")


def _least(name: str, least: int, unit: str) -> int:
    value = conf.getint(SECTION, name)
    if value < least:
        raise ConfigurationError(f"[kashoo] {name} is {value}.", remedy=f"Give {least} or more {unit}.")
    return value


def open_database() -> Database:
    """Open the sync store that ``[kashoo] store_conn_id`` names, or the SQLite file in AIRFLOW_HOME.

    Nothing is read from it yet: :meth:`~.Database.check` says whether it exists.

    :raises ConfigurationError: for a connection that is neither SQLite nor PostgreSQL, and for SQLite
        under an executor whose workers may be on other hosts.
    """
    conn_id = conf.get(SECTION, "store_conn_id")
    try:
        url = _url(BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        url = URL.create("sqlite", database=str(airflow_home() / "kashoo_store.db"))
    if url.get_backend_name() == "sqlite":
        _require_one_host("The sync store is a SQLite file", f"Point connection {conn_id} at PostgreSQL.")
    return Database(url, connection=conn_id)


def existing_connection(conn_id: str) -> Connection:
    """Read a connection.

    :raises ConfigurationError: when there is none with this id.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(f"{error}.", remedy="Create it in Admin > Connections.") from None


def staging_root() -> Any:
    """Return the folder of the files between the steps: ``[kashoo] staging_path``, or one in AIRFLOW_HOME.

    :returns: a path object.
    :raises ConfigurationError: for a plain path under an executor whose workers may be on other hosts.
    """
    configured = conf.get(SECTION, "staging_path", fallback=None) or str(airflow_home() / "kashoo_staging")
    if "://" in configured:
        path = ObjectStoragePath(configured)
        # A folder that every worker has mounted is a folder: only its owner may read what is staged there.
        return Path(path.path) if path.protocol in {"file", "local"} else path
    _require_one_host(
        "The files between the steps are in a folder on this host",
        "Set [kashoo] staging_path to object storage, or to file:// and a folder that every worker has.",
    )
    return Path(configured)


def own_mappings_dir() -> Path | None:
    """Return ``[kashoo] mappings_dir``, whether it exists or not; None if not configured."""
    configured = conf.get(SECTION, "mappings_dir", fallback=None)
    return Path(configured) if configured else None


def mappings_dir() -> Path:
    """Find the folder of the mapping files: the configured one, the one beside the DAGs, or the shipped one.

    Only the first of them is used: mappings of two folders are never mixed.
    """
    if own := own_mappings_dir():
        return own
    beside = Path(conf.get("core", "dags_folder")).parent / "include" / "mappings"
    return beside if beside.is_dir() else shipped("include/mappings")


def shipped(folder: str) -> Path:
    """Return a folder that came with this package: ``dags`` or ``include/mappings``.

    In a wheel they are inside the package, in a checkout beside it.
    """
    package = Path(__file__).parent
    inside = package / "shipped" / folder
    return inside if inside.is_dir() else package.parent / folder


def structured(extra: Mapping[str, Any], name: str, default: Any) -> Any:
    """Read a structured extra, which the connection form stores as JSON text.

    :param extra: all extras of the connection.
    :param default: the result when it is missing or empty.
    :raises ConfigurationError: when it is not JSON.
    """
    import json

    value = extra.get(name)
    if value in (None, ""):
        return default
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ConfigurationError(
            f"The extra {name!r} of the Kashoo connection is not JSON.", remedy="Correct it in Admin > Connections."
        ) from None


def _require_one_host(what: str, remedy: str) -> None:
    """Refuse what is only on this host, unless every executor runs its tasks here.

    Airflow takes several executors, separated by commas, each with an alias before a colon; those of teams are
    separated by semicolons, the team before an equals sign.
    """
    configured = conf.get("core", "executor", fallback="LocalExecutor")
    names = [re.split("[=:]", each)[-1].strip() for each in re.split("[,;]", configured)]
    if not set(names) <= LOCAL_EXECUTORS:
        raise ConfigurationError(f"{what}, but workers of {configured} may be on other hosts.", remedy=remedy)


def _url(connection: Any) -> URL:
    kind, extra = connection.conn_type, connection.extra_dejson
    if kind == "sqlite":
        return URL.create("sqlite", database=connection.host or f"/{connection.schema or ''}")
    if kind not in DRIVERS:
        raise ConfigurationError(
            f"Connection {connection.conn_id} has the type {kind}; the sync store is sqlite or postgres.",
            remedy="Change its type in Admin > Connections.",
        )
    return URL.create(
        DRIVERS[kind],
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        query={name: str(value) for name, value in extra.items() if name in LIBPQ and value not in (None, "")},
    )
