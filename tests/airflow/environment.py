"""What several test modules of this folder change in their environment."""

from __future__ import annotations

import json
import os
import traceback
from typing import Any

import pytest
import requests_mock


def set_connection(patch: pytest.MonkeyPatch, conn_id: str, **changes: Any) -> None:
    """Change a connection of the environment: its own attributes, and anything else as extra."""
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    connection = json.loads(os.environ[variable])
    own = {name: changes.pop(name) for name in ("host", "port", "login", "password") if name in changes}
    patch.setenv(variable, json.dumps({**connection, **own, "extra": {**connection["extra"], **changes}}))


TOKEN = {"authenticationCode": "c2VjcmV0", "expiryDate": 4_000_000_000_000}
BUSINESS = {"id": 77, "contactInformation": {"name": "Northwind Trading Ltd."}}
NO_SLASH = "books.example/api"


def served(status: int = 200, body: Any = None) -> requests_mock.Mocker:
    mocker = requests_mock.Mocker()
    mocker.post("https://books.example/api/authTokens", json=TOKEN)
    mocker.get(f"https://{NO_SLASH}/users/me/businesses", status_code=status, json=[BUSINESS] if body is None else body)
    return mocker


def shown(error: BaseException) -> str:
    """Everything that a task log would print of it."""
    return "".join(traceback.format_exception(error))
