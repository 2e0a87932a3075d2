"""Metrics against the formulas written out as loops, and against torch.topk."""

import doctest
import math

import numpy as np
import pytest
import torch as reference
from hypothesis import given
from hypothesis import strategies as st

import minitorch2 as torch
from minitorch2 import metrics
from minitorch2.metrics import Average, accuracy, confusion_matrix, precision_recall_f1


@st.composite
def labels_and_predictions(draw):
    classes = draw(st.integers(1, 6))
    index = st.integers(0, classes - 1)
    pairs = draw(st.lists(st.tuples(index, index), min_size=1, max_size=40))
    target, preds = (np.array(column) for column in zip(*pairs, strict=True))
    return classes, preds, target


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 1000))
def test_accuracy_is_the_share_within_topk(samples, classes, seed):
    rng = np.random.default_rng(seed)
    scores, target = rng.normal(size=(samples, classes)), rng.integers(0, classes, samples)
    ks = list(range(1, classes + 1))
    best = reference.from_numpy(scores).topk(classes).indices.numpy()
    expected = [np.mean([t in best[i, :k] for i, t in enumerate(target)]) for k in ks]
    assert accuracy(scores, target, topk=ks) == pytest.approx(expected)
    assert accuracy(torch.from_numpy(scores), torch.from_numpy(target)) == pytest.approx(expected[0])
    assert expected[-1] == 1.0
    assert accuracy(scores.argmax(1), target) == pytest.approx(expected[0])


def test_accuracy_of_equal_scores_counts_k_classes():
    scores = np.zeros((4, 4))
    assert accuracy(scores, [0, 1, 2, 3], topk=(1, 2, 3, 4)) == [0.25, 0.5, 0.75, 1.0]


def test_accuracy_and_nan():
    scores = [[math.nan, 1.0, 2.0], [0.0, math.nan, math.nan]]
    assert accuracy(scores, [0, 2], topk=(1, 2)) == [0.5, 1.0]  # NaN ranks highest, as in torch.topk


def test_accuracy_takes_what_a_training_loop_has():
    scores = torch.tensor([[0.1, 0.9], [0.8, 0.2]], requires_grad=True)
    assert accuracy(scores, torch.tensor([1, 1])) == 0.5
    assert accuracy(scores.to(torch.bfloat16), torch.tensor([1, 1])) == 0.5
    assert type(accuracy(scores, [1, 1])) is float


@pytest.mark.parametrize(
    ("output", "target", "topk", "error", "message"),
    [
        (np.zeros((3, 2)), [0, 1], 1, ValueError, r"with N = 2 as target has, got \(3, 2\)"),
        (np.zeros((2, 2, 2)), [0, 1], 1, ValueError, r"got \(2, 2, 2\)"),
        (np.zeros((2, 3)), [0, 3], 1, ValueError, r"target has class 3, but there are 3 classes"),
        (np.zeros((2, 3)), [0, -1], 1, ValueError, "target has class -1"),
        (np.zeros((2, 3)), [0, 1], 4, ValueError, "topk must lie between 1 and .* 3, got 4"),
        (np.zeros((2, 3)), [0, 1], 0, ValueError, "topk must lie between 1"),
        ([0, 1], [0, 1], 2, ValueError, "topk must lie between 1"),
        (np.zeros((2, 3)), [0.0, 1.0], 1, TypeError, r"target must be class indices .* got float64"),
        (np.zeros((2, 3)), [[0], [1]], 1, ValueError, r"target must be one-dimensional.* \(2, 1\)"),
        (np.zeros((0, 3)), [], 1, ValueError, "accuracy of no samples"),
        (np.array(["a"]), [0], 1, TypeError, "output must hold numbers"),
    ],
)
def test_accuracy_errors(output, target, topk, error, message):
    with pytest.raises(error, match=message):
        accuracy(output, target, topk)


@given(labels_and_predictions())
def test_confusion_matrix_counts(case):
    classes, preds, target = case
    expected = np.zeros((classes, classes), np.int64)
    for true, guess in zip(target, preds, strict=True):
        expected[true, guess] += 1
    result = confusion_matrix(torch.from_numpy(preds), target, num_classes=classes)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, expected)
    least = max(preds.max(), target.max()) + 1
    np.testing.assert_array_equal(confusion_matrix(preds, target), expected[:least, :least])


def test_confusion_matrix_errors():
    with pytest.raises(ValueError, match="same length, got 2 and 1"):
        confusion_matrix([0, 1], [0])
    with pytest.raises(ValueError, match=r"preds has class 2, but there are 2 classes \(0\.\.1\)"):
        confusion_matrix([0, 2], [0, 1], num_classes=2)
    with pytest.raises(TypeError, match=r"scores need \.argmax\(1\) first"):
        confusion_matrix([0.5, 0.5], [0, 1])
    assert confusion_matrix([], [], num_classes=2).tolist() == [[0, 0], [0, 0]]


def by_hand(preds, target, classes):
    """Per class (precision, recall, f1, support) by counting one sample at a time."""
    rows = []
    for c in range(classes):
        hits = sum(1 for p, t in zip(preds, target, strict=True) if p == t == c)
        predicted = sum(1 for p in preds if p == c)
        support = sum(1 for t in target if t == c)
        precision = hits / predicted if predicted else 0.0
        recall = hits / support if support else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        rows.append((precision, recall, f1, support))
    return np.array(rows)


@given(labels_and_predictions())
def test_precision_recall_f1(case):
    classes, preds, target = case
    rows = by_hand(preds, target, classes)
    for found, column in zip(precision_recall_f1(preds, target, num_classes=classes), rows.T, strict=True):
        np.testing.assert_allclose(found, column, rtol=1e-12)
    macro = precision_recall_f1(preds, target, "macro", classes)
    np.testing.assert_allclose(macro[:3], rows[:, :3].mean(0), rtol=1e-12)
    weighted = precision_recall_f1(preds, target, "weighted", classes)
    np.testing.assert_allclose(weighted[:3], (rows[:, :3] * rows[:, 3:]).sum(0) / len(target), rtol=1e-12)
    micro = precision_recall_f1(preds, target, "micro", classes)
    # every sample has one class and one prediction, so all three are the accuracy
    assert micro[:3] == pytest.approx((np.mean(preds == target),) * 3)


def test_precision_recall_f1_on_a_case_done_by_hand():
    # class 0: 2 hits of 3 predicted, 2 of 2 there; class 1: 1 of 1, 1 of 3; class 2: 0 of 1, none there
    scores = precision_recall_f1([0, 0, 0, 1, 2], [0, 0, 1, 1, 1])
    np.testing.assert_allclose(scores.precision, [2 / 3, 1, 0])
    np.testing.assert_allclose(scores.recall, [1, 1 / 3, 0])
    np.testing.assert_allclose(scores.f1, [0.8, 0.5, 0])
    assert scores.support.tolist() == [2, 3, 0]
    assert precision_recall_f1([0], [0], num_classes=2, zero_division=1.0).f1.tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="average must be None"):
        precision_recall_f1([0], [0], average="mean")
    with pytest.raises(ValueError, match="average='macro' of no samples"):
        precision_recall_f1([], [], average="macro")


def test_average():
    meter = Average()
    assert repr(meter) == "Average(empty)"
    with pytest.raises(ValueError, match="average of nothing"):
        meter.value  # noqa: B018
    for value, n in ((1.0, 64), (torch.tensor(3.0), 32)):
        meter.update(value, n)
    assert meter.value == pytest.approx((64 + 96) / 96) and meter.count == 96
    assert repr(meter) == "Average(1.66667 over 96)"
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        meter.update(1.0, 0)
    meter.reset()
    assert meter.count == 0


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(metrics).failed == 0
