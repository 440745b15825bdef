"""Commands to try it out without an account anywhere."""

from __future__ import annotations

from argparse import Namespace

from airflow.cli.cli_config import Arg

from airflow_provider_kashoo.cli.commands.command import command

_EXTRA = ("python_multipart", "starlette", "trustme", "uvicorn")
"""The modules of the extra ``sandbox`` in pyproject.toml."""


@command(
    "Serve a simulated Salesforce and Kashoo",
    Arg(("--salesforce-port",), help="port of the simulated Salesforce; 0 picks a free one", type=int, default=0),
    Arg(("--kashoo-port",), help="port of the simulated Kashoo; 0 picks a free one", type=int, default=0),
    Arg(("--dataset",), help="demo, empty, scale:ROWS or generated:ROWS", default="demo"),
    Arg(("--seed",), help="the same seed makes the same data", type=int, default=1),
    about="Print one JSON line (addresses, CA bundle, the environment that points any DAG here), then serve until "
    "stopped. No real Salesforce or Kashoo is contacted. "
    # the backslash is for Rich, which would take the extra for markup
    "Needs the extra: pip install 'airflow-provider-kashoo\\[sandbox]'",
    epilog="Example: airflow kashoo sandbox --dataset scale:1000",
)
def sandbox(args: Namespace) -> None:
    """Serve the sandbox until stopped."""
    _needs_the_extra()
    from airflow_provider_kashoo.sandbox.dataset import UnknownDataset
    from airflow_provider_kashoo.sandbox.server import serve

    ports = {"salesforce_port": args.salesforce_port, "kashoo_port": args.kashoo_port}
    try:
        serve(dataset=args.dataset, seed=args.seed, **ports)
    except UnknownDataset as error:
        raise SystemExit(f"--dataset {error}") from None


@command(
    "Run both syncs in a real Airflow against simulated systems",
    Arg(("--keep",), help="leave everything running, with the Airflow UI, until Ctrl-C", action="store_true"),
    about="Start the sandbox and an Airflow of its own, turn won deals into invoices, let customers pay, write the "
    "payments back, and compare both sides to the cent. Your Airflow and your accounts are not touched. Exit status 0 "
    "only if both sides agree. Needs the extra: pip install 'airflow-provider-kashoo\\[sandbox]'",
)
def demo(args: Namespace) -> None:
    """Run the demo; exit status 0 only if both sides agree."""
    _needs_the_extra()
    from airflow_provider_kashoo.demo import main
    from airflow_provider_kashoo.settings import shipped

    raise SystemExit(main(dags=shipped("dags"), keep=args.keep))


def _needs_the_extra() -> None:
    from importlib.util import find_spec

    if missing := [name for name in _EXTRA if find_spec(name) is None]:
        raise SystemExit(
            f"The sandbox needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed. "
            "Run: pip install 'airflow-provider-kashoo[sandbox]'"
        )
