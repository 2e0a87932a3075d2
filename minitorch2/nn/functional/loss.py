"""Losses."""

from __future__ import annotations

import warnings

import minitorch2_kernels as K

from ...core.function import Function
from ...ops.activation import log_softmax
from ...ops.loss import NLLLoss


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """The negative log-likelihood: -input[n, target[n]], weighted, over input (N, C, d1, ...) or (C) of log-probabilities.

    reduction "mean" divides by the sum of the targets' weights; ignored targets count for nothing.
    """
    reduction = check_reduction(reduction, size_average, reduce)
    unbatched = input._data.ndim == 1
    if unbatched:
        input, target = input.unsqueeze(0), target.unsqueeze(0) if target._data.ndim == 0 else target
    _check_nll(input, target, weight)
    t, classes = target._data, input._data.shape[1]
    ignored = t == ignore_index
    wrong = ((t < 0) | (t >= classes)) & ~ignored
    if wrong.any():
        raise IndexError(f"Target {t[wrong].flat[0]} is out of bounds.")
    safe = K.where(ignored, 0, t).astype(K.int64, copy=False)
    scale = K.full(t.shape, 1, input._data.dtype) if weight is None else weight._data[safe]
    scale = K.where(ignored, scale.dtype.type(0), scale)
    losses = NLLLoss.apply(input, safe, scale)
    if reduction == "none":
        return losses.squeeze(0) if unbatched else losses
    total = losses.sum()
    return total / Function.variable(K.asarray(scale.sum(), scale.dtype)) if reduction == "mean" else total


def _check_nll(input, target, weight):
    x, t = list(input._data.shape), list(target._data.shape)
    if len(x) < 2:
        raise RuntimeError(f"input tensor should be 1D or 2D or more, got {len(x)}D")
    if target._data.dtype.kind not in "iu":
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.torch_type}")
    if x[0] != t[0]:
        raise ValueError(f"Expected input batch_size ({x[0]}) to match target batch_size ({t[0]}).")
    if x[2:] != t[1:]:
        raise RuntimeError(f"size mismatch (got input: {x}, target: {t})")
    if weight is not None and weight._data.shape != (x[1],):
        raise RuntimeError(
            f"weight tensor should be defined either for all {x[1]} classes or no classes but got weight tensor of shape: "
            f"{list(weight._data.shape)}"
        )


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """nll_loss(log_softmax(input), target) for class indices; for targets of input's shape, -sum(target * log_softmax).

    input (N, C, d1, ...) or (C); label_smoothing mixes that share of the uniform distribution into the target.
    """
    reduction = check_reduction(reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = 0 if input._data.ndim == 1 else 1
    scores = log_softmax(input, dim)
    if target._data.shape == input._data.shape and target._data.dtype.kind in "fV":
        return _soft_cross_entropy(scores, target, weight, reduction, label_smoothing, dim)
    hard = nll_loss(scores, target, weight, ignore_index=ignore_index, reduction=reduction)
    if label_smoothing == 0.0:
        return hard
    return _smoothed(scores, target, weight, ignore_index, reduction, label_smoothing, dim, hard)


def _soft_cross_entropy(scores, target, weight, reduction, smoothing, dim):
    classes = scores._data.shape[dim]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    weighted = scores * target
    if weight is not None:
        weighted = weighted * _per_class(weight, scores, dim)
    losses = -weighted.sum(dim)
    if reduction == "mean":
        return losses.sum() / (scores._data.size // classes)
    return losses.sum() if reduction == "sum" else losses


def _smoothed(scores, target, weight, ignore_index, reduction, smoothing, dim, hard):
    classes = scores._data.shape[dim]
    uniform = scores if weight is None else scores * _per_class(weight, scores, dim)
    ignored = target == ignore_index
    losses = (-uniform.sum(dim)).masked_fill(ignored, 0.0)
    if reduction == "mean":
        if weight is None:
            count = K.asarray((~ignored._data).sum(), scores._data.dtype)
        else:
            kept = K.where(ignored._data, 0, target._data)
            count = K.asarray(K.where(ignored._data, 0, weight._data[kept]).sum(), scores._data.dtype)
        losses = losses.sum() / Function.variable(count)
    elif reduction == "sum":
        losses = losses.sum()
    return hard * (1 - smoothing) + losses * (smoothing / classes)


def _per_class(weight, scores, dim):
    return weight.reshape([-1 if d == dim else 1 for d in range(scores._data.ndim)])


def check_reduction(reduction, size_average=None, reduce=None) -> str:
    """'none', 'mean' or 'sum'; torch's deprecated size_average and reduce are translated, with its warning."""
    if size_average is not None or reduce is not None:
        average = True if size_average is None else size_average
        reduction = ("mean" if average else "sum") if reduce in (None, True) else "none"
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=3
        )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


__all__ = ["cross_entropy", "nll_loss"]
