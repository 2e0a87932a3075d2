"""SGD and Adam of parameters on the GPU: what they do on the CPU, in one launch for all parameters of a group.

Without a GPU on the stand-in for CuPy, where the CUDA kernels run emulated.
"""

import cuda_emulation
import numpy as np
import pytest
from on_gpu import REAL, gpu

import minitorch2 as mt

pytestmark = [
    *([pytest.mark.gpu] if REAL else []),
    pytest.mark.skipif(not (REAL or cuda_emulation.available()), reason="no C++ compiler for the emulated kernels"),
]
SHAPES = [(3, 4), (7,), (), (2, 1, 5), (4100,)]
STEPS = 4
# The same operations in the same order; on a GPU some are contracted to fused multiply-adds.
TOLERANCE = {"rtol": 2e-5, "atol": 1e-6} if REAL else {"rtol": 0, "atol": 0}
HALF = {"rtol": 2**-7, "atol": 1e-3}  # the same arithmetic in float32, but rounded where an ulp of that may matter


@pytest.fixture(autouse=True)
def cuda():
    with gpu():
        yield


def train(make, device, dtype=mt.float32, skip=True):
    """The parameters and the optimizer after a few steps; one parameter misses a gradient now and then."""
    rng = np.random.default_rng(0)
    params = [mt.tensor(rng.standard_normal(s)).to(dtype).to(device).requires_grad_() for s in SHAPES]
    params.append(mt.tensor(rng.standard_normal((5, 3))).to(dtype).to(device).t().requires_grad_())  # not in C order
    optimizer = make(params)
    for step in range(STEPS):
        for i, p in enumerate(params):
            grad = mt.tensor(rng.standard_normal(tuple(p.shape))).to(dtype).to(device)
            p.grad = None if skip and (i, step) in ((1, 0), (3, 2)) else grad
        optimizer.step()
    return params, optimizer


def values(tensors):
    return [t.detach().float().cpu().numpy() for t in tensors]


SGD = ("momentum", "nesterov", "weight_decay", "dampening", "maximize")
ADAM = ("amsgrad", "weight_decay", "maximize", "betas")
OPTIONS = {
    "SGD": [
        dict(zip(SGD, (0, False, 0, 0, False), strict=True)),
        dict(zip(SGD, (0.9, False, 0.1, 0.5, False), strict=True)),
        dict(zip(SGD, (0.9, True, 0.1, 0, True), strict=True)),
        dict(zip(SGD, (0, False, 0.1, 0, True), strict=True)),
    ],
    "Adam": [
        dict(zip(ADAM, (False, 0, False, (0.9, 0.999)), strict=True)),
        dict(zip(ADAM, (True, 0.1, True, (0.4, 0.9)), strict=True)),
        dict(zip(ADAM, (False, 0.1, False, (0.5, 0.9)), strict=True)),
    ],
    "AdamW": [{"amsgrad": False}, {"amsgrad": True, "weight_decay": 0.3, "maximize": True}],
}
CASES = [(name, options) for name, all_options in OPTIONS.items() for options in all_options]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_as_on_the_cpu(name, options):
    def make(params):
        return getattr(mt.optim, name)(params, lr=0.05, **options)

    (ours, optimizer), (expected, reference) = train(make, "cuda"), train(make, "cpu")
    for a, b in zip(values(ours), values(expected), strict=True):
        np.testing.assert_allclose(a, b, **TOLERANCE)
    assert all(p.is_cuda for p in ours)
    for p, q in zip(ours, expected, strict=True):
        state, other = optimizer.state[p], reference.state[q]
        assert list(state) == list(other)
        for key in state:
            assert state[key].is_cuda == (key != "step")
            np.testing.assert_allclose(*values((state[key], other[key])), **TOLERANCE)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", OPTIONS)
def test_other_dtypes(name, dtype):
    def make(params):
        return getattr(mt.optim, name)(params, lr=0.05, **OPTIONS[name][1])

    dtype = getattr(mt, dtype)
    (ours, _), (expected, _) = train(make, "cuda", dtype), train(make, "cpu", dtype)
    for a, b in zip(values(ours), values(expected), strict=True):
        np.testing.assert_allclose(a, b, **(TOLERANCE if dtype is mt.float64 else HALF))


@pytest.mark.parametrize("lr", ["a number", "on the CPU", "on the GPU"])
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("option", ["capturable", "fused"])
def test_steps_counted_on_the_gpu(name, lr, option):
    def make(params):
        rate = 0.05 if lr == "a number" else mt.tensor(0.05, device="cpu" if lr == "on the CPU" else "cuda")
        in_order = [p for p in params if p.is_contiguous()]
        return getattr(mt.optim, name)(in_order, lr=rate, weight_decay=0.1, **{option: True})

    ours, optimizer = train(make, "cuda")
    expected, _ = train(lambda ps: getattr(mt.optim, name)(ps[: len(SHAPES)], lr=0.05, weight_decay=0.1), "cpu")
    counted = [optimizer.state[p]["step"] for p in ours[: len(SHAPES)]]
    assert all(step.is_cuda and step.dtype is mt.float32 for step in counted)
    assert [step.item() for step in counted] == [4, 3, 4, 3, 4]
    # a learning rate in float32 is not quite the same number
    for a, b in zip(values(ours[: len(SHAPES)]), values(expected[: len(SHAPES)]), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_one_launch_for_a_group(monkeypatch):
    optim = pytest.importorskip("minitorch2_kernels.cuda.optim")
    launched = []
    launch = optim.launch
    monkeypatch.setattr(optim, "launch", lambda kernel, *args: (launched.append(1), launch(kernel, *args)))
    params = [mt.ones(s, device="cuda", requires_grad=True) for s in SHAPES]
    for make, launches in ((mt.optim.SGD, 1), (mt.optim.Adam, 1), (lambda ps: mt.optim.Adam(ps, capturable=True), 2)):
        optimizer = make(params)
        for p in params:
            p.grad = mt.ones_like(p)
        launched.clear()
        optimizer.step()
        assert len(launched) == launches


def test_an_overwritten_saved_value_is_noticed():
    p = mt.ones(3, device="cuda", requires_grad=True)
    loss = (p * p).sum()
    p.grad = mt.ones_like(p)
    mt.optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_state_of_another_shape_is_refused():
    p, q = (mt.ones(s, device="cuda", requires_grad=True) for s in ((2, 3), (3, 2)))
    optimizer, other = mt.optim.Adam([p]), mt.optim.Adam([q])
    p.grad, q.grad = mt.ones_like(p), mt.ones_like(q)
    optimizer.step()
    other.load_state_dict(optimizer.state_dict())
    with pytest.raises(RuntimeError, match=r"state of shape \(2, 3\) for a parameter of shape \(3, 2\)"):
        other.step()


def test_capturable_needs_the_step_on_the_gpu():
    """A state counted on the CPU, then capturable=True: torch refuses."""
    p = mt.ones(3, device="cuda", requires_grad=True)
    p.grad = mt.ones_like(p)
    optimizer = mt.optim.Adam([p])
    optimizer.step()
    optimizer.param_groups[0]["capturable"] = True
    with pytest.raises(AssertionError, match="If capturable=True"):
        optimizer.step()


def test_a_state_dict_goes_on_where_it_was():
    """Through load_state_dict capturable's steps stay on the GPU, and training goes on the same."""
    both = []
    for resume in (False, True):
        p = mt.ones(5, device="cuda", requires_grad=True)
        optimizer = mt.optim.Adam([p], lr=0.1, capturable=True)
        for step in range(4):
            if resume and step == 2:
                saved, optimizer = optimizer.state_dict(), mt.optim.Adam([p], lr=7.0, capturable=True)
                optimizer.load_state_dict(saved)
            p.grad = mt.ones_like(p) * (step + 1)
            optimizer.step()
        assert optimizer.state[p]["step"].is_cuda
        both.append(p.tolist())
    assert both[0] == both[1]
