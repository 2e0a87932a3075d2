"""The opcodes that checkpoints are made of, to put attacks and nonsense together from."""

import pickle
import struct

import numpy as np


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def storage(key=None, numel=None, location=None, name="FloatStorage") -> bytes:
    key, numel, location = key or text("k"), numel or number(4), location or text("cpu")
    return b"(" + text("storage") + f"ctorch\n{name}\n".encode() + key + location + numel + b"tQ"


def tensor(offset=b"K\x00", size=b"K\x04\x85", stride=b"K\x01\x85", grad=b"\x89", hooks=b"}", **of_storage) -> bytes:
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(**of_storage) + offset + size + stride + grad + hooks + b"tR"
    )


def state_of(tensor_pickle: bytes, **attributes: bytes) -> bytes:
    """A tensor with Python attributes."""
    items = b"".join(text(name) + value + b"s" for name, value in attributes.items())
    builder, arguments = tensor_pickle[:-1].split(b"\n(", 1)
    return (
        b"ctorch._tensor\n_rebuild_from_type_v2\n("
        + builder
        + b"\nctorch\nTensor\n("
        + arguments
        + b"}"
        + items
        + b"tR"
    )


def numpy_dtype(spec: str, state: bytes = b"") -> bytes:
    return b"cnumpy\ndtype\n" + text(spec) + b"\x89\x88\x87R" + state


def ndarray(shape: bytes, dtype: bytes = numpy_dtype("f4")) -> bytes:
    """An array of that shape around the bytes of four float32."""
    begun = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    return begun + b"(K\x01" + shape + dtype + b"\x89C\x10" + FLOATS + b"tb"


SCALAR = b"cnumpy.core.multiarray\nscalar\n"
FLOATS = np.arange(4, dtype=np.float32).tobytes()
BIG = number(2**62)
