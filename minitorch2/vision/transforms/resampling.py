"""Resizing tensors: along each axis the new values are a matrix times the old ones, and one matrix does one
axis.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable

import numpy as np

import minitorch2.core.dtypes as dtypes
from minitorch2.creation import from_numpy
from minitorch2.tensor import Tensor


class InterpolationMode(enum.Enum):
    """How to resample; box, hamming and lanczos are Pillow's and work on PIL images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(distance), 0)


def _cubic(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Keys' cubic convolution kernel (1981) with slope `a` at distance 1."""

    def weights(distance: np.ndarray) -> np.ndarray:
        x = np.abs(distance)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x < 1, near, np.where(x < 2, far, 0))

    return weights


def axis_matrix(old: int, new: int, mode: InterpolationMode, antialias: bool) -> np.ndarray:
    """float64 (new, old): row i holds the weights of the old values in new value i (align_corners=False).

    With antialias the kernel is widened by the scale where the image shrinks, is cut off at the edge and its
    weights are normalised; without, edge values are repeated. torch takes a = -0.5 for the first and -0.75
    for the second.
    """
    scale = old / new
    matrix = np.zeros((new, old))
    cubic = mode is InterpolationMode.BICUBIC
    if antialias:
        kernel, reach = (_cubic(-0.5), 2) if cubic else (_triangle, 1)
        stretch = max(scale, 1.0)
        for i in range(new):
            centre = scale * (i + 0.5)
            first = max(int(centre - reach * stretch + 0.5), 0)
            last = min(int(centre + reach * stretch + 0.5), old)
            weights = kernel((np.arange(first, last) - centre + 0.5) / stretch)
            matrix[i, first:last] = weights / weights.sum()
        return matrix
    kernel, reach = (_cubic(-0.75), 2) if cubic else (_triangle, 1)
    for i in range(new):
        centre = scale * (i + 0.5) - 0.5
        taps = np.arange(math.floor(centre) - reach + 1, math.floor(centre) + reach + 1)
        np.add.at(matrix[i], taps.clip(0, old - 1), kernel(taps - centre))
    return matrix


def _nearest(old: int, new: int, exact: bool) -> np.ndarray:
    # float32 as torch has it, so that both round to the same neighbour
    scale = np.float32(old) / np.float32(new)
    places = np.arange(new, dtype=np.float32) + np.float32(0.5 if exact else 0)
    return np.minimum(np.floor(places * scale), old - 1).astype(np.int64)


def resize_tensor(image: Tensor, size: tuple[int, int], mode: InterpolationMode, antialias: bool) -> Tensor:
    """Resizes (..., H, W) to `size`; integers are rounded, 8 and 16 bits also clipped.

    Differentiable for floats. Raises ValueError for a mode that only Pillow has.
    """
    height, width = image.shape[-2:]
    if mode in (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT):
        exact = mode is InterpolationMode.NEAREST_EXACT
        rows, columns = _nearest(height, size[0], exact), _nearest(width, size[1], exact)
        return image[..., from_numpy(rows), :][..., from_numpy(columns)]
    if mode not in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
        raise ValueError(f"{mode} works on PIL images only; for a tensor use nearest, bilinear or bicubic")
    work = image.dtype if image.dtype in (dtypes.float32, dtypes.float64) else dtypes.float32
    down = from_numpy(axis_matrix(height, size[0], mode, antialias)).to(work)  # (newH, H)
    across = from_numpy(axis_matrix(width, size[1], mode, antialias)).to(work)  # (newW, W)
    result = down @ (image.to(work) @ across.t())  # (..., newH, newW)
    if not image.dtype.is_floating_point:
        result = result.round()
        if image.dtype.itemsize <= 2:  # bicubic overshoots; wider ranges are beyond float32's integers anyway
            limits = np.iinfo(image.dtype.numpy)
            result = result.clamp(int(limits.min), int(limits.max))
    return result.to(image.dtype)
