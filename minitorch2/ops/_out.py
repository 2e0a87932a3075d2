"""out=: a result written into a tensor that the caller has."""

from __future__ import annotations

import functools
import itertools
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


def into(out: Any, name: str, function, args, kwargs, created: bool = False):
    """`out`, a tensor or a tuple of them, after the result of function(*args, **kwargs) was written into it.

    A tensor of another shape is resized, with torch's warning if it held anything. TypeError for what is no tensor;
    RuntimeError where a gradient is recorded, for a dtype that the result may not be cast to, for another device.
    created: by a function that makes a tensor of no other.
    """
    if name == "nonzero" and kwargs.get("as_tuple"):
        raise RuntimeError("nonzero does not support the out kwarg when as_tuple is True")
    if isinstance(out, Variable):
        lists = [a for a in args if isinstance(a, tuple | list)]
        check_overlap(out, [*args, *itertools.chain(*lists)], apart=name in _APART)
    elif name in _PAIRS_APART and isinstance(out, tuple | list):
        for each in out:
            if isinstance(each, Variable):
                check_overlap(each, args, apart=name in _APART)
    result = function(*args, **kwargs)
    refused = None if created else _SAME if kwargs.get("dtype") is not None else _REFUSED.get(name)
    if not isinstance(result, tuple):
        refused = None if name in _OF_PAIRS else refused
        return _write(out, result, name, refused)
    if not isinstance(out, tuple | list) or len(out) != len(result):
        raise TypeError(
            f"{name}(): argument 'out' must be tuple of Tensors, {len(result)} of them, not {type_name(out)}"
        )
    for each, part in zip(out, result, strict=True):
        _write(each, part, name, refused)
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
                elif name == "dtype" and dtypes.as_dtype(kwargs[name], function.__name__) is not own:
                    have, want = (dtypes.as_dtype(d, function.__name__).torch_type for d in (kwargs[name], own))
                    raise RuntimeError(f"dtype {have} does not match dtype of out parameter ({want})")
        return into(out, function.__name__, function, args, kwargs, created=True)

    return call


# What torch says where the result of these would be converted to the dtype of `out`; others it converts.
_SAME = "Expected out tensor to have dtype {result_c}, but got {out_c} instead"
_FOUND = "Found dtype {out} but expected {result}"
_NOT_BOOL = "{name} does not support non-boolean outputs."
_REFUSED = {
    **dict.fromkeys(("abs", "bitwise_not", "ceil", "clamp", "floor", "frac", "neg", "round", "sgn", "sign"), _FOUND),
    **dict.fromkeys(("trunc", "absolute", "negative", "clip", "fix"), _FOUND),
    **dict.fromkeys(("addmm", "argmax", "argmin", "bmm", "baddbmm", "gather", "log_softmax", "matmul", "mm"), _SAME),
    **dict.fromkeys(("linalg_inv", "linalg_vector_norm", "max", "min", "softmax", "sort", "topk", "tril"), _SAME),
    **dict.fromkeys(("triu", "norm", "aminmax", "kthvalue", "median", "mode", "nanmedian"), _SAME),
    **dict.fromkeys(("isposinf", "isneginf", "signbit"), _NOT_BOOL),
    **dict.fromkeys(("all", "any"), "{name} only supports bool tensor for result, got: {out}"),
    "amax": "Expected the dtype for input and out to match, but got {result} for input's dtype and {out} for out's "
    "dtype.",
    "index_select": "index_select(): self and result must have the same scalar type",
    "masked_select": "masked_select(): self and result must have the same scalar type",
    "nan_to_num": "nan_to_num: dtype of out: {out} should be same as input: {result}",
    "nonzero": "nonzero: Expected out tensor to have scalar type {result} but got scalar type{out}",
    "take": "take(): self and out expected to have the same dtype, but got self.dtype = {result} and out.dtype = {out}",
    "where": "Expected out type to be {result} but got {out}",
    "mv": "addmv input tensors must have the same dtype, but got {out}, {result}, and {result}",
    "histc": "torch.histogram: input tensor and hist tensor should have the same dtype, but got input {result_c} and "
    "hist {out_c}",
    "searchsorted": "torch.searchsorted(): output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) "
    "depending on whether out_int32 flag is True, but we got output tensor's dtype {out} and out_int32 flag is {short}",
    "dot": "result dtype {out} does not match input dtype {result}",
    "linalg_norm": "linalg.norm expected out tensor dtype {result} but got: {out}",
    "multinomial": "multinomial expects Long tensor out, got: {out}",
    "cummax": "expected scalar_type {result} but found {out}",
    "cummin": "expected scalar_type {result} but found {out}",
}
_REFUSED["amin"], _REFUSED["bucketize"] = _REFUSED["amax"], _REFUSED["searchsorted"]
_APART = ("cat", "gather", "kthvalue", "masked_select", "take")  # which may not write where they read
_PAIRS_APART = ("kthvalue", "max", "median", "min", "mode", "nanmedian", "sort", "topk")  # in part, that is
_OF_PAIRS = ("max", "min")  # without dim they convert


def _write(out, result, name, refused=None):
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
        if refused is not None and not (name in ("all", "any") and want is dtypes.uint8):
            raise RuntimeError(
                refused.format(
                    name=name,
                    result=have.torch_type,
                    out=want.torch_type,
                    result_c=dtypes.c_name(have.numpy),
                    out_c=dtypes.c_name(want.numpy),
                    short=have is dtypes.int32,
                )
            )
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
    if out._lent and result._data.size > out._data.size:
        raise RuntimeError("Trying to resize storage that is not resizable")
    out._data = result._data.copy()
