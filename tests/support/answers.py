"""Answers of Kashoo that a test makes up."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from airflow_provider_kashoo.clients.kashoo import KashooClient


def says(
    patch: pytest.MonkeyPatch, method: str, path: str, body: Any, *, location: str = "", does_it: bool = False
) -> None:
    """Let Kashoo answer one write so with 200, whether it did its work or not."""
    real, said = KashooClient.request, []

    def request(self: KashooClient, verb: str, where: str, *args: Any, **options: Any) -> requests.Response:
        if said or verb != method or not re.search(path, where):
            return real(self, verb, where, *args, **options)
        said.append(where)
        if does_it:
            real(self, verb, where, *args, **options)
        answer = requests.Response()
        answer.status_code = 200
        answer._content = b"" if body is None else json.dumps(body, default=str).encode()
        answer.headers.update({"Content-Type": "application/json"} | ({"Location": location} if location else {}))
        return answer

    patch.setattr(KashooClient, "request", request)
