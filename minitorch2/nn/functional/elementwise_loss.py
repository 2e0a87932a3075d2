"""Losses that compare input and target element by element."""

from __future__ import annotations

import math
import warnings

from ...core.autocast import listed, stacklevel
from ...core.function import called
from ...core.grad_mode import no_grad
from ...ops._common import between, broadcast_shapes, require_floating, require_tensor, result_type, to_dtype
from ...ops.arithmetic import Where
from ...ops.inquiry import broadcast_tensors
from ...ops.loss import BinaryCrossEntropy, BinaryCrossEntropyWithLogits, Huber
from ...ops.smooth_activations import LogSigmoid
from ...ops.unary import Square
from .loss import check_reduction, reduced


def _warn_of_broadcasting(input, target):
    if input._data.shape != target._data.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=stacklevel(3),
        )


def _difference(op, input, target):
    """input - target of a floating dtype, in which masks count as 0 and 1, and tensors without dims like any others."""
    if input._data.shape != target._data.shape:
        input, target = broadcast_tensors(input, target)
    if input._data.dtype != target._data.dtype:
        dtype = result_type(input, target).numpy
        input, target = to_dtype(input, dtype), to_dtype(target, dtype)
    require_floating(op, input)
    return input - target


def _weighted(losses, weight, op):
    if weight is None:
        return losses
    if broadcast_shapes(op, losses.shape, weight.shape) != losses._data.shape:
        raise RuntimeError(f"{op}: weight of shape {list(weight.shape)} does not broadcast to {list(losses.shape)}")
    return losses * weight


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target)^2."""
    reduction = check_reduction(reduction, size_average, reduce)
    _warn_of_broadcasting(input, target)
    difference = _difference("mse_loss", input, target)
    return called("MseLossBackward0", _mean_of_weights(Square.apply(difference), weight, reduction, "mse_loss"))


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|."""
    reduction = check_reduction(reduction, size_average, reduce)
    _warn_of_broadcasting(input, target)
    return _mean_of_weights((input - target).abs(), weight, reduction, "l1_loss")


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """(input - target)^2 / (2 beta) below beta, |input - target| - beta / 2 from there on. Source: Girshick, 2015."""
    reduction = check_reduction(reduction, size_average, reduce)
    _warn_of_broadcasting(input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced((input - target).abs(), reduction)
    difference = _difference("smooth_l1_loss", input, target)
    losses = Huber.apply(difference, beta)
    return called("SmoothL1LossBackward0", reduced(losses if beta == 1 else losses / beta, reduction))


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """(input - target)^2 / 2 below delta, delta (|input - target| - delta / 2) from there on. Source: Huber, 1964."""
    reduction = check_reduction(reduction)
    _warn_of_broadcasting(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    difference = _difference("huber_loss", input, target)
    losses = to_dtype(Huber.apply(difference, delta), input._data.dtype)
    if weight is not None:
        losses = _times(losses, weight, "huber_loss")
    return called("HuberLossBackward0", reduced(losses, reduction))


def _mean_of_weights(losses, weight, reduction, op):
    """Reduced; with weights, the mean is over the weights, not over the elements."""
    if weight is None:
        return reduced(losses, reduction)
    losses = _times(losses, weight, op)
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(losses, reduction)


def _times(losses, weight, op):
    if weight._data.shape != losses._data.shape:
        raise ValueError(
            f"{op}: inputs and weights must have the same size, got {list(losses.shape)} and {list(weight.shape)}"
        )
    return losses * weight


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-weight (target log(input) + (1 - target) log(1 - input)) for probabilities; a logarithm is never below -100."""
    reduction = check_reduction(reduction, size_average, reduce)
    if input._data.shape != target._data.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    require_floating("binary_cross_entropy", input)
    if input._data.dtype != target._data.dtype:
        raise RuntimeError(f"Found dtype {target.dtype.torch_type} but expected {input.dtype.torch_type}")
    for name, t in (("input", input), ("target", target)):
        if not between(t._data, 0, 1):
            raise RuntimeError(f"all elements of {name} should be between 0 and 1")
    losses = _weighted(BinaryCrossEntropy.apply(input, target), weight, "binary_cross_entropy")
    return called("BinaryCrossEntropyBackward0", reduced(losses, reduction))


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """binary_cross_entropy(sigmoid(input), target), without overflow; pos_weight scales the term of target 1."""
    reduction = check_reduction(reduction, size_average, reduce)
    if input._data.shape != target._data.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    if target._data.dtype.kind not in "fV":
        raise RuntimeError(
            f"result type {input.dtype.torch_type} can't be cast to the desired output type "
            f"{target.dtype.torch_type}; convert the target with .to(input.dtype)"
        )
    require_floating("log_sigmoid_cpu", input)
    if pos_weight is None and input._data.dtype == target._data.dtype:
        losses = BinaryCrossEntropyWithLogits.apply(input, target)
    else:
        log = LogSigmoid.apply(input)
        factor = 1 if pos_weight is None else (pos_weight - 1) * target + 1
        losses = (1 - target) * input - factor * log
    losses = losses if weight is None else losses * weight
    losses = to_dtype(losses, target._data.dtype)  # torch computes in the memory of 1 - target
    return called("BinaryCrossEntropyWithLogitsBackward0", reduced(losses, reduction))


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target (log(target) - input): input are log-probabilities, target too with log_target.

    "batchmean" divides the sum by the batch size, which is the mathematical definition.
    """
    batchmean = reduction == "batchmean"
    reduction = check_reduction("sum" if batchmean else reduction, size_average, reduce)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' "
            "divides only by "
            "the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as "
            "'batchmean' in the next major release.",
            stacklevel=stacklevel(2),
        )
    for position, (name, t) in enumerate((("input", input), ("target", target)), 1):
        require_tensor("kl_div", t, name, position)
        if t._data.dtype.kind not in "fV":
            raise RuntimeError(f"kl_div: Integral inputs not supported. {name} is {t.dtype.name}; use .float()")
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = Where.apply(target == 0, 0.0, target * target.log()) - target * input
    losses = reduced(losses, reduction)
    return losses / input._data.shape[0] if batchmean and input._data.ndim else losses


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"
):
    """exp(input) - target * input, input being the logarithm of the rate; input - target * log(input + eps) where it
    is the rate itself. full: add Stirling's approximation of log(target!)."""
    reduction = check_reduction(reduction, size_average, reduce)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + Where.apply(target <= 1, 0.0, stirling)
    return reduced(losses, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log(var) + (input - target)^2 / var) / 2; var: a number, or a tensor of input's shape but for one dim of size 1
    (the last may be missing).

    Variances below eps count as eps. full: add log(2 pi) / 2. Source: Nix and Weigend, 1994.
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = input.new_full(input.shape, var)
    elif (var < 0).any().item():
        raise ValueError("var has negative entry/entries")
    if var._data.shape != input._data.shape:
        ours, theirs = var._data.shape, input._data.shape
        if ours == theirs[:-1]:
            var = var.unsqueeze(-1)
        elif len(ours) != len(theirs) or [v for v, n in zip(ours, theirs, strict=True) if v != n] != [1]:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    var = var.clone()
    with no_grad():  # the limit is not differentiated, as in torch: a variance below eps still gets a gradient
        var.clamp_(min=eps)
    difference = input - target
    losses = 0.5 * (var.log() + difference * difference / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target * input)), target being 1 or -1."""
    reduction = check_reduction(reduction, size_average, reduce)
    if target.requires_grad:
        raise RuntimeError(
            "The function 'soft_margin_loss' is not differentiable with respect to argument 'target'. This input "
            "cannot have requires_grad True."
        )
    if (shape := broadcast_shapes("soft_margin_loss", input._data.shape, target._data.shape)) != input._data.shape:
        raise RuntimeError(f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(shape)}")
    if input._data.dtype.kind not in "fV":
        raise RuntimeError(f"result type Float can't be cast to the desired output type {input.dtype.torch_type}")
    losses = to_dtype((-input * target).exp().log1p(), input._data.dtype)
    return called("SoftMarginLossBackward0", reduced(losses, reduction))


listed(globals())

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
]
