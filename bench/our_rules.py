"""Deals as documents by our transform and a mapping with most of what a mapping can say."""

from __future__ import annotations

import our_transform
import pyarrow as pa
from our_transform import HERE, counted, some

from airflow_provider_kashoo.core.mapping.file.load import load_mapping
from airflow_provider_kashoo.sync.run.staging import Staging

__all__ = ["counted", "documents", "some"]

EVERY_FEATURE = HERE / "every_feature.yaml"


def documents(files: Staging) -> list[pa.Table]:
    """Read what is staged, and transform it."""
    return our_transform.documents(files, load_mapping(EVERY_FEATURE.read_text("utf-8"), EVERY_FEATURE.name))
