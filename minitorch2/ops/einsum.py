"""einsum: sums of products in Einstein's notation."""

from __future__ import annotations

import math
import string

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function
from ..core.memory_order import axes_in_order, broadcast_strides, empty_in_order, in_c_order
from ..core.variable import Variable
from ._common import to_dtype
from .reduce import spread
from .reduce import sum as sum_
from .views import permute


class Einsum(Function):
    """einsum over plain letters, each once per operand; every gradient is an einsum again."""

    @staticmethod
    def forward(ctx, inputs, output, *operands):
        ctx.inputs, ctx.output = inputs, output
        ctx.save_for_backward(*operands)
        rank = {c: i for i, c in enumerate([*output, *sorted(set("".join(inputs)) - set(output))])}
        left = list(zip(inputs, operands, strict=True))
        while len(left) > 1:  # from left to right, as torch does it
            (names, a), (others, b), *left = left
            needed = set(output).union(*(n for n, _ in left))
            a = _summed(names, a, needed | set(others))
            b = _summed(others, b, needed | set(names))
            left.insert(0, _contract(*a, *b, needed, rank))
        names, y = _summed(left[0][0], left[0][1], set(output))
        return K.asarray(y.transpose([names.index(c) for c in output]))

    @staticmethod
    def backward(ctx, g):  # to one operand: the einsum of g with all the others, onto that operand's letters
        operands, grads = ctx.saved, []
        for i, letters in enumerate(ctx.inputs):
            if not ctx.needs_input_grad[2 + i]:
                grads.append(None)
                continue
            others = [o for j, o in enumerate(operands) if j != i]
            names = [ctx.output, *(n for j, n in enumerate(ctx.inputs) if j != i)]
            present = "".join(c for c in letters if any(c in n for n in names))
            grad = Einsum.apply(tuple(names), present, g, *others)
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
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    if isinstance(equation, Variable):
        equation, operands = _equation_of_lists((equation, *operands))
    if not operands:
        raise ValueError("einsum(): must provide at least one operand")
    equation = equation.replace(" ", "")
    left, arrow, output = equation.partition("->")
    names = left.split(",")
    if len(names) != len(operands):
        more = "more" if len(operands) > len(names) else "fewer"
        raise RuntimeError(f"einsum(): {more} operands were provided than specified in the equation")
    names, operands, ellipsis = _expand_ellipsis(names, list(operands))
    if arrow:
        output = output.replace("...", ellipsis)
    else:
        letters = "".join(names)
        output = ellipsis + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in ellipsis))
    for c in output:
        if not any(c in n for n in names) or output.count(c) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {c} does not appear in the equation for any input operand, or twice"
            )
    names, operands = _take_diagonals(names, operands)
    operands = _fit_sizes(names, operands)
    if len(operands) == 1:
        return _rearranged(names[0], operands[0], output)
    if any(x._data.dtype.kind in "biu" for x in operands):
        letters = "".join(names)
        if any(letters.count(c) == 1 and c not in output for c in letters):  # a sum of one, not a product
            operands = [to_dtype(x, K.int64) if x._data.dtype.kind in "biu" else x for x in operands]
    return Einsum.apply(tuple(names), output, *operands)


def _rearranged(names, x, output):
    """The sums of one operand, its dims in another order: a view where nothing is summed."""
    gone = [i for i, c in enumerate(names) if c not in output]
    if gone:
        x, names = sum_(x, gone), "".join(c for c in names if c in output)
    return permute(x, [names.index(c) for c in output])


def _equation_of_lists(arguments):
    """The equation in einsum(a, [0, 1], b, [1, 2], [0, 2]): numbers from 0 to 51 stand for A to Z and a to z."""

    def letters(numbers):
        return "".join("..." if n is ... else string.ascii_letters.swapcase()[n] for n in numbers)

    count = len(arguments) // 2
    equation = ",".join(letters(numbers) for numbers in arguments[1 : 2 * count : 2])
    if len(arguments) % 2:
        equation += "->" + letters(arguments[-1])
    return equation, arguments[: 2 * count : 2]


def _expand_ellipsis(names, operands):
    extra = []
    for n, x in zip(names, operands, strict=True):
        bare = n.replace("...", "")
        if not bare.isalpha() and bare:
            raise RuntimeError(f"einsum(): invalid subscript given at index {n}, subscripts must be in [a-zA-Z]")
        missing = x._data.ndim - len(bare)
        if missing < 0 or ("..." not in n and missing):
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({len(bare)}) does not match the number of "
                f"dimensions ({x._data.ndim}) for operand and no ellipsis was given"
            )
        extra.append(missing)
    used = set("".join(names))
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in used]
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


def _fit_sizes(names, operands):
    """A size-1 dim under a letter that is larger elsewhere is broadcast."""
    sizes: dict[str, int] = {}
    for n, x in zip(names, operands, strict=True):
        for c, size in zip(n, x._data.shape, strict=True):
            if sizes.get(c, 1) not in (1, size) and size != 1:
                raise RuntimeError(
                    f"einsum(): subscript {c} has size {size} for one operand which does not broadcast with previously "
                    f"seen size {sizes[c]}"
                )
            sizes[c] = size if sizes.get(c, 1) == 1 else sizes[c]
    fitted = [tuple(sizes[c] for c in n) for n in names]
    return [x if x._data.shape == shape else x.expand(shape) for x, shape in zip(operands, fitted, strict=True)]


listed(globals())
