"""nn.utils.parametrizations.orthogonal against torch's: one seed, the same weights up to rounding."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from side_by_side import outcome, same

import minitorch2 as mt

LIBRARIES = [mt, torch]
MAPS = ["matrix_exp", "cayley", "householder"]
SHAPES = [(4, 4), (6, 3), (3, 6), (5, 1), (1, 5), (1, 1), (2, 4, 4), (2, 2, 5, 3), (2, 3, 5)]
# Float64: what differs is how solvers and LAPACK round; float32's 1e-7 would hide that.
TOLERANCE = {"rtol": 1e-8, "atol": 1e-10}


def holder(lib, shape, dtype="float64", buffer=False):
    """A module whose weight has this shape."""
    lib.manual_seed(3)
    module = lib.nn.Module()
    weight = lib.randn(*shape, dtype=getattr(lib, dtype))
    if buffer:
        module.register_buffer("weight", weight)
    else:
        module.weight = lib.nn.Parameter(weight)
    return module


def orthogonal(module, lib, **options):
    return lib.nn.utils.parametrizations.orthogonal(module, **options)


def array(tensor):
    return tensor.detach().cpu().numpy()


def close(ours, theirs, **tolerance):
    for a, b in zip(ours, theirs, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, **(tolerance or TOLERANCE))


def is_orthogonal(q, atol=1e-10):
    q = q if q.shape[-2] >= q.shape[-1] else q.swapaxes(-1, -2)
    np.testing.assert_allclose(q.swapaxes(-1, -2) @ q, np.eye(q.shape[-1]) + 0 * q[..., :1, :], atol=atol)


def trained(lib, shape, steps=3, **options):
    """The weight and its gradient at the start, and the weight, the state and the next random numbers after SGD."""
    module = orthogonal(holder(lib, shape), lib, **options)
    start = array(module.weight)
    optimizer = lib.optim.SGD(module.parameters(), lr=0.05)
    target = lib.linspace(-1, 1, start.size, dtype=lib.float64).reshape(shape)
    gradients = []
    for _ in range(steps):
        optimizer.zero_grad()
        (module.weight * target).sum().backward()
        gradients += [array(p.grad) for p in module.parameters()]
        optimizer.step()
    state = module.state_dict()
    is_orthogonal(array(module.weight))
    return list(state), [start, *gradients, array(module.weight), *map(array, state.values()), array(lib.rand(2))]


@pytest.mark.parametrize("use_trivialization", [True, False])
@pytest.mark.parametrize("orthogonal_map", [None, *MAPS])
@pytest.mark.parametrize("shape", SHAPES)
def test_training(shape, orthogonal_map, use_trivialization):
    options = {"orthogonal_map": orthogonal_map, "use_trivialization": use_trivialization}
    (names, ours), (names_of_torch, theirs) = (trained(lib, shape, **options) for lib in LIBRARIES)
    expected = ["parametrizations.weight.original", "parametrizations.weight.0.base"]
    assert names == names_of_torch == expected[: 1 + use_trivialization]
    close(ours, theirs)


@given(
    batch=st.lists(st.integers(1, 3), max_size=2),
    m=st.integers(1, 6),
    n=st.integers(1, 6),
    orthogonal_map=st.sampled_from(MAPS),
    trivial=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_any_shape(batch, m, n, orthogonal_map, trivial, dtype):
    def action(lib):
        module = holder(lib, (*batch, m, n), dtype)
        orthogonal(module, lib, orthogonal_map=orthogonal_map, use_trivialization=trivial)
        (module.weight * module.weight.detach().cos()).sum().backward()
        return [array(module.weight), *(array(p.grad) for p in module.parameters())]

    ours, theirs = map(action, LIBRARIES)
    # Draws far from orthogonal, whose QR in float32 loses some digits.
    close(ours, theirs, **(TOLERANCE if dtype == "float64" else {"rtol": 2e-3, "atol": 2e-4}))
    is_orthogonal(ours[0], 1e-10 if dtype == "float64" else 1e-4)


@pytest.mark.parametrize("orthogonal_map", MAPS)
def test_what_is_orthogonal_stays_as_it_is(orthogonal_map):
    def action(lib):
        module = holder(lib, (4, 4))
        q = lib.linalg.qr(module.weight.detach())[0]
        module.weight.data = q
        weight = orthogonal(module, lib, orthogonal_map=orthogonal_map).weight
        np.testing.assert_allclose(array(weight), array(q), **TOLERANCE)
        return [array(weight)]

    close(*map(action, LIBRARIES))


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 5, 3)])
@pytest.mark.parametrize("orthogonal_map, trivial", [*((name, True) for name in MAPS), ("householder", False)])
def test_assigning(shape, orthogonal_map, trivial):
    def action(lib):
        module = orthogonal(holder(lib, shape), lib, orthogonal_map=orthogonal_map, use_trivialization=trivial)
        found = []
        # Orthogonal; with columns that need no reflection, where the sign is LAPACK's; and anything else.
        tall = lib.linalg.qr(lib.randn(*shape[:-2], max(shape[-2:]), min(shape[-2:]), dtype=lib.float64))[0]
        q = tall if shape[-2] >= shape[-1] else tall.mT
        for value in (q, lib.zeros(shape, dtype=lib.float64) + lib.eye(*shape[-2:], dtype=lib.float64), 2 * q + 1):
            module.weight = value
            found += [array(module.weight), *map(array, module.state_dict().values())]
        np.testing.assert_allclose(found[0], array(q), **TOLERANCE)
        return found

    close(*map(action, LIBRARIES))


def test_layers():
    def action(lib):
        lib.manual_seed(0)
        linear = orthogonal(lib.nn.Linear(3, 5).double(), lib)
        conv = orthogonal(lib.nn.Conv2d(2, 3, (2, 3)).double(), lib)  # kernels, a batch of matrices
        y = linear(lib.ones(2, 3, dtype=lib.float64)).sum() + conv(lib.ones(1, 2, 3, 4, dtype=lib.float64)).sum()
        return [array(y), array(linear.weight), array(conv.weight)], repr(linear), type(linear.weight).__name__

    (ours, *texts), (theirs, *texts_of_torch) = map(action, LIBRARIES)
    close(ours, theirs)
    assert texts == texts_of_torch


def test_buffers_removal_copies_and_states():
    def action(lib):
        module = orthogonal(holder(lib, (3, 3), buffer=True), lib)
        assert not list(module.parameters())
        twin = copy.deepcopy(module)
        other = orthogonal(holder(lib, (3, 3)), lib)
        other.weight = lib.eye(3, dtype=lib.float64)
        other.load_state_dict(module.state_dict())
        found = [array(twin.weight), array(other.weight)]
        lib.nn.utils.parametrize.remove_parametrizations(module, "weight")
        return [*found, array(module.weight)]

    ours, theirs = map(action, LIBRARIES)
    close(ours, theirs)
    np.testing.assert_array_equal(ours[0], ours[1])


def test_on_top_of_another():
    def action(lib):
        module = orthogonal(holder(lib, (3, 3)), lib, orthogonal_map="householder", use_trivialization=False)
        orthogonal(module, lib, use_trivialization=False)
        module.weight.sum().backward()
        return [array(module.weight), *(array(p.grad) for p in module.parameters())]

    close(*map(action, LIBRARIES))


def test_what_both_refuse():
    def action(lib):
        nn = lib.nn
        fixed = orthogonal(nn.Linear(3, 3), lib, use_trivialization=False)
        bent = orthogonal(nn.Linear(3, 3), lib)
        twice = orthogonal(orthogonal(nn.Linear(3, 3), lib), lib)
        tries = [
            lambda: orthogonal(nn.Linear(3, 3), lib, orthogonal_map="x"),
            lambda: orthogonal(nn.Linear(3, 3), lib, name="bias"),
            lambda: orthogonal(nn.Linear(3, 3), lib, name="zz"),
            lambda: setattr(fixed, "weight", lib.eye(3)),
            lambda: setattr(bent, "weight", lib.eye(2)),
            lambda: twice.weight,
        ]
        found = [outcome(lambda _, each=each: each(), lib) for each in tries]
        assert all(kind.endswith("Error") for kind, _ in found)
        return found

    same(action)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_has_no_qr(dtype):
    """The weight has no value then: a right_inverse that is not implemented is none, in torch as well."""

    def action(lib):
        module = orthogonal(holder(lib, (3, 3), dtype), lib)
        return outcome(lambda _: module.weight, lib)[0], list(module.state_dict())

    assert same(action) == ["TypeError", ["parametrizations.weight.original"]]
