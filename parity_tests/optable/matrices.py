"""Solvers, inverses, determinants and decompositions.

Matrices are drawn with singular values or eigenvalues from 0.5 to 2, no two alike: what is compared is the arithmetic,
not two libraries' luck with a matrix that is nearly singular. Vectors that are unique up to their sign are squared.
"""

from __future__ import annotations

import numpy as np

from .calls import Call, TensorArg
from .drawing import FLOATS, Draw
from .spec import ErrorCase, OpSpec, Rounding

SOLVED = Rounding(64.0, 64.0, "eliminations in another order; condition numbers up to 4 and their squares")
SLOPES = Rounding(512.0, 512.0, "as SOLVED, several times over, and divided by gaps between singular values of 0.2")


def placed(d: Draw, values) -> TensorArg:
    """The values, rounded for the reader, in any layout that keeps them."""
    values = np.asarray(values, np.float64).round(3).astype(d.dtype)
    layouts = ("contiguous", "transposed", "strided", "offset") if values.ndim > 1 else ("contiguous",)
    return TensorArg(values, d.dtype, d.of(*layouts))


def batch(d: Draw) -> tuple[int, ...]:
    return d.of((), (), (1,), (2,), (3, 2), (0,))


def random(d: Draw):
    return np.random.RandomState(d.int(0, 2**16))


def orthogonal(rng, shape, n):
    return np.linalg.qr(rng.standard_normal((*shape, n, n)))[0]


def spread(rng, shape, k, low=0.5, high=2.0):
    """k numbers in order, no two close to each other."""
    return low + (high - low) * (np.arange(k) + rng.uniform(0.3, 0.7, (*shape, k))) / max(k, 1)


def general(d: Draw, m, n, shape=()) -> np.ndarray:
    rng, k = random(d), min(m, n)
    return (
        orthogonal(rng, shape, m)[..., :k] * spread(rng, shape, k)[..., None, :] @ orthogonal(rng, shape, n)[..., :k, :]
    )


def symmetric(d: Draw, n, shape=(), low=0.5, high=2.0) -> np.ndarray:
    rng = random(d)
    q = orthogonal(rng, shape, n)
    return q * spread(rng, shape, n, low, high)[..., None, :] @ q.swapaxes(-1, -2)


def triangular(d: Draw, n, shape=(), upper=False) -> np.ndarray:
    rng = random(d)
    lower = np.tril(rng.uniform(-0.5, 0.5, (*shape, n, n)), -1) + spread(rng, shape, n, 1.0)[..., None] * np.eye(n)
    return lower.swapaxes(-1, -2) if upper else lower


def square(d: Draw) -> Call:
    n = d.int(0, 4)
    return Call((placed(d, general(d, n, n, batch(d))),))


def square_in_rows(d: Draw) -> Call:
    (a,) = square(d).args
    return Call((TensorArg(a.values, a.dtype),))


def positive(d: Draw) -> Call:
    return Call((placed(d, symmetric(d, d.int(1, 4), batch(d))),))


def positive_either(d: Draw) -> Call:
    n, upper = d.int(0, 4), d.bool()
    a = symmetric(d, n, batch(d))
    a = (np.triu(a) if upper else np.tril(a)) + (np.tril(np.ones_like(a), -1) if upper else np.triu(np.ones_like(a), 1))
    return Call((placed(d, a),), {"upper": upper})  # the other triangle is not read


def system(d: Draw) -> Call:
    n, k, left = d.int(0, 4), d.int(0, 3), d.bool()
    first, second = d.of(((), ()), ((2,), (2,)), ((2,), ()), ((), (3,)), ((3, 1), (2,)))
    kind = d.of("matrix", "matrix", "vector", "vectors")
    a = general(d, n, n, first)
    if kind == "matrix":
        b = d.tensor((*second, n, k) if left else (*second, k, n), special=False)
        return Call((placed(d, a), b), {"left": left})
    b = d.tensor((n,) if kind == "vector" else (*first, n), special=False)
    return Call((placed(d, a), b))


def triangular_system(d: Draw) -> Call:
    n, k, left, upper, unit = d.int(0, 5), d.int(0, 3), d.bool(), d.bool(), d.bool()
    first, second = d.of(((), ()), ((2,), (2,)), ((2,), ()), ((), (3,)))
    a = triangular(d, n, first, upper) + (np.tril if upper else np.triu)(np.ones((n, n)), -1 if upper else 1)
    b = d.tensor((*second, n, k) if left else (*second, k, n), special=False)
    return Call((placed(d, a), b), {"upper": upper, "left": left, "unitriangular": unit})


def cholesky_system(d: Draw) -> Call:
    n, k, upper = d.int(0, 4), d.int(0, 3), d.bool()
    first, second = d.of(((), ()), ((2,), (2,)), ((2,), ()), ((), (3,)))
    return Call((d.tensor((*second, n, k), special=False), placed(d, triangular(d, n, first, upper))), {"upper": upper})


def factor(d: Draw) -> Call:
    upper = d.bool()
    return Call((placed(d, triangular(d, d.int(1, 4), batch(d), upper)),), {"upper": upper})


def rectangle(d: Draw, shape=None) -> np.ndarray:
    return general(d, d.int(0, 4), d.int(0, 4), batch(d) if shape is None else shape)


def of_rectangle(d: Draw) -> Call:
    return Call((placed(d, rectangle(d)),))


def pseudo(d: Draw) -> Call:
    options = d.of({}, {}, {"atol": 1e-3}, {"rtol": 0.01}, {"atol": 1e-3, "rtol": 0.01}, {"hermitian": True})
    if not d.for_gradient:
        options = d.of(options, {"atol": 0.9}, {"rtol": 0.5})
    if "hermitian" not in options:
        return Call((placed(d, rectangle(d)),), options)
    shape, rng, n = batch(d), random(d), d.int(1, 4)
    q, signs = orthogonal(rng, shape, n), rng.choice([-1, 1], (*shape, n))  # eigenvalues of either sign, none near 0
    return Call((placed(d, q * (signs * spread(rng, shape, n))[..., None, :] @ q.swapaxes(-1, -2)),), options)


def qr_of(d: Draw, names=("mode", "reduced", "complete")) -> Call:
    """The leading square of a wide matrix is regular; a tall one has no gradient in full."""
    m, n, shape = d.int(1, 4), d.int(1, 4), batch(d)
    a = general(d, m, m, shape)
    a = np.concatenate([a, random(d).standard_normal((*shape, m, n))], -1) if d.bool() else a[..., : min(m, n)]
    full = d.bool() and not (d.for_gradient and m > a.shape[-1])
    return Call((placed(d, a),), {names[0]: names[2 if full else 1]})


def svd_of(d: Draw) -> Call:
    return Call((placed(d, rectangle(d)),), {"full_matrices": d.bool()})


def symmetric_of(d: Draw) -> Call:
    n, lower = d.int(0, 4), d.bool()
    a = symmetric(d, n, batch(d), -2.0)
    if not d.for_gradient:  # the other triangle is not read; but it has a gradient
        a = (np.tril if lower else np.triu)(a) + (np.triu if lower else np.tril)(np.ones((n, n)), 1 if lower else -1)
    return Call((placed(d, a),), {"UPLO": "L" if lower else "U"})


def overdetermined(d: Draw) -> Call:
    m, n, k, shape = d.int(1, 5), d.int(1, 4), d.int(1, 3), d.of((), (2,), (3, 2))
    driver = d.of("gels", "gelsd", "gelss", "gelsy", None)
    a = general(d, m, n, shape)
    b = d.tensor((*shape, m) if d.bool() else (*shape, m, k), special=False)
    return Call((placed(d, a), b), {"driver": driver})


def squares(*tensors):
    return tuple(t * t for t in tensors)


def qr_invariants(lib, a, *args, **kwargs):
    q, r = lib.linalg.qr(a, *args, **kwargs)
    k = min(a.shape[-2:])
    return (*squares(q[..., :k], r), q @ r)


def svd_invariants(lib, a, full_matrices):
    u, s, vh = lib.linalg.svd(a, full_matrices)
    u, vh = u[..., : s.shape[-1]], vh[..., : s.shape[-1], :]
    return (*squares(u, vh), s, u * (-s).exp().unsqueeze(-2) @ vh)


def eigh_invariants(lib, a, UPLO):
    values, vectors = lib.linalg.eigh(a, UPLO)
    return values, vectors * vectors, vectors * values.exp().unsqueeze(-2) @ vectors.transpose(-1, -2)


def lstsq_parts(lib, *args, **kwargs):
    """What is left empty requires gradients in torch, now and then."""
    return tuple(t if t.numel() else t.detach() for t in lib.linalg.lstsq(*args, **kwargs))


def refused(name, *more, integers=True, half=False, vector=True, rectangle=True) -> tuple[ErrorCase, ...]:
    """The errors of a function of one square matrix."""

    def call(make):
        def run(lib):
            function = lib
            for part in name.split("."):
                function = getattr(function, part)
            return function(make(lib))

        return run

    cases = [ErrorCase("a list", call(lambda t: [[1.0]]))]
    cases += [ErrorCase("a vector", call(lambda t: t.ones(3)))] if vector else []
    cases += [ErrorCase("no square", call(lambda t: t.ones(2, 3)))] if rectangle else []
    cases += [ErrorCase("integers", call(lambda t: t.ones(2, 2, dtype=t.int64)))] if integers else []
    cases += [ErrorCase("half precision", call(lambda t: t.eye(2, dtype=t.bfloat16)))]
    return (*cases, *more)


def spec(name, draw, *errors, **options) -> OpSpec:
    return OpSpec(name, draw, errors=errors, **{"dtypes": FLOATS, "rounding": SOLVED, "gradient": SLOPES, **options})


def misfit(name, *shapes, **kwargs):
    return ErrorCase(f"shapes {shapes}", lambda t: getattr(t, name)(*(t.ones(s) for s in shapes), **kwargs))


def misfit_of_linalg(name, *shapes, **kwargs):
    return ErrorCase(f"shapes {shapes}", lambda t: getattr(t.linalg, name)(*(t.ones(s) for s in shapes), **kwargs))


TWO_DTYPES = ErrorCase("two dtypes", lambda t: t.linalg.solve(t.eye(2), t.ones(2, dtype=t.float64)))

# torch.linalg's inv, det, slogdet, cholesky and matrix_exp are compared with torch's under their older names here.
SPECS = (
    spec("inverse", square, *refused("inverse"), *refused("linalg.inv")),
    spec("linalg.inv_ex", square, *refused("linalg.inv_ex")),
    spec("det", square, *refused("det"), *refused("linalg.det")),
    spec("slogdet", square, *refused("slogdet"), *refused("linalg.slogdet")),
    spec("logdet", positive, *refused("logdet")),
    spec(
        "matrix_exp",
        square_in_rows,
        *refused("matrix_exp")[:-1],
        notes="torch fails for a transposed batch of batches, and its half precision is NaN for some matrices",
    ),
    spec(
        "linalg.solve",
        system,
        misfit_of_linalg("solve", (2, 3), (2,)),
        misfit_of_linalg("solve", (2, 2), (3,)),
        misfit_of_linalg("solve", (2, 2), (3, 1)),
        misfit_of_linalg("solve", (2, 2), ()),
        misfit_of_linalg("solve", (4, 2, 2), (3, 2, 1)),
        misfit_of_linalg("solve", (2, 2), (2,), left=False),
        misfit_of_linalg("solve", (2, 1, 1), (2, 1), left=False),
        TWO_DTYPES,
        ErrorCase("half precision", lambda t: t.linalg.solve(t.eye(2).half(), t.ones(2).half())),
    ),
    spec("linalg.solve_ex", system, misfit_of_linalg("solve_ex", (2, 3), (2,))),
    spec(
        "linalg.solve_triangular",
        triangular_system,
        misfit_of_linalg("solve_triangular", (2, 2), (2,), upper=True),
        misfit_of_linalg("solve_triangular", (2, 2), (3, 1), upper=True),
        misfit_of_linalg("solve_triangular", (2, 2), (3, 1), upper=True, left=False),
        misfit_of_linalg("solve_triangular", (2, 3), (2, 1), upper=True),
        misfit_of_linalg("solve_triangular", (4, 2, 2), (3, 2, 1), upper=False),
        ErrorCase("no triangle named", lambda t: t.linalg.solve_triangular(t.eye(2), t.ones(2, 1))),
        ErrorCase("integers", lambda t: t.linalg.solve_triangular(t.eye(2).long(), t.ones(2, 1).long(), upper=True)),
    ),
    spec("cholesky", positive_either, *refused("cholesky"), *refused("linalg.cholesky")),
    spec("linalg.cholesky_ex", positive_either, *refused("linalg.cholesky_ex")),
    spec(
        "cholesky_solve",
        cholesky_system,
        misfit("cholesky_solve", (2,), (2, 2)),
        misfit("cholesky_solve", (2, 1), (2,)),
        misfit("cholesky_solve", (3, 1), (2, 2)),
        misfit("cholesky_solve", (2, 1), (2, 3)),
        misfit("cholesky_solve", (3, 2, 1), (4, 2, 2)),
        ErrorCase("two dtypes", lambda t: t.cholesky_solve(t.ones(2, 1), t.eye(2).double())),
        ErrorCase("integers", lambda t: t.cholesky_solve(t.ones(2, 1).long(), t.eye(2).long())),
    ),
    spec("cholesky_inverse", factor, *refused("cholesky_inverse")),
    spec(
        "linalg.qr",
        qr_of,
        *refused("linalg.qr", rectangle=False),
        ErrorCase("an unknown mode", lambda t: t.linalg.qr(t.eye(2), mode="raw")),
        run=qr_invariants,
    ),
    spec(
        "linalg.svd",
        svd_of,
        *refused("linalg.svd", rectangle=False),
        ErrorCase("a driver", lambda t: t.linalg.svd(t.eye(2), driver="gesvd")),
        run=svd_invariants,
    ),
    spec("linalg.svdvals", of_rectangle, *refused("linalg.svdvals", rectangle=False)),
    spec(
        "linalg.eigh",
        symmetric_of,
        *refused("linalg.eigh"),
        ErrorCase("an unknown triangle", lambda t: t.linalg.eigh(t.eye(2), UPLO="X")),
        run=eigh_invariants,
    ),
    spec(
        "linalg.eigvalsh",
        symmetric_of,
        *refused("linalg.eigvalsh"),
        ErrorCase("an unknown triangle", lambda t: t.linalg.eigvalsh(t.eye(2), UPLO="X")),
    ),
    spec("pinverse", of_rectangle, *refused("pinverse", rectangle=False)),
    spec(
        "linalg.pinv",
        pseudo,
        *refused("linalg.pinv", rectangle=False),
        ErrorCase("two tolerances", lambda t: t.linalg.pinv(t.eye(2), rcond=0.1, atol=0.1)),
        ErrorCase("no square", lambda t: t.linalg.pinv(t.ones(2, 3), hermitian=True)),
    ),
    spec(
        "linalg.matrix_rank",
        pseudo,
        *refused("linalg.matrix_rank", rectangle=False),
        ErrorCase("no square", lambda t: t.linalg.matrix_rank(t.ones(2, 3), hermitian=True)),
        differentiable=False,
    ),
    spec(
        "linalg.lstsq",
        overdetermined,
        misfit_of_linalg("lstsq", (3,), (3, 1)),
        misfit_of_linalg("lstsq", (3, 2), (2, 1)),
        misfit_of_linalg("lstsq", (3, 2), (2,)),
        misfit_of_linalg("lstsq", (3, 2), ()),
        misfit_of_linalg("lstsq", (3, 2), (4, 3, 1)),
        misfit_of_linalg("lstsq", (2, 4, 3, 2), (3, 3)),
        misfit_of_linalg("lstsq", (3, 2), (3,), driver="gelsx"),
        ErrorCase("two dtypes", lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(3, 1, dtype=t.float64))),
        ErrorCase("integers", lambda t: t.linalg.lstsq(t.eye(2).long(), t.ones(2).long())),
        run=lstsq_parts,
    ),
    spec(
        "linalg.cond",
        lambda d: Call(
            (square(d).args[0], d.of("fro", "nuc", 1, -1, float("inf"), -float("inf"), 2, -2, None))
            if not d.for_gradient
            else (placed(d, rectangle(d)), d.of(2, -2, None))
        ),
        ErrorCase("a vector", lambda t: t.linalg.cond(t.ones(3))),
        ErrorCase("no square", lambda t: t.linalg.cond(t.ones(2, 3), 1)),
        ErrorCase("integers", lambda t: t.linalg.cond(t.eye(2).long())),
        ErrorCase("an unknown norm", lambda t: t.linalg.cond(t.eye(2), 3)),
        notes="torch has no gradient with the norm of an inverse: it writes over what backward needs",
    ),
    spec(
        "linalg.matrix_norm",
        lambda d: Call((placed(d, rectangle(d)), d.of("nuc", 2, -2)), {"keepdim": d.bool()}),
        ErrorCase("integers", lambda t: t.linalg.matrix_norm(t.eye(2).long(), 2)),
        notes="with singular values; the other norms are in test_one_liners.py",
    ),
)
