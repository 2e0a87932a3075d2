"""The cross entropy of a linear map's results, of which only some rows exist at a time."""

from __future__ import annotations

from ..dispatch import kernel, namespace
from .matmul import linear, matmul


@kernel
def linear_class_loss(x, weight, bias, target, scale, rows, wanted):
    """(losses (N,), dx, dweight, dbias): the loss of each row of x, and the gradients of their sum, None where they are
    not `wanted` (three bools).

    losses = scale * (logsumexp(z) - z[target]) with z = x weight^T + bias (N, C), `rows` rows at a time. x (N, I),
    weight (C, I), bias (C,) or None; target (N,), integers in [0, C); scale (N,). All but target of one dtype.
    """
    xp = namespace(x)
    losses = xp.empty(x.shape[0], x.dtype)
    dx, dweight = (
        xp.zeros(a.shape, a.dtype) if want else None for a, want in zip((x, weight), wanted[:2], strict=True)
    )
    dbias = xp.zeros(weight.shape[0], x.dtype) if wanted[2] else None
    for start in range(0, x.shape[0], rows):
        part = slice(start, start + rows)
        z = linear(x[part], weight, bias)  # (rows, C)
        z -= z.max(axis=1, keepdims=True)
        at = xp.arange(z.shape[0]), target[part]
        picked = z[at]
        xp.exp(z, out=z)
        total = z.sum(axis=1)
        losses[part] = scale[part] * (xp.log(total) - picked)
        if not any(wanted):
            continue
        z *= (scale[part] / total)[:, None]  # softmax(z) scale
        z[at] -= scale[part]
        if dx is not None:
            dx[part] = matmul(z, weight)
        if dweight is not None:
            dweight += matmul(z.T, x[part])
        if dbias is not None:
            dbias += z.sum(axis=0)
    return losses, dx, dweight, dbias
