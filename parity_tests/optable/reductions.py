"""Reductions over all dims or some, and softmax."""

from __future__ import annotations

from .calls import Call, DType
from .drawing import ALL, FLOATING, FLOATS, INTS, NUMBERS, Draw
from .spec import EXACT, SUMMED, ErrorCase, OpSpec, Rounding

HALF_SUM = Rounding(2.0, 2.0, "torch sums halves in float32 in another order; one rounding more for var and the like")
PRODUCT = Rounding(16.0, 0.0, "n factors, n roundings, in different orders")


def over(some=True, whole=True, empty=True, dtype=False, keyword=False, nonempty=False, **limits):
    """x, with no dims, one, or several; keepdim; a dtype to compute in."""

    def draw(d: Draw) -> Call:
        if d.for_gradient and nonempty:  # over nothing, 0 times infinity comes out differently
            limits["min_size"] = 1
        x = d.tensor(d.shape(**limits), special=False)
        ndim, kwargs = x.values.ndim, {}
        args = (x,)
        if not (whole and d.bool()):
            chosen = d.dims(ndim, 0 if empty else 1) if some and d.bool() else d.dim(ndim)
            if keyword:
                kwargs["dim"] = chosen
            else:
                args = (x, chosen)
            if d.bool():
                kwargs["keepdim"] = d.bool()
        if dtype and d.int(0, 3) == 0:
            kwargs["dtype"] = DType(d.of(*FLOATS))
        return Call(args, kwargs)

    return draw


def with_correction(d: Draw) -> Call:
    x = d.tensor(d.shape(min_dims=1, min_size=3) if d.for_gradient else None, special=False)
    ndim, form = x.values.ndim, d.of("whole", "unbiased", "dim", "correction")
    least = 1 if d.for_gradient else 0  # torch's slope for an empty list of dims is inf, though it reduces them all
    if form == "whole" or (form == "dim" and not ndim):
        return Call((x,))
    if form == "unbiased":
        return Call((x, d.bool()))
    if form == "dim":
        return Call((x, d.dims(ndim, least) if d.bool() else d.dim(ndim), d.bool(), d.bool()))
    return Call((x,), {"dim": d.dims(ndim, least) if ndim else None, "correction": d.int(0, 2), "keepdim": d.bool()})


def extreme(d: Draw) -> Call:
    x = d.tensor(d.shape(min_size=1) if d.for_gradient else None)
    ndim = x.values.ndim
    form = d.of("whole", "dim", "pair")
    if form == "whole":
        return Call((x,))
    if form == "dim":
        return Call((x, d.dim(ndim)), {"keepdim": d.bool()})
    return Call((x, d.tensor(d.part_of(x.values.shape))))


def counted(d: Draw) -> Call:
    x = d.tensor()
    return Call((x,) if d.bool() else (x, d.dims(x.values.ndim) if d.bool() else d.dim(x.values.ndim)))


def along(d: Draw) -> Call:
    x = d.tensor(special=False)
    return Call((x, d.dim(x.values.ndim)), {"dtype": DType("float64")} if d.int(0, 3) == 0 else {})


def bad_dims(name, *more):
    def call(dim, shape=(2, 3), **kwargs):
        return lambda t: getattr(t, name)(t.ones(shape), dim, **kwargs)

    return (
        ErrorCase("a dim out of range", call(2)),
        ErrorCase("a dim out of range from the end", call(-3)),
        ErrorCase("a dim of a 0-d tensor", call(1, ())),
        *more,
    )


def twice(name):
    return ErrorCase("a dim twice", lambda t: getattr(t, name)(t.ones(2, 3), (0, -2)))


def none_left(name):
    return ErrorCase("nothing to choose from", lambda t: getattr(t, name)(t.ones(0, 3), 0))


def whole_of_nothing(name):
    return ErrorCase("no elements at all", lambda t: getattr(t, name)(t.ones(0)))


LONG_MEAN = ErrorCase("integers", lambda t: t.tensor([1, 2]).mean())
LARGEST = "of equal elements torch's index is the first's, except that max(dim) promises none; ours is the first"


def first_of_pair(result):
    return result[0] if isinstance(result, tuple) else result


SPECS = (
    OpSpec("sum", over(dtype=True), ALL, rounding=SUMMED, half=HALF_SUM, errors=bad_dims("sum", twice("sum"))),
    OpSpec(
        "mean",
        over(dtype=True),
        NUMBERS,
        rounding=SUMMED,
        half=HALF_SUM,
        errors=bad_dims("mean", twice("mean"), LONG_MEAN),
    ),
    OpSpec(
        "prod",
        over(some=False, dtype=True),
        ALL,
        rounding=PRODUCT,
        gradient=Rounding(
            16.0, 128.0, "torch divides the product by its factors: second derivatives cancel terms / x**2"
        ),
        half=Rounding(4.0, 0.0, "n roundings"),
        errors=bad_dims("prod"),
    ),
    *(
        OpSpec(
            name,
            with_correction,
            FLOATING,
            rounding=SUMMED,
            half=HALF_SUM,
            errors=bad_dims(name, ErrorCase("integers", lambda t, name=name: getattr(t, name)(t.tensor([1, 2])))),
        )
        for name in ("var", "std", "var_mean", "std_mean")
    ),
    *(
        OpSpec(
            name,
            over(empty=False, min_size=1),
            ALL,
            rounding=EXACT,
            half=EXACT,
            errors=bad_dims(name, twice(name), none_left(name)),
        )
        for name in ("amax", "amin")
    ),
    OpSpec(
        "aminmax",
        over(some=False, keyword=True, min_size=1),
        ALL,
        rounding=EXACT,
        half=EXACT,
        errors=(whole_of_nothing("aminmax"),),
    ),
    *(
        OpSpec(
            name,
            extreme,
            NUMBERS,
            rounding=EXACT,
            half=EXACT,
            select=first_of_pair,
            notes=LARGEST,
            ties=False,
            errors=bad_dims(name, none_left(name), whole_of_nothing(name)),
        )
        for name in ("max", "min")
    ),
    *(
        OpSpec(
            name,
            over(some=False, min_size=1),
            NUMBERS,
            differentiable=False,
            rounding=EXACT,
            half=EXACT,
            errors=bad_dims(name, none_left(name), whole_of_nothing(name)),
        )
        for name in ("argmax", "argmin")
    ),
    *(OpSpec(name, over(), ALL, differentiable=False, errors=bad_dims(name)) for name in ("all", "any")),
    OpSpec("count_nonzero", counted, ALL, differentiable=False, errors=bad_dims("count_nonzero")),
    OpSpec(
        "logsumexp",
        over(whole=False, empty=False, nonempty=True),
        FLOATING + INTS,
        rounding=SUMMED,
        half=HALF_SUM,
        errors=bad_dims("logsumexp"),
    ),
    OpSpec("softmax", along, FLOATING, rounding=SUMMED, half=HALF_SUM, errors=bad_dims("softmax")),
    OpSpec("log_softmax", along, FLOATING, rounding=SUMMED, half=HALF_SUM, errors=bad_dims("log_softmax")),
)
