"""What Airflow knows about the DAGs of this package, for commands that run outside of them."""

from __future__ import annotations

from datetime import datetime


def start_of(dag_id: str) -> datetime | None:
    """Give the ``start_date`` of a DAG as Airflow last parsed it; None if it has no such DAG."""
    from airflow.models.serialized_dag import SerializedDagModel

    dag = SerializedDagModel.get_dag(dag_id)
    return dag.start_date if dag else None
