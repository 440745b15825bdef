"""How fast records become documents."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def measure(results: dict[str, dict[str, Any]]) -> None:
    """Deals with two lines each, from Arrow columns to documents."""
    import pandas as pd
    import pyarrow as pa

    from airflow_provider_kashoo.core.mapping.evaluate import Surroundings
    from airflow_provider_kashoo.core.mapping.transform import transform
    from airflow_provider_kashoo.sync.read.columns import NUMBER
    from airflow_provider_kashoo.sync.run.mapping_files import load_mappings

    mappings = load_mappings(ROOT / "include" / "mappings")
    deals = 20_000
    ids = [f"006{number:012d}AAA" for number in range(deals)]
    day = pa.array([20_000] * deals, pa.int32()).cast(pa.date32())
    records = pa.table(
        {
            "Id": ids,
            "IsWon": [True] * deals,
            "Amount": pa.array([Decimal("200.00")] * deals, NUMBER),
            "AccountId": ["001000000000001AAA"] * deals,
            "CloseDate": day,
            "CurrencyIsoCode": ["USD"] * deals,
            "Name": ["A deal"] * deals,
        }
    ).to_pandas(types_mapper=pd.ArrowDtype)
    lines = pa.table(
        {
            "parent": [ident for ident in ids for _ in range(2)],
            "Quantity": pa.array([Decimal(4)] * deals * 2, NUMBER),
            "TotalPrice": pa.array([Decimal("100.00")] * deals * 2, NUMBER),
            "Description": ["as agreed"] * deals * 2,
            "Product2Id": ["01t000000000001AAA"] * deals * 2,
        }
    ).to_pandas(types_mapper=pd.ArrowDtype)
    around = Surroundings("UTC", "USD", {name: each.to for name, each in mappings.items()})
    begun = time.perf_counter()
    done = transform(mappings["invoice_from_opportunity"], records, lines, around)
    seconds = time.perf_counter() - begun
    if len(done.documents) != deals:
        raise SystemExit(f"only {len(done.documents)} of {deals} deals became documents")
    results["transform"] = {"value": round(deals / seconds), "unit": "deals a second", "goal": ">= 10000"}
