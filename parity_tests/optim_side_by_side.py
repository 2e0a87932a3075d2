"""Optimizers of both libraries side by side: what the tests of minitorch2.optim share.

Arithmetic bound. torch's vectorised `a + w * b` rounds once where NumPy rounds twice, and its square root
comes from a library within an ulp. So every step may differ by a few roundings of its largest intermediate
result; `BOUND_ULPS` per step, measured against the largest magnitude in the array, is four times what was
ever seen.
"""

import numpy as np
import torch
from hypothesis import strategies as st

import minitorch2

BOUND_ULPS = 8
LIBRARIES = {"torch": torch, "minitorch2": minitorch2}
DTYPES = {np.float32: "float32", np.float64: "float64"}

lr = st.sampled_from([1e-3, 0.01, 0.1])
# Small beside the gradients drawn below: where gradient + weight_decay * parameter cancels, only rounding
# errors are left to normalise, and they differ.
weight_decay = st.sampled_from([0, 1e-3, 0.01])
betas = st.sampled_from([(0.9, 0.999), (0.0, 0.9), (0.3, 0.5), (0.95, 0.99)])
eps = st.sampled_from([1e-8, 1e-3])
flag = st.booleans()
loops = {"foreach": st.sampled_from([None, False, True])}
# Of the two terms of centered RMSprop's variance, alpha near 0 leaves only their rounding errors.
alpha = st.sampled_from([0.5, 0.9, 0.99])


def keywords(**strategies):
    return st.fixed_dictionaries({}, optional=strategies | {"lr": lr, "weight_decay": weight_decay, "maximize": flag})


OPTIMIZERS = {
    "SGD": st.one_of(
        keywords(momentum=st.sampled_from([0.5, 0.9]), dampening=st.sampled_from([0, 0.3]), **loops),
        st.builds(dict, keywords(**loops), momentum=st.just(0.9), nesterov=st.just(True)),
    ),
    "Adam": keywords(betas=betas, eps=eps, amsgrad=flag, decoupled_weight_decay=flag, **loops),
    "AdamW": keywords(betas=betas, eps=eps, amsgrad=flag, **loops),
    "RMSprop": keywords(alpha=alpha, eps=eps, momentum=st.sampled_from([0, 0.9]), centered=flag, **loops),
    "Adagrad": keywords(
        lr_decay=st.sampled_from([0, 0.1]),
        initial_accumulator_value=st.sampled_from([0, 0.1]),
        eps=eps,
        **loops,
    ),
    "Adadelta": keywords(rho=st.sampled_from([0.0, 0.5, 0.9]), eps=st.sampled_from([1e-6, 1e-3]), **loops),
    "Adamax": keywords(betas=betas, eps=eps, **loops),
    "NAdam": keywords(betas=betas, eps=eps, momentum_decay=st.sampled_from([0, 4e-3]), decoupled_weight_decay=flag),
    "RAdam": keywords(betas=betas, eps=eps, decoupled_weight_decay=flag, **loops),
    "Rprop": st.fixed_dictionaries(
        {},
        optional={
            "lr": lr,
            "etas": st.sampled_from([(0.5, 1.2), (0.1, 3.0)]),
            "step_sizes": st.sampled_from([(1e-6, 50), (0.005, 0.05)]),
            "maximize": flag,
            **loops,
        },
    ),
    "ASGD": keywords(
        lambd=st.sampled_from([1e-4, 0.1]), alpha=st.sampled_from([0.75, 0.2]), t0=st.sampled_from([1e6, 0, 2]), **loops
    ),
}


def parameter(library, array):
    return library.nn.Parameter(library.from_numpy(array))


def set_grads(library, params, grads):
    for p, g in zip(params, grads, strict=True):
        p.grad = None if g is None else library.from_numpy(g.copy())


def to_numpy(value):
    """Tensors, inside dicts and lists too, as arrays."""
    if isinstance(value, torch.Tensor | minitorch2.Tensor):
        return value.detach().numpy().copy()
    if isinstance(value, dict):
        return {key: to_numpy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_numpy(item) for item in value)
    return value


def to_library(library, value):
    if isinstance(value, np.ndarray):
        return library.from_numpy(value.copy())
    if isinstance(value, dict):
        return {key: to_library(library, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_library(library, item) for item in value)
    return value


def assert_close(ours, theirs, steps, what):
    assert ours.dtype == theirs.dtype, what
    assert ours.shape == theirs.shape, what
    if not ours.size:
        return
    assert np.array_equal(np.isfinite(ours), np.isfinite(theirs)), what
    scale = max(1.0, float(np.abs(theirs).max()))
    error = float(np.abs(ours.astype(np.float64) - theirs).max())
    bound = BOUND_ULPS * steps * np.finfo(ours.dtype).eps * scale
    assert error <= bound, f"{what}: {error} > {bound}"


def assert_same_state(ours, theirs, steps):
    """Two state_dicts: the same keys in the same order, the same options, tensors within the bound."""
    assert list(ours) == list(theirs) == ["state", "param_groups"]
    assert ours["param_groups"] == theirs["param_groups"]
    for mine, yours in zip(ours["param_groups"], theirs["param_groups"], strict=True):
        assert list(mine) == list(yours)
    assert list(ours["state"]) == list(theirs["state"])
    for key, theirs_of_p in theirs["state"].items():
        ours_of_p = ours["state"][key]
        assert list(ours_of_p) == list(theirs_of_p)
        for name, value in theirs_of_p.items():
            assert_close(ours_of_p[name], value, steps, f"state[{key}][{name}]")


class Run:
    """The same optimizer on the same parameters in both libraries."""

    def __init__(self, name, options, arrays):
        self.name, self.options, self.steps = name, options, 0
        self.params = {key: [parameter(lib, a.copy(order="K")) for a in arrays] for key, lib in LIBRARIES.items()}
        self.optimizers = {key: getattr(lib.optim, name)(self.params[key], **options) for key, lib in LIBRARIES.items()}

    def step(self, grads):
        self.steps += 1
        for key, library in LIBRARIES.items():
            set_grads(library, self.params[key], grads)
            self.optimizers[key].step()

    def state_dict(self, key):
        return to_numpy(self.optimizers[key].state_dict())

    def check(self):
        for i, (p, q) in enumerate(zip(self.params["minitorch2"], self.params["torch"], strict=True)):
            assert_close(to_numpy(p), to_numpy(q), self.steps, f"parameter {i}")
        assert_same_state(self.state_dict("minitorch2"), self.state_dict("torch"), self.steps)


def draw_gradients(rng, arrays, missing):
    # Away from 0 (and sometimes at 0), so that no square cancels to rounding errors alone.
    def one(a):
        sign = rng.choice([-1, 0, 1], a.shape, p=[0.45, 0.1, 0.45])
        return np.asarray(sign * rng.uniform(0.1, 2, a.shape), a.dtype)

    return [None if missing and i == 1 else one(a) for i, a in enumerate(arrays)]
