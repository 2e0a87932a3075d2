"""einsum: sums of products in Einstein's notation."""

from __future__ import annotations

import string

import minitorch2_kernels as K

from ..core.autocast import listed
from ..core.function import Function
from ..core.variable import Variable
from .reduce import spread


class Einsum(Function):
    """einsum over plain letters, each once per operand; every gradient is an einsum again."""

    @staticmethod
    def forward(ctx, inputs, output, *operands):
        ctx.inputs, ctx.output = inputs, output
        ctx.save_for_backward(*operands)
        return K.asarray(K.einsum(f"{','.join(inputs)}->{output}", *operands, optimize=len(operands) > 1))

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
    return Einsum.apply(tuple(names), output, *operands)


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
    return [x.expand([sizes[c] for c in n]) for n, x in zip(names, operands, strict=True)]


listed(globals())
