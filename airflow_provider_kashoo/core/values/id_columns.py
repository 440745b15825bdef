"""Record ids by the column: what :func:`.ids.is_record_id` says of one value, in a few passes over the bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_kashoo.core.values.ids import SUFFIX_ALPHABET, is_record_id

_SUFFIX = np.frombuffer(SUFFIX_ALPHABET.encode(), np.uint8)
_PLACES = np.array([1, 2, 4, 8, 16], np.uint8)


def are_record_ids(column: pa.Array | pa.ChunkedArray) -> pa.BooleanArray:
    """Say of each value of a column whether it is a record id; null is none, and neither is a number."""
    texts = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_string(texts.type):
        return pa.array(np.zeros(len(texts), np.bool_))
    usual = pc.fill_null(pc.equal(pc.binary_length(texts), 18), fill_value=False)
    found = np.zeros(len(texts), np.bool_)
    found[usual.to_numpy(zero_copy_only=False)] = _of_18(texts.filter(usual).cast(pa.binary()).cast(pa.binary(18)))
    for row in pc.indices_nonzero(pc.and_kleene(pc.invert(usual), texts.is_valid())).to_pylist():
        found[row] = is_record_id(texts[row].as_py())  # 15 characters are an id, too, but Salesforce sends 18
    return pa.array(found)


def _of_18(ids: pa.FixedSizeBinaryArray) -> npt.NDArray[np.bool_]:
    """Check ids of 18 bytes each: letters and digits, and the suffix that follows from the case."""
    letters = np.frombuffer(ids.buffers()[1] or b"", np.uint8)
    rows = letters[ids.offset * 18 : (ids.offset + len(ids)) * 18].reshape(-1, 18)
    upper = (rows >= ord("A")) & (rows <= ord("Z"))
    lower = (rows >= ord("a")) & (rows <= ord("z"))
    digit = (rows >= ord("0")) & (rows <= ord("9"))
    suffix = _SUFFIX[upper[:, :15].reshape(-1, 3, 5) @ _PLACES]
    found: npt.NDArray[np.bool_] = (upper | lower | digit).all(axis=1) & (rows[:, 15:] == suffix).all(axis=1)
    return found
