"""minitorch2.optim against torch.optim: the same parameters and gradients, step by step."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optim_side_by_side import (
    DTYPES,
    LIBRARIES,
    OPTIMIZERS,
    Run,
    assert_close,
    draw_gradients,
    parameter,
    set_grads,
    to_library,
    to_numpy,
)

import minitorch2
from minitorch2_kernels import KERNELS, use_reference
from minitorch2_kernels.cpu import pool

shapes = st.lists(st.sampled_from([(), (0,), (1,), (7,), (2, 0, 3), (3, 5), (2, 3, 4)]), min_size=1, max_size=4)
layouts = st.sampled_from(["contiguous", "transposed", "strided"])


def laid_out(array, layout):
    """The same values, as the transpose of a contiguous array or as every second element of one."""
    if layout == "transposed":
        return np.ascontiguousarray(array.T).T
    if layout == "strided" and array.ndim:
        buffer = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        buffer[..., ::2] = array
        return buffer[..., ::2]
    return array.copy()


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(data=st.data())
def test_steps_as_torch(name, data):
    options = data.draw(OPTIMIZERS[name])
    dtype = data.draw(st.sampled_from(list(DTYPES)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = [
        laid_out(np.asarray(rng.standard_normal(shape), dtype), data.draw(layouts)) for shape in data.draw(shapes)
    ]
    run = Run(name, options, arrays)
    for i in range(data.draw(st.integers(1, 8))):
        run.step(draw_gradients(rng, arrays, missing=i == 1))
    run.check()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_large_parameters_go_through_in_blocks(name):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3, 40_001)).astype(np.float32)]  # four blocks, the last one short
    run = Run(name, {}, arrays)
    for _ in range(3):
        run.step(draw_gradients(rng, arrays, missing=False))
    run.check()


@pytest.fixture(scope="module")
def two_threads():
    before = pool.get_num_threads()
    pool.set_num_threads(2)
    yield
    pool.set_num_threads(before)


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(data=st.data())
def test_blocks_have_the_bits_of_the_reference(name, data, two_threads):
    options = data.draw(OPTIMIZERS[name])
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    size = data.draw(st.sampled_from([1, 32_767, 32_768, 32_769, 300_000]))  # the last is shared among threads
    start = rng.standard_normal(size).astype(np.float32)
    grads = [rng.standard_normal(size).astype(np.float32) for _ in range(2)]

    def run():
        p = parameter(minitorch2, start.copy())
        optimizer = getattr(minitorch2.optim, name)([p], **options)
        for g in grads:
            set_grads(minitorch2, [p], [g])
            optimizer.step()
        return to_numpy([p.detach(), optimizer.state_dict()["state"]])

    blocked = run()
    with use_reference():
        whole = run()
    np.testing.assert_equal(blocked, whole)
    assert KERNELS[name.lower().removesuffix("w")].overrides


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensor_learning_rate(name, dtype):
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(50).astype(np.float32)]
    grads = [draw_gradients(rng, arrays, missing=False) for _ in range(4)]
    results = {}
    for key, library in LIBRARIES.items():
        params = [parameter(library, a.copy()) for a in arrays]
        rate = library.tensor(0.03, dtype=getattr(library, dtype))
        optimizer = getattr(library.optim, name)(params, lr=rate, weight_decay=0.1)
        for g in grads:
            set_grads(library, params, g)
            optimizer.step()
            rate.mul_(0.5)
        results[key] = to_numpy(params[0])
    assert_close(results["minitorch2"], results["torch"], 4, name)


def test_tensor_betas():
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal(50).astype(np.float32)]
    grads = [draw_gradients(rng, arrays, missing=False) for _ in range(3)]
    results = {}
    for key, library in LIBRARIES.items():
        params = [parameter(library, a.copy()) for a in arrays]
        two = (library.tensor(0.8), library.tensor([0.95]))
        optimizer = library.optim.Adam(params, betas=two)
        for g in grads:
            set_grads(library, params, g)
            optimizer.step()
        assert optimizer.param_groups[0]["betas"][1].shape == ()
        results[key] = to_numpy(params[0])
    # 1 - beta**step in float32 loses digits that depend on the library's power function.
    np.testing.assert_allclose(results["minitorch2"], results["torch"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32_and_rounded_once(name, dtype):
    rng = np.random.default_rng(3)
    start, grad = (torch.from_numpy(rng.standard_normal(200).astype(np.float32)) for _ in range(2))
    start, grad = (x.to(getattr(torch, dtype)).float() for x in (start, grad))

    wide = torch.nn.Parameter(start.clone())
    wide.grad = grad
    getattr(torch.optim, name)([wide], lr=0.05).step()
    expected = wide.detach().to(getattr(torch, dtype)).float().numpy()

    p = minitorch2.nn.Parameter(minitorch2.from_numpy(start.numpy()).to(getattr(minitorch2, dtype)))
    p.grad = minitorch2.from_numpy(grad.numpy()).to(getattr(minitorch2, dtype))
    optimizer = getattr(minitorch2.optim, name)([p], lr=0.05)
    optimizer.step()
    ours = p.detach().to(minitorch2.float32).numpy()
    # Exact but where float32's last bit decides between two 16-bit neighbours.
    assert (ours != expected).mean() <= 0.01
    np.testing.assert_allclose(ours, expected, rtol=2**-7 if dtype == "bfloat16" else 2**-10)
    assert all(v.dtype is p.dtype for k, v in optimizer.state[p].items() if k != "step")


def test_step_counts_in_the_default_dtype():
    p = parameter(minitorch2, np.ones(2, np.float32))
    for default in (minitorch2.float64, minitorch2.float32):
        before = minitorch2.get_default_dtype()
        minitorch2.set_default_dtype(default)
        try:
            optimizer = minitorch2.optim.Adam([p])
            set_grads(minitorch2, [p], [np.ones(2, np.float32)])
            optimizer.step()
        finally:
            minitorch2.set_default_dtype(before)
        assert optimizer.state[p]["step"].dtype is default


def test_overflow_and_zero_division_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in OPTIMIZERS:
            p = parameter(minitorch2, np.array([1.0, 3e38, -1.0, 0.0], np.float32))
            optimizer = getattr(minitorch2.optim, name)([p], lr=10.0)
            set_grads(minitorch2, [p], [np.array([3e38, -3e38, np.nan, 0.0], np.float32)])
            optimizer.step()
            optimizer.step()


def test_an_update_is_seen_by_the_version_counter():
    p = parameter(minitorch2, np.ones(3, np.float32))
    product = p * p
    set_grads(minitorch2, [p], [np.ones(3, np.float32)])
    minitorch2.optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("origin", ["torch", "minitorch2"])
@given(data=st.data())
def test_checkpoints_go_both_ways(name, origin, data):
    """A state_dict of one library, taken through plain arrays, lets the other go on as the first would
    have."""
    options = data.draw(OPTIMIZERS[name])
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = [np.asarray(rng.standard_normal(shape), np.float32) for shape in [(3, 4), (), (5,)]]
    run = Run(name, options, arrays)
    for _ in range(3):
        run.step(draw_gradients(rng, arrays, missing=False))
    target = "minitorch2" if origin == "torch" else "torch"
    library = LIBRARIES[target]
    checkpoint = run.state_dict(origin)
    fresh = getattr(library.optim, name)(run.params[target])
    fresh.load_state_dict(to_library(library, checkpoint))
    run.optimizers[target] = fresh
    np.testing.assert_equal(to_numpy(fresh.state_dict()), checkpoint)
    for _ in range(3):
        run.step(draw_gradients(rng, arrays, missing=False))
    run.check()


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_what_was_replaced_between_steps_is_updated(name):
    """Where the arrays lie is remembered from step to step: new memory of a parameter or a state must be noticed."""
    final = []
    for lib in LIBRARIES.values():
        lib.manual_seed(0)
        params = [lib.nn.Parameter(lib.rand(3, 4)), lib.nn.Parameter(lib.rand(5))]
        optimizer = getattr(lib.optim, name)(params, lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))
        state = "momentum_buffer" if name == "SGD" else "exp_avg"
        for i in range(6):
            for p in params:
                p.grad = p.detach() * 2 + i
            if i == 2:
                params[1].data = lib.ones(5)
            if i == 3:
                optimizer.state[params[0]][state] = lib.full((3, 4), 0.5)
            if i == 4:
                params[0].grad = None
            optimizer.step()
        final.append([to_numpy(p.detach()) for p in params])
    for ours, theirs in zip(*final, strict=True):
        # a parameter that came near zero keeps the rounding of the larger numbers it is the difference of
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)
