"""Sampling images and volumes at places that are computed, too: affine_grid and grid_sample (spatial transformers)."""

from __future__ import annotations

import math
import operator
import warnings
from typing import Any

from ...core.autocast import listed, stacklevel
from ...core.dtypes import LOW_PRECISION
from ...core.function import Function, called
from ...creation import linspace
from ...ops._common import require_floating, require_tensor
from ...ops.linalg import bmm
from ...ops.sampling import BilinearSample, sample

_MODES = ("bilinear", "nearest", "bicubic")
_PADDING_MODES = ("zeros", "border", "reflection")


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None) -> Any:
    """input (N, C, H, W) read at the places grid (N, OH, OW, 2) of one floating dtype: (N, C, OH, OW); or of volumes,
    (N, C, D, H, W) at (N, OD, OH, OW, 3): (N, C, OD, OH, OW).

    grid holds (x, y) or (x, y, z), z along D: -1 and 1 are the edges of the image, or with align_corners the centres of
    its outermost elements. mode: 'bilinear' (of volumes trilinear), 'nearest', or for images 'bicubic'. padding_mode,
    for places outside: 'zeros', 'border' (the nearest edge) or 'reflection' (the image mirrored at its edges).
    ValueError for other modes; RuntimeError for shapes and dtypes that do not fit, and 'bicubic' of volumes.
    Source: Jaderberg et al., "Spatial Transformer Networks" (2015).
    """
    require_tensor("grid_sampler", input)
    require_tensor("grid_sampler", grid, "grid", 2)
    _check_grid_sample(input, grid, mode, padding_mode)
    align_corners = _aligned(align_corners)
    low = input._data.dtype
    if low in LOW_PRECISION:
        return Function.to_dtype(grid_sample(input.float(), grid.float(), mode, padding_mode, align_corners), low)
    if mode == "bilinear" and input._data.ndim == 4:
        return BilinearSample.apply(input, grid, padding_mode, align_corners)
    y = sample(input, grid, mode, padding_mode, align_corners)
    return called(f"GridSampler{input._data.ndim - 2}DBackward0", y)


def _check_grid_sample(input, grid, mode, padding_mode):
    if mode not in _MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    x, g = input._data.shape, grid._data.shape
    if len(x) == len(g) == 5 and mode == "bicubic":
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if x[:1] != g[:1]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(x)} and grid with sizes {list(g)}"
        )
    if len(x) != len(g) or len(x) not in (4, 5):
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes "
            f"{list(x)} and grid with sizes {list(g)}"
        )
    dims = len(x) - 2
    if g[-1] != dims:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid with sizes {list(g)}"
        )
    for dim in range(2, len(x)):
        if x[dim] == 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{list(x)} with dimension {dim} being empty"
            )
    require_floating("grid_sampler_2d_cpu_kernel_impl" if dims == 2 else "grid_sampler3d_cpu", input)
    if input._data.dtype != grid._data.dtype:
        raise RuntimeError(f"expected scalar type {input.dtype.torch_type} but found {grid.dtype.torch_type}")
    if input.device != grid.device:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to be on same device, but input is on "
            f"{input.device} and grid is on {grid.device}"
        )


def _aligned(align_corners) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=stacklevel(3),
        )
    return bool(align_corners)


def affine_grid(theta, size, align_corners=None):
    """The places (N, H, W, 2) that theta (N, 2, 3) sends the elements of an image to; grid_sample reads there.

    size: (N, C, H, W). Each (x, y) is theta times (x, y, 1), x and y from -1 to 1 over the image, its edges or with
    align_corners the centres of its outermost elements. Volumes, of size (N, C, D, H, W), have (N, D, H, W, 3) and
    theta (N, 3, 4). ValueError for a theta that is not floating or of another shape, and a size that is not positive.
    """
    require_tensor("affine_grid_generator", theta)
    if theta._data.dtype.kind not in "fV":
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    align_corners = _aligned(align_corners)
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {size}."
        )
    dims = len(size) - 2
    if theta._data.shape[1:] != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {size}. "
            f"Got {theta.shape}."
        )
    if align_corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This "
            "is not an intended use case of affine_grid. See the documentation of affine_grid for details.",
            stacklevel=stacklevel(2),
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    n, _, *out = (operator.index(k) for k in size)
    elements = math.prod(out)
    base = theta.new_ones((*out, dims + 1))
    for i, k in enumerate(reversed(out)):  # x, along the last dim, first
        base[..., i] = _centres(theta, k, align_corners).reshape(-1, *(1,) * i)
    places = bmm(base.reshape(1, elements, dims + 1).expand(n, elements, dims + 1), theta.transpose(1, 2))
    return called("AffineGridGeneratorBackward0", places.reshape(n, *out, dims))


def _centres(theta, n, align_corners):
    """n places from -1 to 1, half a step from both without align_corners; a single one is 0. In theta's dtype."""
    if n == 1:
        return theta.new_zeros(1)
    places = linspace(-1, 1, n, dtype=theta.dtype, device=theta.device)
    return places if align_corners else places * (n - 1) / n  # in torch's order, so that both round alike


listed(globals())

__all__ = ["affine_grid", "grid_sample"]
