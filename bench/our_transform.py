"""Deals as documents by our transform and the shipped mapping, from what an extract staged."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_provider_kashoo.core.mapping.evaluate import Surroundings
from airflow_provider_kashoo.core.mapping.transform import Transformed, transform
from airflow_provider_kashoo.sync.read.columns import join
from airflow_provider_kashoo.sync.run.mapping_files import load_mappings

MAPPINGS = load_mappings(Path(__file__).parents[1] / "include" / "mappings")


def documents(folder: Path) -> Transformed:
    """Read what is staged, and transform it."""
    around = Surroundings("UTC", "USD", {name: each.to for name, each in MAPPINGS.items()})
    records, lines = (
        join([pq.read_table(path) for path in sorted(folder.glob(f"{name}.*.parquet"))])
        for name in ("records", "lines")
    )
    return transform(MAPPINGS["invoice_from_opportunity"], records, lines, around)


def counted(made: Transformed) -> tuple[int, int]:
    """Count the invoices, and the cents of all their lines."""
    lines = made.made["lines"].combine_chunks().flatten()
    millionths = pc.multiply(lines.field("quantity").cast(pa.decimal128(12, 6)).cast(pa.float64()), 1e6)
    cents = pc.divide(pc.multiply(pc.round(millionths).cast(pa.int64()), lines.field("rate")), 1_000_000)
    return made.made.num_rows, int(pc.sum(cents).as_py())
