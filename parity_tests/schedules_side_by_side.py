"""Learning-rate schedules of both libraries side by side: what the tests of minitorch2.optim.lr_scheduler
share."""

import warnings

import numpy as np
import torch

import minitorch2

LIBRARIES = [minitorch2, torch]


class Decay:
    """A callable object: schedules save its attributes."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch


def halves(epoch):
    return 1 / (1 + epoch)


def make_optimizer(lib, kind="SGD", lr=0.1):
    params = [lib.nn.Parameter(lib.zeros(1)) for _ in range(2)]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(lib.optim, kind)([{"params": params[0]}, {"params": params[1], "lr": 0.03}], lr=lr, **options)


def options(optimizer):
    """What schedules may change, as plain values."""
    kept = ("lr", "initial_lr", "max_lr", "min_lr", "momentum", "betas", "base_momentum", "max_momentum")
    return [{k: plain(group[k]) for k in kept if k in group} for group in optimizer.param_groups]


def plain(value):
    if isinstance(value, torch.Tensor | minitorch2.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def run(optimizer, scheduler, steps, *metrics):
    trace = [(options(optimizer), plain(scheduler.get_last_lr()))]
    for i in range(steps):
        optimizer.step()
        scheduler.step(*(m[i] for m in metrics))
        trace.append((options(optimizer), plain(scheduler.get_last_lr())))
    return trace


def same(program):
    """Runs the program with both libraries; what it returns, or raises or warns, must be the same."""
    results = []
    for lib in LIBRARIES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = program(lib)
            except Exception as error:
                result = type(error), str(error)
        results.append((result, [w.category for w in caught]))
    np.testing.assert_equal(results[0], results[1])
    return results[0][0]


def assert_same_states(ours, theirs):
    assert list(ours) == list(theirs)
    assert plain(ours) == plain(theirs)
