"""Amounts divided by shares, by the column."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from airflow_provider_kashoo.core.mapping.values.cells import Rows
from airflow_provider_kashoo.core.values import money

MOST = 2**63 - 1
"""The largest number of a column."""

_MOST_PLACES = 6
"""Amounts are divided one by one by shares with more decimals: few amounts would have room beside them."""


def divided_by(percents: Sequence[Decimal], amounts: Rows) -> Rows:
    """Divide each amount by shares, as :func:`.money.round_together` does.

    :param percents: together 100.
    :param amounts: whole minor units; negative ones too.
    :returns: a row for each amount, with a whole amount for each share.
    """
    places = max(0, *(-int(each.as_tuple().exponent) for each in percents))
    if places > _MOST_PLACES:
        return _one_by_one(amounts, percents)
    parts, weights = 100 * 10**places, np.array([int(each.scaleb(places)) for each in percents], np.int64)
    fits = np.abs(amounts) <= MOST // parts
    some = np.where(fits, amounts, 0)
    cents, lost = np.divmod(some[:, None] * weights, parts)
    # Those that lost most get one more, of equal ones the first.
    rank = np.argsort(np.argsort(-lost, axis=1, kind="stable"), axis=1, kind="stable")
    cents += rank < (some - cents.sum(axis=1))[:, None]
    cents[~fits] = _one_by_one(amounts[~fits], percents)
    return cents


def _one_by_one(amounts: Rows, percents: Sequence[Decimal]) -> Rows:
    whole = amounts.tolist()
    found = [money.round_together([money.share_of(each, one) for one in percents], Decimal(each)) for each in whole]
    return np.array(found, np.int64).reshape(len(found), len(percents))
