"""A hundred invoices as PDF on one core: four lines each, every fifth with 80, every tenth to a Japanese customer."""

from __future__ import annotations

import os
import time
from typing import Any

INVOICES = 100
GOAL = 10
"""Seconds."""


def measure(results: dict[str, dict[str, Any]]) -> None:
    """Set them after one that is not counted: it reads the fonts, once in a process."""
    from invoices import BUYER, LINES, invoice, line

    from airflow_provider_kashoo.reports.invoice_pdf.document import Party
    from airflow_provider_kashoo.reports.invoice_pdf.render import render

    long = tuple(line(f"Work on day {day}", 100 + day) for day in range(80))
    abroad = Party("株式会社さくら商事", ("東京都千代田区丸の内一丁目",))
    documents = [
        invoice(LINES if number % 5 else long, number=f"INV-{number}", buyer=BUYER if number % 10 else abroad)
        for number in range(INVOICES)
    ]
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # typst would use every core
    try:
        begun = time.perf_counter()
        render(invoice())
        first, begun = time.perf_counter() - begun, time.perf_counter()
        size = sum(len(render(document)) for document in documents)
        took = time.perf_counter() - begun
    finally:
        os.sched_setaffinity(0, allowed)
    results[f"{INVOICES} invoices as PDF on one core"] = {
        "value": round(took, 1),
        "unit": f"s; {size // INVOICES // 1024} KiB each; {first:.1f} s for the first",
        "goal": f"<= {GOAL}",
    }
