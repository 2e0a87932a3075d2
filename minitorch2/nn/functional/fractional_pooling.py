"""Max pooling over windows whose distances are drawn at random (Graham, "Fractional Max-Pooling", 2014)."""

from __future__ import annotations

from typing import Any

from ...core.autocast import listed
from ...core.variable import type_name
from ...ops._common import require_floating, require_tensor, wrap_dim
from ...ops.conv import Sizes
from ...ops.fractional_pooling import fractional_max
from ...random import rand

_NAMES = {2: ("height", "width"), 3: ("time", "height", "width")}


def fractional_max_pool2d(
    input, kernel_size: Sizes, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
) -> Any:
    """The largest elements of windows that lie at drawn distances in input (N, C, H, W) or (C, H, W), so many that
    `output_size` (an int or two) comes out, or floor(`output_ratio` * size), two numbers.

    return_indices: also where they stood in the flattened (H, W) plane, int64. _random_samples (N, C, 2), of input's
    dtype: numbers in [0, 1) to place the windows by; torch's are drawn where there are none. NaN wins.
    ValueError where neither size nor ratio is given; RuntimeError for other shapes and windows that do not fit.
    """
    if output_size is None and output_ratio is not None and len(output_ratio) > 2:
        raise ValueError("fractional_max_pool2d requires output_ratio to either be a single Int or tuple of Ints.")
    arguments = input, kernel_size, output_size, output_ratio, _random_samples
    y, indices = _with_indices("fractional_max_pool2d", 2, *arguments)
    return (y, indices) if return_indices else y


def fractional_max_pool3d(
    input, kernel_size: Sizes, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
) -> Any:
    """fractional_max_pool2d of volumes (N, C, D, H, W) or (C, D, H, W): output_ratio is a number or three, and
    _random_samples (N, C, 3). As in torch, output_size + kernel_size is at most the input's size along each dim."""
    arguments = input, kernel_size, output_size, output_ratio, _random_samples
    y, indices = _with_indices("fractional_max_pool3d", 3, *arguments)
    return (y, indices) if return_indices else y


def fractional_max_pool2d_with_indices(
    input, kernel_size: Sizes, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """fractional_max_pool2d(..., return_indices=True)"""
    return fractional_max_pool2d(input, kernel_size, output_size, output_ratio, True, _random_samples)


def fractional_max_pool3d_with_indices(
    input, kernel_size: Sizes, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """fractional_max_pool3d(..., return_indices=True)"""
    return fractional_max_pool3d(input, kernel_size, output_size, output_ratio, True, _random_samples)


def _with_indices(op, dims, input, kernel_size, output_size, output_ratio, samples):
    if output_size is None and output_ratio is None:
        raise ValueError(f"{op} requires specifying either an output_size or an output_ratio")
    if not hasattr(input, "_data") and (samples is None or output_size is None):  # torch draws before it looks
        raise AttributeError(f"'{type_name(input)}' object has no attribute 'dim'", name="dim", obj=type(input))
    require_tensor(op, input)
    shape = input._data.shape
    if output_size is None:
        ratios = (output_ratio,) * dims if isinstance(output_ratio, int | float) else output_ratio
        output_size = tuple(int(shape[d - dims] * ratios[d]) for d in range(dims))
    if samples is None:
        channels = shape[wrap_dim(-dims - 1, len(shape))]
        batch = 1 if len(shape) == dims + 1 else shape[0]
        samples = rand(batch, channels, dims, dtype=input.dtype, device=input.device)
    kernel, out = _sizes(op, "kernel_size", dims, kernel_size), _sizes(op, "output_size", dims, output_size)
    _check(op, dims, input, kernel, out, samples)
    return fractional_max_pool(input, kernel, out, samples)


def fractional_max_pool(input, kernel, out, samples) -> Any:
    """What autocast's lists name: the pool when its windows are settled."""
    if input._data.ndim == len(kernel) + 2:
        return fractional_max(input, kernel, out, samples)
    y, indices = fractional_max(input.unsqueeze(0), kernel, out, samples)
    return y.squeeze(0), indices.squeeze(0)


def _sizes(op, name, dims, value) -> tuple[int, ...]:
    values = (value,) * dims if isinstance(value, int) else tuple(value)
    if len(values) != dims:
        raise RuntimeError(f"{op}: {name} must either be a single Int or tuple of {'three ' * (dims == 3)}Ints")
    return tuple(int(v) for v in values)


def _check(op, dims, input, kernel, out, samples):
    shape = input._data.shape
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(f"{op}(): Expected {dims + 1}D or {dims + 2}D tensor, but got: {list(shape)}")
    for d in range(len(shape) - dims - 1, len(shape)):
        if shape[d] == 0:
            raise RuntimeError(
                f"{op}(): Expected input to have non-zero size for non-batch dimensions, but got {list(shape)} with "
                f"dimension {d} being empty."
            )
    if min(kernel) <= 0:
        raise RuntimeError(f"{op}(): kernel_size should be greater than zero, but got {kernel}")
    if min(out) < 0:
        raise RuntimeError(f"{op}(): output_size should be non-negative, but got {out}")
    for name, n, k, o in zip(_NAMES[dims], shape[-dims:], kernel, out, strict=True):
        if o + k - (1 if dims == 2 else 0) > n:  # torch asks volumes for one element more
            raise RuntimeError(f"{op}(): pool {name} {k} too large relative to input {name} {n}, for {o} windows")
    require_tensor(op, samples, "_random_samples", 4)
    given = samples._data.shape
    if samples.dtype is not input.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    if len(given) != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {len(given)}")
    if given[0] < (1 if len(shape) == dims + 1 else shape[0]):
        raise RuntimeError("Expect _random_samples.size(0) no less then input batch size.")
    if given[1] != shape[-dims - 1]:
        raise RuntimeError("Expect _random_samples.size(1) equals to input channel size.")
    if given[2] != dims:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {dims}; got {given[2]}.")
    require_floating(f"{op}_out_frame", input)


listed(globals())

__all__ = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]
