"""Resizing (N, C, d1, ...) along its spatial dims, one dim after the other."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

import minitorch2_kernels as K

from ...core.autocast import listed, stacklevel
from ...core.dtypes import float32
from ...core.function import Function
from ...ops._common import require_floating
from ...ops._half import once_in_half
from ...ops._images import follows_format
from ...ops.pad import Mix, NearestSlices, take_along
from ...ops.resampling import axis_matrix, whole_weights
from ...ops.sampling import cubic_weights
from .adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d
from .pooling3d import adaptive_avg_pool3d

_DIMS = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2, "lanczos": 2}
_OF_BYTES = ("bilinear", "bicubic", "lanczos")
_MODES = ("nearest", "linear", "bilinear", "bicubic", "trilinear", "lanczos", "area", "nearest-exact")


@follows_format
@once_in_half
def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
) -> Any:
    """input (N, C, d1, ...) resized to `size`, or by `scale_factor` (a number, or one per spatial dim).

    mode: 'nearest', 'nearest-exact', 'linear' (3-d input), 'bilinear' and 'bicubic' (4-d), 'trilinear' (5-d), 'area'.
    align_corners: the centres of the first and last elements stay where they are, rather than the outer edges.
    antialias ('bilinear', 'bicubic', 'lanczos'): where the image shrinks, every element has its part in the result.
    Floating dtypes, and uint8 for the two nearest and 'bilinear', 'bicubic' and 'lanczos', rounded as torch's.
    """
    shape = input._data.shape
    dims = len(shape) - 2
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    sizes, scales = _output_sizes(shape, dims, size, scale_factor)
    if recompute_scale_factor:
        if scales is None:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        scales = None
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and dims == 2):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if mode not in _MODES or dims not in (1, 2, 3):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {len(shape)}D) for the modes: nearest | "
            f"linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
        )
    if mode in _DIMS and _DIMS[mode] != dims:
        raise NotImplementedError(f"Got {len(shape)}D input, but {mode} mode needs {_DIMS[mode] + 2}D input")
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")
    if mode == "lanczos" and align_corners:
        raise ValueError("Lanczos mode does not support align_corners=True")
    if min(sizes) <= 0 or min(shape[2:]) <= 0:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {list(shape[2:])} output {list(sizes)}"
        )
    if shape[1] == 0:
        raise RuntimeError(f"Non-empty {len(shape)}D data tensor expected but got a tensor with sizes {list(shape)}")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[dims - 1](input, sizes)
    before = input
    if input._data.dtype == K.uint8 and mode in _OF_BYTES:
        for i in (1, 0):  # torch begins with the columns, and rounds in between
            scale = None if scales is None else scales[i]
            input = _of_bytes(input, 2 + i, shape[2 + i], sizes[i], scale, align_corners, mode, antialias)
        return input if input is not before else input.clone()
    if input._data.dtype != K.uint8 or mode not in ("nearest", "nearest-exact"):
        require_floating(f"upsample_{mode}{dims}d", input)
    for i, (n, out) in enumerate(zip(shape[2:], sizes, strict=True)):
        scale = None if scales is None else scales[i]
        if antialias:
            input = _smoothed(input, 2 + i, n, out, scale, align_corners, mode)
        elif mode in ("nearest", "nearest-exact"):
            index = _nearest(input._data, n, out, scale, mode == "nearest-exact")
            input = take_along(input, index, 2 + i, NearestSlices)
        else:
            input = (_cubic if mode == "bicubic" else _linear)(input, 2 + i, n, out, scale, align_corners)
    return input if input is not before else input.clone()


def _output_sizes(shape, dims, size, scale_factor):
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    name, value = ("output size", size) if size is not None else ("scale_factor", scale_factor)
    each = tuple(value) if isinstance(value, tuple | list) else (value,) * dims
    if isinstance(value, tuple | list) and len(each) != dims:
        raise ValueError(
            f"Input and {name.replace('output size', 'output')} must have the same number of spatial dimensions, but "
            "got input "
            f"with spatial dimensions of {list(shape[2:])} and {name} of {'shape ' if size is None else ''}{value}. "
            "Please provide input tensor in (N, C, d1, d2, ...,dK) format and one number per spatial dimension."
        )
    if size is not None:
        if not all(map(_is_size, each)):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size "
                f"with types {[type(s) for s in each]}"
            )
        return tuple(int(s) for s in each), None
    return tuple(math.floor(n * float(s)) for n, s in zip(shape[2:], each, strict=True)), each


def _is_size(s) -> bool:
    try:
        operator.index(s)
    except TypeError:
        return False
    return not isinstance(s, bool)


def _nearest(x, n, out, scale, exact):
    """Which of x's n elements each of `out` takes: torch computes it in float32, so the same ones come out."""
    step = float32.numpy.type(n / out if scale is None else 1.0 / scale)
    places = K.namespace(x).arange(out).astype(float32.numpy)
    places = (places + float32.numpy.type(0.5)) * step if exact else places * step
    return K.minimum(K.floor(places).astype(K.int64), n - 1)


def _places(x, n, out, scale, align_corners):
    """Where the centres of `out` new elements lie among x's n: 0 is the centre of the first. x's dtype, or float32."""
    dtype = (x._data.dtype if x._data.itemsize > 2 else float32.numpy).type
    places = K.namespace(x._data).arange(out).astype(dtype)
    if align_corners:
        return places * dtype((n - 1) / (out - 1) if out > 1 else 0)
    return (places + dtype(0.5)) * dtype(n / out if scale is None else 1.0 / scale) - dtype(0.5)


def _linear(x, dim, n, out, scale, align_corners):
    """Between each pair of neighbours, in proportion."""
    if n == out and scale in (None, 1):
        return x
    places = K.maximum(_places(x, n, out, scale, align_corners), 0)
    left = K.minimum(places.astype(K.int64), n - 1)
    weight = K.minimum(K.maximum(places - left, 0), 1).astype(places.dtype)
    return _mixed(x, dim, [left, K.minimum(left + 1, n - 1)], [1 - weight, weight])


def _cubic(x, dim, n, out, scale, align_corners):
    """By the cubic through four neighbours, edges repeated (Keys, 1981)."""
    places = _places(x, n, out, scale, align_corners)
    left = K.floor(places)
    neighbours = [K.minimum(K.maximum(left.astype(K.int64) + d, 0), n - 1) for d in (-1, 0, 1, 2)]
    return _mixed(x, dim, neighbours, cubic_weights(places - left))


def _smoothed(x, dim, n, out, scale, align_corners, mode):
    """By the kernel widened to what each new element stands for, where there are fewer of them."""
    wide = x.float() if x._data.itemsize == 2 else x
    matrix = axis_matrix(n, out, mode, True, _step(n, out, scale, align_corners)).astype(wide._data.dtype)
    weights = Function.as_tensor(K.namespace(x._data).asarray(matrix))
    y = wide @ weights.t() if dim == x._data.ndim - 1 else weights @ wide
    return Function.to_dtype(y, x._data.dtype)


def _step(n, out, scale, align_corners):
    """How many of n elements each of `out` new ones stands for."""
    if align_corners:
        return (n - 1) / (out - 1) if out > 1 else 0.0
    return n / out if scale is None else 1.0 / scale


def _of_bytes(x, dim, n, out, scale, align_corners, mode, antialias):
    """Bytes to bytes, bit for bit as torch on the CPU: weights are whole numbers over a power of two (the products are
    exact in float64), and the result is rounded, halves up.

    Its code for AVX2 and that without give the same bytes, but for images of one new column: there torch 2.13 repeats
    the first row, of more than four channels, or of any without AVX2, unless in channels_last. This does not.
    """
    if n == out:
        return x
    aligned = bool(align_corners)
    weights, bits = whole_weights(axis_matrix(n, out, mode, antialias, _step(n, out, scale, aligned), aligned))
    xp = K.namespace(x._data)
    wide, weights = x._data.astype(K.float64), xp.asarray(weights)
    y = K.matmul(wide, weights.T) if dim == 3 else K.matmul(weights, wide)
    y = K.floor((y + (1 << bits >> 1)) / (1 << bits))
    return Function.as_tensor(K.minimum(K.maximum(y, 0), 255).astype(K.uint8))


def _mixed(x, dim, neighbours, weights):
    """The sum of x's elements at each of the ascending indices (out,) along dim, times its weights (out,)."""
    wide = x.float() if x._data.itemsize == 2 else x
    y = Mix.apply(wide, K.stack(neighbours), K.stack(weights), dim)
    return Function.to_dtype(y, x._data.dtype)


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """interpolate, by its old name."""
    _warn_of_old_name("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """interpolate(mode="nearest"), by its old name."""
    _warn_of_old_name("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """interpolate(mode="bilinear", align_corners=True), by its old name."""
    _warn_of_old_name("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)


def _warn_of_old_name(name):
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=stacklevel(3)
    )


listed(globals())

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]
