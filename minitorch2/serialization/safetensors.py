"""The .safetensors format, through the library of that name.

The library checks the table at the head of a file (JSON: names, dtypes, shapes, places) against the file's size
when it opens it, and writes files; the tensors' bytes are mapped or read from the file here, so that nothing is
copied twice and bfloat16, which NumPy lacks, is no special case. There are no checksums in the format: damage to
the bytes of a tensor cannot be noticed.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ..core import dtypes
from ..tensor import Tensor
from .atomic import atomic_path
from .errors import damaged
from .formats import way_out
from .mapping import map_file
from .storages import Storage, restore_location, storage_from_bytes

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_BIG_ENDIAN = sys.byteorder != "little"


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a file; its bytes are file[begin:end]."""

    name: str
    dtype: str  # as the format spells it: "F32"
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def dtype_name(self) -> str:
        """torch's name of the dtype, where torch has it: "float32"."""
        return _DTYPES.get(self.dtype, self.dtype)


def load_file(path: str | os.PathLike[str], device: Any = "cpu", mmap: bool = True) -> dict[str, Tensor]:
    """{name: tensor} of a .safetensors file, in the order in which they lie in it; each has memory of its own.

    Args:
        device: where they are wanted: "cpu", "cuda:0" ...
        mmap: map the file: pages are read when used, writing to a tensor changes a private copy of the page, and
            files larger than the memory work. The file must not be changed in place meanwhile (replacing it, as
            `save_file` does, is fine). False reads everything now.

    Raises: UnpicklingError for a file that is damaged or of another format; NotImplementedError for a dtype that
    does not exist here; ImportError where the library is not installed; OSError if it cannot be read.

    Source: safetensors.torch.load_file.
    """
    return read(path, restore_location(device), mmap)


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts stored beside the tensors ({"format": "pt"}); {} where there are none. Errors as `load_file`'s."""
    with open(path, "rb") as file:
        return read_table(file)[1]


def read(
    path: str | os.PathLike[str], restore: Callable[[Storage, str], Storage], mmap: bool, verify: bool = True
) -> dict[str, Tensor]:
    """`load_file` with map_location's function; there are no checksums that `verify` could check."""
    with open(path, "rb") as file:
        entries, _ = read_table(file)
        source = map_file(file) if mmap and entries else None
        result = {}
        for entry in entries:
            dtype = _supported_dtype(entry)
            count = entry.end - entry.begin
            if source is not None:
                data = np.frombuffer(source, np.uint8, count, entry.begin)
            else:
                file.seek(entry.begin)
                data = np.fromfile(file, np.uint8, count)
            if data.size != count:
                damaged("this safetensors file became shorter while it was read")
            storage = storage_from_bytes(data, dtype, math.prod(entry.shape), "cpu", _BIG_ENDIAN)
            result[entry.name] = Tensor._wrap(restore(storage, "cpu").array.reshape(entry.shape))
        return result


def read_table(file: BinaryIO) -> tuple[list[Entry], dict[str, str]]:
    """(entries by place, metadata) of an open file, which must have a name the library can open as well."""
    library = _library()
    try:
        with library.safe_open(os.fsdecode(file.name), framework="numpy") as opened:
            slices = {name: opened.get_slice(name) for name in opened.offset_keys()}
            table = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
            metadata = dict(opened.metadata() or {})
    except library.SafetensorError as error:
        other = way_out(file, "safetensors")
        damaged(other or f"the safetensors library refuses this file ({error})", error)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    # The library has made sure that the tensors follow the table and one another without a hole or an overlap.
    place = 8 + int.from_bytes(file.read(8), "little")
    entries = []
    for name, (dtype, shape) in table.items():
        end = place + _nbytes(name, dtype, shape)
        entries.append(Entry(name, dtype, shape, place, end))
        place = end
    if place != size:
        damaged(f"the tensors of this safetensors file end at byte {place}, the file at {size}")
    entries.sort(key=lambda entry: (entry.begin, entry.end, entry.name))  # empty ones share a place
    return entries, metadata


def _nbytes(name: str, dtype: str, shape: tuple[int, ...]) -> int:
    digits = re.search(r"\d+", dtype)  # of one element, in bits: F32, BF16, F8_E4M3, and BOOL
    bits = int(digits[0]) if digits else 8
    # NumPy counts bytes in 63 bits even where another dimension is 0.
    if len(shape) > 64 or math.prod(n for n in shape if n) * bits >= 2**66:
        damaged(f"the safetensors tensor '{name}' has a shape of {len(shape)} dimensions that fits no memory")
    return math.prod(shape) * bits // 8


def _supported_dtype(entry: Entry) -> dtypes.dtype:
    dtype = dtypes.BY_NAME.get(entry.dtype_name)
    if dtype is None:
        raise NotImplementedError(
            f"minitorch2: the safetensors tensor '{entry.name}' has the dtype {entry.dtype_name}, which is not "
            "supported; convert it with torch and save again"
        )
    return dtype


def save_file(tensors: dict[str, Tensor], path: str | os.PathLike[str], metadata: dict[str, str] | None = None) -> None:
    """Writes {name: tensor} as a .safetensors file. It takes its name in one step, when it is whole and on the disk.

    Args:
        metadata: texts to store beside the tensors. Hugging Face's loaders ask for {"format": "pt"}. With more
            than one, their order in the file is the library's, and not the same in every run.

    Raises: ValueError for what is no dict of tensors, a tensor that is not contiguous, a name the format keeps for
    itself; RuntimeError for tensors that share memory; NotImplementedError for a dtype the format lacks; OSError
    if it cannot be written: what stood there before is intact.

    Source: safetensors.torch.save_file.
    """
    library = _library()
    arrays = checked_arrays(tensors)
    _check_metadata(metadata)
    specs = {name: _spec(library, name, array) for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        try:
            library.serialize_file(specs, temporary, metadata=metadata or None)
        except library.SafetensorError as error:
            raise OSError(f"the safetensors library could not write the file ({error})") from error


def checked_arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """The tensors' arrays, after all checks of `save_file` that do not depend on the dtype."""
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    arrays = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}")
        if type(name) is not str or name == "__metadata__":
            raise ValueError(f"Key `{name}` is invalid: names are strings, and `__metadata__` belongs to the format")
        arrays[name] = tensor.detach().cpu()._data
    shared = _groups_that_share(arrays)
    if shared:
        raise RuntimeError(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential differences when "
            f"loading them again: {shared}. Leave out or clone() all but one of each, or write the checkpoint with "
            "minitorch2.save, which keeps what is shared"
        )
    for name, array in arrays.items():
        if not array.flags.c_contiguous:
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed: the format has no "
                "strides. Call `.contiguous()` on it to pack it before saving"
            )
    return arrays


def _groups_that_share(arrays: dict[str, np.ndarray]) -> list[list[str]]:
    """The names of tensors that lie in overlapping memory, group by group."""
    spans = sorted((*np.lib.array_utils.byte_bounds(array), name) for name, array in arrays.items() if array.size)
    groups, stop = [], -1
    for start, end, name in spans:
        if start < stop:
            groups[-1].append(name)
        else:
            groups.append([name])
        stop = max(stop, end)
    return [sorted(group) for group in groups if len(group) > 1]


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or any(type(text) is not str for pair in metadata.items() for text in pair):
        raise TypeError("safetensors.save_file: metadata must be None or a dict of strings to strings")


def _spec(library: Any, name: str, array: np.ndarray) -> Any:
    if _BIG_ENDIAN:
        raise NotImplementedError("minitorch2: writing .safetensors is not supported on a big-endian machine")
    dtype = dtypes.from_numpy_dtype(array.dtype).name
    if dtype not in _DTYPES.values():
        raise NotImplementedError(f"minitorch2: safetensors has no dtype {dtype}, which '{name}' has; convert it")
    address = array.__array_interface__["data"][0]
    return library.TensorSpec(dtype=dtype, shape=list(array.shape), data_ptr=address, data_len=array.nbytes)


def _library() -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise ImportError(
            "minitorch2 reads and writes .safetensors files with the safetensors library, which is not installed: "
            "pip install 'minitorch2[formats]'"
        ) from error
    if not hasattr(safetensors, "TensorSpec"):
        raise ImportError(
            "minitorch2 needs version 0.8 or newer of the safetensors library, and an older one is installed: "
            "pip install 'minitorch2[formats]'"
        )
    return safetensors
