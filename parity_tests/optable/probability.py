"""Bessel functions, the normal distribution's tails, entropies, and gamma functions of two arguments."""

from __future__ import annotations

from .calls import Call
from .drawing import ALL, FLOATING, FLOATS, Draw
from .elementwise import unary
from .spec import ErrorCase, OpSpec, Rounding
from .special import STEEP, TRIGAMMA

SERIES = Rounding(32.0, 4.0, "torch adds its series in the tensor's own dtype; test_special holds ours to mpmath")
OWN_DTYPE = Rounding(256.0, 64.0, "torch works in the tensor's own dtype: exp(x^2) and logarithms lose digits there")
NO_HALF = ("float32", "float64", "int64", "int32", "bool")


def xlog1py(d: Draw) -> Call:
    a, b = d.pair(0.3, 4.0, low2=0.3) if d.for_gradient else d.pair()
    return Call((a, b) if d.int(0, 3) else (d.number(), a))


def two_positive(d: Draw) -> Call:
    a, b = d.two_shapes()
    return Call((d.tensor(a, 0.2, 6.0, special=False), d.tensor(b, 0.1, 8.0, special=False)))


def lower_gamma(name):
    """Its derivative by the second argument alone: torch has no other."""
    return lambda lib, a, x: getattr(lib, name)(a.detach(), x)


def whole(d: Draw) -> Call:
    return Call((d.tensor(None, 2.6, 6.0, special=False), d.int(1, 3)))


SERIES_OF_HALVES: dict = {
    "dtypes": ALL,
    "rounding": SERIES,
    "gradient": STEEP,
    "half": Rounding(16.0, 2.0, "torch adds its series in half precision"),
}

BESSEL = (
    unary("i0", **SERIES_OF_HALVES),
    unary("special.i0e", **SERIES_OF_HALVES),
    unary("special.i1", **SERIES_OF_HALVES),
    unary("special.i1e", **SERIES_OF_HALVES),
)

NORMAL = (
    unary("special.erfcx", -2.0, 4.0, dtypes=NO_HALF, rounding=OWN_DTYPE, gradient=OWN_DTYPE),
    unary("special.log_ndtr", dtypes=NO_HALF, rounding=OWN_DTYPE, gradient=OWN_DTYPE),
    unary("special.ndtri", 0.05, 0.95, dtypes=NO_HALF, rounding=SERIES, gradient=STEEP),
    unary("special.entr", 0.1, 4.0, dtypes=ALL, rounding=SERIES, gradient=STEEP),
)

GAMMA = (
    OpSpec(
        "special.xlog1py",
        xlog1py,
        ALL,
        rounding=SERIES,
        errors=(ErrorCase("two numbers", lambda t: t.special.xlog1py(2, 2)),),
    ),
    OpSpec(
        "mvlgamma",
        whole,
        FLOATING,
        rounding=SERIES,
        gradient=STEEP,
        second=False,
        half=Rounding(8.0, 8.0, "torch adds in half precision"),
        errors=(
            ErrorCase("p of 0", lambda t: t.mvlgamma(t.ones(2) * 3, 0)),
            ErrorCase("p of a half", lambda t: t.mvlgamma(t.ones(2) * 3, 0.5)),
        ),
        notes=TRIGAMMA,
    ),
    *(
        OpSpec(
            name,
            two_positive,
            FLOATING,
            differentiable=False,
            rounding=Rounding(512.0, 64.0, "torch adds its series in the tensor's own dtype"),
            half=Rounding(8.0, 1.0, "a float32 ulp"),
            errors=(
                ErrorCase("integers", lambda t, name=name: getattr(t, name)(t.tensor([1]), t.tensor([1]))),
                ErrorCase("a number", lambda t, name=name: getattr(t, name)(t.ones(1), 1.0)),
                ErrorCase(
                    "its derivative by the first argument",
                    lambda t, name=name: getattr(t, name)(t.ones(1, requires_grad=True), t.ones(1)).backward(),
                ),
            ),
        )
        for name in ("igamma", "igammac")
    ),
    *(
        OpSpec(
            f"{name} (by the second argument)",
            two_positive,
            FLOATS,
            rounding=Rounding(512.0, 64.0, "torch adds its series in the tensor's own dtype"),
            gradient=STEEP,
            run=lower_gamma(name),
            method=False,
            inplace=False,
        )
        for name in ("igamma", "igammac")
    ),
)

SPECS = (*BESSEL, *NORMAL, *GAMMA)
