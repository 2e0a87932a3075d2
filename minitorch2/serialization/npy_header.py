"""The header of an .npy array: what it says of the bytes behind it, checked before it is believed.

np.load allocates what a header claims and evaluates headers of any length it is asked to; here a header has at
most ten thousand characters, must be a literal dict of just three entries, and is compared with the bytes that
are there before anything is allocated. Format: NumPy's NEP 1 and numpy.lib.format.
"""

from __future__ import annotations

import ast
import math
import pickle
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import dtypes
from .errors import damaged

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 10_000  # characters; NumPy's own limit. A header of a plain array has about a hundred
_BFLOAT16 = [("bfloat16", "<u2")]  # what NumPy writes for core.dtypes' storage of it
_KINDS = {"S": "byte strings", "U": "strings", "M": "dates", "m": "times", "V": "raw bytes"}


@dataclass(frozen=True, slots=True)
class Header:
    """`dtype` is None where no tensor has the type; `swap`: the bytes are in the other order than this machine's."""

    spelled: str  # the type as NumPy spells it: "<f4"
    dtype: dtypes.dtype | None
    swap: bool
    fortran: bool
    shape: tuple[int, ...]
    size: int  # bytes of the header itself

    @property
    def has_objects(self) -> bool:
        """Whether the array is a pickle: of objects, or of records with objects in them."""
        return re.search(r"(^|')[<>|=]?O\d*('|$)", self.spelled) is not None

    @property
    def nbytes(self) -> int:
        """Bytes of the array. Only for headers whose dtype is not None."""
        assert self.dtype is not None
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(read: Callable[[int], bytes], name: str) -> Header:
    """The header at the start of an array; `read(n)` gives the next n bytes, or fewer at the end.

    Raises: UnpicklingError, naming the array, for a header that makes no sense.
    """
    start = read(8)
    if start[:6] != _MAGIC or len(start) < 8:
        damaged(f"the array '{name}' does not begin as NumPy's arrays do")
    if start[6] not in (1, 2, 3):
        damaged(f"the array '{name}' is of version {start[6]} of the .npy format; 1 to 3 are known")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(read(width), "little")
    if length > _MAX_HEADER:
        damaged(f"the header of the array '{name}' would be {length} bytes long, which no array of numbers needs")
    data = read(length)
    if len(data) != length:
        damaged(f"the array '{name}' ends inside its header")
    spelled, fortran, shape = _fields(data, name)
    dtype, swap = _dtype_of(spelled)
    itemsize = dtype.itemsize if dtype else 1
    # NumPy counts bytes in 63 bits even where another dimension is 0.
    if len(shape) > 64 or math.prod(n for n in shape if n) * itemsize >= 2**63:
        damaged(f"the array '{name}' has a shape of {len(shape)} dimensions that fits no memory")
    text = spelled if isinstance(spelled, str) else repr(spelled)
    return Header(text, dtype, swap, fortran, shape, 8 + width + length)


def _fields(data: bytes, name: str) -> tuple[Any, bool, tuple[int, ...]]:
    try:
        # Literals only: nothing is called or looked up, and the length has been limited.
        fields = ast.literal_eval(data.decode("utf-8").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        damaged(f"the header of the array '{name}' cannot be read ({type(error).__name__})", error)
    if type(fields) is not dict or set(fields) != {"descr", "fortran_order", "shape"}:
        damaged(f"the header of the array '{name}' is not made of descr, fortran_order and shape")
    shape, fortran = fields["shape"], fields["fortran_order"]
    if type(shape) is not tuple or any(type(n) is not int or n < 0 for n in shape) or type(fortran) is not bool:
        damaged(f"the header of the array '{name}' has a shape or order that makes no sense")
    return fields["descr"], fortran, shape


def _dtype_of(spelled: Any) -> tuple[dtypes.dtype | None, bool]:
    if spelled == _BFLOAT16:
        return dtypes.bfloat16, sys.byteorder != "little"
    if type(spelled) is not str or not re.fullmatch(r"[<>|=]?[biufc]\d{1,2}", spelled):
        return None, False
    try:
        found = np.dtype(spelled)
    except TypeError:  # "<f3"
        return None, False
    return dtypes.BY_NUMPY.get(found.newbyteorder("=")), not found.isnative


def supported(header: Header, name: str) -> dtypes.dtype:
    """The array's dtype. Raises UnpicklingError for objects, NotImplementedError for what else is no tensor."""
    if header.dtype is not None:
        return header.dtype
    kind = header.spelled.lstrip("<>|=")[:1]
    if header.has_objects:
        raise pickle.UnpicklingError(
            f"the array '{name}' holds Python objects, and reading them could run code (np.load's allow_pickle); "
            "have its author save an array of numbers"
        )
    what = f" ({_KINDS[kind]})" if kind in _KINDS else ""
    spelled = header.spelled if len(header.spelled) < 200 else header.spelled[:200] + "..."
    hint = "; if these are bfloat16 numbers, save array.view('uint16') and view it again" if kind == "V" else ""
    raise NotImplementedError(
        f"minitorch2: the array '{name}' has NumPy's type {spelled!r}{what}, which no tensor has; convert it "
        f"with astype and save again{hint}"
    )
