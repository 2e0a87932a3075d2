"""Elements picked out and put in: index_select, gather, scatter, masks and their kin."""

from __future__ import annotations

import numpy as np

from .calls import Call, TensorArg
from .drawing import ALL, NUMBERS, Draw
from .spec import EXACT, ErrorCase, OpSpec, Rounding

MOVED = {"rounding": EXACT, "half": EXACT}
ADDED = Rounding(4.0, 8.0, "the order of summation")
HALF_SUM = Rounding(8.0, 8.0, "torch adds in half precision, here in float32")


def indices(d: Draw, shape, n: int, negative: bool = False) -> TensorArg:
    """int64 indices into a dim of n elements; repeated ones likely."""
    rng = np.random.RandomState(d.int(0, 2**16))
    layout = d.of("contiguous", "strided") if shape else "contiguous"
    return TensorArg(rng.randint(-n if negative else 0, max(n, 1), shape), "int64", layout)


def different(d: Draw, count: int, n: int) -> TensorArg:
    """Indices none of which repeats: where the order of writing would matter, torch leaves it open."""
    rng = np.random.RandomState(d.int(0, 2**16))
    return TensorArg(rng.permutation(n)[:count].astype(np.int64), "int64")


def drawn_dim(d: Draw, **limits):
    """(shape, dim, size of the dim): shapes with at least one element along it."""
    shape = d.shape(min_dims=1, min_size=1, **limits)
    dim = d.dim(len(shape))
    return shape, dim, shape[dim]


def resized(shape, dim, n):
    new = list(shape)
    new[dim] = n
    return tuple(new)


def index_select(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    return Call((d.tensor(shape), dim, indices(d, (d.int(0, 5),), n)))


def index_add(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    count = d.int(0, 5)
    args = (d.tensor(shape), dim, indices(d, (count,), n), d.tensor(resized(shape, dim, count)))
    return Call(args, {"alpha": 2} if d.int(0, 3) == 0 and d.dtype != "bool" else {})


def index_copy(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    count = d.int(0, n)
    return Call((d.tensor(shape), dim, different(d, count, n), d.tensor(resized(shape, dim, count))))


def index_fill(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    value = d.tensor((), layout="contiguous") if d.bool() else d.number()
    return Call((d.tensor(shape), dim, indices(d, (d.int(0, 3),), n, negative=True), value))


def smaller(d: Draw, shape, dim, longest=5) -> tuple[int, ...]:
    """The shape of an index for gather: no larger than `shape` but along `dim`."""
    dim %= len(shape)
    return tuple(d.int(1, longest) if i == dim else d.int(1, n) for i, n in enumerate(shape))


def gather(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    return Call((d.tensor(shape), dim, indices(d, smaller(d, shape, dim), n)))


def scatter(d: Draw) -> Call:
    """Along `dim` every row of the index is a permutation: each place is written once."""
    shape, dim, n = drawn_dim(d)
    size = resized(smaller(d, shape, dim), dim, d.int(1, n))
    rng = np.random.RandomState(d.int(0, 2**16))
    rows = np.apply_along_axis(lambda row: rng.permutation(n)[: len(row)], dim, np.zeros(size, np.int64))
    index = TensorArg(rows, "int64")
    if d.int(0, 3) == 0:
        return Call((d.tensor(shape), dim, index, d.number()))
    return Call((d.tensor(shape), dim, index, d.tensor(tuple(m + d.int(0, 1) for m in size))))


def scatter_add(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    size = smaller(d, shape, dim)
    return Call((d.tensor(shape), dim, indices(d, size, n), d.tensor(tuple(m + d.int(0, 1) for m in size))))


def scatter_reduce(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    size = smaller(d, shape, dim)  # src no larger: torch gives what it does not use a gradient, too
    call = Call((d.tensor(shape), dim, indices(d, size, n), d.tensor(size)))
    reduce = d.of("sum", "prod", "mean", "amax", "amin")
    return Call((*call.args, reduce), {"include_self": d.bool()})


def masked(d: Draw):
    shape = d.shape()
    mask = d.tensor(d.part_of(shape), dtype="bool")
    return d.tensor(d.part_of(shape)), mask, shape


def masked_fill(d: Draw) -> Call:
    x, mask, _ = masked(d)
    return Call((x, mask, d.tensor((), layout="contiguous") if d.bool() else d.number()))


def masked_select(d: Draw) -> Call:
    x, mask, _ = masked(d)
    return Call((x, mask))


def masked_scatter(d: Draw) -> Call:
    x, mask, shape = masked(d)
    n = int(np.prod(shape)) + d.int(0, 2)
    return Call((x, mask, d.tensor((n,))))


def take(d: Draw) -> Call:
    x = d.tensor(d.shape(min_size=1))
    return Call((x, indices(d, d.shape(max_dims=2), x.values.size, negative=True)))


def put(d: Draw) -> Call:
    x = d.tensor(d.shape(min_size=1))
    accumulate = d.bool()
    count = d.int(0, x.values.size)
    index = indices(d, (count,), x.values.size) if accumulate else different(d, count, x.values.size)
    return Call((x, index, d.tensor((count,)), accumulate))


def take_along_dim(d: Draw) -> Call:
    shape, dim, n = drawn_dim(d)
    if d.int(0, 3) == 0:
        x = d.tensor(shape, layout="contiguous")  # torch wants a view(-1) here
        return Call((x, indices(d, d.shape(max_dims=2), x.values.size)))
    return Call((d.tensor(shape), indices(d, resized(shape, dim, d.int(0, 5)), n, negative=d.bool()), dim))


def out_of_range(name, *more):
    return ErrorCase("out of range", lambda t: getattr(t, name)(t.ones(3), 0, t.tensor([3]), *(m(t) for m in more)))


def ones(*shape):
    return lambda t: t.ones(*shape)


SLICES = (
    OpSpec(
        "index_select",
        index_select,
        ALL,
        **MOVED,
        errors=(
            out_of_range("index_select"),
            ErrorCase("a matrix of indices", lambda t: t.index_select(t.ones(3), 0, t.tensor([[0]]))),
        ),
    ),
    OpSpec(
        "index_add",
        index_add,
        ALL,
        rounding=ADDED,
        half=HALF_SUM,
        special=False,
        errors=(
            out_of_range("index_add", ones(1)),
            ErrorCase("two dtypes", lambda t: t.index_add(t.ones(3), 0, t.tensor([0]), t.tensor([1]))),
            ErrorCase("more values than indices", lambda t: t.index_add(t.ones(3), 0, t.tensor([0]), t.ones(2))),
        ),
    ),
    OpSpec(
        "index_copy",
        index_copy,
        ALL,
        **MOVED,
        errors=(
            out_of_range("index_copy", ones(1)),
            ErrorCase("two dtypes", lambda t: t.index_copy(t.ones(3), 0, t.tensor([0]), t.tensor([1]))),
            ErrorCase("more values than indices", lambda t: t.index_copy(t.ones(3), 0, t.tensor([0]), t.ones(2))),
        ),
    ),
    OpSpec("index_fill", index_fill, ALL, **MOVED, inplace=False, errors=(out_of_range("index_fill", lambda t: 1.0),)),
    OpSpec(
        "gather",
        gather,
        ALL,
        **MOVED,
        errors=(
            out_of_range("gather"),
            ErrorCase("indices of floats", lambda t: t.gather(t.ones(3), 0, t.ones(1))),
            ErrorCase("another number of dims", lambda t: t.gather(t.ones(3, 3), 0, t.tensor([0]))),
            ErrorCase("too many rows", lambda t: t.gather(t.ones(1, 3), 1, t.tensor([[0], [0]]))),
        ),
    ),
)

SCATTERED = (
    OpSpec(
        "scatter",
        scatter,
        ALL,
        **MOVED,
        errors=(
            out_of_range("scatter", ones(1)),
            ErrorCase("two dtypes", lambda t: t.scatter(t.ones(3), 0, t.tensor([0]), t.tensor([1]))),
            ErrorCase("too few values", lambda t: t.scatter(t.ones(3), 0, t.tensor([0, 1]), t.ones(1))),
            ErrorCase("a reduction that is none", lambda t: t.scatter(t.ones(3), 0, t.tensor([0]), 1.0, reduce="max")),
        ),
    ),
    OpSpec(
        "scatter_add",
        scatter_add,
        ALL,
        rounding=ADDED,
        half=HALF_SUM,
        special=False,
        errors=(out_of_range("scatter_add", ones(1)),),
    ),
    OpSpec(
        "scatter_reduce",
        scatter_reduce,
        NUMBERS,
        rounding=ADDED,
        half=HALF_SUM,
        special=False,
        second=False,
        ties=False,
        errors=(
            out_of_range("scatter_reduce", ones(1), lambda t: "sum"),
            ErrorCase(
                "a reduction that is none", lambda t: t.scatter_reduce(t.ones(3), 0, t.tensor([0]), t.ones(1), "or")
            ),
        ),
        notes="torch has no second derivative of amax, amin and prod; test_ops_indexing checks prod's",
    ),
)

MASKS = (
    OpSpec(
        "masked_fill",
        masked_fill,
        ALL,
        **MOVED,
        errors=(
            ErrorCase("no mask", lambda t: t.masked_fill(t.ones(2), t.ones(2), 1.0)),
            ErrorCase("a vector", lambda t: t.masked_fill(t.ones(2), t.ones(2) > 0, t.ones(2))),
            ErrorCase("shapes", lambda t: t.masked_fill(t.ones(2), t.ones(3) > 0, 1.0)),
        ),
    ),
    OpSpec(
        "masked_select",
        masked_select,
        ALL,
        **MOVED,
        errors=(ErrorCase("no mask", lambda t: t.masked_select(t.ones(2), t.ones(2))),),
    ),
    OpSpec(
        "masked_scatter",
        masked_scatter,
        ALL,
        **MOVED,
        errors=(ErrorCase("too few", lambda t: t.masked_scatter(t.ones(2), t.ones(2) > 0, t.ones(1))),),
    ),
    OpSpec(
        "take",
        take,
        ALL,
        **MOVED,
        errors=(
            ErrorCase("out of range", lambda t: t.take(t.ones(3), t.tensor([3]))),
            ErrorCase("int32", lambda t: t.take(t.ones(3), t.tensor([1], dtype=t.int32))),
        ),
    ),
    OpSpec(
        "put",
        put,
        ALL,
        rounding=ADDED,
        half=HALF_SUM,
        special=False,
        second=False,
        errors=(ErrorCase("too few", lambda t: t.put(t.ones(3), t.tensor([0, 1]), t.ones(1))),),
    ),
    OpSpec("take_along_dim", take_along_dim, ALL, **MOVED),
)


SPECS = (*SLICES, *SCATTERED, *MASKS)
