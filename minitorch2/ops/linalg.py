"""The matmul family, tensordot and norms."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

import minitorch2_kernels as K
from minitorch2_kernels.dispatch import namespace, on_device
from minitorch2_kernels.reference.cast import cast

from ..core import autocast
from ..core.autocast import listed
from ..core.dtypes import LOW_PRECISION, c_name, float32
from ..core.function import Function, called
from ..core.memory_order import as_rows
from ..core.variable import Variable
from ._common import fitting, is_number, require_tensor, result_type, to_dtype, wrap_dim
from ._half import rounded_once
from ._inplace import inplace
from .masking import masked_fill
from .reduce import Sum
from .vector_norms import in_norm_dtype, vector_norm
from .view_ops import Permute, Reshape
from .views import permute, reshape, squeeze, unbind, unsqueeze


class MatMul(Function):
    """Matrices of (batched) (m, k) and (k, n); the batch dims broadcast."""

    row_major = True
    broadcasts = True
    gpu_halves = LOW_PRECISION

    @staticmethod
    def forward(ctx, a, b):
        need_a, need_b = ctx.needs_input_grad
        ctx.save_for_backward(a if need_b else None, b if need_a else None)
        return K.matmul(a, b)

    @staticmethod
    def backward(ctx, g):  # dA = g B^T, dB = A^T g
        a, b = ctx.saved
        return (
            None if b is None else MatMul.apply(g, matrix_transpose(b)),
            None if a is None else MatMul.apply(matrix_transpose(a), g),
        )


def product(*matrices):
    """The product of matrices, tensors or arrays, from the left to the right."""
    return functools.reduce(MatMul.apply, matrices)


class Mm(MatMul):
    pass


class Bmm(MatMul):
    pass


class Mv(Function):
    """A matrix (m, k) times a vector (k)."""

    gpu_halves = LOW_PRECISION

    @staticmethod
    def forward(ctx, a, v):
        need_a, need_v = ctx.needs_input_grad
        ctx.save_for_backward(a if need_v else None, v if need_a else None)
        return K.matmul(a, v.reshape(-1, 1)).reshape(-1)

    @staticmethod
    def backward(ctx, g):  # dA = g v^T, dv = A^T g
        a, v = ctx.saved
        return (
            None if v is None else K.times(Reshape.apply(g, (-1, 1)), v),
            None if a is None else Mv.apply(matrix_transpose(a), g),
        )


class Dot(Function):
    """The inner product of two vectors."""

    gpu_halves = LOW_PRECISION

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return K.matmul(a.reshape(1, -1), b.reshape(-1, 1)).reshape(())

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        return K.times(g, b) if need_a else None, K.times(g, a) if need_b else None


class Linear(Function):
    """b + x W^T over the last dim of x. The order is torch's, addmm(b, x, W^T): gradients reach leaves in it."""

    torch_name = "AddmmBackward0"
    gpu_halves = LOW_PRECISION

    @staticmethod
    def forward(ctx, bias, x, weight):
        _, need_x, need_weight = ctx.needs_input_grad
        ctx.save_for_backward(x if need_weight else None, weight if need_x else None)
        y = K.linear(as_rows(x), weight, bias)
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx, g):  # dx = g W, dW = g^T x, db = the sum of g over the rows
        x, weight = ctx.saved
        rows = Reshape.apply(g, (-1, g.shape[-1])) if g.ndim != 2 else g
        dx = dw = db = None
        if weight is not None:
            dx = MatMul.apply(rows, weight)
            dx = Reshape.apply(dx, (*g.shape[:-1], dx.shape[-1])) if g.ndim != 2 else dx
        if x is not None:
            x_rows = Reshape.apply(x, (-1, x.shape[-1])) if x.ndim != 2 else x
            dw = MatMul.apply(matrix_transpose(rows), x_rows)
        if ctx.needs_input_grad[0]:
            db = Sum.apply(rows, (0,), False)
        return db, dx, dw

    @staticmethod
    def fused_backward(ctx, g):
        x, weight = ctx.saved
        rows, x_rows = [a if a is None else as_rows(a) for a in (g, x)]
        dx, dw, db = K.linear_grad(rows, x_rows, weight, ctx.needs_input_grad[0])
        return db, dx if dx is None or g.ndim == 2 else dx.reshape(*g.shape[:-1], dx.shape[-1]), dw


def matrix_transpose(x):
    """The last two dims exchanged, of an array or a tensor: a view."""
    n = x.ndim
    return Permute.apply(x, (*range(n - 2), n - 1, n - 2))


def _same_dtype(op, a, b, names=()):
    """names: of the two, where torch's message has them and not the dtypes' names in C++."""
    require_tensor(op, a)
    require_tensor(op, b, "other", 2)
    if a._data.dtype != b._data.dtype:
        if names:
            raise RuntimeError(
                f"{' and '.join(names)} must have the same dtype, but got {a.dtype.torch_type} and {b.dtype.torch_type}"
            )
        first, second = (c_name(x._data.dtype) for x in (a, b))
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {first} != {second} ({op}); convert one with .to()"
        )
    if a._data.dtype.kind == "b":
        raise NotImplementedError(f"\"{op}\" not implemented for 'Bool'; convert with .float() or .long() first")


def matmul(input, other):
    """The matrix product: 1-d dot, matrix-vector, matrix-matrix, or batches of them, broadcast."""
    _same_dtype("matmul", input, other)
    a, b = input._data.ndim, other._data.ndim
    if a == 0 or b == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {a}D and {b}D")
    if a == 1 and b == 1:
        return dot(input, other)
    left = unsqueeze(input, 0) if a == 1 else input
    right = unsqueeze(other, 1) if b == 1 else other
    if left._data.shape[-1] != right._data.shape[-2]:
        rows = math.prod(left._data.shape[:-1]) if b <= 2 else left._data.shape[-2]
        if b == 1:
            raise RuntimeError(
                f"size mismatch, got input ({rows}), mat ({rows}x{left._data.shape[-1]}), vec ({other._data.shape[0]})"
            )
        if a > 2 and b > 2:
            _check_batches(left, right)
            n = math.prod(np.broadcast_shapes(left._data.shape[:-2], right._data.shape[:-2]))
            raise RuntimeError(
                f"Expected size for first two dimensions of batch2 tensor to be: [{n}, {left._data.shape[-1]}] but got"
                f": [{n}, {right._data.shape[-2]}]."
            )
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{left._data.shape[-1]} and "
            f"{right._data.shape[-2]}x{right._data.shape[-1]})"
        )
    if a == 2 and b == 1:
        return Mv.apply(input, other)
    if left._data.ndim > 2 and right._data.ndim == 2:  # one big product instead of a batch of small ones
        rows = reshape(left, (math.prod(left._data.shape[:-1]), left._data.shape[-1]))
        product = reshape(Mm.apply(rows, right), (*left._data.shape[:-1], right._data.shape[-1]))
    else:
        _check_batches(left, right)
        product = (Mm if left._data.ndim == right._data.ndim == 2 else MatMul).apply(left, right)
    if a == 1:
        product = squeeze(product, -2)
    return squeeze(product, -1) if b == 1 else product


def _check_batches(a, b):
    x, y = a._data.shape[:-2], b._data.shape[:-2]
    for i in range(1, min(len(x), len(y)) + 1):
        if x[-i] != y[-i] and 1 not in (x[-i], y[-i]):
            raise RuntimeError(
                f"The size of tensor a ({x[-i]}) must match the size of tensor b ({y[-i]}) at non-singleton dimension "
                f"{max(len(x), len(y)) - i}"
            )


def mm(input, mat2):
    """(n, m) times (m, p)."""
    _same_dtype("mm", input, mat2)
    if input._data.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if mat2._data.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    return matmul(input, mat2)


def bmm(input, mat2):
    """(b, n, m) times (b, m, p), no broadcasting."""
    _same_dtype("bmm", input, mat2)
    if input._data.ndim != 3 or mat2._data.ndim != 3:
        raise RuntimeError(f"batch{1 if input._data.ndim != 3 else 2} must be a 3D tensor")
    a, b = input._data.shape, mat2._data.shape
    if a[0] != b[0] or a[2] != b[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{a[0]}, {a[2]}] but got: [{b[0]}, "
            f"{b[1]}]."
        )
    return Bmm.apply(input, mat2)


def mv(input, vec):
    """(n, m) times (m)."""
    if input._data.ndim != 2 or vec._data.ndim != 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {vec._data.ndim}, {input._data.ndim}, {vec._data.ndim}"
        )
    return matmul(input, vec)


def dot(input, tensor):
    """The inner product of two vectors."""
    _same_dtype("dot", input, tensor)
    if input._data.ndim != 1 or tensor._data.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input._data.ndim}D and {tensor._data.ndim}D tensors")
    n, m = input._data.size, tensor._data.size
    if n != m:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements, but "
            f"got {n} and {m} elements respectively"
        )
    return Dot.apply(input, tensor)


def outer(input, vec2):
    """The outer product of two vectors."""
    for x, name in ((input, "self"), (vec2, "vec2")):
        if x._data.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x._data.ndim}-D")
    return unsqueeze(input, 1) * vec2


def _rounded_once(function, *operands):
    """function(*operands), a sum of products. In half precision: computed in float32 and rounded once, as torch does.
    (On a GPU the product stays in half precision, which is what it is fast in, and is rounded before the sum.)"""
    kinds = {x._data.dtype if isinstance(x, Variable) else None for x in operands}
    if len(kinds) != 1 or kinds.isdisjoint(LOW_PRECISION) or on_device(operands[0]._data):
        return function(*operands)
    return rounded_once(function, *operands)


def addmm(input, mat1, mat2, *, beta: float = 1, alpha: float = 1):
    """beta * input + alpha * (mat1 @ mat2)."""
    if not autocast.regions:  # in one the product chooses its dtype
        _same_dtype("addmm", input, mat2, ("self", "mat2"))
        _same_dtype("addmm", mat1, mat2, ("mat1", "mat2"))
    total = _rounded_once(lambda x, a, b: _scaled(x, beta) + _scaled(mm(a, b), alpha), input, mat1, mat2)
    return called("AddmmBackward0", total)


def addmv(input, mat, vec, *, beta: float = 1, alpha: float = 1):
    """beta * input + alpha * (mat @ vec)."""
    if not autocast.regions and not input._data.dtype == mat._data.dtype == vec._data.dtype:
        first, second, third = (x.dtype.torch_type for x in (input, mat, vec))
        raise RuntimeError(f"addmv input tensors must have the same dtype, but got {first}, {second}, and {third}")
    input, alpha = _scaled(input, _as_number_of(input, beta)), _as_number_of(input, alpha)
    return _rounded_once(lambda x, a, b: x + _scaled(mv(a, b), alpha), input, mat, vec)


def addr(input, vec1, vec2, *, beta: float = 1, alpha: float = 1):
    """beta * input + alpha * outer(vec1, vec2); of masks their conjunctions and disjunction."""
    for name, factor in (("beta", beta), ("alpha", alpha)):
        _check_factor(name, factor, input, vec1, vec2)
    if input._data.dtype.kind == "b" and vec1._data.dtype.kind == "b" and vec2._data.dtype.kind == "b":
        return (input & bool(beta)) | (unsqueeze(vec1 & bool(alpha), 1) & vec2)
    dtype = result_type(input, vec1, vec2).numpy
    input, vec1, vec2 = (to_dtype(x, dtype) for x in (input, vec1, vec2))
    return _scaled(input, _as_number_of(input, beta)) + outer(vec1 * _as_number_of(input, alpha), vec2)


def baddbmm(input, batch1, batch2, *, beta: float = 1, alpha: float = 1):
    """beta * input + alpha * bmm(batch1, batch2)."""
    if not autocast.regions and not input._data.dtype == batch1._data.dtype == batch2._data.dtype:
        first, second, third = (c_name(x._data.dtype) for x in (input, batch1, batch2))
        raise RuntimeError(f"Input dtypes must be the same, got: input {first}, batch1: {second}, batch2: {third}")
    return _rounded_once(lambda x, a, b: _scaled(x, beta) + _scaled(bmm(a, b), alpha), input, batch1, batch2)


def addbmm(input, batch1, batch2, *, beta: float = 1, alpha: float = 1):
    """beta * input + alpha * the sum of bmm(batch1, batch2) over the batch."""
    if not autocast.regions:
        _same_dtype("addbmm", input, batch2, ("self", "mat2"))
    products = bmm(batch1, batch2)
    if input._data.dtype not in LOW_PRECISION:
        return _scaled(input, beta) + _scaled(Sum.apply(products, (0,), False), alpha)
    for a, b in zip(unbind(batch1), unbind(batch2), strict=True):  # rounded after each, as torch does
        input, beta = addmm(input, a, b, beta=beta, alpha=alpha), 1
    return _scaled(input, beta)  # a batch of none


def _scaled(x, factor):
    """x times a number of its dtype; times 0 it is 0 whatever x holds, so that an empty tensor may stand where none is
    added."""
    if x._data.dtype.kind != "b":
        factor = fitting(factor, x._data.dtype)
    if factor == 0:
        return masked_fill(x, Function.as_tensor(namespace(x._data).asarray(True)), 0)
    return x if factor == 1 else x * factor


def _check_factor(name, factor, *tensors):
    kinds = {x._data.dtype.kind for x in tensors}
    if isinstance(factor, bool) and kinds != {"b"}:
        raise RuntimeError(f"Boolean {name} only supported for Boolean results.")
    if isinstance(factor, float) and kinds.isdisjoint("fV"):
        raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")


def _as_number_of(x, factor):
    """A factor as a number of x's dtype, if that is half precision: so do torch's kernels take theirs here."""
    if x._data.dtype not in LOW_PRECISION:
        return factor
    return cast(cast(np.asarray(factor, np.float32), x._data.dtype), float32.numpy).item()


def linear(input, weight, bias=None):
    """input (..., in) times weight (out, in) transposed, plus bias (out). torch.nn.functional.linear."""
    if bias is not None:
        _same_dtype("linear", bias, weight, ("self", "mat2"))
    _same_dtype("linear", input, weight, ("mat1", "mat2") if bias is not None else ())
    if weight._data.ndim == 1 and input._data.ndim and bias is None:
        return matmul(input, weight)
    if weight._data.ndim != 2 or input._data.ndim == 0:
        raise RuntimeError(
            f"linear(): expected weight of 2 dimensions and input of at least 1, got {list(weight._data.shape)} and "
            f"{list(input._data.shape)}"
        )
    (out_features, in_features), shape = weight._data.shape, input._data.shape
    if shape[-1] != in_features:
        rows = math.prod(shape[:-1])
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{shape[-1]} and {in_features}x{out_features}): "
            f"linear() got input {list(shape)} for a weight of {list(weight._data.shape)} (out_features, in_features)"
        )
    if bias is None or bias._data.shape == (out_features,):
        return Linear.apply(bias, input, weight)
    out, given = (*shape[:-1], out_features), bias._data.shape
    if len(given) > len(out) or any(b not in (1, n) for b, n in zip(given[::-1], out[::-1], strict=False)):
        raise RuntimeError(f"linear(): bias of shape {list(given)} for a result of shape {list(out)}")
    return Linear.apply(None, input, weight) + bias


def tensordot(a, b, dims: Any = 2):
    """Contracts `dims` dims of a with those of b: a number (the last of a, the first of b) or two lists."""
    if is_number(dims):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a._data.ndim, b._data.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims_a, dims_b = list(range(a._data.ndim - dims, a._data.ndim)), list(range(dims))
    else:
        dims_a, dims_b = ([wrap_dim(d, x._data.ndim) for d in ds] for ds, x in zip(dims, (a, b), strict=True))
    if len(dims_a) != len(dims_b):
        raise RuntimeError("both dimension lists should have same length")
    free_a = [d for d in range(a._data.ndim) if d not in dims_a]
    free_b = [d for d in range(b._data.ndim) if d not in dims_b]
    for p, q in zip(dims_a, dims_b, strict=True):
        if a._data.shape[p] == 1:  # a dim of 1 goes with any other
            b = Sum.apply(b, (q,), True)
        elif b._data.shape[q] == 1:
            a = Sum.apply(a, (p,), True)
        elif a._data.shape[p] != b._data.shape[q]:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a._data.shape[p]} in dim {p} and second has "
                f"size {b._data.shape[q]} in dim {q}"
            )
    inner = math.prod(a._data.shape[d] for d in dims_a)
    left = reshape(permute(a, free_a + dims_a), (math.prod(a._data.shape[d] for d in free_a), inner))
    right = reshape(permute(b, dims_b + free_b), (inner, math.prod(b._data.shape[d] for d in free_b)))
    shape = [a._data.shape[d] for d in free_a] + [b._data.shape[d] for d in free_b]
    return reshape(mm(left, right), shape)


def norm(input, p: Any = "fro", dim=None, keepdim=False, dtype=None):
    """The p-norm over all elements or dim(s): p a number, inf, -inf, 0 or 'fro'."""
    input = in_norm_dtype("linalg.vector_norm", input, dtype)
    if p == "nuc":
        from .norms import nuclear_norm  # which stands on this module

        return nuclear_norm(input, dim, keepdim)
    p = 2 if p in ("fro", None) else p
    return vector_norm(input, p, dim, keepdim)


listed(globals())


class LinalgMethods:
    matmul, mm, bmm, mv, dot, outer, ger, norm = matmul, mm, bmm, mv, dot, outer, outer, norm
    addmm, addmv, addr, baddbmm, addbmm = addmm, addmv, addr, baddbmm, addbmm
    addmm_, addmv_, addr_, baddbmm_, addbmm_ = (inplace(f) for f in (addmm, addmv, addr, baddbmm, addbmm))

    def __matmul__(self, other):
        return matmul(self, other) if isinstance(other, Variable) else NotImplemented

    def __rmatmul__(self, other):
        return matmul(other, self) if isinstance(other, Variable) else NotImplemented
