"""Products made of other ops: inner, kron, cross, chains of matrices, distances between all pairs."""

from __future__ import annotations

import math

import numpy as np

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.dtypes import LOW_PRECISION, get_default_dtype
from ..core.function import Function, ZeroSlope, called
from ..core.warned import warn_once
from ._common import broadcast_shapes, to_dtype, wrap_dim
from .arithmetic import mul
from .index_ops import Index
from .joining import cat, stack
from .linalg import dot, matmul, tensordot, vector_norm
from .solving import inv
from .view_ops import sum_to
from .views import expand, reshape, unsqueeze


def inner(input, other):
    """Sums of products over the last dims, for all pairs of the other dims; plain products with a number."""
    if not input._data.ndim or not other._data.ndim:
        return mul(input, other)
    if input._data.shape[-1] != other._data.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input._data.shape)} and {list(other._data.shape)}"
        )
    return tensordot(input, other, dims=([-1], [-1]))


def vdot(input, other):
    """The dot product of two vectors."""
    return dot(input, other)


def kron(input, other):
    """The Kronecker product: every element of input times all of other, in blocks."""
    ndim = max(input._data.ndim, other._data.ndim)
    a = (*(1,) * (ndim - input._data.ndim), *input._data.shape)
    b = (*(1,) * (ndim - other._data.ndim), *other._data.shape)
    blocks = mul(
        reshape(input, [n for size in a for n in (size, 1)]), reshape(other, [n for size in b for n in (1, size)])
    )
    return reshape(blocks, [m * n for m, n in zip(a, b, strict=True)])


def cross(input, other, dim=None):
    """The cross product along `dim`, of size 3: -1 in torch.linalg, here the first dim of that size unless told."""
    if dim is None:
        warn_once(
            "Using torch.cross without specifying the dim arg is deprecated.\nPlease either pass the dim explicitly or "
            "simply use torch.linalg.cross.\nThe default value of dim will change to agree with that of linalg.cross "
            "in a future release."
        )
        if 3 not in input._data.shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = input._data.shape.index(3)
    if input._data.ndim != other._data.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    given, dim = dim, wrap_dim(dim, input._data.ndim)
    if not input._data.shape[dim] == other._data.shape[dim] == 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {given} must have length 3. Got {input._data.shape[dim]} and "
            f"{other._data.shape[dim]}"
        )
    shape = broadcast_shapes("cross", input._data.shape, other._data.shape)
    (a, b, c), (x, y, z) = expand(input, shape).unbind(dim), expand(other, shape).unbind(dim)
    return stack((b * z - c * y, c * x - a * z, a * y - b * x), dim)


def chain_matmul(*matrices):
    """The product of several matrices, multiplied in the order that takes the fewest operations."""
    if len(matrices) == 1 and isinstance(matrices[0], tuple | list):
        matrices = tuple(matrices[0])
    for i, m in enumerate(matrices):
        if m._data.ndim != 2:
            raise RuntimeError(f"chain_matmul: tensor {i} must be 2-D but got {m._data.ndim}-D")
    if len(matrices) < 2:
        if not matrices:
            raise RuntimeError("chain_matmul(): Expected one or more matrices")
        return matrices[0]
    sizes = [m._data.shape[0] for m in matrices] + [matrices[-1]._data.shape[1]]
    return _multiply(matrices, _best_splits(sizes), 0, len(matrices))


def multi_dot(tensors):
    """chain_matmul of a list whose first and last may be vectors (torch.linalg.multi_dot)."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"linalg.multi_dot: expected at least 2 tensors but got {len(tensors)}")
    row, column = tensors[0]._data.ndim == 1, tensors[-1]._data.ndim == 1
    if row:
        tensors[0] = unsqueeze(tensors[0], 0)
    if column:
        tensors[-1] = unsqueeze(tensors[-1], 1)
    product = chain_matmul(*tensors)
    product = product.squeeze(-1) if column else product
    return product.squeeze(0) if row else product


def _best_splits(sizes) -> dict:
    """{(start, end): where to split that part of the chain}: the textbook's dynamic programme."""
    n = len(sizes) - 1
    cost: dict[tuple[int, int], float] = {(i, i + 1): 0 for i in range(n)}
    best = {}
    for length in range(2, n + 1):
        for start in range(n - length + 1):
            end = start + length
            cost[start, end] = math.inf
            for middle in range(start + 1, end):
                this = cost[start, middle] + cost[middle, end] + sizes[start] * sizes[middle] * sizes[end]
                if this < cost[start, end]:
                    cost[start, end], best[start, end] = this, middle
    return best


def _multiply(matrices, splits, start, end):
    if end - start == 1:
        return matrices[start]
    middle = splits[start, end]
    return matmul(_multiply(matrices, splits, start, middle), _multiply(matrices, splits, middle, end))


def matrix_power(input, n):
    """The matrix (or each of a batch) times itself, n times in all; n = 0 gives the identity, n < 0 powers of the
    inverse, or LinAlgError where there is none."""
    if input._data.ndim < 2 or input._data.shape[-1] != input._data.shape[-2]:
        raise RuntimeError(
            "linalg.matrix_power: A must be batches of square matrices, but they are "
            f"{' by '.join(map(str, input._data.shape[-2:]))} matrices"
        )
    if n < 0:
        input, n = inv(input), -n
    power = None
    while n:  # by squaring
        if n & 1:
            power = input if power is None else matmul(power, input)
        n >>= 1
        input = matmul(input, input) if n else input
    if power is None:
        identity = Function.as_tensor(K.namespace(input._data).eye(input._data.shape[-1], dtype=np.float32))
        return ZeroSlope.apply(expand(to_dtype(identity, input._data.dtype), input._data.shape), input)
    return power.clone() if power is input else power


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distance of every row of x1 (..., P, M) from every row of x2 (..., R, M): (..., P, R)."""
    for name, x in (("X1", x1), ("X2", x2)):
        if x._data.dtype.kind not in "fV":
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {x.dtype.torch_type}")
        if x._data.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x._data.ndim}D")
    if x1._data.shape[-1] != x2._data.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1._data.shape[-1]} X2: {x2._data.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if x1._data.dtype != x2._data.dtype:
        raise RuntimeError(f"expected scalar type {x1.dtype.torch_type} but found {x2.dtype.torch_type}")
    if x1._data.dtype in LOW_PRECISION and not (p == 2 and _by_products(x1, x2, compute_mode)):
        raise NotImplementedError(f"\"cdist\" not implemented for '{x1.dtype.torch_type}'; convert with .float()")
    if p == 2:
        return EuclideanDistances.apply(x1, x2)
    distances = _distances(x1, x2, p if x1._data.shape[-1] else 1)
    return ZeroSlope.apply(ZeroSlope.apply(distances.detach(), x1), x2) if p == 0 else distances


def _by_products(x1, x2, compute_mode) -> bool:
    """Whether torch multiplies matrices for these distances, which it can in half precision, too."""
    if compute_mode == "use_mm_for_euclid_dist_if_necessary":
        return max(x1._data.shape[-2], x2._data.shape[-2]) > 25
    return compute_mode == "use_mm_for_euclid_dist"


def _distances(x1, x2, p: float = 2):
    return vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


class EuclideanDistances(Function):
    """The distances of every row of x1 (..., P, M) from every row of x2 (..., R, M)."""

    torch_name = "CdistBackward0"
    row_major = True
    composed = staticmethod(_distances)

    @staticmethod
    def forward(ctx, x1, x2):
        distances = K.euclidean(x1, x2)
        ctx.save_for_backward(x1, x2, distances)
        return distances

    @staticmethod
    def backward(ctx, g):  # arrays alone: second derivatives are those of `composed`
        # With w_pr = g_pr / d_pr, a row's gradient is sum_r w_pr (x1_p - x2_r) = x1_p sum_r w_pr - sum_r w_pr x2_r: a
        # product of matrices. Both are moved to where their difference cancels few digits.
        x1, x2, distances = ctx.saved
        w = K.where(distances > 0, g / distances, 0)
        center = x2.mean(axis=-2, keepdims=True)
        near1, near2 = x1 - center, x2 - center
        need1, need2 = ctx.needs_input_grad
        return (
            sum_to(near1 * w.sum(axis=-1)[..., None] - K.matmul(w, near2), x1.shape) if need1 else None,
            sum_to(near2 * w.sum(axis=-2)[..., None] - K.matmul(w.swapaxes(-1, -2), near1), x2.shape)
            if need2
            else None,
        )


def pdist(input, p=2.0):
    """The p-norm distances of the rows of input (N, M) from those after them: (N (N - 1) / 2,), first row first."""
    if input._data.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input._data.ndim}D")
    if input._data.dtype.kind not in "fV":
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    if input._data.itemsize == 2:
        raise NotImplementedError(f"\"pdist\" not implemented for '{input.dtype.torch_type}'")
    number = K.namespace(input._data).arange(input._data.shape[0])
    first, second = K.nonzero(number[:, None] < number)
    if p == 2:
        distances = EuclideanDistances.apply(input, input)  # twice as many, without the differences of all pairs
        return called("PdistBackward0", Index.apply(distances, (first, second)))
    difference = Index.apply(input, (first,)) - Index.apply(input, (second,))
    distances = vector_norm(difference, p if input._data.shape[1] else 1, 1)
    return ZeroSlope.apply(distances.detach(), input) if p == 0 else called("PdistBackward0", distances)


def block_diag(*tensors):
    """The matrices (vectors as rows, numbers as 1 x 1) along the diagonal of a matrix of zeros."""
    blocks = [reshape(x, (1, -1)) if x._data.ndim < 2 else x for x in tensors]
    for i, x in enumerate(blocks):
        if x._data.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {x._data.ndim} "
                "dimensions"
            )
    width = sum(x._data.shape[1] for x in blocks)
    if not blocks:
        return Function.as_tensor(np.zeros((1, 0), get_default_dtype().numpy))
    rows, left = [], 0
    for x in blocks:
        height, n = x._data.shape
        rows.append(cat((x.new_zeros(height, left), x, x.new_zeros(height, width - left - n)), dim=1))
        left += n
    return cat(rows)


listed(globals())


class ProductMethods:
    matrix_power = matrix_power
    inner, vdot, kron, cross = inner, vdot, kron, cross
