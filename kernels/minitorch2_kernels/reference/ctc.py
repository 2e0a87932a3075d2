"""Connectionist temporal classification: the probability that a sequence of distributions spells a target.

A path names one class in each step; it spells the target when its repeated classes are merged and its blanks dropped.
So it walks through the states blank, target[0], blank, target[1], ..., blank, 2 S + 1 of them: it stays, goes on by one
or skips the blank between two different targets. Sums over all paths are by dynamic programming, in logarithms.
Source: Graves et al., "Connectionist Temporal Classification" (2006).

T is the number of steps, K = 2 S + 1 that of states; `steps` and `spelled` (N,) int64 are how many steps and targets of
each sequence count.
"""

from __future__ import annotations

import numpy as np

from ..dispatch import kernel, namespace
from .indexing import index_add


@kernel
def ctc_loss(log_probs, targets, steps, spelled, blank):
    """(loss, forward): -log of the target's probability, (N,), inf where no path spells it; and the logarithm of the
    probability of all beginnings of paths that are in state k at step t, (T, N, K).

    log_probs: (T, N, C), floats. targets: (N, S) int64 in [0, C), `blank` after the end of each. The results are in
    log_probs' dtype.
    """
    xp = namespace(log_probs)
    _, emitted, skips = _states(log_probs, targets, blank)
    forward = xp.full(emitted.shape, -np.inf, emitted.dtype)
    forward[0, :, :2] = emitted[0, :, :2]
    for t in range(1, len(emitted)):
        before = forward[t - 1]
        forward[t] = emitted[t] + _log_sum(before, _shifted(before, 1), xp.where(skips, _shifted(before, 2), -np.inf))
    rows = xp.arange(len(steps))
    last = forward[xp.maximum(steps - 1, 0), rows]  # (N, K)
    on_target = xp.where(spelled > 0, last[rows, xp.maximum(2 * spelled - 1, 0)], -np.inf)
    loss = -_log_sum(last[rows, 2 * spelled], on_target, on_target.dtype.type(-np.inf))
    no_steps = xp.where(spelled > 0, np.inf, 0.0)  # only the empty target is spelled in no steps
    return xp.where(steps > 0, loss, no_steps).astype(loss.dtype, copy=False), forward


@kernel
def ctc_loss_grad(g, log_probs, loss, forward, targets, steps, spelled, blank):
    """The gradient of log_probs, (T, N, C), for g (N,), that of the loss; loss and forward are ctc_loss's.

    As torch has it, log_probs is taken to be a log_softmax: exp(log_probs) is added to the derivative, which softmax's
    own backward then leaves as it is. NaN where the loss is infinite.
    """
    xp = namespace(log_probs)
    classes, emitted, skips = _states(log_probs, targets, blank)
    states = xp.arange(emitted.shape[2])
    last = (states == 2 * spelled[:, None]) | ((states == 2 * spelled[:, None] - 1) & (spelled > 0)[:, None])
    skips_next = xp.zeros_like(skips)
    skips_next[:, :-2] = skips[:, 2:]
    through = xp.full_like(forward, -np.inf)  # of all paths that are in the state, given the target
    after = xp.full(skips.shape, -np.inf, forward.dtype)
    for t in reversed(range(len(emitted))):
        going_on = _log_sum(after, _shifted(after, -1), xp.where(skips_next, _shifted(after, -2), -np.inf))
        ending = xp.where(last, 0, after.dtype.type(-np.inf))
        rest = xp.where((steps == t + 1)[:, None], ending, going_on)  # what comes after this step
        through[t] = forward[t] + rest + loss[:, None]
        after = emitted[t] + rest
    steps_n, batch, n_classes = log_probs.shape
    place = (xp.arange(steps_n)[:, None, None] * batch + xp.arange(batch)[:, None]) * n_classes + classes
    occupied = xp.zeros(log_probs.size, log_probs.dtype)
    index_add(occupied, place.reshape(-1), xp.exp(through).reshape(-1))
    impossible = (loss - loss)[:, None]  # inf - inf, else 0
    grad = (xp.exp(log_probs) - occupied.reshape(log_probs.shape) - impossible) * g[:, None]
    return xp.where((xp.arange(steps_n)[:, None] < steps)[:, :, None], grad, 0).astype(log_probs.dtype, copy=False)


def _states(log_probs, targets, blank):
    """The class of every state (N, K), its log-probability in every step (T, N, K), and whether it can be reached past
    the blank before it (N, K)."""
    xp = namespace(log_probs)
    n, s = targets.shape
    classes = xp.full((n, 2 * s + 1), blank, np.int64)
    classes[:, 1::2] = targets
    skips = xp.zeros(classes.shape, bool)
    skips[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    return classes, xp.take_along_axis(log_probs, classes[None], axis=2), skips


def _shifted(x, by):
    """x (N, K) moved by so many states, -inf moving in."""
    y = namespace(x).full_like(x, -np.inf)
    if by > 0:
        y[:, by:] = x[:, :-by]
    else:
        y[:, :by] = x[:, -by:]
    return y


def _log_sum(a, b, c):
    """log(exp(a) + exp(b) + exp(c)), -inf where all are."""
    xp = namespace(a)
    top = xp.maximum(xp.maximum(a, b), c)
    top = xp.where(top == -np.inf, 0, top)
    return top + xp.log(xp.exp(a - top) + xp.exp(b - top) + xp.exp(c - top))
