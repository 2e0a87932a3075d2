"""Parts of a tensor replaced, cut off, told apart and counted, and differences of neighbours."""

from __future__ import annotations

import numpy as np

from .calls import CARRIERS, Call, TensorArg
from .drawing import ALL, FLOATING, FLOATS, INTS, NUMBERS, Draw
from .placing import ADDED, HALF_SUM, MOVED, drawn_dim, indices, out_of_range, resized
from .spec import EXACT, ErrorCase, OpSpec, Rounding

COUNTED = {"differentiable": False, "inplace": False, "rounding": EXACT}
SUMMED = Rounding(8.0, 8.0, "another order of summation")
SINGULAR = Rounding(64.0, 64.0, "singular values, and slopes at small ones")


def other_dtype(d: Draw) -> str:
    return d.dtype if d.for_gradient or d.bool() or d.dtype == "bool" else d.of("float32", "float64")


def select_scatter(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    part = tuple(m for i, m in enumerate(shape) if i != dim % len(shape))
    return Call((d.tensor(shape), d.tensor(part, dtype=other_dtype(d), special=False), dim, d.int(-n, n - 1)))


def slice_scatter(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    start, end, step = d.of(None, d.int(-n - 1, n + 1)), d.of(None, d.int(-n - 1, n + 1)), d.int(1, 3)
    part = resized(shape, dim, len(range(*slice(start, end, step).indices(n))))
    return Call((d.tensor(shape), d.tensor(part, dtype=other_dtype(d), special=False), dim, start, end, step))


def diagonal_scatter(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=2))
    offset = d.int(-3, 3)
    dim1, dim2 = d.of((0, 1), (1, 0), (-1, 0))
    part = x.values.diagonal(offset, dim1, dim2).shape
    return Call((x, d.tensor(part, dtype=other_dtype(d), special=False), offset, dim1, dim2))


def index_reduce(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    count = d.int(0, 5)
    args = (d.tensor(shape), dim, indices(d, (count,), n), d.tensor(resized(shape, dim, count)))
    return Call((*args, d.of("prod", "mean", "amax", "amin")), {"include_self": d.bool()})


def sizes(d: Draw, n: int) -> list[int]:
    cuts = sorted(d.int(0, n) for _ in range(d.int(0, 3)))
    return [b - a for a, b in zip([0, *cuts], [*cuts, n], strict=True)]


def by_sizes(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    return Call((d.tensor(shape), sizes(d, n), dim))


def by_count(d: Draw) -> Call:
    shape, dim, _ = drawn_dim(d)
    return Call((d.tensor(shape), d.int(1, 5), dim))


def narrow_copy(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    start = d.int(0, n)
    negative = start < n and not d.for_gradient and d.bool()  # torch 2.13's backward loses the gradient then
    return Call((d.tensor(shape), dim, start - n if negative else start, d.int(0, n - start)))


def sum_to_size(d: Draw) -> Call:
    x = d.tensor()
    return Call((x, d.part_of(x.values.shape)))


def unravel_index(d: Draw) -> Call:
    shape = d.shape(min_size=1)
    n = int(np.prod(shape))
    values = indices(d, d.shape(max_dims=2), n).values
    if d.dtype != "uint8" and d.bool():
        values = values - n
    return Call((TensorArg(values.astype(d.dtype), d.dtype), shape))


def histogram(d: Draw) -> Call:
    x = d.tensor(d.shape(min_size=1), special=False)
    kwargs = {"density": True} if d.bool() else {}
    if d.bool():
        kwargs["weight"] = d.tensor(x.values.shape, 0.5, 3.0, special=False)
    if d.bool():
        return Call((x, TensorArg(np.array([-3.0, -1.0, 0.5, 1.0, 4.0], d.dtype), d.dtype)), kwargs)
    kwargs["range"] = d.of((-2.0, 2.0), (-1.0, 4.0))
    return Call((x, d.int(1, 6)), kwargs)


def gradient(d: Draw) -> Call:
    edge_order = d.int(1, 2)
    shape = d.shape(min_dims=1, max_dims=2, min_size=edge_order + 1, max_size=5)
    kwargs: dict = {"edge_order": edge_order}
    form = d.of("plain", "number", "numbers", "points", "one")
    if form == "number":
        kwargs["spacing"] = d.of(2, 0.5)
    elif form == "numbers":
        kwargs["spacing"] = tuple(d.of(1, 2, 0.5) for _ in shape)
    elif form == "points":
        floating = d.dtype if d.floating else "float32"
        carrier = CARRIERS.get(floating, floating)
        kwargs["spacing"] = tuple(TensorArg(np.cumsum(np.arange(1, n + 1)).astype(carrier), floating) for n in shape)
    elif form == "one":
        kwargs["dim"] = d.dim(len(shape))
    return Call((d.tensor(shape, special=False),), kwargs)


def pdist(d: Draw) -> Call:
    least = 2 if d.for_gradient else 0  # where there are no pairs torch 2.13's backward ends the process
    x = d.tensor(d.shape(min_dims=2, max_dims=2, min_size=least), special=False)
    return Call((x, d.of(2.0, 1.0, 3.0, 1.5) if d.for_gradient else d.of(0.0, 1.0, 2.0, 2.5, float("inf"))))


def frobenius_norm(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1, min_size=1), special=False)
    return Call((x, d.of(d.dim(x.values.ndim), d.dims(x.values.ndim)[:2]), d.bool()))


def nuclear_norm(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=2, min_size=1), special=False)
    return Call((x, (0, -1), d.bool()) if d.bool() else (x,))


def norm_except_dim(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=2, min_size=1), special=False)
    return Call((x, d.of(1, 2), d.int(-1, x.values.ndim - 1)))


def fill(d: Draw) -> Call:
    return Call((d.tensor(), d.number(0) if d.bool() else d.tensor((), special=False, low=0)))


def any_tensor(d: Draw) -> Call:
    return Call((d.tensor(),))


def itself(name) -> OpSpec:
    return OpSpec(name, any_tensor, ALL, **MOVED, inplace=False, method=name != "real", differentiable=False)


def question(name, **options) -> OpSpec:
    return OpSpec(name, any_tensor, ALL, differentiable=False, method=False, **options)


NO_SLICE = "a shape that is not the part's"

REPLACED = (
    OpSpec(
        "select_scatter",
        select_scatter,
        ALL,
        **MOVED,
        errors=(
            ErrorCase(NO_SLICE, lambda t: t.select_scatter(t.ones(2, 3), t.ones(1), 0, 0)),
            ErrorCase("no such slice", lambda t: t.select_scatter(t.ones(2, 3), t.ones(3), 0, 2)),
            ErrorCase("a number", lambda t: t.select_scatter(t.ones(()), t.ones(()), 0, 0)),
        ),
    ),
    OpSpec(
        "slice_scatter",
        slice_scatter,
        ALL,
        **MOVED,
        errors=(
            ErrorCase(NO_SLICE, lambda t: t.slice_scatter(t.ones(2, 3), t.ones(3), 0, 0, 1)),
            ErrorCase("no step", lambda t: t.slice_scatter(t.ones(2), t.ones(2), 0, 0, 1, 0)),
            ErrorCase("a number", lambda t: t.slice_scatter(t.ones(()), t.ones(()))),
        ),
    ),
    OpSpec(
        "diagonal_scatter",
        diagonal_scatter,
        ALL,
        **MOVED,
        errors=(
            ErrorCase(NO_SLICE, lambda t: t.diagonal_scatter(t.ones(2, 3), t.ones(3))),
            ErrorCase("one dim twice", lambda t: t.diagonal_scatter(t.ones(2, 3), t.ones(2), 0, 1, 1)),
            ErrorCase("a vector", lambda t: t.diagonal_scatter(t.ones(3), t.ones(3))),
        ),
    ),
    OpSpec(
        "index_reduce",
        index_reduce,
        FLOATS + INTS,
        rounding=ADDED,
        special=False,
        second=False,
        ties=False,
        errors=(
            out_of_range("index_reduce", lambda t: t.ones(1), lambda t: "prod"),
            ErrorCase("a sum", lambda t: t.index_reduce(t.ones(3), 0, t.tensor([0]), t.ones(1), "sum")),
            ErrorCase("two dtypes", lambda t: t.index_reduce(t.ones(3), 0, t.tensor([0]), t.tensor([1]), "prod")),
            ErrorCase("a matrix", lambda t: t.index_reduce(t.ones(3), 0, t.tensor([[0]]), t.ones(1), "prod")),
            ErrorCase("bool", lambda t: t.index_reduce(t.ones(1) > 0, 0, t.tensor([0]), t.ones(1) > 0, "prod")),
        ),
        notes="torch has no second derivative of amax, amin and prod; of half precision it breaks off in an assertion",
    ),
    OpSpec("fill", fill, ALL, **MOVED, errors=(ErrorCase("a vector", lambda t: t.fill(t.ones(2), t.ones(2))),)),
)

CUT = (
    OpSpec(
        "split_with_sizes",
        by_sizes,
        ALL,
        **MOVED,
        view=True,
        errors=(
            ErrorCase("a number", lambda t: t.split_with_sizes(t.ones(2), 1)),
            ErrorCase("too few", lambda t: t.split_with_sizes(t.ones(2), [1])),
        ),
    ),
    OpSpec(
        "unsafe_split_with_sizes",
        by_sizes,
        ALL,
        **MOVED,
        view=True,
        errors=(ErrorCase("too few", lambda t: t.unsafe_split_with_sizes(t.ones(2), [1])),),
    ),
    OpSpec(
        "unsafe_split",
        by_count,
        ALL,
        **MOVED,
        view=True,
        errors=(ErrorCase("a list", lambda t: t.unsafe_split(t.ones(2), [1, 1])),),
    ),
    OpSpec(
        "unsafe_chunk",
        by_count,
        ALL,
        **MOVED,
        view=True,
        errors=(
            ErrorCase("none", lambda t: t.unsafe_chunk(t.ones(2), 0)),
            ErrorCase("a number", lambda t: t.unsafe_chunk(t.ones(()), 1)),
        ),
    ),
    OpSpec(
        "narrow_copy",
        narrow_copy,
        ALL,
        **MOVED,
        contiguous=True,
        errors=(
            ErrorCase("too long", lambda t: t.narrow_copy(t.ones(2), 0, 1, 2)),
            ErrorCase("beyond", lambda t: t.narrow_copy(t.ones(2), 0, 3, 1)),
            ErrorCase("a number", lambda t: t.narrow_copy(t.ones(()), 0, 0, 1)),
        ),
    ),
    OpSpec(
        "Tensor.sum_to_size",
        sum_to_size,
        ALL,
        rounding=SUMMED,
        half=HALF_SUM,
        special=False,
        errors=(
            ErrorCase("another size", lambda t: t.ones(2, 3).sum_to_size(2)),
            ErrorCase("more dims", lambda t: t.ones(3).sum_to_size(1, 3)),
            ErrorCase("nothing", lambda t: t.ones(3).sum_to_size()),
        ),
    ),
    OpSpec("diagflat", lambda d: Call((d.tensor(d.shape(max_dims=2)), d.int(-2, 2))), ALL, **MOVED),
)

COUNTS = (
    OpSpec(
        "unravel_index",
        unravel_index,
        INTS,
        method=False,
        **COUNTED,
        errors=(
            ErrorCase("floats", lambda t: t.unravel_index(t.ones(1), (3,))),
            ErrorCase("a negative size", lambda t: t.unravel_index(t.tensor([1]), (-3,))),
            ErrorCase("sizes of floats", lambda t: t.unravel_index(t.tensor([1]), (3.0,))),
        ),
    ),
    OpSpec(
        "nonzero_static",
        lambda d: Call((d.tensor(),), {"size": d.int(0, 5), **({"fill_value": 7} if d.bool() else {})}),
        ALL,
        **COUNTED,
        errors=(ErrorCase("a negative size", lambda t: t.nonzero_static(t.ones(1), size=-1)),),
    ),
    OpSpec(
        "histogram",
        histogram,
        FLOATS,
        **{**COUNTED, "rounding": SUMMED},
        errors=(
            ErrorCase("integers", lambda t: t.histogram(t.tensor([1]), 2)),
            ErrorCase("no bins", lambda t: t.histogram(t.ones(2), 0)),
            ErrorCase("upside down", lambda t: t.histogram(t.ones(2), 2, range=(1, 0))),
            ErrorCase("nan", lambda t: t.histogram(t.tensor([float("nan")]), 2)),
            ErrorCase("edges of another dtype", lambda t: t.histogram(t.ones(2), t.tensor([0, 1]))),
            ErrorCase("edges with a range", lambda t: t.histogram(t.ones(2), t.ones(2), range=(0, 1))),
            ErrorCase("edges that are a matrix", lambda t: t.histogram(t.ones(2), t.ones(2, 2))),
            ErrorCase("fewer weights", lambda t: t.histogram(t.ones(2), 2, weight=t.ones(1))),
        ),
        notes="torch gives out no gradient either, though its result says that it requires one",
    ),
)

DIFFERENCES = (
    OpSpec(
        "gradient",
        gradient,
        tuple(t for t in NUMBERS if t not in ("uint8", "int8", "int16", "int32")),
        rounding=Rounding(8.0, 8.0, "differences"),
        half=Rounding(8.0, 16.0, "differences of rounded differences"),
        errors=(
            ErrorCase("uint8", lambda t: t.gradient(t.ones(3).to(t.uint8))),
            ErrorCase("too few points", lambda t: t.gradient(t.ones(2), edge_order=2)),
            ErrorCase("a third order", lambda t: t.gradient(t.ones(5), edge_order=3)),
            ErrorCase("too few spacings", lambda t: t.gradient(t.ones(3, 3), spacing=(1.0,))),
            ErrorCase("a tensor as spacing", lambda t: t.gradient(t.ones(3), spacing=t.ones(3))),
            ErrorCase("one dim twice", lambda t: t.gradient(t.ones(3, 3), dim=(0, 0))),
        ),
        notes="smaller integers overflow in torch, which subtracts before it divides",
    ),
    OpSpec(
        "pdist",
        pdist,
        FLOATS,
        rounding=SUMMED,
        ties=False,
        second=False,
        errors=(
            ErrorCase("a vector", lambda t: t.pdist(t.ones(2))),
            ErrorCase("integers", lambda t: t.pdist(t.ones(2, 2).long())),
            ErrorCase("a negative p", lambda t: t.pdist(t.ones(2, 2), -1)),
        ),
        notes="torch has no second derivative",
    ),
    OpSpec(
        "frobenius_norm",
        frobenius_norm,
        FLOATS,
        rounding=SUMMED,
        ties=False,
        errors=(
            ErrorCase("three dims", lambda t: t.frobenius_norm(t.ones(1, 1, 1), (0, 1, 2))),
            ErrorCase("integers", lambda t: t.frobenius_norm(t.ones(2).long(), 0)),
        ),
    ),
    OpSpec(
        "nuclear_norm",
        nuclear_norm,
        FLOATS,
        rounding=SINGULAR,
        gradient=SINGULAR,
        ties=False,
        second=False,
        errors=(ErrorCase("a vector", lambda t: t.nuclear_norm(t.ones(2))),),
        notes="the second derivative is that of svd, which test_linalg.py looks at",
    ),
    OpSpec(
        "norm_except_dim",
        norm_except_dim,
        FLOATS,
        rounding=SUMMED,
        ties=False,
        errors=(ErrorCase("no such dim", lambda t: t.norm_except_dim(t.ones(2, 2), 2, 3)),),
    ),
)

REAL = (
    *(itself(name) for name in ("real", "conj", "conj_physical", "resolve_conj", "resolve_neg")),
    OpSpec("imag", any_tensor, ALL, differentiable=False, method=False),
    OpSpec("isreal", any_tensor, ALL, differentiable=False),
    *(question(name) for name in ("is_conj", "is_neg", "is_distributed", "is_inference", "is_signed", "get_device")),
    question("typename"),
)

ON_FLOATS = (
    OpSpec(
        "Tensor.prelu",
        lambda d: Call((d.tensor(), d.tensor((1,), special=False, layout="contiguous"))),
        FLOATING,
        second=False,
        errors=(ErrorCase("a number", lambda t: t.ones(2).prelu(0.25)),),
    ),
    OpSpec(
        "Tensor.hardshrink",
        lambda d: Call((d.tensor(),), {"lambd": 0.7} if d.bool() else {}),
        FLOATING,
        **MOVED,
        ties=False,
        errors=(ErrorCase("integers", lambda t: t.tensor([1]).hardshrink()),),
    ),
)

SPECS = (*REPLACED, *CUT, *COUNTS, *DIFFERENCES, *REAL, *ON_FLOATS)
