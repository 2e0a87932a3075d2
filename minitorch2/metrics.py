"""Numbers that say how well a classifier does. Tensors, arrays or sequences in; floats and arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


def _array(values: Any, name: str) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers, got {array.dtype}")
    return array


def _labels(values: Any, name: str) -> np.ndarray:
    array = _array(values, name)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        raise TypeError(f"{name} must be class indices (integers), got {array.dtype}; scores need .argmax(1) first")
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, one class index a sample, got shape {array.shape}")
    return array.astype(np.int64)


def accuracy(output: Any, target: Any, topk: int | Sequence[int] = 1) -> float | list[float]:
    """The share, from 0 to 1, of samples whose target is among the `topk` highest scores.

    Args: output: scores (N, C), or predicted class indices (N,) where topk is 1; target: class indices (N,);
    topk: one k, or several, for which a list comes back in their order.

    Among equal scores the lower class index comes first, so k classes are always k classes. NaN counts as the
    highest score, as in torch.topk. Raises ValueError for shapes that do not fit, no samples at all, or a k
    outside 1..C; TypeError for targets that are no integers.
    """
    labels, scores = _labels(target, "target"), _array(output, "output")
    ks = [topk] if isinstance(topk, int) else list(topk)
    if scores.shape[:1] != labels.shape or scores.ndim not in (1, 2):
        raise ValueError(f"output must be (N, C) or (N,) with N = {len(labels)} as target has, got {scores.shape}")
    if len(labels) == 0:
        raise ValueError("the accuracy of no samples is not defined; output and target are empty")
    if scores.ndim == 2:
        rank, classes = _rank_of_target(scores, labels), scores.shape[1]
    else:
        rank, classes = (_labels(output, "output") != labels).astype(np.int64), 1
    if not all(isinstance(k, (int, np.integer)) and 1 <= k <= classes for k in ks):
        raise ValueError(f"topk must lie between 1 and the number of scores a sample has, {classes}, got {topk}")
    shares = [float(np.mean(rank < k)) for k in ks]
    return shares[0] if isinstance(topk, int) else shares


def _rank_of_target(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes come before the target's when sorted by falling score, then by index."""
    classes = scores.shape[1]
    _check_range(labels, classes, "target")
    own = scores[np.arange(len(labels)), labels][:, None]
    ahead = (scores > own) | (np.isnan(scores) & ~np.isnan(own))
    tied = (scores == own) | (np.isnan(scores) & np.isnan(own))
    return (ahead | (tied & (np.arange(classes) < labels[:, None]))).sum(1)


def _check_range(labels: np.ndarray, classes: int, name: str) -> None:
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        raise ValueError(f"{name} has class {labels[wrong][0]}, but there are {classes} classes (0..{classes - 1})")


def confusion_matrix(preds: Any, target: Any, num_classes: int | None = None) -> np.ndarray:
    """int64 matrix (C, C): row i, column j counts the samples of class i that were predicted as class j.

    `preds` and `target` are class indices (N,). Without `num_classes`, C is one more than the largest index
    there is.
    """
    predicted, labels = _labels(preds, "preds"), _labels(target, "target")
    if predicted.shape != labels.shape:
        raise ValueError(f"preds and target must have the same length, got {len(predicted)} and {len(labels)}")
    if num_classes is None:
        num_classes = int(max(predicted.max(initial=-1), labels.max(initial=-1))) + 1
    _check_range(predicted, num_classes, "preds")
    _check_range(labels, num_classes, "target")
    counts = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


class Scores(NamedTuple):
    """precision, recall, f1: arrays (C,), or floats where averaged; support: samples of each class (C,)."""

    precision: Any
    recall: Any
    f1: Any
    support: np.ndarray


def precision_recall_f1(
    preds: Any,
    target: Any,
    average: str | None = None,
    num_classes: int | None = None,
    zero_division: float = 0.0,
) -> Scores:
    """Precision TP / (TP + FP), recall TP / (TP + FN), and their harmonic mean F1, 2 TP / (2 TP + FP + FN).

    Args: preds, target: class indices (N,); average: None for each class by itself, "macro" for the plain
    mean over the classes, "weighted" for the mean weighted by support, "micro" for the formulas over the sums
    of all classes; num_classes: as for `confusion_matrix`; zero_division: the value where a denominator is
    zero (a class that never occurs and is never predicted).

    Raises ValueError for an average of no samples.
    """
    if average not in (None, "macro", "micro", "weighted"):
        raise ValueError(f"average must be None, 'macro', 'micro' or 'weighted', got {average!r}")
    matrix = confusion_matrix(preds, target, num_classes)
    hits, predicted, support = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    if average == "micro":
        hits, predicted, occurring = (counts.sum(keepdims=True) for counts in (hits, predicted, support))
    else:
        occurring = support
    precision = _ratio(hits, predicted, zero_division)
    recall = _ratio(hits, occurring, zero_division)
    f1 = _ratio(2 * hits, predicted + occurring, zero_division)
    if average is None:
        return Scores(precision, recall, f1, support)
    if support.sum() == 0:
        raise ValueError(f"average={average!r} of no samples is not defined; preds and target are empty")
    weights = support if average == "weighted" else None
    precision, recall, f1 = (float(np.average(score, weights=weights)) for score in (precision, recall, f1))
    return Scores(precision, recall, f1, support)


def _ratio(numerator: np.ndarray, denominator: np.ndarray, zero_division: float) -> np.ndarray:
    result = np.full(numerator.shape, zero_division, np.float64)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


class Average:
    """A running mean: `update(value, n)` adds a value that is itself the mean of n samples; `value` is the
    mean of all.

    >>> loss = Average()
    >>> loss.update(2.0, n=3)
    >>> loss.update(4.0, n=1)
    >>> loss.value
    2.5
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.total, self.count = 0.0, 0

    def update(self, value: Any, n: int = 1) -> None:
        """`value`: a number or a tensor of one element; n: how many samples it stands for, at least one."""
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        self.total += float(value) * n
        self.count += n

    @property
    def value(self) -> float:
        if self.count == 0:
            raise ValueError("the average of nothing is not defined; call update() first")
        return self.total / self.count

    def __repr__(self) -> str:
        return f"Average({self.value:.6g} over {self.count})" if self.count else "Average(empty)"
