"""Deals as documents by polars: columns grouped into lists, money as whole numbers, as fast as we know how.

It knows one mapping, and what is not here it does not check; it marks every unit price as rounded. :mod:`transform`
measures our transform beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
CENT = 1_000
"""Money is counted in thousandths of a cent, quantities in thousandths."""

KEPT = ["item", "description", "quantity", "rate", "account", "taxCode"]
ORDER = ["SortOrder", "CreatedDate", "Id"]


def documents(folder: Path) -> pl.DataFrame:
    """Make a row of each deal that is to be billed and whose lines add up to its amount; its lines are a list."""
    deals = pl.scan_parquet(folder / "records.*.parquet").filter("IsWon", pl.col("Amount") >= 100)
    lines = pl.scan_parquet(folder / "lines.*.parquet").join(
        deals.select("Id"), left_on="parent", right_on="Id", how="semi"
    )
    grouped = _charged(lines).group_by("parent").agg(lines=pl.struct(KEPT).sort_by(ORDER), sum=pl.col("exact").sum())
    terms = pl.col("Account.Payment_Terms__c").cast(pl.Int64).fill_null(30)
    headers = deals.select(
        "Id",
        contact=_link("customer", "AccountId"),
        date=pl.col("CloseDate").dt.to_string(),
        dueDate=(pl.col("CloseDate") + pl.duration(days=terms)).dt.to_string(),
        currency="CurrencyIsoCode",
        memo=pl.col("Name").str.strip_chars(),
        total=_whole("Amount", 100 * CENT),
    )
    made = headers.join(grouped, left_on="Id", right_on="parent").filter((pl.col("sum") - pl.col("total")).abs() < CENT)
    checks = [deals.select(_is_id("Id")), _once(deals, "AccountId"), _once(lines, "Product2Id")]
    found, *checked = pl.collect_all([made.drop("sum", "total"), *checks])
    if not all(each.to_series().all() for each in checked):
        raise ValueError("some ids are no record ids")
    return found


def counted(made: pl.DataFrame) -> tuple[int, int]:
    """Count the invoices, and the cents of all their lines."""
    lines = made.select("lines").explode("lines").unnest("lines")
    cents = lines.select((pl.col("quantity").cast(pl.Decimal(18, 3)) * pl.col("rate")).sum())
    return made.height, int(cents.item())


def _charged(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Give each line its quantity and its rate; one piece, where no whole rate gives its amount."""
    read = lines.select(
        "parent",
        *ORDER,
        item=_link("item", "Product2Id"),
        description=pl.coalesce("Description", "Product2.Name").str.strip_chars(),
        sold=_whole("Quantity", CENT),
        exact=_whole("TotalPrice", 100 * CENT),
        account=pl.lit("type:INCOME"),
        taxCode=pl.lit("none"),
    )
    cents, sold = pl.col("cents"), pl.col("sold")
    even = (cents * CENT) % sold == 0
    pieces = (sold / CENT).round(3).cast(pl.String).str.strip_suffix(".0")
    text = pl.format("{} ({} x ~{})", "description", pieces, (cents * 10 / sold).round(2))
    return _rounded(read).with_columns(
        quantity=pl.when(even).then(pieces).otherwise(pl.lit("1")),
        rate=pl.when(even).then(cents * CENT // sold).otherwise(cents),
        description=pl.when(even).then("description").otherwise(text),
    )


def _rounded(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Turn exact amounts into whole cents that add up to the rounded total of each deal."""
    exact = pl.col("exact")
    upto = exact.cum_sum().over("parent")
    return lines.with_columns(cents=_half_up(upto) - _half_up(upto - exact))


def _half_up(value: pl.Expr) -> pl.Expr:
    return (value + CENT // 2) // CENT


def _whole(name: str, factor: int) -> pl.Expr:
    return (pl.col(name) * factor).cast(pl.Int64)


def _link(kind: str, name: str) -> pl.Expr:
    return pl.struct(kind=pl.lit(kind), id=pl.col(name))


def _once(frame: pl.LazyFrame, name: str) -> Any:
    return frame.select(pl.col(name).unique()).select(_is_id(name))


def _is_id(name: str) -> pl.Expr:
    """Say of ids whether they have 18 letters and digits, and the suffix that follows from the case."""
    ident = pl.col(name)
    signs = [
        pl.lit(SUFFIX).str.slice(
            pl.sum_horizontal(
                ident.str.slice(start + place, 1).is_between(pl.lit("A"), pl.lit("Z")).cast(pl.UInt32) * (1 << place)
                for place in range(5)
            ),
            1,
        )
        for start in (0, 5, 10)
    ]
    return ident.str.contains(r"^[0-9A-Za-z]{18}$") & (ident.str.slice(15) == pl.concat_str(signs))
