"""torch.linalg beyond the table of ops (optable/matrices.py): what has no solution, and what it is told by."""

import operator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from on_gpu import REAL, gpu, host
from optable.comparing import assert_same, outcome
from optable.matrices import SOLVED

import minitorch2 as mt
import minitorch2_kernels as K
from minitorch2_kernels.reference.solving import eliminate

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")
INF, NAN = float("inf"), float("nan")
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
SECOND_SINGULAR = [[[1.0, 2.0], [3.0, 4.0]], SINGULAR]
INDEFINITE = [[2.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 3.0]]


def both(call):
    return call(mt), call(torch)


UNSOLVABLE = {
    "inv": lambda t: t.linalg.inv(t.tensor(SINGULAR)),
    "inv, no pivot in the first column": lambda t: t.linalg.inv(t.zeros(3, 3)),
    "inv of a batch": lambda t: t.linalg.inv(t.tensor(SECOND_SINGULAR)),
    "inv of a batch of batches": lambda t: t.linalg.inv(t.tensor([SECOND_SINGULAR, SECOND_SINGULAR])),
    "inverse": lambda t: t.tensor(SINGULAR).inverse(),
    "inv_ex, checked": lambda t: t.linalg.inv_ex(t.tensor(SINGULAR), check_errors=True),
    "matrix_power": lambda t: t.matrix_power(t.tensor(SINGULAR), -2),
    "solve": lambda t: t.linalg.solve(t.tensor(SINGULAR), t.ones(2)),
    "solve of a batch": lambda t: t.linalg.solve(t.tensor(SECOND_SINGULAR), t.ones(2, 2)),
    "solve_ex, checked": lambda t: t.linalg.solve_ex(t.tensor(SINGULAR), t.ones(2), check_errors=True),
    "cholesky": lambda t: t.linalg.cholesky(t.tensor(INDEFINITE)),
    "cholesky, upper": lambda t: t.linalg.cholesky(t.tensor(INDEFINITE), upper=True),
    "cholesky of nan": lambda t: t.linalg.cholesky(t.full((2, 2), NAN)),
    "cholesky of a batch": lambda t: t.linalg.cholesky(t.stack([t.eye(3), t.tensor(INDEFINITE)])),
    "torch.cholesky": lambda t: t.tensor(INDEFINITE).cholesky(),
    "cholesky_ex, checked": lambda t: t.linalg.cholesky_ex(t.tensor(INDEFINITE), check_errors=True),
    "cholesky_inverse": lambda t: t.cholesky_inverse(t.zeros(2, 3, 3)),
    "svd of nan": lambda t: t.linalg.svd(t.full((2, 2), NAN)),
    "svdvals of a batch": lambda t: t.linalg.svdvals(t.stack([t.eye(2), t.eye(2), t.full((2, 2), NAN)])),
    "pinv of nan": lambda t: t.linalg.pinv(t.full((2, 2), NAN)),
    "lstsq of a matrix without full rank": lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(3, 1), driver="gels"),
}


@pytest.mark.parametrize("call", UNSOLVABLE.values(), ids=UNSOLVABLE)
def test_what_has_no_solution_is_a_linalg_error_in_torchs_words(call):
    with pytest.raises(torch.linalg.LinAlgError) as theirs:
        call(torch)
    with pytest.raises(mt.linalg.LinAlgError) as ours:
        call(mt)
    assert str(ours.value) == str(theirs.value)
    assert issubclass(mt.linalg.LinAlgError, RuntimeError)


@pytest.mark.parametrize("name", ["inv", "inv of a batch", "solve", "cholesky", "cholesky of a batch", "svd of nan"])
def test_the_same_errors_on_the_gpu(name):
    """CuPy raises where it is asked to, and its stand-in does not otherwise."""
    with gpu():
        said = {}
        for lib, device in ((torch, "cpu"), (mt, "cuda")):
            with pytest.raises(lib.linalg.LinAlgError) as error:
                UNSOLVABLE[name](_On(lib, device))
            said[lib.__name__] = str(error.value)
    assert said["minitorch2"] == said["torch"]


class _On:
    """A library that makes its tensors on a device."""

    def __init__(self, lib, device):
        self.linalg, self._lib, self._device = lib.linalg, lib, device

    def __getattr__(self, name):
        made = getattr(self._lib, name)
        return lambda *args: made(*args).to(self._device)


def test_info_names_the_matrices_that_failed_and_the_others_are_solved():
    ours, theirs = both(lambda t: t.linalg.inv_ex(t.tensor(SECOND_SINGULAR)))
    assert_same(ours, theirs, SOLVED)
    ours, theirs = both(lambda t: t.linalg.solve_ex(t.tensor(SECOND_SINGULAR), t.ones(3, 2, 2, 1)))
    assert_same(ours, theirs, SOLVED)


@pytest.mark.parametrize("upper", [False, True])
def test_info_names_the_matrices_that_are_not_positive_definite(upper):
    ours, theirs = both(lambda t: t.linalg.cholesky_ex(t.stack([t.tensor(INDEFINITE), 4 * t.eye(3)]), upper=upper))
    assert_same(ours.info, theirs.info, SOLVED)
    assert_same(ours.L[1], theirs.L[1], SOLVED)
    kept = ours.L[0].T if upper else ours.L[0]
    assert mt.isfinite(kept[0]).all() and mt.isnan(kept[1:, 1]).all()


def test_on_the_gpu_a_batch_with_a_singular_matrix_stays_there():
    with gpu():
        result = mt.linalg.inv_ex(mt.tensor(SECOND_SINGULAR, device="cuda"))
        assert result.inverse.is_cuda and result.info.is_cuda
        assert host(result.info._data).tolist() == [0, 2]
        assert mt.linalg.cholesky_ex(mt.tensor(INDEFINITE, device="cuda")).info.item() == 2
        assert mt.linalg.svdvals(mt.eye(2, device="cuda")).is_cuda


@pytest.mark.skipif(REAL, reason="of the stand-in")
@pytest.mark.standin("is about the stand-in")
def test_the_stand_in_notices_who_counts_on_an_exception():
    with gpu(), pytest.raises(AssertionError, match="does not raise by itself"):
        zeros = mt.zeros(2, 2, device="cuda")._data
        K.namespace(zeros).linalg.inv(zeros)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(0, 3), st.sampled_from(["float32", "float64"]))
def test_plain_elimination_is_numpys(seed, n, k, dtype):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((3, n, n)).astype(dtype), rng.standard_normal((3, n, k)).astype(dtype)
    a[1, :, n // 2] = 0  # no pivot there
    with np.errstate(all="ignore"):
        x, info = eliminate(a, b)
    assert info.tolist() == [0, n // 2 + 1, 0] and x.dtype == b.dtype
    for i in (0, 2):
        error = np.abs(a[i] @ x[i] - b[i]).max(initial=0)
        assert error <= 100 * np.finfo(dtype).eps * np.abs(a[i]).max() * np.abs(x[i]).max(initial=1)


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 7, 40]), st.booleans(), st.booleans())
def test_a_triangular_system_is_solved_to_the_residual_of_substitution(seed, n, upper, unit):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, n)), rng.standard_normal((n, 2))
    t = np.triu(a) if upper else np.tril(a)
    if unit:
        np.fill_diagonal(t, 1)
    with np.errstate(all="ignore"):
        x = K.solve_triangular(a, b, upper, unit)
        bound = 4 * n * np.finfo(float).eps * (np.abs(t) @ np.abs(x))  # the textbook's, whatever the condition number
        assert (np.abs(t @ x - b) <= bound + 1e-300).all() or not np.isfinite(bound).all()


@pytest.mark.parametrize("upper", [False, True])
def test_a_zero_on_a_triangles_diagonal_divides(upper):
    ours, theirs = both(
        lambda t: t.linalg.solve_triangular(t.tensor([[0.0, 2.0], [1.0, 3.0]]), t.tensor([[1.0], [0.0]]), upper=upper)
    )
    assert_same(ours, theirs, SOLVED)


def gradient(lib, function, values, **options):
    x = lib.tensor(values, dtype=lib.float64, requires_grad=True)
    return lib.autograd.grad(function(lib, x), x, **options)[0]


@pytest.mark.parametrize(
    ("matrix", "cofactors"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], [[1.0, -1.0], [-1.0, 1.0]]),
        ([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [0.0, 1.0, 5.0]], [[0, 0, 0], [-7, 5, -1], [0, 0, 0]]),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_a_singular_matrixs_determinant_is_its_cofactors(matrix, cofactors, create_graph):
    """torch gives these with create_graph alone, and zeros without."""
    ours = gradient(mt, lambda t, x: t.linalg.det(x), matrix, create_graph=create_graph)
    assert np.allclose(ours.detach().numpy(), cofactors, atol=1e-12)
    theirs = gradient(torch, lambda t, x: t.linalg.det(x), matrix, create_graph=True)
    assert np.allclose(theirs.detach().numpy(), cofactors, atol=1e-12)


def test_determinants_of_a_batch_with_a_singular_matrix():
    values = [[[1.0, 2.0], [3.0, 5.0]], SINGULAR]
    ours = gradient(mt, lambda t, x: (t.linalg.det(x) * t.tensor([2.0, 3.0], dtype=t.float64)).sum(), values)
    assert np.allclose(ours.numpy(), [[[10, -6], [-4, 2]], [[12, -6], [-6, 3]]])


def test_determinants_without_a_logarithm():
    for values in (SINGULAR, [[-1.0, 0.0], [0.0, 1.0]], [[NAN, 1.0], [1.0, 1.0]], [[INF, 1.0], [1.0, 1.0]]):
        for call in (
            lambda t, v=values: t.logdet(t.tensor(v)),
            lambda t, v=values: t.slogdet(t.tensor(v)).logabsdet,
            lambda t, v=values: t.det(t.tensor(v)),
        ):
            assert_same(*both(call), SOLVED)
    ours, theirs = both(lambda t: t.linalg.inv(t.tensor([[NAN, 1.0], [1.0, 1.0]])))
    assert_same(ours, theirs, SOLVED)
    ours, theirs = (gradient(t, lambda t, x: t.logdet(x), SINGULAR) for t in (mt, torch))
    assert_same(ours, theirs, SOLVED)


def test_what_depends_on_equal_singular_values_or_eigenvalues_alone_has_a_gradient():
    functions = (
        lambda t, x: t.linalg.svdvals(x).sum(),
        lambda t, x: t.linalg.svd(x).S.sum(),
        lambda t, x: t.linalg.eigh(x).eigenvalues.sum(),
        lambda t, x: t.linalg.eigvalsh(x).sum(),
        lambda t, x: t.linalg.matrix_norm(x, "nuc"),
    )
    for function in functions:
        assert gradient(mt, function, np.eye(3).tolist()).tolist() == np.eye(3).tolist()
    for function in (lambda t, x: t.linalg.svd(x).U.sum(), lambda t, x: t.linalg.eigh(x).eigenvectors.sum()):
        assert mt.isnan(gradient(mt, function, np.eye(3).tolist())).any()  # as in torch


@pytest.mark.parametrize("mode", ["complete", "r"])
def test_qr_without_a_gradient(mode):
    for t in (mt, torch):
        with pytest.raises(RuntimeError, match=r"complete' and nrows > ncols|Q, which is not computed when mode='r'"):
            gradient(t, lambda t, x: t.linalg.qr(x, mode=mode).R.sum(), [[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]])


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 3, 3), (0, 3), (3, 0)])
def test_older_names_of_qr_and_svd(shape):
    values = np.random.RandomState(0).standard_normal(shape)
    x, y = mt.tensor(values), torch.tensor(values)
    for some in (True, False):
        for q, r in (mt.qr(x, some), x.qr(some=some)):
            assert q.shape == torch.qr(y, some).Q.shape and np.allclose((q @ r).numpy(), values)
        for found in (mt.svd(x, some), x.svd(some=some)):
            k = min(shape[-2:])
            again = found.U[..., :k] * found.S.unsqueeze(-2) @ found.V[..., :k].transpose(-1, -2)
            assert np.allclose(again.numpy(), values)
            assert [t.shape for t in found] == [t.shape for t in torch.svd(y, some)]
    assert_same(mt.svd(x, compute_uv=False), torch.svd(y, compute_uv=False), SOLVED)
    assert_same(mt.linalg.qr(x, mode="r").Q, torch.linalg.qr(y, mode="r").Q, SOLVED)
    assert mt.linalg.qr(x, mode="r").R.shape == torch.linalg.qr(y, mode="r").R.shape


@pytest.mark.parametrize("exponent", [-1, -3])
def test_powers_of_the_inverse(exponent):
    values = [[[2.0, 1.0], [0.0, 4.0]], [[1.0, 3.0], [1.0, 5.0]]]
    ours, theirs = (gradient(t, lambda t, x: t.matrix_power(x, exponent).exp().sum(), values) for t in (mt, torch))
    assert_same(ours, theirs, SOLVED)


def test_tensors_as_linear_maps():
    rng = np.random.RandomState(0)
    a, b = rng.standard_normal((2, 3, 6)), rng.standard_normal((2, 3))
    calls = (
        lambda t: t.linalg.tensorinv(t.tensor(a)),
        lambda t: t.linalg.tensorinv(t.tensor(a.reshape(6, 3, 2)), ind=1),
        lambda t: t.linalg.tensorsolve(t.tensor(a), t.tensor(b)),
        lambda t: t.linalg.tensorsolve(t.tensor(a.transpose(0, 2, 1)), t.tensor(b), dims=(1,)),
    )
    for call in calls:
        ours, theirs = both(call)
        assert ours.shape == theirs.shape and np.allclose(ours.numpy(), theirs.numpy())
    for wrong in (lambda t: t.linalg.tensorinv(t.ones(2, 3), ind=1), lambda t: t.linalg.tensorinv(t.ones(2, 2), ind=0)):
        for t in (mt, torch):
            with pytest.raises(RuntimeError, match="Expected"):
                wrong(t)
    for t in (mt, torch):
        with pytest.raises(RuntimeError, match="6 != 4"):
            t.linalg.tensorsolve(t.tensor(a), t.ones(2, 2))


@pytest.mark.parametrize("driver", [None, "gelsd", "gelss"])
def test_least_squares_without_full_rank_gives_the_smallest_solution(driver):
    a, b = np.outer([1.0, 2.0, 3.0], [1.0, 1.0]), np.array([[1.0], [0.0], [2.0]])
    ours, theirs = both(lambda t: t.linalg.lstsq(t.tensor(a), t.tensor(b), driver=driver))
    assert_same(tuple(ours)[:3], tuple(theirs)[:3], SOLVED)
    assert np.allclose(ours.singular_values.numpy(), theirs.singular_values.numpy(), atol=1e-14)


def test_tolerances_as_tensors():
    values = np.diag([3.0, 1.0, 0.1])
    for tolerance in (0.5, [0.05, 0.5], [[0.05], [2.0]]):
        calls = (
            lambda t, e=tolerance: t.linalg.matrix_rank(t.tensor(values), atol=t.tensor(e, dtype=t.float64)),
            lambda t, e=tolerance: t.linalg.matrix_rank(t.tensor(values), rtol=t.tensor(e, dtype=t.float64)),
            lambda t, e=tolerance: t.linalg.matrix_rank(t.tensor(values), t.tensor(e, dtype=t.float64)),
        )
        for call in calls:
            assert_same(*both(call), SOLVED)
    ours, theirs = both(lambda t: t.linalg.pinv(t.tensor(values), atol=t.tensor(0.5, dtype=t.float64)))
    assert_same(ours, theirs, SOLVED)
    assert_same(*both(lambda t: t.linalg.matrix_rank(t.tensor(values), 0.5)), SOLVED)


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_exponentials_of_a_batch_of_very_different_matrices(size):
    """Each is halved as often as it needs. Against the eigenvalues of symmetric matrices, exact to rounding."""
    rng = np.random.RandomState(0)
    a = rng.standard_normal((4, 5, 5)) * np.array([0, 1e-6, 0.1, 1])[:, None, None] * size
    a = a + a.swapaxes(-1, -2)
    w, v = np.linalg.eigh(a)
    exact = v * np.exp(w)[..., None, :] @ v.swapaxes(-1, -2)
    found = mt.linalg.matrix_exp(mt.tensor(a)).numpy()
    scale = np.exp(np.abs(w).max(axis=-1))[:, None, None]
    assert (np.abs(found - exact) <= 1e-13 * max(size, 1) * scale).all()
    assert mt.linalg.matrix_exp(mt.zeros(2, 2)).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("p", ["fro", 1, -INF])
def test_a_condition_number_by_the_inverse_is_differentiated_as_the_product_of_norms(p):
    """torch's own backward fails there: it has written over the inverse."""
    values = [[2.0, 1.0], [0.5, 3.0]]
    ours = gradient(mt, lambda t, x: t.linalg.cond(x, p), values)
    norms = lambda t, x: t.linalg.matrix_norm(x, p) * t.linalg.matrix_norm(t.linalg.inv(x), p)  # noqa: E731
    assert_same(ours, gradient(torch, norms, values), SOLVED)
    assert_same(*both(lambda t: t.linalg.cond(t.tensor(SECOND_SINGULAR), p)), SOLVED)


EYE = {
    "one": lambda t: (t.eye(2, dtype=t.bfloat16),),
    "two": lambda t: (t.eye(2, dtype=t.bfloat16),) * 2,
    "reflections": lambda t: (t.eye(2, dtype=t.bfloat16), t.ones(2, dtype=t.bfloat16)),
    "three": lambda t: (*EYE["reflections"](t), *EYE["one"](t)),
    "packed": lambda t: (*EYE["one"](t), t.tensor([1, 2], dtype=t.int32)),
    "system": lambda t: (*EYE["one"](t), *EYE["packed"](t)),
}
UNDER_AUTOCAST = {
    "one": (
        *("inverse", "det", "slogdet", "logdet", "cholesky", "qr", "svd", "pinverse", "matrix_exp", "cholesky_inverse"),
        *("linalg.inv", "linalg.inv_ex", "linalg.det", "linalg.slogdet", "linalg.cholesky", "linalg.cholesky_ex"),
        *("linalg.qr", "linalg.svd", "linalg.svdvals", "linalg.eigh", "linalg.eigvalsh", "linalg.pinv"),
        *("linalg.matrix_rank", "linalg.cond", "linalg.matrix_exp", "lu", "geqrf"),
        *("linalg.lu_factor", "linalg.lu_factor_ex", "linalg.lu"),
    ),
    "two": (*("cholesky_solve", "linalg.solve", "linalg.solve_ex", "linalg.lstsq", "triangular_solve"),),
    "reflections": ("linalg.householder_product", "orgqr"),
    "three": ("ormqr",),
    "packed": ("lu_unpack",),
    "system": ("lu_solve",),
}


@pytest.mark.cpu("is about the CPU's autocast")
@pytest.mark.parametrize(("operands", "name"), [(o, name) for o, names in UNDER_AUTOCAST.items() for name in names])
def test_autocast_on_the_cpu_takes_to_float32_what_torchs_does(operands, name):
    found = []
    for t in (mt, torch):
        with t.autocast("cpu", dtype=t.bfloat16):
            result, error = outcome(lambda t=t: operator.attrgetter(name)(t)(*EYE[operands](t)))
        several = result if isinstance(result, tuple) else (result,)
        found.append(type(error) if error else [str(r.dtype) for r in several])
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["inv", "det", "slogdet", "cholesky", "matrix_exp", "qr"])
def test_what_torch_linalg_and_torch_both_have_is_the_same(name):
    a = mt.tensor([[[2.0, 0.5], [0.5, 1.0]]], requires_grad=True)
    older = {"inv": "inverse"}.get(name, name)
    found = []
    for function in (getattr(mt.linalg, name), getattr(mt, older), lambda a: getattr(a, older)()):
        result = function(a)
        results = tuple(result) if isinstance(result, tuple) else (result,)
        total = sum(r.exp().sum() for r in results)
        found.append([*(r.tolist() for r in results), mt.autograd.grad(total, a)[0].tolist()])
    assert found[0] == found[1] == found[2]
    assert getattr(mt.linalg, name).__name__ == getattr(torch.linalg, name).__name__


def test_results_have_torchs_names():
    calls = (
        lambda t: t.linalg.inv_ex(t.eye(2)),
        lambda t: t.linalg.solve_ex(t.eye(2), t.ones(2)),
        lambda t: t.linalg.cholesky_ex(t.eye(2)),
        lambda t: t.linalg.slogdet(t.eye(2)),
        lambda t: t.slogdet(t.eye(2)),
        lambda t: t.eye(2).slogdet(),
        lambda t: t.linalg.svd(t.eye(2)),
        lambda t: t.svd(t.eye(2)),
        lambda t: t.linalg.eigh(t.diag(t.tensor([1.0, 2.0]))),
        lambda t: t.linalg.qr(t.zeros(0, 0)),
        lambda t: t.qr(t.zeros(0, 0)),
        lambda t: t.linalg.lstsq(t.eye(2), t.ones(2, 1)),
        lambda t: t.linalg.lu_factor(t.eye(2)),
        lambda t: t.linalg.lu_factor_ex(t.eye(2)),
        lambda t: t.linalg.lu(t.eye(2)),
        lambda t: t.lu(t.eye(2), get_infos=True),
        lambda t: t.lu_unpack(*t.linalg.lu_factor(t.eye(2))),
        lambda t: t.geqrf(t.eye(2)),
        lambda t: t.triangular_solve(t.eye(2), t.eye(2)),
    )
    for call in calls:
        ours, theirs = both(call)
        fields = [name for name in dir(type(theirs)) if name in type(ours)._fields]
        assert len(fields) == len(theirs) == len(ours)
        assert repr(ours).split("(")[0] == repr(theirs).split("(")[0]


def test_what_torch_linalg_has_beyond_this_says_so():
    missing = [
        n for n in dir(torch.linalg) if not n.startswith("_") and n != "common_notes" and not hasattr(mt.linalg, n)
    ]
    assert set(missing) == {
        *("eig", "eigvals", "ldl_factor", "ldl_factor_ex", "ldl_solve"),
    }
    for name in missing:
        with pytest.raises(AttributeError, match=f"minitorch2: torch.linalg.{name} is not supported"):
            getattr(mt.linalg, name)
    with pytest.raises(AttributeError, match="has no attribute 'invert'"):
        mt.linalg.invert  # noqa: B018
    assert all(hasattr(torch.linalg, name) for name in mt.linalg.__all__)
