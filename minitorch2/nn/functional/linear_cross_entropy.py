"""The cross entropy of a linear map's results, in one function that need not hold the logits."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import minitorch2_kernels as K

from ...core.autocast import stacklevel
from ...core.dtypes import LOW_PRECISION, float32
from ...core.quiet import IGNORE, restore, silence
from ...ops._common import require_floating
from ...ops.linalg import linear
from ...ops.linear_class_loss import LinearClassLoss, LinearClassLosses
from .loss import cross_entropy


def linear_cross_entropy(
    input,
    linear_weight,
    target,
    *,
    linear_bias=None,
    weight=None,
    reduction="mean",
    ignore_index=None,
    label_smoothing=0.0,
    options=None,
) -> Any:
    """cross_entropy(linear(input, linear_weight, linear_bias), target, ...).

    input (N, I) or (I,); linear_weight (C, I) or (C, d1, ..., I), linear_bias of its shape without I; target: classes
    (N, d1, ...), or probabilities (N, C, d1, ...), for which no ignore_index may be given; otherwise it is -100.

    options (nn.LinearCrossEntropyOptions): some rows of input at a time, so that the logits never exist as a whole. For
    reduction 'mean' and 'sum' the gradients are computed with the loss, and a second backward needs
    allow_retain_graph; second derivatives take the way without options. Only without label_smoothing, of int64
    classes and a 2-d linear_weight: otherwise options are ignored, with a warning.
    RuntimeError for shapes that do not fit, and what cross_entropy raises.
    """
    classes, out = _check_shapes(input, linear_weight, linear_bias)
    logits_shape = (*input._data.shape[:-1], classes, *out)
    if ignore_index is not None and tuple(target.shape) == logits_shape:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignore_index = -100 if ignore_index is None else ignore_index
    if options is not None:
        if (
            not out
            and reduction in ("mean", "sum", "none")
            and label_smoothing == 0.0
            and target._data.dtype == np.int64
        ):
            return _chunked(input, linear_weight, target, linear_bias, weight, reduction, ignore_index, options)
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in {'mean','sum','none'}, "
            f"label_smoothing == 0, target.dtype == int64, out_features == (). Got reduction={reduction!r}, "
            f"label_smoothing={label_smoothing}, target.dtype={target.dtype}, out_features={out}, tracing=False, "
            f"linear_bias.shape={None if linear_bias is None else tuple(linear_bias.shape)}.",
            stacklevel=stacklevel(2),
        )
    if out:
        rows = math.prod(out, start=classes)
        linear_weight = linear_weight.reshape(rows, linear_weight._data.shape[-1])
        linear_bias = None if linear_bias is None else linear_bias.reshape(rows)
    logits = linear(input, linear_weight, linear_bias).reshape(logits_shape)
    return cross_entropy(
        logits, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    )


def _check_shapes(input, linear_weight, linear_bias) -> tuple[int, tuple[int, ...]]:
    """The number of classes, and (d1, ...)."""
    x, w = tuple(input.shape), tuple(linear_weight.shape)
    if len(x) not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {len(x)}")
    if len(w) < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {len(w)}")
    if x[-1] != w[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), "
            f"got {x[-1]} and {w[-1]}, respectively"
        )
    if linear_bias is not None and linear_bias._data.shape != w[:-1]:
        raise RuntimeError(f"expected linear_bias shape {w[:-1]}, got {linear_bias._data.shape}")
    if len(w) > 2 and len(x) == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {w} requires batched input, (N, {x[-1]}), got "
            f"unbatched input with shape {x}"
        )
    return w[0], w[1:-1]


def _chunked(input, linear_weight, target, bias, weight, reduction, ignore_index, options):
    if input._data.ndim == 1:
        loss = _chunked(
            input.unsqueeze(0), linear_weight, target.unsqueeze(0), bias, weight, reduction, ignore_index, options
        )
        return loss.squeeze(0) if reduction == "none" else loss
    (n, features), classes = input._data.shape, linear_weight._data.shape[0]
    rows = options._adjust(n, features, classes, input.dtype, input.device)
    _check_acc_dtype(rows.acc_dtype, input)
    _check_classes(input, linear_weight, target, bias, weight)
    scale_dtype = float32.numpy if input._data.dtype in LOW_PRECISION else input._data.dtype
    weights = None if weight is None else K.cast(weight._data, scale_dtype)
    t = target._data
    wrong = ((t < 0) | (t >= classes)) & (t != ignore_index)
    if not K.on_device(t) and wrong.any():  # a GPU is not waited for: the loss is NaN there
        raise RuntimeError(f"index {t[wrong][0]} is out of bounds for dimension 1 with size {classes}")
    safe, scale = K.class_scale(t, weights, classes, ignore_index, scale_dtype)
    if reduction == "none":
        return LinearClassLosses.apply(input, linear_weight, bias, safe, scale, rows.batch_chunk_size)
    if reduction == "mean":
        scale = _shares(scale)
    loss = LinearClassLoss.apply(
        input, linear_weight, bias, safe, scale, rows.batch_chunk_size, options.allow_retain_graph
    )
    return loss if n or reduction == "sum" else loss + math.nan  # whose gradients are zeros, as torch's are


def _shares(scale):
    """scale over its sum: NaN where every target is ignored."""
    token = silence(IGNORE)
    try:
        return scale / scale.sum()
    finally:
        restore(token)


def _check_acc_dtype(acc_dtype, input):
    low = input.dtype.is_floating_point and input._data.itemsize == 2
    if acc_dtype is not input.dtype and not (low and acc_dtype is float32):
        raise RuntimeError(
            "linear_cross_entropy supports float32 acc_dtype with float16/bfloat16 inputs, but got "
            f"{acc_dtype} acc_dtype and {input.dtype} inputs."
        )


def _check_classes(input, linear_weight, target, bias, weight):
    """What cross_entropy asks of the rows; torch's chunked way does not look everywhere, and reads on."""
    require_floating("log_softmax_lastdim_kernel_impl", input)
    n, classes = input._data.shape[0], linear_weight._data.shape[0]
    for other in (linear_weight, bias, weight):
        if other is not None and other.dtype is not input.dtype:
            raise RuntimeError(f"expected scalar type {input.dtype.torch_type} but found {other.dtype.torch_type}")
    if target._data.ndim != 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target._data.shape[0] != n:
        raise RuntimeError(f"Expected input batch_size ({n}) to match target batch_size ({target._data.shape[0]}).")
    if weight is not None and weight._data.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight._data.shape)}"
        )


__all__ = ["linear_cross_entropy"]
