"""Looking up rows of a table."""

from __future__ import annotations

import minitorch2_kernels as K

from ..core.dtypes import LOW_PRECISION, float32
from ..core.function import Function
from .arithmetic import Where
from .index_ops import Ungather
from .pad import Pad


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


class EmbeddingBag(Function):
    """Of each bag the sum, the mean or, column by column, the largest of weight[indices]: (bags, D), zeros for an empty
    one. For the sum, factors (n,) multiply the rows, or None.

    bag (n,), ascending: which bag each index is in, `bags` for one that counts in none. by_frequency: as Embedding's.
    """

    @staticmethod
    def forward(ctx, weight, factors, indices, bag, bags, mode, by_frequency):
        ctx.save_for_backward(weight if ctx.needs_input_grad[1] else None, factors)
        ctx.rows, ctx.mode, ctx.by_frequency, ctx.counts = weight.shape[0], mode, by_frequency, None
        if mode == "max":
            y, place = K.bag_largest(weight, indices, bag, bags)
            if ctx.needs_input_grad[0]:
                rows = K.concatenate([indices, K.zeros_like(indices, shape=(1,))])[place]
                ctx.save_constants(rows, place == indices.size)
            return y
        y = K.bag_sums(weight, indices, bag, bags, factors)
        if mode == "mean":
            counts = K.occurrences(bag, bags + 1)[:bags]
            ctx.counts = K.maximum(counts, 1).astype(y.dtype)[:, None]
            y /= ctx.counts
        ctx.save_constants(indices, bag)
        return y

    @staticmethod
    def backward(ctx, g):
        none = (None,) * 5
        if ctx.mode == "max":
            rows, empty = ctx.constants
            g = Where.apply(empty, 0.0, g)
            return Ungather.apply(g, rows, (ctx.rows, g.shape[1]), 0), None, *none
        weight, factors = ctx.saved
        indices, bag = ctx.constants
        g = Embedding.apply(Pad.apply(_of_sums(ctx, g), (0, 0), (1, 0), 0), bag, None, False)  # (n, D)
        dfactors = (Embedding.apply(weight, indices, None, False) * g).sum(1) if ctx.needs_input_grad[1] else None
        g = g if factors is None else g * factors.reshape(-1, 1)
        return EmbeddingGrad.apply(g, indices, ctx.rows, None, ctx.by_frequency), dfactors, *none

    @staticmethod
    def fused_backward(ctx, g):
        if ctx.mode == "max":
            return EmbeddingBag.backward(ctx, g)
        weight, factors = ctx.saved
        indices, bag = ctx.constants
        g = K.ascontiguousarray(_of_sums(ctx, g))
        need_weight, need_factors = ctx.needs_input_grad[:2]
        dweight = dfactors = None
        if need_weight:
            dweight = K.bag_sums_grad(g, indices, bag, ctx.rows, factors)
            if ctx.by_frequency:
                dweight *= _scale(g, indices, ctx.rows, None, True)
        if need_factors:
            dfactors = K.bag_factors_grad(g, weight, indices, bag)
        return dweight, dfactors, None, None, None, None, None


def _of_sums(ctx, g):
    """The gradient of a bag's sum, from that of its mean where this is what was asked for."""
    if ctx.counts is None:
        return g
    return g / (Function.as_tensor(ctx.counts) if ctx.create_graph else ctx.counts)


def _scale(g, indices, rows, padding, by_frequency):
    """The factor of each row's gradient g (rows, 1); None where all are 1."""
    if padding is None and not by_frequency:
        return None
    scale = K.ones_like(g, shape=(rows, 1))
    if by_frequency:
        counts = K.occurrences(indices.reshape(-1), rows)
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
