"""Normalisation: mean, variance and their gradients over x (A, B, L), statistics of B over A and L.

Every normalisation is this one under another shape: batch norm has A = N, B = C; layer norm A = 1, B = rows, L = row.
"""

from __future__ import annotations

import math

from ..dispatch import kernel, namespace
from .cast import cast
from .sums import sums_of_products


def _total(x):
    """The sum over A and L: the rows first, so that few partial sums are added one after the other. (B,)"""
    rows = x[:, :, 0] if x.shape[2] == 1 else x.sum(axis=2)
    return rows.sum(axis=0)


def _dot(x, y):
    """The sum of x * y over A and L, without making the product. (B,)"""
    return sums_of_products(x, y, 2).sum(axis=0)


@kernel
def moments(x):
    """(mean, var): of each b, over A and L; var biased."""
    count = x.shape[0] * x.shape[2]
    mean = _total(x) / x.dtype.type(count)
    centred = x - mean[:, None]
    return mean, _dot(centred, centred) / x.dtype.type(count)


@kernel
def statistics(x, eps, running_mean, running_var, momentum):
    """(mean, rstd) of each b over A and L, rstd = 1 / sqrt(var + eps). running_mean and running_var (B,), either
    perhaps None, become (1 - momentum) of what they were and momentum of the mean and the unbiased var, in place."""
    mean, var = moments(x)
    if running_mean is not None:
        _move(running_mean, mean, momentum)
    if running_var is not None:
        _move(running_var, var * x.dtype.type(unbiased(x.shape[0] * x.shape[2])), momentum)
    return mean, _rstd(var, eps)


@kernel
def kept_statistics(mean, var, eps, dtype):
    """(mean, 1 / sqrt(var + eps)) as `dtype`; the mean is a copy."""
    return cast(mean, dtype), _rstd(cast(var, dtype), eps)


def unbiased(count: int) -> float:
    """What makes the variance of `count` numbers unbiased; NaN for one of them."""
    return count / (count - 1) if count > 1 else math.nan


def _rstd(var, eps):
    return 1 / namespace(var).sqrt(var + var.dtype.type(eps))


def _move(running, new, momentum):
    if running.itemsize > 2:
        running *= running.dtype.type(1 - momentum)
        running += cast(new, running.dtype) * running.dtype.type(momentum)
    else:
        running[...] = cast(cast(running, new.dtype) * (1 - momentum) + new * momentum, running.dtype)


@kernel
def normalize(x, mean, rstd, weight, bias):
    """(x - mean) * rstd * weight + bias, all of shape (B,); weight and bias may be None."""
    scale = rstd if weight is None else rstd * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    y = x * scale[:, None]
    y += shift[:, None]
    return y


@kernel
def normalize_grad(g, x, mean, rstd, weight, from_batch):
    """(dx, dweight, dbias) of `normalize`; from_batch: mean and rstd were x's own and have slopes of their own.

    With n = A * L and h = (x - mean) rstd:  dx = weight rstd (g - sum(g)/n - h sum(g h)/n)
    """
    count = x.dtype.type(x.shape[0] * x.shape[2])
    dweight, dbias = affine_grad(g, x, mean, rstd)
    scale = rstd if weight is None else rstd * weight
    if not from_batch:
        return g * scale[:, None], dweight, dbias
    by = scale / -count
    return mix(g, x, mean, scale, dweight * rstd * by, dbias * by), dweight, dbias


@kernel
def affine_grad(g, x, mean, rstd):
    """(dweight, dbias) of `normalize`: the sums of g (x - mean) rstd and of g, of each b over A and L."""
    return _dot(g, x - mean[:, None]) * rstd, _total(g)


@kernel
def mix(g, x, mean, by, along, shift):
    """by g + along (x - mean) + shift, where all but g and x have shape (B,)."""
    y = x - mean[:, None]
    y *= along[:, None]
    y += shift[:, None]
    y += g * by[:, None]
    return y


def _to_channels(statistic, weight, n: int, channels: int):
    """statistic (N * groups,), times weight (C,) unless that is None, for each image's channels: (N * C,)."""
    groups = len(statistic) // n
    each = statistic.reshape(n, groups, 1)
    weight = None if weight is None else weight.reshape(1, groups, -1)
    product = namespace(each).broadcast_to(each, (n, groups, channels // groups)) if weight is None else each * weight
    return product.reshape(-1)


@kernel
def group_norm(x, weight, bias, groups, eps):
    """(y, mean, rstd) of x (N, C, L): each image's groups of C / groups channels by their own mean and rstd (N *
    groups,), then weight and bias (C,), either perhaps None."""
    n, channels, _ = x.shape
    mean, rstd = statistics(x.reshape(1, n * groups, -1), eps, None, None, 0.0)
    bias = None if bias is None else namespace(x).broadcast_to(bias, (n, channels)).reshape(-1)
    centre, scale = _to_channels(mean, None, n, channels), _to_channels(rstd, weight, n, channels)
    return normalize(x.reshape(1, n * channels, -1), centre, scale, None, bias).reshape(x.shape), mean, rstd


@kernel
def group_norm_grad(g, x, mean, rstd, weight, groups):
    """(dx, dweight, dbias) of `group_norm`.

    With n numbers in a group, h = (x - mean) rstd and v = g weight:  dx = rstd (v - sum(v)/n - h sum(v h)/n)
    """
    n, channels, length = x.shape
    rows, each = (1, n * channels, length), channels // groups
    centre, factor, by = (_to_channels(*pair, n, channels) for pair in ((mean, None), (rstd, None), (rstd, weight)))
    sums = [a.reshape(n, channels) for a in affine_grad(g.reshape(rows), x.reshape(rows), centre, factor)]
    dweight, dbias = (a.sum(axis=0) for a in sums)
    if weight is not None:
        sums = [a * weight for a in sums]
    means = (a.reshape(n * groups, each).sum(axis=1) / x.dtype.type(-each * length) for a in sums)
    along, shift = (_to_channels(a, None, n, channels) * factor for a in means)
    dx = mix(g.reshape(rows), x.reshape(rows), centre, by, along * factor, shift)
    return dx.reshape(x.shape), dweight, dbias


@kernel
def layer_norm(x, weight, bias, eps):
    """(y, mean (R, 1), rstd (R, 1)) of rows x (R, D): y = (x - mean) * rstd * weight + bias, both (D,) or None."""
    xp, width = namespace(x), x.dtype.type(x.shape[1])
    mean = x.sum(axis=1, keepdims=True) / width
    y = x - mean
    rstd = 1 / xp.sqrt(sums_of_products(y, y, 1)[:, None] / width + x.dtype.type(eps))
    y *= rstd
    if weight is not None:
        y *= weight
    if bias is not None:
        y += bias
    return y, mean, rstd


@kernel
def layer_norm_grad(g, x, mean, rstd, weight):
    """(dx, dweight, dbias) of `layer_norm`; as `normalize_grad`, but weight runs along the row."""
    width = x.dtype.type(x.shape[1])
    h = x - mean
    h *= rstd
    dweight, dbias = sums_of_products(g, h, 0), g.sum(axis=0)
    g = g if weight is None else g * weight
    h *= sums_of_products(g, h, 1)[:, None] / -width
    h += g
    h -= g.sum(axis=1, keepdims=True) / width
    h *= rstd
    return h, dweight, dbias


@kernel
def rms_norm(x, weight, eps):
    """(y, rstd (R, 1)) of rows x (R, D): y = x rstd weight, rstd = 1 / sqrt(mean(x^2) + eps); weight (D,) or None."""
    xp, width = namespace(x), x.dtype.type(x.shape[1])
    rstd = 1 / xp.sqrt((x * x).sum(axis=1, keepdims=True) / width + x.dtype.type(eps))
    y = x * rstd
    if weight is not None:
        y *= weight
    return y, rstd


@kernel
def rms_norm_grad(g, x, rstd, weight):
    """(dx, dweight) of `rms_norm`. With h = x rstd and v = g weight:  dx = rstd (v - h sum(v h)/D)"""
    h = x * rstd
    dweight = (g * h).sum(axis=0)
    g = g if weight is None else g * weight
    h *= (g * h).sum(axis=1, keepdims=True) / -x.dtype.type(x.shape[1])
    h += g
    h *= rstd
    return h, dweight
