"""Normalisation layers as functions, and vectors brought to length one."""

from __future__ import annotations

import math
from typing import Any

from ...core.autocast import listed
from ...core.dtypes import LOW_PRECISION, finfo, float32, from_numpy_dtype
from ...ops._common import require_tensor, to_dtype
from ...ops._half import once_in_half
from ...ops._images import follows_format
from ...ops._out import into
from ...ops.arithmetic import div
from ...ops.norm import GroupNorm, LayerNorm, RMSNorm
from ...ops.norm import batch_norm as normalize_batch
from .padding import pad
from .pooling import avg_pool2d


@follows_format
def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """(input - mean) / sqrt(var + eps) * weight + bias per channel of input (N, C) or (N, C, d1, ...).

    training: mean and (biased) variance are the batch's, and the running ones, where given, move towards them (the
    variance unbiased) by `momentum`. Otherwise the running ones are used. Source: Ioffe and Szegedy, 2015.
    """
    require_tensor("batch_norm", input)
    if eps <= 0 and (training or eps < 0):
        raise ValueError(
            f"batch_norm eps must be {'positive during training' if training else 'non-negative'}, but got {eps}"
        )
    x, shape = input, input._data.shape
    if training and shape and shape[0] * math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.shape}")
    if not x._data.size:
        return _of_nothing(x, weight, bias)
    _require_float("batch_norm", x)
    for name, t in (("running_mean", running_mean), ("running_var", running_var)):
        if t is None and not training:
            raise RuntimeError(f"{name} must be defined in evaluation mode")
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, t in named.items():
        if t is not None and t._data.size != (channels := shape[1] if len(shape) > 1 else 0):
            raise RuntimeError(f"{name} should contain {channels} elements not {t._data.size}")
    if len(shape) < 2:
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
    _check_mixed(x, *named.values())
    y = normalize_batch(x, weight, bias, running_mean, running_var, training, momentum, eps)
    return to_dtype(y, input._data.dtype)


def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
):
    """As batch_norm, with statistics for every sample by itself. Source: Ulyanov et al., 2016."""
    require_tensor("instance_norm", input)
    shape = input._data.shape
    if use_input_stats and math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    n, c = shape[:2]
    _check_mixed(input, weight, bias, running_mean, running_var)
    # Every (sample, channel) is a channel of one big sample; what is kept per channel is the samples' average.
    weights, biases = (None if t is None else t.repeat(n) for t in (weight, bias))
    means, variances = (None if t is None else t.repeat(n) for t in (running_mean, running_var))
    x = input.reshape(1, n * c, math.prod(shape[2:]))
    y = normalize_batch(x, weights, biases, means, variances, use_input_stats, momentum, eps)
    if use_input_stats and running_mean is not None:
        _keep_average(running_mean, means, n)
    if use_input_stats and running_var is not None:
        _keep_average(running_var, variances, n)
    return to_dtype(y.reshape(shape), input._data.dtype)


def _keep_average(running, each, samples):
    """running (C) = the mean over the samples of each (N * C)."""
    running._data[...] = each.detach().reshape(samples, -1).mean(0)._data
    running._bump()


@follows_format
@once_in_half
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """(x - mean) / sqrt(var + eps) over each of num_groups groups of channels of input (N, C, d1, ...), then weight and
    bias (C). Source: Wu and He, "Group Normalization", 2018."""
    require_tensor("group_norm", input)
    shape = input._data.shape
    if len(shape) < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if shape[0] * shape[1] // num_groups * math.prod(shape[2:]) == 1:
        size = [shape[0] * shape[1] // num_groups, num_groups, *shape[2:]]
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")
    if shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and t._data.shape != (shape[1],):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(t._data.shape)} and input of shape {list(shape)}"
            )
    _require_float("GroupNormKernelImpl", input)
    _check_mixed(input, weight, bias)
    if not input._data.size:
        return _of_nothing(input, weight, bias)
    return to_dtype(GroupNorm.apply(input, weight, bias, num_groups, eps), input._data.dtype)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """(input - mean) / sqrt(var + eps) over the last dims, whose sizes are normalized_shape; then weight and bias of
    that shape. Source: Ba et al., "Layer Normalization", 2016."""
    sizes = _trailing_sizes("layer_norm", input, normalized_shape, {"weight": weight, "bias": bias}, "*, ")
    _require_float("LayerNormKernelImpl", input)
    _check_mixed(input, weight, bias)
    if not input._data.size:
        return _of_nothing(input, *(None if t is None else t.sum().reshape(1) for t in (weight, bias)))
    return to_dtype(LayerNorm.apply(input, weight, bias, len(sizes), eps), input._data.dtype)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """input / sqrt(mean(input^2) + eps) over the last dims, of sizes normalized_shape; then weight of that shape.

    eps defaults to the dtype's machine epsilon. Source: Zhang and Sennrich, 2019.
    """
    sizes = _trailing_sizes("rms_norm", input, normalized_shape, {"weight": weight}, "*")
    _require_float("rms_norm", input)
    dtype = input._data.dtype
    x = to_dtype(input, float32.numpy) if dtype in LOW_PRECISION else input
    if eps is None:
        eps = finfo(x.dtype).eps
    if not x._data.size or (weight is not None and weight._data.dtype != x._data.dtype):
        y = RMSNorm.composed(x, weight, len(sizes), eps)
    else:
        y = RMSNorm.apply(x, weight, len(sizes), eps)
    return to_dtype(y, dtype)


@follows_format
def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """input / (k + alpha * the mean of input^2 over `size` neighbouring channels)^beta, for input (N, C, d1, ...).

    Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012.
    """
    shape = input._data.shape
    if len(shape) < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)")
    if not input._data.size:
        return input
    squares = (input * input).reshape(shape[0], 1, shape[1], math.prod(shape[2:]))
    squares = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    mean = avg_pool2d(squares, (size, 1), stride=1).reshape(shape)
    return input / (mean * alpha + k) ** beta


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None) -> Any:
    """input / max(its p-norm along dim, eps); `out`: a tensor to write it to."""
    norm = input.norm(p, dim, True).clamp_min(eps)
    return input / norm if out is None else into(out, "div", div, (input, norm), {})


def _trailing_sizes(op, input, normalized_shape, affine, star):
    if not isinstance(normalized_shape, tuple | list):
        raise TypeError(
            f"{op}(): argument 'normalized_shape' (position 2) must be tuple of ints, not "
            f"{type(normalized_shape).__name__}"
        )
    require_tensor(op, input)
    sizes, shape = tuple(normalized_shape), input._data.shape
    if not sizes:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for name, t in affine.items():
        if t is not None and t._data.shape != sizes:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(t._data.shape)} and normalized_shape = {list(sizes)}"
            )
    if shape[len(shape) - len(sizes) :] != sizes or len(shape) < len(sizes):
        raise RuntimeError(
            f"Given normalized_shape={list(sizes)}, expected input with shape [{star}{', '.join(map(str, sizes))}], "
            f"but got input of size{list(shape)}"
        )
    return sizes


def _of_nothing(x, weight, bias):
    """x without elements, normalised: tied to weight and bias, so that they get gradients of zeros, and in need of an
    element of each, as torch is."""
    y = x.clone()
    if weight is not None:
        y = y * weight[0]
    return y if bias is None else y + bias[0]


def _require_float(op, input):
    if input._data.dtype.kind not in "fV":
        raise NotImplementedError(f"\"{op}\" not implemented for '{input.dtype.torch_type}': it takes floating dtypes")


def _check_mixed(input, *others):
    """Parameters and statistics have the input's dtype; beside half precision they may be float32."""
    have = {t._data.dtype for t in others if t is not None}
    dtype = input._data.dtype
    if len(have) > 1 or not (have <= {dtype} or (dtype in LOW_PRECISION and have == {float32.numpy})):
        names = ", ".join(sorted(from_numpy_dtype(d).name for d in have))
        raise RuntimeError(
            f"mixed dtype (CPU): all inputs must share same datatype, but the input is {input.dtype.name} and the "
            f"parameters and statistics are {names}; convert with .to()"
        )


listed(globals())

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]
