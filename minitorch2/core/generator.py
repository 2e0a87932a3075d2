"""Generator: torch's CPU random numbers as NumPy arrays, equal bit for bit from equal seeds.

The specification is PyTorch 2.13 on an x86-64 processor with AVX2 or newer (its portable build rounds
float32 normals otherwise in the last bit). float64 results that go through log, sin, cos, tan or exp use
the C library, as torch does, and so depend on it in the last bit. Nothing depends on the number of threads.

Every method returns a new C-contiguous array whose elements are in the order drawn. torch fills a tensor
that is not contiguous in the order of its memory: see memory_order.py.
"""

from __future__ import annotations

import math
import os
import threading

import numpy as np

from minitorch2_kernels.reference.cast import cast

from .box_muller import BLOCK, libm, scaled, standard_normals
from .mt19937 import SAVED_STATE, MersenneTwister, by_loops, one_by_one
from .random_checks import (
    c_name,
    check_permutation,
    check_uniform_bounds,
    checked_range,
    native_range,
    require_continuous,
    require_floating,
    require_full_range,
)

DEFAULT_SEED = 67280421310721
LARGEST_PERMUTATION = (2**32 - 1) // 20 - 1  # beyond it torch shuffles by another rule
_FLOAT32, _INT64 = np.dtype(np.float32), np.dtype(np.int64)


class Generator:
    """A stream of random numbers, seeded; every method locks it, so threads may share one.

    Shapes are tuples of ints, dtypes NumPy's (bfloat16 as core.dtypes stores it).
    """

    def __init__(self, seed: int = DEFAULT_SEED):
        self._engine = MersenneTwister(seed)
        self._spare_normal: float | None = None  # the second of a pair of normals drawn one by one
        self._lock = threading.RLock()

    def manual_seed(self, seed: int):
        """Starts the stream of `seed` in [-2**63, 2**64), a negative one taken modulo 2**64. Returns self."""
        if not isinstance(seed, int | np.integer) or isinstance(seed, np.bool_):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -(2**63) <= seed < 2**64:
            raise ValueError("Overflow when unpacking long long")
        with self._lock:
            self._engine.reseed(int(seed) % 2**64)
            self._spare_normal = None
        return self

    def seed(self) -> int:
        """Seeds from the operating system's entropy; returns the seed."""
        self.manual_seed(int.from_bytes(os.urandom(8)))
        return self.initial_seed()

    def initial_seed(self) -> int:
        """The seed the stream began with."""
        return self._engine.initial_seed

    def saved_state(self) -> np.ndarray:
        """All of the state in torch.get_rng_state()'s own layout: uint8, shape (5056,)."""
        record = np.zeros((), SAVED_STATE)
        with self._lock:
            self._engine.save(record["engine"])
            if self._spare_normal is not None:
                record["engine"]["normal_is_valid"] = 1
                record["engine"]["normal_y"] = self._spare_normal
        return np.frombuffer(record.tobytes(), np.uint8).copy()

    def load_state(self, state: np.ndarray) -> None:
        """Restores what `saved_state` or torch.get_rng_state() returned; RuntimeError for anything else."""
        if state.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if state.size != SAVED_STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {SAVED_STATE.itemsize} but found the input RNG "
                f"state size to be {state.size}"
            )
        engine = np.frombuffer(state.tobytes(), SAVED_STATE)[0]["engine"]
        with self._lock:
            self._engine.load(engine)
            self._spare_normal = float(engine["normal_y"]) if engine["normal_is_valid"] else None

    def __reduce__(self):
        return _restored, (type(self), self.saved_state())

    def raw32(self, n: int) -> np.ndarray:
        """The next n words of the stream: uint32, shape (n,)."""
        with self._lock:
            return self._engine.words(n)

    def raw64(self, n: int) -> np.ndarray:
        """n words of 64 bits, two of the stream each: uint64, shape (n,)."""
        with self._lock:
            return self._engine.long_words(n)

    def uniform(self, shape, np_dtype, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Uniform in [low, high): 53 random bits for float64, 24 for the other floating dtypes."""
        check_uniform_bounds(np_dtype, low, high)
        n = math.prod(shape)
        with self._lock:
            values = self._engine.doubles(n) if np_dtype == np.float64 else self._engine.floats(n)
        if (low, high) != (0, 1):
            number = values.dtype.type
            values = scaled(values, number(high) - number(low), low)
        elif values.dtype == np_dtype:
            return values.reshape(shape)
        # Rounding may reach the excluded end.
        values, start, end = (_narrowed(x, np_dtype) for x in (values, np.array(low), np.array(high)))
        reached = _comparable(values) == _comparable(end)
        if reached.any():
            values[reached] = start
        return values.reshape(shape)

    def normal(self, shape, np_dtype, mean: float = 0.0, std: float = 1.0, contiguous: bool = True) -> np.ndarray:
        """Normal.

        Fewer than 16 values, or values for memory that is not contiguous, are drawn one by one in float64;
        others in blocks of 16, the last 16 once more if the blocks do not come out even.
        """
        if not std >= 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        require_floating(np_dtype, "normal_kernel_cpu")
        n = math.prod(shape)
        with self._lock:
            if n < BLOCK or not contiguous:
                values = self._normals_one_by_one(n, mean, std)
            else:
                values = self._normals_in_blocks(n, np_dtype, mean, std)
        return _narrowed(values, np_dtype).reshape(shape)

    def _normals_in_blocks(self, n, np_dtype, mean, std):
        draw = self._engine.doubles if np_dtype == np.float64 else self._engine.floats
        even = n - n % BLOCK
        # torch fills float32 and float64 memory with n uniforms first, half precision block by block.
        uniforms = draw(n) if np_dtype in (np.float32, np.float64) else draw(even)
        values = np.empty(n, uniforms.dtype)
        values[:even] = standard_normals(uniforms[:even])
        if even != n:
            values[-BLOCK:] = standard_normals(draw(BLOCK))
        if std == 1:
            values += values.dtype.type(mean)
            return values
        return scaled(values, std, mean)

    def _normals_one_by_one(self, n, mean, std):
        if by_loops(n):
            return scaled(self.drawn_by(one_by_one().normals, n), std, mean)
        values = np.empty(n)
        done = 0
        if n and self._spare_normal is not None:
            values[0], self._spare_normal = self._spare_normal, None
            done = 1
        missing = n - done
        uniforms = self._engine.doubles(missing + missing % 2).reshape(-1, 2)
        radius = np.sqrt(-2.0 * libm(math.log1p, -uniforms[:, 1]))
        theta = 2.0 * math.pi * uniforms[:, 0]
        pairs = np.stack([radius * libm(math.cos, theta), radius * libm(math.sin, theta)], axis=1).reshape(-1)
        values[done:] = pairs[:missing]
        if missing % 2:
            self._spare_normal = float(pairs[-1])
        return scaled(values, std, mean)

    def integers(self, shape, np_dtype, low: int | None = None, high: int | None = None) -> np.ndarray:
        """Integers as random_ draws them.

        In [low, high); without high up to the dtype's largest; without either over the dtype's values from
        0 up, for a floating one to 2**digits.

        Ranges of 2**28 and more take two words of the stream a number, others one; `% range` brings them in.
        """
        n = math.prod(shape)
        if low is None:
            span, wide = native_range(np_dtype)
            low = 0
        else:
            low, span = checked_range(np_dtype, low, high)
            wide = span >= 2**28
            if span == 2**64 and n:
                require_full_range(np_dtype)
        with self._lock:
            words = self._engine.long_words(n) if wide else self._engine.words(n)
        if span < 2**64:
            words = words % words.dtype.type(span)
        signed = (words.astype(np.uint64) + np.uint64(low % 2**64)).view(np.int64)
        return _narrowed(signed, np_dtype).reshape(shape)

    def randperm(self, n: int, np_dtype=_INT64) -> np.ndarray:
        """A permutation of 0 ... n-1, shape (n,)."""
        check_permutation(np_dtype, n)
        if n > LARGEST_PERMUTATION:
            raise NotImplementedError(
                f"minitorch2: randperm of {n} elements is not supported, {LARGEST_PERMUTATION} is the most; "
                "permute blocks and the elements inside them instead"
            )
        if n == 0:
            return cast(np.empty(0, np.int64), np_dtype)
        targets = np.arange(n)
        targets[:-1] += self.raw32(n - 1) % np.arange(n, 1, -1, dtype=np.uint32)
        return cast(self._engine.shuffled(targets), np_dtype)

    def bernoulli(self, shape, np_dtype, p) -> np.ndarray:
        """1 with probability p, else 0.

        p: a float, or an array of shape `shape`. A float and a float64 array take 53 random bits an
        element, the other floating dtypes 24.
        """
        if isinstance(p, np.ndarray):
            require_floating(p.dtype, "bernoulli_tensor_cpu_p_")
            wide = p.dtype == np.float64
            p = _comparable(p)
            if not ((p >= 0) & (p <= 1)).all():
                raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
        else:
            wide = True
            if not 0 <= p <= 1:
                raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
        n = math.prod(shape)
        with self._lock:
            uniforms = self._engine.doubles(n) if wide else self._engine.floats(n)
        return cast(uniforms.reshape(shape) < p, np_dtype)

    def exponential(self, shape, np_dtype, lambd: float = 1.0) -> np.ndarray:
        """Exponential with rate lambd."""
        if not lambd > 0:
            raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
        require_continuous(np_dtype, "Exponential")
        return _narrowed(-1.0 / lambd * libm(math.log1p, -self._doubles(shape)), np_dtype)

    def geometric(self, shape, np_dtype, p: float) -> np.ndarray:
        """The number of trials up to the first success of probability p."""
        if not 0 < p < 1:
            raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
        if np_dtype == np.bool_:
            raise NotImplementedError("\"geometric_cpu\" not implemented for 'Bool'")
        log_uniform = libm(log, self._doubles(shape))
        return _narrowed(np.ceil(log_uniform / math.log1p(-p)), np_dtype)

    def cauchy(self, shape, np_dtype, median: float = 0.0, sigma: float = 1.0) -> np.ndarray:
        """Cauchy with location median and scale sigma."""
        if not sigma > 0:
            raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
        require_continuous(np_dtype, "Cauchy", c_name(np_dtype))
        tangent = libm(math.tan, math.pi * (self._doubles(shape) - 0.5))
        return _narrowed(scaled(tangent, sigma, median), np_dtype)

    def log_normal(self, shape, np_dtype, mean: float = 1.0, std: float = 2.0) -> np.ndarray:
        """exp of a normal."""
        if not std > 0:
            raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
        require_floating(np_dtype, "log_normal_cpu")
        with self._lock:
            normals = self._normals_one_by_one(math.prod(shape), mean, std)
        return _narrowed(libm(exp, normals), np_dtype).reshape(shape)

    def drawn_by(self, draw, *args) -> np.ndarray:
        """The array that draw(stream, the normal left over or None, *args), a compiled loop, returns beside the normal
        that is left over then."""
        with self._lock:
            numbers, self._spare_normal = self._engine.drawn_by(draw, self._spare_normal, *args)
        return numbers

    def _doubles(self, shape):
        with self._lock:
            return self._engine.doubles(math.prod(shape)).reshape(shape)


def _restored(cls, state):
    generator = cls()
    Generator.load_state(generator, state)
    return generator


def exp(x: float) -> float:
    """C's exp, which overflows to infinity."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def log(x: float) -> float:
    """C's log, to which zero is no error."""
    return math.log(x) if x else -math.inf


def _narrowed(values: np.ndarray, np_dtype) -> np.ndarray:
    """float64 or float32 values, given up, in `np_dtype`; half precision is reached by way of float32, as in torch."""
    if values.dtype == np_dtype:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        if np_dtype.itemsize == 2 and np_dtype.kind in "fV":
            values = values.astype(np.float32)
        return cast(values, np_dtype)


def _comparable(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.kind == "f" else cast(values, _FLOAT32)
