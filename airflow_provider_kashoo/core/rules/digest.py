"""The digest by which a plan is approved: over every value that apply reads, and all that a person is shown."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.values.ids import canonical


class Digest:
    """Takes the columns of a plan, in parts of any size: how they are divided leaves the digest alone.

    Each column is hashed twice: its values one after another, and their lengths, which say where each of them ends.
    """

    def __init__(self) -> None:
        self._columns: dict[str, tuple[hashlib._Hash, hashlib._Hash]] = {}

    def add(self, name: str, part: pa.Table | pa.RecordBatch) -> None:
        """Add rows.

        :param name: of the table that they belong to.
        """
        for column in part.column_names if part.num_rows else ():
            values, lengths = self._columns.setdefault(f"{name}.{column}", (hashlib.sha256(), hashlib.sha256()))
            for texts in pa.chunked_array([part[column]]).cast(pa.large_string()).chunks:
                lengths.update(pc.fill_null(pc.binary_length(texts), -1).to_numpy().astype("<i8").tobytes())
                values.update(_characters(pc.fill_null(texts, "")))

    def of(self, shown: str) -> str:
        """Give the digest of what was added until now.

        :param shown: what a person is shown of it.
        :returns: SHA-256 as hex.
        """
        columns = {name: [each.hexdigest() for each in hashes] for name, hashes in self._columns.items()}
        return hashlib.sha256(canonical([columns, shown]).encode()).hexdigest()


def _characters(texts: pa.LargeStringArray) -> memoryview:
    """Give the characters of all texts, in UTF-8, without a copy."""
    _, offsets, characters = texts.buffers()
    ends = np.frombuffer(offsets, np.int64)
    return memoryview(characters or b"")[ends[texts.offset] : ends[texts.offset + len(texts)]]
