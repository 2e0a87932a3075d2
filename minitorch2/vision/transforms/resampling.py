"""Resizing tensors: along each axis the new values are a matrix times the old ones."""

from __future__ import annotations

import enum

import numpy as np

import minitorch2.core.dtypes as dtypes
from minitorch2.creation import from_numpy
from minitorch2.ops.resampling import axis_matrix
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
    down = from_numpy(axis_matrix(height, size[0], mode.value, antialias)).to(work)  # (newH, H)
    across = from_numpy(axis_matrix(width, size[1], mode.value, antialias)).to(work)  # (newW, W)
    result = down @ (image.to(work) @ across.t())  # (..., newH, newW)
    if not image.dtype.is_floating_point:
        result = result.round()
        if image.dtype.itemsize <= 2:  # bicubic overshoots; wider ranges are beyond float32's integers anyway
            limits = np.iinfo(image.dtype.numpy)
            result = result.clamp(int(limits.min), int(limits.max))
    return result.to(image.dtype)
