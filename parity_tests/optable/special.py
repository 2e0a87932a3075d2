"""Special functions, functions of two operands that are rarer than arithmetic, integers, the parts of a
float."""

from __future__ import annotations

from .calls import Call
from .drawing import ALL, FLOATING, FLOATS, INTS, NUMBERS, Draw
from .elementwise import LIBM, binary, two, unary
from .spec import EXACT, ErrorCase, OpSpec, Rounding

SERIES = Rounding(
    32.0, 4.0, "torch computes these in the tensor's own dtype by asymptotic series; test_special holds ours to mpmath"
)
STEEP = Rounding(128.0, 64.0, "the slopes are steep, or differences of nearly equal numbers, in either library")


TRIGAMMA = "torch's trigamma is good to 1e-9 only; test_special holds the derivatives to mpmath"


def logit(d: Draw) -> Call:
    x = d.tensor(None, 0.1, 0.9) if d.for_gradient else d.tensor(None, -0.2, 1.2)
    return Call((x,), {} if d.bool() else {"eps": 0.3})


def xlogy(d: Draw) -> Call:
    a, b = d.pair(0.3, 4.0, low2=0.3) if d.for_gradient else d.pair()
    return Call((a, b) if d.int(0, 3) else (d.number(), a))


def polygamma(d: Draw) -> Call:
    return Call((d.int(0, 3), d.tensor(None, 0.3, 4.0, special=False)))


def heaviside(d: Draw) -> Call:
    a, b = d.two_shapes()
    return Call((d.tensor(a), d.tensor(b)))


def shift(d: Draw) -> Call:
    a, b = d.two_shapes()
    width = 64 if d.dtype == "int64" else 8 * int(d.dtype.lstrip("uint")) // 8
    if d.int(0, 3) == 0:
        return Call((d.tensor(a), d.int(0, min(width - 1, 7))))
    return Call((d.tensor(a), d.tensor(b, 0, min(width + 2, 100), dtype=d.dtype)))


def dist(d: Draw) -> Call:
    a, b = d.two_shapes(min_size=1)
    p = d.of(2, 3, 2.5) if d.for_gradient else d.of(2, 1, 3, 0, float("inf"))
    apart = 5.0 if d.purpose == "second" else 0.0  # at distance 0 torch's second derivative is nan
    return Call((d.tensor(a, special=False), d.tensor(b, apart - 4.0, apart + 4.0, special=False), p))


def nan_to_num(d: Draw) -> Call:
    return Call((d.tensor(),), {name: d.number() for name in ("nan", "posinf", "neginf") if d.bool()})


def reduced(d: Draw) -> Call:
    x = d.tensor()
    if d.int(0, 3) == 0:
        return Call((x,))
    return Call((x, d.dim(x.values.ndim)), {"keepdim": d.bool()})


INTEGERS_REFUSED = ErrorCase("one dimension too many", lambda t: t.nansum(t.ones(2), 3))

SPECIAL = (
    unary("erfinv", -0.9, 0.9, rounding=SERIES, gradient=STEEP),
    unary("lgamma", 0.3, 4.0, rounding=SERIES, gradient=STEEP, second=False, notes=TRIGAMMA),
    unary("digamma", 0.3, 4.0, rounding=SERIES, special=False, differentiable=False, notes=TRIGAMMA),
    OpSpec(
        "polygamma",
        polygamma,
        FLOATING,
        differentiable=False,
        rounding=Rounding(5e6, 0.0, "torch's trigamma is good to 1e-9 in float64"),
        method=False,
        inplace=False,
        notes=f"x.polygamma(n) takes its arguments in the other order; {TRIGAMMA}",
    ),
    OpSpec(
        "logit", logit, rounding=LIBM, gradient=STEEP, half=Rounding(8.0, 2.0, "torch computes x / (1 - x) in half")
    ),
    unary("sinc", rounding=STEEP, gradient=Rounding(64.0, 512.0, "a difference of nearly equal terms around 0")),
    unary("angle", dtypes=ALL),
    unary("deg2rad", dtypes=ALL),
    unary("rad2deg", dtypes=ALL),
    unary(
        "sgn",
        dtypes=ALL,
        rounding=EXACT,
        half=EXACT,
        differentiable=False,
        notes="its gradient in torch is a ZeroTensor, which gives out no array",
    ),
    OpSpec("nan_to_num", nan_to_num, FLOATING, rounding=EXACT, half=EXACT),
    OpSpec(
        "nansum", reduced, ALL, rounding=Rounding(4.0, 8.0, "another order of summation"), errors=(INTEGERS_REFUSED,)
    ),
    OpSpec(
        "nanmean",
        reduced,
        FLOATING,
        rounding=Rounding(4.0, 8.0, "another order of summation"),
        errors=(ErrorCase("integers", lambda t: t.nanmean(t.tensor([1]))),),
    ),
    binary("logaddexp", rounding=LIBM, dtypes=FLOATING),
    binary(
        "logaddexp2",
        rounding=Rounding(8.0, 1.0, "an ulp around 0"),
        dtypes=FLOATING,
        half=Rounding(1.0, 0.01, "an ulp of float32 around 0"),
    ),
    binary("hypot", 0.3, dtypes=FLOATING),
    binary("fmax", dtypes=ALL, rounding=EXACT, half=EXACT),
    binary("fmin", dtypes=ALL, rounding=EXACT, half=EXACT),
    binary(
        "copysign",
        0.2,
        dtypes=tuple(d for d in NUMBERS if d != "bfloat16"),
        rounding=EXACT,
        half=EXACT,
        notes="in bfloat16 whether a NaN has a sign depends in torch on its place in a vector",
    ),
    OpSpec("xlogy", xlogy, ALL, rounding=LIBM),
    OpSpec(
        "heaviside",
        heaviside,
        ALL,
        differentiable=False,
        rounding=EXACT,
        errors=(ErrorCase("two dtypes", lambda t: t.heaviside(t.ones(1), t.tensor([1]))),),
    ),
    OpSpec(
        "float_power",
        two(0.2, 3.0, 0.2, 3.0),
        NUMBERS,
        rounding=LIBM,
        special=False,
        gradient=Rounding(64.0, 32.0, "a power of a power, and a logarithm"),
    ),
    OpSpec("ldexp", two(low2=-3.0, number=False), NUMBERS, rounding=LIBM, special=False),
    OpSpec("dist", dist, FLOATS, rounding=Rounding(8.0, 8.0, "another order of summation"), gradient=STEEP),
)

WHOLE = (
    *(
        OpSpec(
            name,
            shift,
            INTS,
            differentiable=False,
            errors=(ErrorCase("floats", lambda t, name=name: getattr(t, name)(t.ones(2), 1)),),
        )
        for name in ("bitwise_left_shift", "bitwise_right_shift")
    ),
    *(
        OpSpec(
            name,
            two(number=False),
            INTS,
            differentiable=False,
            errors=(ErrorCase("floats", lambda t, name=name: getattr(t, name)(t.ones(2), t.ones(2))),),
        )
        for name in ("gcd", "lcm")
    ),
)

PARTS = (
    unary(
        "signbit",
        dtypes=tuple(d for d in ALL if d != "bfloat16"),
        differentiable=False,
        notes="the sign of a NaN is lost on the way to bfloat16",
    ),
    unary("isposinf", dtypes=ALL, differentiable=False),
    unary("isneginf", dtypes=ALL, differentiable=False),
    unary("frexp", dtypes=FLOATING),
    OpSpec("nextafter", two(number=False, promote=False), FLOATS, differentiable=False),
)

SPECS = (*SPECIAL, *WHOLE, *PARTS)
