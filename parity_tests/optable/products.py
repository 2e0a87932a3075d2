"""The matmul family, einsum, norms."""

from __future__ import annotations

from .calls import Call
from .drawing import FLOATING, Draw
from .spec import SUMMED, ErrorCase, OpSpec, Rounding

HALF_PRODUCT = Rounding(4.0, 4.0, "torch rounds partial sums of half products in its own order")
POWERS = Rounding(64.0, 32.0, "powers and roots of sums of powers")
NUMBERS = (*FLOATING, "int64", "int32")


def matmul(d: Draw) -> Call:
    n, k, m = (d.of(0, 1, 2, 3, 4) for _ in range(3))
    batch_a, batch_b = d.two_shapes(max_dims=2, max_size=3)
    a = d.of((k,), (n, k), (*batch_a, n, k))
    b = d.of((k,), (k, m), (*batch_b, k, m))
    return Call((tensor(d, a), tensor(d, b)))


def tensor(d: Draw, shape):
    return d.tensor(shape, special=False)


def sized(*shapes):
    """Tensors whose shapes share letters: sized("nk", "km")."""

    def draw(d: Draw) -> Call:
        sizes = {letter: d.of(0, 1, 2, 3, 4) for letter in sorted(set("".join(shapes)))}
        return Call(tuple(tensor(d, tuple(sizes[c] for c in shape)) for shape in shapes))

    return draw


def added(*shapes, result):
    """As sized, after a tensor that broadcasts to `result`; with beta and alpha."""

    def draw(d: Draw) -> Call:
        sizes = {letter: d.of(1, 2, 3) for letter in sorted(set("".join(shapes)))}
        bias = d.tensor(d.part_of(tuple(sizes[c] for c in result)), special=False, layout="contiguous")
        factors = {name: d.number(integer=True) for name in ("beta", "alpha") if d.bool()}
        return Call((bias, *(tensor(d, tuple(sizes[c] for c in shape)) for shape in shapes)), factors)

    return draw


EQUATIONS = (
    "ij,jk->ik",
    "ij,jk",
    "bij,bjk->bik",
    "i,i->",
    "i,j->ij",
    "ij->ji",
    "ij->",
    "ij->j",
    "ii->i",
    "ii->",
    "iij->ji",
    "ij,ij->ij",
    "bi,ij,bj->b",
    "...ij,...jk->...ik",
    "...i->...",
    "b...,b...->b...",
    "ijk,ki->j",
    "i,->i",
    "ij,kj->",
)


def einsum(d: Draw) -> Call:
    equation = d.of(*EQUATIONS)
    sizes = {c: d.of(1, 2, 3) for c in "bijk"}
    more = d.shape(max_dims=2, max_size=2, min_size=1)
    shapes = []
    for letters in equation.split("->")[0].split(","):
        dots = letters.find("...")
        named = [sizes[c] for c in letters if c != "."]
        shapes.append(tuple(named[: max(dots, 0)]) + more + tuple(named[max(dots, 0) :]) if dots >= 0 else tuple(named))
    return Call((equation, *(tensor(d, s) for s in shapes)))


def tensordot(d: Draw) -> Call:
    i, j, k, m = (d.of(1, 2, 3) for _ in range(4))
    if d.bool():
        return Call((tensor(d, (i, j, k)), tensor(d, (j, k, m))), {"dims": 2})
    return Call((tensor(d, (i, j, k)), tensor(d, (k, m, i))), {"dims": ([0, -1], [2, 0])})


def norm(d: Draw) -> Call:
    x = d.tensor(d.shape(min_size=1), special=False)
    p = d.of(2, "fro", 3, 1, 0.5, float("inf"), -float("inf"), 0)
    if p == "fro" or d.bool():
        return Call((x,) if p == "fro" else (x, p))
    return Call((x, p, d.dim(x.values.ndim)), {"keepdim": d.bool()})


def mixed(name, a, b):
    return ErrorCase("two dtypes", lambda t: getattr(t, name)(t.ones(a), t.ones(b, dtype=t.float64)))


def misfit(name, *shapes):
    return ErrorCase(f"shapes {shapes}", lambda t: getattr(t, name)(*(t.ones(s) for s in shapes)))


def product(name, draw, *errors, **options) -> OpSpec:
    defaults = {"dtypes": NUMBERS, "rounding": SUMMED, "half": HALF_PRODUCT}
    return OpSpec(name, draw, errors=errors, **{**defaults, **options})


SPECS = (
    product(
        "matmul",
        matmul,
        misfit("matmul", (2, 3), (2, 3)),
        misfit("matmul", (), (3,)),
        misfit("matmul", (3,), (2,)),
        misfit("matmul", (2, 3), (2,)),
        misfit("matmul", (2, 4, 3), (3, 3, 4)),
        mixed("matmul", (2, 2), (2, 2)),
        ErrorCase("a number", lambda t: t.ones(2, 2) @ 2),
    ),
    product(
        "mm",
        sized("nk", "km"),
        misfit("mm", (2, 3), (2, 3)),
        misfit("mm", (3,), (3, 2)),
        misfit("mm", (2, 3), (3,)),
        mixed("mm", (2, 2), (2, 2)),
    ),
    product(
        "bmm",
        sized("bnk", "bkm"),
        misfit("bmm", (2, 3, 4), (2, 3, 4)),
        misfit("bmm", (3, 4), (2, 4, 3)),
        misfit("bmm", (2, 3, 4), (3, 4, 3)),
    ),
    product("mv", sized("nk", "k"), misfit("mv", (2, 3), (2,)), misfit("mv", (3,), (3,))),
    product("dot", sized("k", "k"), misfit("dot", (2,), (3,)), misfit("dot", (2, 2), (2,)), mixed("dot", (2,), (2,))),
    product("outer", sized("n", "m"), misfit("outer", (2, 2), (2,)), aliases=("ger",)),
    product(
        "addmm",
        added("nk", "km", result="nm"),
        misfit("addmm", (2, 2), (2, 3), (2, 3)),
        misfit("addmm", (3,), (2, 3), (3, 2)),
    ),
    product("addmv", added("nk", "k", result="n"), misfit("addmv", (2,), (2, 3), (2,))),
    product("addr", added("n", "m", result="nm"), misfit("addr", (2, 2), (2,), (3,))),
    product("baddbmm", added("bnk", "bkm", result="bnm"), misfit("baddbmm", (2, 2, 2), (2, 3, 4), (2, 3, 4))),
    product(
        "addbmm",
        added("bnk", "bkm", result="nm"),
        misfit("addbmm", (2, 2), (2, 3, 4), (2, 3, 4)),
        inplace=False,
        notes="torch gives x another shape where x broadcasts; ours refuses",
    ),
    product(
        "einsum",
        einsum,
        ErrorCase("an unknown output letter", lambda t: t.einsum("ij->k", t.ones(2, 2))),
        ErrorCase("too few operands", lambda t: t.einsum("ij,jk->ik", t.ones(2, 2))),
        ErrorCase("too many operands", lambda t: t.einsum("ij->ij", t.ones(2, 2), t.ones(2, 2))),
        ErrorCase("too few letters", lambda t: t.einsum("i->i", t.ones(2, 2))),
        ErrorCase("sizes that differ", lambda t: t.einsum("ij,jk->ik", t.ones(2, 2), t.ones(3, 2))),
        ErrorCase("a digit", lambda t: t.einsum("i1->i", t.ones(2, 2))),
        ErrorCase("no operands", lambda t: t.einsum("i->i")),
        dtypes=(*FLOATING, "int64"),
        notes="smaller integers come out as int64 in torch where a letter is summed alone, as themselves elsewhere",
    ),
    product(
        "tensordot",
        tensordot,
        ErrorCase("sizes that differ", lambda t: t.tensordot(t.ones(2, 3), t.ones(2, 3), 1)),
        ErrorCase("lists that differ", lambda t: t.tensordot(t.ones(2, 3), t.ones(2, 3), ([0, 1], [0]))),
    ),
    OpSpec(
        "norm",
        norm,
        FLOATING,
        rounding=POWERS,
        gradient=POWERS,
        half=HALF_PRODUCT,
        ties=False,
        errors=(
            ErrorCase("integers", lambda t: t.tensor([1, 2]).norm()),
            ErrorCase("out of range", lambda t: t.ones(2).norm(dim=1)),
        ),
    ),
)
