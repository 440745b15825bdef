"""What docker-compose.yaml, Dockerfile and .env.example promise, as far as it can be tried without an engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet
from postgres import Postgres

REPOSITORY = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())
SERVICES = COMPOSE["services"]
GIVEN = {
    "POSTGRES_PASSWORD": "letters4digits",
    "FERNET_KEY": Fernet.generate_key().decode(),
    "JWT_SECRET": "a-long-random-text-of-this-test-only",
    "AIRFLOW_CONN_KASHOO_DEFAULT": '{"conn_type": "kashoo"}',
    "AIRFLOW_CONN_SALESFORCE_DEFAULT": '{"conn_type": "salesforce"}',
}


def environment(service: str) -> dict[str, str]:
    """What compose hands to a service, from a .env with the values above."""

    def filled(value: str) -> str:
        return re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: GIVEN.get(found[1]) or found[2] or "", value)

    return {name: filled(str(value)) for name, value in SERVICES[service]["environment"].items()}


LOOK = """
import asyncio
from airflow import settings
from sqlalchemy import text

async def ask():
    async with settings.AsyncSession() as session:
        answer = (await session.execute(text("SELECT 1"))).scalar_one()
    await settings.async_engine.dispose()
    return answer

print(settings.engine.url.drivername, settings.async_engine.url.drivername, asyncio.run(ask()))
"""


def test_airflow_reaches_its_database_by_the_one_driver_that_the_image_has(postgres: Postgres, tmp_path: Path) -> None:
    given = environment("init")
    assert all(environment(name) == given for name in ("api-server", "scheduler", "dag-processor", "triggerer"))
    url = postgres.fresh("template0").render_as_string(hide_password=False)
    asked = {name: value for name, value in given.items() if "SQL_ALCHEMY_CONN" in name}
    assert asked
    assert set(asked.values()) == {"postgresql+psycopg://airflow:letters4digits@postgres/airflow"}
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    reached = {name: url if name in asked else value for name, value in given.items()}
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**inherited, **reached, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "postgresql+psycopg postgresql+psycopg 1"


def test_the_store_is_another_database_of_the_same_server() -> None:
    store = json.loads(environment("scheduler")["AIRFLOW_CONN_KASHOO_STORE"])
    assert store == {
        "conn_type": "postgres",
        "host": "postgres",
        "login": "airflow",
        "password": "letters4digits",
        "schema": "kashoo",
    }
    assert COMPOSE["configs"]["store_database"]["content"] == "CREATE DATABASE kashoo;"


def test_the_button_that_tests_a_connection_is_on() -> None:
    """Airflow leaves it off, and greys it out without saying which setting it is."""
    assert environment("api-server")["AIRFLOW__CORE__TEST_CONNECTION"] == "Enabled"


def test_the_way_to_the_password_is_where_airflow_keeps_it() -> None:
    kept = environment("api-server")["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    head = (REPOSITORY / "docker-compose.yaml").read_text().partition("x-airflow")[0]
    assert f"docker compose exec api-server cat {kept}\n" in head


def test_the_database_is_ready_only_when_it_listens_to_others() -> None:
    """While initdb runs its scripts, a server answers on the socket, and only there."""
    test = SERVICES["postgres"]["healthcheck"]["test"]
    assert test[:2] == ["CMD", "pg_isready"]
    assert test[test.index("-h") + 1] == "127.0.0.1"


# -- what gets into the image


def left_out(path: str) -> bool:
    """Whether the build never sees a path: the last line of .dockerignore that matches it, or a parent, decides."""
    out = False
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern = re.escape(line.lstrip("!").strip("/")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        if re.fullmatch(f"{pattern}(?:/.*)?", path):
            out = not line.startswith("!")
    return out


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".env",
            ".env.local",
            "dags/.env",
            "include/mappings/.env",
            ".git/config",
            ".venv/bin/python",
            "passwords.json",
        ),
        *("tests/oracle/node_modules/x/index.js", "bench/results.json", "tests/conftest.py", ".demo/airflow.cfg"),
        *("airflow_provider_kashoo/core/__pycache__/money.pyc", ".mypy_cache/x", "dist/x.whl", "kashoo_store.db"),
        *("include/kashoo_store.db", "my-private-key.pem"),
    ],
)
def test_nothing_private_or_useless_gets_into_the_image(path: str) -> None:
    assert left_out(path)


def test_what_the_image_is_built_of_gets_into_it() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wheel: dict[str, Any] = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    roots = [*wheel["packages"], *wheel["force-include"]]
    needed = [path for root in roots for path in (REPOSITORY / root).rglob("*") if path.is_file()]
    needed = [str(path.relative_to(REPOSITORY)) for path in needed if "__pycache__" not in path.parts]
    needed += ["pyproject.toml", "constraints.txt", project["project"]["readme"], *project["project"]["license-files"]]
    assert [path for path in needed if left_out(path)] == []
    assert "COPY . ." in (REPOSITORY / "Dockerfile").read_text()


# -- .env.example


def test_json_in_the_example_is_quoted_so_that_compose_leaves_it_alone() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    values = dict(line.split("=", 1) for line in example.splitlines() if re.match(r"[A-Z_]+=", line))
    assert set(values) == {*GIVEN, "TIME_ZONE"}
    for name in ("AIRFLOW_CONN_KASHOO_DEFAULT", "AIRFLOW_CONN_SALESFORCE_DEFAULT"):
        assert values[name][0] == values[name][-1] == "'"
        assert json.loads(values[name][1:-1])["conn_type"] in {"kashoo", "salesforce"}


def test_the_example_says_which_characters_a_password_may_have() -> None:
    before = (REPOSITORY / ".env.example").read_text().partition("POSTGRES_PASSWORD=")[0]
    assert "letters and digits only" in before.splitlines()[-1]
