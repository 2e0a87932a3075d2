"""torch.random and the random tensors: seeds, states, rand, randn, randint, randperm, normal ...

One seed gives the numbers torch's CPU generator gives.
"""

from __future__ import annotations

import contextlib
import operator

from .core import dtypes
from .core.cuda_generator import seed_all
from .core.device import check_available
from .core.grad_mode import no_grad
from .creation import _finish, _numpy_dtype, _sizes, empty, empty_like
from .ops._common import broadcast_shapes
from .ops._out import makes_into
from .ops.random import Generator, Normal, default_generator, resolved
from .tensor import Tensor

__all__ = [
    "Generator",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "seed",
    "set_rng_state",
]  # torch.fork_rng does not exist: fork_rng is torch.random's alone


def manual_seed(seed) -> Generator:
    """Starts the default generators, the CPU's and the GPUs', anew from `seed`, an int in [-2**63, 2**64); returns the
    CPU's."""
    seed_all(int(seed))
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seeds the default generator from the operating system's entropy; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed the default generator began with."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state: a uint8 tensor of 5056 numbers, in torch's own layout."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Goes on from a state that get_rng_state (or torch's) gave."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices=None, enabled: bool = True, device_type: str | None = None):
    """Leaves the default generator after the block as it was before.

    Only the CPU's is forked: RuntimeError where `devices` names others.
    """
    if devices:
        raise RuntimeError(f"minitorch2: fork_rng(devices={list(devices)}) is not supported; only the CPU's is forked")
    if not enabled:
        yield
        return
    before = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(before)


@makes_into
def rand(
    *sizes,
    size=None,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """Uniform in [0, 1), of a floating dtype (the default one)."""
    array = _generator(generator, device).uniform(_sizes(sizes, size), _numpy_dtype(dtype, layout))
    return _finish(array, requires_grad, pin_memory)


@makes_into
def randn(
    *sizes,
    size=None,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """Standard normal, of a floating dtype (the default one)."""
    array = _generator(generator, device).normal(_sizes(sizes, size), _numpy_dtype(dtype, layout))
    return _finish(array, requires_grad, pin_memory)


@makes_into
def randint(
    *bounds,
    low=0,
    high=None,
    size=None,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """Integers in [low, high): randint(high, size), randint(low, high, size). int64 unless told."""
    if bounds and isinstance(bounds[-1], tuple | list):
        *bounds, size = bounds
    if len(bounds) == 2:
        low, high = bounds
    elif len(bounds) == 1 and high is None:
        (high,) = bounds
    elif len(bounds) == 1:
        (low,) = bounds
    if len(bounds) > 2 or high is None or size is None:
        raise TypeError("randint() takes (high, size) or (low, high, size), where size is a tuple of ints")
    low, high = _integer("randint", "low", low), _integer("randint", "high", high)
    numpy_dtype = _numpy_dtype(dtype or dtypes.int64, layout)
    array = _generator(generator, device).integers(_sizes((size,)), numpy_dtype, low, high)
    return _finish(array, requires_grad, pin_memory)


def _generator(generator, device):
    """The generator that draws on the device a tensor is to be made on."""
    return resolved(generator, check_available(device))


def _integer(function, name, value):
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{function}(): argument '{name}' must be int, not {type(value).__name__}") from None


@makes_into
def randperm(
    n,
    *,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """0 ... n-1 in random order, shape (n,). int64 unless told."""
    numpy_dtype = _numpy_dtype(dtype or dtypes.int64, layout)
    array = _generator(generator, device).randperm(_integer("randperm", "n", n), numpy_dtype)
    return _finish(array, requires_grad, pin_memory)


@makes_into
def normal(
    mean=0.0,
    std=1.0,
    size=None,
    *,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """Normal: of two numbers and a size, or, element by element, where mean or std (or both) is a tensor.

    Tensors broadcast; the result has the dtype of mean if that is one, else of std. Their gradients are zero.
    """
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None or isinstance(size, int):
            raise TypeError("normal() of two numbers needs a size: normal(mean, std, size), a tuple of ints")
        made = empty(size, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
        return made.normal_(mean, std, generator=generator)._requiring(requires_grad)
    if size is not None:
        raise TypeError("normal() of tensors takes their shape; leave out size")
    with no_grad():
        drawn = _normal_of_tensors(mean, std, generator)
    if isinstance(mean, Tensor) and isinstance(std, Tensor):
        return Normal.apply(mean + std, drawn._data)  # for its shape and its history
    return Normal.apply(mean if isinstance(mean, Tensor) else std, drawn._data)


def _normal_of_tensors(mean, std, generator):
    if not isinstance(std, Tensor):  # row-major, whatever the order of mean's elements
        return mean.new_empty(mean.shape).normal_(0.0, std, generator=generator).add_(mean)
    if std.numel() and not bool((std >= 0).all()):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    if not isinstance(mean, Tensor):
        return std.new_empty(std.shape).normal_(generator=generator).mul_(std).add_(mean)
    shape = broadcast_shapes("normal", mean.shape, std.shape)
    return mean.new_empty(shape).normal_(generator=generator).mul_(std).add_(mean)


def rand_like(input, *, generator=None, requires_grad=False, **options):
    """Uniform in [0, 1), of the shape, strides and dtype of `input`.

    options: dtype, layout, device, memory_format, as for torch.empty_like.
    """
    return empty_like(input, **options).uniform_(generator=generator)._requiring(requires_grad)


def randn_like(input, *, generator=None, requires_grad=False, **options):
    """Standard normal, of the shape, strides and dtype of `input`.

    options: dtype, layout, device, memory_format, as for torch.empty_like.
    """
    return empty_like(input, **options).normal_(generator=generator)._requiring(requires_grad)


def randint_like(input, low=0, high=None, *, generator=None, requires_grad=False, **options):
    """Integers in [low, high) (in [0, low) without high), of the shape, strides and dtype of `input`.

    options: dtype, layout, device, memory_format, as for torch.empty_like.
    """
    low, high = (0, low) if high is None else (low, high)
    low, high = _integer("randint_like", "low", low), _integer("randint_like", "high", high)
    return empty_like(input, **options).random_(low, high, generator=generator)._requiring(requires_grad)
