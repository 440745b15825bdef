"""The entry point ``airflow.plugins``; loaded in every process, so it must import little."""

from __future__ import annotations

from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

from airflow_provider_kashoo.plugins.run_notes import RunNotes

_SCRIPT = "kashoo/static/kashoo.js"
"""Without a leading slash: it is looked for below the path of Airflow's base URL."""


class KashooPlugin(AirflowPlugin):
    """Creates missing pools and migrates the store when the API server starts, adds the page, and notes what runs left.

    The names are also those under which ``ui/src/main.ts`` leaves its components.
    """

    name = "kashoo"
    react_apps: list[Any] = [  # noqa: RUF012  Airflow's interface
        {
            "name": "Kashoo",
            "bundle_url": _SCRIPT,
            "destination": "nav",
            "url_route": "kashoo",
            "nav_top_level": True,
        },
        {"name": "Kashoo today", "bundle_url": _SCRIPT, "destination": "dashboard", "url_route": "kashoo-today"},
        {"name": "Kashoo plan", "bundle_url": _SCRIPT, "destination": "dag_run", "url_route": "kashoo-plan"},
    ]

    listeners: list[Any] = [RunNotes()]  # noqa: RUF012  Airflow's interface

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # Airflow reads it once
        """Read only by the API server, so that FastAPI is imported there and nowhere else."""
        from airflow_provider_kashoo.plugins.api import app

        return [{"app": app, "url_prefix": "/kashoo", "name": "Kashoo"}]
