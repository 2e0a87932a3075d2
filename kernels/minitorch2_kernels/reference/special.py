"""erf and gamma and their kin, element by element.

Every function takes a float32 or float64 array and returns one like it, to one or two units in the last
place. The polynomials are Remez fits of our own (minimax in the weight named beside each), computed with
mpmath to 50 digits.
"""

from __future__ import annotations

import math

import numpy as np

from ..dispatch import kernel, namespace

_BLOCK = 8192  # elements; the temporaries of one block stay in the first two caches

# erf(x)/x - 1 as a polynomial in x^2, on |x| < 1
_SMALL32 = (
    7.889119157487838e-05,
    -0.0008020845698406905,
    0.005189536461939261,
    -0.026854445581508075,
    0.11283600211815889,
    -0.37612627140440547,
    0.12837916591465431,
)
_SMALL64 = (
    -7.801188874097751e-10,
    1.3722976265924504e-08,
    -1.6209175911748696e-07,
    1.6447517677871873e-06,
    -1.4924744663335489e-05,
    0.00012055295320494294,
    -0.0008548325989696758,
    0.005223977607423468,
    -0.02686617064327622,
    0.11283791670945253,
    -0.3761263890318355,
    0.12837916709551256,
)
# erfinv(y)/y for float32, to 1e-9: with w = -log(1 - y^2) in (w - 3.125) / 3.125 up to w = 6.25, beyond, as far as
# float32 reaches, in (sqrt(w) - 3.25) / 0.75. Chebyshev fits.
_ERFINV32 = (
    -1.0741303120732253e-05,
    1.5265790365443215e-06,
    9.156612876562666e-05,
    -0.0001349372241272673,
    -0.0002628400046527299,
    0.0012425459663104052,
    -0.0012722981667253515,
    -0.0041401173401517215,
    0.017808469224903374,
    -0.022604107824512408,
    -0.05892257408790646,
    0.7504943082203531,
    1.653654562756355,
)
_ERFINV32_FAR = (
    6.119313719485592e-06,
    -3.7410390205502435e-06,
    -4.8233669540069875e-05,
    0.00017487572744069325,
    -0.0004002999397263369,
    0.0007864786238501583,
    -0.0015825975837331246,
    0.0030213656252286564,
    0.7539442284805657,
    3.0838856060020774,
)
# -log(erfc(x))/x on 1 < x < 4 (6); what counts there is the absolute error of erfc, so the weight is x
# erfc(x)
_TAIL32 = (
    1.4134042287196282e-05,
    -0.00035233422423018535,
    0.0037646685160245157,
    -0.0240255261866077,
    0.10654912277857453,
    0.6349582861626959,
    1.1286971611600887,
)
_TAIL64 = (
    -1.5078759222752641e-12,
    6.701226494891664e-11,
    -1.3944123536372793e-09,
    1.803996457272166e-08,
    -1.623141197990697e-07,
    1.074064928904661e-06,
    -5.367611643027378e-06,
    2.0292141561459588e-05,
    -5.588267119592869e-05,
    9.516336612700992e-05,
    -4.4680539677386115e-07,
    -0.0005753346576943889,
    0.0016932776976170464,
    -0.0002125394360285237,
    -0.019124688117747878,
    0.10277072216630405,
    0.6366202772008939,
    1.1283791081985857,
)
# (1 + 2x) exp(x^2) erfc(x) for all x >= 0, as a polynomial in (x - 4)/(x + 4)
_ERFCX = (
    -1.7163156592813124e-09,
    -1.3399113425605488e-08,
    -7.817444481695925e-09,
    1.1457601816502303e-07,
    6.249219630434075e-08,
    -8.342234921963891e-07,
    3.018338582251501e-07,
    5.717252573108148e-06,
    -1.1225200643869366e-05,
    -2.440290658671856e-05,
    0.0001506224373745032,
    -0.0001992555763895305,
    -0.0007577733958489102,
    0.005031969767346863,
    -0.016197734049916587,
    0.03716751556131304,
    -0.06633036581241683,
    0.09373283499686466,
    -0.10103906603630879,
    0.06809705425473522,
    0.015379652102619924,
    -0.1396211168405629,
    1.2329951186255526,
)
# lgamma(x) / ((x - 1)(x - 2)) = P/Q in x - 1, on 1 < x < 2.5: rational interpolation at Chebyshev nodes
_LGAMMA_P = (
    1.617450683823641e-06,
    0.0006980166023666075,
    0.021203176043154633,
    0.20439108881700774,
    0.8520513981541668,
    1.70581416294524,
    1.6127980988295134,
    0.5772156649015329,
)
_LGAMMA_Q = (
    0.0001821462808366695,
    0.009078152769591183,
    0.13188406729040505,
    0.8203148799058525,
    2.531159284096056,
    4.0536681493160565,
    3.218986559675325,
    1.0,
)
# B(2k) / (2k (2k - 1)), the series of Stirling's formula, and B(2k) / 2k, that of its derivative
_STIRLING = (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)
_PSI = (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


@kernel
def erf(x):
    """2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    return in_blocks(_erf, x)


@kernel
def erfc(x):
    """1 - erf(x), accurate where that is tiny."""
    return in_blocks(in_double(_erfc), x)


@kernel
def erfinv(y):
    """The x with erf(x) = y; inf at 1, nan beyond."""
    single = isinstance(y, np.ndarray) and y.dtype == np.float32  # an initialiser's millions (init.trunc_normal_)
    return in_blocks(_erfinv_single if single else in_double(_erfinv), y)


@kernel
def lgamma(x):
    """log |gamma(x)|; inf at 0 and the negative integers. Below 0 the error is absolute: near a zero it is
    not relative."""
    return in_blocks(in_double(_lgamma), x)


@kernel
def digamma(x):
    """The derivative of lgamma; nan at the negative integers, -inf at 0 (inf at -0.0)."""
    return in_blocks(in_double(_digamma), x)


@kernel
def polygamma(n, x):
    """The n-th derivative of digamma, n >= 1."""
    return in_blocks(in_double(lambda block: _polygamma(n, block)), x)


def in_blocks(function, x):
    """function(x), a block at a time where that spares NumPy the way through main memory for every temporary."""
    if not isinstance(x, np.ndarray) or x.size <= _BLOCK:
        return function(x)
    flat, result = x.reshape(-1), np.empty(x.size, x.dtype)
    for i in range(0, x.size, _BLOCK):
        result[i : i + _BLOCK] = function(flat[i : i + _BLOCK])
    return result.reshape(x.shape)


def in_double(function):
    """Computed in float64 and rounded to x's dtype: these are rare enough not to earn coefficients of
    their own."""

    def rounded(x):
        return function(x) if x.dtype == np.float64 else function(x.astype(np.float64)).astype(x.dtype)

    return rounded


def polynomial(coefficients, x):
    """Horner's rule, highest power first."""
    result = x * coefficients[0]
    result += coefficients[1]
    for c in coefficients[2:]:
        result *= x
        result += c
    return result


def _erf(x):
    xp = namespace(x)
    small, tail, end = (_SMALL32, _TAIL32, 4.0) if x.dtype == np.float32 else (_SMALL64, _TAIL64, 6.0)
    a = xp.minimum(xp.abs(x), end)  # erf rounds to 1 from there on
    near = polynomial(small, a * a)
    near *= a
    near += a
    far = polynomial(tail, a)
    far *= -a
    far = 1 - xp.exp(far)
    return xp.copysign(xp.where(a < 1, near, far), x)


def _erfc(x):
    xp = namespace(x)
    a = xp.minimum(xp.abs(x), 28.0)  # erfc underflows before
    # a^2 = high^2 + (a - high)(a + high), the first exactly: rounding a^2 itself would cost a^2 units
    high = a.astype(np.float32).astype(np.float64)
    tail = xp.exp(-high * high) * xp.exp((high - a) * (high + a)) * scaled_tail(a)
    return xp.where(x < 0.5, 1 - _erf(x), tail)


def scaled_tail(a):
    """exp(a^2) erfc(a) for a >= 0."""
    return polynomial(_ERFCX, (a - 4) / (a + 4)) / (1 + 2 * a)


def _erfinv_single(y):
    y = y.astype(np.float64)
    w = -np.log((1 - y) * (1 + y))
    x = np.asarray(polynomial(_ERFINV32, w * (1 / 3.125) - 1))
    far = w > 6.25
    x[far] = polynomial(_ERFINV32_FAR, (np.sqrt(w[far]) - 3.25) / 0.75)
    x[np.abs(y) == 1] = math.inf
    return (x * y).astype(np.float32)


def _erfinv(y):
    xp = namespace(y)
    a = xp.abs(y)
    # Winitzki's approximation (2008), good to 2e-3; each of Halley's steps cubes the error
    log = xp.log1p(-a * a)
    b = 2 / (math.pi * 0.147) + log / 2
    x = xp.sqrt((-log / 0.147) / (xp.sqrt(b * b - log / 0.147) + b))
    for _ in range(2):
        error = xp.where(a < 0.5, _erf(x) - a, (1 - a) - _erfc(x))
        step = error * (math.sqrt(math.pi) / 2) * xp.exp(x * x)
        x = x - step / (1 + x * step)
    return xp.copysign(xp.where(a == 1, math.inf, x), y)


def _lgamma(x):
    xp = namespace(x)
    a = xp.abs(x)
    positive = _lgamma_positive(a)
    fraction = a - xp.rint(a)
    # reflection: gamma(-a) gamma(a) = -pi / (a sin(pi a))
    reflected = math.log(math.pi) - xp.log(a * xp.abs(xp.sin(math.pi * fraction))) - positive
    result = xp.where(x < 0, xp.where(fraction == 0, math.inf, reflected), positive)
    return xp.where(xp.isinf(x), math.inf, result)


def _lgamma_positive(x):
    xp = namespace(x)
    low, high = x < 1, x >= 9
    y = xp.where(high, 1.5, x)
    factors = xp.ones_like(y)
    for _ in range(7):  # gamma(y) = (y - 1) gamma(y - 1) takes y down to (1.5, 2.5]
        above = y > 2.5
        y = xp.where(above, y - 1, y)
        factors = xp.where(above, factors * y, factors)
    shift = xp.where(low, 0.0, 1.0)  # below 1: gamma(y) = gamma(y + 1) / y, without rounding y + 1
    t = y - shift
    middle = lgamma1p(t) + xp.log(factors) - xp.log(xp.where(low, x, 1.0))
    large = xp.where(high, x, 9.0)
    stirling = (large - 0.5) * (xp.log(large) - 1) + (0.5 * math.log(2 * math.pi) - 0.5 + stirling_error(large))
    return xp.where(high, stirling, middle)


def lgamma1p(t):
    """lgamma(1 + t) for 0 <= t <= 1.5, accurate near 0."""
    return t * (t - 1) * (polynomial(_LGAMMA_P, t) / polynomial(_LGAMMA_Q, t))


def stirling_error(x):
    """lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi) / 2) for x >= 9."""
    return polynomial(_STIRLING, 1 / (x * x)) / x


def _digamma(x):
    xp = namespace(x)
    negative = x < 0
    y = xp.where(negative, 1 - x, x)
    shift = xp.zeros_like(y)
    for _ in range(10):  # psi(y) = psi(y + 1) - 1/y
        below = y < 10
        shift = xp.where(below, shift - 1 / y, shift)
        y = xp.where(below, y + 1, y)
    inverse_square = 1 / (y * y)
    result = xp.log(y) - 0.5 / y - polynomial(_PSI, inverse_square) * inverse_square + shift
    fraction = x - xp.rint(x)
    reflected = xp.where(fraction == 0, math.nan, result - math.pi / xp.tan(math.pi * fraction))
    result = xp.where(negative, reflected, result)
    return xp.where(x == 0, xp.copysign(math.inf, -x), result)


def _polygamma(n, x):
    """Below 1/2 by reflection: psi_n(x) = (-1)^n psi_n(1 - x) - pi (d/dx)^n cot(pi x)."""
    xp, sign = namespace(x), (-1) ** n
    mirrored = x < 0.5
    direct = -sign * math.factorial(n) * _hurwitz_zeta(n + 1, xp.where(mirrored, 1 - x, x))
    fraction = x - xp.rint(x)
    if n == 1:
        return xp.where(mirrored, (math.pi / xp.sin(math.pi * fraction)) ** 2 - direct, direct)
    complement = 0.5 - abs(fraction)  # near 0 the tangent has all its digits, near pi / 2 it has not
    near_half = xp.copysign(xp.tan(math.pi * complement), fraction)
    cotangent = xp.where(complement < 0.25, near_half, 1 / xp.tan(math.pi * fraction))
    reflected = sign * direct - math.pi ** (n + 1) * _cotangent_derivative(n, cotangent)
    result = xp.where(mirrored, reflected, direct)
    return xp.where((x <= 0) & (xp.floor(x) == x), -sign * math.inf, result)  # -inf is such a pole, too


def _cotangent_derivative(n, c):
    """The n-th derivative of the cotangent as a polynomial in its value c: c' = -(1 + c^2)."""
    terms = np.polynomial.Polynomial([0, 1])
    for _ in range(n):
        terms = terms.deriv() * np.polynomial.Polynomial([-1, 0, -1])
    return polynomial(terms.coef[::-1].tolist(), c)


def _hurwitz_zeta(s, q):
    """The sum of (q + k)^-s over k >= 0, for an integer s >= 2 and q >= 1/2, by Euler and Maclaurin's formula from
    q > 8 + s on."""
    xp = namespace(q)
    total = xp.zeros_like(q)
    while True:
        below = q < 8 + s
        if not below.any():
            break
        total = xp.where(below, total + q ** float(-s), total)
        q = xp.where(below, q + 1, q)
    total = total + q ** float(1 - s) / (s - 1) + 0.5 * q ** float(-s)
    factor = s * q ** float(-s - 1)  # s (s + 1) ... (s + 2k - 2) q^(-s - 2k + 1)
    for k, bernoulli in enumerate(_BERNOULLI, start=1):
        total = total + bernoulli / math.factorial(2 * k) * factor
        factor = factor * ((s + 2 * k - 1) * (s + 2 * k)) / (q * q)
    return total
