"""What only a tensor's methods offer: views by method, casts, writes into a tensor, and questions."""

from __future__ import annotations

from .calls import Call, DType
from .drawing import ALL, FLOATING, INTS, Draw
from .shapes import MOVED, factored, one, permute, reshape, shaped
from .spec import EXACT, ErrorCase, OpSpec


def method(name, draw, *errors, **options) -> OpSpec:
    return shaped(f"Tensor.{name}", draw, *errors, **options)


def expand(d: Draw) -> Call:
    shape = d.shape()
    x = d.tensor(d.part_of(shape))
    extra = len(shape) - x.values.ndim
    kept = [i >= extra and x.values.shape[i - extra] == n and d.bool() for i, n in enumerate(shape)]
    return Call((x, tuple(-1 if keep else n for keep, n in zip(kept, shape, strict=True))))


def like(other_shape):
    def draw(d: Draw) -> Call:
        shape = d.shape()
        return Call((d.tensor(shape, layout="contiguous"), d.tensor(other_shape(d, shape), dtype="float32")))

    return draw


def repeat(d: Draw) -> Call:
    x = d.tensor(d.shape(max_dims=2))
    return Call((x, tuple(d.int(0, 2) for _ in range(x.values.ndim + d.int(0, 1)))))


def unfold(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1, max_size=6))
    dim = d.dim(x.values.ndim)
    return Call((x, dim, d.int(0, x.values.shape[dim]), d.int(1, 3)))


def view(d: Draw) -> Call:
    x = d.tensor()
    return Call((x, factored(d, x.values.size)))


def cast(d: Draw) -> Call:
    return Call((d.tensor(special=False, low=0, high=100), DType(d.of(*ALL))))


def cast_like(d: Draw) -> Call:
    return Call((d.tensor(special=False, low=0, high=100), d.tensor((), dtype=d.of(*ALL))))


def copy(d: Draw) -> Call:
    shape = d.shape()
    values = d.tensor(d.part_of(shape), dtype=d.partner_dtype(), special=False, low=0)
    return Call((d.tensor(shape), values))


def fill(d: Draw) -> Call:
    x = d.tensor()
    return Call((x, d.number(0) if d.bool() else d.tensor((), special=False, low=0)))


def on_a_copy(name):
    """x.name(...) on a copy of x, so that x may be a leaf, expanded, or compared afterwards."""
    return lambda lib, x, *args, **kwargs: getattr(x.clone(memory_format=lib.contiguous_format), name)(*args, **kwargs)


def written(name, draw, *errors, **options) -> OpSpec:
    return method(name, draw, *errors, view=False, run=on_a_copy(name), **options)


def some(d: Draw) -> Call:
    return Call((d.tensor(d.shape(min_size=1), layout="contiguous"),))


def question(name, **options) -> OpSpec:
    return OpSpec(f"Tensor.{name}", some, ALL, differentiable=False, rounding=EXACT, **options)


def reinterpreted(d: Draw) -> Call:
    """view(dtype) to one of the same size: the same bytes."""
    same_size = {"float64": "int64", "float32": "int32", "float16": "int16", "bfloat16": "int16", "int8": "uint8"}
    names = {**same_size, **{b: a for a, b in same_size.items()}}
    return Call((d.tensor(special=False), DType(names.get(d.dtype, d.dtype))))


SPECS = (
    method(
        "view",
        view,
        ErrorCase("another number of elements", lambda t: t.ones(6).view(4)),
        ErrorCase("across subspaces", lambda t: t.ones(2, 3).t().view(6)),
    ),
    OpSpec(
        "Tensor.view (dtype)",
        reinterpreted,
        ALL,
        differentiable=False,
        view=True,
        **MOVED,
        run=lambda lib, x, dtype: x.view(dtype),
    ),
    method("view_as", like(lambda d, shape: (*shape, 1))),
    method("reshape_as", like(lambda d, shape: (1, *shape))),
    method(
        "expand",
        expand,
        ErrorCase("sizes that differ", lambda t: t.ones(2).expand(3)),
        ErrorCase("too few", lambda t: t.ones(1, 2).expand(2)),
        ErrorCase("-1 in front", lambda t: t.ones(2).expand(-1, 2)),
    ),
    method("expand_as", like(lambda d, shape: (d.int(1, 2), *shape))),
    shaped("unfold_copy", unfold, ErrorCase("too large", lambda t: t.unfold_copy(t.ones(3), 0, 4, 1))),
    method(
        "unfold",
        unfold,
        ErrorCase("too large", lambda t: t.ones(3).unfold(0, 4, 1)),
        ErrorCase("no step", lambda t: t.ones(3).unfold(0, 2, 0)),
    ),
    method(
        "repeat",
        repeat,
        ErrorCase("too few", lambda t: t.ones(2, 3).repeat(2)),
        ErrorCase("negative", lambda t: t.ones(2).repeat(-1)),
        view=False,
        contiguous=True,
    ),
    method("contiguous", one, view=False, contiguous=True),
    method("T", permute, run=lambda lib, x, order: x.T if x.ndim == 2 else x.permute(order)),
    method(
        "mT",
        reshape,
        ErrorCase("a vector", lambda t: t.ones(3).mT),
        run=lambda lib, x, sizes: x.mT if x.ndim >= 2 else x,
    ),
    method("to", cast, view=False, ties=False),
    method("type_as", cast_like, view=False, ties=False),
    *(
        method(name, lambda d: Call((d.tensor(special=False, low=0, high=100),)), view=False)
        for name in ("float", "double", "half", "bfloat16", "byte", "char", "short", "int", "long", "bool")
    ),
    written(
        "copy_",
        copy,
        ErrorCase("a shape that does not fit", lambda t: t.ones(2).copy_(t.ones(3))),
        ErrorCase("expanded memory", lambda t: t.ones(1).expand(3).copy_(t.ones(3))),
    ),
    written("fill_", fill, ErrorCase("a vector", lambda t: t.ones(2).fill_(t.ones(2)))),
    written("zero_", one),
    *(
        question(name)
        for name in (
            "dim",
            "numel",
            "nelement",
            "size",
            "stride",
            "is_contiguous",
            "is_floating_point",
            "is_complex",
            "is_signed",
            "element_size",
            "tolist",
            "type",
            "get_device",
        )
    ),
    question("item", errors=(ErrorCase("two elements", lambda t: t.ones(2).item()),)),
    OpSpec(
        "Tensor.len",
        one,
        FLOATING + INTS,
        differentiable=False,
        run=lambda lib, x: len(x),
        errors=(ErrorCase("a 0-d tensor", lambda t: len(t.tensor(1.0))),),
    ),
    OpSpec("Tensor.bool()", one, ALL, differentiable=False, run=lambda lib, x: bool(x)),
)
