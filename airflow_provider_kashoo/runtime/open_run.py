"""From Airflow's connections to a :class:`~airflow_provider_kashoo.sync.run.sync.Sync` that the steps work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.hooks.kashoo import KashooHook
from airflow_provider_kashoo.hooks.salesforce import KashooSalesforceHook
from airflow_provider_kashoo.settings import mappings_dir, open_database, settings, staging_root
from airflow_provider_kashoo.store.store import SyncStore, recorded_pools
from airflow_provider_kashoo.sync.preflight import check_pools
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Sync


@contextmanager
def open_sync(
    name: str,
    run: RunFacts,
    *,
    kashoo_conn_id: str = KashooHook.default_conn_name,
    salesforce_conn_id: str = KashooSalesforceHook.default_conn_name,
) -> Iterator[Sync]:
    """Open both sides and the store for one run.

    :param name: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    :raises ConfigurationError: for a missing pool, store, connection or mapping, and for a store or staging folder that
        workers on other hosts would not see; neither side is contacted before.
    :raises SyncError: as the clients do.
    """
    mappings = load_mappings(mappings_dir())
    database = open_database()
    try:
        database.check()
        check_pools(recorded_pools(database))
        root = staging_root()
        try:
            kashoo_hook = KashooHook(kashoo_conn_id)
            kashoo = kashoo_hook.client()
            salesforce = KashooSalesforceHook(salesforce_conn_id).client
        except AirflowNotFoundException as error:
            raise ConfigurationError(f"{error}.", remedy="Create it in Admin > Connections.") from None
        organization = salesforce.organization()
        yield Sync(
            name=name,
            run=run,
            salesforce=salesforce,
            kashoo=kashoo,
            store=SyncStore(database, organization.id, kashoo.business_id),
            budget=kashoo_hook.budget(),
            mappings=mappings,
            files=Staging(root, name, f"{organization.id}-{kashoo.business_id}", run.run_id),
            settings=settings(),
            org_currency=organization.currency,
        )
    finally:
        database.dispose()
