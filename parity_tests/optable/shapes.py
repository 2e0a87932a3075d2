"""Views, and tensors put together, cut up and repeated. No arithmetic: every value is exact."""

from __future__ import annotations

from .calls import Call
from .drawing import ALL, Draw
from .spec import EXACT, ErrorCase, OpSpec

MOVED = {"rounding": EXACT, "half": EXACT}


def shaped(name, draw, *errors, view=True, **options) -> OpSpec:
    return OpSpec(name, draw, ALL, view=view, errors=errors, **{**MOVED, **options})


def with_dim(**limits):
    def draw(d: Draw) -> Call:
        x = d.tensor(d.shape(**limits))
        return Call((x, d.dim(x.values.ndim)))

    return draw


def two_dims(d: Draw) -> Call:
    x = d.tensor()
    return Call((x, d.dim(x.values.ndim), d.dim(x.values.ndim)))


def factored(d: Draw, n: int) -> tuple[int, ...]:
    """Sizes that multiply up to n."""
    sizes = []
    for _ in range(d.int(0, 3)):
        divisors = [k for k in range(1, max(n, 1) + 1) if n and n % k == 0] or [0, 1, 2]
        sizes.append(d.of(*divisors))
        n = n // sizes[-1] if sizes[-1] else n
    return (*sizes, n) if n != 1 or not sizes else tuple(sizes)


def reshape(d: Draw) -> Call:
    x = d.tensor()
    sizes = list(factored(d, x.values.size))
    if d.bool():
        sizes[d.int(0, len(sizes) - 1)] = -1
    return Call((x, tuple(sizes)))


def flatten(d: Draw) -> Call:
    x = d.tensor()
    return Call((x, d.dim(x.values.ndim), d.dim(x.values.ndim)) if d.bool() else (x,))


def unflatten(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1))
    dim = d.dim(x.values.ndim)
    sizes = list(factored(d, x.values.shape[dim]))
    if d.bool():
        sizes[0] = -1
    return Call((x, dim, tuple(sizes)))


def permute(d: Draw) -> Call:
    x = d.tensor()
    order = list(range(x.values.ndim))
    for i in range(len(order)):
        j = d.int(i, len(order) - 1)
        order[i], order[j] = order[j], order[i]
    return Call((x, tuple(i - len(order) if d.int(0, 3) == 0 else i for i in order)))


def movedim(d: Draw) -> Call:
    x = d.tensor()
    if d.bool():
        return Call((x, d.dim(x.values.ndim), d.dim(x.values.ndim)))
    source = d.dims(x.values.ndim)
    return Call((x, source, d.dims(x.values.ndim, len(source))[: len(source)]))


def squeeze(d: Draw) -> Call:
    x = d.tensor(tuple(d.of(1, n) for n in d.shape()))
    form = d.of("all", "one", "several")
    if form == "all":
        return Call((x,))
    return Call((x, d.dim(x.values.ndim) if form == "one" else d.dims(x.values.ndim)))


def unsqueeze(d: Draw) -> Call:
    x = d.tensor()
    return Call((x, d.int(-x.values.ndim - 1, x.values.ndim)))


def broadcast_to(d: Draw) -> Call:
    shape = d.shape()
    return Call((d.tensor(d.part_of(shape)), shape))


def select(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1))
    dim = d.dim(x.values.ndim)
    n = max(x.values.shape[dim], 1)
    return Call((x, dim, d.int(-n, n - 1)))


def narrow(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1))
    dim = d.dim(x.values.ndim)
    n = x.values.shape[dim]
    start = d.int(-n, n)
    return Call((x, dim, start, d.int(0, n - (start + n if start < 0 else start))))


def diagonal(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=2))
    first, second = (d.dims(x.values.ndim, 2) * 2)[:2]
    return Call((x,) if d.bool() else (x, d.int(-3, 3), first, second))


def split(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1, max_size=6))
    dim = d.dim(x.values.ndim)
    n = x.values.shape[dim]
    if d.bool():
        return Call((x, d.int(1, 4), dim))
    cut = d.int(0, n)
    return Call((x, [cut, n - cut], dim))


def chunk(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1, max_size=6))
    return Call((x, d.int(1, 5), d.dim(x.values.ndim)))


def cat(d: Draw) -> Call:
    shape = d.shape(min_dims=1)
    dim = d.dim(len(shape))
    i = dim % len(shape)
    shapes = [(*shape[:i], d.int(0, 3), *shape[i + 1 :]) for _ in range(d.int(1, 3))]
    return Call(([d.tensor(s, dtype=d.partner_dtype()) for s in shapes], dim))


def stack(d: Draw) -> Call:
    shape = d.shape()
    dim = d.int(-len(shape) - 1, len(shape))
    return Call(([d.tensor(shape, dtype=d.partner_dtype()) for _ in range(d.int(1, 3))], dim))


def in_a_list(**limits):
    def draw(d: Draw) -> Call:
        shape = d.shape(**limits)
        return Call(([d.tensor(shape) for _ in range(d.int(1, 3))],))

    return draw


def tile(d: Draw) -> Call:
    return Call((d.tensor(d.shape(max_dims=2)), tuple(d.int(0, 2) for _ in range(d.int(0, 3)))))


def broadcast_tensors(d: Draw) -> Call:
    a, b = d.two_shapes()
    return Call((d.tensor(a), d.tensor(b)))


def one(d: Draw) -> Call:
    return Call((d.tensor(),))


def at_most_matrix(d: Draw) -> Call:
    return Call((d.tensor(d.shape(max_dims=2)),))


def several(d: Draw) -> Call:
    tensors = [d.tensor() for _ in range(d.int(1, 3))]
    return Call(tuple(tensors) if d.bool() else (tensors,))


SPECS = (
    shaped(
        "reshape",
        reshape,
        ErrorCase("another number of elements", lambda t: t.ones(6).reshape(4)),
        ErrorCase("two unknown sizes", lambda t: t.ones(6).reshape(-1, -1)),
        ErrorCase("an ambiguous size", lambda t: t.ones(0).reshape(0, -1)),
        ErrorCase("a size below -1", lambda t: t.ones(6).reshape(-2, 3)),
        ErrorCase("a float", lambda t: t.ones(6).reshape(2.0, 3)),
    ),
    shaped(
        "flatten",
        flatten,
        ErrorCase("end before start", lambda t: t.ones(2, 3).flatten(1, 0)),
        ErrorCase("a dim out of range", lambda t: t.ones(2, 3).flatten(2)),
    ),
    shaped(
        "unflatten",
        unflatten,
        ErrorCase("sizes that do not fit", lambda t: t.ones(6).unflatten(0, (4, 2))),
        ErrorCase("no sizes", lambda t: t.ones(6).unflatten(0, ())),
    ),
    shaped(
        "permute",
        permute,
        ErrorCase("too few", lambda t: t.ones(2, 3).permute(0)),
        ErrorCase("one twice", lambda t: t.ones(2, 3).permute(0, 0)),
        ErrorCase("out of range", lambda t: t.ones(2, 3).permute(0, 2)),
    ),
    shaped(
        "transpose",
        two_dims,
        ErrorCase("out of range", lambda t: t.ones(2, 3).transpose(0, 2)),
        aliases=("swapaxes", "swapdims"),
    ),
    shaped("t", at_most_matrix, ErrorCase("three dims", lambda t: t.ones(1, 2, 3).t())),
    shaped(
        "movedim",
        movedim,
        ErrorCase("lists that differ", lambda t: t.ones(2, 3).movedim((0, 1), (0,))),
        ErrorCase("out of range", lambda t: t.ones(2, 3).movedim(0, 2)),
        ErrorCase("a dim twice", lambda t: t.ones(2, 3).movedim((0, 0), (0, 1))),
        aliases=("moveaxis",),
    ),
    shaped("squeeze", squeeze, ErrorCase("out of range", lambda t: t.ones(2, 3).squeeze(2))),
    shaped("unsqueeze", unsqueeze, ErrorCase("out of range", lambda t: t.ones(2, 3).unsqueeze(3))),
    shaped(
        "broadcast_to",
        broadcast_to,
        ErrorCase("sizes that differ", lambda t: t.broadcast_to(t.ones(2), (3,))),
        ErrorCase("too few dims", lambda t: t.broadcast_to(t.ones(1, 2), (2,))),
    ),
    shaped(
        "select",
        select,
        ErrorCase("an index out of range", lambda t: t.ones(2, 3).select(0, 2)),
        ErrorCase("a 0-d tensor", lambda t: t.tensor(1.0).select(0, 0)),
    ),
    shaped(
        "narrow",
        narrow,
        ErrorCase("too long", lambda t: t.ones(2, 3).narrow(0, 1, 2)),
        ErrorCase("a negative length", lambda t: t.ones(2, 3).narrow(0, 1, -1)),
        ErrorCase("a start out of range", lambda t: t.ones(2, 3).narrow(0, 3, 0)),
        ErrorCase("a 0-d tensor", lambda t: t.tensor(1.0).narrow(0, 0, 1)),
    ),
    shaped(
        "diagonal",
        diagonal,
        ErrorCase("one dim twice", lambda t: t.ones(2, 3).diagonal(0, 1, 1)),
        ErrorCase("out of range", lambda t: t.ones(2, 3).diagonal(0, 0, 2)),
        ErrorCase("a vector", lambda t: t.ones(3).diagonal()),
    ),
    shaped(
        "split",
        split,
        ErrorCase("sizes that do not fit", lambda t: t.ones(4).split([1, 2])),
        ErrorCase("a negative size", lambda t: t.ones(4).split(-1)),
        ErrorCase("size zero", lambda t: t.ones(4).split(0)),
        ErrorCase("a 0-d tensor", lambda t: t.tensor(1.0).split(1)),
    ),
    shaped(
        "chunk",
        chunk,
        ErrorCase("no chunks", lambda t: t.ones(4).chunk(0)),
        ErrorCase("a 0-d tensor", lambda t: t.tensor(1.0).chunk(1)),
    ),
    shaped(
        "unbind",
        with_dim(min_dims=1),
        ErrorCase("a 0-d tensor", lambda t: t.tensor(1.0).unbind()),
        ErrorCase("out of range", lambda t: t.ones(2).unbind(1)),
    ),
    shaped(
        "broadcast_tensors",
        broadcast_tensors,
        ErrorCase("sizes that differ", lambda t: t.broadcast_tensors(t.ones(2), t.ones(3))),
        method=False,
    ),
    shaped("atleast_1d", several, view=False),
    shaped("atleast_2d", several, view=False),
    shaped("atleast_3d", several, view=False),
    shaped(
        "cat",
        cat,
        ErrorCase("nothing", lambda t: t.cat([])),
        ErrorCase("sizes that differ", lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)])),
        ErrorCase("dims that differ", lambda t: t.cat([t.ones(2, 3), t.ones(2)])),
        ErrorCase("0-d tensors", lambda t: t.cat([t.tensor(1.0), t.tensor(2.0)])),
        ErrorCase("out of range", lambda t: t.cat([t.ones(2)], 1)),
        ErrorCase("a number among them", lambda t: t.cat([t.ones(2), 1.0])),
        view=False,
        contiguous=True,
        aliases=("concat", "concatenate"),
    ),
    shaped(
        "stack",
        stack,
        ErrorCase("nothing", lambda t: t.stack([])),
        ErrorCase("sizes that differ", lambda t: t.stack([t.ones(2), t.ones(3)])),
        ErrorCase("out of range", lambda t: t.stack([t.ones(2)], 2)),
        view=False,
        contiguous=True,
    ),
    shaped("hstack", in_a_list(), view=False, contiguous=True),
    shaped("vstack", in_a_list(), view=False, contiguous=True, aliases=("row_stack",)),
    shaped("column_stack", in_a_list(), view=False, contiguous=True),
    shaped("tile", tile, view=False, contiguous=True),
    shaped("clone", one, view=False),
    shaped("detach", one, differentiable=False, inplace=False, notes="x.detach_() changes no values: test_autograd"),
)
