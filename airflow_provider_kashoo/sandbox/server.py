"""Both simulated systems as real servers in this process: Salesforce over TLS, Kashoo and the admin API over HTTP."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_kashoo.sandbox import dataset as datasets
from airflow_provider_kashoo.sandbox import snapshot as snapshots
from airflow_provider_kashoo.sandbox.admin import admin_app
from airflow_provider_kashoo.sandbox.clock import Clock
from airflow_provider_kashoo.sandbox.faults import FaultMiddleware, Faults, RequestLog, closing
from airflow_provider_kashoo.sandbox.kashoo.api import create_app as create_kashoo
from airflow_provider_kashoo.sandbox.kashoo.books import Books
from airflow_provider_kashoo.sandbox.salesforce.access import Way
from airflow_provider_kashoo.sandbox.salesforce.api import create_app as create_salesforce
from airflow_provider_kashoo.sandbox.salesforce.org import Org

ADMIN = "/__sandbox__"
START_SECONDS = 10.0
AGE = timedelta(days=2)
"""How old the records are when the sandbox starts: a nightly run's first window ends before today's 02:00."""


class _Server:
    """One uvicorn server on a daemon thread. The socket is bound first, so the port is ours before anyone knows it."""

    def __init__(self, app: ASGIApp, port: int, certificate: Path | None = None) -> None:
        self.socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self.socket.getsockname()[1]
        config = uvicorn.Config(
            closing(app),
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,  # dated by the sandbox's clock instead
            lifespan="off",
            ws="none",
            ssl_certfile=certificate,
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, args=([self.socket],), daemon=True)

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._uvicorn.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("a sandbox server did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        # Clients keep their connections open: uvicorn would wait for each to be closed by them.
        self._uvicorn.should_exit = self._uvicorn.force_exit = True

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join(START_SECONDS)
        self.socket.close()


class Sandbox:
    """A seeded Salesforce and Kashoo to be used as a context manager by tests, the demo and the command line.

    ``dataset`` is one of those in :mod:`.dataset`; port 0 picks a free one. ``directory`` receives the CA
    (``ca.pem``) and the server's key; a temporary one, gone at exit, by default. ``clock`` replaces real time.
    The constructor loads the data and binds the ports; entering the context starts to serve. Without ``serve`` there
    are neither ports nor certificates: the URLs lead nowhere, and ``apps`` answers through an ``InProcessAdapter``.

    ``faults`` and ``logs`` are by system, ``salesforce`` and ``kashoo``, and so are ``apps``, faults included.
    """

    def __init__(
        self,
        *,
        dataset: str = "demo",
        seed: int = 1,
        salesforce_port: int = 0,
        kashoo_port: int = 0,
        directory: Path | None = None,
        clock: Clock | None = None,
        serve: bool = True,
    ) -> None:
        self.clock = clock or Clock(datetime.now(UTC) - AGE)
        self.org = Org(self.clock, seed=seed)
        self.books = Books(self.clock, seed=seed)
        salesforce = create_salesforce(self.org, instance_url=lambda: self.salesforce_url)
        self._sessions = salesforce.state.salesforce
        systems: dict[str, ASGIApp] = {"salesforce": salesforce, "kashoo": create_kashoo(self.books)}
        self.logs = {name: RequestLog() for name in systems}
        self.faults = {name: Faults(name, seed=seed) for name in systems}
        self.apps: dict[str, ASGIApp] = {
            name: FaultMiddleware(app, clock=self.clock, log=self.logs[name], faults=self.faults[name])
            for name, app in systems.items()
        }
        self.ca_bundle = Path(os.devnull)
        self._servers: dict[str, _Server] = {}
        self._exit = ExitStack()
        with ExitStack() as undo:
            undo.callback(self._exit.close)
            datasets.load(dataset, self.org, self.books, seed=seed)
            if clock is None:
                self.clock.advance(AGE.total_seconds())
            if serve:
                self._bind(directory, salesforce_port, kashoo_port)
            undo.pop_all()
        self.kashoo_url = f"http://127.0.0.1:{self._port('kashoo')}/api"
        self.admin_url = f"http://127.0.0.1:{self._port('kashoo')}{ADMIN}"

    @property
    def salesforce_url(self) -> str:
        """The org's instance URL; logins go there, too."""
        return f"https://localhost:{self._port('salesforce')}"

    def _port(self, name: str) -> int:
        # Clients take port 0 for none and would try the default; on port 1 a loopback refuses at once.
        return self._servers[name].port if name in self._servers else 1

    def _bind(self, directory: Path | None, salesforce_port: int, kashoo_port: int) -> None:
        if directory is None:
            directory = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="kashoo-sandbox-")))
        self.ca_bundle = directory.resolve() / "ca.pem"
        certificate = _certify(self.ca_bundle)
        behind = admin_app(self.org, self.books, self.clock, faults=self.faults, logs=self.logs, state=self.state)
        admin = Starlette(routes=[Mount(ADMIN, behind)])

        async def kashoo(scope: Scope, receive: Receive, send: Send) -> None:
            # The admin API stands beside the middleware, not below it: no fault, log or limit is meant for it.
            app = admin if scope.get("path", "").startswith(f"{ADMIN}/") else self.apps["kashoo"]
            await app(scope, receive, send)

        served: tuple[tuple[str, ASGIApp, int, Path | None], ...] = (
            ("salesforce", self.apps["salesforce"], salesforce_port, certificate),
            ("kashoo", kashoo, kashoo_port, None),
        )
        for name, app, port, pem in served:
            self._servers[name] = _Server(app, port, pem)
            # Last in, first out: both servers are told to stop before either is waited for.
            self._exit.callback(self._servers[name].join)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._exit.close)
            for server in self._servers.values():
                server.start()
                self._exit.callback(server.stop)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def describe(self) -> dict[str, Any]:
        """Return the URLs and the environment that points any DAG of the package at this sandbox."""
        windows = [{"requests": requests, "seconds": seconds} for requests, seconds in ((500, 3600), (5, 1))]
        kashoo = {
            "conn_type": "kashoo",
            "host": self.kashoo_url,
            "login": self.books.email,
            "password": self.books.password,
            "extra": {"business_id": self.books.main(), "budget": windows},
        }
        return {
            "salesforce_url": self.salesforce_url,
            "kashoo_url": self.kashoo_url,
            "ca_bundle": str(self.ca_bundle),
            "admin_url": self.admin_url,
            "env": {
                "AIRFLOW_CONN_SALESFORCE_DEFAULT": json.dumps(self.connection()),
                "AIRFLOW_CONN_KASHOO_DEFAULT": json.dumps(kashoo),
                "REQUESTS_CA_BUNDLE": str(self.ca_bundle),
            },
        }

    def connection(self, way: Way = "client_credentials") -> dict[str, Any]:
        """Return an Airflow connection to Salesforce, in the form of its environment variables."""
        return self.org.access.connection(
            way,
            at=f"localhost:{self._port('salesforce')}",
            org_id=self.org.org_id,
            session_id=self._sessions.new_token() if way == "session_id" else "",
        )

    def end_sessions(self) -> None:
        """End all sessions of Salesforce, as an administrator can."""
        with self.org.lock:
            self._sessions.tokens = dict.fromkeys(self._sessions.tokens, 0.0)

    def snapshot(self) -> snapshots.Snapshot:
        """Keep the state of both systems and the clock; logs, faults and servers are not part of it."""
        return snapshots.take(self.clock, self.org, self.books, self._sessions)

    def restore(self, snapshot: snapshots.Snapshot) -> None:
        """Put a snapshot of this sandbox back, as often as wanted; the clock goes back with it."""
        snapshots.put_back(snapshot, self.clock, self.org, self.books, self._sessions)

    def state(self) -> dict[str, Any]:
        """Return counts, invoice totals in minor units per currency, requests seen and 429s given."""
        main = self.books.business(self.books.main())
        totals: dict[str, Counter[str]] = {}
        with self.books.lock:
            for row in main.tables["invoices"].listed():
                total = totals.setdefault(row["currency"], Counter())
                total.update(
                    invoices=1, totalDue=row["totalDue"], balanceDue=row["totalDue"] - main.allocated[row["id"]]
                )
            kashoo = {kind: len(table.keys()) for kind, table in main.tables.items()}
        return {
            "now": self.clock.now().isoformat(),
            "salesforce": {
                name: self.org.count(name) for name in self.org.schema.objects if self.org.schema.visible(name)
            },
            "kashoo": kashoo,
            "invoice_totals": totals,
            "requests": {name: log.total for name, log in self.logs.items()},
            "refused_429": self.books.refused,
        }


def _certify(ca_bundle: Path) -> Path:
    """Write a fresh CA and, next to it, the key and certificate for localhost; return the latter's path."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(ca_bundle)
    server = ca_bundle.with_name("server.pem")
    server.touch(mode=0o600)
    ca.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(server)
    return server


def serve(
    *,
    dataset: str = "demo",
    seed: int = 1,
    salesforce_port: int = 0,
    kashoo_port: int = 0,
    directory: Path | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, after printing the one JSON line that says where. Main thread only."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(
        dataset=dataset, seed=seed, salesforce_port=salesforce_port, kashoo_port=kashoo_port, directory=directory
    ) as sandbox:
        sys.stdout.write(json.dumps(sandbox.describe()) + "\n")
        sys.stdout.flush()
        stop.wait()
