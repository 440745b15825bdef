"""Deals as documents by our transform and the shipped mapping, part by part, from what an extract staged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from row_loop import ONE_OF

from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.stages.transform import PAID, transform
from airflow_provider_kashoo.core.mapping.stages.transform import documents as as_documents
from airflow_provider_kashoo.sync.read.parts import parts_of
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings
from airflow_provider_kashoo.sync.run.staging import Staging

HERE = Path(__file__).parent
MAPPINGS = load_mappings(HERE.parent / "include" / "mappings")


def documents(files: Staging, mapping: Mapping = MAPPINGS["invoice_from_opportunity"]) -> list[pa.Table]:
    """Read what is staged, and transform it."""
    around = Surroundings("UTC", "USD", {name: each.to for name, each in MAPPINGS.items()})
    run: Any = SimpleNamespace(files=files)
    parts = parts_of(run, "Opportunity")
    return [transform(mapping, part.records(), part.lines(), around).made for part in parts]


def counted(made: list[pa.Table]) -> tuple[int, int]:
    """Count the invoices, and the cents of all their lines."""
    lines = [table["lines"].combine_chunks().flatten() for table in made]
    return sum(table.num_rows for table in made), sum(map(_cents, lines))


def some(made: list[pa.Table]) -> dict[str, Any]:
    """Give some of the documents, to be compared whole, with the payment that a rule makes."""
    ids = sorted(ident for table in made for ident in table["Id"].to_pylist())[::ONE_OF]
    found = dict[str, Any]()
    for table in made:
        chosen = table.filter(pc.is_in(table["Id"], pa.array(ids)))
        found |= as_documents(chosen)
        if PAID in chosen.column_names:
            paid = zip(chosen["Id"].to_pylist(), chosen[PAID].to_pylist(), strict=True)
            found |= {ident: found[ident] | {PAID: payment} for ident, payment in paid if payment}
    return found


def _cents(lines: pa.Array) -> int:
    millionths = pc.round(pc.multiply(lines.field("quantity").cast(pa.float64()), 1e6)).cast(pa.int64())
    return int(pc.sum(pc.divide(pc.multiply(millionths, lines.field("rate")), 1_000_000)).as_py())
