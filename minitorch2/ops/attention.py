"""Scaled dot-product attention, fused. The second derivatives run through the same made of ordinary ops."""

from __future__ import annotations

import math

import minitorch2_kernels as K

from ..core.function import Function
from .activation import softmax
from .linalg import matmul
from .masking import masked_fill
from .views import transpose


class Attention(Function):
    """softmax(scale q k^T + mask) v for q (*, L, E), k (*, S, E), v (*, S, V), the batch dims broadcasting: (*, L, V).

    mask: added to the scores, or None. causal: query i sees keys 0 to i. kept: the weights that dropout leaves, a bool
    array (*, L, S), each with probability keep; or None. A query that sees no key gives zeros.
    """

    broadcasts = True
    torch_name = "ScaledDotProductFlashAttentionForCpuBackward0"

    @staticmethod
    def forward(ctx, q, k, v, mask, causal, scale, kept, keep):
        y, weights = K.attention(q, k, v, mask, causal, scale, kept, keep)
        ctx.save_for_backward(q, k, v, mask)
        ctx.save_constants(weights, kept)
        ctx.settings = scale, keep
        return y

    @staticmethod
    def backward(ctx, g):
        q, k, v, mask = ctx.saved
        weights, kept = ctx.constants
        scale, keep = ctx.settings
        of_mask = mask is not None and ctx.needs_input_grad[3]
        return *K.attention_grad(g, q, k, v, weights, scale, kept, keep, of_mask), None, None, None, None

    @staticmethod
    def composed(q, k, v, mask, causal, scale, kept, keep):
        scores = matmul(q * scale, transpose(k, -2, -1))
        if mask is not None:
            scores = scores + mask
        if causal:
            length, keys = scores._data.shape[-2:]
            hidden = K.hidden(length, keys, K.namespace(scores._data))
            scores = masked_fill(scores, Function.as_tensor(hidden), -math.inf)
        nobody = Function.as_tensor((scores._data == -math.inf).all(axis=-1, keepdims=True))
        weights = masked_fill(softmax(masked_fill(scores, nobody, 0.0), -1), nobody, 0.0)
        if kept is not None:
            weights = weights * Function.as_tensor(kept) * (1 / keep)
        return matmul(weights, v)
