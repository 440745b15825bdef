"""Whether a crash leaves anything different."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any


def measure(results: dict[str, dict[str, Any]]) -> None:
    """A sample of the boundaries at which the tests crash a run; the tests take every one."""
    from test_crash_everywhere import crash_all

    shared = Path("/dev/shm")  # noqa: S108 - a crash image is copied often
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        points, failed = crash_all(Path(folder), deals=15, every=10)
    results["crash points run"] = {"value": points, "unit": "runs crashed, each 10th boundary", "goal": ">= 80"}
    results["crash points failed"] = {"value": len(failed), "unit": "ended differently", "goal": "0"}
