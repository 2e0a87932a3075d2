"""jacrev, jacfwd, hessian: whole Jacobians, by one backward pass for each element of the output."""

from __future__ import annotations

import functools

from ..autograd.functional import jacobian_of
from ..core.function import Function
from . import tree
from .transforms import attach, results_of


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """The function that computes the Jacobian of func in its argument number `argnums`.

    For each tensor of func's output a tree in the shape of that argument (for a tuple of argnums, a tuple of trees) of
    tensors of shape (*output, *input). has_aux: func returns (output, anything) and the new function (Jacobian,
    anything). chunk_size, how many rows torch computes at once, changes nothing here: it is always one.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    return _jacobian(func, argnums, has_aux, "jacrev", lambda y, rows: rows)


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """As :func:`jacrev`. torch computes it column by column in forward mode; here both are computed in reverse, so for
    many outputs of few inputs it is slower. A result has the output's dtype."""
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    return _jacobian(
        func, argnums, has_aux, "jacfwd", lambda y, rows: [Function.to_dtype(row, y._data.dtype) for row in rows]
    )


def hessian(func, argnums=0):
    """The function that computes func's second derivatives: the Jacobian of its Jacobian, each in the argument(s)."""
    return jacfwd(jacrev(func, argnums), argnums)


def _jacobian(func, argnums, has_aux, op, finished):
    @functools.wraps(func)
    def jacobian(*args, **kwargs):
        level, args, shape = attach(args, argnums)
        ys, result_shape, aux = results_of(level, func, args, kwargs, has_aux, op)
        create = level.reaches_outside(ys)
        found = [finished(y, jacobian_of(y, level.inputs, create, strict=False)) for y in ys]
        found = [tree.unflatten(level.released(tuple(rows)), shape) for rows in found]
        found = tree.unflatten(found, result_shape)
        return (found, level.released(aux)) if has_aux else found

    return jacobian
