"""The loops that numba compiles for compiled_sampling.py. Importing this module imports numba.

An image's plane is read from a frame of zeros, one element before and two after it, so that four neighbours of any
place are there and no loop asks which."""

from __future__ import annotations

import functools

import numpy as np

from . import jit as compiling
from .loops import clear, copy, inner
from .share_loops import shareable

exactly = functools.partial(compiling.jit, error_model="numpy")
jit = functools.partial(compiling.jit, fastmath={"contract"}, error_model="numpy")


@exactly  # where an element ends is a matter of the last bit
def _find(places, n, step, padding, aligned, at, t, slope):
    """What _axis of reference/sampling.py says of places (P,) along an axis of n elements: at += (the element before
    + 1) * step, how far beyond it, and, unless padding is 0, the slope of folding back. Padding: 0 zeros, 1 border,
    2 reflection."""
    real, number = t.dtype.type, np.int32
    zero, one, half = real(0), real(1), real(0.5)
    last, far = real(n - 1), real(n)
    scale, shift, start = (last, zero, zero) if aligned else (far, one, -half)
    for i in range(len(t)):
        t[i] = ((places[i] + one) * scale - shift) * half
    if padding == 1:
        for i in range(len(t)):
            slope[i] = one
    if padding == 2:
        for i in range(len(t)):
            from_start = t[i] - start
            distance = abs(from_start)
            turns = np.floor(distance / scale)
            rest = distance - turns * scale
            back = turns - (one + one) * np.floor(turns * half) == one
            slope[i] = -one if back != (from_start < zero) else one
            t[i] = (scale - rest if back else rest) + start
    if padding != 0:
        for i in range(len(t)):
            x = t[i]
            slope[i] = slope[i] if (x > zero) & (x < last) else zero
            x = x if x > zero else zero  # NaN too
            t[i] = x if x < last else last
    for i in range(len(t)):
        before = np.floor(t[i])
        t[i] -= before
        column = number(before if (before >= -one) & (before < far) else far)  # NaN is outside
        at[i] += (column + number(1)) * number(step)


@exactly
def _find_both(grid, height, width, padding, aligned, at, t, slopes):
    """_find for places (P, 2): at (P,) in the flattened frame; t and slopes (2, P), of x and of y."""
    for i in range(len(at)):
        at[i] = 0
    for axis in range(2):
        n, step = (width, 1) if axis == 0 else (height, width + 3)
        _find(grid[:, axis], n, step, padding, aligned, at, t[axis], slopes[axis])


@inner
def _put_in(plane, frame):
    """plane (H, W) inside its frame, flat."""
    wide = plane.shape[1] + 3
    for i in range(len(plane)):
        copy(plane[i], frame[(i + 1) * wide + 1 : (i + 2) * wide - 2])


@inner
def _neighbours(frame, wide):
    """The frame as seen from the first of four neighbours: that one, and those to the right, below and below right."""
    return frame, frame[1:], frame[wide:], frame[wide + 1 :]


@shareable
@jit
def sample(x, grid, padding, aligned, y, start, stop):
    """y (N, C, P) = x (N, C, H, W) at grid (N, P, 2); images start to stop."""
    channels, height, width = x.shape[1:]
    count, one = grid.shape[1], x.dtype.type(1)
    frame = np.zeros((height + 3) * (width + 3), x.dtype)
    nw, ne, sw, se = _neighbours(frame, width + 3)
    at, t, slopes = np.empty(count, np.int32), np.empty((2, count), x.dtype), np.empty((2, count), x.dtype)
    tx, ty = t[0], t[1]
    for n in range(start, stop):
        _find_both(grid[n], height, width, padding, aligned, at, t, slopes)
        for c in range(channels):
            _put_in(x[n, c], frame)
            row = y[n, c]
            for i in range(count):
                p, u, v = np.uintp(at[i]), tx[i], ty[i]  # no sign: no look for an index below zero
                above = nw[p] * ((one - u) * (one - v)) + ne[p] * (u * (one - v))
                row[i] = above + sw[p] * ((one - u) * v) + se[p] * (u * v)


@shareable
@jit
def sample_grad(g, x, grid, padding, aligned, dx, dgrid, start, stop):
    """The gradients of sample, g (N, C, P); dx or dgrid is of no images where it is not needed."""
    channels, height, width = x.shape[1:]
    count, one = grid.shape[1], x.dtype.type(1)
    frame, dframe = np.zeros((height + 3) * (width + 3), x.dtype), np.empty((height + 3) * (width + 3), x.dtype)
    nw, ne, sw, se = _neighbours(frame, width + 3)
    dnw, dne, dsw, dse = _neighbours(dframe, width + 3)
    at, t, slopes = np.empty(count, np.int32), np.empty((2, count), x.dtype), np.ones((2, count), x.dtype)
    tx, ty, dtx, dty = t[0], t[1], np.empty(count, x.dtype), np.empty(count, x.dtype)
    half = x.dtype.type(0.5)
    scale_x, scale_y = (half * (width - 1), half * (height - 1)) if aligned else (half * width, half * height)
    for n in range(start, stop):
        _find_both(grid[n], height, width, padding, aligned, at, t, slopes)
        clear(dtx)
        clear(dty)
        for c in range(channels):
            row = g[n, c]
            if len(dgrid) > 0:
                _put_in(x[n, c], frame)
                for i in range(count):
                    p, u, v = np.uintp(at[i]), tx[i], ty[i]
                    p0, p1, p2, p3 = nw[p], ne[p], sw[p], se[p]
                    dtx[i] += row[i] * ((p1 - p0) * (one - v) + (p3 - p2) * v)
                    dty[i] += row[i] * ((p2 - p0) * (one - u) + (p3 - p1) * u)
            if len(dx) > 0:
                clear(dframe)
                for i in range(count):
                    p, u, v = np.uintp(at[i]), tx[i], ty[i]
                    above, below = row[i] * (one - v), row[i] * v
                    dnw[p] += above * (one - u)
                    dne[p] += above * u
                    dsw[p] += below * (one - u)
                    dse[p] += below * u
                for i in range(height):
                    copy(dframe[(i + 1) * (width + 3) + 1 : (i + 2) * (width + 3) - 2], dx[n, c, i])
        if len(dgrid) > 0:
            for i in range(count):
                dgrid[n, i, 0] = dtx[i] * slopes[0, i] * scale_x
                dgrid[n, i, 1] = dty[i] * slopes[1, i] * scale_y
