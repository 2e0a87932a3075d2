"""erf, lgamma, i0 and their kin against mpmath's 30 digits: torch's own are too rough to judge the derivatives."""

import mpmath
import numpy as np
import pytest

import minitorch2 as mt
from minitorch2_kernels import (
    digamma,
    erf,
    erfc,
    erfcx,
    erfinv,
    gammainc,
    gammaincc,
    i0e,
    i1e,
    lgamma,
    log_ndtr,
    ndtri,
    polygamma,
)

RNG = np.random.default_rng(0)
NEAR_ZERO = 10.0 ** RNG.uniform(-30, 0, 50) * RNG.choice([-1, 1], 50)
POSITIVE = np.concatenate([RNG.uniform(0, 3, 300), RNG.uniform(0, 40, 300), 10.0 ** RNG.uniform(-30, 30, 100)])
AROUND_1 = np.array([1 - 1e-9, 1 + 1e-9, 2 - 1e-9, 2 + 1e-9, 1.0, 2.0, np.nextafter(1, 0), np.nextafter(2, 3)])

EITHER_SIDE = np.concatenate([RNG.uniform(-20, 20, 200), RNG.uniform(-600, 600, 50), NEAR_ZERO])


def _quantile(p):
    """Newton's method on the logarithm, whose slope is the density over the area."""
    with np.errstate(all="ignore"):
        x = mpmath.mpf(float(ndtri(np.array([float(p)]))[0]))
    for _ in range(3):
        area = mpmath.ncdf(x)
        x -= (mpmath.log(area) - mpmath.log(p)) * area / mpmath.npdf(x)
    return x


CASES = {  # name: (kernel, mpmath's, where, units in the last place for float64)
    "erf": (erf, mpmath.erf, np.concatenate([RNG.uniform(-7, 7, 600), NEAR_ZERO]), 1.5),
    "erfc": (erfc, mpmath.erfc, np.concatenate([RNG.uniform(-7, 26, 600), NEAR_ZERO]), 4),
    "erfinv": (
        erfinv,
        mpmath.erfinv,
        np.concatenate([RNG.uniform(-1, 1, 200), 1 - 10.0 ** RNG.uniform(-15, 0, 100), NEAR_ZERO]),
        4,
    ),
    "lgamma": (lgamma, lambda x: mpmath.loggamma(x).real, np.concatenate([POSITIVE, AROUND_1]), 4),
    "trigamma": (lambda x: polygamma(1, x), lambda x: mpmath.polygamma(1, x), POSITIVE, 6),
    "tetragamma": (lambda x: polygamma(2, x), lambda x: mpmath.polygamma(2, x), POSITIVE, 6),
    "i0e": (i0e, lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)), EITHER_SIDE, 8),
    "i1e": (i1e, lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)), EITHER_SIDE, 8),
    "erfcx": (
        erfcx,
        lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
        np.concatenate([RNG.uniform(-26, 40, 300), NEAR_ZERO, 10.0 ** RNG.uniform(0, 5, 50)]),
        6,
    ),
    "log_ndtr": (log_ndtr, lambda x: mpmath.log(mpmath.ncdf(x)), RNG.uniform(-38, 3, 300), 12),
    "ndtri": (ndtri, _quantile, np.concatenate([RNG.uniform(0.001, 0.999, 100), 10.0 ** RNG.uniform(-30, 0, 50)]), 6),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_to_the_last_places(name, dtype):
    """float32 results are the exact ones, rounded (erf's own float32 polynomials: within 1.6 units; 1.53 were found,
    where the compiler joins a product and a sum)."""
    kernel, exact, points, units = CASES[name]
    if dtype == np.float32:
        units = 1.6 if name == "erf" else 0.51
    points = points.astype(dtype)
    with np.errstate(all="ignore"):
        results = kernel(points)
    assert results.dtype == dtype
    for x, result in zip(points.tolist(), results, strict=True):
        with mpmath.workdps(30):
            wanted = exact(mpmath.mpf(x)) if abs(x) < 1 or name != "erfinv" else mpmath.inf
            with np.errstate(over="ignore"):
                rounded = dtype(float(wanted))
            if not np.isfinite(rounded) or abs(rounded) < np.finfo(dtype).tiny:
                continue
            error = abs(float((mpmath.mpf(float(result)) - wanted) / mpmath.mpf(float(np.spacing(abs(rounded))))))
        assert error <= units, f"{name}({x!r}) = {result!r}, off by {error:.2f} units in the last place"


@pytest.mark.parametrize("name", ["lgamma", "digamma", "trigamma"])
def test_below_zero(name):
    """The reflections: to 1e-13 of the terms they are the difference of."""
    points = RNG.uniform(-25, 0, 300)
    kernel = {"lgamma": lgamma, "digamma": digamma, "trigamma": lambda x: polygamma(1, x)}[name]
    exact = {
        "lgamma": lambda x: mpmath.loggamma(x).real,
        "digamma": mpmath.digamma,
        "trigamma": lambda x: mpmath.polygamma(1, x),
    }[name]
    for x, result in zip(points.tolist(), kernel(points), strict=True):
        wanted = float(exact(mpmath.mpf(x)))
        assert abs(result - wanted) <= 1e-13 * max(10.0, abs(wanted)) / min(1.0, abs(x - round(x))), x


@pytest.mark.parametrize("n", [2, 3, 4, 7, 10])
def test_polygamma_below_zero(n):
    """To the last places even where derivatives of even order are small, between two poles."""
    halves = -0.5 - np.arange(30.0)
    points = np.concatenate([RNG.uniform(-25, 0.5, 150), halves, halves + 1e-9, [1e-7 - 3, -1000.25]])
    for x, result in zip(points.tolist(), polygamma(n, points), strict=True):
        with mpmath.workdps(60):
            wanted = float(mpmath.polygamma(n, mpmath.mpf(x)))
        assert result == pytest.approx(wanted, rel=1e-14), x
    far, farther = polygamma(n, np.array([-1e5 - 0.25, -1e15 - 0.25]))  # no step for every pole
    assert farther == pytest.approx(far, rel=1e-9)


@pytest.mark.parametrize("upper", [False, True])
def test_incomplete_gamma(upper):
    """To 1e-13 of the larger tail, and to 1e-12 of the smaller one down to 1e-200."""
    a = np.concatenate([RNG.uniform(0, 5, 60), 10.0 ** RNG.uniform(-8, 3, 90), RNG.uniform(140, 400, 40)])
    near = 1 + RNG.normal(size=a.size) / np.sqrt(a + 1)
    x = a * np.where(RNG.uniform(size=a.size) < 0.7, np.clip(near, 0.05, 4), 10.0 ** RNG.uniform(-1, 0.5, a.size))
    with np.errstate(all="ignore"):
        results = (gammaincc if upper else gammainc)(a, x)
    for p, y, result in zip(a.tolist(), x.tolist(), results, strict=True):
        limits = (y, mpmath.inf) if upper else (0, y)
        with mpmath.workdps(30):
            wanted = float(mpmath.gammainc(mpmath.mpf(p), *map(mpmath.mpf, limits), regularized=True))
        if wanted > 1e-200:
            assert abs(result - wanted) <= (1e-13 if wanted > 0.1 else 1e-12) * wanted, (p, y)


def test_incomplete_gamma_far_out():
    """Where a quotient of the two is beyond float64's numbers."""
    a, x = np.array([1e18, 1e300, 1e300, 1e-300, 5e-324]), np.array([1.0, 1e-300, 1e18, 1e300, 1e18])
    for override in (False, True):  # short arrays are the reference's
        a, x = (np.tile(v, 4000) if override else v for v in (a, x))
        with np.errstate(all="ignore"):
            assert (gammainc(a, x) == np.resize([0.0, 0.0, 0.0, 1.0, 1.0], a.size)).all()
            assert (gammaincc(a, x) == np.resize([1.0, 1.0, 1.0, 0.0, 0.0], a.size)).all()


def test_special_points():
    inf, nan = np.inf, np.nan
    with np.errstate(all="ignore"):
        for kernel, points in {
            erf: {0.0: 0.0, inf: 1.0, -inf: -1.0, 30.0: 1.0, nan: nan},
            erfc: {0.0: 1.0, inf: 0.0, -inf: 2.0, 30.0: 0.0, nan: nan},
            erfinv: {0.0: 0.0, 1.0: inf, -1.0: -inf, 1.5: nan, nan: nan},
            lgamma: {0.0: inf, 1.0: 0.0, 2.0: 0.0, -1.0: inf, inf: inf, -inf: inf, 1e306: inf, nan: nan},
            digamma: {0.0: -inf, -1.0: nan, inf: inf, nan: nan},
        }.items():
            for x, wanted in points.items():
                for dtype in (np.float32, np.float64):
                    if abs(x) < 1e300 or np.isinf(x) or dtype is np.float64:
                        result = kernel(np.array([x], dtype))[0]
                        assert np.array_equal(result, dtype(wanted), equal_nan=True), (kernel.__name__, x, result)


def test_odd_layouts():
    """Blocks, strides and empty arrays give what one element at a time gives."""
    x = RNG.uniform(-3, 3, (5, 4001))
    for view in (x, x.T, x[:, ::2], x[:0]):
        result = erf(view)
        assert result.shape == view.shape
        places = np.unravel_index(RNG.integers(0, max(view.size, 1), 50 if view.size else 0), view.shape)
        assert np.array_equal(result[places], [erf(v.reshape(1))[0] for v in view[places]])


@pytest.mark.parametrize("x", [0.3, 1.7, 4.2])
def test_derivatives(x):
    """lgamma' = digamma, and on to the third derivative."""
    t = mt.tensor(x, dtype=mt.float64, requires_grad=True)
    (first,) = mt.autograd.grad(mt.lgamma(t), t, create_graph=True)
    (second,) = mt.autograd.grad(first, t, create_graph=True)
    (third,) = mt.autograd.grad(second, t)
    for n, ours in enumerate((first, second, third)):
        assert float(ours) == pytest.approx(float(mpmath.polygamma(n, x)), rel=1e-14)
