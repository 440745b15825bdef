"""A function that the mapping ``every_feature.yaml`` calls."""

from __future__ import annotations

from typing import Any


def tax(names: Any) -> Any:
    """Give the tax of each product, by its name."""
    return names.map({name: "S" if name.endswith("7") else "none" for name in names.unique()})
