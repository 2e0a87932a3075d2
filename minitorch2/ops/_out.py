"""out=: a result written into a tensor that the caller has."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import minitorch2_kernels as K

from ..core import dtypes
from ..core.autocast import stacklevel
from ..core.device import describe_mismatch, device_of
from ..core.function import Function
from ..core.grad_mode import state
from ..core.variable import Variable, type_name
from ._inplace import check_history, check_memory, check_overlap


def into(out: Any, name: str, function, args, kwargs):
    """`out`, a tensor or a tuple of them, after the result of function(*args, **kwargs) was written into it.

    A tensor of another shape is resized, with torch's warning if it held anything. TypeError for what is no tensor;
    RuntimeError where a gradient is recorded, for a dtype that the result may not be cast to, for another device.
    """
    if isinstance(out, Variable):
        check_overlap(out, args)
    result = function(*args, **kwargs)
    if not isinstance(result, tuple):
        return _write(out, result, name)
    if not isinstance(out, tuple | list) or len(out) != len(result):
        raise TypeError(
            f"{name}(): argument 'out' must be tuple of Tensors, {len(result)} of them, not {type_name(out)}"
        )
    for each, part in zip(out, result, strict=True):
        _write(each, part, name)
    return type(result)(out) if type(result) is tuple else type(result)(*out)


def makes_into(function):
    """A function that makes a tensor of no other: what it makes has the dtype and the device of `out`, where given."""

    @functools.wraps(function)
    def call(*args, out=None, **kwargs):
        if out is None:
            return function(*args, **kwargs)
        if isinstance(out, Variable):
            for name, own in (("dtype", out.dtype), ("device", device_of(out._data))):
                if kwargs.get(name) is None:
                    kwargs[name] = own
        return into(out, function.__name__, function, args, kwargs)

    return call


def _write(out, result, name):
    if not isinstance(out, Variable):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type_name(out)}")
    if out._inference:
        check_history(out)
    if state.grad and (result.requires_grad or out.requires_grad):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    if device_of(out._data) != device_of(result._data):
        raise RuntimeError(describe_mismatch(name, (out._data, result._data)))
    if result._data.dtype != out._data.dtype:
        have, want = (dtypes.from_numpy_dtype(t._data.dtype) for t in (result, out))
        if not dtypes.can_cast(have, want):
            raise RuntimeError(
                f"result type {have.torch_type} can't be cast to the desired output type {want.torch_type}"
            )
        result = Function.to_dtype(result, out._data.dtype)
    if out._data.shape != result._data.shape:
        _resize(out, result, name)
    else:
        check_memory(out._data)
        K.copyto(out._data, result._data)
    out._bump()
    return out


def _resize(out, result, name) -> None:
    """out becomes the result: new memory in place of its own."""
    if out._data.size:
        warnings.warn(
            f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does not "
            f"match the required output shape {list(result.shape)}. This behavior is deprecated, and in a future "
            "PyTorch release outputs will not be resized unless they have zero elements. You can explicitly reuse an "
            "out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
            stacklevel=stacklevel(4),
        )
    if out._base is not None:
        raise RuntimeError(
            f"minitorch2: {name}(out=...): a view of shape {list(out.shape)} is not resized to {list(result.shape)}"
        )
    out._data = result._data.copy()
