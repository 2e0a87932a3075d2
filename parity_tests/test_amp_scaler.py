"""GradScaler beside torch's: factors, skipped steps, clipping, errors, checkpoints that either library reads."""

import pickle

import numpy as np
import pytest
import torch
from on_gpu import REAL, gpu
from side_by_side import BOTH, same

import minitorch2 as mt


def problem(lib, lr=0.1):
    w = lib.tensor([1.0, -2.0, 3.0], requires_grad=True)
    return w, lib.optim.SGD([w], lr=lr)


def spoil(lib, w, how):
    w.grad = lib.tensor([1.0, float(how), 2.0])


def iterate(lib, w, optimizer, scaler, event):
    """A training step; an event is "good", or the number that spoils a gradient."""
    optimizer.zero_grad()
    scaler.scale((w * w).sum()).backward()
    if event != "good":
        spoil(lib, w, event)
    scaler.step(optimizer)
    scaler.update()


def trace(lib, events, **settings):
    """The scale, count and weights after each event: see iterate."""
    w, optimizer = problem(lib)
    scaler = lib.amp.GradScaler("cpu", **settings)
    found = []
    for event in events:
        iterate(lib, w, optimizer, scaler, event)
        found.append((scaler.get_scale(), scaler._get_growth_tracker(), w.tolist(), scaler.state_dict()))
    return found


EVENTS = ["good", "good", "inf", "good", "nan", "-inf", "good", "good", "good", "good", "good", "good"]


@pytest.mark.parametrize(
    "settings",
    [
        {"growth_interval": 2},
        {"growth_interval": 3, "growth_factor": 1.1, "backoff_factor": 0.7, "init_scale": 100.0},
        {"growth_interval": 1, "init_scale": 2.0**127},  # grows no further than float32 reaches
        {},
    ],
)
def test_scales_and_skipped_steps(settings):
    ours, theirs = trace(mt, EVENTS, **settings), trace(torch, EVENTS, **settings)
    for (*state, weights, saved), (*expected, their_weights, their_saved) in zip(ours, theirs, strict=True):
        assert (state, saved) == (expected, their_saved)
        np.testing.assert_allclose(weights, their_weights, rtol=1e-6)


def overflowing(lib):
    """float16 gradients that overflow by themselves until the scale is small enough."""
    lib.manual_seed(0)
    model = lib.nn.Linear(4, 2)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01)
    scaler = lib.amp.GradScaler("cpu", init_scale=2.0**20)
    x, scales = lib.ones(8, 4), []
    for _ in range(12):
        optimizer.zero_grad()
        with lib.autocast("cpu", dtype=lib.float16):
            loss = model(x).float().square().sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales, [p.detach().tolist() for p in model.parameters()]


def test_the_scale_settles_where_float16_holds():
    (ours, weights), (theirs, expected) = overflowing(mt), overflowing(torch)
    assert ours == theirs and theirs[0] > theirs[-1]
    for a, b in zip(weights, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def clipped(lib):
    w, optimizer = problem(lib)
    scaler = lib.amp.GradScaler("cpu")
    scaler.scale((w**3).sum()).backward()
    before = w.grad.tolist()
    scaler.unscale_(optimizer)
    after = w.grad.tolist()
    norm = lib.nn.utils.clip_grad_norm_([w], 1.0)
    scaler.step(optimizer)
    scaler.update()
    return before, after, norm.item(), w.tolist()


def test_unscale_then_clip():
    for a, b in zip(clipped(mt), clipped(torch), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def several(lib):
    """One scaler, two optimizers: a bad gradient of one skips its step alone, and shrinks the scale for both."""
    (a, first), (b, second) = problem(lib), problem(lib)
    scaler = lib.amp.GradScaler("cpu")
    losses = scaler.scale([(a * a).sum(), ((b * b).sum(), (b * 2).sum())])
    losses[0].backward()
    losses[1][0].backward()
    spoil(lib, a, "inf")
    scaler.step(first)
    scaler.step(second)
    scaler.update()
    kinds = type(losses).__name__, type(losses[1]).__name__, type(scaler.scale(x for x in (a,))).__name__
    return kinds, a.tolist(), b.tolist(), scaler.get_scale()


def test_two_optimizers_and_nested_outputs():
    assert several(mt) == several(torch)


def begun(lib, **settings):
    w, optimizer = problem(lib)
    scaler = lib.amp.GradScaler("cpu", **settings)
    scaler.scale((w * w).sum()).backward()
    return scaler, optimizer, w


def twice(name):
    def action(lib):
        scaler, optimizer, _ = begun(lib)
        getattr(scaler, name)(optimizer)
        getattr(scaler, name)(optimizer)

    return action


def unscale_after_step(lib):
    scaler, optimizer, _ = begun(lib)
    scaler.step(optimizer)
    scaler.unscale_(optimizer)


def half_gradients(lib):
    scaler, _, _ = begun(lib)
    v = lib.ones(2, dtype=lib.float16, requires_grad=True)
    v.grad = lib.ones(2, dtype=lib.float16)
    scaler.unscale_(lib.optim.SGD([v], lr=0.1))


def no_gradients(lib):
    scaler, optimizer, w = begun(lib)
    w.grad = None
    scaler.step(optimizer)


def pickled_too_early(lib):
    scaler, optimizer, _ = begun(lib)
    scaler.unscale_(optimizer)
    pickle.dumps(scaler)


ERRORS = [
    twice("unscale_"),
    twice("step"),
    unscale_after_step,
    half_gradients,
    no_gradients,
    pickled_too_early,
    lambda lib: lib.amp.GradScaler("cpu").update(),
    lambda lib: lib.amp.GradScaler("cpu").step(problem(lib)[1]),
    lambda lib: lib.amp.GradScaler("cpu").unscale_(problem(lib)[1]),
    lambda lib: begun(lib)[0].update(),
    lambda lib: begun(lib)[0].update(lib.ones(2)),
    lambda lib: begun(lib)[0].step(problem(lib)[1], closure=lambda: 0),
    lambda lib: lib.amp.GradScaler("cpu").scale(3),
    lambda lib: lib.amp.GradScaler("cpu", growth_factor=1.0),
    lambda lib: lib.amp.GradScaler("cpu", backoff_factor=1.0),
    lambda lib: lib.amp.GradScaler("cpu").load_state_dict({}),
]


@pytest.mark.parametrize("action", ERRORS)
def test_errors(action):
    kind, text = same(action)
    assert kind.endswith("Error") and text


def given_scales(lib):
    scaler, _, _ = begun(lib)
    scaler.update(3.0)
    found = [scaler.get_scale()]
    scaler.update(lib.tensor(8.0))
    scaler.set_growth_factor(3.0)
    scaler.set_backoff_factor(0.1)
    scaler.set_growth_interval(7)
    getters = scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()
    return [*found, scaler.get_scale(), *getters, scaler.is_enabled(), scaler.state_dict()]


def test_a_scale_may_be_given():
    assert same(given_scales)[:2] == [3.0, 8.0]


def disabled(lib):
    w, optimizer = problem(lib)
    scaler = lib.amp.GradScaler("cpu", enabled=False)
    loss = (w * w).sum()
    same_object = scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict({})
    return same_object, scaler.get_scale(), scaler._get_growth_tracker(), scaler.state_dict(), w.tolist()


def test_disabled_it_does_nothing():
    assert same(disabled)[0] is True


@pytest.mark.parametrize(("first", "second"), [(mt, torch), (torch, mt)])
def test_a_state_goes_to_the_other_library_and_on(first, second):
    def go(lib, state, events):
        w, optimizer = problem(lib)
        scaler = lib.amp.GradScaler("cpu", growth_interval=3)
        if state:
            scaler.load_state_dict(state)
        for event in events:
            iterate(lib, w, optimizer, scaler, event)
        return scaler.state_dict()

    state = go(first, None, ["good", "inf", "good", "good"])
    events = ["good", "good", "inf", "good"]
    assert state["_growth_tracker"] == 2
    assert go(second, state, events) == go(first, state, events)


@pytest.mark.parametrize("lib", BOTH)
def test_pickling_keeps_the_state(lib):
    scaler, optimizer, _ = begun(lib, growth_interval=5)
    scaler.step(optimizer)
    scaler.update()
    again = pickle.loads(pickle.dumps(scaler))
    assert again.state_dict() == scaler.state_dict() and again.state_dict()["_growth_tracker"] == 1
    loaded = lib.amp.GradScaler("cpu")
    loaded.scale(lib.ones(1))
    loaded.load_state_dict(scaler.state_dict())
    assert loaded.state_dict() == scaler.state_dict()


def own_scaling(lib, takes_scaler):
    """Optimizers that say they take the scale out themselves."""
    seen = []

    class Attributes(lib.optim.SGD):
        _step_supports_amp_scaling = True

        def step(self):
            seen.append((self.grad_scale.item(), self.found_inf.item()))

    class Argument(lib.optim.SGD):
        _step_supports_amp_scaling = True

        def step(self, *, grad_scaler=None):
            seen.append(grad_scaler.get_scale())

    w = lib.ones(2, requires_grad=True)
    optimizer = (Argument if takes_scaler else Attributes)([w], lr=0.1)
    scaler = lib.amp.GradScaler("cpu")
    scaler.scale(w.sum()).backward()
    scaler.step(optimizer)
    return seen, hasattr(optimizer, "grad_scale")


@pytest.mark.filterwarnings("ignore:GradScaler is going to stop:FutureWarning")
@pytest.mark.parametrize("takes_scaler", [False, True])
def test_optimizers_that_unscale_themselves(takes_scaler):
    assert own_scaling(mt, takes_scaler) == own_scaling(torch, takes_scaler)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_gradients_of_other_dtypes(dtype):
    def action(lib):
        w = lib.ones(3, dtype=getattr(lib, dtype), requires_grad=True)
        scaler, optimizer = lib.amp.GradScaler("cpu", init_scale=8.0), lib.optim.SGD([w], lr=0.5)
        scaler.scale((w * 3).sum()).backward()
        scaler.step(optimizer)
        return w.grad, w

    same(action)


@(pytest.mark.gpu if REAL else lambda test: test)
def test_on_a_gpu_nothing_waits_before_the_step():
    with gpu():
        w = mt.tensor([1.0, -2.0, 3.0], device="cuda", requires_grad=True)
        optimizer, scaler = mt.optim.SGD([w], lr=0.1), mt.amp.GradScaler("cuda", growth_interval=1)
        for event in ("good", "inf", "good"):
            optimizer.zero_grad()
            scaler.scale((w * w).sum()).backward()
            if event != "good":
                w.grad = mt.tensor([1.0, float(event), 2.0], device="cuda")
            scaler.step(optimizer)
            scaler.update()
        assert scaler._scale.is_cuda and scaler.get_scale() == 2.0**17
        np.testing.assert_allclose(w.detach().cpu().numpy(), np.array([1.0, -2.0, 3.0]) * 0.64, rtol=1e-6)
