"""What Airflow reads of this provider. It imports nothing: a fault here would break ``import airflow``."""

from __future__ import annotations

from typing import Any

_HOOKS = "airflow_provider_kashoo.hooks"


def get_provider_info() -> dict[str, Any]:
    """Describe the provider by Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-kashoo",
        "name": "Kashoo",
        "description": "Won Salesforce deals become Kashoo invoices, payments come back.",
        "versions": ["0.1.0"],
        "integrations": [
            {"integration-name": "Kashoo", "external-doc-url": "https://api.kashoo.com", "tags": ["service"]}
        ],
        "hooks": [
            {"integration-name": "Kashoo", "python-modules": [f"{_HOOKS}.kashoo", f"{_HOOKS}.salesforce"]},
        ],
        "operators": [
            {"integration-name": "Kashoo", "python-modules": ["airflow_provider_kashoo.operators.sync"]},
        ],
        "triggers": [
            {"integration-name": "Kashoo", "python-modules": ["airflow_provider_kashoo.triggers"]},
        ],
        "connection-types": [
            {
                "connection-type": "kashoo",
                "hook-class-name": f"{_HOOKS}.kashoo.KashooHook",
                "hook-name": "Kashoo",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {"host": "Base URL", "login": "E-mail", "password": "Password"},
                    "placeholders": {"host": "https://api.kashoo.com/api"},
                },
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "cli": ["airflow_provider_kashoo.cli.commands.get_kashoo_commands"],
        "config": {"kashoo": {"description": "The Salesforce and Kashoo sync.", "options": _OPTIONS}},
    }


_CONNECTION_FIELDS = {
    "business_id": {
        "label": "Business id",
        "description": "The Kashoo business whose books are written.",
        "schema": {"type": ["string", "null"], "pattern": "^[0-9]+$"},
    },
    "budget": {
        "label": "Request budget",
        "description": "JSON list of limits that all hold at once, shared by every task and worker.",
        "schema": {
            "type": ["string", "null"],
            "format": "multiline",
            "default": '[{"requests": 500, "seconds": 3600}, {"requests": 5, "seconds": 1}]',
        },
    },
    "reference_field": {
        "label": "Reference field",
        "description": "Text field of an invoice that carries our reference.",
        "schema": {"type": ["string", "null"], "default": "memo"},
    },
    "profile": {
        "label": "Profile overrides",
        "description": "JSON object; overrides paths, verbs and field names that are assumed of Kashoo's API.",
        "schema": {"type": ["string", "null"], "format": "multiline"},
    },
}


def _option(kind: str, default: str | None, description: str, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }


_OPTIONS = {
    "store_conn_id": _option(
        "string",
        "kashoo_store",
        "Connection of the sync store (sqlite or postgres). When it does not exist: a file in AIRFLOW_HOME.",
    ),
    "mappings_dir": _option(
        "string", None, "Folder of the mappings. Default: <dags_folder>/../include/mappings, then the shipped ones."
    ),
    "staging_path": _option(
        "string",
        None,
        "Where the files between the steps lie; any path Airflow's ObjectStoragePath takes. Default: in AIRFLOW_HOME.",
        "s3://aws_default@bucket/kashoo",
    ),
    "time_zone": _option(
        "string",
        "UTC",
        "Zone of the business: of the DAGs' schedules, and in which a DateTime becomes a date.",
        "America/Toronto",
    ),
    "delta_overlap_seconds": _option(
        "integer", "600", "Read again this long before the watermark, for what was committed late."
    ),
    "delta_margin_seconds": _option("integer", "300", "Never read closer to now than this."),
    "send_deadline_seconds": _option("integer", "60", "A write may take this long, journal to answer."),
    "settle_seconds": _option(
        "integer", "600", "After the deadline, wait this long before an unanswered write is looked up."
    ),
    "watch_seconds": _option(
        "integer",
        "0",
        "Ask both sides this often whether anything changed, and wake the DAGs when it did; at least 30. "
        "0 asks never. Each time costs two requests to Salesforce and two to four of Kashoo's budget.",
        "300",
    ),
}
