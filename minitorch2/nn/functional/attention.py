"""Scaled dot-product attention. (With its projections and several heads: multihead.)"""

from __future__ import annotations

import math

import numpy as np

import minitorch2_kernels as K

from ...core.autocast import listed
from ...core.dtypes import c_name, float32
from ...core.function import Function
from ...ops._common import broadcast_shapes, require_tensor, wrap_dim
from ...ops.attention import Attention
from ...ops.linalg import matmul
from ...ops.random import resolved


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None, enable_gqa=False
):
    """softmax(query key^T scale + mask) value (*, L, V) for query (*, L, E), key (*, S, E), value (*, S, V).

    attn_mask broadcasts to (*, L, S): bool, True where a key takes part, or numbers to be added, of query's dtype or
    float32. is_causal: position i sees keys 0 to i; with a mask a RuntimeError, except where torch's fused kernel takes
    both. scale: 1 / sqrt(E) unless told. dropout_p: dropout of the weights, always on. enable_gqa: query may have a
    multiple of key's and value's heads (dim -3). A row without any key gives zeros. The weights (*, L, S) are kept for
    backward. Source: Vaswani et al., "Attention Is All You Need", 2017.
    """
    materialize = getattr(attn_mask, "_materialize", None)
    if materialize is not None:  # a CausalBias, which goes to where it is used
        attn_mask = materialize(query.device)
    _check(query, key, value, attn_mask)
    if attn_mask is not None and is_causal and not _takes_both(query, key, value, attn_mask, dropout_p, enable_gqa):
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if enable_gqa:
        key, value = (_as_many_heads(query, t) for t in (key, value))
    shape = _scores_shape(query, key, value)
    if attn_mask is not None:
        attn_mask = _additive(attn_mask, query, shape)
    if scale is None:
        scale = 1 / math.sqrt(query._data.shape[-1]) if query._data.shape[-1] else 1.0
    if dropout_p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    kept, keep = None, 1.0
    if dropout_p == 1:
        kept = K.namespace(query._data).zeros(shape, bool)
    elif dropout_p > 0 and 0 not in shape:
        keep = 1 - dropout_p
        kept = resolved(None, query.device).bernoulli(shape, np.dtype(bool), keep)
    y = Attention.apply(query, key, value, attn_mask, bool(is_causal), scale, kept, keep)
    return y if kept is None else y.contiguous()  # without dropout torch keeps the order of query's dims


def _check(query, key, value, mask):
    """What does not depend on sizes."""
    op, tensors = "scaled_dot_product_attention", (query, key, value)
    for i, (name, t) in enumerate(zip(("query", "key", "value"), tensors, strict=True), start=1):
        require_tensor(op, t, name, i)
    dims, names = [t._data.ndim for t in tensors], [c_name(t._data.dtype) for t in tensors]
    if min(dims) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{dims[0]} key.dim: {dims[1]} and value.dim: {dims[2]} instead."
        )
    if not query._data.dtype == key._data.dtype == value._data.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {names[0]} key.dtype: "
            f"{names[1]} and value.dtype: {names[2]} instead."
        )
    if query._data.dtype.kind not in "fV":
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: float != {names[0]}: {op}() takes floating dtypes; "
            "convert with .float()"
        )
    if mask is None:
        return
    require_tensor(op, mask, "attn_mask", 4)
    if mask._data.dtype.kind != "b" and mask._data.dtype not in (query._data.dtype, float32.numpy):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{c_name(mask._data.dtype)} and  query.dtype: {names[0]} instead."
        )


def _takes_both(query, key, value, mask, dropout_p, enable_gqa) -> bool:
    """Whether torch would compute it by its fused kernel, which takes a mask beside is_causal; the other refuses the
    two together."""
    if mask._data.ndim < 2:
        return True  # an error of its own comes
    q, k, v = (t._data.shape for t in (query, key, value))
    alike = len(q) == len(k) == len(v) == 4 and q[0] == k[0] == v[0] and q[3] == k[3] == v[3]
    heads = enable_gqa or q[1] == k[1] == v[1]
    return alike and heads and dropout_p == 0 and mask._data.ndim in (2, 4) and not mask.requires_grad


def _as_many_heads(query, t):
    """key or value with every head repeated until there are as many as query has."""
    if query._data.ndim < 3 or t._data.ndim < 3:
        raise IndexError(
            "Dimension out of range (expected to be in range of [-2, 1], but got -3): with enable_gqa, dim -3 is that "
            "of the heads"
        )
    heads, have = query._data.shape[-3], t._data.shape[-3]
    if have == 0 or heads % have:
        raise RuntimeError(
            f"Number of heads in key and value must divide the number of heads in query, but got {have} and {heads}"
        )
    return t if heads == have else t.repeat_interleave(heads // have, -3)


def _scores_shape(query, key, value):
    """(*, L, S); the errors of the two products where the sizes do not fit."""
    (*batch, length, width), keys = query._data.shape, key._data.shape[-2]
    if width != key._data.shape[-1]:
        matmul(query, key.transpose(-2, -1))  # raises
    batch = broadcast_shapes("matmul", batch, key._data.shape[:-2])
    batch = broadcast_shapes("matmul", batch, value._data.shape[:-2])
    if keys != value._data.shape[-2]:
        matmul(query.new_empty((*batch, length, keys)), value)  # raises
    return *batch, length, keys


def _additive(mask, query, shape):
    """The mask as numbers to be added to scores of this shape."""
    if mask._data.ndim < 2:
        wrap_dim(-2, mask._data.ndim)  # raises, as torch's expansion of the mask does
    if broadcast_shapes("add", shape, mask._data.shape) != shape:
        broadcast = list(broadcast_shapes("add", shape, mask._data.shape))
        raise RuntimeError(f"output with shape {list(shape)} doesn't match the broadcast shape {broadcast}")
    if mask._data.dtype.kind != "b":
        return mask
    dtype = query._data.dtype if query._data.itemsize > 2 else float32.numpy
    return Function.as_tensor(K.where(mask._data, dtype.type(0), dtype.type(-math.inf)))


listed(globals())

__all__ = ["scaled_dot_product_attention"]
