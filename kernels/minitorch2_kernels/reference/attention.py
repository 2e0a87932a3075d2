"""Attention: softmax(scale q k^T + mask) v, forward and backward.

Letters: L queries of width E, S keys of width E, S values of width V; `*` the batch dims, which broadcast.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace
from .matmul import matmul


@kernel
def attention(q, k, v, mask, causal, scale, kept, keep):
    """(y (*, L, V), weights (*, L, S)) for q (*, L, E), k (*, S, E), v (*, S, V).

    mask: added to the scores, broadcasts to them; or None. causal: query i sees keys 0 to i only. A query that sees no
    key, because all its scores are -inf, gives zeros. kept: which weights dropout leaves over, bool (*, L, S), with the
    probability `keep`; or None. The weights returned are those before dropout.
    """
    scores = matmul(q * q.dtype.type(scale), k.swapaxes(-1, -2))
    if mask is not None:
        scores += mask
    if causal:
        hide_(scores)
    softmax_(scores, mask is not None)
    return matmul(scores if kept is None else dropped(scores, kept, keep), v), scores


def hidden(length, keys, xp=np):
    """True where query i does not see key j, that is j > i. (length, keys)"""
    return xp.arange(keys) > xp.arange(length)[:, None]


def hide_(scores):
    """The scores of what a query does not see become -inf, in place."""
    xp = namespace(scores)
    xp.copyto(scores, -xp.inf, where=hidden(scores.shape[-2], scores.shape[-1], xp))


def softmax_(x, may_see_nothing):
    """softmax over the last dim, in place. may_see_nothing: rows of -inf are possible and become zeros."""
    if not x.size:
        return
    xp = namespace(x)
    top = x.max(axis=-1, keepdims=True)
    if may_see_nothing:
        top[top == -xp.inf] = 0
    x -= top
    xp.exp(x, out=x)
    total = x.sum(axis=-1, keepdims=True)
    if may_see_nothing:
        total[total == 0] = 1
    x /= total


def dropped(weights, kept, keep):
    """The weights after dropout."""
    return weights * kept * weights.dtype.type(1 / keep)


@kernel
def attention_grad(g, q, k, v, weights, scale, kept, keep, of_mask):
    """(dq, dk, dv, dmask) of `attention` for g (*, L, V), over the broadcast batch dims; dmask (*, L, S), the gradient
    of the scores, if of_mask, else None.

    With P the weights and D dropout's factors (both symmetric in what they do to a product):
    dv = (P D)^T g,  dP = D g v^T,  dscores = P (dP - sum(P dP)),  dq = scale dscores k,  dk = scale dscores^T q
    """
    used = weights if kept is None else dropped(weights, kept, keep)
    dv = matmul(used.swapaxes(-1, -2), g)
    dscores = matmul(g, v.swapaxes(-1, -2))
    dscores *= used
    dscores -= weights * dscores.sum(axis=-1, keepdims=True)
    scale = q.dtype.type(scale)
    dq = matmul(dscores, k)
    dq *= scale
    dk = matmul(dscores.swapaxes(-1, -2), q)
    dk *= scale
    return dq, dk, dv, dscores if of_mask else None
