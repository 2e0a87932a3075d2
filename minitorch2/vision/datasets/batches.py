"""CIFAR's "python version" batches: pickles read without executing them, and written as the originals.

A batch is a protocol-2 pickle of one dict: ``labels`` (a list of ints), ``data`` (uint8, one row of 3072 per
image: 1024 red, then 1024 green, then 1024 blue), ``batch_label`` and ``filenames``. A pickle is a program,
so a file from the network is not simply loaded. First every opcode is checked against the short list such a
dict needs, then `find_class` answers only the three NumPy names in it (and bytes as Python 3 spells them at
protocol 2) with constructors of our own that can build nothing but a bounded uint8 array.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

MAX_PICKLE_BYTES = 64 << 20  # a real batch is 31 MB
MAX_MEMO = 1 << 20  # a real batch uses about 10,000 slots; the C unpickler allocates up to the largest index named

_ALLOWED_OPCODES = frozenset(
    """
    PROTO STOP MARK BINPUT LONG_BINPUT BINGET LONG_BINGET GLOBAL REDUCE BUILD NONE NEWTRUE NEWFALSE
    EMPTY_DICT SETITEM SETITEMS EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3
    BININT BININT1 BININT2 SHORT_BINSTRING BINSTRING BINUNICODE
    """.split()  # noqa: SIM905
)


class _Dtype:
    """Stands for numpy.dtype while unpickling; only unsigned bytes are accepted."""

    def __init__(self, name: object, align: object = 0, copy: object = 1) -> None:
        if name not in (b"u1", "u1"):
            raise pickle.UnpicklingError(f"a CIFAR batch holds uint8 data (dtype 'u1'), this file asks for {name!r}")

    def __setstate__(self, state: object) -> None:
        """The state repeats byte order and alignment, which a one-byte type has not."""


class _Array:
    """Stands for numpy.ndarray while unpickling; becomes an array in `array` once its state was checked."""

    array: np.ndarray | None = None

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise pickle.UnpicklingError("the array's state is not (version, shape, dtype, order, bytes)")
        _, shape, dtype, fortran, raw = state
        if not (isinstance(dtype, _Dtype) and isinstance(raw, bytes) and isinstance(shape, tuple)):
            raise pickle.UnpicklingError("the array's state is not (version, shape, dtype, order, bytes)")
        if fortran:
            raise pickle.UnpicklingError("the array is stored in Fortran order; CIFAR batches are in C order")
        if not all(type(n) is int and 0 <= n <= MAX_PICKLE_BYTES for n in shape) or len(shape) != 2:
            raise pickle.UnpicklingError(f"the array's shape {shape!r} is not (images, values)")
        if shape[0] * shape[1] != len(raw):
            raise pickle.UnpicklingError(
                f"the array's shape {shape} needs {shape[0] * shape[1]} bytes, found {len(raw)}"
            )
        self.array = np.frombuffer(raw, np.uint8).reshape(shape)


class _Name:
    """What a name in the file resolves to; not the function itself, for BUILD could change that one."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *args: object) -> Any:
        return self._call(*args)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("the file tries to change the state of a function")


def _refuse(*args: object) -> None:
    raise pickle.UnpicklingError("numpy.ndarray may only be named by numpy's _reconstruct in a CIFAR batch")


_NDARRAY = _Name(_refuse)


def _reconstruct(subtype: object, shape: object, typecode: object) -> _Array:
    if subtype is not _NDARRAY:
        raise pickle.UnpicklingError("_reconstruct was given something other than numpy.ndarray")
    return _Array()


def _encode(text: object, encoding: object) -> bytes:
    """bytes objects, as Python 3 writes them at protocol 2: _codecs.encode(text, 'latin1')."""
    if not (isinstance(text, str) and encoding in ("latin1", b"latin1")):
        raise pickle.UnpicklingError("only _codecs.encode(text, 'latin1') is accepted")
    return text.encode("latin1")


_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _Name(_reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): _Name(_reconstruct),
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Name(_Dtype),
    ("_codecs", "encode"): _Name(_encode),
}


class _BatchUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the file asks for {module}.{name}, which no CIFAR batch needs; it was refused, not imported"
            ) from None


def _check_opcodes(content: bytes) -> None:
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name not in _ALLOWED_OPCODES:
            raise pickle.UnpicklingError(f"opcode {opcode.name} at byte {position} has no place in a CIFAR batch")
        if opcode.name == "LONG_BINPUT" and int(argument or 0) > MAX_MEMO:
            raise pickle.UnpicklingError(f"memo index {argument} at byte {position} is over the bound of {MAX_MEMO}")


def load_batch(content: bytes) -> dict[str, Any]:
    """Reads one CIFAR pickle into a dict with str keys; strings stay bytes, arrays are uint8 (N, M).

    Raises pickle.UnpicklingError for anything that is not such a pickle; nothing named in the file is ever
    imported.
    """
    if len(content) > MAX_PICKLE_BYTES:
        raise pickle.UnpicklingError(f"{len(content)} bytes is over the bound of {MAX_PICKLE_BYTES} for a CIFAR batch")
    try:
        _check_opcodes(content)
        loaded = _BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a malformed stream surfaces as almost any type: EOFError, KeyError, struct.error, ...
        raise pickle.UnpicklingError(f"not a readable pickle ({type(error).__name__}: {error})") from error
    if not isinstance(loaded, dict):
        raise pickle.UnpicklingError(f"a CIFAR batch is a dict, found {type(loaded).__name__}")
    batch = {}
    for key, value in loaded.items():
        name = key.decode("latin1") if isinstance(key, bytes) else key
        if isinstance(value, _Array):
            value = value.array
        plain = isinstance(value, (bytes, str, int, np.ndarray)) or (
            isinstance(value, list) and all(isinstance(item, (int, bytes, str)) for item in value)
        )
        if not (isinstance(name, str) and plain):
            raise pickle.UnpicklingError(f"unexpected entry {name!r} of type {type(value).__name__}")
        batch[name] = value
    return batch


class _Writer:
    """Emits what Python 2's cPickle wrote: encoding='bytes' and encoding='latin1' both read it as usual.

    (Python 3's own protocol 2 spells str and bytes differently, and torchvision would not find the keys.)
    """

    def __init__(self) -> None:
        self.parts = [pickle.PROTO, b"\x02"]
        self.memo = 0

    def put(self) -> None:
        self.memo += 1
        self.parts += (
            [pickle.BINPUT, bytes([self.memo])]
            if self.memo < 256
            else [pickle.LONG_BINPUT, struct.pack("<I", self.memo)]
        )

    def integer(self, value: int) -> None:
        if 0 <= value < 1 << 8:
            self.parts += [pickle.BININT1, struct.pack("<B", value)]
        elif 0 <= value < 1 << 16:
            self.parts += [pickle.BININT2, struct.pack("<H", value)]
        else:
            self.parts += [pickle.BININT, struct.pack("<i", value)]

    def string(self, value: bytes, memoize: bool = True) -> None:
        short = len(value) < 256
        self.parts += [
            pickle.SHORT_BINSTRING if short else pickle.BINSTRING,
            struct.pack("<B" if short else "<i", len(value)),
            value,
        ]
        if memoize:
            self.put()

    def sequence(self, values: Sequence[int | bytes]) -> None:
        self.parts.append(pickle.EMPTY_LIST)
        self.put()
        self.parts.append(pickle.MARK)
        for value in values:
            self.value(value)
        self.parts.append(pickle.APPENDS)

    def name(self, module: str, name: str) -> None:
        self.parts.append(pickle.GLOBAL + f"{module}\n{name}\n".encode())

    def array(self, array: np.ndarray) -> None:
        if array.dtype != np.uint8 or array.ndim != 2:
            raise TypeError(f"a CIFAR batch holds uint8 rows, got {array.dtype} of shape {array.shape}")
        parts = self.parts
        self.name("numpy.core.multiarray", "_reconstruct")
        self.name("numpy", "ndarray")
        parts += [pickle.BININT1, b"\0", pickle.TUPLE1]
        self.string(b"b", memoize=False)
        parts += [pickle.TUPLE3, pickle.REDUCE, pickle.MARK, pickle.BININT1, b"\1"]
        self.integer(array.shape[0])
        self.integer(array.shape[1])
        parts.append(pickle.TUPLE2)
        self.name("numpy", "dtype")
        self.string(b"u1", memoize=False)
        parts += [pickle.BININT1, b"\0", pickle.BININT1, b"\1", pickle.TUPLE3, pickle.REDUCE, pickle.MARK]
        self.integer(3)
        self.string(b"|", memoize=False)
        parts += [pickle.NONE] * 3
        for value in (-1, -1, 0):
            self.integer(value)
        parts += [pickle.TUPLE, pickle.BUILD, pickle.NEWFALSE]
        self.string(array.tobytes(), memoize=False)
        parts += [pickle.TUPLE, pickle.BUILD]

    def value(self, value: Any) -> None:
        if isinstance(value, bytes):
            self.string(value)
        elif isinstance(value, (int, np.integer)):
            self.integer(int(value))
        elif isinstance(value, np.ndarray):
            self.array(value)
        elif isinstance(value, list):
            self.sequence(value)
        else:
            raise TypeError(f"a CIFAR batch holds bytes, ints, lists and one array, got {type(value).__name__}")


def dump_batch(entries: Mapping[str, bytes | int | list | np.ndarray]) -> bytes:
    """The pickle of a CIFAR dict, in Python 2's spelling (see _Writer); `load_batch` reads it back."""
    writer = _Writer()
    writer.parts.append(pickle.EMPTY_DICT)
    writer.put()
    writer.parts.append(pickle.MARK)
    for key, value in entries.items():
        writer.string(key.encode("latin1"))
        writer.value(value)
    writer.parts += [pickle.SETITEMS, pickle.STOP]
    return b"".join(writer.parts)
