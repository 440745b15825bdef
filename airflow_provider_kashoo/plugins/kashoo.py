"""The entry point ``airflow.plugins``; loaded in every process, so it must import little."""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin


class KashooPlugin(AirflowPlugin):
    """Creates missing pools and migrates the store when the API server starts."""

    name = "kashoo"

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow reads it once
        """Read only by the API server, so that FastAPI is imported there and nowhere else."""
        from airflow_provider_kashoo.plugins.api import app

        return [{"app": app, "url_prefix": "/kashoo", "name": "Kashoo"}]
