"""Functions as a user writes them for a mapping, good and bad ones."""

from __future__ import annotations

import sys
import warnings
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd

SEEN: list[list[object]] = []
NOT_A_FUNCTION = 5


def terms(rating: pd.Series, closed: pd.Series) -> pd.Series:
    days = rating.map({"Hot": 60}).fillna(30)
    return pd.Series([day + timedelta(days=int(more)) for day, more in zip(closed, days, strict=True)], dtype=object)


def see(*columns: pd.Series) -> list[str]:
    SEEN[:] = [[*column] for column in columns]
    return ["seen"] * len(columns[0])


def spoil(name: pd.Series) -> list[str]:
    name.iloc[:] = "spoiled"
    warnings.warn("a warning of pandas", DeprecationWarning, stacklevel=1)
    return [*name]


def fail(names: pd.Series) -> pd.Series:
    raise RuntimeError("nothing works " + "x" * 400)


def leave(names: pd.Series) -> pd.Series:
    sys.exit(3)


def too_short(names: pd.Series) -> list[str]:
    return ["x"] * (len(names) - 1)


def turned(names: pd.Series) -> pd.Series:
    return names.iloc[::-1]


def scalar(names: pd.Series) -> str:
    return "x"


def upper(names: pd.Series) -> pd.Series:
    return names.str.upper()


def own_type(names: pd.Series) -> pd.Series:
    return names.astype("string").str.upper()


def cents(amounts: pd.Series) -> pd.Series:
    return amounts * Decimal("0.005")


def whole(amounts: pd.Series) -> pd.Series:
    return amounts.map(int).astype("int64")


def floats(amounts: pd.Series) -> pd.Series:
    return amounts.astype(float)


def as_told(names: pd.Series) -> list[object]:
    """Return whatever the name stands for."""
    odd = {
        "float": 1.5,
        "nan": float("nan"),
        "NaN": Decimal("NaN"),
        "sNaN": Decimal("sNaN"),
        "inf": Decimal("Infinity"),
        "long": Decimal("1e60"),
        "tiny": Decimal("1e-999999"),
        "bool": True,
        "instant": datetime(2026, 1, 1),  # noqa: DTZ001
        "NaT": pd.NaT,
        "list": ["x"],
        "half": "\ud800",
        "none": None,
        "blank": "  ",
        "ok": "ok",
        "five": 5,
        "day": date(2026, 1, 1),
        "long text": "x" * 41,
        "emoji": "\u202e👩‍👩‍👧\x00",
    }
    return [odd[name] for name in names]
