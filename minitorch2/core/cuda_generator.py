"""The GPU's random numbers: Philox4x32-10, the counter-based generator that torch uses there.

The state is two numbers, a seed and how far the stream was used; every draw gives each thread of the kernel its own
part of it: see minitorch2_kernels/cuda/philox.py. Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
2011.
"""

from __future__ import annotations

import math
import os
import struct
from typing import Any

import numpy as np

from minitorch2_kernels.reference.cast import cast

from .device import cupy, device
from .memory_order import memory_order, transposed_back
from .random_checks import (
    check_uniform_bounds,
    checked_range,
    native_range,
    require_continuous,
    require_floating,
)

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_INT64, _BOOL = np.dtype(np.int64), np.dtype(np.bool_)


def random_seed() -> int:
    """A seed of 53 bits from the operating system's entropy, as torch draws it."""
    return int.from_bytes(os.urandom(7)) >> 3


class CudaGenerator:
    """torch.Generator("cuda"): its methods return CuPy arrays, C-contiguous, of NumPy's dtypes."""

    def __init__(self, where: device, seed: int | None = None):
        cupy()
        from minitorch2_kernels.cuda import philox

        self._kernels: Any = philox
        self.device = where
        self.state: Any = philox.PhiloxState(random_seed() if seed is None else seed, 0)

    def manual_seed(self, seed: int) -> CudaGenerator:
        """Starts the stream of `seed` in [-2**63, 2**64), a negative one taken modulo 2**64. Returns self."""
        if not -(2**63) <= int(seed) < 2**64:
            raise ValueError("Overflow when unpacking long long")
        self.state.seed, self.state.offset = int(seed) % 2**64, 0
        return self

    def seed(self) -> int:
        """Seeds from the operating system's entropy; returns the seed."""
        return self.manual_seed(random_seed()).initial_seed()

    def initial_seed(self) -> int:
        """The seed the stream began with."""
        return self.state.seed

    def get_offset(self) -> int:
        """How far the stream was used."""
        return self.state.offset

    def get_state(self):
        """Seed and offset: a uint8 tensor of 16 numbers on the CPU, in torch's own layout."""
        from .function import Function

        return Function.as_tensor(
            np.frombuffer(struct.pack("<QQ", self.state.seed, self.state.offset), np.uint8).copy()
        )

    def set_state(self, new_state) -> CudaGenerator:
        """Goes on from a state that `get_state` (or torch) gave; RuntimeError for anything else."""
        data = getattr(new_state, "_data", None)
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
            raise TypeError(f"expected a torch.ByteTensor on the CPU, but got {type(new_state).__name__}")
        if data.size != 16:
            raise RuntimeError("RNG state is wrong size: a GPU's has 16 bytes")
        self.state.seed, self.state.offset = struct.unpack("<QQ", data.tobytes())
        return self

    def clone_state(self) -> CudaGenerator:
        """A generator of its own with the same state."""
        return CudaGenerator(self.device).set_state(self.get_state())

    def uniform(self, shape, np_dtype, low: float = 0.0, high: float = 1.0):
        """Uniform in [low, high)."""
        check_uniform_bounds(np_dtype, low, high)
        return self._of(np_dtype, lambda wide: self._kernels.uniform(shape, wide, low, high, self.state))

    def normal(self, shape, np_dtype, mean: float = 0.0, std: float = 1.0, contiguous: bool = True):
        """Normal with this mean and standard deviation."""
        if std < 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        require_floating(np_dtype, "normal_kernel_cuda")
        return self._of(np_dtype, lambda wide: self._kernels.normal(shape, wide, mean, std, self.state))

    def bernoulli(self, shape, np_dtype, p):
        """1 with probability p, a float or an array of shape `shape`, else 0."""
        if not isinstance(p, float | int):
            require_floating(p.dtype, "bernoulli_tensor_cuda_p_")
            return self._of(np_dtype, lambda wide: self._kernels.bernoulli_each(p, wide, self.state))
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
        if np_dtype == _BOOL:
            return self._kernels.bernoulli(shape, p, self.state)
        return self._of(np_dtype, lambda wide: self._kernels.bernoulli(shape, p, self.state, wide))

    def dropout(self, x, keep: float):
        """(y, kept): x / keep where kept (bool), true with the probability keep, and 0 elsewhere; one launch."""
        return self._kernels.dropout(x, keep, self.state)

    def integers(self, shape, np_dtype, low: int | None = None, high: int | None = None):
        """Integers in [low, high); without bounds over the dtype's values from 0 up."""
        wide = None
        if low is None:
            low, (span, wide) = 0, native_range(np_dtype)
        else:
            low, span = checked_range(np_dtype, low, high)
        drawn = self._kernels.integers(shape, low, span, self.state, wide)
        return drawn if np_dtype == drawn.dtype else cast(drawn, np_dtype)

    def exponential(self, shape, np_dtype, lambd: float = 1.0):
        """Exponential with rate lambd."""
        if not lambd > 0:
            raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
        require_continuous(np_dtype, "Exponential")
        return self._of(np_dtype, lambda wide: self._kernels.exponential(shape, wide, lambd, self.state))

    def cauchy(self, shape, np_dtype, median: float = 0.0, sigma: float = 1.0):
        """Cauchy with location median and scale sigma."""
        if not sigma > 0:
            raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
        require_continuous(np_dtype, "Cauchy")
        return self._of(
            np_dtype,
            lambda wide: np.tan((self._uniform(shape, wide) - wide.type(0.5)) * wide.type(math.pi)) * sigma + median,
        )

    def log_normal(self, shape, np_dtype, mean: float = 1.0, std: float = 2.0):
        """exp of a normal."""
        if not std > 0:
            raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
        require_floating(np_dtype, "log_normal_cuda")
        return self._of(np_dtype, lambda wide: np.exp(self._kernels.normal(shape, wide, mean, std, self.state)))

    def geometric(self, shape, np_dtype, p: float):
        """The number of trials up to the first success of probability p."""
        if not 0 < p < 1:
            raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
        if np_dtype == _BOOL:
            raise NotImplementedError("\"geometric_cuda\" not implemented for 'Bool'")
        drawn = np.ceil(np.log(1 - self._uniform(shape, _FLOAT64)) / math.log1p(-p))
        return cast(np.maximum(drawn, 1), np_dtype)

    def randperm(self, n: int, np_dtype=_INT64):
        """A permutation of 0 ... n-1, shape (n,)."""
        drawn = self._kernels.permutation(n, self.state)
        return drawn if np_dtype == drawn.dtype else cast(drawn, np_dtype)

    def categories(self, weights, n: int, replacement: bool):
        """n categories for each row of weights: int64, shape (n,) or (rows, n), as `multinomial` describes them."""
        from .multinomial import check_weights

        check_weights(weights, n, replacement)
        values = cast(weights, _FLOAT32) if weights.dtype.itemsize == 2 else weights
        if not replacement or n == 1:
            axes = memory_order(values)  # in which torch fills a tensor
            waiting = transposed_back(self.exponential(values.transpose(axes).shape, values.dtype), axes)
            order = (-(values / waiting)).argsort(axis=-1)
            return order[..., :n].astype(np.int64)
        cumulative = values.cumsum(axis=-1)
        cumulative /= cumulative[..., -1:].copy()
        uniforms = self._uniform((*values.shape[:-1], n), cumulative.dtype)
        found = (cumulative[..., None, :] <= uniforms[..., None]).sum(axis=-1)
        return np.minimum(found, values.shape[-1] - 1).astype(np.int64)

    def _uniform(self, shape, np_dtype):
        return self._kernels.uniform(shape, np_dtype, 0.0, 1.0, self.state)

    def _of(self, np_dtype, draw):
        """What `draw` gives in float32 or float64, in np_dtype."""
        wide = np_dtype if np_dtype in (_FLOAT32, _FLOAT64) else _FLOAT32
        drawn = draw(wide)
        return drawn if drawn.dtype == np_dtype else cast(drawn, np_dtype)


_generators: dict[int, CudaGenerator] = {}
_seed: list[int | None] = [None]  # what manual_seed gave, for generators made later


def cuda_generator(index: int) -> CudaGenerator:
    """The default generator of this GPU."""
    if index not in _generators:
        _generators[index] = CudaGenerator(device("cuda", index), _seed[0])
    return _generators[index]


def seed_all(seed: int) -> None:
    """Seeds the default generators of all GPUs, those that nobody has used yet too."""
    _seed[0] = int(seed) % 2**64
    for generator in _generators.values():
        generator.manual_seed(seed)


__all__ = ["CudaGenerator", "cuda_generator", "seed_all"]
