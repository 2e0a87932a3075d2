"""Looking up rows of a table."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.dtypes import LOW_PRECISION, float32
from ..core.function import Function


class Embedding(Function):
    """weight[indices]. Row `padding` (None: none) gets no gradient; `by_frequency` divides a row's by its count."""

    @staticmethod
    def forward(ctx, weight, indices, padding, by_frequency):
        ctx.save_constants(indices)
        ctx.rows, ctx.padding, ctx.by_frequency = weight.shape[0], padding, by_frequency
        rows = K.take_slices(weight, indices.reshape(-1), 0)
        return rows.reshape(*indices.shape, weight.shape[1])

    @staticmethod
    def backward(ctx, g):
        return EmbeddingGrad.apply(g, ctx.constants[0], ctx.rows, ctx.padding, ctx.by_frequency), None, None, None


class EmbeddingGrad(Function):
    """dweight: every g added to the row it came from."""

    @staticmethod
    def forward(ctx, g, indices, rows, padding, by_frequency):
        ctx.scale = _scale(g, indices, rows, padding, by_frequency)
        ctx.save_constants(indices)
        flat = indices.reshape(-1).astype(K.int64, copy=False)
        weight = K.index_add(K.namespace(g).zeros((rows, g.shape[-1]), g.dtype), flat, g.reshape(-1, g.shape[-1]))
        if ctx.scale is not None:
            weight *= ctx.scale
        if padding is not None:
            weight[padding] = 0  # whatever came, NaN too
        return weight

    @staticmethod
    def backward(ctx, gg):
        if ctx.scale is not None:
            gg = gg * (Function.as_tensor(ctx.scale) if ctx.create_graph else ctx.scale)
        return Embedding.apply(gg, ctx.constants[0], None, False), None, None, None, None


def _scale(g, indices, rows, padding, by_frequency):
    """The factor of each row's gradient g (rows, 1); None where all are 1."""
    if padding is None and not by_frequency:
        return None
    scale = K.ones_like(g, shape=(rows, 1))
    if by_frequency:
        counts = K.bincount(indices.reshape(-1), minlength=rows)
        scale /= K.maximum(counts, 1).astype(g.dtype)[:, None]
    if padding is not None:
        scale[padding] = 0
    return scale


def limit_norms(weight, indices, max_norm, norm_type):
    """Scales the rows of weight that `indices` names down to max_norm, in place and unknown to autograd."""
    rows = K.unique(indices)
    table = weight._data
    values = table[rows] if table.dtype not in LOW_PRECISION else K.cast(table[rows], float32.numpy)
    norms = (K.abs(values) ** norm_type).sum(axis=1, keepdims=True) ** (1 / norm_type)
    long = (norms > max_norm)[:, 0]
    values[long] *= max_norm / (norms[long] + 1e-7)
    table[rows] = K.cast(values, table.dtype)
    weight._bump()
