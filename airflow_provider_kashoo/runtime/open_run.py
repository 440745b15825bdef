"""Make the :class:`~airflow_provider_kashoo.sync.run.sync.Sync` of a run from Airflow's connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from airflow_provider_kashoo.core.mapping.file.model import Mapping as FieldMapping
from airflow_provider_kashoo.core.window import RunFacts
from airflow_provider_kashoo.hooks.kashoo import KashooHook
from airflow_provider_kashoo.hooks.salesforce import KashooSalesforceHook
from airflow_provider_kashoo.runtime.handed_token import handed_token
from airflow_provider_kashoo.settings import mappings_dir, open_database, settings, staging_root
from airflow_provider_kashoo.store.store import SyncStore, org_of_run, recorded_pools
from airflow_provider_kashoo.sync.preflight import check_pools
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings
from airflow_provider_kashoo.sync.run.staging import Staging
from airflow_provider_kashoo.sync.run.sync import Org, Sync


@contextmanager
def open_sync(
    name: str,
    run: RunFacts,
    kashoo_conn_id: str = KashooHook.default_conn_name,
    salesforce_conn_id: str = KashooSalesforceHook.default_conn_name,
    *,
    begins: bool = False,
    mappings: Mapping[str, FieldMapping] | None = None,
) -> Iterator[Sync]:
    """Open the store for one run; each side is contacted when a step first uses it.

    :param name: ``salesforce_to_kashoo`` or ``kashoo_to_salesforce``.
    :param begins: take the org from the Salesforce connection. Otherwise it is taken from the store, and Salesforce is
        asked only when the store has no run of this id, or several.
    :param mappings: to work with; unless given, those of the mappings directory.
    :raises ConfigurationError: for a missing pool, store, connection or mapping, and for a store or staging folder that
        workers on other hosts cannot reach; neither side is contacted before.
    :raises SyncError: as the clients do.
    """
    mappings = load_mappings(mappings_dir()) if mappings is None else mappings
    database = open_database()
    try:
        database.check()
        check_pools(recorded_pools(database))
        root = staging_root()
        hook = KashooHook(kashoo_conn_id)
        kashoo = hook.client()
        begun_with = None if begins else org_of_run(database, kashoo.business_id, name, run.run_id)
        org = Org(lambda: KashooSalesforceHook(salesforce_conn_id).client, begun_with)
        files = Staging(root, name, f"{org.id}-{kashoo.business_id}", run.run_id)
        if run.dag_id and (token := handed_token(files)):  # other tasks of the DAG's run need one too
            kashoo.share(token)
        yield Sync(
            name=name,
            run=run,
            org=org,
            kashoo=kashoo,
            store=SyncStore(database, org.id, kashoo.business_id),
            budget=hook.budget(),
            mappings=mappings,
            files=files,
            settings=settings(),
        )
    finally:
        database.dispose()
