"""A training run goes on in the other library: optimizer and parameters from its file, as if nothing had happened.

Every optimizer, with combinations of its options and two parameter groups; in both directions, through real files.
"""

import io

import numpy as np
import pytest
import torch
from optim_side_by_side import assert_close, draw_gradients, parameter, set_grads, to_numpy

import minitorch2

LIBRARIES = {"torch": torch, "minitorch2": minitorch2}
BEFORE, AFTER = 3, 4
COMMON = [{}, {"weight_decay": 0.01, "maximize": True}, {"foreach": True, "weight_decay": 0.1}, {"foreach": False}]
BETAS = {"betas": (0.8, 0.95), "eps": 1e-6}
OPTIMIZERS = {
    "SGD": [
        *COMMON,
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01, "foreach": True},
        {"momentum": 0.9, "nesterov": True, "maximize": True},
        {"momentum": 0.5, "fused": True},
    ],
    "Adam": [
        *COMMON,
        BETAS,
        {"amsgrad": True, "foreach": True},
        {"amsgrad": True, "maximize": True, "weight_decay": 0.1, "fused": True},
        {"decoupled_weight_decay": True, "weight_decay": 0.1},
    ],
    "AdamW": [*COMMON, BETAS, {"amsgrad": True}, {"amsgrad": True, "fused": True, "maximize": True}],
    "RMSprop": [*COMMON, {"alpha": 0.9, "eps": 1e-6, "momentum": 0.9}, {"centered": True, "momentum": 0.5}],
    "Adagrad": [*COMMON, {"lr_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-6}, {"fused": True}],
    "Adadelta": [*COMMON, {"rho": 0.5, "eps": 1e-4}],
    "Adamax": [*COMMON, BETAS],
    "NAdam": [*COMMON, BETAS, {"momentum_decay": 0.01, "decoupled_weight_decay": True, "weight_decay": 0.1}],
    "Rprop": [{}, {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.1), "maximize": True}, {"foreach": True}],
    "ASGD": [*COMMON, {"lambd": 0.1, "alpha": 0.5, "t0": 2}],
    "RAdam": [*COMMON, BETAS, {"decoupled_weight_decay": True, "weight_decay": 0.1}],
    "Adafactor": [*COMMON, {"beta2_decay": -0.5, "eps": (1e-4, 0.01), "d": 1.5}],
    "Muon": [{}, {"momentum": 0.5, "nesterov": False, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3}],
}
SHAPES = {"Muon": [(3, 4), (1, 5), (5, 2), (2, 1)]}  # matrices alone
CASES = [(name, options) for name, rows in OPTIMIZERS.items() for options in rows]
IDS = [f"{name}-{'-'.join(f'{k}={v}' for k, v in options.items()) or 'defaults'}" for name, options in CASES]


def groups(library, params, named=False):
    """Two groups, of which the second has options of its own and a parameter that gets no gradient."""
    pairs = [(f"p{i}", p) if named else p for i, p in enumerate(params)]
    return [{"params": pairs[:2]}, {"params": pairs[2:], "lr": 0.03}]


def through_a_file(thing, source, target):
    """Saved by one library, loaded by the other; neither runs code from the file."""
    file = io.BytesIO()
    LIBRARIES[source].save(thing, file)
    file.seek(0)
    return LIBRARIES[target].load(file, weights_only=True)


def kinds(value):
    """The types all through a state_dict; of a tensor also dtype and shape."""
    if isinstance(value, torch.Tensor | minitorch2.Tensor):
        return type(value).__name__, str(value.dtype), tuple(value.shape), value.requires_grad
    if isinstance(value, dict):
        return type(value).__name__, [(key, kinds(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [kinds(item) for item in value]
    return type(value).__name__


def step(library, optimizer, params, grads):
    set_grads(library, params, grads)
    optimizer.step()


def test_every_optimizer_has_a_row():
    of_their_own = {"Optimizer", "LBFGS"}  # LBFGS: test_lbfgs.py
    ours = {name for name in minitorch2.optim.__all__ if name[0].isupper()} - of_their_own
    assert ours == set(OPTIMIZERS), "give the new optimizer its rows in OPTIMIZERS"


@pytest.mark.parametrize("source", LIBRARIES)
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_the_other_library_goes_on(name, options, source):
    target = "minitorch2" if source == "torch" else "torch"
    rng = np.random.default_rng(7)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES.get(name, [(3, 4), (), (5,), (2, 1)])]
    grads = [[*draw_gradients(rng, arrays[:3], missing=False), None] for _ in range(BEFORE + AFTER)]
    first = [parameter(LIBRARIES[source], a.copy()) for a in arrays]
    optimizer = getattr(LIBRARIES[source].optim, name)(groups(LIBRARIES[source], first), **options)
    for g in grads[:BEFORE]:
        step(LIBRARIES[source], optimizer, first, g)

    saved = {"params": [p.detach() for p in first], "optimizer": optimizer.state_dict()}
    loaded = through_a_file(saved, source, target)
    assert kinds(loaded) == kinds(saved)
    second = [LIBRARIES[target].nn.Parameter(p) for p in loaded["params"]]
    # With the defaults, so that all options must come from the file.
    resumed = getattr(LIBRARIES[target].optim, name)(groups(LIBRARIES[target], second))
    resumed.load_state_dict(loaded["optimizer"])
    assert kinds(resumed.state_dict()) == kinds(saved["optimizer"])
    np.testing.assert_equal(to_numpy(resumed.state_dict()), to_numpy(saved["optimizer"]))

    for i, g in enumerate(grads[BEFORE:], 1):
        step(LIBRARIES[source], optimizer, first, g)
        step(LIBRARIES[target], resumed, second, g)
        for p, q in zip(first, second, strict=True):
            assert_close(to_numpy(q), to_numpy(p), i, f"after {i} steps")
    assert kinds(resumed.state_dict()) == kinds(optimizer.state_dict())
    mine, theirs = resumed.state_dict(), optimizer.state_dict()
    assert to_numpy(mine["param_groups"]) == to_numpy(theirs["param_groups"])
    for key, values in theirs["state"].items():
        for what, value in values.items():
            if value is not None:
                assert_close(to_numpy(mine["state"][key][what]), to_numpy(value), AFTER, f"{key}.{what}")


@pytest.mark.parametrize("source", LIBRARIES)
def test_names_of_parameters_and_a_tensor_learning_rate(source):
    target = "minitorch2" if source == "torch" else "torch"
    one, other = LIBRARIES[source], LIBRARIES[target]
    params = [parameter(one, np.ones(2, np.float32)) for _ in range(3)]
    optimizer = one.optim.AdamW(groups(one, params, named=True), lr=one.tensor(0.25), foreach=False)
    step(one, optimizer, params, [np.ones(2, np.float32)] * 3)
    loaded = through_a_file(optimizer.state_dict(), source, target)
    assert [g["param_names"] for g in loaded["param_groups"]] == [["p0", "p1"], ["p2"]]
    fresh = [parameter(other, to_numpy(p)) for p in params]
    resumed = other.optim.AdamW(groups(other, fresh, named=True), foreach=False)
    resumed.load_state_dict(loaded)
    assert kinds(resumed.state_dict()) == kinds(optimizer.state_dict())
    for _ in range(2):
        step(one, optimizer, params, [np.ones(2, np.float32)] * 3)
        step(other, resumed, fresh, [np.ones(2, np.float32)] * 3)
    for p, q in zip(params, fresh, strict=True):
        assert_close(to_numpy(q), to_numpy(p), 2, "parameter")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_state_of_other_dtypes_is_kept(dtype):
    """Their arithmetic is the business of test_optim; here nothing may be lost or converted on the way."""
    p = torch.nn.Parameter(torch.ones(3, dtype=getattr(torch, dtype)))
    optimizer = torch.optim.Adam([p], amsgrad=True)
    p.grad = torch.full_like(p, 0.5)
    optimizer.step()
    loaded = through_a_file(optimizer.state_dict(), "torch", "minitorch2")
    ours = minitorch2.nn.Parameter(minitorch2.ones(3, dtype=getattr(minitorch2, dtype)))
    resumed = minitorch2.optim.Adam([ours])
    resumed.load_state_dict(loaded)
    assert kinds(resumed.state_dict()) == kinds(optimizer.state_dict())
    for name, value in optimizer.state_dict()["state"][0].items():
        assert resumed.state_dict()["state"][0][name].tolist() == value.tolist()


@pytest.mark.parametrize("option", ["capturable", "differentiable"])
def test_what_ours_do_not_support_is_refused_when_it_would_matter(option):
    p = torch.nn.Parameter(torch.ones(1))
    saved = torch.optim.Adam([p]).state_dict()
    saved["param_groups"][0][option] = True
    ours = parameter(minitorch2, np.ones(1, np.float32))
    resumed = minitorch2.optim.Adam([ours])
    resumed.load_state_dict(through_a_file(saved, "torch", "minitorch2"))
    set_grads(minitorch2, [ours], [np.ones(1, np.float32)])
    if option == "capturable":  # there has to be a GPU for it, torch says too
        with pytest.raises(AssertionError, match="If capturable=True, params and state_steps must be on supported"):
            resumed.step()
        return
    with pytest.raises(NotImplementedError, match=f"do not support {option}=True"):
        resumed.step()


LOADS = {
    "another number of groups": lambda s: s["param_groups"].pop(),
    "another number of parameters": lambda s: s["param_groups"][0]["params"].append(9),
    "no groups": lambda s: s.pop("param_groups"),
    "no state": lambda s: s.pop("state"),
    "unknown option": lambda s: s["param_groups"][0].update(later=True),
    "state of no parameter": lambda s: s["state"].update(extra=1),
    "nothing of one parameter": lambda s: s["state"].pop(0),
    "an option missing": lambda s: s["param_groups"][0].pop("maximize"),
    "a number for the step": lambda s: s["state"][0].update(step=3),
}


@pytest.mark.parametrize("change", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("name", ["Adam", "SGD", "NAdam", "Adagrad"])
def test_states_that_do_not_fit(name, change):
    """The same state_dict with the same flaw: the same error, or the same result."""
    results = []
    for library in LIBRARIES.values():
        params = [parameter(library, np.ones(2, np.float32)) for _ in range(2)]
        optimizer = getattr(library.optim, name)([{"params": params[:1]}, {"params": params[1:]}])
        step(library, optimizer, params, [np.ones(2, np.float32)] * 2)
        state = optimizer.state_dict()
        state["state"] = {key: dict(values) for key, values in state["state"].items()}
        try:
            change(state)
            optimizer.load_state_dict(state)
            step(library, optimizer, params, [np.ones(2, np.float32)] * 2)
        except Exception as error:
            results.append((type(error), str(error)))
        else:
            results.append(kinds(optimizer.state_dict()))
    assert results[0] == results[1]
