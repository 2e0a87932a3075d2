"""A learning-rate schedule goes on in the other library, from the file with its state and the optimizer's.

Every schedule, in both directions: learning rates and momenta equal to the last bit, states key by key, type by type.
"""

import io

import numpy as np
import pytest
import torch
from schedules_side_by_side import Decay, halves, make_optimizer, options, plain

import minitorch2

LIBRARIES = {"torch": torch, "minitorch2": minitorch2}
BEFORE, AFTER = 7, 25
METRICS = [1.0, 0.9, 0.91, 0.92, 0.93, 0.95, 0.9, 0.89, 0.9, 0.91, 0.92] + [0.93] * 30


def sequence(L, optimizer):
    parts = [L.LinearLR(optimizer, 0.1, total_iters=4), L.StepLR(optimizer, 3), L.CosineAnnealingLR(optimizer, 9)]
    return L.SequentialLR(optimizer, parts, [5, 12])


def nested(L, optimizer):
    inner = L.SequentialLR(optimizer, [L.LinearLR(optimizer), L.LambdaLR(optimizer, Decay(0.9))], [4])
    return L.SequentialLR(optimizer, [inner, L.CosineAnnealingLR(optimizer, 5)], [10])


# name -> how to make it, from lr_scheduler and an optimizer of SGD with momentum or of Adam
SCHEDULES = {
    "LambdaLR": [lambda L, o: L.LambdaLR(o, halves), lambda L, o: L.LambdaLR(o, [Decay(0.9), halves])],
    "MultiplicativeLR": [lambda L, o: L.MultiplicativeLR(o, Decay(0.99))],
    "StepLR": [lambda L, o: L.StepLR(o, 3, gamma=0.5)],
    "MultiStepLR": [lambda L, o: L.MultiStepLR(o, [2, 5, 5, 11], gamma=0.3)],
    "ExponentialLR": [lambda L, o: L.ExponentialLR(o, 0.97)],
    "ConstantLR": [lambda L, o: L.ConstantLR(o, 0.25, 9)],
    "LinearLR": [lambda L, o: L.LinearLR(o, 0.1, 0.7, 12)],
    "PolynomialLR": [lambda L, o: L.PolynomialLR(o, 20, 2.0)],
    "CosineAnnealingLR": [lambda L, o: L.CosineAnnealingLR(o, 10, 0.01)],
    "CosineAnnealingWarmRestarts": [lambda L, o: L.CosineAnnealingWarmRestarts(o, 4, T_mult=2, eta_min=0.001)],
    "CyclicLR": [
        lambda L, o: L.CyclicLR(o, 0.01, 0.1, 4, 6, "triangular2"),
        lambda L, o: L.CyclicLR(o, [0.01, 0.02], [0.3, 0.2], 5, mode="exp_range", gamma=0.9, cycle_momentum=False),
        lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3, scale_fn=Decay(0.9), scale_mode="iterations"),
        lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3, scale_fn=halves),
    ],
    "OneCycleLR": [
        lambda L, o: L.OneCycleLR(o, [0.1, 0.3], total_steps=40),
        lambda L, o: L.OneCycleLR(o, 0.1, epochs=4, steps_per_epoch=10, three_phase=True, anneal_strategy="linear"),
    ],
    "ReduceLROnPlateau": [
        lambda L, o: L.ReduceLROnPlateau(o, patience=1, factor=0.5, cooldown=1, min_lr=[0.001, 0.002]),
        lambda L, o: L.ReduceLROnPlateau(o, "max", threshold_mode="abs", threshold=0.02),
    ],
    "SequentialLR": [sequence, nested],
    "ChainedScheduler": [
        lambda L, o: L.ChainedScheduler([L.ConstantLR(o, 0.1, 9), L.ExponentialLR(o, 0.9), L.LambdaLR(o, Decay(0.9))])
    ],
}
CASES = [(f"{name}-{i}", make) for name, makers in SCHEDULES.items() for i, make in enumerate(makers)]


def kinds(value):
    """The types all through a state_dict, numbers and strings by their type alone."""
    if isinstance(value, dict):
        return type(value).__name__, [(key, kinds(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [kinds(item) for item in value]
    return type(value).__name__


def advance(optimizer, scheduler, start, stop):
    trace = []
    for i in range(start, stop):
        optimizer.step()
        scheduler.step(*[METRICS[i]] * (type(scheduler).__name__ == "ReduceLROnPlateau"))
        trace.append((options(optimizer), plain(scheduler.get_last_lr()), getattr(scheduler, "last_epoch", None)))
    return trace


def test_every_schedule_has_a_row():
    assert set(minitorch2.optim.lr_scheduler.__all__) - {"LRScheduler"} == set(SCHEDULES)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # of a SequentialLR in another, in both
@pytest.mark.parametrize("source", LIBRARIES)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("make", [make for _, make in CASES], ids=[name for name, _ in CASES])
@pytest.mark.parametrize("before", [0, BEFORE])
def test_the_other_library_goes_on(make, kind, source, before):
    one, other = LIBRARIES[source], LIBRARIES["minitorch2" if source == "torch" else "torch"]
    optimizer = make_optimizer(one, kind)
    scheduler = make(one.optim.lr_scheduler, optimizer)
    advance(optimizer, scheduler, 0, before)
    saved = {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    file = io.BytesIO()
    one.save(saved, file)
    file.seek(0)
    loaded = other.load(file, weights_only=True)
    assert kinds(loaded["scheduler"]) == kinds(saved["scheduler"])
    assert plain(loaded["scheduler"]) == plain(saved["scheduler"])

    fresh = make_optimizer(other, kind)
    resumed = make(other.optim.lr_scheduler, fresh)
    resumed.load_state_dict(loaded["scheduler"])
    fresh.load_state_dict(loaded["optimizer"])
    assert options(fresh) == options(optimizer) and resumed.get_last_lr() == scheduler.get_last_lr()
    again = resumed.state_dict()
    assert set(again) == set(saved["scheduler"])
    assert kinds(sorted(again.items())) == kinds(sorted(saved["scheduler"].items()))
    ours, theirs = (advance(o, s, before, AFTER) for o, s in ((fresh, resumed), (optimizer, scheduler)))
    assert ours == theirs
    np.testing.assert_equal(plain(resumed.state_dict()), plain(scheduler.state_dict()))
