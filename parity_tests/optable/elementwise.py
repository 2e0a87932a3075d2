"""Element by element: one operand, two, or three."""

from __future__ import annotations

from .calls import Call
from .drawing import ALL, BOOL, FLOATING, FLOATS, INTS, NUMBERS, Draw
from .spec import EXACT, ErrorCase, OpSpec, Rounding

NOT_A_TENSOR = ErrorCase("a list", lambda t: t.exp([1.0, 2.0]))


def one(low=-4.0, high=4.0, anywhere=True):
    """One tensor; gradients are drawn between low and high, values from everywhere."""

    def draw(d: Draw) -> Call:
        return Call((d.tensor(None, *((low, high) if d.for_gradient or not anywhere else (-4.0, 4.0))),))

    return draw


def two(low=-4.0, high=4.0, low2=None, high2=None, **options):
    def draw(d: Draw) -> Call:
        return Call(d.pair(low, high, low2=low2, high2=high2, **options))

    return draw


def unary(name, low=-4.0, high=4.0, dtypes=ALL, **options) -> OpSpec:
    return OpSpec(name, one(low, high), dtypes, **options)


def binary(name, *draw_options, dtypes=ALL, **options) -> OpSpec:
    return OpSpec(name, two(*draw_options), dtypes, errors=(bad_shapes(name), *options.pop("errors", ())), **options)


def bad_shapes(name):
    return ErrorCase("shapes that do not broadcast", lambda t: getattr(t, name)(t.tensor([1, 2]), t.tensor([1, 2, 3])))


STEP = {"rounding": EXACT, "half": EXACT}
LIBM = Rounding(8.0, 0.0, "torch's vector functions and NumPy's are each good to a few ulps")

UNARY = (
    unary(
        "neg", dtypes=ALL, aliases=("negative",), **STEP, errors=(ErrorCase("bool", lambda t: t.neg(t.tensor([True]))),)
    ),
    unary("positive", dtypes=ALL, **STEP, errors=(ErrorCase("bool", lambda t: t.positive(t.tensor([True]))),)),
    unary("abs", dtypes=ALL, aliases=("absolute",), **STEP),
    unary("sign", dtypes=ALL, **STEP),
    unary("floor", dtypes=NUMBERS, **STEP),
    unary("ceil", dtypes=NUMBERS, **STEP),
    unary("trunc", dtypes=NUMBERS, aliases=("fix",), **STEP),
    unary("frac", dtypes=FLOATING, **STEP),
    unary("exp", rounding=LIBM, errors=(NOT_A_TENSOR,)),
    unary("exp2", rounding=LIBM),
    unary("expm1", rounding=LIBM),
    unary("log", 0.1, rounding=LIBM),
    unary("log2", 0.1, rounding=LIBM),
    unary("log10", 0.1, rounding=LIBM),
    unary("log1p", -0.9, rounding=LIBM),
    unary("sqrt", 0.1),
    unary("rsqrt", 0.1),
    unary("reciprocal", 0.1),
    unary("square"),
    unary("sin", rounding=LIBM),
    unary("cos", rounding=LIBM),
    unary("tan", -1.2, 1.2, rounding=LIBM),
    unary("asin", -0.9, 0.9, aliases=("arcsin",), rounding=LIBM),
    unary("acos", -0.9, 0.9, aliases=("arccos",), rounding=LIBM),
    unary("atan", aliases=("arctan",), rounding=LIBM),
    unary("sinh", rounding=LIBM),
    unary("cosh", rounding=LIBM),
    unary("tanh", rounding=LIBM),
    unary("asinh", aliases=("arcsinh",), rounding=LIBM),
    unary("acosh", 1.1, aliases=("arccosh",), rounding=LIBM),
    unary("atanh", -0.9, 0.9, aliases=("arctanh",), rounding=LIBM),
    unary("sigmoid", rounding=LIBM),
    unary(
        "erf",
        rounding=LIBM,
        half=Rounding(1.0, 0.001, "torch's vectorised float32 erf is 3e-7 off near 0; ours is not"),
    ),
    unary("erfc", rounding=LIBM),
    unary("relu", dtypes=ALL, **STEP),
    unary("isnan", dtypes=ALL, differentiable=False),
    unary("isinf", dtypes=ALL, differentiable=False),
    unary("isfinite", dtypes=ALL, differentiable=False),
    unary("logical_not", dtypes=ALL, differentiable=False),
    unary(
        "bitwise_not",
        dtypes=INTS + BOOL,
        differentiable=False,
        errors=(ErrorCase("floats", lambda t: t.bitwise_not(t.ones(2))),),
    ),
    OpSpec(
        "round", lambda d: Call(d_tensor(d), {"decimals": d.int(-2, 3)} if d.floating and d.bool() else {}), NUMBERS
    ),
    OpSpec(
        "clamp",
        lambda d: Call(d_tensor(d), clamp_bounds(d)),
        NUMBERS,
        aliases=("clip",),
        errors=(ErrorCase("no bound", lambda t: t.clamp(t.ones(2))),),
    ),
    OpSpec("clamp_min", lambda d: Call((d.tensor(), d.number())), NUMBERS),
    OpSpec("clamp_max", lambda d: Call((d.tensor(), d.number())), NUMBERS),
)


def d_tensor(d: Draw):
    return (d.tensor(),)


def clamp_bounds(d: Draw) -> dict:
    if d.bool():
        return {"min": d.tensor((), dtype=d.dtype), "max": d.tensor((), dtype=d.dtype)}
    low = d.number()
    return d.of({"min": low}, {"max": low}, {"min": low, "max": low + 1}, {"min": low, "max": low - 1})


def with_alpha(d: Draw) -> Call:
    a, b = d.pair()
    kwargs = {"alpha": d.number(integer=not d.floating)} if d.bool() else {}
    return Call((a, b), kwargs)


def division(d: Draw) -> Call:
    a, b = d.pair(low2=0.5, high2=4.0) if d.for_gradient else d.pair()
    mode = d.of(None, "floor", "trunc")
    return Call((a, b), {"rounding_mode": mode} if mode else {})


def power(d: Draw) -> Call:
    if d.for_gradient:
        a = d.tensor(None, 0.2, 3.0)
        return d.of(Call((a, d.number(-3, 3))), Call(d.pair(0.2, 3.0, number=False)), Call((2.5, a)), Call((0.0, a)))
    a, b = d.pair(-3.0, 3.0, low2=0.0)
    return d.of(Call((a, b)), Call((a, 2)), Call((d.number(), a)))


def scaled_three(low=-4.0):
    def draw(d: Draw) -> Call:
        shape = d.shape()
        first, second = d.tensor(shape), d.tensor(d.part_of(shape))
        args = (first, second, d.tensor(d.part_of(shape), low if d.for_gradient else -4.0))
        return Call(args, {"value": d.number()} if d.bool() else {})

    return draw


def lerp(d: Draw) -> Call:
    shape = d.shape()
    weight = d.number(0, 1, integer=False) if d.bool() else d.tensor(d.part_of(shape), -1, 2, special=False)
    return Call((d.tensor(shape, special=False), d.tensor(d.part_of(shape), special=False), weight))


def where(d: Draw) -> Call:
    shape = d.shape()
    condition = d.tensor(shape, dtype="bool")
    a, b = d.tensor(d.part_of(shape)), d.tensor(d.part_of(shape), dtype=d.partner_dtype())
    return Call(d.of((condition, a, b), (condition, a, d.number()), (condition, d.number(), b)))


def bits(d: Draw) -> Call:
    a, b = d.two_shapes()
    partner = d.of(d.dtype, d.dtype, *INTS, *BOOL)
    return Call((d.tensor(a), d.number(integer=True) if d.int(0, 3) == 0 else d.tensor(b, dtype=partner)))


def isclose(d: Draw) -> Call:
    a, b = d.pair(number=False, promote=False)
    return Call((a, b), d.of({}, {"rtol": 0.5}, {"atol": 1.0}, {"equal_nan": True}))


INTEGER_ZERO = ErrorCase("integer division by zero", lambda t: t.floor_divide(t.tensor([1]), t.tensor([0])))
FUSED = Rounding(4.0, 4.0, "torch multiplies and adds in one rounding where the processor can")

BINARY = (
    OpSpec(
        "add",
        with_alpha,
        ALL,
        errors=(
            bad_shapes("add"),
            ErrorCase("a float alpha on integers", lambda t: t.add(t.tensor([1]), t.tensor([1]), alpha=0.5)),
            ErrorCase("a string", lambda t: t.add(t.ones(2), "a")),
            ErrorCase("into a smaller kind", lambda t: t.tensor([1]).add_(0.5)),
            ErrorCase("into a smaller shape", lambda t: t.ones(2).add_(t.ones(3, 2))),
        ),
        rounding=FUSED,
    ),
    OpSpec(
        "sub",
        with_alpha,
        NUMBERS,
        aliases=("subtract",),
        rounding=FUSED,
        errors=(
            bad_shapes("sub"),
            ErrorCase("bools", lambda t: t.tensor([True]) - t.tensor([True])),
        ),
    ),
    OpSpec("rsub", with_alpha, NUMBERS, rounding=FUSED),
    binary("mul", dtypes=ALL, aliases=("multiply",), rounding=EXACT),
    OpSpec(
        "div",
        division,
        ALL,
        aliases=("divide", "true_divide"),
        errors=(
            bad_shapes("div"),
            ErrorCase("a mode that is none", lambda t: t.div(t.ones(1), t.ones(1), rounding_mode="up")),
            ErrorCase("integer division by zero", lambda t: t.div(t.tensor([1]), 0, rounding_mode="trunc")),
        ),
    ),
    binary("floor_divide", dtypes=NUMBERS, differentiable=False, errors=(INTEGER_ZERO,)),
    binary(
        "remainder",
        -4.0,
        4.0,
        0.5,
        4.0,
        dtypes=NUMBERS,
        special=False,
        notes="where the quotient overflows, torch's vectorised loop gives nan and its scalar one 0; ours is always 0",
    ),
    binary("fmod", -4.0, 4.0, 0.5, 4.0, dtypes=NUMBERS),
    OpSpec(
        "pow",
        power,
        NUMBERS,
        rounding=LIBM,
        gradient=Rounding(64.0, 32.0, "a power of a power, and a logarithm"),
        errors=(bad_shapes("pow"), ErrorCase("a negative integer power", lambda t: t.tensor([2]) ** -1)),
    ),
    OpSpec("maximum", two(number=False), ALL, rounding=EXACT, errors=(bad_shapes("maximum"),)),
    OpSpec("minimum", two(number=False), ALL, rounding=EXACT, errors=(bad_shapes("minimum"),)),
    OpSpec("atan2", two(number=False, promote=False), aliases=("arctan2",), rounding=LIBM),
    OpSpec(
        "lerp",
        lerp,
        rounding=Rounding(8.0, 8.0, "torch starts from the nearer end"),
        half=Rounding(4.0, 4.0, "torch rounds once, three ops round each"),
    ),
    OpSpec(
        "addcmul",
        scaled_three(),
        NUMBERS,
        special=False,
        rounding=FUSED,
        half=Rounding(4.0, 4.0, "torch rounds once, three ops round each"),
    ),
    OpSpec(
        "addcdiv",
        scaled_three(0.5),
        special=False,
        rounding=FUSED,
        half=Rounding(4.0, 4.0, "torch rounds once, three ops round each"),
    ),
    OpSpec(
        "where",
        where,
        ALL,
        rounding=EXACT,
        inplace=False,
        method=False,
        errors=(
            ErrorCase("a condition of floats", lambda t: t.where(t.ones(2), t.ones(2), t.ones(2))),
            ErrorCase("shapes that do not broadcast", lambda t: t.where(t.tensor([True]), t.ones(2), t.ones(3))),
        ),
        notes="x.where(condition, y) takes its arguments in another order: test_tensor_methods",
    ),
)

COMPARISONS = (
    *(
        binary(name, dtypes=ALL, differentiable=False, aliases=aliases)
        for name, aliases in {
            "eq": (),
            "ne": ("not_equal",),
            "lt": ("less",),
            "le": ("less_equal",),
            "gt": ("greater",),
            "ge": ("greater_equal",),
        }.items()
    ),
    *(
        OpSpec(name, two(number=False), ALL, differentiable=False, errors=(bad_shapes(name),))
        for name in ("logical_and", "logical_or", "logical_xor")
    ),
    *(
        OpSpec(
            name,
            bits,
            INTS + BOOL,
            differentiable=False,
            errors=(bad_shapes(name), ErrorCase("floats", lambda t, name=name: getattr(t, name)(t.ones(2), t.ones(2)))),
        )
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    ),
    OpSpec(
        "isclose",
        isclose,
        FLOATS + INTS + BOOL,  # torch subtracts halves in half precision: at the border the answers differ
        differentiable=False,
        errors=(ErrorCase("two dtypes", lambda t: t.isclose(t.ones(1), t.ones(1, dtype=t.float64))),),
    ),
    OpSpec("allclose", isclose, FLOATS + INTS, differentiable=False),
    OpSpec("equal", lambda d: Call(d.pair(number=False, promote=False)), ALL, differentiable=False),
)

SPECS = (*UNARY, *BINARY, *COMPARISONS)
