"""ctc_loss: training on sequences whose alignment with the target is not known."""

from __future__ import annotations

import itertools
import operator

import numpy as np

import minitorch2_kernels as K

from ...core.autocast import listed
from ...core.device import like
from ...core.function import Function
from ...core.variable import Variable
from ...ops._common import require_tensor, within
from ...ops.ctc import CTCLoss
from .loss import check_reduction


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """-log of the probability that log_probs (T, N, C) or (T, C), from log_softmax, spell the targets.

    targets: integers (N, S), each row padded, or (sum of target_lengths,), one after the other. input_lengths and
    target_lengths: (N,) tensors or sequences of ints, how many steps and targets count. blank: the class of no target.
    reduction: 'none' (N,) or () without a batch; 'sum'; 'mean' over the batch, each loss divided by its target_length.
    zero_infinity: 0 and no gradient, rather than inf and NaN, where log_probs are too short for the target.
    float32 and float64. As in torch there is no second derivative. Source: Graves et al., "Connectionist Temporal
    Classification" (2006).
    """
    reduction = check_reduction(reduction)
    require_tensor("ctc_loss", log_probs, "log_probs", 1)
    require_tensor("ctc_loss", targets, "targets", 2)
    unbatched = log_probs._data.ndim == 2
    if unbatched:
        log_probs = log_probs.unsqueeze(1)
    steps, spelled = _lengths("input_lengths", input_lengths), _lengths("target_lengths", target_lengths)
    _check(log_probs, targets, steps, spelled, blank)
    x = log_probs._data
    labels = _padded(targets._data, spelled, blank)
    if not within(labels, x.shape[2]):
        wrong = labels[(labels < 0) | (labels >= x.shape[2])]
        raise IndexError(f"Target {wrong[0]} is out of bounds.")
    steps, spelled = like(np.array(steps), x), like(np.array(spelled), x)
    losses = CTCLoss.apply(log_probs, like(labels, x), steps, spelled, blank, zero_infinity)
    if zero_infinity:
        losses = losses.masked_fill(losses == float("inf"), 0.0)
    if reduction == "mean":
        return (losses / Function.as_tensor(K.maximum(spelled, 1).astype(x.dtype))).mean()
    if reduction == "sum":
        return losses.sum()
    return losses.squeeze(0) if unbatched else losses


def _lengths(name, lengths) -> list[int]:
    """As Python ints: they are sizes, which have to be known here."""
    if isinstance(lengths, Variable):
        if lengths._data.dtype.kind not in "iu":
            raise RuntimeError(f"{name} must be integral")
        return lengths._data.reshape(-1).tolist()
    try:
        return [operator.index(n) for n in lengths]
    except TypeError:
        raise TypeError(f"ctc_loss(): {name} must be a tensor or a tuple of ints, got {lengths!r}") from None


_WHILE = "(while checking arguments for ctc_loss_allocate_outputs)"


def _check(log_probs, targets, steps, spelled, blank):
    shape, labels = log_probs._data.shape, targets._data.shape
    if len(shape) != 3:
        raise RuntimeError(f"Expected 3-dimensional tensor, but got {len(shape)}-dimensional tensor for log_probs")
    if 0 in shape:
        raise RuntimeError("log_probs tensor must not be empty")
    if log_probs._data.dtype not in (np.float32, np.float64):
        raise NotImplementedError(
            f"\"ctc_loss_cpu\" not implemented for '{log_probs.dtype.torch_type}'; convert with .float()"
        )
    if not 0 <= blank < shape[2]:
        raise RuntimeError("blank must be in label range")
    for name, lengths in (("input_lengths", steps), ("target_lengths", spelled)):
        if len(lengths) != shape[1]:
            raise RuntimeError(f"{name} must be of size batch_size")
        if min(lengths) < 0:
            raise RuntimeError(f"Expected {name} to have value at least 0, but got value {min(lengths)} {_WHILE}")
    if max(steps) > shape[0]:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {shape[0]}, but got value {max(steps)} {_WHILE}"
        )
    if len(labels) == 1 and labels[0] != sum(spelled):
        raise RuntimeError(
            f"Expected tensor to have size {sum(spelled)} at dimension 0, but got size {labels[0]} for argument #2 "
            f"'targets' {_WHILE}"
        )
    if len(labels) not in (1, 2):
        raise RuntimeError(
            f"Expected 1 to 2 dimensions, but got {len(labels)}-dimensional tensor for argument #2 'targets' {_WHILE}"
        )
    if len(labels) == 2 and labels[0] != shape[1]:
        raise RuntimeError(
            f"Expected tensor to have size {shape[1]} at dimension 0, but got size {labels[0]} for argument #2 "
            f"'targets' {_WHILE}"
        )
    if len(labels) == 2 and labels[1] < max(spelled):
        raise RuntimeError(
            f"Expected tensor to have size at least {max(spelled)} at dimension 1, but got size {labels[1]} for "
            f"argument #2 'targets' {_WHILE}"
        )


def _padded(targets, spelled, blank):
    """The targets as (N, longest) int64, each followed by blanks."""
    longest = max(spelled)
    if targets.ndim == 1 and longest:
        starts = np.array([0, *itertools.accumulate(spelled)])[:-1]
        places = np.minimum(starts[:, None] + np.arange(longest), targets.size - 1)
        targets = targets[like(places, targets)]
    else:
        targets = targets.reshape(len(spelled), -1)[:, :longest]
    count = np.arange(longest) < np.array(spelled)[:, None]
    return K.where(like(count, targets), targets.astype(K.int64), blank)


listed(globals())

__all__ = ["ctc_loss"]
