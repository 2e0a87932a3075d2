"""Products of whole tensors, cuts, areas, covariances; questions about dtypes and shapes."""

from __future__ import annotations

from itertools import pairwise

from .calls import Call, DType
from .drawing import ALL, FLOATING, NUMBERS, Draw
from .products import HALF_PRODUCT, POWERS, misfit, product, sized
from .shapes import in_a_list, one, shaped
from .spec import SUMMED, ErrorCase, OpSpec, Rounding


def inner(d: Draw) -> Call:
    k = d.int(0, 3)
    a, b = ((*d.shape(max_dims=2), k) for _ in range(2))
    return Call((d.tensor(a, special=False), d.tensor(b, special=False)))


def kron(d: Draw) -> Call:
    # torch cannot view transposed factors of unequal dims as one
    return Call(tuple(d.tensor(d.shape(max_dims=2), special=False, layout="contiguous") for _ in range(2)))


def cross(d: Draw) -> Call:
    shape = list(d.shape(min_dims=1))
    dim = d.dim(len(shape))
    shape[dim] = 3
    return Call((d.tensor(shape, special=False), d.tensor(shape, special=False)), {"dim": dim})


def matrices(d: Draw) -> Call:
    sizes = [d.int(1, 3) for _ in range(d.int(2, 5))]
    return Call(tuple(d.tensor((a, b), special=False) for a, b in pairwise(sizes)))


def power(d: Draw) -> Call:
    n = d.int(1, 3)
    return Call((d.tensor((*d.shape(max_dims=1), n, n), -1, 1, special=False), d.int(0, 4)))


def distances(d: Draw) -> Call:
    m = d.int(1, 3)
    a, b = d.tensor((d.int(1, 3), m), special=False), d.tensor((d.int(1, 3), m), special=False)
    return Call((a, b), d.of({}, {"p": 1.0}, {"p": 3.0}, {"p": float("inf")}))


def blocks(d: Draw) -> Call:
    least = int(d.for_gradient)  # after an empty vector torch's slope of a block stands in the wrong row
    return Call(tuple(d.tensor(d.shape(max_dims=2, min_size=least)) for _ in range(d.int(1, 3))))


def cut(axis, even=False):
    def draw(d: Draw) -> Call:
        shape = list(d.shape(min_dims=axis + 1, max_dims=3, max_size=6))
        count = d.int(1, 3)
        if even:
            shape[axis if len(shape) > 1 else 0] = count * d.int(1, 2)
        indices = tuple(sorted(d.int(0, 6) for _ in range(d.int(0, 3))))
        return Call((d.tensor(shape), count if d.bool() else indices))

    return draw


def tensor_split(d: Draw) -> Call:
    call = cut(0)(d)
    return Call((*call.args, d.dim(call.args[0].values.ndim)))


def area(d: Draw) -> Call:
    y = d.tensor(d.shape(min_dims=1, min_size=1), special=False)
    dim = d.dim(y.values.ndim)
    if d.bool():
        return Call((y,), {"dx": d.number(1, 3), "dim": dim})
    return Call((y, d.tensor((y.values.shape[dim],), special=False)), {"dim": dim})


def observations(d: Draw) -> Call:
    x = d.tensor(d.of((3,), (2, 4), (3, 3)), special=False, ties=False)
    return Call((x,), {"correction": d.of(0, 1)} if d.bool() else {})


def vector(d: Draw) -> Call:
    x = d.tensor((d.int(0, 4),))
    return Call((x,), d.of({}, {"r": 3}, {"r": 1}, {"with_replacement": True}))


def vander(d: Draw) -> Call:
    x = d.tensor((d.int(0, 4),), special=False)
    return Call((x,), d.of({}, {"N": 2}, {"increasing": True}, {"N": 0}))


def renorm(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=2, min_size=1), special=False)
    return Call((x, d.of(1, 2, 3), d.dim(x.values.ndim), d.of(0.5, 2.0, 100.0)))


def triangle(d: Draw) -> Call:
    return Call((d.int(0, 4), d.int(0, 4), d.int(-3, 3)))


def two_dtypes(d: Draw) -> Call:
    return Call((DType(d.of(*ALL)), DType(d.of(*ALL))))


def operands(d: Draw) -> Call:
    return Call(d.pair())


def shapes(d: Draw) -> Call:
    return Call(d.two_shapes())


def even(name, shape):
    return ErrorCase("sections that do not divide", lambda t: getattr(t, name)(t.ones(shape), 2))


def question(name, draw=one, *errors, method=None) -> OpSpec:
    return OpSpec(name, draw, ALL, differentiable=False, errors=errors, method=method)


SPECS = (
    product("inner", inner, misfit("inner", (2, 3), (2, 4))),
    product("vdot", sized("k", "k"), misfit("vdot", (2,), (3,))),
    product("kron", kron),
    product("cross", cross, misfit("cross", (2, 3), (3, 2)), misfit("cross", (2, 2), (2, 2))),
    OpSpec(
        "chain_matmul",
        matrices,
        FLOATING,
        rounding=Rounding(16.0, 64.0, "several products, in another order"),
        half=Rounding(16.0, 16.0, "every partial product is rounded, in the order that is cheapest"),
        gradient=Rounding(64.0, 64.0, "several products"),
        errors=(misfit("chain_matmul", (2, 3), (2, 3)), misfit("chain_matmul", (2,), (2, 3))),
    ),
    OpSpec(
        "matrix_power",
        power,
        FLOATING,
        rounding=SUMMED,
        half=Rounding(8.0, 8.0, "each product is rounded"),
        errors=(ErrorCase("no square", lambda t: t.matrix_power(t.ones(2, 3), 2)),),
    ),
    OpSpec(
        "cdist",
        distances,
        ("float32", "float64"),
        rounding=POWERS,
        gradient=POWERS,
        second=False,
        ties=False,
        notes="torch has no second derivative for all p",
        errors=(misfit("cdist", (2, 3), (2, 4)), misfit("cdist", (2,), (2, 2))),
    ),
    shaped(
        "block_diag",
        blocks,
        ErrorCase("three dims", lambda t: t.block_diag(t.ones(1, 1, 1))),
        view=False,
        contiguous=True,
        method=False,
    ),
    shaped(
        "tensor_split",
        tensor_split,
        ErrorCase("no sections", lambda t: t.tensor_split(t.ones(3), 0)),
        ErrorCase("a 0-d tensor", lambda t: t.tensor_split(t.tensor(1.0), 1)),
    ),
    shaped("hsplit", cut(1, even=True), even("hsplit", (2, 3)), ErrorCase("0-d", lambda t: t.hsplit(t.tensor(1.0), 1))),
    shaped("vsplit", cut(0, even=True), even("vsplit", (3, 2)), ErrorCase("1-d", lambda t: t.vsplit(t.ones(2), 1))),
    shaped(
        "dsplit", cut(2, even=True), even("dsplit", (2, 2, 3)), ErrorCase("2-d", lambda t: t.dsplit(t.ones(2, 2), 1))
    ),
    shaped("dstack", in_a_list(), view=False, contiguous=True),
    shaped("ravel", one),
    shaped(
        "adjoint", lambda d: Call((d.tensor(d.shape(min_dims=2)),)), ErrorCase("1-d", lambda t: t.adjoint(t.ones(2)))
    ),
    OpSpec("trapezoid", area, FLOATING, rounding=SUMMED, half=HALF_PRODUCT, aliases=("trapz",)),
    OpSpec("cumulative_trapezoid", area, FLOATING, rounding=SUMMED, half=HALF_PRODUCT),
    OpSpec(
        "cov",
        observations,
        ("float32", "float64"),
        rounding=SUMMED,
        ties=False,
        errors=(ErrorCase("three dims", lambda t: t.cov(t.ones(1, 2, 3))),),
    ),
    OpSpec(
        "corrcoef",
        lambda d: Call(observations(d).args),
        ("float32", "float64"),
        rounding=SUMMED,
        ties=False,
        gradient=Rounding(256.0, 256.0, "a difference of nearly equal numbers: the slope along the diagonal is 0"),
    ),
    shaped("combinations", vector, ErrorCase("2-d", lambda t: t.combinations(t.ones(2, 2))), view=False, method=False),
    OpSpec(
        "vander",
        vander,
        NUMBERS,
        rounding=Rounding(8.0, 0.0, "powers by repeated products, or not"),
        method=False,
        half=Rounding(4.0, 0.0, "each product is rounded"),
        errors=(ErrorCase("2-d", lambda t: t.vander(t.ones(2, 2))),),
    ),
    OpSpec(
        "renorm",
        renorm,
        ("float32", "float64"),
        rounding=POWERS,
        gradient=POWERS,
        ties=False,
        errors=(
            ErrorCase("a vector", lambda t: t.renorm(t.ones(2), 2, 0, 1)),
            ErrorCase("a negative norm", lambda t: t.renorm(t.ones(2, 2), 2, 0, -1)),
        ),
    ),
    question("tril_indices", triangle, method=False),
    question("triu_indices", triangle, method=False),
    question(
        "broadcast_shapes",
        shapes,
        ErrorCase("sizes that differ", lambda t: t.broadcast_shapes((2,), (3,))),
        method=False,
    ),
    question("can_cast", two_dtypes, method=False),
    question("result_type", operands, method=False),
    question("is_same_size", lambda d: Call((d.tensor(), d.tensor()))),
    question("is_floating_point"),
    question("is_complex"),
    question("numel"),
    question("is_tensor", method=False),
    question("is_nonzero", one, ErrorCase("two elements", lambda t: t.is_nonzero(t.ones(2)))),
)
