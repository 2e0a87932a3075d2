"""Losses that ask for a margin: between classes, between distances, between ranks."""

from __future__ import annotations

import minitorch2_kernels as K

from ...core.autocast import listed
from ...core.function import Function
from ...ops._common import require_floating, to_dtype, within
from ...ops.arithmetic import Where, where
from ...ops.index_ops import Gather
from ...ops.reduce import PickAlong
from ...ops.smooth_activations import LogSigmoid
from .distance import pairwise_distance
from .loss import check_reduction, reduced


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """input where target is 1, max(0, margin - input) where it is -1."""
    reduction = check_reduction(reduction, size_average, reduce)
    far = where(target == 1, 0, (margin - input).clamp_min(0))
    losses = far + where(target == -1, 0, input)
    return reduced(to_dtype(losses, input._data.dtype), reduction)


def margin_ranking_loss(input1, input2, target, margin: float = 0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -target * (input1 - input2) + margin): target 1 asks for input1 above input2, -1 for the opposite."""
    reduction = check_reduction(reduction, size_average, reduce)
    if not input1._data.ndim == input2._data.ndim == target._data.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def cosine_embedding_loss(input1, input2, target, margin: float = 0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1. Inputs (N, D) or (D)."""
    reduction = check_reduction(reduction, size_average, reduce)
    if target._data.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    dim = target._data.ndim
    if input1._data.ndim != dim + 1 or input2._data.ndim != dim + 1:
        raise RuntimeError(
            f"{dim}D target tensor expects {dim + 1}D input tensors, but found inputs with sizes {list(input1.shape)} "
            f"and {list(input2.shape)}."
        )
    first, second = ((x * x).sum(dim) + 1e-12 for x in (input1, input2))
    cosine = (input1 * input2).sum(dim) / (first * second).sqrt()
    apart = (cosine - margin).clamp_min(0)
    return reduced(where(target == 1, 1 - cosine, 0.0) + where(target == -1, apart, 0.0), reduction)


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p: float = 2,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with p-norm distances over the last dim.

    swap: d(positive, negative) takes the place of d(anchor, negative) where smaller. Source: Balntas et al., 2016.
    """
    reduction = check_reduction(reduction, size_average, reduce)

    def distance(a, b):
        return pairwise_distance(a, b, p, eps)

    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """triplet_margin_loss with a distance of one's own; pairwise_distance unless told."""
    reduction = check_reduction(reduction)
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(anchor, positive, negative, distance, margin, swap, reduction):
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor._data.ndim == positive._data.ndim == negative._data.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor._data.ndim}D, positive {positive._data.ndim}D, and negative {negative._data.ndim}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), reduction)


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The sum over the other classes j of weight[t] max(0, margin - input[t] + input[j])^p / C, for input (N, C) or (C)
    and p 1 or 2."""
    reduction = check_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight._data.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    x = _as_rows(input)
    (n, classes), t = x._data.shape, target._data.reshape(-1)
    if target._data.ndim > 1 or t.size != n:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{n}], but got {list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if weight is not None and weight._data.size != classes:
        raise RuntimeError(f"inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    require_floating("multi_margin_loss_cpu_kernel", input)
    if target._data.dtype != K.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.torch_type}")
    if weight is not None and weight.dtype is not input.dtype:
        raise RuntimeError(f"expected scalar type {input.dtype.torch_type} but found {weight.dtype.torch_type}")
    if not within(t, classes):
        raise RuntimeError("target out of range")
    above = (margin - PickAlong.apply(x, target.reshape(-1, 1), 1, True) + x).relu()
    above = above if p == 1 else above * above
    if weight is not None:
        above = above * weight[target.reshape(-1, 1)]
    losses = Where.apply(Function.as_tensor(t[:, None] != K.namespace(t).arange(classes)), above, 0.0).sum(1) / classes
    return reduced(losses if input._data.ndim == 2 else losses.squeeze(0), reduction)


def _as_rows(input):
    """input (N, C), (C) or () as (N, C)."""
    shape = input._data.shape
    if len(shape) > 2 or 0 in shape[-1:]:
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(shape)}"
        )
    return input if len(shape) == 2 else input.reshape(1, -1)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The sum over labels t and non-labels j of max(0, 1 - input[t] + input[j]) / C.

    target, of input's shape (N, C) or (C), lists a sample's labels first; the first -1 ends the list.
    """
    reduction = check_reduction(reduction, size_average, reduce)
    x = _as_rows(input)
    if target._data.shape != input._data.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    require_floating("multilabel_margin_loss_forward_out_frame", input)
    if target._data.dtype != K.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.torch_type}")
    t, (n, classes) = target._data.reshape(x._data.shape), x._data.shape
    if t.size and (t.min() < -1 or t.max() >= classes):
        raise RuntimeError("argument #2 'target' is out of range")
    listed = K.cumsum(t < 0, axis=1) == 0
    is_label = K.namespace(t).zeros((n, classes), K.bool)
    rows, _ = K.nonzero(listed)
    is_label[rows, t[listed]] = True
    labelled = Gather.apply(x, Function.as_tensor(K.where(listed, t, 0)), 1)
    pairs = (1 - labelled.unsqueeze(2) + x.unsqueeze(1)).relu()  # (N, labels, classes)
    counted = Function.as_tensor(listed[:, :, None] & ~is_label[:, None, :])
    losses = Where.apply(counted, pairs, 0.0).sum((1, 2)) / classes
    return reduced(losses if input._data.ndim == 2 else losses.squeeze(0), reduction)


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """The mean over classes (the last dim) of -weight (target logsigmoid(input) + (1 - target) logsigmoid(-input))."""
    reduction = check_reduction(reduction, size_average, reduce)
    require_floating("log_sigmoid_cpu", input)
    losses = -(target * LogSigmoid.apply(input) + (1 - target) * LogSigmoid.apply(-input))
    losses = losses if weight is None else losses * weight
    classes = input._data.shape[-1]  # of input, even where the target is wider
    return reduced(losses.sum(input._data.ndim - 1) / classes, reduction)


listed(globals())

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
