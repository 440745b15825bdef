"""The view Mapping: the files as tables, and how many records each rule caught lately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from airflow_provider_kashoo.core.kinds import KINDS, TargetField
from airflow_provider_kashoo.core.mapping.file.field import Field
from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.trace import as_written
from airflow_provider_kashoo.plugins.access import READS
from airflow_provider_kashoo.plugins.opened import store
from airflow_provider_kashoo.settings import mappings_dir
from airflow_provider_kashoo.store import figures
from airflow_provider_kashoo.store.database import Database
from airflow_provider_kashoo.sync.run.mapping_files import files_of, mistakes_of, read_files
from airflow_provider_kashoo.sync.run.sync import TO_KASHOO

router = APIRouter(prefix="/api/mappings", dependencies=READS)

LATELY = 10
"""Runs, the newest, of which it is said what their rules caught."""

Said = dict[str, Any]


@router.get("")
def mappings(database: Annotated[Database, Depends(store)]) -> Said:
    """Give every mapping file as far as it is understood, and what is wrong with them."""
    folder = mappings_dir()
    readings = read_files(files_of(folder))
    caught, runs = _caught(database)
    return {
        "folder": str(folder),
        "runs": runs,
        "mappings": [_mapping(each.mapping, caught) for each in readings if each.mapping],
        "mistakes": [
            {"place": _short(each.place), "what": each.what, "fix": each.fix, "warning": each.may_be_meant}
            for each in mistakes_of(readings)
        ],
    }


def _caught(database: Database) -> tuple[Counter[str], int]:
    """Add up what rules caught in the last runs.

    :returns: what :func:`_is` knows a rule by -> deals, and how many runs these were.
    """
    caught: Counter[str] = Counter()
    runs = [
        row["summary"]
        for pair in figures.pairs(database)
        for row in figures.newest_runs(database, pair.id, LATELY, TO_KASHOO)
        if row["summary"]
    ]
    for summary in runs:
        caught.update(summary.get("rules", {}))
        caught.update(summary.get("reasons", {}))  # of rules that skip or park
    return caught, len(runs)


def _mapping(mapping: Mapping, caught: Counter[str]) -> Said:
    target = KINDS.get(mapping.to)
    fields = target.fields if target else {}
    lines = target.lines if target else {}
    return {
        "name": mapping.name,
        "file": Path(mapping.file).name,
        "from": mapping.from_.object,
        "to": mapping.to,
        "when": list(mapping.when),
        "fields": list(_fields(mapping, "fields", mapping.fields, fields)),
        "lines": list(_fields(mapping, "lines", mapping.lines, lines)),
        "single_line": list(_fields(mapping, "single_line", mapping.single_line, lines)),
        "rules": [
            {
                "what": rule.label,
                "when": rule.when,
                "place": _short(mapping.place("rules", number)),
                "caught": sum(count for name, count in caught.items() if _is(name, mapping.name, rule.label)),
            }
            for number, rule in enumerate(mapping.rules)
        ],
        "required": sorted(_missing(fields, mapping.fields, required=True)),
        "unmapped": sorted(_missing(fields, mapping.fields, required=False)),
    }


def _is(name: str, mapping: str, label: str) -> bool:
    """Say whether a count is of a rule; one that skips or parks is counted by its reason, whichever mapping has it."""
    return name in {f"{mapping}: {label}", label}


def _fields(
    mapping: Mapping, section: str, given: dict[str, Field], target: Iterable[str] | dict[str, TargetField]
) -> Iterator[Said]:
    for name, field in given.items():
        spec = target[name] if isinstance(target, dict) and name in target else None
        yield {
            "target": name,
            "sources": sorted({path for path, _ in field.paths()}),
            "how": as_written(field),
            "line": int(mapping.place(section, name).rsplit(":", 2)[-2]),
            "type": spec.type if spec else None,
            "required": bool(spec and spec.required),
        }


def _missing(fields: Any, given: Iterable[str], *, required: bool) -> set[str]:
    return {name for name, spec in fields.items() if spec.required is required} - set(given)


def _short(place: str) -> str:
    return place.rsplit("/", 1)[-1]
