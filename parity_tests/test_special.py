"""erf, lgamma and their kin against mpmath's 30 digits: torch's own are too rough to judge the derivatives."""

import mpmath
import numpy as np
import pytest

import minitorch2 as mt
from minitorch2_kernels import digamma, erf, erfc, erfinv, lgamma, polygamma

RNG = np.random.default_rng(0)
NEAR_ZERO = 10.0 ** RNG.uniform(-30, 0, 50) * RNG.choice([-1, 1], 50)
POSITIVE = np.concatenate([RNG.uniform(0, 3, 300), RNG.uniform(0, 40, 300), 10.0 ** RNG.uniform(-30, 30, 100)])
AROUND_1 = np.array([1 - 1e-9, 1 + 1e-9, 2 - 1e-9, 2 + 1e-9, 1.0, 2.0, np.nextafter(1, 0), np.nextafter(2, 3)])

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
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_to_the_last_places(name, dtype):
    """float32 results are the exact ones, rounded (erf's own float32 polynomials: within 1.5 units)."""
    kernel, exact, points, units = CASES[name]
    if dtype == np.float32:
        units = 1.5 if name == "erf" else 0.51
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
