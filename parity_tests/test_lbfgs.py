"""optim.LBFGS against torch's: the same function, step by step, with and without line search, and from a saved state.

In float64. The iterations amplify roundings, the more the nearer the minimum: a number of iterations that decides on a
difference of 1e-9 may then differ by one, so most cases end before.
"""

import io

import numpy as np
import pytest
import torch
from optim_side_by_side import LIBRARIES, to_numpy
from side_by_side import same

import minitorch2

FUNCTIONS = {
    "quadratic": lambda lib, x, y: (
        ((x - 3) ** 2 * lib.arange(1, 7, dtype=lib.float64)).sum() + (y * y + x[:1] * y / 9).sum()
    ),
    "Rosenbrock": lambda lib, x, y: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum() + (y**4).sum(),
    "a ripple": lambda lib, x, y: (lib.sin(3 * x) + 0.1 * x**2).sum() + lib.cos(y).sum(),
    "steep": lambda lib, x, y: lib.exp(x / 2).sum() + lib.log1p(y * y).sum() - 2 * x.sum(),
}
OPTIONS = {
    "defaults": {"max_iter": 6, "lr": 0.1},
    "history of two": {"max_iter": 8, "history_size": 2, "lr": 0.05},
    "few evaluations": {"max_iter": 10, "max_eval": 4, "lr": 0.02},
    "line search": {"max_iter": 6, "line_search_fn": "strong_wolfe"},
    "line search, long first step": {"max_iter": 5, "lr": 20.0, "line_search_fn": "strong_wolfe", "max_eval": 60},
    "loose tolerances": {"max_iter": 20, "lr": 0.1, "tolerance_grad": 5.0, "tolerance_change": 1e-2},
}


class Program:
    """Minimises one of FUNCTIONS over two tensors and one that it does not depend on."""

    def __init__(self, library, function, options):
        rng = np.random.default_rng(3)
        arrays = rng.standard_normal(6), rng.standard_normal((2, 3)), rng.standard_normal(2)
        self.library, self.function = library, FUNCTIONS[function]
        self.params = [library.nn.Parameter(library.from_numpy(a)) for a in arrays]
        self.optimizer = library.optim.LBFGS(self.params, **options)
        self.losses = []

    def step(self):
        def closure():
            self.optimizer.zero_grad()
            loss = self.function(self.library, *self.params[:2])
            loss.backward()
            self.losses.append(loss.item())
            return loss

        return self.optimizer.step(closure).item()


def flat(value):
    """Numbers and arrays in it, in order."""
    if isinstance(value, dict):
        return [x for key in value for x in flat(value[key])]
    if isinstance(value, list | tuple):
        return [x for item in value for x in flat(item)]
    return [] if value is None else [np.asarray(value, np.float64)]


def assert_same(ours, theirs, state=True):
    assert ours.losses == pytest.approx(theirs.losses, rel=1e-8, abs=1e-10)
    for p, q in zip(ours.params, theirs.params, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-7, atol=1e-9)
    mine, yours = (to_numpy(program.optimizer.state_dict()) for program in (ours, theirs))
    assert mine["param_groups"] == yours["param_groups"]
    assert set(mine["state"][0]) == set(yours["state"][0])
    if not state:
        return
    for key, value in yours["state"][0].items():
        for a, b in zip(flat(mine["state"][0][key]), flat(value), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8, err_msg=key)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_steps_as_torch(function, options):
    programs = [Program(library, function, OPTIONS[options]) for library in LIBRARIES.values()]
    for i in range(3):
        first, second = (program.step() for program in programs)
        assert first == pytest.approx(second, rel=1e-8, abs=1e-10)
        assert_same(programs[1], programs[0], state=i == 0)  # at a minimum nothing but roundings is left of it
    assert len(programs[0].losses) > 2


@pytest.mark.cpu("torch reads a GPU's tensors on a GPU only")
@pytest.mark.parametrize("source", LIBRARIES)
def test_the_other_library_goes_on(source):
    target = "minitorch2" if source == "torch" else "torch"
    options = {"max_iter": 4, "line_search_fn": "strong_wolfe"}
    begun, resumed = (Program(LIBRARIES[name], "Rosenbrock", options) for name in (source, target))
    begun.step()
    file = io.BytesIO()
    LIBRARIES[source].save({"optimizer": begun.optimizer.state_dict(), "params": begun.params}, file)
    file.seek(0)
    loaded = LIBRARIES[target].load(file, weights_only=True)
    for p, q in zip(resumed.params, loaded["params"], strict=True):
        p.data.copy_(q.data)
    resumed.optimizer.load_state_dict(loaded["optimizer"])
    begun.losses.clear()
    begun.step(), resumed.step()
    pair = (begun, resumed) if target == "torch" else (resumed, begun)
    assert_same(*pair)


def test_a_minimum_ends_the_step_at_once():
    for library in LIBRARIES.values():
        p = library.nn.Parameter(library.zeros(3))
        optimizer = library.optim.LBFGS([p])
        calls = []

        def closure(p=p, optimizer=optimizer, calls=calls):
            optimizer.zero_grad()
            (loss := (p * p).sum()).backward()
            calls.append(1)
            return loss

        optimizer.step(closure)
        assert len(calls) == 1 and optimizer.state_dict()["state"] == {0: {"func_evals": 1, "n_iter": 0}}


def test_errors_as_torch():
    def p(library):
        return library.nn.Parameter(library.ones(2))

    def run(library, **options):
        q = p(library)
        return library.optim.LBFGS([q], **options).step(lambda: ((loss := (q * q).sum()).backward(), loss)[1])

    wrong = [
        lambda library: library.optim.LBFGS([p(library)], lr=-1),
        lambda library: library.optim.LBFGS([{"params": [p(library)]}, {"params": [p(library)]}]),
        lambda library: run(library, line_search_fn="armijo"),
        lambda library: library.optim.LBFGS([p(library)]).step(),
    ]
    for cause in wrong:
        with pytest.raises(Exception) as theirs:
            cause(torch)
        with pytest.raises(type(theirs.value)) as ours:
            cause(minitorch2)
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 20])
def test_a_line_search_heeds_max_eval(most):
    """On a loss with many valleys, where a search without a limit goes elsewhere."""

    def run(lib):
        x = lib.tensor([3.0], dtype=lib.float64, requires_grad=True)
        optimizer = lib.optim.LBFGS([x], lr=10.0, max_iter=most, line_search_fn="strong_wolfe")
        losses = []

        def closure():
            optimizer.zero_grad()
            loss = (x**4).sum() + 20 * (5 * x).cos().sum()
            loss.backward()
            losses.append(f"{loss.item():.6g}")
            return loss

        for _ in range(4):
            optimizer.step(closure)
        return losses

    same(run)
