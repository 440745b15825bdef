"""What several test modules of this folder change in their environment."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest


def set_connection(patch: pytest.MonkeyPatch, conn_id: str, **changes: Any) -> None:
    """Change a connection of the environment: its own attributes, and anything else as extra."""
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    connection = json.loads(os.environ[variable])
    own = {name: changes.pop(name) for name in ("host", "port", "login", "password") if name in changes}
    patch.setenv(variable, json.dumps({**connection, **own, "extra": {**connection["extra"], **changes}}))
