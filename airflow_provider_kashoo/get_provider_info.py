"""The provider's entry for Airflow. It imports nothing: an error here would break ``import airflow``."""

from __future__ import annotations

from typing import Any

_HOOKS = "airflow_provider_kashoo.hooks"
_OPERATORS = "airflow_provider_kashoo.operators"
_LINKS = ("PlanReportLink", "TieOutLink", "KashooPageLink", "SalesforceRecordLink", "KashooRecordLink")


def get_provider_info() -> dict[str, Any]:
    """Describe the provider as in Airflow's ``provider_info.schema.json``."""
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
            {
                "integration-name": "Kashoo",
                "python-modules": [
                    f"{_OPERATORS}.{name}" for name in ("sync", "maintenance", "notify", "replay", "tie_out")
                ],
            },
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
        "extra-links": [f"{_OPERATORS}.links.{name}" for name in _LINKS],
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
        "description": "JSON list of request limits that all apply, shared by every task and worker.",
        "schema": {
            "type": ["string", "null"],
            "format": "multiline",
            "default": '[{"requests": 500, "seconds": 3600}, {"requests": 5, "seconds": 1}]',
        },
    },
    "reference_field": {
        "label": "Reference field",
        "description": "Text field of an invoice that contains our reference.",
        "schema": {"type": ["string", "null"], "default": "memo"},
    },
    "profile": {
        "label": "Profile overrides",
        "description": "JSON object; overrides paths, verbs and field names that are assumed for Kashoo's API.",
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
        "Connection of the sync store (sqlite or postgres). If it does not exist, a file in AIRFLOW_HOME is used.",
    ),
    "mappings_dir": _option(
        "string", None, "Folder of the mappings. Default: <dags_folder>/../include/mappings, then the shipped ones."
    ),
    "staging_path": _option(
        "string",
        None,
        "Folder of the files between the steps; any path for Airflow's ObjectStoragePath. Default: in AIRFLOW_HOME.",
        "s3://aws_default@bucket/kashoo",
    ),
    "staging_retention_days": _option(
        "integer",
        "7",
        "How long the files of a run stay after it was last worked on; then the DAG kashoo_maintenance removes them.",
    ),
    "time_zone": _option(
        "string",
        "UTC",
        "Time zone of the business: for the DAGs' schedules, and to convert a DateTime to a date.",
        "America/Toronto",
    ),
    "approve_invoice_above": _option(
        "string",
        None,
        "A person must approve a plan with an invoice above this amount, in major units of its currency: a number, or "
        "a JSON object with one for each currency; one that it does not name counts as 0. Empty means never.",
        '{"USD": 10000, "CAD": 12000}',
    ),
    "approve_total_above": _option(
        "string",
        None,
        "The same for all invoices of a plan together that are created or whose lines change, by currency.",
        "100000",
    ),
    "approve_writes_above": _option(
        "integer", None, "A person must approve a plan with more writes than this. Empty means never.", "500"
    ),
    "approve_voids": _option("boolean", "True", "A person must approve a plan that voids an invoice."),
    "approve_first_run": _option(
        "boolean", "True", "A person must approve each plan until a full run has written to the books."
    ),
    "delta_overlap_seconds": _option(
        "integer", "600", "Start reading this long before the watermark, for late commits."
    ),
    "delta_margin_seconds": _option("integer", "300", "Stop reading this long before now."),
    "send_deadline_seconds": _option("integer", "60", "Longest time of a write, from journal to answer."),
    "settle_seconds": _option(
        "integer", "600", "Wait this long after the deadline before looking an unanswered write up."
    ),
    "late_after_hours": _option(
        "integer",
        "26",
        "airflow kashoo status ends with 2 if no full run of a sync ended for so long. Raise it to 74 if the DAGs rest "
        "at the weekend.",
        "74",
    ),
    "notify": _option(
        "string",
        None,
        "Who is told by the DAG kashoo_notify: a JSON list of notifiers of any provider, each with class and kwargs. "
        "Empty means nobody. Secrets belong into the connections that they name.",
        '[{"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "kwargs": {"to": "me@firm.example"}}]',
    ),
    "notify_billed": _option(
        "boolean", "True", "Tell people what each run billed; otherwise only what turns bad and what is well again."
    ),
    "notify_names": _option(
        "boolean",
        "False",
        "Messages have names of records and customers, read from Salesforce, and the causes of single records; "
        "otherwise ids, counts and totals.",
    ),
    "notify_after_empty_runs": _option(
        "integer",
        "7",
        "Tell people when so many runs of salesforce_to_kashoo in a row read nothing from Salesforce. 0 means never.",
    ),
    "watch_seconds": _option(
        "integer",
        "0",
        "Check both sides for changes this often, and start the DAGs when there are any; at least 30. "
        "0 means never. Each check takes two requests to Salesforce and two to four from Kashoo's budget.",
        "300",
    ),
}
