"""Elements moved (flip, roll, diag, meshgrid and their kin) and counted (unique, bincount, searchsorted)."""

from __future__ import annotations

import numpy as np

from .calls import CARRIERS, Call, TensorArg
from .drawing import ALL, BOOL, FLOATING, FLOATS, INTS, NUMBERS, Draw
from .placing import ADDED, MOVED, drawn_dim, indices
from .spec import ErrorCase, OpSpec

COUNTED = {"differentiable": False, "inplace": False}


def flip(d: Draw) -> Call:
    x = d.tensor()
    return Call((x, d.dims(x.values.ndim)))


def roll(d: Draw) -> Call:
    x = d.tensor()
    if not x.values.ndim or d.bool():
        return Call((x, d.int(-5, 5)))
    dims = d.dims(x.values.ndim, min_size=1)
    return Call((x, tuple(d.int(-5, 5) for _ in dims), dims))


def rot90(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=2))
    first = d.dim(x.values.ndim)
    second = (first + d.int(1, x.values.ndim - 1)) % x.values.ndim
    return Call((x, d.int(-5, 5), (first, second)))


def repeat_interleave(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    if d.bool():
        return Call((d.tensor(shape), d.int(0, 3)), {"dim": dim} if d.bool() else {})
    return Call((d.tensor(shape), indices(d, (d.of(1, n),), 4)), {"dim": dim})


def triangle(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=2))
    return Call((x, d.int(-4, 4)) if d.bool() else (x,))


def diag(d: Draw) -> Call:
    return Call((d.tensor(d.shape(min_dims=1, max_dims=2)), d.int(-2, 2)))


def diag_embed(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1))
    kwargs = {"offset": d.int(-2, 2)}
    if d.bool():
        kwargs |= {"dim1": 0, "dim2": d.of(-1, 1)}
    return Call((x,), kwargs)


def vectors(d: Draw, count: int, max_dims=1) -> tuple:
    return tuple(d.tensor(d.shape(min_dims=1 if max_dims == 1 else 0, max_dims=1)) for _ in range(count))


def meshgrid(d: Draw) -> Call:
    return Call(vectors(d, d.int(1, 3)), {"indexing": d.of("ij", "xy")})


def searchsorted(d: Draw) -> Call:
    n = d.int(0, 6)
    edges = np.sort(d.tensor((n,), special=False).values)
    kwargs = {"right": d.bool()} | ({"out_int32": True} if d.bool() else {})
    return Call((TensorArg(edges, d.dtype), d.tensor(special=False, layout="contiguous")), kwargs)


def bucketize(d: Draw) -> Call:
    call = searchsorted(d)
    return Call(call.args[::-1], call.kwargs)


def bincount(d: Draw) -> Call:
    n = d.int(0, 8)
    index = TensorArg(indices(d, (n,), 6).values.astype(d.dtype), d.dtype)
    kwargs = {"minlength": d.int(0, 9)} if d.bool() else {}
    weights = d.tensor((n,), dtype=d.of("float32", "float64", "int64"), special=False)
    return Call((index,) if d.bool() else (index, weights), kwargs)


def histc(d: Draw) -> Call:
    x = d.tensor(special=False)
    return Call((x, d.int(1, 6)), {"min": -2, "max": 2} if d.bool() else {})


def isin(d: Draw) -> Call:
    a, b = (d.tensor(special=False, layout="contiguous") for _ in range(2))  # torch wants a view(-1) here
    return Call(d.of((a, b), (a, d.number()), (d.number(), b)), {"invert": d.bool()})


def unique(d: Draw) -> Call:
    values = np.asarray(np.round(d.tensor(d.shape(min_size=1), special=False).values))  # equal ones are likely
    x = TensorArg(values.astype(CARRIERS.get(d.dtype, d.dtype)), d.dtype)
    kwargs = {"return_inverse": d.bool(), "return_counts": d.bool()}
    if x.values.ndim and d.bool():
        kwargs["dim"] = d.dim(x.values.ndim)
    return Call((x,), kwargs)


MOVES = (
    OpSpec("flip", flip, ALL, **MOVED, errors=(ErrorCase("one dim twice", lambda t: t.flip(t.ones(2, 2), (0, 0))),)),
    OpSpec(
        "fliplr",
        lambda d: Call((d.tensor(d.shape(min_dims=2)),)),
        FLOATING,
        **MOVED,
        errors=(ErrorCase("a vector", lambda t: t.fliplr(t.ones(2))),),
    ),
    OpSpec(
        "flipud",
        lambda d: Call((d.tensor(d.shape(min_dims=1)),)),
        FLOATING,
        **MOVED,
        errors=(ErrorCase("a number", lambda t: t.flipud(t.ones(()))),),
    ),
    OpSpec("roll", roll, ALL, **MOVED, errors=(ErrorCase("two shifts, no dim", lambda t: t.roll(t.ones(2), (1, 1))),)),
    OpSpec(
        "rot90",
        rot90,
        FLOATING,
        **MOVED,
        errors=(
            ErrorCase("one dim twice", lambda t: t.rot90(t.ones(2, 2), 1, (0, 0))),
            ErrorCase("a vector", lambda t: t.rot90(t.ones(2))),
        ),
    ),
    OpSpec(
        "repeat_interleave",
        repeat_interleave,
        ALL,
        **MOVED,
        errors=(
            ErrorCase("a negative count", lambda t: t.repeat_interleave(t.ones(2), -1)),
            ErrorCase("too few counts", lambda t: t.repeat_interleave(t.ones(3), t.tensor([1, 2]))),
        ),
    ),
    OpSpec("tril", triangle, ALL, **MOVED, inplace=False, errors=(ErrorCase("a vector", lambda t: t.tril(t.ones(2))),)),
    OpSpec("triu", triangle, ALL, **MOVED, inplace=False, errors=(ErrorCase("a vector", lambda t: t.triu(t.ones(2))),)),
    OpSpec("diag", diag, ALL, **MOVED, errors=(ErrorCase("a cube", lambda t: t.diag(t.ones(1, 1, 1))),)),
    OpSpec(
        "diag_embed",
        diag_embed,
        ALL,
        **MOVED,
        errors=(ErrorCase("one dim twice", lambda t: t.diag_embed(t.ones(2), 0, 0, 0)),),
    ),
    OpSpec(
        "trace",
        lambda d: Call((d.tensor(d.shape(min_dims=2, max_dims=2)),)),
        FLOATS + INTS,
        special=False,
        rounding=ADDED,
        errors=(ErrorCase("a vector", lambda t: t.trace(t.ones(2))),),
    ),
    OpSpec(
        "meshgrid",
        meshgrid,
        ALL,
        **MOVED,
        method=False,
        errors=(
            ErrorCase("a matrix", lambda t: t.meshgrid(t.ones(1, 1), indexing="ij")),
            ErrorCase("another order", lambda t: t.meshgrid(t.ones(1), indexing="yx")),
        ),
    ),
    OpSpec("cartesian_prod", lambda d: Call(vectors(d, d.int(1, 3))), ALL, **MOVED, method=False),
)

COUNTS = (
    OpSpec("nonzero", lambda d: Call((d.tensor(),), {"as_tuple": d.bool()}), ALL, **COUNTED),
    OpSpec("argwhere", lambda d: Call((d.tensor(),)), ALL, **COUNTED),
    OpSpec(
        "searchsorted",
        searchsorted,
        NUMBERS,
        method=False,
        **COUNTED,
        errors=(
            ErrorCase("rows that do not match", lambda t: t.searchsorted(t.ones(2, 2), t.ones(3))),
            ErrorCase("a side that is none", lambda t: t.searchsorted(t.ones(2), t.ones(3), side="up")),
        ),
    ),
    OpSpec("bucketize", bucketize, NUMBERS, method=False, **COUNTED),
    OpSpec(
        "bincount",
        bincount,
        INTS,
        **COUNTED,
        errors=(
            ErrorCase("a negative number", lambda t: t.bincount(t.tensor([-1]))),
            ErrorCase("a matrix", lambda t: t.bincount(t.tensor([[1]]))),
        ),
    ),
    OpSpec(
        "histc",
        histc,
        FLOATS,
        **COUNTED,
        errors=(
            ErrorCase("no bins", lambda t: t.histc(t.ones(2), 0)),
            ErrorCase("upside down", lambda t: t.histc(t.ones(2), 2, 1, 0)),
        ),
    ),
    OpSpec("isin", isin, FLOATS + INTS, method=False, **COUNTED),
    OpSpec("unique", unique, NUMBERS + BOOL, **COUNTED),
    OpSpec("unique_consecutive", unique, NUMBERS + BOOL, **COUNTED),
)

SPECS = (*MOVES, *COUNTS)
