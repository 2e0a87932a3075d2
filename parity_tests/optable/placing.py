"""Elements picked out, put in, moved and counted: index_select, gather, scatter, masks, flip, unique and
their kin."""

from __future__ import annotations

import numpy as np

from .calls import CARRIERS, Call, TensorArg
from .drawing import ALL, BOOL, FLOATING, FLOATS, INTS, NUMBERS, Draw
from .spec import EXACT, ErrorCase, OpSpec, Rounding

MOVED = {"rounding": EXACT, "half": EXACT}
COUNTED = {"differentiable": False, "inplace": False}
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


def out_of_range(name, *more):
    return ErrorCase("out of range", lambda t: getattr(t, name)(t.ones(3), 0, t.tensor([3]), *(m(t) for m in more)))


def ones(*shape):
    return lambda t: t.ones(*shape)


SLICES = (
    OpSpec("index_select", index_select, ALL, **MOVED, errors=(
        out_of_range("index_select"),
        ErrorCase("a matrix of indices", lambda t: t.index_select(t.ones(3), 0, t.tensor([[0]]))))),
    OpSpec("index_add", index_add, ALL, rounding=ADDED, half=HALF_SUM, special=False, errors=(
        out_of_range("index_add", ones(1)),
        ErrorCase("two dtypes", lambda t: t.index_add(t.ones(3), 0, t.tensor([0]), t.tensor([1]))),
        ErrorCase("more values than indices", lambda t: t.index_add(t.ones(3), 0, t.tensor([0]), t.ones(2))))),
    OpSpec("index_copy", index_copy, ALL, **MOVED, errors=(
        out_of_range("index_copy", ones(1)),
        ErrorCase("two dtypes", lambda t: t.index_copy(t.ones(3), 0, t.tensor([0]), t.tensor([1]))),
        ErrorCase("more values than indices", lambda t: t.index_copy(t.ones(3), 0, t.tensor([0]), t.ones(2))))),
    OpSpec("index_fill", index_fill, ALL, **MOVED, inplace=False, errors=(out_of_range("index_fill", lambda t: 1.0),)),
    OpSpec("gather", gather, ALL, **MOVED, errors=(
        out_of_range("gather"),
        ErrorCase("indices of floats", lambda t: t.gather(t.ones(3), 0, t.ones(1))),
        ErrorCase("another number of dims", lambda t: t.gather(t.ones(3, 3), 0, t.tensor([0]))),
        ErrorCase("too many rows", lambda t: t.gather(t.ones(1, 3), 1, t.tensor([[0], [0]]))))),
)  # fmt: skip

SCATTERED = (
    OpSpec("scatter", scatter, ALL, **MOVED, errors=(
        out_of_range("scatter", ones(1)),
        ErrorCase("two dtypes", lambda t: t.scatter(t.ones(3), 0, t.tensor([0]), t.tensor([1]))),
        ErrorCase("too few values", lambda t: t.scatter(t.ones(3), 0, t.tensor([0, 1]), t.ones(1))),
        ErrorCase("a reduction that is none", lambda t: t.scatter(t.ones(3), 0, t.tensor([0]), 1.0, reduce="max")))),
    OpSpec("scatter_add", scatter_add, ALL, rounding=ADDED, half=HALF_SUM, special=False,
           errors=(out_of_range("scatter_add", ones(1)),)),
    OpSpec("scatter_reduce", scatter_reduce, NUMBERS, rounding=ADDED, half=HALF_SUM, special=False, second=False,
           ties=False, errors=(out_of_range("scatter_reduce", ones(1), lambda t: "sum"),
           ErrorCase("a reduction that is none",
                     lambda t: t.scatter_reduce(t.ones(3), 0, t.tensor([0]), t.ones(1), "or"))),
           notes="torch has no second derivative of amax, amin and prod; test_ops_indexing checks prod's"),
)  # fmt: skip

MASKS = (
    OpSpec("masked_fill", masked_fill, ALL, **MOVED, errors=(
        ErrorCase("no mask", lambda t: t.masked_fill(t.ones(2), t.ones(2), 1.0)),
        ErrorCase("a vector", lambda t: t.masked_fill(t.ones(2), t.ones(2) > 0, t.ones(2))),
        ErrorCase("shapes", lambda t: t.masked_fill(t.ones(2), t.ones(3) > 0, 1.0)))),
    OpSpec("masked_select", masked_select, ALL, **MOVED, errors=(
        ErrorCase("no mask", lambda t: t.masked_select(t.ones(2), t.ones(2))),)),
    OpSpec("masked_scatter", masked_scatter, ALL, **MOVED, errors=(
        ErrorCase("too few", lambda t: t.masked_scatter(t.ones(2), t.ones(2) > 0, t.ones(1))),)),
    OpSpec("take", take, ALL, **MOVED, errors=(
        ErrorCase("out of range", lambda t: t.take(t.ones(3), t.tensor([3]))),
        ErrorCase("int32", lambda t: t.take(t.ones(3), t.tensor([1], dtype=t.int32))))),
    OpSpec("put", put, ALL, rounding=ADDED, half=HALF_SUM, special=False, second=False, errors=(
        ErrorCase("too few", lambda t: t.put(t.ones(3), t.tensor([0, 1]), t.ones(1))),)),
    OpSpec("take_along_dim", take_along_dim, ALL, **MOVED),
)  # fmt: skip

MOVES = (
    OpSpec("flip", flip, ALL, **MOVED, errors=(ErrorCase("one dim twice", lambda t: t.flip(t.ones(2, 2), (0, 0))),)),
    OpSpec("fliplr", lambda d: Call((d.tensor(d.shape(min_dims=2)),)), FLOATING, **MOVED,
           errors=(ErrorCase("a vector", lambda t: t.fliplr(t.ones(2))),)),
    OpSpec("flipud", lambda d: Call((d.tensor(d.shape(min_dims=1)),)), FLOATING, **MOVED,
           errors=(ErrorCase("a number", lambda t: t.flipud(t.ones(()))),)),
    OpSpec("roll", roll, ALL, **MOVED, errors=(ErrorCase("two shifts, no dim", lambda t: t.roll(t.ones(2), (1, 1))),)),
    OpSpec("rot90", rot90, FLOATING, **MOVED, errors=(
        ErrorCase("one dim twice", lambda t: t.rot90(t.ones(2, 2), 1, (0, 0))),
        ErrorCase("a vector", lambda t: t.rot90(t.ones(2))))),
    OpSpec("repeat_interleave", repeat_interleave, ALL, **MOVED, errors=(
        ErrorCase("a negative count", lambda t: t.repeat_interleave(t.ones(2), -1)),
        ErrorCase("too few counts", lambda t: t.repeat_interleave(t.ones(3), t.tensor([1, 2]))))),
    OpSpec("tril", triangle, ALL, **MOVED, inplace=False, errors=(ErrorCase("a vector", lambda t: t.tril(t.ones(2))),)),
    OpSpec("triu", triangle, ALL, **MOVED, inplace=False, errors=(ErrorCase("a vector", lambda t: t.triu(t.ones(2))),)),
    OpSpec("diag", diag, ALL, **MOVED, errors=(ErrorCase("a cube", lambda t: t.diag(t.ones(1, 1, 1))),)),
    OpSpec("diag_embed", diag_embed, ALL, **MOVED,
           errors=(ErrorCase("one dim twice", lambda t: t.diag_embed(t.ones(2), 0, 0, 0)),)),
    OpSpec("trace", lambda d: Call((d.tensor(d.shape(min_dims=2, max_dims=2)),)), FLOATS + INTS, special=False,
           rounding=ADDED, errors=(ErrorCase("a vector", lambda t: t.trace(t.ones(2))),)),
    OpSpec("meshgrid", meshgrid, ALL, **MOVED, method=False, errors=(
        ErrorCase("a matrix", lambda t: t.meshgrid(t.ones(1, 1), indexing="ij")),
        ErrorCase("another order", lambda t: t.meshgrid(t.ones(1), indexing="yx")))),
    OpSpec("cartesian_prod", lambda d: Call(vectors(d, d.int(1, 3))), ALL, **MOVED, method=False),
)  # fmt: skip

COUNTS = (
    OpSpec("nonzero", lambda d: Call((d.tensor(),), {"as_tuple": d.bool()}), ALL, **COUNTED),
    OpSpec("argwhere", lambda d: Call((d.tensor(),)), ALL, **COUNTED),
    OpSpec("searchsorted", searchsorted, NUMBERS, method=False, **COUNTED, errors=(
        ErrorCase("rows that do not match", lambda t: t.searchsorted(t.ones(2, 2), t.ones(3))),
        ErrorCase("a side that is none", lambda t: t.searchsorted(t.ones(2), t.ones(3), side="up")))),
    OpSpec("bucketize", bucketize, NUMBERS, method=False, **COUNTED),
    OpSpec("bincount", bincount, INTS, **COUNTED, errors=(
        ErrorCase("a negative number", lambda t: t.bincount(t.tensor([-1]))),
        ErrorCase("a matrix", lambda t: t.bincount(t.tensor([[1]]))))),
    OpSpec("histc", histc, FLOATS, **COUNTED, errors=(
        ErrorCase("no bins", lambda t: t.histc(t.ones(2), 0)),
        ErrorCase("upside down", lambda t: t.histc(t.ones(2), 2, 1, 0)))),
    OpSpec("isin", isin, FLOATS + INTS, method=False, **COUNTED),
    OpSpec("unique", unique, NUMBERS + BOOL, **COUNTED),
    OpSpec("unique_consecutive", unique, NUMBERS + BOOL, **COUNTED),
)

SPECS = (*SLICES, *SCATTERED, *MASKS, *MOVES, *COUNTS)
