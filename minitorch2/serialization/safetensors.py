"""Reading .safetensors files: a JSON table of names, dtypes, shapes and places, then the tensors' bytes.

There are no checksums in it, so damage to the bytes of a tensor cannot be noticed. Format: the README of the
safetensors project.
"""

from __future__ import annotations

import json
import math
import mmap as memory_map
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ..core import dtypes
from ..tensor import Tensor
from .errors import damaged
from .storages import Storage, storage_from_bytes

_DTYPES = {
    "F64": dtypes.float64,
    "F32": dtypes.float32,
    "F16": dtypes.float16,
    "BF16": dtypes.bfloat16,
    "I64": dtypes.int64,
    "I32": dtypes.int32,
    "I16": dtypes.int16,
    "I8": dtypes.int8,
    "U8": dtypes.uint8,
    "BOOL": dtypes.bool,
}
_MAX_TABLE = 100_000_000  # bytes; the format's own limit


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    dtype: dtypes.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def load(file: BinaryIO, restore: Callable[[Storage, str], Storage], mmap: bool) -> dict[str, Tensor]:
    """{name: tensor}, in the order in which they lie in the file; each has memory of its own.

    Raises: UnpicklingError for a table that does not describe the file; NotImplementedError for a dtype that
    does not exist here.
    """
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    start = 8 + length
    if length > _MAX_TABLE or start > size:
        damaged(f"the table of this safetensors file would be {length} bytes long")
    entries = _entries(file.read(length), size - start)
    source = memory_map.mmap(file.fileno(), 0, access=memory_map.ACCESS_COPY) if mmap and entries else None
    result = {}
    for entry in entries:
        count = entry.end - entry.begin
        if source is not None and count:
            data = np.frombuffer(source, np.uint8, count, start + entry.begin)
        else:
            file.seek(start + entry.begin)
            data = np.fromfile(file, np.uint8, count)
            if data.size != count:
                damaged("this safetensors file ended early")
        swap = sys.byteorder != "little"
        storage = storage_from_bytes(data, entry.dtype, math.prod(entry.shape), "cpu", swap)
        result[entry.name] = Tensor._wrap(restore(storage, "cpu").array.reshape(entry.shape))
    return result


def _entries(table: bytes, size: int) -> list[_Entry]:
    """The table's entries by place; they fill the `size` bytes behind the table without holes or overlaps."""
    try:
        parsed = json.loads(table.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        damaged(f"the table of this safetensors file is no JSON ({error})", error)
    if type(parsed) is not dict:
        damaged("the table of this safetensors file is no JSON object")
    parsed.pop("__metadata__", None)
    entries = [_entry(name, fields) for name, fields in parsed.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    filled = 0
    for entry in entries:
        if entry.begin != filled:
            damaged(f"the safetensors entry '{entry.name}' overlaps another or leaves a hole")
        filled = entry.end
    if filled != size:
        damaged(f"the tensors of this safetensors file have {filled} bytes, the file has {size}")
    return entries


def _entry(name: str, fields: Any) -> _Entry:
    if type(fields) is not dict or set(fields) != {"dtype", "shape", "data_offsets"}:
        damaged(f"the safetensors entry '{name}' is not made of dtype, shape and data_offsets")
    shape, offsets = fields["shape"], fields["data_offsets"]
    for numbers in (shape, offsets):
        if type(numbers) is not list or any(type(n) is not int or not 0 <= n < 2**63 for n in numbers):
            damaged(f"the safetensors entry '{name}' has a shape or place that is no list of sizes")
    dtype = _DTYPES.get(str(fields["dtype"]))
    if dtype is None:
        raise NotImplementedError(
            f"minitorch2: the safetensors entry '{name}' has the dtype {fields['dtype']!r:.20}, which is not "
            "supported; convert it with torch and save again"
        )
    if len(shape) > 64 or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        damaged(f"the safetensors entry '{name}' of shape {shape!r:.100} does not fit its place {offsets!r:.100}")
    return _Entry(name, dtype, tuple(shape), offsets[0], offsets[1])


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name occurs twice")
    return result
