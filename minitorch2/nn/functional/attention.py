"""Attention."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ...core.function import Function
from ...ops.activation import softmax
from .dropout import dropout


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """softmax(query key^T scale + mask) value (..., L, V) for query (..., L, E), key (..., S, E), value (..., S, V).

    attn_mask broadcasts to (..., L, S): bool, True where a key takes part, or numbers to be added. is_causal: position
    i sees keys 0 to i. scale: 1 / sqrt(E) unless told. dropout_p: dropout of the weights, always on. enable_gqa: query
    may have a multiple of key's heads (dim -3). A row without any key gives zeros. Source: Vaswani et al., 2017.
    """
    dims = [t._data.ndim for t in (query, key, value)]
    if min(dims) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{dims[0]} key.dim: {dims[1]} and value.dim: {dims[2]} instead."
        )
    if not query._data.dtype == key._data.dtype == value._data.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got {query.dtype}, {key.dtype} and "
            f"{value.dtype}"
        )
    if enable_gqa:
        key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
    length, width = query._data.shape[-2:]
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError(
                "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
            )
        attn_mask = Function.variable(K.tril(K.full((length, key._data.shape[-2]), True)))
    # Scaling both by the root keeps the products small in half precision, as torch does.
    root = math.sqrt(scale if scale is not None else 1 / math.sqrt(width))
    scores = (query * root) @ (key.transpose(-2, -1) * root)
    if attn_mask is not None:
        scores, nobody = _masked(scores, attn_mask)
    weights = softmax(scores, -1)
    if attn_mask is not None and nobody is not None:
        weights = weights.masked_fill(nobody, 0.0)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p)
    return weights @ value


def _masked(scores, mask):
    """The scores with the mask, and the rows that are left with no key (None: the mask is not of bools)."""
    if mask._data.dtype.kind == "b":
        nobody = ~mask.any(-1, keepdim=True)
        return scores.masked_fill(~(mask | nobody), -math.inf), nobody
    if mask._data.dtype != scores._data.dtype:
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{mask.dtype} and  query.dtype: {scores.dtype} instead."
        )
    return scores + mask, None


__all__ = ["scaled_dot_product_attention"]
