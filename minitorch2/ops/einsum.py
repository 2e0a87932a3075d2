"""einsum: sums of products in Einstein's notation."""

from __future__ import annotations

import math
import string

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function
from ..core.memory_order import axes_in_order, broadcast_strides, empty_in_order, in_c_order
from ..core.variable import Variable, type_name
from ._common import result_type, to_dtype
from .reduce import spread
from .reduce import sum as sum_
from .views import permute


class Einsum(Function):
    """einsum of two operands over plain letters, each once per operand; both gradients are einsums again."""

    @staticmethod
    def forward(ctx, inputs, output, a, b):
        ctx.inputs, ctx.output = inputs, output
        ctx.save_for_backward(a, b)
        names, others = inputs
        rank = {c: i for i, c in enumerate([*output, *sorted({*names, *others} - set(output))])}
        a = _summed(names, a, {*output, *others})
        b = _summed(others, b, {*output, *names})
        letters, y = _contract(*a, *b, set(output), rank)
        return K.asarray(y.transpose([letters.index(c) for c in output]))

    @staticmethod
    def backward(ctx, g):  # to one operand: the einsum of g with the other, onto that operand's letters
        operands, grads = ctx.saved, []
        for i, letters in enumerate(ctx.inputs):
            if not ctx.needs_input_grad[2 + i]:
                grads.append(None)
                continue
            names = (ctx.output, ctx.inputs[1 - i])
            present = "".join(c for c in letters if any(c in n for n in names))
            grad = Einsum.apply(names, present, g, operands[1 - i])
            lone = tuple(k for k, c in enumerate(letters) if c not in present)  # summed away: the same for every index
            grads.append(spread(grad, operands[i].shape, lone) if lone else grad)
        return None, None, *grads


def _summed(names, x, needed):
    """(names, x) without the letters that nobody needs."""
    gone = tuple(i for i, c in enumerate(names) if c not in needed)
    return ("".join(c for c in names if c in needed), x.sum(axis=gone, dtype=x.dtype)) if gone else (names, x)


def _contract(names, a, others, b, needed, rank):
    """(letters, array): the product of two operands, summed over what they share and nobody else needs: one batched
    matrix product. The array lies in the order of its letters: what both keep, then the first's, then the second's."""
    rows, columns = (sorted(set(x) - set(y), key=rank.get) for x, y in ((names, others), (others, names)))
    if rows and columns and rank[columns[-1]] < rank[rows[0]]:  # torch's choice, which makes the result contiguous
        return _contract(others, b, names, a, needed, rank)
    shared = sorted(set(names) & set(others), key=rank.get)
    batch, inner = [c for c in shared if c in needed], [c for c in shared if c not in needed]
    if not inner:  # nothing is summed
        letters = sorted({*names, *others}, key=rank.get)
        a, b = (_aligned(n, x, letters) for n, x in ((names, a), (others, b)))
        shape = [n if m == 1 else m for n, m in zip(a.shape, b.shape, strict=True)]
        axes = axes_in_order(shape, broadcast_strides(a), broadcast_strides(b))
        y = empty_in_order(K.namespace(a), shape, axes, a.dtype)
        return "".join(letters), K.multiply(a, b, out=y)
    letters = (*batch, *rows, *columns)
    sizes = dict(zip((*names, *others), (*a.shape, *b.shape), strict=True))
    n, k, high, wide = (math.prod(sizes[c] for c in some) for some in (batch, inner, rows, columns))
    a = a.transpose([names.index(c) for c in (*batch, *rows, *inner)])
    b = b.transpose([others.index(c) for c in (*batch, *inner, *columns)])
    if batch:
        y = K.matmul(a.reshape(n, high, k), b.reshape(n, k, wide))
    else:
        y = K.matmul(a.reshape(high, k), b.reshape(k, wide))
    return "".join(letters), in_c_order(y).reshape([sizes[c] for c in letters])


def _aligned(names, x, letters):
    """x with a dim for each of the letters, of size 1 for those that it does not have."""
    x = x.transpose([names.index(c) for c in letters if c in names])
    return x[tuple(slice(None) if c in names else None for c in letters)]


def einsum(equation, *operands):
    """Sums of products in Einstein's notation, with '...' and repeated letters: einsum("bij,bjk->bik", a, b)."""
    if isinstance(equation, Variable):
        equation, operands = _equation_of_lists((equation, *operands))
    elif len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    if not operands:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    if not isinstance(equation, str):
        raise TypeError(f"einsum(): argument 'equation' (position 1) must be str, not {type_name(equation)}")
    for i, x in enumerate(operands):
        if not isinstance(x, Variable):
            raise TypeError(f"expected Tensor as element {i} in argument 1, but got {type_name(x)}")
    names, output = _parsed(equation, len(operands))
    names, operands, ellipsis = _expand_ellipsis(names, list(operands))
    if output is not None:
        output = output.replace("...", ellipsis)
    else:
        letters = "".join(names)
        output = ellipsis + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in ellipsis))
    for c in output:
        if output.count(c) > 1:
            raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the output")
        if not any(c in n for n in names):
            raise RuntimeError(f"einsum(): output subscript {c} does not appear in the equation for any input operand")
    names, operands = _take_diagonals(names, operands)
    summed = _summed_over_several(names, operands, output)
    operands = _fit_sizes(names, operands, ellipsis)
    if len(operands) == 1:
        return _rearranged(names[0], operands[0], output)
    if len({x._data.dtype for x in operands}) > 1:
        operands = _of_one_dtype(operands, summed)
    if any(x._data.dtype.kind in "biu" for x in operands):
        letters = "".join(names)
        if any(letters.count(c) == 1 and c not in output for c in letters):  # a sum of one, not a product
            operands = [to_dtype(x, K.int64) if x._data.dtype.kind in "biu" else x for x in operands]
    return _from_left_to_right(names, operands, output)


def _from_left_to_right(names, operands, output):
    """The operands contracted pair by pair, as torch does it: each pair's gradient is then of a pair too, where one of
    the whole product to its first operand would begin with an outer product of the others."""
    order = [*output, *sorted(set("".join(names)) - set(output))]
    (letters, *names), (y, *operands) = names, operands
    for i, (others, x) in enumerate(zip(names, operands, strict=True), 1):
        needed = set(output).union(*names[i:]) & {*letters, *others}
        kept = "".join(c for c in order if c in needed)
        y, letters = Einsum.apply((letters, others), kept, y, x), kept
    return y


def _rearranged(names, x, output):
    """The sums of one operand, its dims in another order: a view where nothing is summed."""
    gone = [i for i, c in enumerate(names) if c not in output]
    if gone:
        x, names = sum_(x, gone), "".join(c for c in names if c in output)
    return permute(x, [names.index(c) for c in output])


def _parsed(equation: str, count: int):
    """(the subscripts of each of `count` operands, those of the output, None without an arrow): letters and '...'."""
    left, arrow, output = equation.partition("->")
    names, start = [], 0
    for part in left.split(","):
        if len(names) == count:
            raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
        i = len(names)
        twice, alone = (
            f"operand {i} for which an ellipsis was already found",
            f"operand {i} that is not part of any ellipsis",
        )
        names.append(_subscripts(part, start, twice, alone))
        start += len(part) + 1
    if len(names) < count:
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    if not arrow:
        return names, None
    twice, alone = "output but an ellipsis (...) was already found", "output that is not part of any ellipsis (...)"
    return names, _subscripts(output, start + 1, twice, alone)


def _subscripts(part: str, start: int, twice: str, alone: str) -> str:
    """What a part of the equation, which begins at its index `start`, says without spaces. twice and alone: what is
    wrong with a point behind an ellipsis, and with one that belongs to none."""
    found, i = "", 0
    while i < len(part):
        c = part[i]
        if c == ".":
            if "..." in found or part[i : i + 3] != "...":
                raise RuntimeError(f"einsum(): found '.' for {twice if '...' in found else alone}")
            c = "..."
        elif c != " " and c not in string.ascii_letters:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {start + i} in the equation string, subscripts must be in "
                "[a-zA-Z]"
            )
        found += c.strip()
        i += len(c)
    return found


def _equation_of_lists(arguments):
    """The equation in einsum(a, [0, 1], b, [1, 2], [0, 2]): numbers from 0 to 51 stand for A to Z and a to z."""

    def letters(numbers):
        if not all(n is ... or 0 <= n < 52 for n in numbers):
            raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
        return "".join("..." if n is ... else string.ascii_letters.swapcase()[n] for n in numbers)

    count = len(arguments) // 2
    equation = ",".join(letters(numbers) for numbers in arguments[1 : 2 * count : 2])
    if len(arguments) % 2:
        equation += "->" + letters(arguments[-1])
    return equation, arguments[: 2 * count : 2]


def _expand_ellipsis(names, operands):
    extra = []
    for i, (n, x) in enumerate(zip(names, operands, strict=True)):
        bare = n.replace("...", "")
        missing = x._data.ndim - len(bare)
        if missing < 0 or ("..." not in n and missing):
            wrong = "is more than" if "..." in n else "does not match"
            given = "" if "..." in n else " and no ellipsis was given"
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(bare)}) {wrong} the number of dimensions "
                f"({x._data.ndim}) for operand {i}{given}"
            )
        extra.append(missing)
    used = set("".join(names))
    free = [c for c in string.ascii_letters.swapcase() if c not in used]
    ellipsis = "".join(free[: max(extra)])
    names = [n.replace("...", ellipsis[len(ellipsis) - k :]) for n, k in zip(names, extra, strict=True)]
    return names, operands, ellipsis


def _take_diagonals(names, operands):
    """A letter twice in one operand means its diagonal."""
    for i, n in enumerate(names):
        while len(set(n)) < len(n):
            c = next(c for c in n if n.count(c) > 1)
            first, second = n.index(c), n.index(c, n.index(c) + 1)
            sizes = operands[i]._data.shape
            if sizes[first] != sizes[second]:
                raise RuntimeError(
                    f"einsum(): subscript {c} is repeated for operand {i} but the sizes don't match, "
                    f"{sizes[second]} != {sizes[first]}"
                )
            operands[i] = operands[i].diagonal(0, first, second)
            n = n.replace(c, "") + c
            rest = [k for k, d in enumerate(names[i]) if k not in (first, second)]
            n = "".join(names[i][k] for k in rest) + c
            names[i] = n
    return names, operands


def _summed_over_several(names, operands, output) -> bool:
    """Whether products of two operands are summed: over a letter of both, of more than one element, not in the
    output."""
    letters = [c for n, x in zip(names, operands, strict=True) for c, m in zip(n, x._data.shape, strict=True) if m != 1]
    return any(letters.count(c) > 1 and c not in output for c in letters)


def _of_one_dtype(operands, summed):
    """The operands in a common dtype, as those of a product element by element; RuntimeError where it is `summed`."""
    if summed:
        first = operands[0]
        other = next(x for x in operands if x._data.dtype != first._data.dtype)
        raise RuntimeError(f"expected scalar type {first.dtype.torch_type} but found {other.dtype.torch_type}")
    dtype = result_type(*operands).numpy
    return [to_dtype(x, dtype) for x in operands]


def _fit_sizes(names, operands, ellipsis):
    """A size-1 dim under a letter that is larger elsewhere is broadcast."""
    sizes: dict[str, int] = {}
    for i, (n, x) in enumerate(zip(names, operands, strict=True)):
        for dim, (c, size) in enumerate(zip(n, x._data.shape, strict=True)):
            if sizes.get(c, 1) not in (1, size) and size != 1:
                if c in ellipsis:
                    raise RuntimeError(
                        f"einsum(): dimension {dim} covered by ellipsis in operand {i} has size {size} which does not "
                        f"broadcast with previously seen ellipsis with size {sizes[c]} for the respective dimension"
                    )
                raise RuntimeError(
                    f"einsum(): subscript {c} has size {size} for operand {i} which does not broadcast with previously "
                    f"seen size {sizes[c]}"
                )
            sizes[c] = size if sizes.get(c, 1) == 1 else sizes[c]
    fitted = [tuple(sizes[c] for c in n) for n in names]
    return [x if x._data.shape == shape else x.expand(shape) for x, shape in zip(operands, fitted, strict=True)]


listed(globals())
