"""torch.multinomial on arrays: category numbers drawn in proportion to weights."""

from __future__ import annotations

import numpy as np

from minitorch2_kernels.reference.cast import cast

from . import dtypes
from .generator import Generator
from .memory_order import memory_order, transposed_back

_FLOAT32 = np.dtype(np.float32)


def multinomial(generator: Generator, weights: np.ndarray, n: int, replacement: bool) -> np.ndarray:
    """n categories for each row of weights: int64, shape (n,) or (rows, n).

    weights: a floating dtype, shape (categories,) or (rows, categories), not negative, need not add up to 1.

    Without replacement, or for one sample, the largest n of weight / Exp(1) win ("Gumbel top-k"); where two
    of those quotients are equal, which half precision and zero weights make likely, torch's choice is not
    defined.
    """
    check_weights(weights, n, replacement)
    if weights.size == 0:
        return np.empty((*weights.shape[:-1], n), np.int64)
    if replacement and n > 1:
        return _with_replacement(generator, weights, n)
    return _race(generator, weights, n)


def check_weights(weights, n, replacement) -> None:
    """torch's errors for what can be told without looking at the weights."""
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    d = dtypes.from_numpy_dtype(weights.dtype)
    if not d.is_floating_point:
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {d.torch_type}")
    if n <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    categories = weights.shape[-1]
    if not replacement and n > categories:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if categories > 2**24:
        raise RuntimeError("number of categories cannot exceed 2^24")


def _race(generator, weights, n):
    values = _in_full_precision(weights)
    if not ((values >= 0) & (values < np.inf)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (values.sum(-1) == 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    axes = memory_order(weights)  # in which torch fills a tensor
    drawn = generator.exponential(weights.transpose(axes).shape, weights.dtype)
    waiting = _in_full_precision(transposed_back(drawn, axes))
    quotients = _in_full_precision(cast(values / waiting, weights.dtype))
    if n == 1:
        return np.argmax(quotients, -1, keepdims=True)
    return np.ascontiguousarray(np.argsort(-quotients, -1, kind="stable")[..., :n])


def _with_replacement(generator, weights, n):
    values = _in_full_precision(weights)
    if (values < 0).any():
        raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
    if not np.isfinite(values).all():
        raise RuntimeError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
    cumulative: np.ndarray = np.cumsum(values, -1)
    if not (cumulative[..., -1] > 0).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    cumulative /= cumulative[..., -1:].copy()
    cumulative[..., -1] = 1
    uniforms = generator.uniform((*weights.shape[:-1], n), np.dtype(np.float64))
    if weights.ndim == 1:
        return np.searchsorted(cumulative.astype(np.float64), uniforms)
    rows = [np.searchsorted(c.astype(np.float64), u) for c, u in zip(cumulative, uniforms, strict=True)]
    return np.stack(rows)


def _in_full_precision(weights) -> np.ndarray:
    return weights if weights.dtype.itemsize > 2 else cast(weights, _FLOAT32)
