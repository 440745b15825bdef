"""Linked records that say the same in Salesforce as before: they fall out before an object is made of any of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from airflow_provider_kashoo.core.mapping.file.model import Mapping
from airflow_provider_kashoo.core.mapping.stages.select import Mask
from airflow_provider_kashoo.core.rules.kept import KEPT_COLUMNS
from airflow_provider_kashoo.store.linked_records import Standing
from airflow_provider_kashoo.sync.bill.facts import Facts

UNCHANGED = "nothing that is mapped changed"


def unchanged(facts: Facts, mapping: Mapping, ids: pa.Array, made_from: pa.Array) -> tuple[Mask, pa.Table]:
    """Find the records whose links were made from the same values.

    :param ids: of linked records.
    :param made_from: from what each is made now, see :meth:`.MadeFrom.json`.
    :returns: which of them are unchanged, and those in the columns of a plan.
    """
    known = facts.sync.store.linked_records.standing(mapping.to, ids.to_pylist())
    links = [known.get(ident) for ident in ids.to_pylist()]
    same = [
        link is not None and link.made_from == now and not link.uncertain
        for link, now in zip(links, made_from.to_pylist(), strict=True)
    ]
    found: Mask = np.array(same, np.bool_)
    return found, _columns(
        facts, mapping, [link for link, is_same in zip(links, same, strict=True) if link and is_same]
    )


def _columns(facts: Facts, mapping: Mapping, links: Sequence[Standing]) -> pa.Table:
    everywhere = {
        "kind": mapping.to,
        "object": mapping.from_.object,
        "mapping": mapping.name,
        "sync": facts.sync.name,
        "source_read": facts.read_at,
        "reason": UNCHANGED,
        "settlement": "",
        "ends_waiting": facts.sync.run.limit is None,
    }
    columns = {name: pa.repeat(value, len(links)) for name, value in everywhere.items()} | {
        "id": pa.array([link.source_id for link in links], pa.string()),
        "part": pa.array([link.part for link in links], pa.int32()),
        "sale": pa.array([None if link.sale_id == link.source_id else link.sale_id for link in links], pa.string()),
        "generation": pa.array([link.generation for link in links], pa.int32()),
        "link_version": pa.array([link.version for link in links], pa.int64()),
        "kashoo_id": pa.array([link.kashoo_id for link in links], pa.int64()),
    }
    rest = {each.name: pa.nulls(len(links), each.type) for each in KEPT_COLUMNS if each.name not in columns}
    return pa.table(columns | rest).select(KEPT_COLUMNS.names).cast(KEPT_COLUMNS)
