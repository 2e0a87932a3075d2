"""Triangular factors, Householder's reflections, and decompositions by random products.

Matrices are drawn as in matrices.py; what has more columns than rows is regular in its first ones, which are what is
divided by.
"""

from __future__ import annotations

import numpy as np

from .calls import Call, TensorArg
from .drawing import NUMBERS, Draw
from .matrices import batch, general, misfit, misfit_of_linalg, placed, random, refused, spec, spread, triangular
from .spec import EXACT, ErrorCase


def matrix(d: Draw, low=0) -> np.ndarray:
    m, n, shape = d.int(low, 4), d.int(low, 4), batch(d)
    a = general(d, max(m, n), min(m, n), shape) if m >= n else general(d, m, m, shape)
    return a if m >= n else np.concatenate([a, random(d).uniform(-1, 1, (*shape, m, n - m))], -1)


def factorized(d: Draw) -> Call:
    return Call((placed(d, matrix(d)),))


def exchanges(d: Draw, k, rows, shape) -> TensorArg:
    pivots = random(d).randint(np.arange(1, k + 1), rows + 1, (*shape, k))
    return TensorArg(pivots.astype(np.int32), "int32")


def packed(d: Draw) -> Call:
    m, n, shape = d.int(0, 4), d.int(0, 4), batch(d)
    data = d.tensor((*shape, m, n), special=False)
    parts = d.of({}, {}, {"unpack_data": False}, {"unpack_pivots": False})
    return Call((data, exchanges(d, min(m, n), m, shape)), {} if d.for_gradient else parts)


def factors(d: Draw, n, shape) -> tuple[TensorArg, TensorArg]:
    lu = triangular(d, n, shape, upper=True) + np.tril(random(d).uniform(-0.5, 0.5, (*shape, n, n)), -1)
    return placed(d, lu), exchanges(d, n, n, shape)


BATCHES = (((), ()), ((2,), (2,)), ((2,), ()), ((), (3,)), ((3, 1), (2,)))


def batches(d: Draw, n: int):
    """torch 2.13 reads past factors of numbers (n = 1) with strides like (1, 3, 3, 3) where their batch broadcasts:
    infinities come out of lu_solve."""
    return d.of(*(BATCHES if n != 1 else BATCHES[:2]))


def factored_system(d: Draw) -> Call:
    n, k, left, adjoint = d.int(0, 4), d.int(0, 3), d.bool(), d.bool()
    first, second = batches(d, n)
    b = d.tensor((*second, n, k) if left else (*second, k, n), special=False)
    return Call((*factors(d, n, first), b), {"left": left, "adjoint": adjoint})


def older_system(d: Draw) -> Call:
    n = d.int(0, 4)
    first, second = batches(d, n)
    return Call((d.tensor((*second, n, d.int(0, 3)), special=False), *factors(d, n, first)))


def triangle_first(d: Draw) -> Call:
    n, upper = d.int(0, 4), d.bool()
    first, second = d.of(*BATCHES)
    a = triangular(d, n, first, upper)
    b = d.tensor((*second, n, d.int(0, 3)), special=False)
    return Call((b, placed(d, a)), {"upper": upper, "transpose": d.bool(), "unitriangular": d.bool()})


def vectors(d: Draw, m, n, k, shape) -> tuple[TensorArg, TensorArg]:
    """tau times a vector's square is above 1: torch's backward divides by its distance from 1."""
    rng = random(d)
    return placed(d, rng.uniform(-0.5, 0.5, (*shape, m, n))), placed(d, rng.uniform(1.2, 1.9, (*shape, k)))


def reflections(d: Draw) -> Call:
    k = d.int(int(d.for_gradient), 3)  # torch's gradient is None where there are none
    n = k + d.int(0, 1)
    return Call(vectors(d, n + d.int(0, 2), n, k, batch(d)))


def reflected(d: Draw) -> Call:
    low = int(d.for_gradient)
    m, n, l, shape, left = d.int(low, 4), d.int(low, 4), d.int(low, 3), batch(d), d.bool()  # noqa: E741
    other = d.tensor((*shape, m, l) if left else (*shape, l, m), special=False)
    return Call((*vectors(d, m, n, min(m, n), shape), other), {"left": left, "transpose": d.bool()})


def nearly(name):
    """On a GPU one seed gives other random numbers than torch's on the CPU: q is the matrix's rank, where they cancel.
    The signs of singular vectors are LAPACK's."""

    def run(lib, a, *args, **kwargs):
        lib.manual_seed(5)
        u, s, v = getattr(lib, name)(a, *args, **kwargs)
        return u * u, s, v * v, u * s.unsqueeze(-2) @ v.transpose(-1, -2)

    return run


def lowrank(d: Draw) -> Call:
    m, n, shape = d.int(1, 5), d.int(1, 5), batch(d)
    options = {"niter": d.of(0, 1, 2)} if d.bool() else {}
    if d.bool():
        options["M"] = d.tensor((1, n), -0.1, 0.1, special=False)
    return Call((placed(d, general(d, m, n, shape)), min(m, n)), options)


def components(d: Draw) -> Call:
    """What is left without its features' means keeps its rank: the samples outnumber them."""
    n, shape = d.int(1, 3), batch(d)
    rows = n + d.int(2, 3)
    ones = np.ones((rows, 1)) / np.sqrt(rows)
    a = general(d, rows, n, shape)
    a = a - ones @ (ones.T @ a) + spread(random(d), shape, n)[..., None, :] * np.eye(rows, n)
    return Call((placed(d, a),), {"q": n, "center": d.bool()})


def exchanged(lib, pivots):
    return lib.tensor(pivots, dtype=lib.int32)


SPECS = (
    spec(
        "linalg.lu_factor",
        factorized,
        *refused("linalg.lu_factor", rectangle=False),
        ErrorCase("a pivot of 0", lambda t: t.linalg.lu_factor(t.ones(2, 2))),
        ErrorCase("no pivots", lambda t: t.linalg.lu_factor(t.eye(2), pivot=False)),
    ),
    spec(
        "linalg.lu_factor_ex",
        factorized,
        *refused("linalg.lu_factor_ex", rectangle=False),
        ErrorCase("a pivot of 0", lambda t: t.linalg.lu_factor_ex(t.ones(2, 2), check_errors=True)),
        ErrorCase("no pivots", lambda t: t.linalg.lu_factor_ex(t.eye(2), pivot=False)),
    ),
    spec(
        "linalg.lu",
        factorized,
        *refused("linalg.lu", rectangle=False),
        ErrorCase("no pivots", lambda t: t.linalg.lu(t.eye(2), pivot=False)),
    ),
    spec("lu", factorized, *refused("lu", rectangle=False), ErrorCase("no pivots", lambda t: t.lu(t.eye(2), False))),
    spec(
        "lu_unpack",
        packed,
        ErrorCase("a vector", lambda t: t.lu_unpack(t.ones(3), t.ones(3, dtype=t.int32))),
        ErrorCase("int64", lambda t: t.lu_unpack(t.ones(2, 2), t.tensor([1, 2]))),
        ErrorCase("row 0", lambda t: t.lu_unpack(t.ones(2, 2), exchanged(t, [0, 2]))),
        ErrorCase("row 3 of 2", lambda t: t.lu_unpack(t.ones(2, 2), exchanged(t, [1, 3]))),
        dtypes=(*NUMBERS, "bool"),
        rounding=EXACT,
        half=EXACT,
    ),
    spec(
        "linalg.lu_solve",
        factored_system,
        *(
            ErrorCase(label, lambda t, a=a, p=p, b=b, o=o: t.linalg.lu_solve(a(t), exchanged(t, p), b(t), **o))
            for label, a, p, b, o in (
                ("a vector", lambda t: t.eye(2), [1, 2], lambda t: t.ones(2), {}),
                ("rows", lambda t: t.eye(2), [1, 2], lambda t: t.ones(3, 1), {}),
                ("columns", lambda t: t.eye(2), [1, 2], lambda t: t.ones(1, 3), {"left": False}),
                ("no square", lambda t: t.ones(2, 3), [1, 2], lambda t: t.ones(2, 1), {}),
                ("two dtypes", lambda t: t.eye(2), [1, 2], lambda t: t.ones(2, 1).double(), {}),
                ("integers", lambda t: t.eye(2).long(), [1, 2], lambda t: t.ones(2, 1).long(), {}),
                ("half precision", lambda t: t.eye(2).half(), [1, 2], lambda t: t.ones(2, 1).half(), {}),
                ("too few pivots", lambda t: t.eye(2), [1], lambda t: t.ones(2, 1), {}),
                ("row 0", lambda t: t.eye(2), [0, 2], lambda t: t.ones(2, 1), {}),
                ("row 3 of 2", lambda t: t.eye(2), [1, 3], lambda t: t.ones(2, 1), {}),
                ("one for several", lambda t: t.ones(3, 2, 2), [1, 2], lambda t: t.ones(2, 1), {}),
                ("batches", lambda t: t.ones(3, 2, 2), [[1, 2]] * 3, lambda t: t.ones(2, 2, 1), {}),
            )
        ),
        ErrorCase("int64", lambda t: t.linalg.lu_solve(t.eye(2), t.tensor([1, 2]), t.ones(2, 1))),
    ),
    spec(
        "lu_solve",
        older_system,
        ErrorCase("rows", lambda t: t.lu_solve(t.ones(3, 1), t.eye(2), exchanged(t, [1, 2]))),
        ErrorCase("a vector", lambda t: t.lu_solve(t.ones(2), t.eye(2), exchanged(t, [1, 2]))),
    ),
    spec(
        "triangular_solve",
        triangle_first,
        misfit("triangular_solve", (2,), (2, 2)),
        misfit("triangular_solve", (2, 1), (2,)),
        misfit("triangular_solve", (3, 1), (2, 2)),
        misfit("triangular_solve", (2, 1), (2, 3)),
        misfit("triangular_solve", (3, 2, 1), (4, 2, 2)),
        ErrorCase("two dtypes", lambda t: t.triangular_solve(t.ones(2, 1), t.eye(2).double())),
        ErrorCase("integers", lambda t: t.triangular_solve(t.ones(2, 1).long(), t.eye(2).long())),
    ),
    spec("geqrf", factorized, *refused("geqrf", rectangle=False), differentiable=False, notes="in torch, too"),
    spec(
        "linalg.householder_product",
        reflections,
        misfit_of_linalg("householder_product", (3,), (3,)),
        misfit_of_linalg("householder_product", (2, 3), (2,)),
        misfit_of_linalg("householder_product", (3, 2), (3,)),
        misfit_of_linalg("householder_product", (3, 2), (1, 2)),
        misfit_of_linalg("householder_product", (2, 3, 2), (2,)),
        misfit_of_linalg("householder_product", (2, 3, 2), (3, 2)),
        ErrorCase("two dtypes", lambda t: t.linalg.householder_product(t.eye(2), t.ones(2).double())),
        ErrorCase("integers", lambda t: t.linalg.householder_product(t.eye(2).long(), t.ones(2).long())),
    ),
    spec("orgqr", reflections, misfit("orgqr", (2, 3), (2,)), misfit("orgqr", (3, 2), (3,))),
    spec(
        "ormqr",
        reflected,
        misfit("ormqr", (3,), (2,), (3, 1)),
        misfit("ormqr", (3, 2), (2,), (3,)),
        misfit("ormqr", (3, 2), (2,), (2, 3)),
        misfit("ormqr", (3, 2), (2,), (3, 1), left=False),
        misfit("ormqr", (3, 2), (1,), (3, 1)),
        misfit("ormqr", (3, 2), (1, 2), (3, 1)),
        misfit("ormqr", (2, 3, 2), (3, 2), (2, 3, 1)),
        misfit("ormqr", (2, 3, 2), (2, 2), (3, 1)),
        misfit("ormqr", (2, 3, 2), (2, 2), (3, 3, 1)),
        ErrorCase("two dtypes", lambda t: t.ormqr(t.eye(2), t.ones(2), t.eye(2).double())),
        ErrorCase("tau's dtype", lambda t: t.ormqr(t.eye(2), t.ones(2).double(), t.eye(2))),
        ErrorCase("integers", lambda t: t.ormqr(t.eye(2).long(), t.ones(2).long(), t.eye(2).long())),
    ),
    spec(
        "svd_lowrank",
        lowrank,
        ErrorCase("integers", lambda t: t.svd_lowrank(t.eye(2).long())),
        ErrorCase("half precision", lambda t: t.svd_lowrank(t.eye(2).half())),
        ErrorCase("M's shape", lambda t: t.svd_lowrank(t.eye(2), M=t.ones(3))),
        run=nearly("svd_lowrank"),
    ),
    spec(
        "pca_lowrank",
        components,
        ErrorCase("q above the sizes", lambda t: t.pca_lowrank(t.ones(3, 2), q=3)),
        ErrorCase("a negative q", lambda t: t.pca_lowrank(t.ones(3, 2), q=-1)),
        ErrorCase("a negative niter", lambda t: t.pca_lowrank(t.ones(3, 2), niter=-1)),
        ErrorCase("integers", lambda t: t.pca_lowrank(t.eye(2).long())),
        run=nearly("pca_lowrank"),
    ),
)
