"""In-place methods, made from the ordinary functions: x.add_(y) is x.add(y) written into x's memory.

What autograd sees is the function: x's history becomes the new node. Where x is a view, its base's history becomes
`ViewWrite` (the base with that region replaced), and every view of the base renews its own from there when asked.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import minitorch2_kernels as K
from minitorch2_kernels.dispatch import on_device

from ..core import dtypes
from ..core.function import Function, zeros_beside
from ..core.grad_mode import state
from ..core.lost_views import refuse
from ..core.memory_order import address_of, copy_like, memory_order
from ..core.node import next_number
from ..core.quiet import IGNORE, restore, silence
from ..core.variable import Variable

_NUMBERS = (float, int)
_EXACT = 1 << 24  # below, every int is a float32


def inplace(function, shared_memory=False, of_several=False, reads_first=False):
    """The method that writes function(self, ...) into self and returns self. Autocast does not change it.

    shared_memory: all elements get the same value, so that several may be one number of the memory (an expanded view).
    of_several: the function is several ops, one of which keeps self for backward: where gradients are recorded it works
    on a copy.
    reads_first: torch takes what lies in self's own memory, too.
    """
    function = getattr(function, "outside_autocast", function)

    @functools.wraps(function)
    def method(self, *args, **kwargs):
        check_writable(self, shared_memory)
        if not reads_first:
            check_overlap(self, args)
        source = self.clone() if of_several and state.grad and self.requires_grad else self
        return write(self, function(source, *args, **kwargs), function.__name__)

    method.__name__ = method.__qualname__ = f"{function.__name__}_"
    method.__doc__ = f"In-place {function.__name__}: writes the result into this tensor's memory and returns it."
    return method


def overwriting(method, into, scaled=False) -> Any:
    """The in-place method; where nothing is recorded, of floats on the CPU, into(array, other) writes to the array.

    scaled: the method takes alpha, which multiplies `other`."""

    @functools.wraps(method)
    def write(self, other, *args, alpha=None, **kwargs):
        if alpha is not None and not scaled:
            raise TypeError(f"{method.__name__}() got an unexpected keyword argument 'alpha'")
        simple = alpha is None or (scaled and type(alpha) in _NUMBERS)
        if args or kwargs or not simple or not is_plain(self, other):
            return method(self, other, *args, **kwargs if alpha is None else kwargs | {"alpha": alpha})
        check_writable(self)
        check_overlap(self, (other,))
        token = silence(IGNORE)
        try:
            other = getattr(other, "_data", other)
            into(self._data, other if alpha is None or alpha == 1 else K.times(other, alpha))
        finally:
            restore(token)
        self._bump()
        return self

    return write


def is_plain(x, other) -> bool:
    """Whether no gradient is recorded of x = x * other, say: x floats on the CPU, the other a number, or floats that
    broadcast to x's shape."""
    a = x._data
    if type(a) is not np.ndarray or a.dtype.char not in "fd" or (state.grad and x.requires_grad):
        return False
    if not isinstance(other, Variable):
        return type(other) in _NUMBERS and -_EXACT < other < _EXACT
    b = other._data
    if type(b) is not np.ndarray or b.dtype != a.dtype or (state.grad and other.requires_grad):
        return False
    sizes = zip(reversed(b.shape), reversed(a.shape), strict=False)
    return b.shape == a.shape or (b.ndim <= a.ndim and all(n in (1, m) for n, m in sizes))


def overwrite(op, x, *settings, name: str):
    """x becomes op(x, *settings); floats are computed into x's memory, if the op says how: by a kernel, or where a
    gradient is recorded by an op that saves its result alone."""
    check_writable(x)
    data = x._data
    if not op.into or data.dtype.char not in "fd" or not (type(data) is np.ndarray or on_device(data)):
        return write(x, op.apply(x, *settings), name)
    kernel, recorded = op.into
    if state.grad and x.requires_grad:
        return write(x, recorded.apply(x, *settings, data), name)
    kernel(data, *settings, data)
    x._bump()
    return x


def check_writable(x, shared_memory=False) -> None:
    """Raises torch's errors for tensors that may not be written in place."""
    check_history(x)
    check_memory(x._data, shared_memory)


def check_history(x) -> None:
    """Raises torch's errors for tensors that may not become others in place."""
    if state.grad and x.requires_grad:
        if x._unwritable is not None:
            refuse(x)
        if x._base is not None:
            if x._base._grad_fn is None:
                raise RuntimeError(
                    "a view of a leaf Variable that requires grad is being used in an in-place operation."
                )
        elif x._grad_fn is None:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    if x._inference and not state.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
            "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )


def check_overlap(x, others, apart=False) -> None:
    """Raises where one of the others is read from memory that x is written to, but not element for element; apart:
    even then."""
    for other in others:
        if getattr(other, "_counter", None) is x._counter and (apart or other is not x):
            a, b = x._data, other._data
            if is_partly_in(a, b, apart) or (apart and other is x):  # an empty one, too
                refuse_overlap()


def is_partly_in(a, b, apart=False) -> bool:
    """Whether arrays without gaps overlap, but not element for element; apart: even then."""
    if not (_is_dense(a) and _is_dense(b)):
        return False
    start, first = address_of(a), address_of(b)
    same = not apart and (start, a.nbytes, a.strides) == (first, b.nbytes, b.strides)
    return start < first + b.nbytes and first < start + a.nbytes and not same


def refuse_overlap() -> None:
    raise RuntimeError(
        "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
        "location. Please clone() the tensor before performing the operation."
    )


def _is_dense(array) -> bool:
    """Whether its elements lie side by side, in whatever order."""
    return array.flags.forc or array.transpose(memory_order(array)).flags.forc


def check_memory(data, shared=False) -> None:
    """Raises where the elements of `data` are no memory that may be written, or, unless `shared`, not of their own."""
    repeated = any(n > 1 and s == 0 for n, s in zip(data.shape, data.strides, strict=True)) if 0 in data.strides else 0
    if repeated and data.size and not shared:
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    if not on_device(data) and not data.flags.writeable:
        raise RuntimeError(
            "the memory of this tensor is read-only (it was made from a read-only NumPy array or file); clone() it "
            "first"
        )


def write(x, result, op: str):
    """x's memory takes the values of `result`, and x its history."""
    if result._data.shape != x._data.shape:
        raise RuntimeError(
            f"output with shape {list(x._data.shape)} doesn't match the broadcast shape {list(result._data.shape)}"
        )
    if result._data.dtype != x._data.dtype:
        have, want = (dtypes.from_numpy_dtype(t._data.dtype) for t in (result, x))
        if not dtypes.can_cast(have, want):
            raise RuntimeError(
                f"result type {have.torch_type} can't be cast to the desired output type {want.torch_type}"
            )
        result = Function.to_dtype(result, x._data.dtype)
    if x._unwritable is not None and result._requires_grad:
        refuse(x)
    node = result._grad_fn
    if isinstance(node, Function):
        _keep_old_value(node, x)
    if result._data is not x._data:
        K.copy_to(x._data, result._data)
    x._bump()
    if isinstance(node, Function) and result._base is None:
        _move_saved_output(node, result, x)
    if x._base is not None:
        if result._requires_grad or (state.grad and x._base.requires_grad):
            rebase(x, result)
    elif result._requires_grad:
        if node is None:  # the result itself is a leaf
            x._requires_grad = True
            x._grad_fn, x._output_nr = result._edge()
        else:
            x._take_history(node, result._output_nr)
    return x


def _keep_old_value(node: Function, x) -> None:
    """A node that saved x as its input keeps the old value: x's memory is about to be overwritten."""
    for i, (saved, source) in enumerate(zip(node._saved, node._sources, strict=True)):
        if saved is x._data and source is not None and source >= 0:
            node._saved = (*node._saved[:i], saved.copy(), *node._saved[i + 1 :])
            node._watched[i] = ([0], 0, source)


def _move_saved_output(node: Function, result, x) -> None:
    """A node that saved its output saved what now is x: one copy of it, watched for later writes."""
    for i, (saved, source) in enumerate(zip(node._saved, node._sources, strict=True)):
        if saved is result._data and source is not None and source < 0:
            node._saved = (*node._saved[:i], x._data, *node._saved[i + 1 :])
            node._watched[i] = (x._counter, x._counter[0], source)


class ViewWrite(Function):
    """base with the region that `replay` views replaced by `value`."""

    keeps_dtype = True
    torch_name = "CopySlices"

    @staticmethod
    def forward(ctx, base, value, replay):
        ctx.replay, ctx.value_shape = replay, value.shape
        result = copy_like(base)
        K.copy_to(_region(result, replay), value)
        return result

    @staticmethod
    def backward(ctx, g):  # the value gets the region's gradient, the base everything else
        value_grad = g
        for op, arguments, nr in ctx.replay:
            value_grad = op.apply(value_grad, *arguments)
            value_grad = value_grad[nr] if isinstance(value_grad, tuple) else value_grad
        return ViewWrite.apply(g, zeros_beside(value_grad, ctx.value_shape), ctx.replay), value_grad, None


def _region(array, replay):
    """The part of `array` that the view ops select, as a NumPy view."""
    region = array
    for op, arguments, nr in replay:
        region = op.forward(op(), region, *arguments)
        region = region[nr] if isinstance(region, tuple) else region
    if region.size and not K.may_share_memory(region, array):
        raise RuntimeError(
            "minitorch2: writing through this view is not supported, because its base is laid out in memory in a way "
            "that the view's ops cannot follow; call contiguous() on the base first"
        )
    return region


def rebase(x, result) -> None:
    """The history of x, a view that was written to, and of its base: `result`'s, in the region of x."""
    base = x._base
    node: Any = ViewWrite()
    node.number, node.replay, node.value_shape = next_number(), x._path(), x._data.shape
    base_edge = base._edge() if base.requires_grad else None
    node.edges = (base_edge, result._edge() if result._requires_grad else None, None)
    node.needs_input_grad = tuple(edge is not None for edge in node.edges)
    base._take_history(node, 0)
    x._seen = -1  # its history is the base's, seen through the view
    x._renew_view()
