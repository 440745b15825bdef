"""The script of the page."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

router = APIRouter()


@router.get("/static/kashoo.js")
def script(if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Give it; a browser that has this version gets 304. A browser runs no script of another type than this."""
    content, tag = _script()
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if if_none_match and tag in [each.strip().removeprefix("W/") for each in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/javascript", headers=headers)


@cache
def _script() -> tuple[bytes, str]:
    content = resources.files("airflow_provider_kashoo.plugins").joinpath("static/kashoo.js").read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
