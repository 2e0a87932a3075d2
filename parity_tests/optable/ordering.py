"""Sorting and its kin, and running sums."""

from __future__ import annotations

import numpy as np

from .calls import Call, DType, TensorArg
from .drawing import ALL, FLOATING, FLOATS, NUMBERS, Draw
from .elementwise import LIBM
from .spec import EXACT, ErrorCase, OpSpec, Rounding

MOVED = {"rounding": EXACT, "half": EXACT, "inplace": False}
SUMMED = Rounding(8.0, 8.0, "another order of summation")


def along(*, nonempty=False, extra=lambda d, n: {}, distinct=False, **tensor_options):
    """A tensor and a dim, with `extra(d, size of the dim)` as further arguments."""

    def draw(d: Draw) -> Call:
        shape = d.shape(min_size=1 if nonempty else 0)
        dim = d.dim(len(shape))
        x = d.tensor(shape, **tensor_options)
        if distinct:
            x = without_ties(x)
        return Call((x,), {"dim": dim, **extra(d, shape[dim] if shape else 1)})

    return draw


def without_ties(x: TensorArg) -> TensorArg:
    """Which of several equal elements is picked, torch leaves open: so there are none."""
    rng = np.random.RandomState(x.values.size)
    values = rng.permutation(x.values.size) - x.values.size // 2
    return TensorArg(values.reshape(x.values.shape).astype(x.values.dtype), x.dtype, "contiguous")


def topk(d: Draw) -> Call:
    shape = d.shape(min_size=1)
    dim = d.dim(len(shape))
    x = without_ties(d.tensor(shape))
    k = d.int(0, shape[dim] if shape else 1)
    return Call((x, k), {"dim": dim, "largest": d.bool()})


def kthvalue(d: Draw) -> Call:
    shape = d.shape(min_size=1)
    dim = d.dim(len(shape))
    k = d.int(1, shape[dim] if shape else 1)
    return Call((without_ties(d.tensor(shape)), k), {"dim": dim, "keepdim": d.bool()})


def middle(d: Draw) -> Call:
    shape = d.shape(min_size=1)
    x = without_ties(d.tensor(shape))
    if d.floating and d.purpose == "value" and x.values.size and d.bool():
        x.values.reshape(-1)[d.int(0, x.values.size - 1)] = np.nan
    return Call((x,) if d.int(0, 3) == 0 else (x, d.dim(len(shape))))


def quantile(d: Draw) -> Call:
    shape = d.shape(min_size=1)
    x = d.tensor(shape, ties=False)
    if d.bool():
        q = d.int(0, 8) / 8
    else:
        q = TensorArg(np.asarray([d.int(1, 7) / 8 for _ in range(d.int(1, 3))], d.dtype), d.dtype)
    kwargs = {"interpolation": d.of("linear", "linear", "lower", "higher", "midpoint", "nearest")}
    if d.bool():
        kwargs |= {"dim": d.dim(len(shape)), "keepdim": d.bool()}
    return Call((x, q), kwargs)


def running(d: Draw) -> Call:
    call = along()(d)
    return Call(call.args, {**call.kwargs, **({"dtype": DType("float64")} if d.int(0, 3) == 0 else {})})


def diff(d: Draw) -> Call:
    shape = d.shape(min_dims=1)
    dim = d.dim(len(shape))
    kwargs = {"n": d.int(0, 3), "dim": dim}
    for name in ("prepend", "append"):
        if d.int(0, 3) == 0:
            other = list(shape)
            other[dim] = d.int(0, 2)
            kwargs[name] = d.tensor(other)
    return Call((d.tensor(shape),), kwargs)


SORTING = (
    OpSpec(
        "sort",
        along(extra=lambda d, n: {"descending": d.bool(), "stable": True}),
        ALL,
        **MOVED,
        errors=(ErrorCase("a dim too many", lambda t: t.sort(t.ones(2), 1)),),
    ),
    OpSpec(
        "argsort",
        along(extra=lambda d, n: {"descending": d.bool(), "stable": True}),
        ALL,
        differentiable=False,
        **MOVED,
    ),
    OpSpec("msort", lambda d: Call((d.tensor(),)), ALL, **MOVED),
    OpSpec(
        "topk",
        topk,
        NUMBERS,
        **MOVED,
        errors=(
            ErrorCase("more than there are", lambda t: t.topk(t.ones(2), 3)),
            ErrorCase("fewer than none", lambda t: t.topk(t.ones(2), -1)),
        ),
    ),
    OpSpec(
        "kthvalue",
        kthvalue,
        NUMBERS,
        **MOVED,
        errors=(
            ErrorCase("the 0th", lambda t: t.kthvalue(t.ones(2), 0)),
            ErrorCase("of none", lambda t: t.kthvalue(t.ones(0), 1)),
        ),
    ),
    OpSpec("median", middle, NUMBERS, **MOVED, errors=(ErrorCase("of none", lambda t: t.median(t.ones(0), 0)),)),
    OpSpec("nanmedian", middle, NUMBERS, **MOVED),
    OpSpec(
        "mode",
        along(nonempty=True, special=False, extra=lambda d, n: {"keepdim": d.bool()}),
        NUMBERS,
        **MOVED,
        errors=(ErrorCase("of none", lambda t: t.mode(t.ones(0))),),
    ),
    OpSpec(
        "quantile",
        quantile,
        FLOATS,
        rounding=SUMMED,
        special=False,
        errors=(
            ErrorCase("more than all", lambda t: t.quantile(t.ones(2), 1.5)),
            ErrorCase("a way that is none", lambda t: t.quantile(t.ones(2), 0.5, interpolation="up")),
            ErrorCase("integers", lambda t: t.quantile(t.tensor([1, 2]), 0.5)),
            ErrorCase("a matrix of q", lambda t: t.quantile(t.ones(2), t.ones(1, 1))),
            ErrorCase("q of another dtype", lambda t: t.quantile(t.ones(2), t.ones(1, dtype=t.float64))),
            ErrorCase("of none", lambda t: t.quantile(t.ones(0), 0.5)),
        ),
    ),
    OpSpec("nanquantile", quantile, FLOATS, rounding=SUMMED, special=False),
)

SCANS = (
    OpSpec(
        "cumsum",
        running,
        ALL,
        rounding=SUMMED,
        special=False,
        inplace=False,
        half=Rounding(8.0, 8.0, "torch rounds the running sum at each step in half precision, here once"),
    ),
    OpSpec(
        "cumprod",
        running,
        ALL,
        rounding=SUMMED,
        special=False,
        inplace=False,
        gradient=Rounding(64.0, 64.0, "products of up to a dim's worth of factors"),
        half=Rounding(16.0, 8.0, "torch rounds the running product at each step in half precision, here once"),
    ),
    OpSpec("cummax", along(), NUMBERS, **MOVED),
    OpSpec("cummin", along(), NUMBERS, **MOVED),
    OpSpec(
        "logcumsumexp",
        along(),
        FLOATING,
        rounding=LIBM,
        gradient=Rounding(64.0, 64.0, "a chain of exponentials"),
        half=Rounding(8.0, 8.0, "torch rounds at each step in half precision, here once"),
        errors=(ErrorCase("integers", lambda t: t.logcumsumexp(t.tensor([1]), 0)),),
    ),
    OpSpec(
        "diff",
        diff,
        ALL,
        rounding=Rounding(1.0, 1.0, "one subtraction each"),
        errors=(
            ErrorCase("a number", lambda t: t.diff(t.tensor(1.0))),
            ErrorCase("a negative order", lambda t: t.diff(t.ones(2), -1)),
        ),
    ),
)

SPECS = (*SORTING, *SCANS)
