"""Running sums, products and extremes along one dim, and differences, their inverse."""

from __future__ import annotations

import numpy as np

import minitorch2_kernels as K

from ..core import dtypes
from ..core.autocast import listed
from ..core.function import Function
from ..core.memory_order import in_c_order
from . import _return_types as return_types
from ._common import asked_dtype, numpy_names, on_host, to_dtype, wrap_dim
from ._inplace import inplace
from .arithmetic import Where, sub
from .comparison import logical_xor
from .index_ops import Gather
from .joining import cat
from .rearranging import Flip
from .unary import Exp
from .view_ops import Cat, Slice
from .views import narrow


class Cumsum(Function):
    row_major = True

    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        return K.running_sums(x, dim, False)

    @staticmethod
    def backward(ctx, g):  # x_k is in every sum from the k-th on
        return from_the_end(g, ctx.dim), None


class CumsumFromTheEnd(Function):
    row_major = True
    torch_name = "FlipBackward0"

    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        return K.running_sums(x, dim, True)

    @staticmethod
    def backward(ctx, g):
        return Cumsum.apply(g, ctx.dim), None


def from_the_end(g, dim):
    """The running sum from the last element to the first."""
    return CumsumFromTheEnd.apply(g, dim)


class Recurrence(Function):
    """s_k = b_k + a_k s_(k-1) along `dim`, from s_(-1) = 0. Its derivative is the same recurrence, backwards."""

    row_major = True

    @staticmethod
    def forward(ctx, a, b, dim):
        ctx.dim = dim
        s = b.copy()
        rows, slopes = K.moveaxis(s, dim, 0), K.moveaxis(a, dim, 0)
        for k in range(1, len(rows)):
            rows[k] += slopes[k] * rows[k - 1]
        ctx.save_for_backward(a, s)
        return s

    @staticmethod
    def backward(ctx, g):  # r_k = g_k + a_(k+1) r_(k+1);  db = r,  da_k = r_k s_(k-1)
        a, s = ctx.saved
        r = recur_from_the_end(_shifted(a, ctx.dim, -1), g, ctx.dim)
        return r * _shifted(s, ctx.dim, 1), r, None


def recur_from_the_end(a, b, dim):
    """s_k = b_k + a_k s_(k+1), from the last element to the first."""
    return Flip.apply(Recurrence.apply(Flip.apply(a, (dim,)), Flip.apply(b, (dim,)), dim), (dim,))


def _shifted(x, dim, by):
    """x moved by one place along `dim`, a zero coming in at the end: by 1 towards the back, by -1 to the
    front."""
    before = (slice(None),) * dim
    if by == 1:
        kept, lost = Slice.apply(x, (*before, slice(None, -1))), Slice.apply(x, (*before, slice(-1, None)))
        return Cat.apply(dim, _zero(lost), kept)
    kept, lost = Slice.apply(x, (*before, slice(1, None))), Slice.apply(x, (*before, slice(1)))
    return Cat.apply(dim, kept, _zero(lost))


def _zero(x):
    return Where.apply(x == x, 0.0, 0.0 * x)  # an inf or nan times 0 would be nan


class Cumprod(Function):
    row_major = True

    @staticmethod
    def forward(ctx, x, dim):
        y = K.running_products(x, dim)
        ctx.save_for_backward(x, y)
        ctx.dim, ctx.has_zeros = dim, ctx.needs_input_grad[0] and not K.all(x)
        return y

    @staticmethod
    def backward(ctx, g):  # dy_i/dx_k = y_i / x_k for i >= k, where no factor is zero
        x, y = ctx.saved
        dim = ctx.dim
        if not ctx.has_zeros:
            return K.over(from_the_end(K.times(g, y), dim), x), None
        # else before_k s_k, with before_k the product up to k and s_k = g_k + x_(k+1) s_(k+1)
        before = (slice(None),) * dim
        first = Slice.apply(x, (*before, slice(1)))
        one = _zero(first) + 1.0
        up_to = Cat.apply(dim, one, Slice.apply(y, (*before, slice(None, -1))))
        return up_to * recur_from_the_end(_shifted(x, dim, -1), g, dim), None


class LogCumsumExp(Function):
    row_major = True
    torch_name = "LogcumsumexpBackward0"

    @staticmethod
    def forward(ctx, x, dim):
        y = np.logaddexp.accumulate(x, axis=dim)
        ctx.save_for_backward(x, y)
        ctx.dim = dim
        return y

    @staticmethod
    def backward(ctx, g):
        # dy_i/dx_k = exp(x_k - y_i) = exp(x_k - y_k) exp(y_k - y_(k+1)) ... exp(y_(i-1) - y_i): y rises, so
        # nothing
        # overflows; where y is still -inf (log of nothing) the slope is 0
        x, y = ctx.saved
        dim = ctx.dim
        before = (slice(None),) * dim
        nothing = y == -np.inf
        following = Cat.apply(
            dim, Slice.apply(y, (*before, slice(1, None))), Slice.apply(y, (*before, slice(-1, None)))
        )
        ratio = Where.apply(nothing | (following == y), 1.0, Exp.apply(Where.apply(nothing, 0.0, y - following)))
        share = Where.apply(nothing, 0.0, Exp.apply(Where.apply(nothing | (x == y), 0.0, x - y)))
        return share * recur_from_the_end(ratio, g, dim), None


@numpy_names
def cumsum(input, dim, *, dtype=None):
    """The running sum along `dim`. Integers and bools are summed as int64."""
    return _running(Cumsum, input, dim, dtype)


@numpy_names
def cumprod(input, dim, *, dtype=None):
    """The running product along `dim`. Integers and bools are multiplied as int64."""
    return _running(Cumprod, input, dim, dtype)


def _running(op, input, dim, dtype):
    dim = wrap_dim(dim, input._data.ndim)
    if dtype is not None:
        input = asked_dtype("cumsum", input, dtype)
    elif input._data.dtype.kind in "biu":
        input = to_dtype(input, dtypes.int64.numpy)
    if not input._data.ndim or not input._data.size:
        return input.clone()
    return op.apply(input, dim)


def _running_in_place(function):
    """cumsum_ and cumprod_: in the dtype of the tensor itself."""

    function = getattr(function, "outside_autocast", function)

    @numpy_names
    def run(self, dim, *, dtype=None):
        own = dtypes.from_numpy_dtype(self._data.dtype)
        if dtype not in (None, own):
            raise RuntimeError(
                f"Bad in-place call: input tensor dtype {own} and output tensor dtype {dtype} should match"
            )
        if own is dtypes.bool and self._data.ndim:
            raise NotImplementedError(f"\"{function.__name__}_out_cpu\" not implemented for 'Bool'")
        return function(self, dim, dtype=own)

    run.__name__ = function.__name__
    return inplace(run)


@on_host
def cummax(input, dim):
    """(values, indices) of the largest element so far along `dim`: the last of equals, and NaN from the
    first NaN on."""
    return _running_extreme(True, return_types.cummax, input, dim)


@on_host
def cummin(input, dim):
    """(values, indices) of the smallest element so far along `dim`: the last of equals, and NaN from the
    first NaN on."""
    return _running_extreme(False, return_types.cummin, input, dim)


def _running_extreme(largest, kind, input, dim):
    dim = wrap_dim(dim, input._data.ndim)
    data = K.widen(input._data) if input._data.dtype.kind == "V" else input._data
    if not data.ndim or not data.size:
        return kind(input.clone(), Function.as_tensor(K.zeros_like(data, dtype=K.int64)))
    indices = Function.as_tensor(in_c_order(K.running_positions(data, dim, largest)))
    return kind(Gather.apply(input, indices, dim), indices)


@on_host
def logcumsumexp(input, dim):
    """log of the running sum of exp(input) along `dim`, without overflow."""
    dim = wrap_dim(dim, input._data.ndim)
    if input._data.dtype.kind not in "fV":
        raise NotImplementedError(
            f"\"logcumsumexp_out_cpu\" not implemented for '{input.dtype.torch_type}'; it takes floating dtypes"
        )
    return LogCumsumExp.apply(input, dim) if input._data.ndim and input._data.size else input.clone()


def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The n-th difference along `dim`: out[i] = input[i + 1] - input[i], n times; of bools, where they
    change."""
    if not input._data.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = wrap_dim(dim, input._data.ndim)
    if n == 0:
        return input.clone()
    if prepend is not None or append is not None:
        input = cat([x for x in (prepend, input, append) if x is not None], dim)
    for _ in range(min(n, input._data.shape[dim])):
        length = input._data.shape[dim] - 1
        later, earlier = narrow(input, dim, 1, length), narrow(input, dim, 0, length)
        input = logical_xor(later, earlier) if input._data.dtype.kind == "b" else sub(later, earlier)
    return input


listed(globals())


class ScanMethods:
    cumsum, cumprod, cummax, cummin, logcumsumexp, diff = cumsum, cumprod, cummax, cummin, logcumsumexp, diff
    cumsum_, cumprod_ = _running_in_place(cumsum), _running_in_place(cumprod)
