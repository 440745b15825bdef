"""The JSON schema of mapping files, by which editors complete and check them; ``make schema`` writes it."""

from __future__ import annotations

import json

from airflow_provider_kashoo.core.mapping.file.model import Mapping

FILE = "mapping.schema.json"
"""Beside the mappings; their first line names it."""

LINE = f"# yaml-language-server: $schema=./{FILE}"


def schema() -> str:
    """Give the schema as it is shipped."""
    made = Mapping.model_json_schema(by_alias=True)
    made |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A mapping of airflow-provider-kashoo"}
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
