"""Padding: constant, by reflection, by repeating the edge, or around a ring."""

from __future__ import annotations

import operator

from ...core.autocast import listed
from ...ops._images import follows_format
from ...ops.pad import circular, pad_by_index, pad_constant, reflected, replicated

_BY_MODE = {"reflect": reflected, "replicate": replicated, "circular": circular}


@follows_format
def pad(input, pad, mode="constant", value=None):
    """input with pad[0] elements put before and pad[1] after it along the last dim, pad[2:4] along the one before, ...

    mode: 'constant' (of `value`, 0 unless told; any dims), 'reflect', 'replicate' or 'circular' (the last 1, 2 or 3
    dims of an input with one or two dims more). A negative amount cuts away.
    """
    pads, shape = [operator.index(p) for p in pad], input._data.shape
    ndim = len(shape)
    if len(pads) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pads) > 2 * ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pads)} and input of dimension {ndim}"
        )
    before, after = [0] * ndim, [0] * ndim
    for i in range(len(pads) // 2):
        before[ndim - 1 - i], after[ndim - 1 - i] = pads[2 * i], pads[2 * i + 1]
    if mode == "constant":
        return pad_constant(input, before, after, 0 if value is None else value)
    if mode not in _BY_MODE:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value not in (None, 0):
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    _check(shape, pads, before, after, mode)
    return pad_by_index(input, _BY_MODE[mode], before, after)


def _check(shape, pads, before, after, mode):
    ndim, padded = len(shape), len(pads) // 2
    if padded not in (1, 2, 3) or ndim - padded not in (1, 2):
        raise NotImplementedError(
            f"Padding size {len(pads)} is not supported for {ndim}D input tensor.\nSupported combinations for "
            "non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    if mode != "circular" and 0 in shape[ndim - padded - 1 :]:
        raise RuntimeError(
            f"Expected {padded + 1}D or {padded + 2}D (batch mode) tensor with possibly 0 batch size and other "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    for dim in range(ndim - padded, ndim):
        b, a, n = before[dim], after[dim], shape[dim]
        if mode == "reflect" and max(a, b) >= n:
            raise RuntimeError(
                f"Argument #{2 * (ndim - dim) + 2}: Padding size should be less than the corresponding input "
                f"dimension, but got: padding ({b}, {a}) at dimension {dim} of input {list(shape)}"
            )
        if mode == "circular" and max(a, b) > n + min(a, 0) + min(b, 0):
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if n + a + b < 0 or min(a, b) < -n:
            raise RuntimeError(
                f"Padding ({b}, {a}) would leave dimension {dim} of input {list(shape)} with a negative size"
            )


listed(globals())

__all__ = ["pad"]
