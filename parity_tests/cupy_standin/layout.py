"""How CuPy lays its results out where that is neither C order, the rule, nor the argument's.

What comes after must not count on C order where a GPU does not give it: a kernel sees memory alone.
"""

from __future__ import annotations

import numpy as np

# What takes the order of memory over from its argument.
_IN_ITS_ORDER = frozenset(("copy", "empty_like", "full_like", "ones_like", "zeros_like"))
_REDUCTIONS = frozenset(("sum", "prod", "max", "min", "amax", "amin", "mean"))
_SCANS = frozenset(("cumsum", "cumprod"))
_SORTS = frozenset(("argsort", "argpartition"))
# Which of the results are matrices in cuSOLVER's and cuBLAS's own order.
_BY_COLUMNS = {"qr": (0, 1), "svd": (0, 2), "eigh": (1,)}


def laid_out(result, name: str, source, axis):
    """The result of `name` as CuPy lays it out: of `source`, the first argument, along `axis` (None: not given)."""
    if isinstance(result, tuple):
        by_columns = _BY_COLUMNS.get(name, ())
        return tuple(
            _with_last(each, -2) if i in by_columns and each.ndim > 1 else laid_out(each, name, source, axis)
            for i, each in enumerate(result)
        )
    if not isinstance(result, np.ndarray) or result.base is not None or name in _IN_ITS_ORDER:
        return result
    if name == "solve" and result.ndim > 1:
        return _with_last(result, -2)
    if isinstance(source, np.ndarray) and source.ndim > 1:
        if name in _REDUCTIONS and axis is not None and _leading(axis, source.ndim) and source.flags.f_contiguous:
            return np.asfortranarray(result)  # the sums of whole columns stand where those stood
        if name in _SCANS and axis is not None and 0 < axis % source.ndim < source.ndim - 1:
            return _with_last(result, axis)
        if name in _SORTS:
            return _with_last(result, -1 if axis is None else axis)
    return np.ascontiguousarray(result) if result.ndim else result


def _leading(axis, ndim: int) -> bool:
    axes = sorted(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    return axes == list(range(len(axes)))


def _with_last(result, axis):
    """The same numbers, those along `axis` beside each other in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(result, axis, -1)), -1, axis)
