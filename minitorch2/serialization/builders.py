"""The fixed table of names a checkpoint may use, each with a builder of our own behind it.

The names are those torch.save writes: storages, tensor builders, dtypes, and the few containers that have
no opcode. No builder trusts its arguments.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.device import device
from ..core.meta import described_as
from ..core.size import Size
from ..nn.parameter import Buffer, Parameter
from ..tensor import Tensor
from . import numpy_values
from .errors import damaged
from .keys import Keys
from .storages import STORAGE_NAMES, UNSUPPORTED_STORAGES, Storage, StorageType, view
from .unpickler import Function, Unsupported, set_attributes


class TensorType:
    """A tensor class named in a file, as the argument of a builder."""

    def __init__(self, cls: type[Tensor]):
        self.cls = cls


def _tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Tensor:
    if not isinstance(storage, Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        damaged("a tensor is not described by a storage, an offset, a size and a stride")
    return Tensor._wrap(view(storage, offset, size, stride))


def _tensor_v2(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> Tensor:
    if metadata:
        raise NotImplementedError(
            f"minitorch2: tensors with the bits {metadata!r} set are not supported; save t.resolve_conj() or "
            "t.resolve_neg() instead"
        )
    _no_hooks(hooks)
    tensor = _tensor(storage, offset, size, stride)
    _set_requires_grad(tensor, requires_grad)
    return tensor


def _tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Tensor:
    """As v2, with an untyped storage and the dtype apart."""
    if not isinstance(storage, Storage) or not isinstance(dtype, dtypes.dtype) or storage.array.dtype != np.uint8:
        damaged("a tensor's dtype or storage is missing")
    if storage.array.size % dtype.itemsize:
        damaged("a storage is no whole number of elements")
    typed = Storage(storage.array.view(dtype.numpy), dtype, storage.location)
    return _tensor_v2(typed, offset, size, stride, requires_grad, hooks, metadata)


def _meta_tensor(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Tensor:
    """A tensor of the meta device, of which a file keeps no numbers."""
    if not isinstance(dtype, dtypes.dtype):
        damaged("a tensor's dtype is missing")
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        damaged("a tensor is not described by a size and a stride")
    if any(type(n) is not int or n < 0 for n in (*size, *stride)):
        damaged(f"a tensor has size {size!r} and stride {stride!r}, which make no sense")
    reach = sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1 if 0 not in size else 0
    try:
        if max(reach, math.prod(size)) * dtype.itemsize >= 2**63 or len(size) > 64:
            raise MemoryError
        tensor = Tensor._wrap(described_as(size, dtype.numpy, [step * dtype.itemsize for step in stride]))
    except MemoryError:
        damaged(f"a tensor of size {size} and stride {stride} is larger than any memory")
    _set_requires_grad(tensor, requires_grad)
    return tensor


def _parameter(data: Any, requires_grad: Any, hooks: Any) -> Parameter:
    if type(data) is not Tensor:
        damaged("a parameter is not made of a tensor")
    _no_hooks(hooks)
    parameter = Parameter(data, False)
    _set_requires_grad(parameter, requires_grad)
    return parameter


def _parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Parameter:
    parameter = _parameter(data, requires_grad, hooks)
    set_attributes(parameter, state)
    return parameter


def _from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Tensor:
    """A tensor with Python attributes of its own; torch also writes nn.Buffer in this way."""
    if not isinstance(kind, TensorType):
        raise NotImplementedError(
            "minitorch2: tensors of a Tensor subclass are not supported; save t.as_subclass(torch.Tensor)"
        )
    if not isinstance(function, Function) or not function.path.startswith("torch._utils._rebuild_"):
        damaged("a tensor's builder is missing")
    tensor = function.build(*arguments)
    if type(state) is dict and state.get("_is_buffer") is True:
        state = dict(state)
        del state["_is_buffer"]
        requires_grad = tensor.requires_grad
        tensor = Buffer(tensor.detach(), persistent=bool(state.pop("persistent", True)))
        tensor.requires_grad = requires_grad
    set_attributes(tensor, state)
    return tensor


def _set_requires_grad(tensor: Tensor, requires_grad: Any) -> None:
    if type(requires_grad) is not bool or (requires_grad and not tensor.dtype.is_floating_point):
        damaged(f"a tensor of {tensor.dtype} has requires_grad={requires_grad!r}")
    tensor.requires_grad = requires_grad


def _no_hooks(hooks: Any) -> None:
    if hooks:
        damaged("a tensor comes with hooks")


def _size(sizes: Any) -> Size:
    if not isinstance(sizes, tuple) or any(type(n) is not int for n in sizes):
        damaged("a torch.Size is not made of integers")
    return Size(sizes)


def _device(kind: Any, index: Any = None) -> device:
    if type(kind) is not str or type(index) not in (int, type(None)):
        damaged("a torch.device is not made of a name and a number")
    return device(kind, index)


def _ordered_dict(pairs: Any = ()) -> OrderedDict:
    if type(pairs) not in (list, tuple):
        damaged("an OrderedDict is not made of a list of pairs")
    result, keys = OrderedDict(), Keys()
    for key, value in pairs:
        keys.check(key)
        result[key] = value
    return result


def _counter(counts: Any = None) -> Counter:
    if type(counts) not in (dict, type(None)):
        damaged("a Counter is not made of a dict")
    result = Counter()
    dict.update(result, counts or {})
    return result


def _set(items: Any = ()) -> set:
    if type(items) not in (list, tuple):
        damaged("a set is not made of a list")
    keys = Keys()
    for item in items:
        keys.check(item)
    return set(items)


def _frozenset(items: Any = ()) -> frozenset:
    return frozenset(_set(items))


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        damaged("bytes are not encoded as latin1")
    return text.encode("latin1")


def _bytes(content: Any = b"", encoding: Any = "latin-1") -> bytes:
    # Never from a number: bytes(10**12) would ask for that much memory.
    return content if type(content) is bytes else _encode(content, encoding)


def _bytearray(content: Any = b"", encoding: Any = "latin-1") -> bytearray:
    return bytearray(_bytes(content, encoding))


def _complex(real: Any = 0.0, imag: Any = 0.0) -> complex:
    if type(real) not in (int, float) or type(imag) not in (int, float):
        damaged("a complex number is not made of two numbers")
    return complex(real, imag)


def _make_table() -> dict[str, Any]:
    table: dict[str, Any] = {f"torch.{d.name}": d for d in dtypes.ALL}
    for module in ("torch", "torch.storage", "torch.cuda"):
        table |= {f"{module}.{name}": StorageType(d) for name, d in STORAGE_NAMES.items()}
        table |= {f"{module}.{name}": _other_storage(name) for name in UNSUPPORTED_STORAGES}
    table["torch.storage.UntypedStorage"] = table["torch.UntypedStorage"] = StorageType(dtypes.uint8)
    table |= {"torch.Tensor": TensorType(Tensor), "torch.nn.parameter.Parameter": TensorType(Parameter)}
    table["numpy.ndarray"] = numpy_values.NumpyArrayType()
    functions = {
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor_v2,
        "torch._utils._rebuild_tensor_v3": _tensor_v3,
        "torch._utils._rebuild_meta_tensor_no_storage": _meta_tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter_with_state,
        "torch._tensor._rebuild_from_type_v2": _from_type,
        "torch.Size": _size,
        "torch.device": _device,
        "collections.OrderedDict": _ordered_dict,
        "collections.Counter": _counter,
        "builtins.set": _set,
        "builtins.frozenset": _frozenset,
        "builtins.bytes": _bytes,
        "builtins.bytearray": _bytearray,
        "builtins.complex": _complex,
        "_codecs.encode": _encode,
        **numpy_values.BUILDERS,
    }
    table |= {path: Function(path, build) for path, build in functions.items()}
    table |= {f"torch.{name}": _other_dtype(name) for name in _OTHER_DTYPES}
    table |= {path: _unsupported(*what) for path, what in _OTHER_BUILDERS.items()}
    return table


def _unsupported(what: str, instead: str) -> Unsupported:
    return Unsupported(
        f"minitorch2: the file contains {what}, which is not supported; load it with torch and save {instead} instead"
    )


def _other_storage(name: str) -> Unsupported:
    if name.startswith("Complex"):
        return _unsupported(f"a complex tensor ({name})", "torch.view_as_real(t)")
    return _unsupported(f"a quantized tensor ({name})", "t.dequantize()")


def _other_dtype(name: str) -> Unsupported:
    if name.startswith("complex"):
        instead = "torch.view_as_real(t)"
    elif name.startswith("q"):
        instead = "t.dequantize()"
    else:
        instead = "t.float()" if name.startswith("float") else "t.to(torch.int64)"
    return _unsupported(f"the dtype torch.{name}", instead)


_OTHER_DTYPES = (
    "uint16",
    "uint32",
    "uint64",
    "complex32",
    "complex64",
    "complex128",
    "qint8",
    "quint8",
    "qint32",
    "quint4x2",
    "quint2x4",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float4_e2m1fn_x2",
    "bits8",
    "bits16",
    "bits1x8",
    "bits2x4",
    "bits4x2",
    *(f"uint{n}" for n in range(1, 8)),
    *(f"int{n}" for n in range(1, 8)),
)

_OTHER_BUILDERS = {
    "torch._utils._rebuild_sparse_tensor": ("a sparse tensor", "t.to_dense()"),
    "torch._utils._rebuild_qtensor": ("a quantized tensor", "t.dequantize()"),
    "torch._utils._rebuild_nested_tensor": ("a nested tensor", "t.to_padded_tensor(0.0)"),
    "torch._utils._rebuild_wrapper_subclass": ("a tensor subclass", "a plain tensor"),
    "torch._utils._rebuild_device_tensor_from_numpy": ("an accelerator's tensor", "t.cpu()"),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": ("an accelerator's tensor", "t.cpu()"),
    "torch.serialization._get_layout": ("a torch.layout", "str(layout)"),
}

TABLE = _make_table()
