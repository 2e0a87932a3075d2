"""Norms where powers and roots have no slope, of nothing, and those that count: torch's answers there."""

import pytest
import torch
from optable.comparing import assert_same, outcome, same_error
from optable.spec import Rounding

import minitorch2 as mt

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")
INF = float("inf")
POWERS = Rounding(16.0, 16.0, "powers and roots of sums of powers")
ORDERS = (-INF, -2, -1, -0.5, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, INF)


def both(call):
    return call(mt), call(torch)


@pytest.mark.parametrize("ord", ORDERS)
@pytest.mark.parametrize("values", [[0.0, 0.0], [0.0, 2.0], [3.0, -2.0], [INF, 1.0], [INF, INF]])
def test_values_and_gradients_at_0_and_at_infinity(ord, values):
    def run(t):
        x = t.tensor(values, dtype=t.float64, requires_grad=True)
        y = t.linalg.vector_norm(x, ord)
        return y.detach(), *(t.autograd.grad(y, x) if INF not in values else ())

    assert_same(*both(run), POWERS)


@pytest.mark.parametrize("ord", ORDERS)
def test_gradients_row_by_row(ord):
    def run(t):
        x = t.tensor([[0.0, 0.0], [0.0, 3.0], [1.0, 2.0]], dtype=t.float64, requires_grad=True)
        return t.autograd.grad(t.linalg.vector_norm(x, ord, dim=1), x, t.tensor([1.0, 2.0, 3.0], dtype=t.float64))

    assert_same(*both(run), POWERS)


NOTHING = [((0,), None), ((0, 3), 0), ((0, 3), 1), ((0, 3), -2), ((3, 0), None), ((0, 3), (0, 1)), ((0, 3), ())]


@pytest.mark.parametrize("ord", [*ORDERS, 0])
@pytest.mark.parametrize(("shape", "dim"), NOTHING, ids=map(str, NOTHING))
@pytest.mark.parametrize("name", ["linalg.vector_norm", "norm"])
def test_norms_of_nothing(name, shape, dim, ord):
    def run(t):
        function = t.norm if name == "norm" else t.linalg.vector_norm
        return function(t.zeros(shape), ord, dim)

    (ours, our_error), (theirs, their_error) = (outcome(lambda t=t: run(t)) for t in (mt, torch))
    if their_error is None and our_error is None:
        assert_same(ours, theirs, POWERS)
    else:
        same_error(our_error, their_error)
        assert str(our_error) == str(their_error)


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, INF, -INF])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (2, 0, 3), (2, 3, 0), (0, 2, 3), (2, 0, 0)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_norms_of_empty_matrices(shape, ord, keepdim):
    def run(t):
        result = t.linalg.matrix_norm(t.zeros(shape, requires_grad=True), ord, keepdim=keepdim)
        return result.detach(), result.requires_grad

    (ours, our_error), (theirs, their_error) = (outcome(lambda t=t: run(t)) for t in (mt, torch))
    if their_error is None and our_error is None:
        assert_same(ours, theirs, POWERS)
    else:
        same_error(our_error, their_error)


@pytest.mark.parametrize("ord", [1, -1, INF, -INF])
@pytest.mark.parametrize("dim", [(0, 1), (1, 0), (-1, 0), (2, 1)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_matrices_in_any_two_dims(ord, dim, keepdim):
    def run(t):
        x = (t.arange(24, dtype=t.float64) - 7).reshape(2, 3, 4)
        return t.linalg.matrix_norm(x, ord, dim, keepdim)

    assert_same(*both(run), POWERS)


COUNTS = {
    "vector_norm": lambda t, x: t.linalg.vector_norm(x, 0),
    "linalg.norm": lambda t, x: t.linalg.norm(x, 0, dim=1),
    "norm": lambda t, x: t.norm(x, 0, dim=0, keepdim=True),
    "of a number": lambda t, x: t.linalg.vector_norm(x[0, 0], 0),
    "in half precision": lambda t, x: t.linalg.vector_norm(x.bfloat16(), 0),
    "pairwise_distance": lambda t, x: t.nn.functional.pairwise_distance(x, 2 * x, 0.0),
}


@pytest.mark.parametrize("call", COUNTS.values(), ids=COUNTS)
def test_what_counts_requires_a_gradient_and_has_none(call):
    def run(t):
        x = t.tensor([[0.0, 1.0], [2.0, float("nan")]], requires_grad=True)
        y = call(t, x)
        return y.detach(), y.requires_grad, t.autograd.grad(y.sum(), x, allow_unused=True)[0] is None

    ours, theirs = both(run)
    assert_same(ours, theirs, POWERS)
    assert ours[1:] == (True, True)


FLAT = {
    "cdist": lambda t, x: t.cdist(x, x[:1], p=0.0),
    "pdist": lambda t, x: t.pdist(x, 0.0),
    "matrix_power": lambda t, x: t.matrix_power(x, 0),
    "matrix_power of a batch": lambda t, x: t.linalg.matrix_power(x.expand(3, 2, 2), 0),
}


@pytest.mark.parametrize("call", FLAT.values(), ids=FLAT)
@pytest.mark.parametrize("create_graph", [False, True])
def test_what_is_flat_has_a_gradient_of_zeros(call, create_graph):
    def run(t):
        x = t.tensor([[0.0, 1.0], [2.0, 1.0]], requires_grad=True)
        y = call(t, x)
        return y.detach(), y.requires_grad, t.autograd.grad(y.sum(), x, create_graph=create_graph)[0].detach()

    ours, theirs = both(run)
    assert_same(ours, theirs, POWERS)
    assert ours[1] and not ours[2].any()


def test_distances_of_points_without_coordinates():
    for p in (0.0, 1.0, 2.0, 3.0, INF):
        assert_same(*both(lambda t, p=p: t.cdist(t.zeros(2, 0), t.zeros(3, 0), p)), POWERS)
        assert_same(*both(lambda t, p=p: t.pdist(t.zeros(3, 0), p)), POWERS)


def test_distances_of_points_that_coincide_or_are_far_from_the_origin():
    def run(t):
        x = t.tensor([[1.0, 2.0], [1.0, 2.0], [4.0, 6.0]], dtype=t.float64, requires_grad=True)
        y = t.pdist(x + 1000)
        return y.detach(), t.autograd.grad((y * t.tensor([1.0, 2.0, 3.0])).sum(), x)[0]

    assert_same(*both(run), POWERS)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
@pytest.mark.parametrize("shape", [(4, 3), (3, 3), (3, 4)])
def test_which_parts_of_least_squares_require_gradients(shape, driver):
    def run(t):
        a = t.linspace(-1, 1, 12)[: shape[0] * shape[1]].reshape(shape) ** 3 + t.eye(*shape)
        a.requires_grad_()
        result = t.linalg.lstsq(a, t.ones(shape[0], 2), driver=driver)
        unused = t.autograd.grad(result.residuals.sum(), a, allow_unused=True)[0] is None
        return [part.requires_grad for part in result], unused

    ours, theirs = both(run)
    assert ours == theirs and ours[0][:2] == [True, True]
