"""Kashoo's token, handed from task to task of one run, so that not each of them logs in."""

from __future__ import annotations

import json
from dataclasses import asdict

from airflow.sdk.crypto import FernetProtocol, get_fernet
from airflow.sdk.exceptions import AirflowException
from cryptography.fernet import InvalidToken

from airflow_provider_kashoo.clients.kashoo_http import Token
from airflow_provider_kashoo.core.errors import ConfigurationError
from airflow_provider_kashoo.sync.run.staging import TOKEN_FILE, Staging


class HandedToken:
    """A file of the run, encrypted with Airflow's Fernet key; commit removes it."""

    def __init__(self, files: Staging, fernet: FernetProtocol) -> None:
        self._files, self._fernet = files, fernet

    def take(self) -> Token | None:
        """Give the token that another task left; None when there is none, or none that this key opens."""
        try:
            kept = self._files.read_json(TOKEN_FILE)
            return Token(**json.loads(self._fernet.decrypt(kept["encrypted"]))) if kept else None
        except (ConfigurationError, InvalidToken, KeyError, TypeError, ValueError):
            return None

    def leave(self, token: Token) -> None:
        """Leave a token for the next task."""
        encrypted = self._fernet.encrypt(json.dumps(asdict(token)).encode())
        self._files.write_json(TOKEN_FILE, {"encrypted": encrypted.decode()})


def handed_token(files: Staging) -> HandedToken | None:
    """Give the place of a run's token; None where Airflow has no usable Fernet key: it is never staged in plain."""
    try:
        fernet = get_fernet()
    except AirflowException:
        return None
    return HandedToken(files, fernet) if fernet.is_encrypted else None
