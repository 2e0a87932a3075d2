"""minitorch2.nn.utils against torch.nn.utils: clipping gradients, parameters as a vector.

The norm is a sum in another order: a few float32 roundings.
"""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optim_side_by_side import LIBRARIES, parameter, set_grads, to_numpy

import minitorch2

SHAPES = [(), (3,), (2, 0), (4, 5)]
DTYPES = [np.float32, np.float64]


def params_with_grads(lib, seed, dtype=np.float32, scale=1.0, skip=None):
    rng = np.random.default_rng(seed)
    params = [parameter(lib, np.asarray(rng.standard_normal(shape), dtype)) for shape in SHAPES]
    grads = [np.asarray(scale * rng.standard_normal(shape), dtype) for shape in SHAPES]
    set_grads(lib, params, [None if i == skip else g for i, g in enumerate(grads)])
    return params


def both(action):
    return [action(lib) for lib in (minitorch2, torch)]


def assert_close(ours, theirs, dtype):
    np.testing.assert_equal([a.dtype for a in ours], [a.dtype for a in theirs])
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=8 * np.finfo(dtype).eps)


@given(
    seed=st.integers(0, 99),
    dtype=st.sampled_from(DTYPES),
    scale=st.sampled_from([0.01, 1.0, 100.0]),
    max_norm=st.sampled_from([0.0, 0.5, 1, 50.0]),
    norm_type=st.sampled_from([2, 2.0, 1.0, 3.0, 0.5, 0.0, np.inf, "inf"]),
    skip=st.sampled_from([None, 1]),
    foreach=st.sampled_from([None, False, True]),
)
def test_clip_grad_norm(seed, dtype, scale, max_norm, norm_type, skip, foreach):
    if norm_type in (np.inf, "inf"):
        skip = 2  # torch has no maximum of an empty gradient

    def action(lib):
        params = params_with_grads(lib, seed, dtype, scale, skip)
        norm = lib.nn.utils.clip_grad_norm_(params, max_norm, norm_type, foreach=foreach)
        assert norm.shape == ()
        return to_numpy([norm] + [p.grad for p in params if p.grad is not None])

    assert_close(*both(action), dtype)


@given(
    seed=st.integers(0, 99),
    limit=st.sampled_from([0.0, 0.3, 2]),
    foreach=st.sampled_from([None, False, True]),
)
def test_clip_grad_value(seed, limit, foreach):
    def action(lib):
        params = params_with_grads(lib, seed, skip=2)
        lib.nn.utils.clip_grad_value_((p for p in params), limit, foreach=foreach)
        lib.nn.utils.clip_grad_value_(params[0], limit / 2)
        return to_numpy([p.grad for p in params if p.grad is not None])

    np.testing.assert_equal(*both(action))


def test_a_single_tensor_and_none_at_all():
    def action(lib):
        utils = lib.nn.utils
        p = params_with_grads(lib, 0)[3]
        norms = [
            utils.clip_grad_norm_(p, 0.1),
            utils.get_total_norm(p.grad),
            utils.get_total_norm([p.grad, p.grad]),
        ]
        norms += [
            utils.clip_grad_norm_([], 1.0),
            utils.get_total_norm([]),
            utils.get_total_norm(x for x in [p]),
        ]
        utils.clip_grads_with_norm_([p], 0.05, norms[1])
        return to_numpy([x.detach() for x in norms] + [p.grad])

    assert_close(*both(action), np.float32)


def test_the_gradients_stay_the_same_objects():
    params = params_with_grads(minitorch2, 0)
    before = [p.grad for p in params]
    minitorch2.nn.utils.clip_grad_norm_(params, 0.1)
    assert all(p.grad is g for p, g in zip(params, before, strict=True))
    assert all(not p.grad.requires_grad for p in params)


@pytest.mark.parametrize("size", [3, 50_000])
def test_a_norm_beyond_every_number_is_inf_without_a_word(size):
    def norm(lib):
        (p,) = params = [parameter(lib, np.zeros(size, np.float32))]
        set_grads(lib, params, [np.full(size, 1e30, np.float32)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            total = lib.nn.utils.clip_grad_norm_(p, 1.0)
        return total.item(), p.grad[0].item()

    ours, theirs = both(norm)
    assert ours == theirs == (np.inf, 0.0)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_norm_that_is_not_finite(value):
    def grads(lib, **options):
        params = params_with_grads(lib, 0)
        params[1].grad[0] = value
        norm = lib.nn.utils.clip_grad_norm_(params, 1.0, **options)
        return to_numpy([norm] + [p.grad for p in params])

    np.testing.assert_equal(*both(grads))  # factors 0 and nan: exact
    errors = []
    for lib in LIBRARIES.values():
        with pytest.raises(RuntimeError, match="non-finite") as caught:
            grads(lib, error_if_nonfinite=True)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


def test_an_exhausted_generator_warns():
    for lib in LIBRARIES.values():
        with pytest.warns(UserWarning, match="`parameters` is an empty generator"):
            lib.nn.utils.clip_grad_norm_((p for p in ()), 1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lib.nn.utils.clip_grad_norm_([], 1.0)


def test_parameters_to_vector_and_back():
    def action(lib):
        params = params_with_grads(lib, 3)
        vector = lib.nn.utils.parameters_to_vector(p for p in params)
        (vector * vector).sum().backward()
        new = lib.arange(float(vector.numel()))
        lib.nn.utils.vector_to_parameters(new, params)
        new[0] = 50.0  # the parameters look into the vector
        return to_numpy([vector, *params, *(p.grad for p in params)])

    ours, theirs = both(action)
    np.testing.assert_equal(ours, theirs)


def test_vector_to_parameters_takes_a_tensor():
    for lib in LIBRARIES.values():
        with pytest.raises(TypeError, match=r"expected torch.Tensor, but got: list"):
            lib.nn.utils.vector_to_parameters([1.0], [])
