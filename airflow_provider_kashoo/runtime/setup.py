"""Create what a DAG needs before it can run: pools, and the schema of the store.

Called by ``airflow kashoo init`` and when the API server starts: only there may Airflow's own tables be written.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from airflow.sdk import conf

from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.settings import open_database, own_mappings_dir, shipped
from airflow_provider_kashoo.store.store import record_pools
from airflow_provider_kashoo.sync.preflight import POOLS

log = logging.getLogger(__name__)

SHIPPED = (".py", ".yaml", ".json")
"""DAGs, mappings, and the schema of mappings for editors."""

DESCRIPTION = "How many tasks use this side at once. Requests an hour are limited by the budget, not by this pool."


def create_pools_and_store() -> Mapping[str, int]:
    """Create missing pools, migrate the store, and record the pool sizes in it. May be called again.

    :returns: pool name -> slots, as they are now; a size that was changed by hand stays.
    :raises ConfigurationError: when Airflow's own database has no tables yet, or the store cannot be used.
    :raises UnreachableError: when the store does not answer, or is locked for too long.
    """
    from sqlalchemy.exc import OperationalError, ProgrammingError

    try:
        sizes = _create_pools()
    except (OperationalError, ProgrammingError) as error:
        raise ConfigurationError(
            f"Airflow's own database has no tables yet, or cannot be reached ({type(error).__name__}).",
            remedy="Run: airflow db migrate",
        ) from None
    database = open_database()
    try:
        database.migrate()
        record_pools(database, sizes)
    finally:
        database.dispose()
    return sizes


def _create_pools() -> dict[str, int]:
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        sizes = {}
        for name, slots in POOLS.items():
            pool = Pool.get_pool(name, session=session)
            if pool is None:
                pool = Pool.create_or_update_pool(
                    name, slots=slots, description=DESCRIPTION, include_deferred=False, session=session
                )
                log.info("Created pool %s with %d slots", name, slots)
            sizes[name] = int(pool.slots)
    return sizes


def copy_shipped() -> Iterator[tuple[Path, str]]:
    """Copy the shipped DAGs and mappings to where Airflow looks for them, never over a file that exists.

    :returns: each path with ``copied`` or ``kept``.
    """
    dags = Path(conf.get("core", "dags_folder"))
    mappings = own_mappings_dir() or dags.parent / "include" / "mappings"
    for folder, target in (("dags", dags), ("include/mappings", mappings)):
        target.mkdir(parents=True, exist_ok=True)
        for source in sorted(path for path in shipped(folder).iterdir() if path.suffix in SHIPPED):
            path = target / source.name
            if path.exists():
                yield path, "kept"
            else:
                shutil.copyfile(source, path)
                yield path, "copied"
