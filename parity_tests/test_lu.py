"""Triangular factors and Householder's reflections beyond the table of ops (optable/factors.py)."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from on_gpu import gpu
from optable.comparing import assert_same
from optable.matrices import SOLVED

import minitorch2 as mt
import minitorch2_kernels as K
from minitorch2_kernels.reference.lu import NARROW

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")
INF, NAN = float("inf"), float("nan")
SINGULAR = [[1.0, 2.0, 3.0], [2.0, 4.0, 1.0], [4.0, 8.0, 2.0]]
REGULAR = [[1.0, 2.0, 3.0], [4.0, 1.0, 1.0], [2.0, 2.0, 9.0]]


def both(call):
    return call(mt), call(torch)


def same(call):
    assert_same(*both(call), SOLVED)


SIZES = st.sampled_from([0, 1, 2, 5, NARROW, NARROW + 1, 2 * NARROW + 3, 40])


@given(st.integers(0, 10**6), SIZES, SIZES, st.sampled_from([(), (2,), (0,)]), st.sampled_from(["float32", "float64"]))
def test_factors_multiply_to_the_matrix_and_no_multiplier_is_above_1(seed, m, n, batch, dtype):
    rng, k = np.random.default_rng(seed), min(m, n)
    a = rng.standard_normal((*batch, m, n)).astype(dtype)
    if k > 2:
        a[..., rng.integers(k)] = 0  # a pivot of 0 on the way
        a[..., -1, :] = a[..., 0, :]
    before = a.copy()
    with np.errstate(all="raise"):
        lu, pivots, info = K.lu_factor(a)
    assert np.array_equal(a, before) and lu.dtype == a.dtype
    assert pivots.shape == (*batch, k) and pivots.dtype == info.dtype == np.int32 and info.shape == batch
    assert (pivots >= np.arange(1, k + 1)).all() and (pivots <= m).all()
    lower, upper = np.tril(lu[..., :k], -1) + np.eye(m, k, dtype=dtype), np.triu(lu[..., :k, :])
    assert (np.abs(lower) <= 1).all()
    moved = np.take_along_axis(a, K.row_order(pivots, m)[..., None], axis=-2)
    bound = (k + 2) * np.finfo(dtype).eps * (np.abs(lower) @ np.abs(upper))  # the textbook's, whatever the matrix
    assert (np.abs(lower @ upper - moved) <= bound).all()
    zero = np.diagonal(lu, 0, -2, -1) == 0
    assert (info == np.where(zero.any(-1), zero.argmax(-1) + 1, 0)).all() if k else not info.any()


@pytest.mark.parametrize("shape", [(30, 30), (2, 25, 40), (40, 17)])
def test_large_matrices_have_lapacks_pivots(shape):
    a = np.random.default_rng(0).standard_normal(shape)
    ours, theirs = both(lambda t: t.linalg.lu_factor(t.tensor(a)))
    assert ours.pivots.tolist() == theirs.pivots.tolist()
    assert np.allclose(ours.LU.numpy(force=True), theirs.LU.numpy(), atol=1e-12)


MATRICES = {
    "singular": SINGULAR,
    "zeros": [[0.0, 0.0], [0.0, 0.0]],
    "wide zeros": [[0.0, 0.0, 1.0], [0.0, 0.0, 2.0]],
    "tall zeros": [[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]],
    "a batch": [REGULAR, SINGULAR],
    "a batch of batches": [[REGULAR, SINGULAR], [SINGULAR, REGULAR]],
    "equals": [[1.0, 1.0], [-1.0, 1.0]],
    "nan first": [[NAN, 1.0], [1.0, 2.0]],
    "nan below": [[1.0, 1.0], [NAN, 2.0]],
    "nan on the right": [[0.0, NAN], [1.0, 2.0]],
    "inf": [[INF, 1.0], [3.0, 2.0]],
}


@pytest.mark.parametrize("values", MATRICES.values(), ids=MATRICES)
def test_info_and_what_is_left_where_a_pivot_is_0(values):
    same(lambda t: tuple(t.linalg.lu_factor_ex(t.tensor(values))))
    same(lambda t: tuple(t.linalg.lu(t.tensor(values))))
    same(lambda t: tuple(t.lu(t.tensor(values), get_infos=True)))
    same(lambda t: t.lu(t.tensor(values)))  # which does not look at info


WORDS = {
    "lu_factor": lambda t: t.linalg.lu_factor(t.tensor(SINGULAR)),
    "lu_factor of a batch": lambda t: t.linalg.lu_factor(t.tensor([REGULAR, SINGULAR])),
    "lu_factor_ex, checked": lambda t: t.linalg.lu_factor_ex(t.tensor(SINGULAR), check_errors=True),
    "lu_factor of a vector": lambda t: t.linalg.lu_factor(t.ones(3)),
    "lu of a vector": lambda t: t.linalg.lu(t.ones(3)),
    "torch.lu of a vector": lambda t: t.lu(t.ones(3)),
    "row 0": lambda t: t.linalg.lu_solve(t.eye(2), t.tensor([0, 2], dtype=t.int32), t.ones(2, 1)),
    "row 3 of 2": lambda t: t.linalg.lu_solve(t.eye(2), t.tensor([1, 3], dtype=t.int32), t.ones(2, 1)),
    "int64 pivots": lambda t: t.lu_unpack(t.eye(2), t.tensor([1, 2])),
    "unpacked row 0": lambda t: t.lu_unpack(t.eye(2), t.tensor([0, 2], dtype=t.int32)),
    "reflections of a wide matrix": lambda t: t.linalg.householder_product(t.ones(2, 3), t.ones(2)),
    "tau's batch": lambda t: t.linalg.householder_product(t.ones(2, 3, 2), t.ones(3, 2)),
    "ormqr's tau": lambda t: t.ormqr(t.ones(3, 2), t.ones(1), t.ones(3, 1)),
    "triangular_solve": lambda t: t.triangular_solve(t.ones(3, 1), t.eye(2)),
    "cross": lambda t: t.linalg.cross(t.ones(2, 3), t.ones(2, 1)),
    "torch.cross": lambda t: t.cross(t.ones(2, 3), t.ones(2, 1)),
}


@pytest.mark.parametrize("call", WORDS.values(), ids=WORDS)
def test_errors_in_torchs_words(call):
    with pytest.raises(RuntimeError) as theirs:
        call(torch)
    with pytest.raises(RuntimeError) as ours:
        call(mt)
    assert str(ours.value) == str(theirs.value)
    assert isinstance(ours.value, mt.linalg.LinAlgError) == isinstance(theirs.value, torch.linalg.LinAlgError)


@pytest.mark.cpu("is about what torch refuses on the CPU")
def test_without_pivots():
    for call in (lambda t: t.linalg.lu_factor(t.eye(2), pivot=False), lambda t: t.eye(2).lu(pivot=False)):
        for t in (mt, torch):
            with pytest.raises(RuntimeError, match="LU without pivoting is not implemented on the CPU"):
                call(t)


def test_on_the_gpu():
    with gpu():
        a = mt.tensor([REGULAR, SINGULAR], device="cuda")
        result = mt.linalg.lu_factor_ex(a)
        assert all(part.is_cuda for part in result) and result.info.tolist() == [0, 2]
        assert all(part.is_cuda for part in mt.lu_unpack(result.LU, result.pivots))
        assert mt.linalg.lu_solve(result.LU, result.pivots, a).is_cuda
        assert all(part.is_cuda for part in (*mt.geqrf(a), *mt.svd_lowrank(a, 2)))
        with pytest.raises(NotImplementedError, match=r"minitorch2: linalg\.lu_factor: pivot=False is not"):
            mt.linalg.lu_factor(a, pivot=False)


def gradients(lib, function, values, **options):
    x = lib.tensor(values, dtype=lib.float64, requires_grad=True)
    return lib.autograd.grad(function(lib, x), x, **options)[0]


@pytest.mark.parametrize("name", ["singular", "wide zeros", "tall zeros"])
def test_the_gradient_where_a_pivot_is_0(name):
    """Infinities and NaNs in the columns that are divided by 0, and numbers in the others."""
    functions = (
        lambda t, x: (t.linalg.lu_factor_ex(x).LU * t.arange(x.numel(), dtype=t.float64).reshape(x.shape)).sum(),
        lambda t, x: t.linalg.lu(x).L.sum() + t.linalg.lu(x).U.sum(),
    )
    for function in functions:
        ours, theirs = (gradients(t, function, MATRICES[name]) for t in (mt, torch))
        assert np.array_equal(np.isfinite(ours.numpy(force=True)), np.isfinite(theirs.numpy()))


def test_a_system_by_its_factors_is_differentiated_as_solve():
    values = np.random.default_rng(1).standard_normal((4, 4))
    right = np.random.default_rng(2).standard_normal((4, 2))

    def by_factors(t, x):
        return (t.linalg.lu_solve(*t.linalg.lu_factor(x), t.tensor(right)) ** 2).sum()

    ours = gradients(mt, by_factors, values)
    assert_same(ours, gradients(torch, lambda t, x: (t.linalg.solve(x, t.tensor(right)) ** 2).sum(), values), SOLVED)
    twice = gradients(mt, lambda t, x: (gradients_of(t, by_factors, x) ** 2).sum(), values)
    theirs = gradients(torch, lambda t, x: (gradients_of(t, by_factors, x) ** 2).sum(), values)
    assert np.allclose(twice.numpy(force=True), theirs.numpy(), rtol=1e-8)


def gradients_of(lib, function, x):
    return lib.autograd.grad(function(lib, x), x, create_graph=True)[0]


def test_a_pivot_of_0_divides():
    none = lambda t: t.tensor([1, 2], dtype=t.int32)  # noqa: E731
    same(lambda t: t.linalg.lu_solve(t.zeros(2, 2), none(t), t.ones(2, 2)))
    same(lambda t: t.linalg.lu_solve(t.tensor([[1.0, 2.0], [3.0, 0.0]]), none(t), t.ones(2, 1), adjoint=True))


def test_forms_of_the_older_names():
    a = [[2.0, 1.0], [4.0, 1.0]]
    for t in (mt, torch):
        x = t.tensor(a)
        assert type(t.lu(x)) is type(x.lu()) is type(x.lu(get_infos=True)) is tuple
        assert len(x.lu(get_infos=True)) == 3 and t.lu(x, get_infos=True).info.item() == 0
        out = t.empty(0), t.empty(0, dtype=t.int32)
        assert all(p is q for p, q in zip(t.lu(x, out=out), out, strict=True))
        assert out[1].tolist() == [2, 2]
        with pytest.raises(TypeError):
            t.lu(x, get_infos=True, out=out)
        with pytest.raises(TypeError):
            t.lu(a)
        assert t.lu_solve(input=t.ones(2, 1), LU_data=out[0], LU_pivots=out[1]).shape == (2, 1)
        assert t.lu_unpack(LU_data=out[0], LU_pivots=out[1]).L.shape == (2, 2)
        assert t.ones(2, 1).triangular_solve(A=x, upper=False, unitriangular=True).solution.tolist() == [[1], [-3]]


def test_what_is_not_unpacked_has_no_gradient():
    for t in (mt, torch):
        data = t.eye(3, requires_grad=True)
        _, lower, upper = t.lu_unpack(data, t.tensor([1, 2, 3], dtype=t.int32), unpack_data=False)
        assert lower.shape == upper.shape == (0,) and lower.requires_grad and upper.requires_grad
        if t is mt:  # torch fails in its own backward
            assert t.autograd.grad(lower.sum(), data, allow_unused=True) == (None,)


@pytest.mark.parametrize("shape", [(5, 3), (3, 3), (2, 4, 2), (3, 5)])
def test_reflections_make_qr(shape):
    a = mt.tensor(np.random.default_rng(0).standard_normal(shape))
    k = min(shape[-2:])
    vectors, tau = mt.geqrf(a)
    upper = mt.triu(vectors[..., :k, :])
    q = mt.linalg.householder_product(vectors[..., :k], tau)
    assert mt.allclose(q @ upper, a) and mt.allclose(q.mT @ q, mt.eye(k, dtype=mt.float64))
    assert_same(q, torch.linalg.qr(torch.tensor(a.numpy(force=True))).Q, SOLVED)
    whole = mt.linalg.qr(a, mode="complete").Q
    identity = mt.eye(shape[-2], dtype=mt.float64).expand(*shape[:-2], -1, -1)
    for left in (True, False):
        assert mt.allclose(mt.ormqr(vectors, tau, identity, left), whole)
        assert mt.allclose(mt.ormqr(vectors, tau, identity, left, transpose=True), whole.mT)


def test_geqrf_has_no_derivative_in_torch_either():
    for t in (mt, torch):
        with pytest.raises(NotImplementedError, match="the derivative for 'geqrf' is not implemented"):
            t.geqrf(t.eye(2, requires_grad=True)).a.sum().backward()


def test_one_seed_draws_the_same_numbers():
    a = np.random.default_rng(0).standard_normal((9, 6))
    drawn = []
    for t in (mt, torch):
        t.manual_seed(3)
        values = t.svd_lowrank(t.tensor(a), 3, niter=0)[1]  # far from exact: they tell the random vectors apart
        drawn.append((values.tolist(), t.rand(2).tolist()))
    assert drawn[0][1] == drawn[1][1] and np.allclose(drawn[0][0], drawn[1][0], rtol=1e-12)
    assert not np.allclose(drawn[0][0], np.linalg.svd(a)[1][:3], rtol=1e-2)
    exact = mt.svd_lowrank(mt.tensor(a), 6)
    assert np.allclose(exact[1].numpy(force=True), np.linalg.svd(a)[1])
    assert [tuple(p.shape) for p in mt.svd_lowrank(mt.tensor(a))] == [(9, 6), (6,), (6, 6)]
    assert [tuple(p.shape) for p in mt.pca_lowrank(mt.tensor(a.T))] == [(6, 6), (6,), (9, 6)]
