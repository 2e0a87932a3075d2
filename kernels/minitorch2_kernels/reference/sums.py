"""Sums and products over some of the dims."""

from __future__ import annotations

import string

import numpy as np

from ..dispatch import asarray, kernel, namespace, on_device
from .arithmetic import LONG, asked_if_long
from .cast import cast


@kernel
def channel_sums(x):
    """(C,) in x's dtype: the sums of x (N, C, ...) over all dims but the second, which is what the gradient of a bias
    is."""
    return x.sum(axis=(0, *range(2, x.ndim)), dtype=x.dtype)


@kernel
def long_sums(x, axes, keepdims):
    """The sums of x over `axes`, from 0 on and in order, in x's dtype; keepdims: those dims stay, with size 1."""
    return asarray(x.sum(axis=axes, keepdims=keepdims, dtype=x.dtype))


def sums(x, axes, keepdims=False):
    """As long_sums; short arrays do not ask for kernels."""
    if x.ndim > 1 and axes == (0, *range(2, x.ndim)):
        totals = channel_sums(x)
        return totals.reshape(1, -1, *(1,) * len(axes[1:])) if keepdims else totals
    if x.size >= LONG:
        return long_sums(x, tuple(sorted(axes)), keepdims)
    return x.sum(axis=axes, keepdims=keepdims, dtype=x.dtype)


def sums_of_products(x, y, axis):
    """The sums of x * y along `axis`. NumPy's einsum makes no product in memory; CuPy's calls cuBLAS by a handle that
    cannot be captured in a graph."""
    if on_device(x):
        return (x * y).sum(axis=axis)
    dims = string.ascii_letters[: x.ndim]
    return np.einsum(f"{dims},{dims}->{dims.replace(dims[axis], '')}", x, y)


@kernel
def long_products(x, axis, keepdims):
    """The products of x along `axis`, in x's dtype; keepdims: that dim stays, with size 1."""
    return asarray(x.prod(axis=axis, keepdims=keepdims, dtype=x.dtype))


products = asked_if_long(long_products)


@kernel
def running_sums(x, axis, backwards):
    """The sums along `axis` of each element and all before it, or all after it, in x's dtype; like x."""
    xp = namespace(x)
    if not backwards:
        return xp.cumsum(x, axis=axis, dtype=x.dtype)
    return xp.flip(xp.cumsum(xp.flip(x, axis), axis=axis, dtype=x.dtype), axis)


@kernel
def running_products(x, axis):
    """The product along `axis` of each element and all before it, in x's dtype; like x."""
    return namespace(x).cumprod(x, axis=axis, dtype=x.dtype)


def bias_grad(g):
    """channel_sums, of half precision summed in float32 and rounded once."""
    return channel_sums(g) if g.itemsize > 2 else cast(channel_sums(cast(g, np.float32)), g.dtype)
