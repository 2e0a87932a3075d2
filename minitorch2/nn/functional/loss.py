"""Losses over classes, and what all losses share: reading `reduction`, and reducing."""

from __future__ import annotations

import warnings

import numpy as np

import minitorch2_kernels as K

from ...core.autocast import listed, stacklevel
from ...core.dtypes import LOW_PRECISION
from ...core.function import Function
from ...ops._common import require_floating, require_tensor
from ...ops.activation import log_softmax
from ...ops.loss import CrossEntropyMean, NLLLoss, NLLLossMean


def check_reduction(reduction, size_average=None, reduce=None) -> str:
    """'none', 'mean' or 'sum'; torch's deprecated size_average and reduce are translated, with its warning."""
    if size_average is not None or reduce is not None:
        reduction = reduction_of(size_average, reduce, 3)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduction_of(size_average, reduce, level) -> str:
    """What the two stand for. level: the frame, counted from the caller's, that the warning is about; None: none."""
    average = True if size_average is None else size_average
    reduction = ("mean" if average else "sum") if reduce in (None, True) else "none"
    if level is not None:
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            stacklevel=stacklevel(level + 1),
        )
    return reduction


def reduced(losses, reduction):
    """The losses themselves ('none'), their sum or their mean."""
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """The negative log-likelihood: -input[n, target[n]], weighted; input (N, C, d1, ...) or (C): log-probabilities.

    reduction "mean" divides by the sum of the targets' weights; ignored targets count for nothing.
    """
    reduction = check_reduction(reduction, size_average, reduce)
    _check_nll(input, target, weight)
    if input._data.dtype in LOW_PRECISION:
        weight = None if weight is None else weight.float()
        return nll_loss(input.float(), target, weight, None, ignore_index, None, reduction).to(input.dtype)
    unbatched = input._data.ndim == 1
    if unbatched:
        input, target = input.unsqueeze(0), target.reshape(1)
    t, classes = target._data, input._data.shape[1]
    if K.on_device(t):
        return _nll_on_gpu(input, t, weight, ignore_index, reduction, unbatched)
    if _all_count(t, classes, weight, ignore_index):
        indices = target if t.dtype == K.int64 else t.astype(K.int64)
        if reduction == "mean":
            return NLLLossMean.apply(input, indices)
        losses = NLLLoss.apply(input, indices, None)
        return reduced(losses.squeeze(0) if unbatched and reduction == "none" else losses, reduction)
    ignored = t == ignore_index
    wrong = ((t < 0) | (t >= classes)) & ~ignored
    if wrong.any():
        raise IndexError(f"Target {t[wrong].flat[0]} is out of bounds.")
    safe = K.where(ignored, 0, t).astype(K.int64, copy=False)
    scale = K.ones_like(t, dtype=input._data.dtype) if weight is None else weight._data[safe]
    scale = K.where(ignored, scale.dtype.type(0), scale)
    losses = NLLLoss.apply(input, safe, scale)
    if reduction == "none":
        return losses.squeeze(0) if unbatched else losses
    total = losses.sum()
    return total / Function.as_tensor(K.asarray(scale.sum(), scale.dtype)) if reduction == "mean" else total


def _all_count(t, classes, weight, ignore_index) -> bool:
    """Whether there are targets, and every one is a class and counts the same."""
    return weight is None and not 0 <= ignore_index < classes and t.size > 0 and _all_below(t, classes)


def _all_below(t, classes: int) -> bool:
    """Whether all numbers in t, not empty, are in [0, classes): a negative one is a large one without a sign."""
    return np.maximum.reduce(t.view(np.uint64) if t.dtype == _INDICES[0] else t, axis=None) < classes


def _nll_on_gpu(input, t, weight, ignore_index, reduction, unbatched):
    """nll_loss without waiting for the GPU. A target out of range cannot raise there: its loss is NaN."""
    weights = None if weight is None else weight._data
    safe, scale = K.class_scale(t, weights, input._data.shape[1], ignore_index, input._data.dtype)
    losses = NLLLoss.apply(input, safe, scale)
    if reduction == "none":
        return losses.squeeze(0) if unbatched else losses
    return losses.sum() / Function.as_tensor(scale.sum()) if reduction == "mean" else losses.sum()


_INDICES = (np.dtype(np.int64), np.dtype(np.uint8))


def _mismatch(x, t) -> str:
    """torch's words for a target of shape t that does not fit an input of shape x."""
    if len(x) == 2:
        return "0D or 1D target tensor expected, multi-target not supported"
    if len(x) != 4:
        return f"Expected target size {[x[0], *x[2:]]}, got {t}"
    if len(t) != 3:
        return f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(t)}"
    return f"size mismatch (got input: {x} , target: {t}"


def _check_nll(input, target, weight):
    require_tensor("nll_loss", input)
    require_tensor("nll_loss", target, "target", 2)
    x, t = input._data.shape, target._data.shape
    if not x:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    require_floating("nll_loss", input)
    if len(x) == 1:
        if target._data.size != 1 or len(t) > 1:
            raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {target._data.size}")
    elif not t or x[0] != t[0]:
        raise ValueError(f"Expected input batch_size ({x[0]}) to match target batch_size ({t[0] if t else 'none'}).")
    elif x[2:] != t[1:]:
        raise RuntimeError(_mismatch(list(x), list(t)))
    if target._data.dtype not in _INDICES:
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype.torch_type}")
    classes = x[1] if len(x) > 1 else x[0]
    if weight is not None and weight._data.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight._data.shape)}"
        )
    if weight is not None and weight._data.dtype != input._data.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.torch_type} but found {weight.dtype.torch_type} (weight)"
        )


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """nll_loss(log_softmax(input), target) for class indices; for targets of input's shape, -sum(target * log_softmax).

    input (N, C, d1, ...) or (C); label_smoothing mixes that share of the uniform distribution into the target.
    """
    reduction = check_reduction(reduction, size_average, reduce)
    if label_smoothing > 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    require_tensor("cross_entropy_loss", input)
    require_tensor("cross_entropy_loss", target, "target", 2)
    dim = 0 if input._data.ndim == 1 else 1
    soft = target._data.shape == input._data.shape
    if soft:
        _check_probabilities(input, target, weight, ignore_index, dim)
    elif _is_mean_over_rows(input, target, weight, ignore_index, reduction, label_smoothing):
        return CrossEntropyMean.apply(input, target)
    scores = log_softmax(input, dim)
    if soft:
        return _soft_cross_entropy(scores, target, weight, reduction, label_smoothing, dim)
    hard = nll_loss(scores, target, weight, ignore_index=ignore_index, reduction=reduction)
    if label_smoothing <= 0:
        return hard
    return _smoothed(scores, target, weight, ignore_index, reduction, label_smoothing, dim, hard)


def _is_mean_over_rows(input, target, weight, ignore_index, reduction, label_smoothing) -> bool:
    """Whether the loss is CrossEntropyMean: that of most classifiers, whose every target counts."""
    x, t = input._data, target._data
    return (
        reduction == "mean"
        and label_smoothing <= 0
        and x.ndim == 2
        and x.dtype.kind == "f"
        and t.shape == x.shape[:1]
        and t.dtype == np.int64
        and not K.on_device(x)
        and not K.on_device(t)
        and _all_count(t, x.shape[1], weight, ignore_index)
    )


def _check_probabilities(input, target, weight, ignore_index, dim):
    if target._data.dtype.kind not in "fV":
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {target.dtype.torch_type}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    if weight is not None and weight._data.shape != input._data.shape[dim : dim + 1]:
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {input._data.shape[dim]} classes or no "
            f"classes but got weight tensor of shape: {list(weight._data.shape)}"
        )


def _soft_cross_entropy(scores, target, weight, reduction, smoothing, dim):
    classes = scores._data.shape[dim]
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / classes
    weighted = scores * target
    if weight is not None:
        weighted = weighted * _per_class(weight, scores, dim)
    losses = -weighted.sum(dim)
    if reduction == "mean":
        return losses.sum() / (scores._data.size // max(classes, 1))
    return losses.sum() if reduction == "sum" else losses


def _smoothed(scores, target, weight, ignore_index, reduction, smoothing, dim, hard):
    classes = scores._data.shape[dim]
    uniform = scores if weight is None else scores * _per_class(weight, scores, dim)
    ignored = target._data == ignore_index
    losses = (-uniform.sum(dim)).masked_fill(Function.as_tensor(K.asarray(ignored)), 0.0)
    if reduction == "mean":
        if weight is None:
            count = (~ignored).sum()
        else:
            count = K.where(ignored, 0, weight._data[K.where(ignored, 0, target._data)]).sum()
        losses = _over(losses.sum(), count)
    elif reduction == "sum":
        losses = losses.sum()
    return hard * (1 - smoothing) + losses * (smoothing / classes)


def _over(total, count):
    """total / count, a number that may be on a GPU, which is not waited for."""
    if not K.on_device(count):
        return total / float(count)
    wide = total.float() if total._data.dtype in LOW_PRECISION else total
    return Function.to_dtype(wide / Function.as_tensor(count.astype(wide._data.dtype)), total._data.dtype)


def _per_class(weight, scores, dim):
    return weight.reshape([-1 if d == dim else 1 for d in range(scores._data.ndim)])


listed(globals())

__all__ = ["cross_entropy", "nll_loss"]
